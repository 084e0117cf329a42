/* SPDX-License-Identifier: GPL-3.0-or-later */
/* f64 and f32: the machine's own operations one by one, and products by BLAS, which knows no bands,
 * within the bound of any summation order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ball.h"
#include "systems_support.h"

typedef struct Kind {
    const char *name;
    System *(*make)(void);
    const Format *format;
} Kind;

static const Kind kinds[] = {{"f64", f64_system, &BINARY64}, {"f32", f32_system, &BINARY32}};
enum { KINDS = 2 };

/* ---- one operation at a time ---------------------------------------------------------------- */

static double rounded_like(const Kind *k, double x)
{
    return k->format == &BINARY64 ? x : (double)(float)x;
}

/* float operations by way of double: the double result is exact or rounded to more than 2 * 24 + 2
 * bits, so rounding it once more is innocuous (Figueroa 1995). */
static void single_operations_are_the_machine_s(void **unused)
{
    (void)unused;
    const unsigned long seed = 1;
    gsl_rng *r = random_source(seed);
    for (size_t s = 0; s < KINDS; s++) {
        const Kind *k = &kinds[s];
        System *in = k->make();
        assert_string_equal(in->op->name, k->name);
        for (long n = 0; n < repetitions(5000); n++) {
            Scope scope = scope_open(in);
            double v[6], c[1];
            random_fill(r, v, 6, -20, 20, k->format);
            random_fill(r, c, 1, -20, 20, k->format);
            Matrix A = matrix_from(in, 1, 3, v), B = matrix_from(in, 1, 3, v + 3);
            Matrix C = matrix_from(in, 1, 1, c);
            Matrix sum = add(A, B), difference = subtract(A, B), multiple = scaled(C, A);
            Matrix quotient = row_divide(A, C), total = row_sum(A), both = hadamard(A, B);
            Matrix less = row_shift(A, C);
            Case here = {k->name, seed, n, 1, 3};
            double left_to_right = 0;
            for (size_t j = 0; j < 3; j++) {
                volatile double plus = v[j] + v[j + 3], minus = v[j] - v[j + 3];
                volatile double times = v[j] * c[0], over = v[j] / c[0];
                assert_same(here, 0, j, number_at(sum, 0, j), rounded_like(k, plus));
                assert_same(here, 1, j, number_at(difference, 0, j), rounded_like(k, minus));
                assert_same(here, 2, j, number_at(multiple, 0, j), rounded_like(k, times));
                assert_same(here, 3, j, number_at(quotient, 0, j), rounded_like(k, over));
                volatile double product_j = v[j] * v[j + 3], less_j = v[j] - c[0];
                assert_same(here, 5, j, number_at(both, 0, j), rounded_like(k, product_j));
                assert_same(here, 6, j, number_at(less, 0, j), rounded_like(k, less_j));
                left_to_right = rounded_like(k, left_to_right + v[j]);
            }
            assert_same(here, 4, 0, number_at(total, 0, 0), left_to_right);
            scope_close(in, scope);
        }
        system_free(in);
    }
    gsl_rng_free(r);
}

static void entries_are_rounded_when_set_and_exact_when_got(void **unused)
{
    (void)unused;
    const double v[] = {0,     -0.0,   1,        0.1, 0x1p-149, 0x1p-160,
                        1e300, -1e300, INFINITY, NAN, 0x1p-1074};
    for (size_t s = 0; s < KINDS; s++) {
        System *in = kinds[s].make();
        for (size_t j = 0; j < sizeof v / sizeof *v; j++)
            assert_same((Case){kinds[s].name, 0, 0, 1, 1}, 0, j,
                        number_at(matrix_from(in, 1, 1, &v[j]), 0, 0),
                        format_round_double(v[j], kinds[s].format));
        for (unsigned long n = 1; n <= 300; n++) {
            Matrix A = matrix(in, 1, 1);
            in->op->inverse_root(in, A.entries, n);
            /* root and quotient, each rounded once */
            double root = rounded_like(&kinds[s], sqrt((double)n));
            assert_same((Case){kinds[s].name, 0, (long)n, 1, 1}, 0, 0, number_at(A, 0, 0),
                        rounded_like(&kinds[s], 1 / root));
        }
        system_free(in);
    }
}

/* exp is good to 2u relative (exp.h), the C library's log to one unit in the last place (glibc's
 * manual), as much. exp is off by a = 2u, so 1 + exp by no more than that and a rounding u; the
 * quotient adds u: in all (1 + 2u)(1 + u)^2 - 1 < 5u. log near 1 is small, but the error stays
 * relative. The exact value is read from a ball rounded to a double, half a unit of float64
 * more.
 *
 * SiLU'(x) = g (1 + x (1 - g)): g is off by 5u g, 1 - g by 5u g + u (1 - g), its product with x
 * by u more, the sum by u more, the last product by g's 5u and u more. In all, to first order,
 * at most g u (7 + 9 |x| (1 - g) + 5 |x| g) <= 9u g (1 + |x|); 10u covers the rest.
 *
 * g (1 - g) with g given takes two roundings, < 5u. */
static double roundings_of(Function f, double x, double exact)
{
    return f == SILU_SLOPE ? 10 * (1 + fabs(x)) / (1 + exp(-x)) : 5 * fabs(exact);
}

static void functions_are_good_to_five_roundings(void **unused)
{
    (void)unused;
    const unsigned long seed = 2;
    gsl_rng *r = random_source(seed);
    const Function functions[] = {SIGMOID, SILU, EXP, LOG, SILU_SLOPE, GATE_SLOPE};
    System *ball = ball_system(200);
    for (size_t s = 0; s < KINDS; s++) {
        System *in = kinds[s].make();
        double u = format_roundoff(kinds[s].format), tiny = ldexp(1, kinds[s].format->emin);
        for (long n = 0; n < repetitions(2000); n++) {
            Scope scope = scope_open(in), above = scope_open(ball);
            size_t f = (size_t)n % 6;
            double v[16];
            for (size_t j = 0; j < 16; j++)
                v[j] = rounded_like(&kinds[s], f == LOG ? fabs(random_double(r, -30, 30))
                                                        : 80 * (2 * gsl_rng_uniform(r) - 1));
            Matrix A = map(functions[f], matrix_from(in, 1, 16, v));
            Matrix B = map(functions[f], matrix_from(ball, 1, 16, v));
            for (size_t j = 0; j < 16; j++) {
                double got = number_at(A, 0, j), exact = number_at(B, 0, j);
                double bound = u * roundings_of(functions[f], v[j], exact) + tiny;
                if (!(fabs(got - exact) <= bound * (1 + 4 * ldexp(1, -53)) + fabs(exact) * 0x1p-53))
                    entries_differ((Case){kinds[s].name, seed, n, f, 16}, 0, j, got, exact, bound);
            }
            scope_close(in, scope);
            scope_close(ball, above);
        }
        system_free(in);
    }
    system_free(ball);
    gsl_rng_free(r);
}

/* Off by how many u, relative; below the normal numbers, in halves of the last place instead, less
 * the one half that rounding costs there. */
static double exp_error(const Format *f, double x, double got)
{
    mpfr_t y, z;
    mpfr_init2(y, 53);
    mpfr_init2(z, 200);
    mpfr_set_d(y, x, MPFR_RNDN);
    mpfr_exp(z, y, MPFR_RNDN);
    bool normal = mpfr_get_exp(z) > f->emin;
    mpfr_sub_d(y, z, got, MPFR_RNDA);
    if (normal)
        mpfr_div(y, y, z, MPFR_RNDA);
    mpfr_mul_2si(y, y, f->precision - (normal ? 0 : f->emin), MPFR_RNDA);
    double error = fabs(mpfr_get_d(y, MPFR_RNDA)) - !normal;
    mpfr_clear(y);
    mpfr_clear(z);
    return error;
}

static void exp_is_good_to_two_roundings(void **unused)
{
    (void)unused;
    const unsigned long seed = 6;
    gsl_rng *r = random_source(seed);
    for (size_t s = 0; s < KINDS; s++) {
        const Format *f = kinds[s].format;
        System *in = kinds[s].make();
        const double top = (f->emax + 1) * log(2), bottom = (f->emin - f->precision) * log(2);
        double worst = 0, x[16], extremes[] = {NAN, INFINITY, -INFINITY, top + 1, bottom - 1, 0};
        for (long n = 0; n < repetitions(1500); n++) {
            Scope scope = scope_open(in);
            for (size_t k = 0; k < 16; k++) {
                double t = gsl_rng_uniform(r);
                x[k] = n % 4 == 0   ? bottom + (top - bottom) * t
                       : n % 4 == 1 ? random_double(r, -60, 5)
                       : n % 4 == 2 ? (floor(200 * t) - 99.5) * log(2) * (1 + 0x1p-20 * (t - 0.5))
                                    : f->emin * log(2) * (1 + 0.1 * (t - 0.5));
                x[k] = rounded_like(&kinds[s], x[k]);
            }
            Matrix E = map(EXP, matrix_from(in, 1, 16, x));
            for (size_t k = 0; k < 16; k++) {
                double got = number_at(E, 0, k),
                       error = isfinite(got) ? exp_error(f, x[k], got) : 0;
                worst = fmax(worst, error);
                if (!(error <= 2) || (isinf(got) && x[k] < top - ldexp(top, 1 - f->precision)))
                    entries_differ((Case){kinds[s].name, seed, n, 1, 16}, 0, k, got, exp(x[k]), 2);
            }
            scope_close(in, scope);
        }
        Matrix E = map(EXP, matrix_from(in, 1, 6, extremes));
        assert_true(isnan(number_at(E, 0, 0)) && isinf(number_at(E, 0, 1)));
        assert_true(number_at(E, 0, 2) == 0 && isinf(number_at(E, 0, 3)));
        assert_true(number_at(E, 0, 4) == 0 && number_at(E, 0, 5) == 1);
        print_message("  %s: exp off by at most %.2f u\n", kinds[s].name, worst);
        system_free(in);
    }
    gsl_rng_free(r);
}

/* ---- products ------------------------------------------------------------------------------- */

enum { MOST = 200 };

typedef struct Problem {
    size_t m, inner, n;
    Matrix (*multiply)(Matrix, Matrix, Band);
    bool a_turned, b_turned;
    size_t a_rows, a_cols, b_rows, b_cols;
    Band a, b, mask;
} Problem;

static Band some_band(gsl_rng *r, size_t rows, size_t cols)
{
    switch (random_up_to(r, 5)) {
    case 0:
        return EVERYWHERE;
    case 1:
        return CAUSAL;
    case 2:
        return lookahead(1 + random_up_to(r, cols));
    default: {
        ptrdiff_t lo = (ptrdiff_t)random_up_to(r, rows + cols) - (ptrdiff_t)rows;
        return (Band){lo, lo + (ptrdiff_t)random_up_to(r, 90)};
    }
    }
}

static Problem some_problem(gsl_rng *r)
{
    const size_t sizes[] = {1, 7, 63, 64, 65, 70, 128, 129, 200};
    Problem p;
    p.m = sizes[random_up_to(r, 8)];
    p.inner = sizes[random_up_to(r, 8)];
    p.n = sizes[random_up_to(r, 8)];
    size_t kind = random_up_to(r, 2);
    p.multiply = kind == 0 ? product : kind == 1 ? product_nt : product_tn;
    p.a_turned = kind == 2;
    p.b_turned = kind == 1;
    p.a_rows = p.a_turned ? p.inner : p.m;
    p.a_cols = p.a_turned ? p.m : p.inner;
    p.b_rows = p.b_turned ? p.n : p.inner;
    p.b_cols = p.b_turned ? p.inner : p.n;
    p.a = some_band(r, p.a_rows, p.a_cols);
    p.b = some_band(r, p.b_rows, p.b_cols);
    p.mask = some_band(r, p.m, p.n);
    return p;
}

static void fill(gsl_rng *r, double *v, size_t rows, size_t cols, Band band, const Format *f)
{
    random_fill(r, v, rows * cols, -4, 2, f);
    for (size_t k = 0; k < rows * cols; k++)
        if (!allows(band, k / cols, k % cols))
            v[k] = 0;
}

static Matrix banded_from(System *in, size_t rows, size_t cols, const double *v, Band band)
{
    Matrix A = matrix_from(in, rows, cols, v);
    A.band = band;
    return A;
}

static Matrix multiply(System *in, const Problem *p, const double *a, const double *b)
{
    Matrix A = banded_from(in, p->a_rows, p->a_cols, a, p->a);
    Matrix B = banded_from(in, p->b_rows, p->b_cols, b, p->b);
    return p->multiply(A, B, p->mask);
}

static bool pair_present(const Problem *p, size_t i, size_t k, size_t j)
{
    return (p->a_turned ? allows(p->a, k, i) : allows(p->a, i, k)) &&
           (p->b_turned ? allows(p->b, j, k) : allows(p->b, k, j));
}

static size_t pairs(const Problem *p, size_t i, size_t j)
{
    size_t count = 0;
    for (size_t k = 0; k < p->inner; k++)
        count += pair_present(p, i, k, j);
    return allows(p->mask, i, j) ? count : 0;
}

/* n products and their sum in any order, fused or not, are off by at most gamma_n sum |a b|
 * (Higham, Accuracy and Stability, section 3.1); absent entries enter BLAS as zeros and add
 * without error. Exact values and sums of absolute values come from balls, the bound is rounded
 * up. */
static void products_are_within_gamma_n_of_the_exact_ones(void **unused)
{
    (void)unused;
    const unsigned long seed = 3;
    gsl_rng *r = random_source(seed);
    System *ball = ball_system(128);
    static double a[MOST * MOST], b[MOST * MOST], abs_a[MOST * MOST], abs_b[MOST * MOST];
    arb_t off;
    arb_init(off);
    for (long n = 0; n < repetitions(20); n++)
        for (size_t s = 0; s < KINDS; s++) {
            System *in = kinds[s].make();
            Scope scope = scope_open(ball);
            Problem p = some_problem(r);
            fill(r, a, p.a_rows, p.a_cols, p.a, kinds[s].format);
            fill(r, b, p.b_rows, p.b_cols, p.b, kinds[s].format);
            for (size_t k = 0; k < sizeof a / sizeof *a; k++) {
                abs_a[k] = fabs(a[k]);
                abs_b[k] = fabs(b[k]);
            }
            Matrix C = multiply(in, &p, a, b);
            Matrix exact = multiply(ball, &p, a, b), size = multiply(ball, &p, abs_a, abs_b);
            for (size_t i = 0; i < p.m; i++)
                for (size_t j = 0; j < p.n; j++) {
                    double got = number_at(C, i, j);
                    arb_set_d(off, got);
                    arb_sub(off, off, ball_at(exact, i, j), 128);
                    double error = arf_get_d(arb_midref(off), ARF_RND_UP);
                    double terms = (double)pairs(&p, i, j);
                    double bound = gamma_up(terms, format_roundoff(kinds[s].format)) *
                                   number_at(size, i, j) * (1 + ldexp(1, -50));
                    if (!(fabs(error) <= bound))
                        entries_differ((Case){kinds[s].name, seed, n, p.m, p.n}, i, j, got,
                                       number_at(exact, i, j), bound);
                }
            scope_close(ball, scope);
            system_free(in);
        }
    arb_clear(off);
    system_free(ball);
    gsl_rng_free(r);
}

/* One NaN, Inf or both somewhere in the operands. An entry whose sum has none of them is as finite
 * as ever; one whose sum has a NaN is NaN; one whose sum has an Inf is not finite. */
static void only_entries_computed_from_nan_are_nan(void **unused)
{
    (void)unused;
    const unsigned long seed = 4;
    gsl_rng *r = random_source(seed);
    static double a[MOST * MOST], b[MOST * MOST];
    long spoilt = 0, spared = 0;
    long cases = repetitions(60) < 20 ? 20 : repetitions(60); /* enough to meet both */
    for (long n = 0; n < cases; n++) {
        const Kind *kind = &kinds[n % KINDS];
        System *in = kind->make();
        Problem p = some_problem(r);
        fill(r, a, p.a_rows, p.a_cols, p.a, kind->format);
        fill(r, b, p.b_rows, p.b_cols, p.b, kind->format);
        bool in_a = random_up_to(r, 1);
        size_t i = random_up_to(r, (in_a ? p.a_rows : p.b_rows) - 1);
        size_t j = random_up_to(r, (in_a ? p.a_cols : p.b_cols) - 1);
        bool turned = in_a ? p.a_turned : p.b_turned;
        /* as an entry (line, k) of A or (k, line) of B, read in the product's own order */
        size_t first = turned ? j : i, second = turned ? i : j;
        size_t line = in_a ? first : second, k = in_a ? second : first;
        double poison = n % 3 ? NAN : n % 2 ? INFINITY : -INFINITY;
        bool present = allows(in_a ? p.a : p.b, i, j);
        if (present)
            (in_a ? a : b)[i * (in_a ? p.a_cols : p.b_cols) + j] = poison;
        Matrix C = multiply(in, &p, a, b);
        for (size_t x = 0; x < p.m; x++)
            for (size_t y = 0; y < p.n; y++) {
                bool meets = (in_a ? x : y) == line && pair_present(&p, x, k, y) &&
                             allows(p.mask, x, y);
                double got = number_at(C, x, y);
                bool right = !meets ? isfinite(got) : isnan(poison) ? isnan(got) : !isfinite(got);
                if (!right)
                    entries_differ((Case){kind->name, seed, n, p.m, p.n}, x, y, got,
                                   meets ? poison : 0, 0);
                spoilt += meets;
                spared += !meets;
            }
        system_free(in);
    }
    assert_true(spoilt > 0 && spared > spoilt);
    gsl_rng_free(r);
}

/* Operands that are views with a stride, results cut to the mask: BLAS against the plain loop,
 * which products below 4096 multiplications take. Small integers make both exact. */
static void blas_on_views_is_the_plain_loop_on_rows(void **unused)
{
    (void)unused;
    gsl_rng *r = random_source(5);
    for (long n = 0; n < repetitions(40); n++) {
        const Kind *kind = &kinds[n % KINDS];
        System *in = kind->make();
        static double v[90 * 90];
        for (size_t k = 0; k < sizeof v / sizeof *v; k++)
            v[k] = (double)random_up_to(r, 16) - 8;
        Matrix big = matrix_from(in, 90, 90, v), other = matrix_from(in, 90, 90, v);
        size_t x = random_up_to(r, 15), y = random_up_to(r, 15);
        Matrix A = columns(rows(big, x, 70), y, 71), B = columns(rows(other, y, 71), x, 69);
        Matrix D = columns(rows(other, y, 69), x, 71), F = columns(rows(big, y, 71), x, 70);
        Band mask = some_band(r, 70, 69);
        Matrix C = product(A, B, mask), E = product_nt(A, D, mask), G = product_tn(F, B, mask);
        for (size_t i = 0; i < 70; i++)
            for (size_t j = 0; j < 69; j++) {
                double nn = 0, nt = 0, tn = 0;
                for (size_t k = 0; k < 71 && allows(mask, i, j); k++) {
                    nn += v[(x + i) * 90 + y + k] * v[(y + k) * 90 + x + j];
                    nt += v[(x + i) * 90 + y + k] * v[(y + j) * 90 + x + k];
                    tn += v[(y + k) * 90 + x + i] * v[(y + k) * 90 + x + j];
                }
                if (number_at(C, i, j) != nn)
                    entries_differ((Case){"NN", 5, n, 70, 69}, i, j, number_at(C, i, j), nn, 0);
                if (number_at(G, i, j) != tn)
                    entries_differ((Case){"TN", 5, n, 70, 69}, i, j, number_at(G, i, j), tn, 0);
                if (number_at(E, i, j) != nt)
                    entries_differ((Case){"NT", 5, n, 70, 69}, i, j, number_at(E, i, j), nt, 0);
            }
        system_free(in);
    }
    gsl_rng_free(r);
}

static void a_softmax_neither_overflows_nor_loses_its_largest(void **unused)
{
    (void)unused;
    const double v[] = {1000, 999, -1000, 1e30, 0, -1e30, -3, -2, -1};
    for (size_t s = 0; s < KINDS; s++) {
        System *in = kinds[s].make();
        Matrix lse, P = row_softmax(matrix_from(in, 3, 3, v), &lse);
        for (size_t i = 0; i < 3; i++)
            for (size_t j = 0; j < 3; j++)
                assert_true(number_at(P, i, j) >= 0 && number_at(P, i, j) <= 1);
        assert_true(number_at(P, 0, 0) > 0.73 && number_at(P, 0, 2) == 0);
        assert_true(number_at(P, 1, 0) == 1 && number_at(P, 1, 1) == 0);
        assert_true(number_at(lse, 1, 0) == rounded_like(&kinds[s], 1e30));
        assert_true(number_at(P, 2, 2) > number_at(P, 2, 1));
        system_free(in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_operations_are_the_machine_s),
        cmocka_unit_test(entries_are_rounded_when_set_and_exact_when_got),
        cmocka_unit_test(functions_are_good_to_five_roundings),
        cmocka_unit_test(exp_is_good_to_two_roundings),
        cmocka_unit_test(products_are_within_gamma_n_of_the_exact_ones),
        cmocka_unit_test(only_entries_computed_from_nan_are_nan),
        cmocka_unit_test(blas_on_views_is_the_plain_loop_on_rows),
        cmocka_unit_test(a_softmax_neither_overflows_nor_loses_its_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
