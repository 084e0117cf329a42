/* SPDX-License-Identifier: GPL-3.0-or-later */
/* MPFR as a number system: at any precision one correct rounding per operation, and per step of a
 * function; and its exponent range, which belongs to the thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>

#include "systems_support.h"

/* ---- any precision -------------------------------------------------------------------------- */

static void what_is_set_is_got(void **unused)
{
    (void)unused;
    const unsigned long seed = 5;
    gsl_rng *r = random_source(seed);
    const long precisions[] = {53, 54, 64, 113, 1000, 4096};
    for (size_t p = 0; p < sizeof precisions / sizeof *precisions; p++) {
        System *in = mpfr_system(precisions[p]);
        for (long n = 0; n < repetitions(3000); n++) {
            Scope scope = scope_open(in);
            uint64_t bits = random_word(r);
            double x;
            memcpy(&x, &bits, sizeof x);
            if (n % 8 == 0)
                x = ldexp(random_double(r, 0, 0), -1074 + (int)random_up_to(r, 53));
            assert_same((Case){"set and get", seed, n, 1, 1}, 0, 0,
                        number_at(matrix_from(in, 1, 1, &x), 0, 0), x);
            scope_close(in, scope);
        }
        const double edges[] = {0, -0.0, INFINITY, -INFINITY, NAN, DBL_MAX, 0x1p-1074};
        for (size_t k = 0; k < sizeof edges / sizeof *edges; k++)
            assert_true(same(number_at(matrix_from(in, 1, 1, &edges[k]), 0, 0), edges[k]));
        system_free(in);
    }
    gsl_rng_free(r);
}

/* No exponent is too large or too small outside a declared kernel. */
static void exponents_are_unbounded(void **unused)
{
    (void)unused;
    System *in = mpfr_system(53);
    const double v[] = {0x1p1000, 0x1p-1000};
    Matrix A = matrix_from(in, 1, 2, v), large = columns(A, 0, 1), small = columns(A, 1, 1);
    for (int k = 0; k < 20; k++) {
        large = scaled(large, large);
        small = scaled(small, small);
    }
    assert_true(number_at(scaled(large, small), 0, 0) == 1);
    system_free(in);
}

/* Correctly rounded: 1/sqrt(n) lies within half a unit of y. With y = m 2^e, (2m-1)^2 n <= 2^(2-2e)
 * <= (2m+1)^2 n, in integers that 5000 bits hold. */
static void inverse_root_is_correctly_rounded(void **unused)
{
    (void)unused;
    const long precisions[] = {8, 24, 53, 300, 1000};
    mpfr_t y, half, low, high;
    for (size_t p = 0; p < sizeof precisions / sizeof *precisions; p++) {
        System *in = mpfr_system(precisions[p]);
        mpfr_init2(y, precisions[p]);
        mpfr_inits2(5000, half, low, high, (mpfr_ptr)NULL);
        for (unsigned long n = 1; n <= 256; n++) {
            Scope scope = scope_open(in);
            Matrix A = matrix(in, 1, 1);
            in->op->inverse_root(in, A.entries, n);
            entry_to(y, A, 0, 0);
            mpfr_set_ui_2exp(half, 1, mpfr_get_exp(y) - precisions[p] - 1, MPFR_RNDN);
            mpfr_sub(low, y, half, MPFR_RNDN);
            mpfr_add(high, y, half, MPFR_RNDN);
            mpfr_sqr(low, low, MPFR_RNDN);
            mpfr_sqr(high, high, MPFR_RNDN);
            mpfr_mul_ui(low, low, n, MPFR_RNDN);
            mpfr_mul_ui(high, high, n, MPFR_RNDN);
            if (mpfr_cmp_ui(low, 1) > 0 || mpfr_cmp_ui(high, 1) < 0)
                entries_differ((Case){"inverse_root", 0, (long)n, 1, 1}, 0, 0,
                               mpfr_get_d(y, MPFR_RNDN), 1 / sqrt((double)n), 0);
            scope_close(in, scope);
        }
        mpfr_clears(y, half, low, high, (mpfr_ptr)NULL);
        system_free(in);
    }
}

/* Sums left to right, at any precision: the definition with MPFR's own calls. */
static void a_sum_rounds_each_product_and_each_addition(void **unused)
{
    (void)unused;
    const unsigned long seed = 6;
    gsl_rng *r = random_source(seed);
    const mpfr_prec_t bits = 40;
    System *in = mpfr_system(bits);
    mpfr_t a, b, term, sum, total;
    mpfr_inits2(53, a, b, (mpfr_ptr)NULL);
    mpfr_inits2(bits, term, sum, total, (mpfr_ptr)NULL);
    for (long n = 0; n < repetitions(300); n++) {
        Scope scope = scope_open(in);
        enum { L = 20 };
        double x[L], y[L];
        for (size_t k = 0; k < L; k++) {
            x[k] = ldexp(rint(ldexp(random_double(r, 0, 0), 30)), (int)random_up_to(r, 20) - 40);
            y[k] = ldexp(rint(ldexp(random_double(r, 0, 0), 30)), (int)random_up_to(r, 20) - 40);
        }
        Matrix X = matrix_from(in, 1, L, x), Y = matrix_from(in, L, 1, y);
        Matrix dot = product(X, Y, EVERYWHERE), plain = row_sum(X);
        mpfr_set_zero(sum, 1);
        mpfr_set_zero(total, 1);
        for (size_t k = 0; k < L; k++) {
            mpfr_set_d(a, x[k], MPFR_RNDN);
            mpfr_set_d(b, y[k], MPFR_RNDN);
            mpfr_mul(term, a, b, MPFR_RNDN);
            mpfr_add(sum, sum, term, MPFR_RNDN);
            mpfr_add(total, total, a, MPFR_RNDN);
        }
        Case here = {"sums at 40 bits", seed, n, 1, L};
        assert_same(here, 0, 0, number_at(dot, 0, 0), mpfr_get_d(sum, MPFR_RNDN));
        assert_same(here, 0, 1, number_at(plain, 0, 0), mpfr_get_d(total, MPFR_RNDN));
        scope_close(in, scope);
    }
    mpfr_clears(a, b, term, sum, total, (mpfr_ptr)NULL);
    system_free(in);
    gsl_rng_free(r);
}

/* ---- elementary functions ------------------------------------------------------------------- */

/* f correctly rounded to the format from 400 bits, where f is exp or log; NULL: no format. */
static void nearest(mpfr_t y, int (*f)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t), const mpfr_t x,
                    const Format *format)
{
    mpfr_t wide;
    mpfr_init2(wide, 400);
    f(wide, x, MPFR_RNDN);
    if (format)
        format_round(y, wide, format);
    else
        mpfr_set(y, wide, MPFR_RNDN);
    mpfr_clear(wide);
}

static void settle(mpfr_t y, const mpfr_t wide, const Format *format)
{
    if (format)
        format_round(y, wide, format);
    else
        mpfr_set(y, wide, MPFR_RNDN);
}

/* exp, add 1, divide 1 by it, and for SiLU times x: each exact to 400 bits, then rounded. */
static void composed(Function f, mpfr_t y, const mpfr_t x, const Format *format)
{
    mpfr_t wide, minus_x;
    mpfr_init2(wide, 400);
    mpfr_init2(minus_x, mpfr_get_prec(x));
    if (f == EXP || f == LOG) {
        nearest(y, f == EXP ? mpfr_exp : mpfr_log, x, format);
    } else if (f == GATE_SLOPE) {
        mpfr_ui_sub(wide, 1, x, MPFR_RNDN);
        settle(y, wide, format);
        mpfr_mul(wide, x, y, MPFR_RNDN);
        settle(y, wide, format);
    } else {
        mpfr_neg(minus_x, x, MPFR_RNDN);
        nearest(y, mpfr_exp, minus_x, format);
        mpfr_add_ui(wide, y, 1, MPFR_RNDN);
        settle(y, wide, format);
        mpfr_ui_div(wide, 1, y, MPFR_RNDN);
        settle(y, wide, format);
        if (f == SILU) {
            mpfr_mul(wide, x, y, MPFR_RNDN);
            settle(y, wide, format);
        }
        if (f == SILU_SLOPE) { /* gate (1 + x (1 - gate)) */
            mpfr_t gate;
            mpfr_init2(gate, mpfr_get_prec(y));
            mpfr_set(gate, y, MPFR_RNDN);
            mpfr_ui_sub(wide, 1, gate, MPFR_RNDN);
            settle(y, wide, format);
            mpfr_mul(wide, x, y, MPFR_RNDN);
            settle(y, wide, format);
            mpfr_add_ui(wide, y, 1, MPFR_RNDN);
            settle(y, wide, format);
            mpfr_mul(wide, gate, y, MPFR_RNDN);
            settle(y, wide, format);
            mpfr_clear(gate);
        }
    }
    mpfr_clear(wide);
    mpfr_clear(minus_x);
}

static void check_functions(System *in, const Format *format, long bits, const double *v, size_t n,
                            Case here)
{
    const Function functions[] = {SIGMOID, SILU, EXP, LOG, SILU_SLOPE, GATE_SLOPE};
    mpfr_t x, y;
    mpfr_init2(x, bits);
    mpfr_init2(y, bits);
    Matrix A = matrix_from(in, 1, n, v);
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        Matrix B = map(functions[f], A);
        for (size_t k = 0; k < n; k++) {
            entry_to(x, A, 0, k);
            composed(functions[f], y, x, format);
            assert_same(here, f, k, number_at(B, 0, k), mpfr_get_d(y, MPFR_RNDN));
        }
    }
    mpfr_clear(x);
    mpfr_clear(y);
}

static void functions_are_correctly_rounded_step_by_step(void **unused)
{
    (void)unused;
    const unsigned long seed = 7;
    gsl_rng *r = random_source(seed);
    Arithmetic a32 = arithmetic("float32"), a16 = arithmetic("float32,accumulate=float16");
    Arithmetic b16 = arithmetic("float32,accumulate=bfloat16");
    System *systems[] = {played_system(&a32), played_system(&a16), played_system(&b16),
                         mpfr_system(24), mpfr_system(50)};
    const Format *formats[] = {&BINARY32, &BINARY16, &BFLOAT16, NULL, NULL};
    const long bits[] = {24, 11, 8, 24, 50};
    for (size_t s = 0; s < 5; s++) {
        const double edges[] = {0,     -0.0,   INFINITY, -INFINITY, NAN,      88.7, 88.75,
                                -88.7, -103.9, -104,     11.09,     -17.4,    89,   -89,
                                1e-30, -1e-30, 1,        -1,        0x1p-149, 65504};
        check_functions(systems[s], formats[s], bits[s], edges, sizeof edges / sizeof *edges,
                        (Case){"functions at edges", 0, (long)s, 1, 1});
        for (long n = 0; n < repetitions(40); n++) {
            Scope scope = scope_open(systems[s]);
            double v[64];
            for (size_t k = 0; k < 64; k++)
                v[k] = n % 2 ? 110 * (2 * gsl_rng_uniform(r) - 1) : random_double(r, -20, 4);
            check_functions(systems[s], formats[s], bits[s], v, 64,
                            (Case){systems[s]->op->name, seed, n, 1, 64});
            scope_close(systems[s], scope);
        }
        system_free(systems[s]);
    }
    gsl_rng_free(r);
}

/* ---- one thread, many systems --------------------------------------------------------------- */

/* MPFR's exponent range belongs to the thread: a played float16 must not narrow anybody else's. */
static void a_played_kernel_disturbs_no_other_system(void **unused)
{
    (void)unused;
    Arithmetic narrow = arithmetic("float32,accumulate=float16"), plain = arithmetic("float64");
    const double v[] = {0x1p300, 0x1p-300, 1 + 0x1p-50}, one = 1;
    for (size_t s = 0; s < 7; s++) {
        System *played = played_system(&narrow);
        System *in = s == 0   ? f64_system()
                     : s == 1 ? mpfr_system(53)
                     : s == 2 ? ball_system(60)
                     : s == 3 ? noisy_system(&plain, 1, 0)
                     : s == 4 ? bounded_system(&plain)
                     : s == 5 ? played_system(&plain)
                              : f32_system();
        Matrix A = matrix_from(in, 1, 3, v), N = matrix_from(played, 1, 1, &one);
        (void)map(SILU, N);
        (void)row_softmax(N, NULL);
        (void)hadamard(N, N);
        for (size_t k = 0; k < 3; k++)
            assert_same((Case){in->op->name, 0, 0, 1, 3}, 0, k, number_at(A, 0, k),
                        s == 6 ? (double)(float)v[k] : v[k]);
        (void)map(SILU, N);
        Matrix B = map(LOG, columns(A, 2, 1));
        (void)stage(STAGE_P, hadamard(N, N));
        assert_int_equal(mpfr_get_emax(), mpfr_get_emax_max());
        if (s < 6) /* log(1 + x) = x - x^2/2 + ..: x to its last place but one */
            assert_true(fabs(number_at(B, 0, 0) - 0x1p-50) <= 0x1p-99);
        (void)map(SILU, N);
        assert_int_equal(mpfr_get_emax(), mpfr_get_emax_max());
        assert_int_equal(mpfr_get_emin(), mpfr_get_emin_min());
        system_free(in);
        system_free(played);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_set_is_got),
        cmocka_unit_test(exponents_are_unbounded),
        cmocka_unit_test(inverse_root_is_correctly_rounded),
        cmocka_unit_test(a_sum_rounds_each_product_and_each_addition),
        cmocka_unit_test(functions_are_correctly_rounded_step_by_step),
        cmocka_unit_test(a_played_kernel_disturbs_no_other_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
