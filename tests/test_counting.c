/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What every algorithm costs: the counting system against the formulas of proofs/complexity.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backward_blockwise.h"
#include "blockwise.h"
#include "complexity.h"
#include "decode.h"
#include "parallel.h"
#include "prefill.h"
#include "random_problem.h"
#include "sequential.h"

#include <gsl/gsl_fit.h>
#include <math.h>

static void must_equal(const char *form, Shape s, const char *what, uint64_t got, uint64_t expected)
{
    if (got == expected)
        return;
    print_error("%s, L %llu d %llu W %lld B %llu: %llu %s, formula %llu\n", form,
                (unsigned long long)s.L, (unsigned long long)s.d,
                s.W == NO_WINDOW ? -1LL : (long long)s.W, (unsigned long long)s.B,
                (unsigned long long)got, what, (unsigned long long)expected);
    fail();
}

static void counts_must_equal(const char *form, Shape s, Counts got, Counts expected)
{
    static const char *const functions[] = {"sigmoids", "SiLUs",       "exps",
                                            "logs",     "SiLU slopes", "gate slopes"};
    must_equal(form, s, "multiply-adds", got.multiply_adds, expected.multiply_adds);
    must_equal(form, s, "multiplications", got.multiplications, expected.multiplications);
    must_equal(form, s, "additions", got.additions, expected.additions);
    must_equal(form, s, "divisions", got.divisions, expected.divisions);
    must_equal(form, s, "comparisons", got.comparisons, expected.comparisons);
    for (Function f = 0; f <= GATE_SLOPE; f++)
        must_equal(form, s, functions[f], got.calls[f], expected.calls[f]);
    must_equal(form, s, "numbers at most", got.peak, expected.peak);
    must_equal(form, s, "numbers left behind", got.alive, 0);
}

static void form_must_obey(Costed form, Shape s)
{
    counts_must_equal(costed_names[form], s, costed_counted(form, s), costed_formula(form, s));
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void every_operation_counts_itself(void **state)
{
    (void)state;
    System *in = counting_system();
    Matrix A = matrix(in, 2, 3), b = matrix(in, 2, 1), c = matrix(in, 1, 1);
    (void)product_nt(A, A, CAUSAL); /* 3 entries of 3 terms */
    (void)scaled(c, A);
    (void)hadamard(A, A);
    (void)add(A, A);
    (void)row_shift(A, b);
    (void)row_sum(A); /* 2 rows of 2 additions */
    (void)row_divide(A, b);
    (void)row_reference(A, &b); /* 2 rows of 2, and the floor's */
    (void)map(EXP, map(GATE_SLOPE, A));
    Counts got = counting_read(in);
    const Counts expected = {
        .multiply_adds = 9,
        .multiplications = 12,
        .additions = 16,
        .divisions = 6,
        .comparisons = 6,
        .calls = {[EXP] = 6, [GATE_SLOPE] = 6},
        .alive = 61,
        .peak = 61,
    };
    assert_memory_equal(&got, &expected, sizeof got);
    system_free(in);
}

static void counts_are_the_formulas_for_every_small_shape(void **state)
{
    (void)state;
    for (uint64_t L = 1; L <= 9; L++)
        for (uint64_t d = 1; d <= 3; d++)
            for (uint64_t W = 0; W <= L + 1; W++)
                for (uint64_t B = 1; B <= L; B++)
                    for (Costed form = B == 1 ? COSTED_SEQUENTIAL : COSTED_BLOCKWISE; form < COSTED;
                         form++)
                        form_must_obey(form, (Shape){L, d, W <= L ? W : NO_WINDOW, B});
}

static void counts_are_the_formulas_for_sampled_large_shapes(void **state)
{
    (void)state;
    static const Shape samples[] = {
        {64, 4, NO_WINDOW, 16},  {77, 3, 20, 16},         {100, 5, 0, 16},   {130, 2, 64, 64},
        {256, 2, NO_WINDOW, 64}, {256, 3, 100, 64},       {255, 2, 17, 16},  {241, 1, 16, 16},
        {128, 4, 1, 64},         {129, 6, NO_WINDOW, 64}, {200, 4, 199, 64}, {256, 1, 15, 16},
        {120, 1, 40, 1},         {70, 2, NO_WINDOW, 1},
    };
    size_t n = sizeof samples / sizeof samples[0];
    for (size_t k = 0; k < n && k < repetitions(10 * n); k++)
        for (Costed form = samples[k].L > 130 && k != 4 ? COSTED_PARALLEL : COSTED_SEQUENTIAL;
             form < COSTED; form++)
            form_must_obey(form, samples[k]);
}

static void decoding_obeys_the_formula_at_every_token(void **state)
{
    (void)state;
    static const uint64_t windows[] = {0, 1, 4, 30, NO_WINDOW};
    for (size_t k = 0; k < 5; k++)
        for (uint64_t t = 0; t < 40; t++) {
            Shape s = {40, 3, windows[k], 0};
            System *in = counting_system();
            Head h = head_counted(in, s);
            Cache cache = cache_empty(in, s.L, s.d);
            Matrix o = matrix(in, 1, s.d), lse = matrix(in, 1, 1);
            cache.length = t;
            Counts before = counting_read(in);
            decode_step(&cache, &h, t, o, lse);
            counts_must_equal("a decoded token", s, counts_since(before, in), token_formula(s, t));
            system_free(in);
        }
}

/* Taking D back by recomputing it makes gates anew, once for each pair that is not in the last two
 * blocks, and as many updates as (33) takes off again but for the blocks (j, j). */
static void recomputing_D_costs_gates_that_subtraction_has_at_hand(void **state)
{
    (void)state;
    for (uint64_t W = 0; W < 40; W += 13) {
        Shape s = {37, 3, W ? W : NO_WINDOW, 8};
        Counts a = costed_counted(COSTED_SUBTRACTING, s), b = costed_counted(COSTED_RECOMPUTING, s);
        uint64_t anew = b.calls[SIGMOID] - a.calls[SIGMOID];
        assert_int_equal(anew, pairs_ahead(24, s.W));
        assert_int_equal(b.multiplications - a.multiplications, anew);
        b.calls[SIGMOID] = a.calls[SIGMOID];
        assert_memory_equal(a.calls, b.calls, sizeof a.calls);
    }
}

/* Algorithm 4 onto an empty cache is Algorithm 1, but D takes in the last block too: its allowed pairs, A - A',
 * are d more terms of products each. So it is O(L^2 (d + B)) as well. */
static void prefilling_costs_a_blockwise_pass_and_the_last_blocks_keys(void **state)
{
    (void)state;
    for (uint64_t L = 1; L <= 9; L++)
        for (uint64_t W = 0; W <= L + 1; W++)
            for (uint64_t B = 1; B <= L; B++) {
                Shape s = {L, 3, W <= L ? W : NO_WINDOW, B};
                uint64_t last = L - (L - 1) / B * B;
                System *in = counting_system();
                Head h = head_counted(in, s);
                Cache cache = cache_empty(in, L, s.d);
                Matrix O = matrix(in, L, s.d), lse = matrix(in, L, 1);
                Counts before = counting_read(in);
                prefill(&cache, &h, 0, L, B, O, lse);
                Counts c = counts_since(before, in), expected = blockwise_formula(s);
                uint64_t more = pairs_ahead(L, s.W) - pairs_ahead(L - last, s.W);
                must_equal("prefill", s, "multiply-adds", c.multiply_adds,
                           expected.multiply_adds + s.d * more);
                must_equal("prefill", s, "sigmoids", c.calls[SIGMOID], expected.calls[SIGMOID]);
                system_free(in);
            }
}

static void a_polynomial_has_its_degree(void **state)
{
    (void)state;
    assert_int_equal(degree_of((const uint64_t[]){7, 7, 7, 7}, 4), 0);
    assert_int_equal(degree_of((const uint64_t[]){9, 7, 5, 3}, 4), 1);
    assert_int_equal(degree_of((const uint64_t[]){0, 1, 8, 27, 64, 125}, 6), 3);
    assert_int_equal(degree_of((const uint64_t[]){1, 2, 4, 8, 16, 32}, 6), 6); /* no polynomial */
}

/* ---- exponents: d = 16, B = 64 or 16, no window --------------------------------------------- */

enum { DEGREES = 4 };

typedef struct Growth {
    const char *what;
    Costed form;
    bool memory;          /* otherwise multiply-adds */
    uint64_t B, from, to; /* L doubles */
    double coefficient[DEGREES];
    double limit; /* the exponent of its Theta */
} Growth;

/* d log f / d log L of f = sum of c_k L^k. */
static double local_exponent(const double *c, double L)
{
    double f = 0, slope = 0, power = 1;
    for (int k = 0; k < DEGREES; k++, power *= L) {
        f += c[k] * power;
        slope += k * c[k] * power;
    }
    return slope / f;
}

/* A fitted slope is a mean, with weights >= 0, of the slopes between neighbours, and each of those
 * a mean of local exponents: it lies between the smallest and the largest of the range. */
static void fitted_exponents_lie_within_the_local_ones(void **state)
{
    (void)state;
    const double d = 16, B = 64, e = (B + 1) / 4, b = 16;
    const Growth growths[] = {
        {"sequential", COSTED_SEQUENTIAL, false, 64, 16, 128, {0, 7 * d / 6, 3 * d / 2, d / 3}, 3},
        {"parallel",
         COSTED_PARALLEL,
         false,
         64,
         128,
         1024,
         {0, d / 2 - 1. / 6, 5 * d / 2, 1. / 6},
         3},
        {"backward", COSTED_BACKWARD, false, 64, 128, 1024, {0, 4 * d - .5, 6 * d, .5}, 3},
        {"decode", COSTED_DECODE, false, 64, 64, 512, {0, d / 2, 5 * d / 2}, 2},
        {"blockwise",
         COSTED_BLOCKWISE,
         false,
         64,
         128,
         1024,
         {d * (B * B + B) / 2, d * (.5 - B) + (B * B - 1) / 6 - B * e, 5 * d / 2 + e},
         2},
        {"backward_blockwise",
         COSTED_SUBTRACTING,
         false,
         64,
         128,
         1024,
         {d * (2 * B * B + B), d * (2.5 - 7 * B / 2) + 3 * ((B * B - 1) / 6 - B * e),
          7 * d + 3 * e},
         2},
        {"parallel's memory", COSTED_PARALLEL, true, 64, 128, 1024, {2, 2 * d + 4, 8}, 2},
        {"backward_blockwise's memory",
         COSTED_SUBTRACTING,
         true,
         16,
         64,
         512,
         {13 * b * b + 5 * b * d, 6 * d + 1 + 2 * b},
         1},
    };
    for (size_t g = 0; g < sizeof growths / sizeof growths[0]; g++) {
        const Growth *w = &growths[g];
        double x[16], y[16], c0, slope, v[4], lowest = INFINITY, highest = -INFINITY;
        size_t n = 0;
        for (uint64_t L = w->from; L <= w->to; L *= 2, n++) {
            Counts c = costed_counted(w->form, (Shape){L, (uint64_t)d, NO_WINDOW, w->B});
            double counted = (double)(w->memory ? c.peak : c.multiply_adds), f = 0;
            for (int k = DEGREES; k-- > 0;)
                f = f * (double)L + w->coefficient[k];
            if (fabs(f - counted) > 1e-9 * counted) {
                print_error("%s, L %g: %.1f counted, polynomial %.1f\n", w->what, (double)L,
                            counted, f);
                fail();
            }
            x[n] = log((double)L);
            y[n] = log(counted);
        }
        for (int k = 0; k <= 1000; k++) {
            double L = exp(x[0] + (x[n - 1] - x[0]) * k / 1000);
            lowest = fmin(lowest, local_exponent(w->coefficient, L));
            highest = fmax(highest, local_exponent(w->coefficient, L));
        }
        (void)gsl_fit_linear(x, 1, y, 1, n, &c0, &slope, &v[0], &v[1], &v[2], &v[3]);
        print_message("%-28s exponent %.3f in [%.3f, %.3f], of Theta %.0f\n", w->what, slope,
                      lowest, highest, w->limit);
        assert_true(lowest <= slope && slope <= highest);
        assert_true(fabs(local_exponent(w->coefficient, 1e9) - w->limit) < 1e-5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_counts_itself),
        cmocka_unit_test(counts_are_the_formulas_for_every_small_shape),
        cmocka_unit_test(counts_are_the_formulas_for_sampled_large_shapes),
        cmocka_unit_test(decoding_obeys_the_formula_at_every_token),
        cmocka_unit_test(recomputing_D_costs_gates_that_subtraction_has_at_hand),
        cmocka_unit_test(prefilling_costs_a_blockwise_pass_and_the_last_blocks_keys),
        cmocka_unit_test(a_polynomial_has_its_degree),
        cmocka_unit_test(fitted_exponents_lie_within_the_local_ones),
    };
    return cmocka_run_group_tests_name("counting", tests, NULL, NULL);
}
