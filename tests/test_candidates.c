/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The arithmetics that are tried: their order, and that no two are the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "candidates.h"

#include <string.h>

static const NumberType types[] = {TYPE_F64, TYPE_F32, TYPE_BF16, TYPE_F16};

static Sites sites(bool gradients, bool layer)
{
    bool answered[ANSWERS] = {false};
    answered[layer ? ANSWER_Y : ANSWER_O] = true;
    answered[layer ? ANSWER_DX : ANSWER_DQU] = gradients;
    return sites_for(answered, layer);
}

static void for_all(void (*check)(const Candidates *))
{
    for (size_t k = 0; k < 16; k++) {
        Sites s = sites(k & 1, k & 2);
        Candidates c = candidates_for(types[k / 4], &s);
        check(&c);
        candidates_free(&c);
    }
}

static void is_in_order(const Candidates *c)
{
    assert_true(arithmetic_within(&c->at[0].arithmetic, &c->expected));
    bool beyond = false; /* what the answers' type suggests */
    for (size_t i = 0; i < c->count; i++) {
        bool within = arithmetic_within(&c->at[i].arithmetic, &c->expected);
        assert_false(beyond && within);
        beyond = !within;
    }
    for (size_t i = 0; i < c->count; i++)
        for (size_t j = 0; j < c->count; j++) {
            const Arithmetic *a = &c->at[i].arithmetic, *b = &c->at[j].arithmetic;
            assert_true(i == j || !(arithmetic_within(a, b) && arithmetic_within(b, a)));
            if (arithmetic_within(a, b) && c->at[i].class > c->at[j].class)
                fail_msg("%s, more accurate than %s, is tried after it", a->name, b->name);
            assert_true(i >= j || c->at[i].class <= c->at[j].class);
        }
}

static void the_more_accurate_is_tried_first(void **state)
{
    (void)state;
    for_all(is_in_order);
}

static void has_words(const Candidates *c)
{
    for (size_t i = 0; i < c->count; i++)
        for (size_t j = 0; j < i; j++) {
            assert_true(*c->at[i].words);
            if (strcmp(c->at[i].words, c->at[j].words) == 0)
                fail_msg("%s and %s are both \"%s\"", c->at[i].arithmetic.name,
                         c->at[j].arithmetic.name, c->at[i].words);
        }
}

static void each_has_words_of_its_own(void **state)
{
    (void)state;
    for_all(has_words);
}

static bool holds(const Candidates *c, const char *declaration)
{
    for (size_t k = 0; k < c->count; k++)
        if (strcmp(c->at[k].arithmetic.name, declaration) == 0)
            return true;
    return false;
}

static void gradients_are_rounded_only_where_they_are_answered(void **state)
{
    (void)state;
    Sites with = sites(true, false), without = sites(false, false);
    Candidates c = candidates_for(TYPE_F32, &with), d = candidates_for(TYPE_F32, &without);
    assert_true(holds(&c, "float32,ds=bfloat16"));
    assert_true(holds(&c, "float32,lse=bfloat16"));
    assert_false(holds(&d, "float32,ds=bfloat16"));
    assert_false(holds(&d, "float32,lse=bfloat16"));
    assert_true(holds(&d, "float32,p=bfloat16"));
    assert_true(holds(&d, "tf32"));
    candidates_free(&c);
    candidates_free(&d);
}

/* An answer that a file keeps in 16 bits is rounded in each candidate; the presets of 16 bits are expected. */
static void what_is_stored_is_rounded_everywhere(void **state)
{
    Sites s = sites(false, false);
    (void)state;
    s.stored[STAGE_O] = &BFLOAT16;
    Candidates c = candidates_for(TYPE_BF16, &s);
    for (size_t k = 0; k < c.count; k++)
        assert_true(c.at[k].arithmetic.site[STAGE_O]->precision <= 8);
    assert_true(arithmetic_within(&c.at[0].arithmetic, &c.expected));
    assert_string_equal(c.at[0].arithmetic.name, "float32");
    assert_string_equal(c.expected.name, "bfloat16");
    assert_false(holds(&c, "tf32"));
    candidates_free(&c);
}

static void within_means_in_every_quantity(void **state)
{
    static const struct {
        const char *a, *b;
        bool within;
    } pairs[] = {
        {"float32", "float32", true},
        {"float64", "float32", true},
        {"float32", "float64", false},
        {"float32", "tf32", true},
        {"tf32", "bfloat16", true},
        {"tf32", "float16", true},
        {"float16", "tf32", false},
        {"float16", "bfloat16", false}, /* float16 overflows first */
        {"float32,p=tf32", "tf32", true},
        {"float32,su=tf32", "tf32", false},
        {"float32,p=bfloat16", "float32,g=bfloat16", false},
        {"float32,p=float64", "float32", true}, /* no better than its accumulators */
        {"float32", "float32,p=float64", true},
    };
    (void)state;
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
        Arithmetic a, b;
        char why[300];
        assert_true(arithmetic_parse(&a, pairs[k].a, why, sizeof why));
        assert_true(arithmetic_parse(&b, pairs[k].b, why, sizeof why));
        if (arithmetic_within(&a, &b) != pairs[k].within)
            fail_msg("%s within %s: expected %d", pairs[k].a, pairs[k].b, pairs[k].within);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_more_accurate_is_tried_first),
        cmocka_unit_test(each_has_words_of_its_own),
        cmocka_unit_test(gradients_are_rounded_only_where_they_are_answered),
        cmocka_unit_test(what_is_stored_is_rounded_everywhere),
        cmocka_unit_test(within_means_in_every_quantity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
