/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What each family promises of its numbers, measured through the mathematics in every core case of it, in
 * binary64 unless a tie must be exact. Bounds are the families' own figures; the room beside them is the
 * O(1) of their sentences: sums of near-normal numbers, each below 6 in size.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "case_support.h"
#include "family_draws.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the draw ------------------------------------------------------------------------------------- */

static void near_normal_is_what_it_says(void **state)
{
    (void)state;
    enum { DRAWS = 200000 };
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937), *same = gsl_rng_alloc(gsl_rng_mt19937);
    double sum = 0, squares = 0;
    gsl_rng_set(rng, 7);
    gsl_rng_set(same, 7);
    for (size_t k = 0; k < DRAWS; k++) {
        double x = near_normal(rng, TYPE_F32), whole = ldexp(x, 32), words = 0;
        for (size_t i = 0; i < 12; i++) /* every partial sum is below 2^36: exact */
            words += (double)gsl_rng_get(same) - (double)UINT32_MAX / 2;
        (void)gsl_rng_get(same);
        assert_true(whole == words && fabs(x) < 6);
        sum += x;
        squares += x * x;
    }
    /* five standard errors: of the mean 1/sqrt(n), of the variance sqrt((2 - 0.1)/n) */
    assert_true(fabs(sum / DRAWS) < 5 / sqrt(DRAWS));
    assert_true(fabs(squares / DRAWS - 1) < 5 * sqrt(1.9 / DRAWS));
    gsl_rng_free(rng);
    gsl_rng_free(same);
}

static void float64_has_digits_below_the_rest(void **state)
{
    (void)state;
    gsl_rng *wide = gsl_rng_alloc(gsl_rng_mt19937), *narrow = gsl_rng_alloc(gsl_rng_mt19937);
    size_t longer = 0;
    gsl_rng_set(wide, 8);
    gsl_rng_set(narrow, 8);
    for (size_t k = 0; k < 1000; k++) {
        double x = near_normal(wide, TYPE_F64), y = near_normal(narrow, TYPE_BF16);
        assert_true(fabs(x - y) <= 0x1p-33);
        assert_true(ldexp(x, 50) == rint(ldexp(x, 50)));
        longer += ldexp(x, 48) != rint(ldexp(x, 48));
    }
    assert_in_range(longer, 650, 850); /* three in four */
    gsl_rng_free(wide);
    gsl_rng_free(narrow);
}

/* ---- neg, large SU, saturated, SiLU minimum: figures that scores and gates aim at --------------------- */

static void scores_lie_near_the_level(const GoldenCase *c)
{
    Measured m = measured(c);
    for (size_t t = 0; t < c->length; t++)
        for (size_t s = 0; s <= t; s++)
            if (fabs(number(m.f.S, t, s) / c->level - 1) > 0.1)
                fail_msg("%s: score (%zu, %zu) is %g", c->id, t, s, number(m.f.S, t, s));
    measured_free(&m);
}

static void neg(void **state)
{
    (void)state;
    for_core_cases(FAMILY_NEG, scores_lie_near_the_level);
}

/* From the middle on: SU within 5% of the level for keys before it; they hold all weight; their SU differ
 * enough to reorder weights (by a factor e); and from the causal scores nobody would guess the maximum. */
static void su_decides(const GoldenCase *c)
{
    Measured m = measured(c);
    size_t middle = c->length / 2, decided = 0;
    for (size_t t = middle; t < c->length; t++) {
        double least = INFINITY, most = -INFINITY, weight = 0, causal = -INFINITY, best = -INFINITY;
        for (size_t s = 0; s <= t; s++) {
            double su = s < t ? number(m.f.SU, t, s) : 0, score = number(m.f.S, t, s);
            best = fmax(best, score);
            causal = fmax(causal, score + su); /* SiLU(SU) = SU, where SU is large */
            if (s >= middle)
                continue;
            if (fabs(su / c->level - 1) > 0.05)
                fail_msg("%s: SU (%zu, %zu) is %g", c->id, t, s, su);
            weight += number(m.f.P, t, s);
            least = fmin(least, su);
            most = fmax(most, su);
        }
        assert_true(weight > 1 - 0x1p-40);
        assert_true(causal - best > c->level / 2); /* exp underflows in float32 beyond 88 */
        decided += most - least > 1;
    }
    assert_int_equal(decided, c->length - middle);
    measured_free(&m);
}

static void large_su(void **state)
{
    (void)state;
    for_core_cases(FAMILY_LARGE_SU, su_decides);
}

static void logits_are_large_of_either_sign(const GoldenCase *c)
{
    Measured m = measured(c);
    Matrix Z = scaled(m.head.scale, product_nt(m.head.QU, m.head.KU, lookahead(c->window)));
    size_t positive = 0, all = 0;
    for (size_t s = 0; s < c->length; s++)
        for (size_t j = s + 1; j < c->length && j - s <= c->window; j++, all++) {
            double z = number(Z, s, j);
            positive += z > 0;
            if (fabs(z) < c->level || fabs(z) > 4 * c->level)
                fail_msg("%s: logit (%zu, %zu) is %g", c->id, s, j, z);
        }
    assert_in_range(positive, all / 4, 3 * all / 4);
    measured_free(&m);
}

static void saturated(void **state)
{
    (void)state;
    for_core_cases(FAMILY_SATURATED, logits_are_large_of_either_sign);
}

static void su_lies_on_both_sides_of_the_minimum(const GoldenCase *c)
{
    Measured m = measured(c);
    size_t below = 0, all = 0;
    for (size_t t = 1; t < c->length; t++)
        for (size_t s = 0; s < t; s++) {
            double su = number(m.f.SU, t, s);
            if (c->window != 1 && (s >= c->length / 2 || t < c->length / 2))
                continue;
            all++;
            below += su < -1.2784645;
            if (fabs(su + 1.2784645) > 0.5)
                fail_msg("%s: SU (%zu, %zu) is %g", c->id, t, s, su);
        }
    assert_in_range(below, all / 4, 3 * all / 4);
    assert_true(all >= c->length);
    measured_free(&m);
}

static void silu_minimum(void **state)
{
    (void)state;
    for_core_cases(FAMILY_SILU_MINIMUM, su_lies_on_both_sides_of_the_minimum);
}

/* ---- outlier, offset, drift, loss scale: tensors that were moved or multiplied ------------------------ */

static double mean_square(const double *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += v[i] * v[i];
    return sum / (double)n;
}

static double mean_of(const InputTensor *t)
{
    double sum = 0;
    for (size_t i = 0; i < t->count; i++)
        sum += t->values[i];
    return sum / (double)t->count;
}

static void one_row_towers(const GoldenCase *c)
{
    Drawn g = drawn(c);
    const double *VU = case_input(&g.in, "vu")->values;
    size_t middle = c->length / 2, d = c->dim;
    double rest = (mean_square(VU, middle * d) + mean_square(VU + (middle + 1) * d, d)) / 2;
    double ratio = sqrt(mean_square(VU + middle * d, d) / rest);
    if (fabs(log2(ratio) - c->level) > 1.5) /* a row of few numbers has a size of its own */
        fail_msg("%s: the row is 2^%g of the rest", c->id, log2(ratio));
    drawn_free(&g);
}

static void outlier(void **state)
{
    (void)state;
    for_core_cases(FAMILY_OUTLIER, one_row_towers);
}

/* Within five standard errors of the mean, and half a number's distance that a coarse type adds. */
static void mean_is_the_level(const GoldenCase *c)
{
    Drawn g = drawn(c);
    const InputTensor *t = case_input(&g.in, c->family == FAMILY_DRIFT ? "vu" : "vc");
    double room = 5 / sqrt((double)t->count) + c->level * format_roundoff(number_format(c->type));
    if (fabs(mean_of(t) - c->level) > room)
        fail_msg("%s: mean %g", c->id, mean_of(t));
    drawn_free(&g);
}

static void offset(void **state)
{
    (void)state;
    for_core_cases(FAMILY_OFFSET, mean_is_the_level);
}

/* And lookahead keys grow with L: U_0 is about half of L times the mean. */
static void u_drifts(const GoldenCase *c)
{
    Measured m = measured(c);
    Matrix U = product(m.f.G, m.head.VU, EVERYWHERE);
    double first = 0, reach = (double)c->length * c->level / 2;
    mean_is_the_level(c);
    for (size_t i = 0; i < c->dim; i++)
        first += number(U, 0, i) / (double)c->dim;
    if (first < reach / 2 || first > 2 * reach)
        fail_msg("%s: the mean of U's first row is %g, expected about %g", c->id, first, reach);
    measured_free(&m);
}

static void drift(void **state)
{
    (void)state;
    for_core_cases(FAMILY_DRIFT, u_drifts);
}

static void cotangent_is_scaled(const GoldenCase *c)
{
    Drawn g = drawn(c);
    const InputTensor *t = case_input(&g.in, "do");
    double size = log2(sqrt(mean_square(t->values, t->count)));
    if (fabs(size - c->level) > 0.5)
        fail_msg("%s: dO is 2^%g in size", c->id, size);
    drawn_free(&g);
}

static void loss_scale(void **state)
{
    (void)state;
    for_core_cases(FAMILY_LOSS_SCALE, cotangent_is_scaled);
}

/* ---- alive -------------------------------------------------------------------------------------------- */

typedef struct Weighted {
    double weight, value;
} Weighted;

static int by_value(const void *a, const void *b)
{
    double x = ((const Weighted *)a)->value, y = ((const Weighted *)b)->value;
    return (x > y) - (x < y);
}

/* The median of |SiLU'(SU)| under P, over the keys before each row of the last quarter: of what reaches the
 * scores, the part that reaches SU. */
static double aliveness(const GoldenCase *c)
{
    Measured m = measured(c);
    Matrix slope = map(SILU_SLOPE, m.f.SU);
    Weighted *w = calloc(c->length * c->length, sizeof *w);
    double all = 0, below = 0;
    size_t n = 0, k = 0;
    for (size_t t = c->length - c->length / 4; t < c->length; t++)
        for (size_t s = 0; s < t; s++) {
            w[n] = (Weighted){number(m.f.P, t, s), fabs(number(slope, t, s))};
            all += w[n++].weight;
        }
    qsort(w, n, sizeof *w, by_value);
    while (below < all / 2)
        below += w[k++].weight;
    double median = w[k - 1].value;
    free(w);
    measured_free(&m);
    return median;
}

/* Above half of SiLU'(0) = 1/2. The same numbers without the shrinking are half as alive at most, once there
 * are many. */
static void slopes_stay_alive(const GoldenCase *c)
{
    GoldenCase plain = *c;
    plain.family = FAMILY_PLAIN;
    double alive = aliveness(c), starved = aliveness(&plain);
    if (alive < 0.25 || (c->length >= 64 && starved > alive / 2))
        fail_msg("%s: median |SiLU'| under P is %g, and %g for near-normal VU", c->id, alive,
                 starved);
}

static void alive(void **state)
{
    (void)state;
    for_core_cases(FAMILY_ALIVE, slopes_stay_alive);
}

/* ---- exactness ---------------------------------------------------------------------------------------- */

/* Whether the mean of the first t numbers, of which t is a power of 2, is the middle of two numbers of the
 * type: it has one bit more than they. */
static bool mean_is_half_way(const double *v, size_t step, size_t t, NumberType type)
{
    mpfr_t sum, short_by_one, enough;
    mpfr_inits2(200, sum, (mpfr_ptr)0);
    mpfr_init2(short_by_one, number_format(type)->precision);
    mpfr_init2(enough, number_format(type)->precision + 1);
    mpfr_set_zero(sum, 1);
    for (size_t k = 0; k < t; k++)
        assert_int_equal(mpfr_add_d(sum, sum, v[k * step], MPFR_RNDN), 0);
    bool half_way = mpfr_set(short_by_one, sum, MPFR_RNDN) != 0 &&
                    mpfr_set(enough, sum, MPFR_RNDN) == 0;
    mpfr_clears(sum, short_by_one, enough, (mpfr_ptr)0);
    return half_way;
}

static void means_are_half_way(const GoldenCase *c)
{
    Drawn g = drawn(c);
    size_t found = 0;
    for (size_t t = 2; t <= c->length; t *= 2)
        for (size_t i = 0; i < c->dim; i++)
            found += mean_is_half_way(case_input(&g.in, "vc")->values + i, c->dim, t, c->type);
    if (found == 0)
        fail_msg("%s: no O is half-way between two numbers", c->id);
    drawn_free(&g);
}

/* Scores are made in MPFR, so that equal ones are equal to the bit. */
static void ties_are_exact(const GoldenCase *c)
{
    Measured m = measured_in(c, mpfr_system(200));
    size_t middle = c->level == 1 ? c->length / 2 : 0;
    if (c->level == 0)
        means_are_half_way(c);
    if (c->level < 2)
        for (size_t t = 0; t < c->length; t++)
            for (size_t s = 1; s <= t; s++) { /* keys before the middle tie, and keys from it on */
                bool tie = s != middle || t < middle;
                if (tie != (number(m.f.S, t, s) == number(m.f.S, t, s - 1)))
                    fail_msg("%s: scores (%zu, %zu) %a and %a", c->id, t, s, number(m.f.S, t, s),
                             number(m.f.S, t, s - 1));
            }
    for (Input k = 0; k < INPUTS && c->level == 2; k++)
        for (size_t i = 0; i < c->length / 2 * 2 * c->dim; i++) {
            const double *v = m.g.in.tensor[k].values;
            size_t twin = i / c->dim % 2 ? i - c->dim : i + c->dim;
            assert_true(v[i] == v[twin]);
        }
    assert_int_equal((c->flags & FLAG_TIES) != 0, c->level < 2);
    measured_free(&m);
}

static void equal_keys(void **state)
{
    (void)state;
    for_core_cases(FAMILY_EQUAL_KEYS, ties_are_exact);
}

/* sc, t1, dp and the gate logits: numbers of the type, and so are the sums of absolute values over all
 * terms, scale left out, in units of the last place of 1: integers up to 256. With level 1, SU in halves. */
static void stages_are_exact(const GoldenCase *c)
{
    Measured m = measured_in(c, mpfr_system(200));
    const Matrix pair[][2] = {
        {m.head.QC, m.head.KC}, {m.head.QC, m.head.VU}, {m.head.QU, m.head.KU}, {m.dO, m.head.VC}};
    for (size_t k = 0; k < 4; k++)
        for (size_t t = 0; t < c->length; t++)
            for (size_t s = 0; s < c->length; s++) {
                double sizes = 0, sum = 0;
                for (size_t i = 0; i < c->dim; i++) {
                    double x = number(pair[k][0], t, i) * number(pair[k][1], s, i);
                    assert_true(x == rint(x));
                    sizes += fabs(x);
                    sum += x;
                }
                assert_true(sizes <= 256);
                assert_true(number_is_representable(c->type, sum / sqrt((double)c->dim)));
            }
    for (size_t t = 0; t < c->length; t++)
        for (size_t s = 0; s < t; s++)
            if (c->level == 1 && 4 * number(m.f.SU, t, s) != rint(4 * number(m.f.SU, t, s)))
                fail_msg("%s: SU (%zu, %zu) is %a", c->id, t, s, number(m.f.SU, t, s));
    assert_true(c->flags & FLAG_EXACT_STAGES);
    measured_free(&m);
}

static void integers(void **state)
{
    (void)state;
    for_core_cases(FAMILY_INTEGERS, stages_are_exact);
}

/* ---- special ------------------------------------------------------------------------------------------ */

/* Nearly all keys are subnormal (near normal / 2 is, times the least normal number, where it is below 1);
 * causal scores have the size of near normal / 4. */
static void keys_are_subnormal(const GoldenCase *c)
{
    Measured m = measured(c);
    Drawn g = drawn(c);
    double normal = ldexp(1, number_format(c->type)->emin), squares = 0;
    size_t subnormal = 0, n = c->length * c->dim, scores = 0;
    for (size_t i = 0; i < n; i++) {
        subnormal += fabs(g.in.tensor[INPUT_KC].values[i]) < normal;
        assert_true(g.in.tensor[INPUT_VU].values[i] == 0);
    }
    assert_true(subnormal < n + 1 && 10 * subnormal > 8 * n);
    for (size_t t = 0; t < c->length; t++)
        for (size_t s = 0; s <= t; s++, scores++)
            squares += pow(number(m.f.S, t, s), 2);
    assert_true(fabs(sqrt(squares / (double)scores) - 0.25) < 0.05);
    drawn_free(&g);
    measured_free(&m);
}

static void only_one_token_is_special(const GoldenCase *c)
{
    if (strcmp(c->special, SUBNORMAL_KEYS) == 0) {
        keys_are_subnormal(c);
        return;
    }
    Drawn g = drawn(c);
    double normal = ldexp(1, number_format(c->type)->emin);
    for (Input k = 0; k < INPUTS; k++)
        for (size_t i = 0; i < c->length * c->dim; i++) {
            double x = g.in.tensor[k].values[i];
            bool here = i / c->dim == c->token && c->tensors >> k & 1, first = i % c->dim == 0;
            bool as_named = strcmp(c->special, "nan") == 0    ? isnan(x)
                            : strcmp(c->special, "inf") == 0  ? x == INFINITY
                            : strcmp(c->special, "-inf") == 0 ? x == -INFINITY
                                                              : x != 0 && fabs(x) < normal;
            if (c->flags & FLAG_SUBNORMAL)
                first = true;
            if (as_named != (here && first))
                fail_msg("%s: %s[%zu] is %a", c->id, input_name(k), i, x);
            assert_true((here && first) || fabs(x) < 6.1);
        }
    drawn_free(&g);
}

/* The answers before the token are those of the problem that ends there; its own row, or for inputs
 * that gates and lookahead keys read a later one, is spoilt (a NaN, an infinity) or not. */
static void it_spoils_later_rows_only(const GoldenCase *c)
{
    Measured m = measured(c);
    size_t spoilt = 0;
    for (size_t t = 0; t < c->length; t++)
        for (size_t i = 0; i < c->dim; i++)
            if (!isfinite(number(m.f.O, t, i))) {
                spoilt++;
                assert_true(t >= c->token);
            }
    assert_int_equal(spoilt > 0, (c->flags & FLAG_NONFINITE) != 0);
    measured_free(&m);
}

static void special(void **state)
{
    (void)state;
    for_core_cases(FAMILY_SPECIAL, only_one_token_is_special);
    for_core_cases(FAMILY_SPECIAL, it_spoils_later_rows_only);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_normal_is_what_it_says),
        cmocka_unit_test(float64_has_digits_below_the_rest),
        cmocka_unit_test(neg),
        cmocka_unit_test(large_su),
        cmocka_unit_test(saturated),
        cmocka_unit_test(silu_minimum),
        cmocka_unit_test(outlier),
        cmocka_unit_test(offset),
        cmocka_unit_test(drift),
        cmocka_unit_test(loss_scale),
        cmocka_unit_test(alive),
        cmocka_unit_test(equal_keys),
        cmocka_unit_test(integers),
        cmocka_unit_test(special),
    };
    return cmocka_run_group_tests(tests, built_in_cases, drop_cases);
}
