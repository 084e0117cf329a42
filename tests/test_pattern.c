/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Patterns of errors: planted blocks, rows, columns and heads are named; trends and chance are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pattern.h"
#include "random_problem.h"
#include "vectors_support.h"
#include "verdict.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>

enum { BAD = 20, THRESHOLD = 6 };

/* Whether the element is to be bad. */
typedef bool Plan(Place, size_t B);

static Pattern planted(const Sizes *size, Answer a, Plan *is_bad, size_t B)
{
    Layout l = answer_layout(size, a);
    size_t n = layout_count(&l);
    double *z = calloc(n, sizeof *z);
    for (size_t k = 0; k < n; k++)
        z[k] = is_bad(place_of(size, a, k), B) ? BAD : 1;
    Pattern p = pattern_of(size, a, z, n, THRESHOLD);
    free(z);
    return p;
}

static bool first_rows(Place at, size_t B) { return at.row % B == 0; }
static bool last_rows(Place at, size_t B) { return at.row % B == B - 1; }
static bool all_but_first_rows(Place at, size_t B) { return at.row % B != 0; }
static bool all_but_last_rows(Place at, size_t B) { return at.row % B != B - 1; }
static bool first_columns(Place at, size_t B) { return at.column % B == 0; }
static bool every_second_block(Place at, size_t B) { return at.row / B % 2 == 1; }
static bool diagonal_blocks(Place at, size_t B)
{
    return at.column <= at.row && at.row / B == at.column / B;
}
static bool other_blocks(Place at, size_t B)
{
    return at.column <= at.row && at.row / B != at.column / B;
}

static void assert_block(const Pattern *p, Line line, Edge edge, size_t block, size_t L)
{
    const BlockPattern *b = &p->block;
    if (b->block != block || b->line != line || b->edge != edge)
        fail_msg("L %zu: block %zu, line %d, edge %d, chance %g (level %g); expected %zu, %d, %d",
                 L, b->block, b->line, b->edge, b->chance, b->level, block, line, edge);
    assert_true(b->chance < b->level);
}

static void planted_blocks_are_named(void **state)
{
    static const size_t sizes[] = {4, 8, 16, 32, 48, 64};
    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        size_t B = sizes[k], L = 6 * B + 3;
        const Sizes size = {1, 2, L, 2, 0};
        Pattern p = planted(&size, ANSWER_O, first_rows, B);
        assert_block(&p, LINE_ROWS, EDGE_FIRST, B, L);
        p = planted(&size, ANSWER_DKC, last_rows, B);
        assert_block(&p, LINE_ROWS, EDGE_LAST, B, L);
        p = planted(&size, ANSWER_O, all_but_first_rows, B);
        assert_block(&p, LINE_ROWS, EDGE_FIRST_GOOD, B, L);
        p = planted(&size, ANSWER_O, all_but_last_rows, B);
        assert_block(&p, LINE_ROWS, EDGE_LAST_GOOD, B, L);
        p = planted(&size, ANSWER_O, every_second_block, B);
        assert_block(&p, LINE_ROWS, EDGE_BOUNDARY, B, L);
    }
    const Sizes wide = {1, 1, 4, 64, 0}, square = {1, 1, 100, 2, 0};
    Pattern p = planted(&wide, ANSWER_O, first_columns, 16);
    assert_block(&p, LINE_COLUMNS, EDGE_FIRST, 16, 4);
    p = planted(&square, ANSWER_SC, diagonal_blocks, 16);
    assert_block(&p, LINE_DIAGONAL, EDGE_FIRST_GOOD, 16, 100);
    p = planted(&square, ANSWER_SC, other_blocks, 16);
    assert_block(&p, LINE_DIAGONAL, EDGE_FIRST, 16, 100);
}

static bool one_head(Place at, size_t h) { return at.head == h && at.batch == 1; }
static bool one_column(Place at, size_t k) { return at.column == k; }
static bool from_a_row(Place at, size_t k) { return at.row >= k; }
static bool the_diagonal(Place at, size_t unused)
{
    (void)unused;
    return at.row == at.column;
}
static bool everything(Place at, size_t unused) { return at.row < unused; }

static void assert_axis(const Pattern *p, Axis axis, const char *expected)
{
    char text[60];
    axis_describe(&p->axis[axis], text, sizeof text);
    assert_string_equal(text, expected);
}

static void rows_columns_and_heads_are_listed(void **state)
{
    const Sizes size = {2, 4, 64, 16, 0};
    (void)state;
    Pattern p = planted(&size, ANSWER_O, one_head, 2);
    assert_int_equal(p.bad, 64 * 16);
    assert_int_equal(p.judged, 2 * 4 * 64 * 16);
    assert_axis(&p, AXIS_BATCH, "1 of 2: 1");
    assert_axis(&p, AXIS_HEAD, "1 of 4: 2");
    assert_axis(&p, AXIS_ROW, "all 64");
    assert_axis(&p, AXIS_COLUMN, "all 16");
    assert_int_equal(p.block.block, 0);
    p = planted(&size, ANSWER_O, one_column, 5);
    assert_axis(&p, AXIS_HEAD, "all 4");
    assert_axis(&p, AXIS_COLUMN, "1 of 16: 5");
    assert_int_equal(p.block.block, 0);
    p = planted(&size, ANSWER_O, first_rows, 16);
    assert_axis(&p, AXIS_ROW, "4 of 64: 0 16 32 48");
    p = planted(&size, ANSWER_LSE, from_a_row, 48);
    assert_axis(&p, AXIS_ROW, "16 of 64: 48-63");
    assert_axis(&p, AXIS_COLUMN, "all 1");
    p = planted(&size, ANSWER_O, first_rows, 4); /* more than can be listed */
    assert_axis(&p, AXIS_ROW, "16 of 64: 0 4 8 12 16 20 24 28 ...");
    char text[12];
    axis_describe(&p.axis[AXIS_ROW], text, sizeof text);
    assert_string_equal(text, "16 of 64...");
}

/* Nothing here has to do with blocks, however regular it is. */
static void shapes_without_blocks_name_none(void **state)
{
    (void)state;
    for (size_t L = 1; L <= 130; L += 3) {
        const Sizes size = {1, 2, L, 2, 0};
        for (size_t from = 0; from <= L; from += 5) {
            Pattern p = planted(&size, ANSWER_O, from_a_row, from);
            assert_int_equal(p.block.block, 0);
        }
        Pattern p = planted(&size, ANSWER_P, the_diagonal, 0);
        assert_int_equal(p.block.block, 0);
        p = planted(&size, ANSWER_DVC, everything, L);
        assert_int_equal(p.block.block, 0);
        assert_int_equal(p.bad, p.judged);
    }
}

/* A draw of rows names a block with probability CHANCE_SUSPECT at most: so do no more of n draws than a
 * Poisson variable of that mean reaches with probability 1e-6; a trend draws late rows more often. */
static void chance_seldom_names_a_block(void **state)
{
    const size_t draws = repetitions(2000), L = 96;
    const Sizes size = {1, 1, L, 1, 0};
    double z[96];
    size_t named = 0;
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    (void)state;
    gsl_rng_set(rng, 20250929);
    for (size_t k = 0; k < draws; k++) {
        double share = gsl_rng_uniform(rng);
        for (size_t i = 0; i < L; i++) {
            double trend = k % 2 ? 1 : 2 * (double)i / (double)L;
            z[i] = gsl_rng_uniform(rng) < share * trend ? BAD : 0;
        }
        named += pattern_of(&size, ANSWER_LSE, z, L, THRESHOLD).block.block > 0;
    }
    gsl_rng_free(rng);
    double mean = CHANCE_SUSPECT * (double)draws;
    print_message("%zu of %zu draws name a block\n", named, draws);
    assert_true((double)named <= mean + 6 + 5 * sqrt(mean));
}

/* The tail of the hypergeometric law, counted out: of all ways to draw 3 of 8 places. */
static void the_chance_is_that_of_counting(void **state)
{
    const Sizes size = {1, 1, 8, 1, 0};
    (void)state;
    double z[8] = {BAD, 1, 1, 1, BAD, 1, 1, 1};
    size_t as_many = 0, ways = 0;
    for (size_t i = 0; i < 8; i++)
        for (size_t j = 0; j < i; j++) {
            ways++;
            as_many += i % 4 == 0 && j % 4 == 0;
        }
    Pattern p = pattern_of(&size, ANSWER_LSE, z, 8, THRESHOLD);
    assert_int_equal(p.block.block, 0); /* 1 in 28 */
    assert_int_equal(ways, 28);
    assert_int_equal(as_many, 1);
    /* all four first places of 4 in 16, one way of 1820, is the least chance of 1820 draws; of 64 it is named */
    const Sizes longer = {1, 1, 64, 1, 0};
    p = planted(&longer, ANSWER_LSE, first_rows, 16);
    double expected = 1 / (64.0 * 63 * 62 * 61 / 24);
    assert_true(fabs(p.block.chance - expected) < 1e-12 * expected);
    assert_int_equal(p.block.there, 4);
    assert_int_equal(p.block.edges, 4);
    assert_int_equal(p.block.elsewhere, 0);
    assert_int_equal(p.block.others, 60);
}

static void what_is_not_judged_is_left_out(void **state)
{
    const Sizes size = {1, 1, 4, 3, 0};
    double z[12] = {NAN, NAN, NAN, 1, NAN, BAD, 1, 1, INFINITY, 1, NAN, 1};
    (void)state;
    Pattern p = pattern_of(&size, ANSWER_O, z, 12, THRESHOLD);
    assert_int_equal(p.judged, 7);
    assert_int_equal(p.bad, 2);
    assert_axis(&p, AXIS_ROW, "2 of 3: 1-2");
    assert_axis(&p, AXIS_COLUMN, "1 of 3: 2");
}

static void clauses_read_well(void **state)
{
    const Sizes size = {1, 1, 100, 2, 0};
    char text[160];
    (void)state;
    Pattern p = planted(&size, ANSWER_O, first_rows, 16);
    block_describe(&p.block, text, sizeof text);
    assert_string_equal(
        text, "of the first rows of blocks of 16 7 of 7 are wrong; of the others 0 of 93");
    p = planted(&size, ANSWER_SC, diagonal_blocks, 16);
    block_describe(&p.block, text, sizeof text);
    assert_string_equal(text, "next to the diagonal, between its blocks of 16, 6 of 6 are right; "
                              "within them 0 of 93");
    p = planted(&size, ANSWER_O, every_second_block, 8);
    block_describe(&p.block, text, sizeof text);
    assert_string_equal(text,
                        "rows turn wrong or right again at multiples of 8: 12 times, else 0 times");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planted_blocks_are_named),
        cmocka_unit_test(rows_columns_and_heads_are_listed),
        cmocka_unit_test(shapes_without_blocks_name_none),
        cmocka_unit_test(chance_seldom_names_a_block),
        cmocka_unit_test(the_chance_is_that_of_counting),
        cmocka_unit_test(what_is_not_judged_is_left_out),
        cmocka_unit_test(clauses_read_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
