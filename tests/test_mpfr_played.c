/* SPDX-License-Identifier: GPL-3.0-or-later */
/* MPFR that plays a format: the machine's own float and double bit for bit, and 16-bit formats by
 * their bit patterns. */
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
    const float edges[] = {
        0,       -0.0f,           1,         -1,         FLT_MAX,          -FLT_MAX,
        FLT_MIN, -FLT_MIN,        0x1p-149f, -0x1p-149f, 0x1.fffffcp-127f, 0x1p-75f,
        0x1p64f, 1 + FLT_EPSILON, 3,         INFINITY,   -INFINITY,        NAN};
    switch (manner) {
    case 0:
        return float_from_bits((uint32_t)gsl_rng_get(r));
    case 1:
        return (float)random_double(r, -3, 3);
    case 2:
        return (float)random_double(r, -150, -120);
    case 3:
        return (float)random_double(r, -76, -60); /* products underflow */
    case 4:
        return (float)random_double(r, 60, 66); /* products overflow */
    default:
        return edges[random_up_to(r, sizeof edges / sizeof *edges - 1)];
    }
}

/* Wide enough that a compiler cannot keep more than float between operations (none does: SSE). */
static float plus(float a, float b)
{
    volatile float c = a + b;
    return c;
}
static float minus(float a, float b)
{
    volatile float c = a - b;
    return c;
}
static float times(float a, float b)
{
    volatile float c = a * b;
    return c;
}
static float over(float a, float b)
{
    volatile float c = a / b;
    return c;
}

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

/* Sums of products alone are fused: the hardware's fmaf(), the first product rounded. */
static void played_fused_float32_is_the_hardware_fma(void **unused)
{
    (void)unused;
    const unsigned long seed = 5;
    gsl_rng *r = random_source(seed);
    Arithmetic a = arithmetic("float32");
    System *fused = played_fused_system(&a), *plain = played_system(&a);
    size_t differ = 0;
    for (long n = 0; n < repetitions(600); n++) {
        double x[RUN], y[RUN];
        float sum = 0;
        for (size_t k = 0; k < RUN; k++) {
            x[k] = (double)random_float(r, (size_t)n % 6);
            y[k] = (double)random_float(r, (size_t)n / 6 % 6);
            float u = (float)x[k], v = (float)y[k];
            sum = k ? fmaf(u, v, sum) : times(u, v);
        }
        Matrix both[2];
        System *const in[2] = {fused, plain};
        Scope scope[2];
        for (size_t s = 0; s < 2; s++) {
            scope[s] = scope_open(in[s]);
            both[s] = product(matrix_from(in[s], 1, RUN, x), matrix_from(in[s], RUN, 1, y),
                              EVERYWHERE);
        }
        Case here = {"fused", seed, n, 0, 0};
        assert_same(here, 0, 0, number_at(both[0], 0, 0), (double)sum);
        differ += number_at(both[0], 0, 0) != number_at(both[1], 0, 0);
        for (size_t s = 0; s < 2; s++)
            scope_close(in[s], scope[s]);
    }
    assert_true(differ > 100);
    system_free(fused);
    system_free(plain);
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
    const uint32_t magnitudes[] = {0,          1,          2,          3,          0x3fffff,
                                   0x400000,   0x7fffff,   0x800000,   0x800001,   0x00ffffff,
                                   0x1f800000, 0x20000000, 0x33800000, 0x33800001, 0x3f7fffff,
                                   0x3f800000, 0x3f800001, 0x40400000, 0x4b7fffff, 0x5f000000,
                                   0x7effffff, 0x7f000000, 0x7f7fffff, 0x7f800000, 0x7fc00000};
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
                v[k] = random_double(r, -540, -500); /* products are subnormal */
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
    for (unsigned p = 0; p < infinite;
         p += p + step < infinite || p == infinite - 1 ? step : infinite - 1 - p) {
        Scope scope = scope_open(in);
        double here = magnitude_of(p, mantissa, bias), above = magnitude_of(p + 1, mantissa, bias);
        double next = p + 1 == infinite ? INFINITY : above;
        float middle = (float)(here + (above - here) / 2);
        assert_true((double)middle == here + (above - here) / 2);
        const double v[POINTS] = {here,
                                  (double)middle,
                                  (double)nextafterf(middle, 0),
                                  (double)nextafterf(middle, INFINITY),
                                  -here,
                                  -(double)middle,
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(played_float32_is_the_hardware_float),
        cmocka_unit_test(played_fused_float32_is_the_hardware_fma),
        cmocka_unit_test(played_float32_has_the_hardware_s_edges),
        cmocka_unit_test(played_float64_is_the_hardware_double),
        cmocka_unit_test(a_double_enters_float32_as_by_a_cast),
        cmocka_unit_test(a_stage_ties_to_the_even_pattern),
        cmocka_unit_test(a_stage_rounds_as_a_kernel_does_on_bits),
        cmocka_unit_test(a_stage_that_costs_nothing_changes_nothing),
        cmocka_unit_test(a_stage_rounds_the_view_it_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
