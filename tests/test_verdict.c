/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "verdict.h"

#include <math.h>

/* One element with truth x, judged among n - 1 perfect ones. */
static Judgement among(size_t n, double x, double answered, double sigma, double bound)
{
    double value[] = {x}, tail[] = {0}, neighbour[] = {x};
    unsigned char certificate[] = {isnan(x) ? UNDEFINED : CERTIFIED};
    Truth t = {1, 1, value, tail, neighbour, certificate, false};
    Verdict v = verdict_begin(n);
    for (size_t k = 0; k < n; k++)
        verdict_add(&v, k, score_element(&t, 0, sigma, bound, k ? x : answered), k ? x : answered);
    verdict_end(&v);
    return v.judgement;
}

static void verdict_follows_the_thresholds(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 1000; n *= 10) {
        Thresholds t = thresholds_for(n);
        assert_true(t.suspect < t.wrong);
        assert_int_equal(among(n, 1, 1 + 0x1p-20 * t.suspect * 0.99, 0x1p-20, 1), RIGHT);
        assert_int_equal(among(n, 1, 1 - 0x1p-20 * t.suspect * 1.01, 0x1p-20, 1), SUSPECT);
        assert_int_equal(among(n, 1, 1 + 0x1p-20 * t.wrong * 0.99, 0x1p-20, 1), SUSPECT);
        assert_int_equal(among(n, 1, 1 - 0x1p-20 * t.wrong * 1.01, 0x1p-20, 1), WRONG);
    }
}

static void past_the_bound_is_wrong_at_any_sigma(void **state)
{
    (void)state;
    assert_int_equal(among(5, 1, 1 + 0x1p-10, 1, 0x1p-10), RIGHT);
    assert_int_equal(among(5, 1, 1 + 0x1.1p-10, 1, 0x1p-10), WRONG);
}

static void not_finite_where_the_truth_is_is_wrong(void **state)
{
    (void)state;
    assert_int_equal(among(5, 1, NAN, 1, INFINITY), WRONG);
    assert_int_equal(among(5, 1, INFINITY, 1, INFINITY), WRONG);
    assert_int_equal(among(5, 1, -INFINITY, 1, INFINITY), WRONG);
}

/* A truth past binary64's range is infinite when rounded: that answer is right, a finite one is not. */
static void a_truth_past_the_range_wants_infinity(void **state)
{
    (void)state;
    assert_int_equal(among(2, INFINITY, INFINITY, 1, INFINITY), RIGHT);
    assert_int_equal(among(2, INFINITY, 1e308, 1, INFINITY), WRONG);
    assert_int_equal(among(2, INFINITY, -INFINITY, 1, INFINITY), WRONG);
}

static void without_truth_or_scale_nothing_is_right(void **state)
{
    (void)state;
    assert_int_equal(among(3, NAN, 1, 1, 1), SUSPECT);
    assert_int_equal(among(3, NAN, NAN, 1, 1), SUSPECT);
    assert_int_equal(among(3, 1, 1, INFINITY, INFINITY), SUSPECT);
    assert_int_equal(among(3, 1, 1, NAN, INFINITY), SUSPECT);
}

static void a_structural_zero_admits_no_error(void **state)
{
    (void)state;
    assert_int_equal(among(4, 0, 0, 0, 0), RIGHT);
    assert_int_equal(among(4, 0, -0.0, 0, 0), RIGHT);
    assert_int_equal(among(4, 0, 0x1p-1074, 0, 0), WRONG);
}

static void a_tie_accepts_both_neighbours_alike(void **state)
{
    (void)state;
    double value[] = {1}, tail[] = {0x1p-53}, neighbour[] = {1 + 0x1p-52};
    unsigned char certificate[] = {TIE};
    Truth t = {1, 1, value, tail, neighbour, certificate, false};
    Score low = score_element(&t, 0, 0x1p-53, 1, 1),
          high = score_element(&t, 0, 0x1p-53, 1, 1 + 0x1p-52);
    assert_true(low.z <= 1 && high.z <= 1);
}

/* Outside a mask the truth is 0; where nobody reads what a kernel leaves there, it may be anything. */
static void outside_a_mask_only_zero_will_do_unless_nobody_reads_it(void **state)
{
    (void)state;
    double zero[] = {0};
    unsigned char certificate[] = {MASKED};
    for (int is_free = 0; is_free <= 1; is_free++) {
        Truth t = {1, 1, zero, zero, zero, certificate, is_free};
        const double answered[] = {0, -0.0, 1e-300, -INFINITY, NAN};
        for (size_t k = 0; k < sizeof answered / sizeof *answered; k++) {
            Verdict v = verdict_begin(2);
            Truth one = {1, 1, (double[]){1}, zero, (double[]){1}, (unsigned char[]){CERTIFIED}, 0};
            verdict_add(&v, 0, score_element(&one, 0, 1e-3, 1, 1), 1);
            verdict_add(&v, 1, score_element(&t, 0, 1e-3, 1, answered[k]), answered[k]);
            verdict_end(&v);
            assert_int_equal(v.judgement, is_free || answered[k] == 0 ? RIGHT : WRONG);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdict_follows_the_thresholds),
        cmocka_unit_test(past_the_bound_is_wrong_at_any_sigma),
        cmocka_unit_test(not_finite_where_the_truth_is_is_wrong),
        cmocka_unit_test(a_truth_past_the_range_wants_infinity),
        cmocka_unit_test(without_truth_or_scale_nothing_is_right),
        cmocka_unit_test(a_structural_zero_admits_no_error),
        cmocka_unit_test(a_tie_accepts_both_neighbours_alike),
        cmocka_unit_test(outside_a_mask_only_zero_will_do_unless_nobody_reads_it),
    };
    return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
