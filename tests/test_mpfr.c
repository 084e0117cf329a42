/* SPDX-License-Identifier: GPL-3.0-or-later */
/* MPFR as a number system: at any precision one correct rounding per operation; playing a
 * format, the machine's own float and double bit for bit, and 16-bit formats by their bit
 * patterns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>

#include "systems_support.h"

/* ---- the machine's float -------------------------------------------------------------------- */

static float float_from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t bits_of_float(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

enum { RUN = 512 };

/* Random bits (every exponent alike), or numbers near 1, near underflow, near overflow, edges. */
static float random_float(gsl_rng *r, size_t manner)
{
    const float edges[] = {0, -0.0f, 1, -1, FLT_MAX, -FLT_MAX, FLT_MIN, -FLT_MIN, 0x1p-149f,
                           -0x1p-149f, 0x1.fffffcp-127f, 0x1p-75f, 0x1p64f, 1 + FLT_EPSILON, 3,
                           INFINITY, -INFINITY, NAN};
    switch (manner) {
    case 0:
        return float_from_bits((uint32_t)gsl_rng_get(r));
    case 1:
        return (float)random_double(r, -3, 3);
    case 2:
        return (float)random_double(r, -150, -120);
    case 3:
        return (float)random_double(r, -76, -60);       /* products underflow */
    case 4:
        return (float)random_double(r, 60, 66);         /* products overflow */
    default:
        return edges[random_up_to(r, sizeof edges / sizeof *edges - 1)];
    }
}

/* Wide enough that a compiler cannot keep more than float between operations (none does: SSE). */
static float plus(float a, float b) { volatile float c = a + b; return c; }
static float minus(float a, float b) { volatile float c = a - b; return c; }
static float times(float a, float b) { volatile float c = a * b; return c; }
static float over(float a, float b) { volatile float c = a / b; return c; }

typedef struct Floats {
    double a[RUN], b[RUN];
} Floats;

static void check_floats(System *in, const Floats *v, unsigned long seed, long number)
{
    Case here = {"played float32", seed, number, 1, RUN};
    Matrix A = matrix_from(in, 1, RUN, v->a), B = matrix_from(in, 1, RUN, v->b);
    Matrix sum = add(A, B), difference = subtract(A, B), total = row_sum(A);
    Matrix dot = product_nt(A, B, EVERYWHERE), c = columns(B, 0, 1);
    Matrix multiple = scaled(c, A), quotient = row_divide(A, c), both = hadamard(A, B);
    Matrix less = row_shift(A, c);
    float left_to_right = 0, products = 0, factor = (float)v->b[0];
    for (size_t k = 0; k < RUN; k++) {
        float a = (float)v->a[k], b = (float)v->b[k];
        assert_same(here, 0, k, number_at(sum, 0, k), (double)plus(a, b));
        assert_same(here, 1, k, number_at(difference, 0, k), (double)minus(a, b));
        assert_same(here, 2, k, number_at(multiple, 0, k), (double)times(a, factor));
        assert_same(here, 3, k, number_at(quotient, 0, k), (double)over(a, factor));
        assert_same(here, 6, k, number_at(both, 0, k), (double)times(a, b));
        assert_same(here, 7, k, number_at(less, 0, k), (double)minus(a, factor));
        left_to_right = plus(left_to_right, a);
        products = k ? plus(products, times(a, b)) : times(a, b);
    }
    assert_same(here, 4, 0, number_at(total, 0, 0), (double)left_to_right);
    assert_same(here, 5, 0, number_at(dot, 0, 0), (double)products);
    assert_same(here, 8, 0, number_at(row_dot(A, B), 0, 0), (double)products);
}

static void played_float32_is_the_hardware_float(void **unused)
{
    (void)unused;
    const unsigned long seed = 1;
    gsl_rng *r = random_source(seed);
    Arithmetic a = arithmetic("float32");
    System *in = played_system(&a);
    static Floats v;
    for (long n = 0; n < repetitions(600); n++) {
        Scope scope = scope_open(in);
        size_t manner = random_up_to(r, 6), other = random_up_to(r, 6);
        for (size_t k = 0; k < RUN; k++) {
            v.a[k] = (double)random_float(r, manner == 6 ? random_up_to(r, 5) : manner);
            v.b[k] = (double)random_float(r, other == 6 ? random_up_to(r, 5) : other);
        }
        check_floats(in, &v, seed, n);
        scope_close(in, scope);
    }
    system_free(in);
    gsl_rng_free(r);
}

/* Every pair of edges, through operations on 1 x 1 matrices. */
static void played_float32_has_the_hardware_s_edges(void **unused)
{
    (void)unused;
    Arithmetic a = arithmetic("float32");
    System *in = played_system(&a);
    float edges[60];
    size_t count = 0;
    const uint32_t magnitudes[] = {0, 1, 2, 3, 0x3fffff, 0x400000, 0x7fffff, 0x800000, 0x800001,
                                   0x00ffffff, 0x1f800000, 0x20000000, 0x33800000, 0x33800001,
                                   0x3f7fffff, 0x3f800000, 0x3f800001, 0x40400000, 0x4b7fffff,
                                   0x5f000000, 0x7effffff, 0x7f000000, 0x7f7fffff, 0x7f800000,
                                   0x7fc00000};
    for (size_t k = 0; k < sizeof magnitudes / sizeof *magnitudes; k++) {
        edges[count++] = float_from_bits(magnitudes[k]);
        edges[count++] = float_from_bits(magnitudes[k] | 0x80000000);
    }
    for (size_t x = 0; x < count; x++)
        for (size_t y = 0; y < count; y++) {
            Scope scope = scope_open(in);
            float u = edges[x], v = edges[y];
            const double du = (double)u, dv = (double)v;
            Case here = {"edges, + - * /", 0, 0, x, y};
            Matrix A = matrix_from(in, 1, 1, &du), B = matrix_from(in, 1, 1, &dv);
            assert_same(here, 0, 0, number_at(add(A, B), 0, 0), (double)plus(u, v));
            assert_same(here, 1, 0, number_at(subtract(A, B), 0, 0), (double)minus(u, v));
            assert_same(here, 2, 0, number_at(scaled(B, A), 0, 0), (double)times(u, v));
            assert_same(here, 3, 0, number_at(row_divide(A, B), 0, 0), (double)over(u, v));
            assert_same(here, 4, 0, number_at(product(A, B, EVERYWHERE), 0, 0),
                        (double)times(u, v));
            scope_close(in, scope);
        }
    system_free(in);
}

static void played_float64_is_the_hardware_double(void **unused)
{
    (void)unused;
    const unsigned long seed = 2;
    gsl_rng *r = random_source(seed);
    Arithmetic arith = arithmetic("float64");
    System *in = played_system(&arith);
    for (long n = 0; n < repetitions(20000); n++) {
        Scope scope = scope_open(in);
        double v[2];
        for (size_t k = 0; k < 2; k++) {
            uint64_t bits = random_word(r);
            memcpy(&v[k], &bits, sizeof v[k]);
            if (n % 3 == 1)
                v[k] = random_double(r, -540, -500);    /* products are subnormal */
            if (n % 3 == 2)
                v[k] = random_double(r, -1074, -1018);
        }
        volatile double a = v[0], b = v[1];
        Case here = {"played float64", seed, n, 1, 1};
        Matrix A = matrix_from(in, 1, 1, &v[0]), B = matrix_from(in, 1, 1, &v[1]);
        assert_same(here, 0, 0, number_at(add(A, B), 0, 0), a + b);
        assert_same(here, 1, 0, number_at(subtract(A, B), 0, 0), a - b);
        assert_same(here, 2, 0, number_at(scaled(B, A), 0, 0), a * b);
        assert_same(here, 3, 0, number_at(row_divide(A, B), 0, 0), a / b);
        scope_close(in, scope);
    }
    system_free(in);
    gsl_rng_free(r);
}

static void a_double_enters_float32_as_by_a_cast(void **unused)
{
    (void)unused;
    const unsigned long seed = 3;
    gsl_rng *r = random_source(seed);
    Arithmetic a = arithmetic("float32");
    System *in = played_system(&a);
    for (long n = 0; n < repetitions(20000); n++) {
        Scope scope = scope_open(in);
        double x = random_double(r, -155, 129);
        assert_same((Case){"set", seed, n, 1, 1}, 0, 0, number_at(matrix_from(in, 1, 1, &x), 0, 0),
                    (double)(float)x);
        scope_close(in, scope);
    }
    system_free(in);
    gsl_rng_free(r);
}

/* ---- 16-bit formats by their bit patterns --------------------------------------------------- */

/* The magnitude of pattern p with `mantissa` stored bits and that bias, as IEEE 754 defines it; the
 * first pattern past the largest number gives 2^(emax + 1), where infinity begins to be nearer. */
static double magnitude_of(unsigned p, int mantissa, int bias)
{
    unsigned exponent = p >> mantissa, fraction = p & ((1u << mantissa) - 1);
    if (exponent == 0)
        return ldexp((double)fraction, 1 - bias - mantissa);
    return ldexp((double)(fraction + (1u << mantissa)), (int)exponent - bias - mantissa);
}

/* All finite patterns: the number stays, the middle to the next one ties to the even pattern, and a
 * hair (one unit of float32) to either side of the middle goes to that side. `step` thins out. */
static void check_patterns(const char *declaration, Stage site, int mantissa, int exponent_bits,
                           unsigned step)
{
    enum { POINTS = 8 };
    Arithmetic a = arithmetic(declaration);
    System *in = played_system(&a);
    int bias = (1 << (exponent_bits - 1)) - 1;
    unsigned infinite = ((1u << exponent_bits) - 1) << mantissa;
    for (unsigned p = 0; p < infinite; p += p + step < infinite || p == infinite - 1 ? step
                                            : infinite - 1 - p) {
        Scope scope = scope_open(in);
        double here = magnitude_of(p, mantissa, bias), above = magnitude_of(p + 1, mantissa, bias);
        double next = p + 1 == infinite ? INFINITY : above;
        float middle = (float)(here + (above - here) / 2);
        assert_true((double)middle == here + (above - here) / 2);
        const double v[POINTS] = {here, (double)middle, (double)nextafterf(middle, 0),
                                  (double)nextafterf(middle, INFINITY), -here, -(double)middle,
                                  -(double)nextafterf(middle, 0),
                                  -(double)nextafterf(middle, INFINITY)};
        const double kept[4] = {here, p & 1 ? next : here, here, next};
        Matrix A = stage(site, matrix_from(in, 1, POINTS, v));
        for (size_t k = 0; k < POINTS; k++)
            assert_same((Case){declaration, 0, (long)p, 1, POINTS}, 0, k, number_at(A, 0, k),
                        k < 4 ? kept[k] : -kept[k - 4]);
        scope_close(in, scope);
    }
    const double special[] = {INFINITY, -INFINITY, NAN, FLT_MAX, -FLT_MAX};
    Matrix S = stage(site, matrix_from(in, 1, 5, special));
    assert_true(number_at(S, 0, 0) > DBL_MAX && number_at(S, 0, 1) < -DBL_MAX);
    assert_true(isnan(number_at(S, 0, 2)));
    assert_true(number_at(S, 0, 3) > DBL_MAX && number_at(S, 0, 4) < -DBL_MAX);
    system_free(in);
}

static void a_stage_ties_to_the_even_pattern(void **unused)
{
    (void)unused;
    unsigned step = asked_for("CASTLE_TEST_SHORT") ? 97 : 1;
    check_patterns("bfloat16", STAGE_P, 7, 8, step);
    check_patterns("float16", STAGE_G, 10, 5, step);
    check_patterns("tf32", STAGE_T1, 10, 8, step * 8 + 5);
    check_patterns("float32,lse=bfloat16", STAGE_LSE, 7, 8, step * 11);
}

/* The same by the usual addition of half a unit to a float's bits. */
static void a_stage_rounds_as_a_kernel_does_on_bits(void **unused)
{
    (void)unused;
    const unsigned long seed = 4;
    gsl_rng *r = random_source(seed);
    Arithmetic a = arithmetic("float32,p=bfloat16,g=tf32");
    System *in = played_system(&a);
    for (long n = 0; n < repetitions(20000); n++) {
        Scope scope = scope_open(in);
        float x = float_from_bits((uint32_t)gsl_rng_get(r));
        double v = (double)x;
        const int dropped[] = {16, 13};
        for (size_t s = 0; s < 2 && !isnan(x); s++) {
            uint32_t bits = bits_of_float(x), half = (1u << (dropped[s] - 1)) - 1;
            bits += half + (bits >> dropped[s] & 1);
            float kept = float_from_bits(bits & ~0u << dropped[s]);
            Matrix A = stage(s ? STAGE_G : STAGE_P, matrix_from(in, 1, 1, &v));
            assert_same((Case){s ? "tf32" : "bfloat16", seed, n, 1, 1}, 0, 0, number_at(A, 0, 0),
                        (double)kept);
        }
        scope_close(in, scope);
    }
    system_free(in);
    gsl_rng_free(r);
}

/* A site no coarser than the accumulators, and every site outside a declared kernel. */
static void a_stage_that_costs_nothing_changes_nothing(void **unused)
{
    (void)unused;
    Arithmetic a = arithmetic("float32,p=float64");
    System *systems[] = {played_system(&a), mpfr_system(60)};
    const double v[] = {0x1.123456p-3, 0x1p-149, FLT_MAX};
    for (size_t s = 0; s < 2; s++) {
        for (int name = 0; name < STAGES; name++) {
            Matrix A = stage((Stage)name, matrix_from(systems[s], 1, 3, v));
            for (size_t k = 0; k < 3; k++)
                assert_true(number_at(A, 0, k) == v[k]);
        }
        system_free(systems[s]);
    }
}

/* A view's stage is the view's alone; the matrix behind it stays as it was. */
static void a_stage_rounds_the_view_it_is_given(void **unused)
{
    (void)unused;
    Arithmetic a = arithmetic("bfloat16");
    System *in = played_system(&a);
    const double v[] = {1.01, 1.01, 1.01, 1.01};
    Matrix A = matrix_from(in, 2, 2, v);
    Matrix kept = stage(STAGE_P, columns(row(A, 1), 1, 1));
    assert_true(number_at(kept, 0, 0) == 0x1.02p0);
    for (size_t k = 0; k < 4; k++)
        assert_true(number_at(A, k / 2, k % 2) == (double)1.01f);
    system_free(in);
}

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
        if (f == SILU_SLOPE) {                      /* gate (1 + x (1 - gate)) */
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
        const double edges[] = {0, -0.0, INFINITY, -INFINITY, NAN, 88.7, 88.75, -88.7, -103.9, -104,
                                11.09, -17.4, 89, -89, 1e-30, -1e-30, 1, -1, 0x1p-149, 65504};
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
        System *in = s == 0 ? f64_system() : s == 1 ? mpfr_system(53) : s == 2 ? ball_system(60)
                   : s == 3 ? noisy_system(&plain, 1, 0) : s == 4 ? bounded_system(&plain)
                   : s == 5 ? played_system(&plain) : f32_system();
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
        if (s < 6)      /* log(1 + x) = x - x^2/2 + ..: x to its last place but one */
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
        cmocka_unit_test(played_float32_is_the_hardware_float),
        cmocka_unit_test(played_float32_has_the_hardware_s_edges),
        cmocka_unit_test(played_float64_is_the_hardware_double),
        cmocka_unit_test(a_double_enters_float32_as_by_a_cast),
        cmocka_unit_test(a_stage_ties_to_the_even_pattern),
        cmocka_unit_test(a_stage_rounds_as_a_kernel_does_on_bits),
        cmocka_unit_test(a_stage_that_costs_nothing_changes_nothing),
        cmocka_unit_test(a_stage_rounds_the_view_it_is_given),
        cmocka_unit_test(what_is_set_is_got),
        cmocka_unit_test(exponents_are_unbounded),
        cmocka_unit_test(inverse_root_is_correctly_rounded),
        cmocka_unit_test(a_sum_rounds_each_product_and_each_addition),
        cmocka_unit_test(functions_are_correctly_rounded_step_by_step),
        cmocka_unit_test(a_played_kernel_disturbs_no_other_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
