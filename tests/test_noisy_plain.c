/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Monte Carlo arithmetic without noise is plain binary64, with its own exp and log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "systems_support.h"

static void without_noise_it_is_plain_double_arithmetic(void **unused)
{
    (void)unused;
    const unsigned long seed = 1;
    gsl_rng *r = random_source(seed);
    const char *const declarations[] = {"bfloat16", "float32", "float64",
                                        "float16,accumulate=tf32"};
    for (long n = 0; n < repetitions(400); n++) {
        Arithmetic a = arithmetic(declarations[n % 4]);
        System *in = noisy_system(&a, (uint64_t)n, 0);
        enum { L = 7, ALL = L * L };
        double x[ALL], y[ALL], c[L];
        random_fill(r, x, ALL, -10, 5, &BINARY64);
        random_fill(r, y, ALL, -10, 5, &BINARY64);
        random_fill(r, c, L, -10, 5, &BINARY64);
        Matrix A = matrix_from(in, L, L, x), B = matrix_from(in, L, L, y);
        Matrix C = matrix_from(in, L, 1, c), k = rows(C, 0, 1), sum = add(A, B);
        Matrix difference = subtract(A, B), multiple = scaled(k, A);
        Matrix tn = product_tn(A, B, EVERYWHERE), both = hadamard(A, B), dots = row_dot(A, B);
        Matrix slope = map(GATE_SLOPE, A), silu_slope = map(SILU_SLOPE, A);
        Matrix quotient = row_divide(A, C), total = row_sum(A), nn = product(A, B, EVERYWHERE);
        Matrix nt = product_nt(A, B, EVERYWHERE), gate = map(SIGMOID, A), silu = map(SILU, A);
        Matrix e = map(EXP, scaled(matrix_from(in, 1, 1, (const double[]){-1}), A));
        Case here = {"no noise", seed, n, L, L};
        for (size_t i = 0; i < L; i++) {
            double total_i = 0, dot_i = 0;
            for (size_t j = 0; j < L; j++) {
                const size_t ij = i * L + j;
                double dot = 0, dot_t = 0, dot_tn = 0, g = number_at(gate, i, j);
                for (size_t t = 0; t < L; t++) {
                    dot += x[i * L + t] * y[t * L + j];
                    dot_t += x[i * L + t] * y[j * L + t];
                    dot_tn += x[t * L + i] * y[t * L + j];
                }
                dot_i += x[ij] * y[ij];
                assert_same(here, i, j, number_at(tn, i, j), dot_tn);
                assert_same(here, i, j, number_at(both, i, j), x[ij] * y[ij]);
                assert_same(here, i, j, number_at(slope, i, j), x[ij] * (1 - x[ij]));
                assert_same(here, i, j, number_at(silu_slope, i, j), g * (1 + x[ij] * (1 - g)));
                total_i += x[ij];
                assert_same(here, i, j, number_at(sum, i, j), x[ij] + y[ij]);
                assert_same(here, i, j, number_at(difference, i, j), x[ij] - y[ij]);
                assert_same(here, i, j, number_at(multiple, i, j), x[ij] * c[0]);
                assert_same(here, i, j, number_at(quotient, i, j), x[ij] / c[i]);
                assert_same(here, i, j, number_at(nn, i, j), dot);
                assert_same(here, i, j, number_at(nt, i, j), dot_t);
                assert_same(here, i, j, number_at(gate, i, j), 1 / (1 + number_at(e, i, j)));
                assert_same(here, i, j, number_at(silu, i, j), x[ij] / (1 + number_at(e, i, j)));
            }
            assert_same(here, i, 0, number_at(total, i, 0), total_i);
            assert_same(here, i, 0, number_at(dots, i, 0), dot_i);
        }
        for (int s = 0; s < STAGES; s++)
            for (size_t ij = 0; ij < ALL; ij++)
                assert_same(here, ij / L, ij % L, number_at(stage((Stage)s, A), ij / L, ij % L),
                            x[ij]);
        system_free(in);
    }
    gsl_rng_free(r);
}

/* exp and log on their own, in units in the last place of the true value. */
static double ulps_off(double got, double x, int (*f)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t))
{
    mpfr_t y, z;
    mpfr_init2(y, 53);
    mpfr_init2(z, 200);
    mpfr_set_d(y, x, MPFR_RNDN);
    f(z, y, MPFR_RNDN);
    long e = mpfr_get_exp(z) - 53; /* the weight of a double's last bit */
    mpfr_sub_d(z, z, got, MPFR_RNDN);
    mpfr_mul_2si(z, z, -(e < -1074 ? -1074 : e), MPFR_RNDN);
    double ulps = fabs(mpfr_get_d(z, MPFR_RNDA));
    mpfr_clear(y);
    mpfr_clear(z);
    return ulps;
}

static double through_map(System *in, Function f, double x)
{
    Scope scope = scope_open(in);
    double y = number_at(map(f, matrix_from(in, 1, 1, &x)), 0, 0);
    scope_close(in, scope);
    return y;
}

static void plain_exp_is_good_to_two_ulps(void **unused)
{
    (void)unused;
    const unsigned long seed = 2;
    gsl_rng *r = random_source(seed);
    Arithmetic a = arithmetic("float64");
    System *in = noisy_system(&a, 1, 0);
    double worst = 0;
    for (long n = 0; n < repetitions(60000); n++) {
        double x;
        switch (n % 4) {
        case 0:
            x = -745.2 + (745.2 + 709.7) * gsl_rng_uniform(r);
            break;
        case 1:
            x = random_double(r, -60, 5);
            break;
        case 2: /* around a half multiple of log 2, where k jumps */
            x = ((double)random_up_to(r, 2000) - 1000.5) * 0.69314718055994531 / 2 *
                (1 + ldexp(gsl_rng_uniform(r) - 0.5, -40));
            break;
        default: /* subnormal results */
            x = -708 - 37.2 * gsl_rng_uniform(r);
        }
        double ulps = ulps_off(through_map(in, EXP, x), x, mpfr_exp);
        worst = fmax(worst, ulps);
        if (!(ulps <= 2)) {
            print_error("exp(%a), case %ld of seed %lu: %g ulps\n", x, n, seed, ulps);
            fail();
        }
    }
    print_message("plain_exp: at most %.2f ulps off\n", worst);
    assert_true(through_map(in, EXP, 0) == 1 && through_map(in, EXP, -0.0) == 1);
    const double lost[] = {NAN, INFINITY, 1e300, 709.79}; /* infinity with noise may be NaN */
    for (size_t k = 0; k < 4; k++)
        assert_true(!isfinite(through_map(in, EXP, lost[k])));
    assert_true(through_map(in, EXP, -INFINITY) == 0 && through_map(in, EXP, -1e300) == 0);
    assert_true(through_map(in, EXP, -745.13) == 0x1p-1074);
    assert_true(through_map(in, EXP, -745.14) == 0);
    system_free(in);
    gsl_rng_free(r);
}

static void plain_log_is_correctly_rounded(void **unused)
{
    (void)unused;
    const unsigned long seed = 3;
    gsl_rng *r = random_source(seed);
    Arithmetic a = arithmetic("float64");
    System *in = noisy_system(&a, 1, 0);
    for (long n = 0; n < repetitions(5000); n++) {
        double x = fabs(random_double(r, n % 2 ? -1074 : -2, n % 2 ? 1023 : 2));
        double ulps = ulps_off(through_map(in, LOG, x), x, mpfr_log);
        if (!(ulps <= 0.5 * (1 + 0x1p-50))) {
            print_error("log(%a), case %ld of seed %lu: %g ulps\n", x, n, seed, ulps);
            fail();
        }
    }
    system_free(in);
    gsl_rng_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_noise_it_is_plain_double_arithmetic),
        cmocka_unit_test(plain_exp_is_good_to_two_ulps),
        cmocka_unit_test(plain_log_is_correctly_rounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
