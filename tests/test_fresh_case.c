/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fresh cases: all can be drawn, none is a golden one, and a seed stands for the same ones everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "case_support.h"
#include "fresh_case.h"
#include "vectors_support.h"

#include <math.h>

enum { SEEDS = 2, EACH = 60, ALL_TYPES = (1 << NUMBER_TYPES) - 1 };

static void every_fresh_case_can_be_drawn(void **state)
{
    size_t of[CASE_FAMILIES] = {0};
    (void)state;
    for (unsigned long seed = 0; seed < SEEDS; seed++)
        for (size_t k = 0; k < EACH; k++) {
            FreshCase fresh;
            CaseInputs in;
            Failure f;
            assert_true(fresh_case(&fresh, &built_in, ALL_TYPES, seed, k));
            const GoldenCase *c = &fresh.c;
            of[c->family]++;
            assert_in_range(c->length, 1, FRESH_MOST_TOKENS > 40 ? FRESH_MOST_TOKENS : 40);
            assert_true(c->family != FAMILY_SPECIAL || c->token < c->length);
            assert_true(!(c->kinds & (KIND_LAYER | KIND_DECODE | KIND_STAGES)));
            assert_null(cases_find(&built_in, c->id));
            if (!case_inputs(&in, c, NULL, &f))
                fail_msg("seed %lu, case %zu: %s", seed, k, f.text);
            case_inputs_free(&in);
        }
    for (CaseFamily family = 0; family < CASE_FAMILIES; family++)
        assert_true((of[family] > 0) == (family != FAMILY_TRAINED));
}

static bool same_numbers(const FreshCase *a, const FreshCase *b)
{
    CaseInputs x = {.count = 0}, y = {.count = 0};
    Failure f;
    assert_true(case_inputs(&x, &a->c, NULL, &f) && case_inputs(&y, &b->c, NULL, &f));
    const double *one = x.tensor[0].values, *two = y.tensor[0].values;
    bool same = one && two && x.tensor[0].count == y.tensor[0].count &&
                memcmp(one, two, x.tensor[0].count * sizeof(double)) == 0;
    case_inputs_free(&x);
    case_inputs_free(&y);
    return same;
}

static void seeds_stand_for_cases(void **state)
{
    (void)state;
    size_t same = 0;
    for (size_t k = 0; k < 8; k++) {
        FreshCase a, b, other;
        assert_true(fresh_case(&a, &built_in, 1U << TYPE_F32, 7, k) &&
                    fresh_case(&b, &built_in, 1U << TYPE_F32, 7, k) &&
                    fresh_case(&other, &built_in, 1U << TYPE_F32, 8, k));
        assert_int_equal(a.c.type, TYPE_F32);
        assert_string_equal(a.id, b.id);
        assert_true(same_numbers(&a, &b));
        same += same_numbers(&a, &other);
    }
    assert_int_equal(same, 0);
}

/* Golden cases have seeds below 2^19, fresh ones from there on: their streams differ. */
static void no_fresh_case_is_golden(void **state)
{
    FreshCase fresh;
    (void)state;
    for (size_t k = 0; k < built_in.count; k++)
        assert_true(built_in.at[k].seed < 1UL << 19);
    for (size_t k = 0; k < 500; k++) {
        assert_true(fresh_case(&fresh, &built_in, ALL_TYPES, 3, k));
        assert_true(fresh.c.seed >= 1UL << 19 && fresh.c.seed < 1UL << 20);
    }
    assert_false(fresh_case(&fresh, &built_in, 0, 3, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fresh_case_can_be_drawn),
        cmocka_unit_test(seeds_stand_for_cases),
        cmocka_unit_test(no_fresh_case_is_golden),
    };
    return cmocka_run_group_tests(tests, built_in_cases, drop_cases);
}
