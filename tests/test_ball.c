/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Containment: whatever number stands in an operand's ball, the result's ball holds what MPFR
 * computes from that number. MPFR works at 1200 bits, where every sum and product of the doubles
 * drawn here is exact; other results are off by 2^-1190 relative, which the widths below hide
 * unless the true value lies within that of a ball's end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ball.h"
#include "systems_support.h"

enum { EXACT = 1200, RUN = 12 };

static bool holds(arb_srcptr ball, const mpfr_t x)
{
    arf_t point;
    arf_init(point);
    arf_set_mpfr(point, x);
    bool inside = arb_contains_arf(ball, point);
    arf_clear(point);
    return inside;
}

static void must_hold(Case here, size_t i, size_t j, arb_srcptr ball, const mpfr_t x)
{
    if (!holds(ball, x)) {
        print_error("ball: ");
        arb_fprintd(stderr, ball, 30);
        print_error("\n");
        entries_differ(here, i, j, arf_get_d(arb_midref(ball), ARF_RND_NEAR),
                       mpfr_get_d(x, MPFR_RNDN), mag_get_d(arb_radref(ball)));
    }
}

/* Random balls, a third of them exact, and in each a random point, often an end. */
typedef struct Points {
    Matrix balls;
    mpfr_t at[RUN];
} Points;

static Points points_made(gsl_rng *r, System *in, size_t m, size_t n, int lowest, int highest,
                          bool positive)
{
    Points p;
    double v[RUN] = {0};
    random_fill(r, v, m * n, lowest, highest, &BINARY64);
    for (size_t k = 0; positive && k < m * n; k++)
        v[k] = fabs(v[k]);
    p.balls = matrix_from(in, m, n, v);
    arf_t radius;
    arf_init(radius);
    for (size_t k = 0; k < m * n; k++) {
        arb_ptr ball = ball_at(p.balls, k / n, k % n);
        mpfr_init2(p.at[k], EXACT);
        mpfr_set_d(p.at[k], v[k], MPFR_RNDN);
        if (random_up_to(r, 2) == 0)
            continue; /* exact */
        arf_set_d(radius, fabs(v[k]) * ldexp(gsl_rng_uniform(r), -(int)random_up_to(r, 60) - 1));
        arb_add_error_arf(ball, radius);
        double t = random_up_to(r, 3) ? 2 * gsl_rng_uniform(r) - 1 : random_up_to(r, 1) ? 1 : -1;
        mpfr_t step;
        mpfr_init2(step, EXACT);
        arf_set_mag(radius, arb_radref(ball));
        arf_get_mpfr(step, radius, MPFR_RNDN);
        mpfr_mul_d(step, step, t, MPFR_RNDN);
        mpfr_add(p.at[k], p.at[k], step, MPFR_RNDN);
        mpfr_clear(step);
    }
    arf_clear(radius);
    return p;
}

static void points_clear(Points *p, size_t n)
{
    for (size_t k = 0; k < n; k++)
        mpfr_clear(p->at[k]);
}

static const long precisions[] = {24, 53, 64, 113, 200};

static void sums_products_and_quotients_hold_the_true_value(void **unused)
{
    (void)unused;
    const unsigned long seed = 1;
    gsl_rng *r = random_source(seed);
    mpfr_t x, y;
    mpfr_inits2(EXACT, x, y, (mpfr_ptr)NULL);
    for (long n = 0; n < repetitions(4000); n++) {
        System *in = ball_system(precisions[n % 5]);
        Case here = {"ball", seed, n, 1, RUN};
        Points a = points_made(r, in, 1, RUN, -30, 30, false);
        Points b = points_made(r, in, 1, RUN, -30, 30, false);
        Points c = points_made(r, in, 1, 1, -30, 30, false);
        Matrix sum = add(a.balls, b.balls), difference = subtract(a.balls, b.balls);
        Matrix multiple = scaled(c.balls, a.balls), quotient = row_divide(a.balls, c.balls);
        Matrix both = hadamard(a.balls, b.balls), less = row_shift(a.balls, c.balls);
        Matrix outer = product_tn(a.balls, b.balls, EVERYWHERE), own = row_dot(a.balls, b.balls);
        Matrix total = row_sum(a.balls), dot = product_nt(a.balls, b.balls, EVERYWHERE);
        for (size_t k = 0; k < RUN; k++) {
            mpfr_add(x, a.at[k], b.at[k], MPFR_RNDN);
            must_hold(here, 0, k, ball_at(sum, 0, k), x);
            mpfr_sub(x, a.at[k], b.at[k], MPFR_RNDN);
            must_hold(here, 1, k, ball_at(difference, 0, k), x);
            mpfr_mul(x, a.at[k], c.at[0], MPFR_RNDN);
            must_hold(here, 2, k, ball_at(multiple, 0, k), x);
            mpfr_mul(x, a.at[k], b.at[k], MPFR_RNDN);
            must_hold(here, 6, k, ball_at(both, 0, k), x);
            must_hold(here, 7, k, ball_at(outer, k, k), x);
            mpfr_sub(x, a.at[k], c.at[0], MPFR_RNDN);
            must_hold(here, 8, k, ball_at(less, 0, k), x);
            mpfr_div(x, a.at[k], c.at[0], MPFR_RNDN);
            must_hold(here, 3, k, ball_at(quotient, 0, k), x);
        }
        mpfr_set_zero(x, 1);
        mpfr_set_zero(y, 1);
        for (size_t k = 0; k < RUN; k++) {
            mpfr_add(x, x, a.at[k], MPFR_RNDN);
            mpfr_fma(y, a.at[k], b.at[k], y, MPFR_RNDN);
        }
        must_hold(here, 4, 0, ball_at(total, 0, 0), x);
        must_hold(here, 5, 0, ball_at(dot, 0, 0), y);
        must_hold(here, 9, 0, ball_at(own, 0, 0), y);
        points_clear(&a, RUN);
        points_clear(&b, RUN);
        points_clear(&c, 1);
        system_free(in);
    }
    mpfr_clears(x, y, (mpfr_ptr)NULL);
    gsl_rng_free(r);
}

static void true_function(Function f, mpfr_t y, const mpfr_t x)
{
    if (f == EXP || f == LOG) {
        (f == EXP ? mpfr_exp : mpfr_log)(y, x, MPFR_RNDN);
        return;
    }
    if (f == GATE_SLOPE) {
        mpfr_sqr(y, x, MPFR_RNDN); /* exact: x has fewer than 600 bits */
        mpfr_sub(y, x, y, MPFR_RNDN);
        return;
    }
    mpfr_neg(y, x, MPFR_RNDN);
    mpfr_exp(y, y, MPFR_RNDN);
    mpfr_add_ui(y, y, 1, MPFR_RNDN);
    mpfr_ui_div(y, 1, y, MPFR_RNDN);
    if (f == SILU)
        mpfr_mul(y, x, y, MPFR_RNDN);
    if (f == SILU_SLOPE) { /* g + x g (1 - g) */
        mpfr_t slope;
        mpfr_init2(slope, EXACT);
        mpfr_ui_sub(slope, 1, y, MPFR_RNDN);
        mpfr_mul(slope, slope, y, MPFR_RNDN);
        mpfr_mul(slope, slope, x, MPFR_RNDN);
        mpfr_add(y, y, slope, MPFR_RNDN);
        mpfr_clear(slope);
    }
}

static void functions_hold_the_true_value(void **unused)
{
    (void)unused;
    const unsigned long seed = 2;
    gsl_rng *r = random_source(seed);
    const Function functions[] = {SIGMOID, SILU, EXP, LOG, SILU_SLOPE, GATE_SLOPE};
    mpfr_t y;
    mpfr_init2(y, EXACT);
    for (long n = 0; n < repetitions(100); n++)
        for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
            System *in = ball_system(precisions[n % 5]);
            Points a = points_made(r, in, 1, RUN, -20, n % 2 ? 8 : 3, functions[f] == LOG);
            Matrix B = map(functions[f], a.balls);
            for (size_t k = 0; k < RUN; k++) {
                true_function(functions[f], y, a.at[k]);
                must_hold((Case){"function", seed, n, f, RUN}, 0, k, ball_at(B, 0, k), y);
            }
            points_clear(&a, RUN);
            system_free(in);
        }
    mpfr_clear(y);
    gsl_rng_free(r);
}

/* The weights and lse of a row by (7) as printed, from points of the scores' balls. */
static void a_softmax_holds_the_true_weights(void **unused)
{
    (void)unused;
    const unsigned long seed = 3;
    gsl_rng *r = random_source(seed);
    mpfr_t e[RUN], sum, x;
    mpfr_inits2(EXACT, sum, x, (mpfr_ptr)NULL);
    for (size_t k = 0; k < RUN; k++)
        mpfr_init2(e[k], EXACT);
    for (long n = 0; n < repetitions(200); n++) {
        System *in = ball_system(precisions[n % 5]);
        size_t cols = 1 + random_up_to(r, RUN - 1);
        Points s = points_made(r, in, 1, cols, -10, (int)random_up_to(r, 8), false);
        Matrix lse, P = row_softmax(s.balls, &lse);
        mpfr_set_zero(sum, 1);
        for (size_t k = 0; k < cols; k++) {
            mpfr_exp(e[k], s.at[k], MPFR_RNDN);
            mpfr_add(sum, sum, e[k], MPFR_RNDN);
        }
        Case here = {"softmax", seed, n, 1, cols};
        for (size_t k = 0; k < cols; k++) {
            mpfr_div(x, e[k], sum, MPFR_RNDN);
            must_hold(here, 0, k, ball_at(P, 0, k), x);
        }
        mpfr_log(x, sum, MPFR_RNDN);
        if (cols > 1) /* log exp x is x only to 1200 bits; a lone score's ball may be exact */
            must_hold(here, 1, 0, ball_at(lse, 0, 0), x);
        points_clear(&s, cols);
        system_free(in);
    }
    for (size_t k = 0; k < RUN; k++)
        mpfr_clear(e[k]);
    mpfr_clears(sum, x, (mpfr_ptr)NULL);
    gsl_rng_free(r);
}

static void inverse_root_holds_the_true_value(void **unused)
{
    (void)unused;
    mpfr_t x;
    mpfr_init2(x, EXACT);
    for (size_t p = 0; p < 5; p++) {
        System *in = ball_system(precisions[p]);
        for (unsigned long n = 1; n <= 200; n++) {
            Scope scope = scope_open(in);
            Matrix A = matrix(in, 1, 1);
            in->op->inverse_root(in, A.entries, n);
            mpfr_set_ui(x, n, MPFR_RNDN);
            mpfr_rec_sqrt(x, x, MPFR_RNDN);
            must_hold((Case){"inverse_root", 0, (long)n, 1, 1}, 0, 0, ball_at(A, 0, 0), x);
            assert_true(arb_rel_accuracy_bits(ball_at(A, 0, 0)) >= precisions[p] - 4);
            scope_close(in, scope);
        }
        system_free(in);
    }
    mpfr_clear(x);
}

/* ---- exactness ------------------------------------------------------------------------------ */

/* No ball is widened by setting, copying or viewing. */
static void a_double_is_an_exact_ball(void **unused)
{
    (void)unused;
    const double v[] = {0, 1, -0.1, 0x1p-1074, 0x1.fffffffffffffp1023, 1e300, -1e-300};
    const size_t n = sizeof v / sizeof *v;
    System *in = ball_system(24);
    Matrix A = matrix_from(in, 1, n, v), B = matrix(in, 1, n);
    assign(B, A);
    for (size_t k = 0; k < n; k++) {
        assert_true(arb_is_exact(ball_at(B, 0, k)));
        assert_true(arf_cmp_d(arb_midref(ball_at(B, 0, k)), v[k]) == 0);
        assert_true(number_at(B, 0, k) == v[k]);
    }
    system_free(in);
}

/* It carries no error of its own, whatever the balls; and it lies near the largest midpoint m:
 * cut to 32 bits it is off by less than 2^-31 |m|. */
static void the_reference_is_exact_and_near_the_largest(void **unused)
{
    (void)unused;
    const unsigned long seed = 4;
    gsl_rng *r = random_source(seed);
    for (long n = 0; n < repetitions(2000); n++) {
        System *in = ball_system(precisions[n % 5]);
        size_t cols = 1 + random_up_to(r, RUN - 1);
        Points p = points_made(r, in, 1, cols, -20, 20, n % 3 == 0);
        Matrix m = matrix(in, 1, 1);
        in->op->reference(in, m.entries, p.balls.entries, cols);
        double top = number_at(p.balls, 0, 0);
        for (size_t k = 1; k < cols; k++)
            top = fmax(top, number_at(p.balls, 0, k));
        assert_true(arb_is_exact(ball_at(m, 0, 0)));
        if (!(fabs(number_at(m, 0, 0) - top) <= ldexp(fabs(top), -31)))
            entries_differ((Case){"reference", seed, n, 1, cols}, 0, 0, number_at(m, 0, 0), top,
                           ldexp(fabs(top), -31));
        points_clear(&p, cols);
        system_free(in);
    }
    gsl_rng_free(r);
}

/* ---- NaN and infinity ----------------------------------------------------------------------- */

static bool known(Matrix A, size_t j) { return arb_is_finite(ball_at(A, 0, j)); }

static void what_cannot_be_enclosed_is_not_finite(void **unused)
{
    (void)unused;
    const double bad[] = {NAN, INFINITY, -INFINITY}, fine[] = {1.5, 2.5};
    System *in = ball_system(64);
    for (size_t k = 0; k < 3; k++) {
        const double v[] = {bad[k], 2.5};
        Matrix A = matrix_from(in, 1, 2, v), B = matrix_from(in, 1, 2, fine), c = columns(B, 0, 1);
        Matrix bad_c = columns(A, 0, 1);
        Matrix results[] = {A,
                            add(A, B),
                            add(B, A),
                            subtract(A, B),
                            subtract(B, A),
                            scaled(c, A),
                            row_divide(A, c),
                            hadamard(A, B),
                            row_shift(A, c)};
        for (size_t j = 0; j < sizeof results / sizeof *results; j++) {
            assert_false(known(results[j], 0));
            assert_true(known(results[j], 1));
            assert_true(!isfinite(number_at(results[j], 0, 0)));
            assert_true(isfinite(number_at(results[j], 0, 1)) != 0);
        }
        assert_false(known(row_sum(A), 0));
        assert_false(known(product_nt(A, B, EVERYWHERE), 0));
        assert_false(known(product_nt(B, A, EVERYWHERE), 0));
        assert_false(known(scaled(bad_c, B), 1));
        Matrix P = row_softmax(A, NULL), zero = matrix(in, 1, 2);
        assert_false(known(P, 0) && known(P, 1) && k < 2);
        assert_false(known(subtract(A, A), 0));                  /* inf - inf */
        assert_false(known(product_nt(zero, A, EVERYWHERE), 0)); /* 0 inf */
        assert_false(known(map(SILU, bad_c), 0));
        if (k == 0)
            for (int f = 0; f <= GATE_SLOPE; f++)
                assert_false(known(map((Function)f, bad_c), 0));
    }
    const double none[] = {0, -1};
    Matrix Z = matrix_from(in, 1, 2, none), one = matrix_from(in, 1, 1, fine);
    assert_false(known(row_divide(one, columns(Z, 0, 1)), 0));
    assert_false(known(map(LOG, Z), 0) || known(map(LOG, Z), 1));
    system_free(in);
}

/* ---- widening ------------------------------------------------------------------------------- */

static void radius_of(mpfr_t r, arb_srcptr ball)
{
    arf_t x;
    arf_init(x);
    arf_set_mag(x, arb_radref(ball));
    arf_get_mpfr(r, x, MPFR_RNDU);
    arf_clear(x);
}

/* One computation at growing precision: the enclosures all hold the same number, so they
 * overlap, and each is narrower than the one before. */
static void more_bits_give_narrower_balls_around_the_same_number(void **unused)
{
    (void)unused;
    const unsigned long seed = 5;
    gsl_rng *r = random_source(seed);
    mpfr_t now, before;
    mpfr_inits2(53, now, before, (mpfr_ptr)NULL);
    for (long n = 0; n < repetitions(200); n++) {
        System *systems[5];
        Matrix answers[5];
        double q[16], k[16];
        random_fill(r, q, 16, -2, 1, &BINARY64);
        random_fill(r, k, 16, -2, 1, &BINARY64);
        for (size_t p = 0; p < 5; p++) {
            systems[p] = ball_system(precisions[p]);
            Matrix Q = matrix_from(systems[p], 4, 4, q), K = matrix_from(systems[p], 4, 4, k);
            Matrix S = product_nt(Q, K, EVERYWHERE);
            answers[p] = product(row_softmax(subtract(S, map(SILU, S)), NULL), K, EVERYWHERE);
        }
        for (size_t p = 1; p < 5; p++)
            for (size_t j = 0; j < 16; j++) {
                arb_ptr wide = ball_at(answers[p - 1], j / 4, j % 4);
                arb_ptr narrow = ball_at(answers[p], j / 4, j % 4);
                radius_of(before, wide);
                radius_of(now, narrow);
                if (!arb_overlaps(wide, narrow) || mpfr_cmp(now, before) >= 0)
                    entries_differ((Case){"precision", seed, n, 4, 4}, j / 4, j % 4,
                                   mpfr_get_d(now, MPFR_RNDN), mpfr_get_d(before, MPFR_RNDN), 0);
            }
        for (size_t p = 0; p < 5; p++)
            system_free(systems[p]);
    }
    mpfr_clears(now, before, (mpfr_ptr)NULL);
    gsl_rng_free(r);
}

/* A width of the operand is never lost: the result's ball reaches over the images of both ends. For
 * sums that is the width itself. */
static void a_wide_operand_gives_a_wide_result(void **unused)
{
    (void)unused;
    System *in = ball_system(64);
    const double v[] = {1, 2};
    Matrix A = matrix_from(in, 1, 1, v), two = matrix_from(in, 1, 1, v + 1);
    arb_add_error_2exp_si(ball_at(A, 0, 0), -3); /* [7/8, 9/8] */
    const double ends[] = {0.875, 1.125};
    for (size_t e = 0; e < 2; e++) {
        mpfr_t x, y;
        mpfr_inits2(EXACT, x, y, (mpfr_ptr)NULL);
        mpfr_set_d(x, ends[e], MPFR_RNDN);
        for (int f = 0; f <= GATE_SLOPE; f++) {
            true_function((Function)f, y, x);
            must_hold((Case){"end", 0, f, 1, 1}, 0, e, ball_at(map((Function)f, A), 0, 0), y);
        }
        mpfr_mul_ui(y, x, 2, MPFR_RNDN);
        must_hold((Case){"end", 0, 4, 1, 1}, 0, e, ball_at(scaled(two, A), 0, 0), y);
        must_hold((Case){"end", 0, 5, 1, 1}, 0, e, ball_at(scaled(A, two), 0, 0), y);
        must_hold((Case){"end", 0, 6, 1, 1}, 0, e, ball_at(product(A, two, EVERYWHERE), 0, 0), y);
        mpfr_ui_div(y, 2, x, MPFR_RNDN);
        must_hold((Case){"end", 0, 7, 1, 1}, 0, e, ball_at(row_divide(two, A), 0, 0), y);
        mpfr_clears(x, y, (mpfr_ptr)NULL);
    }
    Matrix none = subtract(A, A); /* x - x of two independent numbers of one ball */
    assert_true(arb_contains_si(ball_at(none, 0, 0), 0));
    assert_true(mag_cmp_2exp_si(arb_radref(ball_at(none, 0, 0)), -2) >= 0);
    system_free(in);
}

static void ball_of_another_system(void) { (void)ball_at(matrix(f64_system(), 1, 1), 0, 0); }

static void only_balls_are_read_as_balls(void **unused)
{
    (void)unused;
    assert_aborts(ball_of_another_system, "bug in ball_at: the matrix is in the system f64");
}

static int free_arb_s_caches(void **unused)
{
    (void)unused;
    flint_cleanup();
    mpfr_free_cache();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_balls_are_read_as_balls),
        cmocka_unit_test(sums_products_and_quotients_hold_the_true_value),
        cmocka_unit_test(functions_hold_the_true_value),
        cmocka_unit_test(a_softmax_holds_the_true_weights),
        cmocka_unit_test(inverse_root_holds_the_true_value),
        cmocka_unit_test(a_double_is_an_exact_ball),
        cmocka_unit_test(the_reference_is_exact_and_near_the_largest),
        cmocka_unit_test(what_cannot_be_enclosed_is_not_finite),
        cmocka_unit_test(more_bits_give_narrower_balls_around_the_same_number),
        cmocka_unit_test(a_wide_operand_gives_a_wide_result),
    };
    return cmocka_run_group_tests(tests, NULL, free_arb_s_caches);
}
