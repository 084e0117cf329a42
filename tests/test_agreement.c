/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The comparisons behind `castle verify` must be able to fail: each is shown something to find. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agreement.h"
#include "decode.h"
#include "random_problem.h"
#include "rounding_bounds.h"
#include "sequential.h"
#include "solve.h"

#include <math.h>

static void the_chance_of_an_unnoticed_difference_is_counted(void **state)
{
    (void)state;
    const LayerProblem layer = {.batch = 2, .heads = 3, .width = 4};
    Problem p = {.length = 5, .dim = 2, .window = NO_WINDOW};
    FieldAgreement r = agree_in_field(FORWARD, &p, 9);
    /* O and lse four times, 5 x 2 and 5; U three times, 5 x 2; SU twice, 5 x 5; degree 4 each */
    assert_int_equal(r.compared, 4 * (10 + 5) + 3 * 10 + 2 * 25);
    assert_int_equal(r.different, 0);
    assert_true(r.chance == 4 * 140 / (double)((UINT64_C(1) << 61) - 1));
    p.layer = &layer;
    r = agree_in_field(LAYERS, &p, 9);
    /* Y twice and dX, 10 x 4; seven weights of 6 x 4 */
    assert_int_equal(r.compared, 3 * 40 + 7 * 24);
    assert_int_equal(r.different, 0);
    assert_true(r.chance == 29 * 288 / (double)((UINT64_C(1) << 61) - 1));
    p.layer = NULL;
    r = agree_in_field(GRADIENTS, &p, 9);
    assert_int_equal(r.compared, 2 * 6 * 10); /* two ways of taking D back, six gradients */
    assert_int_equal(r.different, 0);
}

/* Half a precision is not enough to pass for the whole: the bounds at 53 bits find errors of 40. */
static void a_coarser_precision_does_not_pass_for_a_finer_one(void **state)
{
    (void)state;
    RandomProblem r = random_problem(PLAIN, 10, 3, NO_WINDOW, &BFLOAT16, 1);
    RoundingBounds bounds = rounding_bounds(&r.problem, 53);
    System *coarse = mpfr_system(40), *fine = mpfr_system(200);
    Head a = problem_head(&r.problem, coarse), b = problem_head(&r.problem, fine);
    Answers x = answers_for(&a), y = answers_for(&b);
    sequential(&a, &x);
    sequential(&b, &y);
    size_t past = 0;
    mpfr_t difference;
    mpfr_init2(difference, 200);
    for (size_t i = 0; i < 10; i++)
        for (size_t j = 0; j < 3; j++) {
            mpfr_sub(difference, entry(x.O, i, j), entry(y.O, i, j), MPFR_RNDN);
            double log2_difference = mpfr_zero_p(difference)
                                         ? -INFINITY
                                         : log2(fabs(mpfr_get_d(difference, MPFR_RNDN)));
            past += log2_difference > log2_rounding_bound(&bounds, ANSWER_O, i, j);
        }
    mpfr_clear(difference);
    assert_true(past > 0);
    rounding_bounds_end(&bounds);
    system_free(coarse);
    system_free(fine);
    random_problem_free(&r);
}

/* Scores past float's range are reported as such, and are no agreement. */
static void scores_out_of_range_are_reported(void **state)
{
    (void)state;
    const double big[] = {100, 200, 300}, one[] = {1, 1, 1};
    Problem p = {.length = 3,
                 .dim = 1,
                 .window = NO_WINDOW,
                 .scale = 1,
                 .input = {one, one, one, big, one, one}};
    assert_false(agree_in_f32(FORWARD, &p).in_range);
    assert_true(agree_in_mpfr(FORWARD, &p, 64).in_range);
}

/* Radii and differences fall by 2^-p: from 64 to 256 bits by 192 powers of two, give or take the few
 * that rounding luck moves (at most the bits a ball loses, 20 here, by the 64-bit radius itself). */
static void radii_fall_with_the_precision(void **state)
{
    (void)state;
    RandomProblem r = random_problem(PLAIN, 12, 4, 5, &BFLOAT16, 2);
    BallAgreement coarse = agree_in_balls(FORWARD, &r.problem, 64),
                  fine = agree_in_balls(FORWARD, &r.problem, 256);
    assert_int_equal(coarse.disjoint + fine.disjoint, 0);
    assert_true(coarse.log2_radius < -64 + 20);
    assert_true(fine.log2_radius < -256 + 20);
    random_problem_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chance_of_an_unnoticed_difference_is_counted),
        cmocka_unit_test(a_coarser_precision_does_not_pass_for_a_finer_one),
        cmocka_unit_test(scores_out_of_range_are_reported),
        cmocka_unit_test(radii_fall_with_the_precision),
    };
    return cmocka_run_group_tests_name("agreement", tests, NULL, NULL);
}
