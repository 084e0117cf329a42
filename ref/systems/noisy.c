/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * noisy.c - Monte Carlo arithmetic (Parker 1997): binary64 with a random perturbation in the place
 * of every rounding of a declared arithmetic. Rules, cited as in proofs/rounding.md:
 *   N1  one operation        y + xi (u |y| + tiny)
 *   N2  a sum of n products  y + xi sqrt(n) (u sum |a b| + tiny)   (Higham and Mary 2019)
 *   N3  a stage kept in fewer bits, unit roundoff v: y + xi v |y| + xi' underflow
 *   N4  an input that the operand format cannot hold: as N3
 * tiny is the smallest normal number of the accumulators' format: below it a kernel may flush to 0,
 * as it does where exp(-x) overflows inside a sigmoid. An exact 0 is not perturbed.
 * with xi uniform in [-1, 1]: the root mean square of a rounding to nearest, u / sqrt(3), is kept.
 *
 * The value a run gives depends on the seed alone: sums run in a fixed order without BLAS, and exp
 * is that of exp.h, spelled out in IEEE operations, because the last bit of a library's exp differs from machine to
 * machine and an error scale is stored in golden files.
 */
#include "exp.h"
#include "noisy_sums.h"
#include "systems.h"

#include <gsl/gsl_rng.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct NoisySystem {
    System base;
    Arithmetic arithmetic;
    gsl_rng *rng;
    double amplify;
    double u, tiny; /* amplified unit roundoff and smallest normal number of accumulation */
} NoisySystem;

static NoisySystem *self(System *in) { return (NoisySystem *)in; }
static double xi(NoisySystem *s) { return 2 * gsl_rng_uniform(s->rng) - 1; }

/* N2, for a sum of n terms whose absolute values add up to `size`; infinities have no noise */
static double sum_noise(NoisySystem *s, size_t n, double size)
{
    return size == 0 || isinf(size) ? 0 : xi(s) * sqrt((double)n) * (s->u * size + s->tiny);
}

/* N1 */
static void perturb(System *in, double *y, size_t n)
{
    NoisySystem *s = self(in);
    for (size_t k = 0; k < n; k++)
        if (y[k] != 0 && !isinf(y[k]))
            y[k] += xi(s) * (s->u * fabs(y[k]) + s->tiny);
}

static void copy(System *in, void *y, const void *x, size_t n)
{
    (void)in;
    memmove(y, x, n * sizeof(double));
}

static void set(System *in, void *x, const double *v, size_t n) { copy(in, x, v, n); }

static void inverse_root(System *in, void *x, unsigned long n)
{
    double *y = x;
    *y = 1 / sqrt((double)n);
    int exponent;
    if (frexp(*y, &exponent) != 0.5) /* a power of 2: the root is exact, n = 4^k */
        perturb(in, y, 1);
}

static void add_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    for (size_t k = 0; k < n; k++)
        ((double *)z)[k] = ((const double *)x)[k] + ((const double *)y)[k];
    perturb(in, z, n);
}

static void subtract_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    for (size_t k = 0; k < n; k++)
        ((double *)z)[k] = ((const double *)x)[k] - ((const double *)y)[k];
    perturb(in, z, n);
}

static void multiply_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    for (size_t k = 0; k < n; k++)
        ((double *)z)[k] = ((const double *)x)[k] * ((const double *)y)[k];
    perturb(in, z, n);
}

static void scale(System *in, void *z, const void *x, const void *c, size_t n)
{
    for (size_t k = 0; k < n; k++)
        ((double *)z)[k] = ((const double *)x)[k] * *(const double *)c;
    perturb(in, z, n);
}

static void shift(System *in, void *z, const void *x, const void *c, size_t n)
{
    for (size_t k = 0; k < n; k++)
        ((double *)z)[k] = ((const double *)x)[k] - *(const double *)c;
    perturb(in, z, n);
}

static void divide(System *in, void *z, const void *x, const void *c, size_t n)
{
    for (size_t k = 0; k < n; k++)
        ((double *)z)[k] = ((const double *)x)[k] / *(const double *)c;
    perturb(in, z, n);
}

static double plain_log(double x) /* correctly rounded, by MPFR: one per row of a softmax */
{
    mpfr_t y;
    mpfr_init2(y, 53);
    mpfr_set_d(y, x, MPFR_RNDN);
    mpfr_log(y, y, MPFR_RNDN);
    double result = mpfr_get_d(y, MPFR_RNDN);
    mpfr_clear(y);
    return result;
}

static void map_run(System *in, Function f, void *y, const void *x, size_t n)
{
    double *v = y;
    const double *a = x;
    for (size_t k = 0; k < n; k++)
        switch (f) {
        case SIGMOID:
            v[k] = 1 / (1 + exp_f64(-a[k]));
            break;
        case SILU:
            v[k] = a[k] / (1 + exp_f64(-a[k]));
            break;
        case EXP:
            v[k] = exp_f64(a[k]);
            break;
        case LOG:
            v[k] = plain_log(a[k]);
            break;
        case SILU_SLOPE: {
            double gate = 1 / (1 + exp_f64(-a[k]));
            v[k] = gate * (1 + a[k] * (1 - gate));
            break;
        }
        case GATE_SLOPE:
            v[k] = a[k] * (1 - a[k]);
            break;
        }
    perturb(in, y, n);
}

static void sum(System *in, void *z, const void *x, size_t n)
{
    NoisySystem *s = self(in);
    double value = 0, size = 0;
    for (size_t k = 0; k < n; k++) {
        value += ((const double *)x)[k];
        size += fabs(((const double *)x)[k]);
    }
    *(double *)z = value + sum_noise(s, n, size);
}

static void dot(System *in, void *z, const void *x, size_t dx, const void *y, size_t dy, size_t n)
{
    NoisySystem *s = self(in);
    double value = 0, size = 0;
    for (size_t k = 0; k < n; k++) {
        double term = ((const double *)x)[k * dx] * ((const double *)y)[k * dy];
        value += term;
        size += fabs(term);
    }
    *(double *)z = value + sum_noise(s, n, size);
}

/* The same sums and draws as dot, entry by entry in their order; 0 * infinity is left to dot. */
static bool noisy_product(System *in, Matrix C, Matrix A, Matrix B, ProductKind kind)
{
    Sums s;
    if (!sums_begin(&s, C, A, B, kind))
        return false;
    for (size_t i = 0; i < C.rows; i++) {
        const double *sizes = sums_row(&s, i);
        Range present = row_range(C, i);
        double *value = entry(C, i, 0);
        for (size_t j = present.first; j < present.end; j++) {
            size_t terms = sums_terms(&s, i, j);
            if (terms)
                value[j] += sum_noise(self(in), terms, sizes[j]);
        }
    }
    sums_end(&s);
    return true;
}

static void reference(System *in, void *m, const void *x, size_t n)
{
    (void)in;
    const double *a = x;
    double top = a[0];
    for (size_t k = 1; k < n; k++)
        if (a[k] > top)
            top = a[k];
    *(double *)m = top;
}

static void get(System *in, mpfr_t y, const void *x)
{
    (void)in;
    mpfr_set_d(y, *(const double *)x, MPFR_RNDN);
}

static void keep(System *in, Stage name, Matrix A)
{
    NoisySystem *s = self(in);
    const Format *f = s->arithmetic.site[name];
    double v = s->amplify * arithmetic_site_roundoff(&s->arithmetic, name);
    if (v == 0)
        return;
    double underflow = s->amplify * format_smallest(f) / 2;
    for (size_t i = 0; i < A.rows; i++) {
        Range k = row_range(A, i);
        for (size_t j = k.first; j < k.end; j++) {
            double *x = entry(A, i, j);
            if (arithmetic_rounds_given(name) && format_round_double(*x, f) == *x)
                continue;                /* N4: exact as it is */
            if (*x != 0 && !isinf(*x)) { /* N3, its two draws in this order */
                double relative = xi(s), absolute = xi(s);
                *x += v * relative * fabs(*x) + underflow * absolute;
            }
        }
    }
}

static void destroy(System *in) { gsl_rng_free(self(in)->rng); }

static const Operations operations = {
    .name = "noisy",
    .bytes = sizeof(double),
    .copy = copy,
    .set = set,
    .inverse_root = inverse_root,
    .add = add_runs,
    .subtract = subtract_runs,
    .multiply = multiply_runs,
    .scale = scale,
    .shift = shift,
    .divide = divide,
    .map = map_run,
    .sum = sum,
    .dot = dot,
    .reference = reference,
    .get = get,
    .product = noisy_product,
    .stage = keep,
    .destroy = destroy,
};

System *noisy_system(const Arithmetic *arithmetic, uint64_t seed, double amplify)
{
    NoisySystem *s = calloc(1, sizeof *s);
    if (!s || !(s->rng = gsl_rng_alloc(gsl_rng_mt19937)))
        stop_on_bug(__func__, "out of memory");
    system_begin(&s->base, &operations);
    gsl_rng_set(s->rng, seed);
    s->arithmetic = *arithmetic;
    s->amplify = amplify;
    s->u = amplify * format_roundoff(arithmetic->accumulate);
    s->tiny = amplify * ldexp(1, arithmetic->accumulate->emin);
    return &s->base;
}
