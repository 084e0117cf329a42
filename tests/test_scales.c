/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "random_problem.h"
#include "task_support.h"
#include "scales.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

static Arithmetic arithmetic_named(const char *text)
{
    Arithmetic a;
    char why[200];
    assert_true(arithmetic_parse(&a, text, why, sizeof why));
    return a;
}

/* The same bytes whatever the number of threads. */
static void scales_do_not_depend_on_threads(void **state)
{
    (void)state;
    RandomProblem r = random_problem(PLAIN, 30, 8, NO_WINDOW, &BINARY32, 1);
    Arithmetic a = arithmetic_named("bfloat16");
    Oracle *o = oracle(&r.problem, false, false);
    Scales *s[2];
    for (int n = 0; n < 2; n++) {
        omp_set_num_threads(n + 1);
        s[n] = error_scales(&r.problem, &a, o, 7);
    }
    for (Answer k = 0; k < FORWARD_ANSWERS; k++) {
        assert_memory_equal(s[0]->sigma[k], s[1]->sigma[k],
                            30 * answer_columns(k, 8) * sizeof(double));
        assert_memory_equal(s[0]->bound[k], s[1]->bound[k],
                            30 * answer_columns(k, 8) * sizeof(double));
    }
    scales_free(s[0]);
    scales_free(s[1]);
    oracle_free(o);
    random_problem_free(&r);
}

/* o is linear in VC: so is its sigma, also where squares of errors would be 0 or infinite. */
static void sigma_of_tiny_and_huge_answers_is_as_of_others(void **state)
{
    enum { L = 12, D = 4 };
    static const int powers[] = {0, -560, -900, 900};
    Arithmetic a = arithmetic_named("float64");
    double sigma[L * D];
    (void)state;
    for (size_t n = 0; n < 4; n++) {
        RandomProblem r = random_problem(PLAIN, L, D, NO_WINDOW, &BINARY64, 3);
        double VC[L * D];
        for (size_t k = 0; k < L * D; k++)
            VC[k] = ldexp(r.problem.input[INPUT_VC][k], powers[n]);
        r.problem.input[INPUT_VC] = VC;
        Oracle *o = oracle(&r.problem, false, false);
        Scales *s = error_sigmas(&r.problem, &a, o, 7);
        for (size_t k = 0; k < L * D; k++) {
            double here = ldexp(s->sigma[ANSWER_O][k], -powers[n]);
            if (n == 0)
                sigma[k] = here;
            if (here != sigma[k] || (k >= D && !(here > 0)))
                fail_msg("VC times 2^%d: sigma of o[%zu] is %a of it, at 1 it is %a", powers[n], k,
                         here, sigma[k]);
        }
        scales_free(s);
        oracle_free(o);
        random_problem_free(&r);
    }
}

static void sigma_has_three_significant_bits(void **state)
{
    (void)state;
    RandomProblem r = random_problem(PLAIN, 30, 8, NO_WINDOW, &BINARY32, 2);
    Arithmetic a = arithmetic_named("float32");
    Oracle *o = oracle(&r.problem, false, false);
    Scales *s = error_scales(&r.problem, &a, o, 7);
    for (Answer k = 0; k < FORWARD_ANSWERS; k++)
        for (size_t i = 0; i < 30 * answer_columns(k, 8); i++) {
            int e;
            double m = ldexp(frexp(s->sigma[k][i], &e), 3);
            assert_true(m == floor(m));
        }
    scales_free(s);
    oracle_free(o);
    random_problem_free(&r);
}

/* A structural zero has neither sigma nor bound: nothing but 0 will do. */
static void last_lookahead_key_has_no_error_scale(void **state)
{
    (void)state;
    RandomProblem r = random_problem(DRIFT, 12, 4, NO_WINDOW, &BINARY32, 3);
    Arithmetic a = arithmetic_named("bfloat16");
    Oracle *o = oracle(&r.problem, false, false);
    Scales *s = error_scales(&r.problem, &a, o, 7);
    assert_true(s->sigma[ANSWER_U][11 * 4] == 0 && s->sigma[ANSWER_U][10 * 4] > 0);
    for (size_t k = 0; k < 4; k++)
        assert_true(s->bound[ANSWER_U][11 * 4 + k] == 0);
    scales_free(s);
    oracle_free(o);
    random_problem_free(&r);
}

/* sigma is proportional to the unit roundoff: float64's is float32's times 2^-29. The same seed draws
 * the same perturbations, so only terms of second order and the rounding to 3 bits separate them. */
static void sigma_is_linear_in_the_unit_roundoff(void **state)
{
    (void)state;
    RandomProblem r = random_problem(PLAIN, 20, 4, NO_WINDOW, &BFLOAT16, 4);
    Arithmetic single = arithmetic_named("float32"), twice = arithmetic_named("float64");
    Oracle *o = oracle(&r.problem, false, false);
    Scales *s = error_scales(&r.problem, &single, o, 7),
           *d = error_scales(&r.problem, &twice, o, 7);
    for (Answer k = 0; k < FORWARD_ANSWERS; k++)
        for (size_t i = 0; i < 20 * answer_columns(k, 4); i++) {
            double ratio = s->sigma[k][i] == 0 ? 1 : ldexp(s->sigma[k][i], -29) / d->sigma[k][i];
            /* neighbours among numbers of 3 bits are at most 5/4 apart */
            if (!(ratio >= 0.8 && ratio <= 1.25)) {
                print_error("%s element %zu: %g against %g\n", answer_name(k), i, s->sigma[k][i],
                            d->sigma[k][i]);
                fail();
            }
        }
    scales_free(s);
    scales_free(d);
    oracle_free(o);
    random_problem_free(&r);
}

/* sigma never exceeds what the worst case allows for the row: it is a rms of admissible errors, save
 * for the rounding up to 3 bits (5/4), and noise of uniform law has rms bound / sqrt(3). */
static void sigma_is_below_the_worst_case(void **state)
{
    (void)state;
    static const char *const names[] = {"float64", "float32", "tf32", "bfloat16", "float16"};
    for (size_t n = 0; n < 5; n++)
        for (Family f = 0; f < FAMILIES; f++) {
            RandomProblem r = random_problem(f, 16, 4, NO_WINDOW, &BFLOAT16, f);
            Arithmetic a = arithmetic_named(names[n]);
            Oracle *o = oracle(&r.problem, false, false);
            Scales *s = error_scales(&r.problem, &a, o, 7);
            for (Answer k = 0; k < FORWARD_ANSWERS; k++)
                for (size_t i = 0; i < 16; i++) {
                    size_t cols = answer_columns(k, 4);
                    double most = 0, sigma = s->sigma[k][i * cols];
                    for (size_t j = 0; j < cols; j++) {
                        assert_true(s->sigma[k][i * cols + j] == sigma); /* one for the row */
                        most = fmax(most, s->bound[k][i * cols + j]);
                    }
                    if (sigma > 1.25 * most) {
                        print_error("%s %s %s row %zu: sigma %g bound %g\n", names[n],
                                    family_name(f), answer_name(k), i, sigma, most);
                        fail();
                    }
                }
            scales_free(s);
            oracle_free(o);
            random_problem_free(&r);
        }
}

/* Where one weight of a row is large, its error is its own: pooled with 47 specks it would pass for
 * sqrt(48) sigma. Rounding p to bfloat16 perturbs it uniformly within 2^-8 p; half the standard
 * deviation of that, 2^-8 p / sqrt(3), 32 runs do not undercut (chance below 1e-9, chi-squared). */
static void a_large_weight_has_its_own_sigma(void **state)
{
    enum { L = 48 };
    (void)state;
    RandomProblem r = random_problem(LARGE_SCORES, L, 8, NO_WINDOW, &BINARY32, 5);
    r.problem.stages = true;
    Arithmetic a = arithmetic_named("bfloat16");
    Oracle *o = oracle(&r.problem, false, false);
    Scales *s = error_scales(&r.problem, &a, o, 7);
    const double *p = o->truth[ANSWER_P].value, *sigma = s->sigma[ANSWER_P];
    size_t large = 0;
    for (size_t t = 1; t < L; t++)
        for (size_t k = 0; k < L; k++) {
            size_t at = t * L + k;
            assert_int_equal(sigma[at] == 0, k > t); /* masked */
            if (p[at] > 0.5) {
                assert_true(sigma[at] > 0x1p-8 * p[at] / sqrt(3) / 2);
                large++;
            }
        }
    assert_true(large > L / 4);
    scales_free(s);
    oracle_free(o);
    random_problem_free(&r);
}

/* The heads of a layer lie side by side in a row of dW, and do not lend each other their errors. */
static void every_head_of_a_weight_has_its_own_sigma(void **state)
{
    enum { DM = 4, D = 3, HEADS = 2 };
    const Sizes size = {1, HEADS, 6, D, DM};
    (void)state;
    Task t = random_task(&size, "float32", 6);
    for (size_t k = 0; k < DM * HEADS * D; k++)
        if (k / D % HEADS == 1) /* head 1's output, and all that follows, is small */
            t.layer_input[LAYER_WVC][k] *= 0x1p-20;
    Problem p = task_problem(&t, 0);
    Oracle *o = oracle(&p, false, false);
    Scales *s = error_scales(&p, &t.arithmetic, o, 7);
    for (size_t i = 0; i < DM; i++) {
        const double *sigma = s->sigma[ANSWER_DWKC] + i * HEADS * D;
        assert_true(sigma[0] > 0x1p10 * sigma[D]);
        for (size_t j = 0; j < HEADS * D; j++)
            assert_true(sigma[j] == sigma[j / D * D]);
    }
    scales_free(s);
    oracle_free(o);
    task_free(&t);
}

static void threshold_is_the_quantile_it_claims_to_be(void **state)
{
    (void)state;
    for (size_t n = 1; n < 10000000; n *= 7)
        for (double chance = 1e-3; chance > 1e-10; chance *= 1e-3) {
            double z = score_threshold(n, chance);
            double back = 2 * (double)n * gsl_cdf_tdist_Q(z, SCALE_RUNS);
            assert_true(fabs(back / chance - 1) < 0x1p-20); /* GSL's root finder's own accuracy */
            assert_true(z > gsl_cdf_ugaussian_Qinv(chance / (2 * (double)n)));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scales_do_not_depend_on_threads),
        cmocka_unit_test(sigma_of_tiny_and_huge_answers_is_as_of_others),
        cmocka_unit_test(sigma_has_three_significant_bits),
        cmocka_unit_test(last_lookahead_key_has_no_error_scale),
        cmocka_unit_test(sigma_is_linear_in_the_unit_roundoff),
        cmocka_unit_test(sigma_is_below_the_worst_case),
        cmocka_unit_test(a_large_weight_has_its_own_sigma),
        cmocka_unit_test(every_head_of_a_weight_has_its_own_sigma),
        cmocka_unit_test(threshold_is_the_quantile_it_claims_to_be),
    };
    return cmocka_run_group_tests_name("scales", tests, NULL, NULL);
}
