/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "random_problem.h"
#include "rounding_bounds.h"
#include "systems.h"
#include "solve.h"

#include <math.h>

/* The bound is convex in the unit roundoff u and 0 at 0: bound(u / 2) <= bound(u) / 2 at every precision
 * where it is computed, the claim on which its use beyond 53 bits rests. (2^-40 for its own rounding.) */
static void bounds_fall_at_least_as_fast_as_the_roundoff(void **state)
{
    (void)state;
    for (Family f = 0; f < FAMILIES; f++) {
        RandomProblem r = random_problem(f, 10, 3, f == DRIFT ? 4 : NO_WINDOW, &BFLOAT16, f);
        with_cotangent(&r);
        for (long p = 12; p < 53; p++) {
            RoundingBounds coarse = rounding_bounds(&r.problem, p);
            RoundingBounds fine = rounding_bounds(&r.problem, p + 1);
            for (Answer a = 0; a < HEAD_ANSWERS; a++)
                for (size_t i = 0; i < 10; i++)
                    for (size_t j = 0; j < answer_columns(a, 3); j++) {
                        double c = log2_rounding_bound(&coarse, a, i, j);
                        double d = log2_rounding_bound(&fine, a, i, j);
                        if (c < INFINITY && !(d <= c - 1 + 0x1p-40)) {
                            print_error("%s p %ld %s (%zu, %zu): 2^%.17g, then 2^%.17g\n",
                                        family_name(f), p, answer_name(a), i, j, c, d);
                            fail();
                        }
                    }
            rounding_bounds_end(&coarse);
            rounding_bounds_end(&fine);
        }
        random_problem_free(&r);
    }
}

/* Errors of MPFR at p bits, against 600 bits, are within the bound for p, also past 53 bits. */
static void errors_stay_within_the_bounds_at_every_precision(void **state)
{
    (void)state;
    static const long precisions[] = {11, 24, 53, 54, 113, 300};
    for (size_t run = 0; run < repetitions(10); run++) {
        RandomProblem r = random_problem((Family)(run % FAMILIES), 1 + run % 9, 1 + run % 3,
                                         NO_WINDOW, &BFLOAT16, run);
        with_cotangent(&r);
        System *exact = mpfr_system(600);
        Solution truth = solve(&r.problem, exact);
        mpfr_t error;
        mpfr_init2(error, 600);
        for (size_t k = 0; k < sizeof precisions / sizeof precisions[0]; k++) {
            System *in = mpfr_system(precisions[k]);
            RoundingBounds bounds = rounding_bounds(&r.problem, precisions[k]);
            Solution s = solve(&r.problem, in);
            for (Answer a = 0; a < HEAD_ANSWERS; a++)
                for (size_t i = 0; i < s.of[a].rows; i++)
                    for (size_t j = 0; j < s.of[a].cols; j++) {
                        long e;
                        mpfr_sub(error, entry(s.of[a], i, j), entry(truth.of[a], i, j), MPFR_RNDA);
                        double m = mpfr_get_d_2exp(&e, error, MPFR_RNDA);
                        double size = m == 0 ? -INFINITY : log2(fabs(m)) + (double)e;
                        /* 600 bits stand for the truth: their own dust is 2^-500 at most */
                        if (size > -500 && size > log2_rounding_bound(&bounds, a, i, j)) {
                            print_error("run %zu p %ld %s (%zu, %zu): error 2^%g, bound 2^%g\n",
                                        run, precisions[k], answer_name(a), i, j, size,
                                        log2_rounding_bound(&bounds, a, i, j));
                            fail();
                        }
                    }
            rounding_bounds_end(&bounds);
            system_free(in);
        }
        mpfr_clear(error);
        system_free(exact);
        random_problem_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_fall_at_least_as_fast_as_the_roundoff),
        cmocka_unit_test(errors_stay_within_the_bounds_at_every_precision),
    };
    return cmocka_run_group_tests_name("rounding_bounds", tests, NULL, NULL);
}
