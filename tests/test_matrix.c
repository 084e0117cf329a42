/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The laws of the matrix interface: bands, products, sums and maps, entry by entry. What is about
 * which entries take part is tested in the field of 2^61 - 1 elements against plain arrays with
 * absent entries as 0: there is no rounding, and a formula that is wrong agrees by chance with
 * probability about 2^-60.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ball.h"
#include "matrix_support.h"

__extension__ typedef unsigned __int128 Wide;

static uint64_t plus(uint64_t a, uint64_t b) { return (a + b) % FIELD_PRIME; }
static uint64_t minus(uint64_t a, uint64_t b) { return (a + (FIELD_PRIME - b)) % FIELD_PRIME; }

static uint64_t times(uint64_t a, uint64_t b) { return (uint64_t)((Wide)a * b % FIELD_PRIME); }

/* ---- bands ---------------------------------------------------------------------------------- */

enum { LARGEST = 4, BANDS = 64 };

/* Every different band of a rows x cols matrix. A limit at the matrix's edge is written in turn as
 * that, as one beyond, and as infinity: they mean the same. The last two bands are empty. */
static size_t all_bands(size_t rows, size_t cols, Band *bands)
{
    ptrdiff_t first = rows ? 1 - (ptrdiff_t)rows : 0, last = cols ? (ptrdiff_t)cols - 1 : 0;
    const ptrdiff_t beyond[] = {0, 1, BAND_FAR};
    size_t n = 0;
    for (ptrdiff_t lo = first; lo <= last; lo++)
        for (ptrdiff_t hi = lo; hi <= last; hi++, n++) {
            bands[n] = (Band){lo, hi};
            if (lo == first)
                bands[n].lo = n % 3 == 2 ? -BAND_FAR : first - beyond[n % 3];
            if (hi == last)
                bands[n].hi = n / 3 % 3 == 2 ? BAND_FAR : last + beyond[n / 3 % 3];
        }
    bands[n++] = (Band){1, 0};
    bands[n++] = (Band){3, -3};
    return n;
}

/* What is stored, and what counts as present: nothing outside the mask. */
static void check_product(const char *what, Matrix A, Matrix B, Band mask, Matrix C,
                          const uint64_t *dense)
{
    for (size_t i = 0; i < C.rows; i++) {
        Range present = row_range(C, i);
        for (size_t j = 0; j < C.cols; j++) {
            uint64_t expected = allows(mask, i, j) ? dense[i * C.cols + j] : 0;
            if (at(C, i, j) != expected)
                words_differ(what, A, B, mask, i, j, at(C, i, j), expected);
            if (in_range(present, j) && !allows(mask, i, j))
                words_differ("presence in a product", A, B, mask, i, j, 1, 0);
            if (expected && !in_range(present, j))
                words_differ("presence in a product", A, B, mask, i, j, 0, 1);
        }
    }
}

static void dense_product(const Kind *kind, Matrix A, Matrix B, size_t m, size_t inner, size_t n,
                          uint64_t *dense)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            uint64_t sum = 0;
            for (size_t k = 0; k < inner; k++)
                sum = plus(sum, times(kind->a_transposed ? at(A, k, i) : at(A, i, k),
                                      kind->b_transposed ? at(B, j, k) : at(B, k, j)));
            dense[i * n + j] = sum;
        }
}

static Matrix random_operand(System *in, bool turned, size_t m, size_t n, Band band,
                             uint64_t *state)
{
    return turned ? random_banded(in, n, m, band, state) : random_banded(in, m, n, band, state);
}

static void every_product(System *in, const Kind *kind, size_t m, size_t inner, size_t n,
                          uint64_t *state, size_t step)
{
    Band a[BANDS], b[BANDS], masks[BANDS];
    size_t turn = 0, mask_count = all_bands(m, n, masks);
    size_t a_count = kind->a_transposed ? all_bands(inner, m, a) : all_bands(m, inner, a);
    size_t b_count = kind->b_transposed ? all_bands(n, inner, b) : all_bands(inner, n, b);
    for (size_t x = 0; x < a_count; x++)
        for (size_t y = 0; y < b_count; y++) {
            Scope scope = scope_open(in);
            uint64_t dense[LARGEST * LARGEST];
            Matrix A = random_operand(in, kind->a_transposed, m, inner, a[x], state);
            Matrix B = random_operand(in, kind->b_transposed, inner, n, b[y], state);
            dense_product(kind, A, B, m, inner, n, dense);
            for (size_t z = 0; z < mask_count; z++, turn++) {
                if (turn % step)
                    continue;
                Scope inside = scope_open(in);
                Matrix C = kind->multiply(A, B, masks[z]);
                assert_int_equal(C.rows, m);
                assert_int_equal(C.cols, n);
                check_product(kind->name, A, B, masks[z], C, dense);
                scope_close(in, inside);
            }
            scope_close(in, scope);
        }
}

static void product_with_bands_is_dense_product_of_zeros(void **unused)
{
    (void)unused;
    System *in = field_system(1);
    uint64_t state = 1;
    size_t step = asked_for("CASTLE_TEST_SHORT") ? 61 : 1;
    for (size_t m = 0; m <= LARGEST; m++)
        for (size_t inner = 0; inner <= LARGEST; inner++)
            for (size_t n = 0; n <= LARGEST; n++)
                for (size_t k = 0; k < KINDS; k++)
                    every_product(in, &kinds[k], m, inner, n, &state, step);
    system_free(in);
}

/* Large enough for several threads. */
static void larger_products_with_bands_are_dense_products_of_zeros(void **unused)
{
    (void)unused;
    System *in = field_system(1);
    gsl_rng *r = random_source(2);
    uint64_t state = 2;
    static uint64_t dense[48 * 48];
    for (long k = repetitions(60); k > 0; k--) {
        Scope scope = scope_open(in);
        size_t m = 1 + random_up_to(r, 47), inner = 1 + random_up_to(r, 47);
        size_t n = 1 + random_up_to(r, 47);
        const Kind *kind = &kinds[k % KINDS];
        Band a = random_band(r, m, inner), b = random_band(r, inner, n);
        Matrix A = random_operand(in, kind->a_transposed, m, inner, a, &state);
        Matrix B = random_operand(in, kind->b_transposed, inner, n, b, &state);
        Band mask = random_band(r, m, n);
        dense_product(kind, A, B, m, inner, n, dense);
        check_product(kind->name, A, B, mask, kind->multiply(A, B, mask), dense);
        scope_close(in, scope);
    }
    gsl_rng_free(r);
    system_free(in);
}

static void bands_name_the_sets_of_the_paper(void **unused)
{
    (void)unused;
    const size_t windows[] = {0, 1, 2, 5, 1000, (size_t)BAND_FAR / 2 + 1, NO_WINDOW, SIZE_MAX};
    for (size_t w = 0; w < sizeof windows / sizeof *windows; w++)
        for (size_t s = 0; s < 8; s++)
            for (size_t j = 0; j < 8; j++) {
                bool allowed = s < j && j - s <= windows[w];
                assert_int_equal(allows(lookahead(windows[w]), s, j), allowed);
                assert_int_equal(allows(CAUSAL, s, j), j <= s);
                assert_true(allows(EVERYWHERE, s, j));
            }
}

/* A block sees the band of the whole, and has an entry in it or not. */
static void a_block_sees_the_band_of_the_whole(void **unused)
{
    (void)unused;
    enum { WHOLE = 7 };
    Band bands[BANDS];
    size_t count = all_bands(WHOLE / 2, WHOLE / 2 + 1, bands);
    for (size_t b = 0; b < count; b++)
        for (size_t row0 = 0; row0 < WHOLE; row0++)
            for (size_t col0 = 0; col0 < WHOLE; col0++)
                for (size_t m = 0; m + row0 <= WHOLE; m++)
                    for (size_t n = 0; n + col0 <= WHOLE; n++) {
                        Band seen = seen_from(bands[b], row0, col0);
                        bool any = false;
                        for (size_t i = 0; i < m; i++)
                            for (size_t j = 0; j < n; j++) {
                                bool here = allows(bands[b], row0 + i, col0 + j);
                                assert_int_equal(allows(seen, i, j), here);
                                any = any || here;
                            }
                        if (m > 0 && n > 0)
                            assert_int_equal(band_meets(seen, m, n), any);
                    }
}

/* Rows and columns name the same present pairs, and those are the band's. */
static void ranges_hold_what_the_band_holds(void **unused)
{
    (void)unused;
    System *in = field_system(1);
    for (size_t m = 0; m <= LARGEST; m++)
        for (size_t n = 0; n <= LARGEST; n++) {
            Band bands[BANDS];
            size_t count = all_bands(m, n, bands);
            Matrix A = matrix(in, m, n);
            for (size_t b = 0; b < count; b++) {
                A.band = bands[b];
                for (size_t i = 0; i < m; i++)
                    for (size_t j = 0; j < n; j++) {
                        assert_int_equal(in_range(row_range(A, i), j), allows(bands[b], i, j));
                        assert_int_equal(in_range(column_range(A, j), i), allows(bands[b], i, j));
                    }
            }
        }
    system_free(in);
}

/* ---- entry by entry, and rows --------------------------------------------------------------- */

static void every_sum(System *in, size_t m, size_t n, uint64_t *state)
{
    Band bands[BANDS];
    size_t count = all_bands(m, n, bands);
    for (size_t x = 0; x < count; x++)
        for (size_t y = 0; y < count; y++) {
            Scope scope = scope_open(in);
            Matrix A = random_banded(in, m, n, bands[x], state);
            Matrix B = random_banded(in, m, n, bands[y], state);
            Matrix plain = add(A, B), difference = subtract(A, B), both = hadamard(A, B);
            Matrix dots = row_dot(A, B);
            for (size_t i = 0; i < m; i++) {
                uint64_t dot = 0;
                for (size_t j = 0; j < n; j++) {
                    uint64_t a = at(A, i, j), b = at(B, i, j);
                    dot = plus(dot, times(a, b));
                    if (at(both, i, j) != times(a, b))
                        words_differ("hadamard", A, B, EVERYWHERE, i, j, at(both, i, j),
                                     times(a, b));
                    bool here = allows(bands[x], i, j) && allows(bands[y], i, j);
                    if (here != in_range(row_range(both, i), j))
                        words_differ("presence in hadamard", A, B, EVERYWHERE, i, j, !here, here);
                    if (at(plain, i, j) != plus(a, b))
                        words_differ("add", A, B, EVERYWHERE, i, j, at(plain, i, j), plus(a, b));
                    if (at(difference, i, j) != minus(a, b))
                        words_differ("subtract", A, B, EVERYWHERE, i, j, at(difference, i, j),
                                     minus(a, b));
                    bool either = allows(bands[x], i, j) || allows(bands[y], i, j);
                    if (either && !in_range(row_range(plain, i), j))
                        words_differ("presence in add", A, B, EVERYWHERE, i, j, 0, 1);
                    if (either && !in_range(row_range(difference, i), j))
                        words_differ("presence in subtract", A, B, EVERYWHERE, i, j, 0, 1);
                }
                if (at(dots, i, 0) != dot)
                    words_differ("row_dot", A, B, EVERYWHERE, i, 0, at(dots, i, 0), dot);
            }
            scope_close(in, scope);
        }
}

static void sums_with_bands_are_dense_sums_of_zeros(void **unused)
{
    (void)unused;
    System *in = field_system(1);
    uint64_t state = 3;
    for (size_t m = 0; m <= LARGEST; m++)
        for (size_t n = 0; n <= LARGEST; n++)
            every_sum(in, m, n, &state);
    system_free(in);
}

/* f of one field element, by a map that knows no band. */
static uint64_t image(System *in, Function f, uint64_t x)
{
    Scope scope = scope_open(in);
    Matrix A = matrix(in, 1, 1);
    *(uint64_t *)entry(A, 0, 0) = x;
    uint64_t y = at(map(f, A), 0, 0);
    scope_close(in, scope);
    return y;
}

static void check_entrywise(System *in, Matrix A, uint64_t *state)
{
    Matrix c = field_random_matrix(in, 1, 1, state), by = field_random_matrix(in, A.rows, 1, state);
    Matrix multiple = scaled(c, A), sums = row_sum(A), quotient = row_divide(A, by);
    Matrix moved = row_shift(A, by), larger = row_scale(A, by);
    assert_true(same_band(multiple, A) && same_band(quotient, A) && same_band(moved, A));
    assert_true(same_band(larger, A));
    for (size_t i = 0; i < A.rows; i++) {
        uint64_t sum = 0;
        for (size_t j = 0; j < A.cols; j++) {
            uint64_t a = at(A, i, j);
            sum = plus(sum, a);
            uint64_t less = allows(A.band, i, j) ? minus(a, at(by, i, 0)) : 0;
            if (at(moved, i, j) != less)
                words_differ("row_shift", A, by, EVERYWHERE, i, j, at(moved, i, j), less);
            if (at(larger, i, j) != times(a, at(by, i, 0)))
                words_differ("row_scale", A, by, EVERYWHERE, i, j, at(larger, i, j),
                             times(a, at(by, i, 0)));
            if (at(multiple, i, j) != times(a, at(c, 0, 0)))
                words_differ("scaled", A, c, EVERYWHERE, i, j, at(multiple, i, j),
                             times(a, at(c, 0, 0)));
            if (times(at(quotient, i, j), at(by, i, 0)) != a)
                words_differ("row_divide, multiplied back,", A, by, EVERYWHERE, i, j,
                             times(at(quotient, i, j), at(by, i, 0)), a);
        }
        if (at(sums, i, 0) != sum)
            words_differ("row_sum", A, A, EVERYWHERE, i, 0, at(sums, i, 0), sum);
    }
}

static void check_maps(System *in, Matrix A)
{
    const Function functions[] = {SIGMOID, SILU, EXP, LOG, SILU_SLOPE, GATE_SLOPE};
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        Matrix B = map(functions[f], A);
        assert_true(same_band(A, B));
        for (size_t i = 0; i < A.rows; i++)
            for (size_t j = 0; j < A.cols; j++) {
                uint64_t expected = allows(A.band, i, j) ? image(in, functions[f], at(A, i, j)) : 0;
                if (at(B, i, j) != expected)
                    words_differ("map", A, B, EVERYWHERE, i, j, at(B, i, j), expected);
            }
    }
}

/* (7) by its definition: P_ij times the sum is exp(S_ij), and the logarithm of the field, the
 * identity, gives the sum itself. */
static void check_softmax(System *in, Matrix S)
{
    Matrix lse, weights = row_softmax(S, &lse), without = row_softmax(S, NULL);
    assert_true(same_band(weights, S));
    assert_int_equal(lse.rows, S.rows);
    assert_int_equal(lse.cols, 1);
    for (size_t i = 0; i < S.rows; i++) {
        uint64_t sum = 0;
        for (size_t j = 0; j < S.cols; j++)
            if (allows(S.band, i, j))
                sum = plus(sum, image(in, EXP, at(S, i, j)));
        if (at(lse, i, 0) != sum)
            words_differ("lse", S, lse, EVERYWHERE, i, 0, at(lse, i, 0), sum);
        for (size_t j = 0; j < S.cols; j++) {
            uint64_t expected = allows(S.band, i, j) ? image(in, EXP, at(S, i, j)) : 0;
            uint64_t got = times(at(weights, i, j), sum);
            if (got != expected || at(without, i, j) != at(weights, i, j))
                words_differ("row_softmax times its sum", S, weights, EVERYWHERE, i, j, got,
                             expected);
        }
    }
}

static void absent_entries_stay_0_and_take_no_part(void **unused)
{
    (void)unused;
    System *in = field_system(7);
    uint64_t state = 4;
    for (long k = asked_for("CASTLE_TEST_LONG") ? 20 : 1; k > 0; k--)
        for (size_t m = 0; m <= LARGEST; m++)
            for (size_t n = 0; n <= LARGEST; n++) {
                Band bands[BANDS];
                size_t count = all_bands(m, n, bands);
                for (size_t b = 0; b < count; b++) {
                    Scope scope = scope_open(in);
                    Matrix A = random_banded(in, m, n, bands[b], &state);
                    check_entrywise(in, A, &state);
                    check_maps(in, A);
                    if (every_row_has_an_entry(A))
                        check_softmax(in, A);
                    scope_close(in, scope);
                }
            }
    system_free(in);
}

/* An empty row divided by 0 divides nothing. */
static void an_empty_row_may_be_divided_by_its_sum(void **unused)
{
    (void)unused;
    System *systems[] = {field_system(1), f64_system(), mpfr_system(64), ball_system(64)};
    for (size_t s = 0; s < 4; s++) {
        Matrix A = matrix(systems[s], 3, 3);
        A.band = lookahead(NO_WINDOW); /* row 2 is empty */
        A = ones_like(A);
        Matrix B = row_divide(A, row_sum(A));
        if (s > 0) {
            for (size_t j = 0; j < 3; j++)
                assert_true(number_at(B, 2, j) == 0);
            assert_true(number_at(B, 0, 2) == 0.5 && number_at(B, 1, 2) == 1);
        }
        system_free(systems[s]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bands_name_the_sets_of_the_paper),
        cmocka_unit_test(a_block_sees_the_band_of_the_whole),
        cmocka_unit_test(ranges_hold_what_the_band_holds),
        cmocka_unit_test(product_with_bands_is_dense_product_of_zeros),
        cmocka_unit_test(larger_products_with_bands_are_dense_products_of_zeros),
        cmocka_unit_test(sums_with_bands_are_dense_sums_of_zeros),
        cmocka_unit_test(absent_entries_stay_0_and_take_no_part),
        cmocka_unit_test(an_empty_row_may_be_divided_by_its_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
