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
#include "draws.h"
#include "exp.h"
#include "noisy_sums.h"
#include "systems.h"
#include "wide.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct NoisySystem {
    System base;
    Arithmetic arithmetic;
    Draws draws;
    double *xi; /* the draws for a run of entries, and how many it can hold */
    size_t room;
    double amplify;
    double u, tiny; /* amplified unit roundoff and smallest normal number of accumulation */
} NoisySystem;

static NoisySystem *self(System *in) { return (NoisySystem *)in; }

/* ---- noise ---------------------------------------------------------------------------------- */

/* 0 is exact, and an infinity has no neighbours; NaN has noise as any number. */
static inline bool has_noise(double size) { return (size != 0) & !(fabs(size) > DBL_MAX); }

WIDE static size_t count_noisy(const double *size, size_t n)
{
    size_t noisy = 0;
    for (size_t k = 0; k < n; k++)
        noisy += has_noise(size[k]);
    return noisy;
}

/* Draws for n entries, `each` for each: those of entry k stand at k * each on. An entry without noise
 * takes none; what stands at its place means nothing. They last until the next call. */
static const double *draw(NoisySystem *s, const double *size, size_t n, size_t each)
{
    if (n * each > s->room) {
        free(s->xi);
        s->room = n * each;
        s->xi = room_for("noisy", s->room, sizeof *s->xi);
    }
    size_t left = count_noisy(size, n);
    draws_take(&s->draws, s->xi, left * each);
    for (size_t k = n; k > left; k--)
        if (has_noise(size[k - 1])) {
            left--;
            memmove(s->xi + (k - 1) * each, s->xi + left * each, each * sizeof *s->xi);
        }
    return s->xi;
}

/* N1 */
WIDE static void add_noise(double *y, const double *xi, double u, double tiny, size_t n)
{
    for (size_t k = 0; k < n; k++)
        y[k] = has_noise(y[k]) ? y[k] + xi[k] * (u * fabs(y[k]) + tiny) : y[k];
}

static void perturb(System *in, double *y, size_t n)
{
    NoisySystem *s = self(in);
    add_noise(y, draw(s, y, n, 1), s->u, s->tiny, n);
}

/* N2, for a row of sums */
WIDE static void add_sum_noise(SumsRow of, const double *xi, double u, double tiny)
{
    for (size_t k = 0; k < of.n; k++) {
        double noise = xi[k] * sqrt((double)of.terms[k]) * (u * of.size[k] + tiny);
        of.value[k] = has_noise(of.size[k]) ? of.value[k] + noise : of.value[k];
    }
}

static void perturb_sums(System *in, SumsRow of)
{
    NoisySystem *s = self(in);
    add_sum_noise(of, draw(s, of.size, of.n, 1), s->u, s->tiny);
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

/* One loop for each function, so that compilers put it on vectors. */
WIDE static void map_plain(Function f, double *y, const double *x, size_t n)
{
    switch (f) {
    case SIGMOID:
        for (size_t k = 0; k < n; k++)
            y[k] = 1 / (1 + exp_f64(-x[k]));
        break;
    case SILU:
        for (size_t k = 0; k < n; k++)
            y[k] = x[k] / (1 + exp_f64(-x[k]));
        break;
    case EXP:
        for (size_t k = 0; k < n; k++)
            y[k] = exp_f64(x[k]);
        break;
    case LOG:
        for (size_t k = 0; k < n; k++)
            y[k] = plain_log(x[k]);
        break;
    case SILU_SLOPE:
        for (size_t k = 0; k < n; k++) {
            double gate = 1 / (1 + exp_f64(-x[k]));
            y[k] = gate * (1 + x[k] * (1 - gate));
        }
        break;
    case GATE_SLOPE:
        for (size_t k = 0; k < n; k++)
            y[k] = x[k] * (1 - x[k]);
        break;
    }
}

static void map_run(System *in, Function f, void *y, const void *x, size_t n)
{
    map_plain(f, y, x, n);
    perturb(in, y, n);
}

static void sum(System *in, void *z, const void *x, size_t n)
{
    double value = 0, size = 0;
    for (size_t k = 0; k < n; k++) {
        value += ((const double *)x)[k];
        size += fabs(((const double *)x)[k]);
    }
    *(double *)z = value;
    perturb_sums(in, (SumsRow){z, &size, &n, 1});
}

static void dot(System *in, void *z, const void *x, size_t dx, const void *y, size_t dy, size_t n)
{
    double value = 0, size = 0;
    for (size_t k = 0; k < n; k++) {
        double term = ((const double *)x)[k * dx] * ((const double *)y)[k * dy];
        value += term;
        size += fabs(term);
    }
    *(double *)z = value;
    perturb_sums(in, (SumsRow){z, &size, &n, 1});
}

/* The same sums and draws as dot, entry by entry in their order; 0 * infinity is left to dot. */
static bool noisy_product(System *in, Matrix C, Matrix A, Matrix B, ProductKind kind)
{
    Sums s;
    if (!sums_begin(&s, C, A, B, kind))
        return false;
    for (size_t i = 0; i < C.rows; i++)
        perturb_sums(in, sums_row(&s, i));
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

/* N3, two draws to an entry in this order: relative, absolute */
WIDE static void add_kept_noise(double *x, const double *xi, double v, double underflow, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        double noise = v * xi[2 * k] * fabs(x[k]) + underflow * xi[2 * k + 1];
        x[k] = has_noise(x[k]) ? x[k] + noise : x[k];
    }
}

static bool keeps(System *in, Stage name)
{
    return self(in)->amplify * arithmetic_site_roundoff(&self(in)->arithmetic, name) != 0;
}

static void keep(System *in, Stage name, Matrix A)
{
    NoisySystem *s = self(in);
    const Format *f = s->arithmetic.site[name];
    double v = s->amplify * arithmetic_site_roundoff(&s->arithmetic, name);
    double underflow = s->amplify * format_smallest(f) / 2;
    for (size_t i = 0; i < A.rows; i++) {
        Range k = row_range(A, i);
        double *x = entry(A, i, k.first);
        size_t n = k.end - k.first;
        if (!arithmetic_rounds_given(name))
            add_kept_noise(x, draw(s, x, n, 2), v, underflow, n);
        for (size_t j = 0; arithmetic_rounds_given(name) && j < n; j++)
            if (format_round_double(x[j], f) != x[j]) /* N4: exact as it is otherwise */
                add_kept_noise(x + j, draw(s, x + j, 1, 2), v, underflow, 1);
    }
}

static void destroy(System *in) { free(self(in)->xi); }

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
    .keeps = keeps,
    .stage = keep,
    .destroy = destroy,
};

void noisy_begin_again(System *in, uint64_t seed) { draws_begin(&self(in)->draws, seed); }

System *noisy_system(const Arithmetic *arithmetic, uint64_t seed, double amplify)
{
    NoisySystem *s = room_for(__func__, 1, sizeof *s);
    system_begin(&s->base, &operations);
    noisy_begin_again(&s->base, seed);
    s->arithmetic = *arithmetic;
    s->amplify = amplify;
    s->u = amplify * format_roundoff(arithmetic->accumulate);
    s->tiny = amplify * ldexp(1, arithmetic->accumulate->emin);
    return &s->base;
}
