/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bounded.c - running error analysis (Higham, Accuracy and Stability, ch. 3): every entry carries a
 * bound on how far the declared arithmetic can take it from the exact value, in any order of sums.
 * Rules B1 to B7 are those of proofs/rounding.md, where each is derived.
 *
 * The bounds themselves are sums and products of non-negative binary64 numbers: their own rounding
 * is a relative 1e-12 at most, far inside the slack of the rules.
 *
 * Proved        of B1 to B3 and a score: product_bound (Rounding.v), binary32_is_gradual,
 *               binary32_flush_before_is_flushing, binary32_flush_after_is_flushing,
 *               binary32_product_bound, binary32_inexact_operands, causal_score_bound,
 *               folded_score_bound, attention_score_bound, one_attention_score (Binary32.v).
 */
#include "systems.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct BoundedSystem {
    System base;
    Arithmetic arithmetic;
    double u;       /* unit roundoff of accumulation */
    double tiny;    /* smallest normal number: kernels may flush what lies below to 0 */
    double largest; /* largest finite number of accumulation */
} BoundedSystem;

static BoundedSystem *self(System *in) { return (BoundedSystem *)in; }

/* Where a number of at most this size, off by at most `error`, may overflow, no bound holds; nor where
 * the error is unknown (infinity times 0). */
static double held(const BoundedSystem *s, double size, double error)
{
    return size + error <= s->largest || isnan(size) ? error : INFINITY;
}

/* B1: a rounding of a result that is already off by `error`. An exact 0 stays one. */
static double rounded(const BoundedSystem *s, double size, double error)
{
    if (size == 0 && error == 0)
        return 0;
    return held(s, size, error + s->u * (size + error) + s->tiny);
}

/* gamma_n = n u / (1 - n u): n roundings in a row (Higham, lemma 3.1). */
static double gamma_of(const BoundedSystem *s, double n)
{
    return n * s->u < 1 ? n * s->u / (1 - n * s->u) : INFINITY;
}

static void copy(System *in, void *y, const void *x, size_t n)
{
    (void)in;
    memmove(y, x, n * sizeof(Bounded));
}

static void set(System *in, void *x, const double *v, size_t n)
{
    (void)in;
    for (size_t k = 0; k < n; k++)
        ((Bounded *)x)[k] = (Bounded){v[k], fabs(v[k]), 0};
}

static void inverse_root(System *in, void *x, unsigned long n)
{
    double y = 1 / sqrt((double)n);
    *(Bounded *)x = (Bounded){y, y, 2 * self(in)->u * y}; /* a square root and a division */
}

static void add_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    Bounded *c = z;
    const Bounded *a = x, *b = y;
    for (size_t k = 0; k < n; k++) {
        double value = a[k].x + b[k].x;
        c[k] = (Bounded){value, a[k].size + b[k].size,
                         rounded(self(in), fabs(value), a[k].error + b[k].error)};
    }
}

static void subtract_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    Bounded *c = z;
    const Bounded *a = x, *b = y;
    for (size_t k = 0; k < n; k++) {
        double value = a[k].x - b[k].x;
        c[k] = (Bounded){value, a[k].size + b[k].size,
                         rounded(self(in), fabs(value), a[k].error + b[k].error)};
    }
}

/* B2: |ab - a'b'| from the errors of the factors. */
static double product_error(const Bounded *a, const Bounded *b)
{
    return a->size * b->error + a->error * b->size + a->error * b->error;
}

static void multiply_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    const Bounded *a = x, *b = y;
    for (size_t k = 0; k < n; k++) {
        double value = a[k].x * b[k].x, error = product_error(&a[k], &b[k]);
        ((Bounded *)z)[k] = (Bounded){value, a[k].size * b[k].size,
                                      rounded(self(in), fabs(value), error)};
    }
}

/* By the sizes, not the value: a kernel may fold the factor into an operand of the sum before. */
static void scale(System *in, void *z, const void *x, const void *c, size_t n)
{
    const Bounded *a = x, factor = *(const Bounded *)c;
    for (size_t k = 0; k < n; k++) {
        double size = a[k].size * factor.size;
        ((Bounded *)z)[k] = (Bounded){a[k].x * factor.x, size,
                                      rounded(self(in), size, product_error(&a[k], &factor))};
    }
}

/* (The reference point of a softmax comes with error 0, see reference().) */
static void shift(System *in, void *z, const void *x, const void *c, size_t n)
{
    const Bounded *a = x, by = *(const Bounded *)c;
    for (size_t k = 0; k < n; k++) {
        double value = a[k].x - by.x;
        ((Bounded *)z)[k] = (Bounded){value, fabs(value),
                                      rounded(self(in), fabs(value), a[k].error + by.error)};
    }
}

/* B6 */
static void divide(System *in, void *z, const void *x, const void *c, size_t n)
{
    const Bounded *a = x, by = *(const Bounded *)c;
    for (size_t k = 0; k < n; k++) {
        double value = a[k].x / by.x, least = fabs(by.x) - by.error;
        double error = least > 0 ? (a[k].error + fabs(value) * by.error) / least : INFINITY;
        ((Bounded *)z)[k] = (Bounded){value, fabs(value), rounded(self(in), fabs(value), error)};
    }
}

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double silu(double x) { return x * sigmoid(x); }

/* sigmoid(x + e) - sigmoid(x), without cancellation for small e: s (1 - s) t / (1 + s t), t = exp(e) - 1. */
static double sigmoid_step(double x, double e)
{
    double s = sigmoid(x), t = expm1(e);
    return isinf(t) ? 1 - s : s * sigmoid(-x) * t / (1 + s * t);
}

/* How far f(x + e') can be from f(x) for |e'| <= e. All but SiLU are monotone; SiLU has one minimum. */
static double spread(Function f, double x, double e)
{
    const double minimum_at = -1.2784645427610738, minimum = -0.2784645427610738;
    switch (f) {
    case SIGMOID:
        return fmax(sigmoid_step(x, e), -sigmoid_step(x, -e));
    case SILU: { /* (x + e) s(x + e) - x s(x) = x (s(x + e) - s(x)) + e s(x + e) */
        double up = fabs(x * sigmoid_step(x, e) + e * sigmoid(x + e));
        double down = fabs(x * sigmoid_step(x, -e) - e * sigmoid(x - e));
        bool inside = fabs(x - minimum_at) <= e;
        return inside ? fmax(fmax(up, down), silu(x) - minimum) : fmax(up, down);
    }
    case EXP:
        return exp(x + e) * -expm1(-e); /* not exp(x) expm1(e): exp(x) may underflow */
    case LOG:
        return e < x ? -log1p(-e / x) : INFINITY;
    case SILU_SLOPE: { /* |SiLU''(y)| <= min(1/2, exp(-|y|) (2 + |y|)); SiLU' itself spans 1.2 */
        double least = fmax(fabs(x) - e, 0);
        return fmin(e * fmin(0.5, exp(-least) * (2 + least)), 1.2);
    }
    case GATE_SLOPE: /* (g + e)(1 - g - e) - g (1 - g) = e (1 - 2g) - e^2 */
        return e * (fabs(1 - 2 * x) + e);
    }
    return INFINITY;
}

/* B4: an elementary function is taken to be as good as CUDA's fast one: 2 + 1.173 |x| units in the
 * last place for exp, a unit being at most 2u, and the few operations around it. */
static double function_roundoff(Function f, double x)
{
    const double fast_exp = 4 + 2.346 * fabs(x);
    switch (f) {
    case SIGMOID:
        return fast_exp + 2;
    case SILU:
        return fast_exp + 3;
    case EXP:
        return fast_exp;
    case LOG:
        return 4;
    case SILU_SLOPE: /* terms of up to 1 + |x|, see `about` */
        return fast_exp + 6;
    case GATE_SLOPE:
        return 2;
    }
    return INFINITY;
}

static double value_of(Function f, double x)
{
    switch (f) {
    case SIGMOID:
        return sigmoid(x);
    case SILU:
        return silu(x);
    case EXP:
        return exp(x);
    case LOG:
        return log(x);
    case SILU_SLOPE:
        return sigmoid(x) * (1 + x * (1 - sigmoid(x)));
    case GATE_SLOPE:
        return x * (1 - x);
    }
    return NAN;
}

/* The size of the terms that the function's own roundings are relative to. */
static double terms_of(Function f, double x, double value)
{
    switch (f) {
    case LOG:
        return fabs(value) + 1; /* near 1: absolute */
    case SILU_SLOPE:
        return sigmoid(x) * (1 + fabs(x) * (1 + 0x1p-20 - sigmoid(x)));
    default:
        return fabs(value);
    }
}

static void map_run(System *in, Function f, void *y, const void *x, size_t n)
{
    const BoundedSystem *s = self(in);
    for (size_t k = 0; k < n; k++) {
        const Bounded a = ((const Bounded *)x)[k];
        double value = value_of(f, a.x);
        double moved = spread(f, a.x, a.error);
        double about = terms_of(f, a.x, value) + moved;
        if (f == EXP) /* B5 */
            moved += gamma_of(s, 4 * (double)n) * about;
        double farthest = fabs(a.x) + a.error;
        /* Where exp(-x) overflows a gate of up to tiny becomes 0, and x times it. */
        double lost = s->tiny * (f == SILU || f == SILU_SLOPE ? 1 + farthest : 1);
        double error = moved + function_roundoff(f, farthest) * s->u * about + lost;
        ((Bounded *)y)[k] = (Bounded){value, fabs(value), held(s, fabs(value), error)};
    }
}

/* B3: n products, n additions, any order, fused or not: gamma_n times the sum of absolute values. */
static void dot(System *in, void *z, const void *x, size_t dx, const void *y, size_t dy, size_t n)
{
    const BoundedSystem *s = self(in);
    double value = 0, size = 0, error = 0;
    for (size_t k = 0; k < n; k++) {
        const Bounded *a = (const Bounded *)x + k * dx, *b = (const Bounded *)y + k * dy;
        value += a->x * b->x;
        size += a->size * b->size;
        error += product_error(a, b);
    }
    if (size > 0 || error > 0)
        error += gamma_of(s, (double)n) * (size + error) + (double)n * s->tiny;
    *(Bounded *)z = (Bounded){value, size, held(s, size, error)};
}

static void sum(System *in, void *z, const void *x, size_t n)
{
    const BoundedSystem *s = self(in);
    double value = 0, size = 0, error = 0;
    for (size_t k = 0; k < n; k++) {
        const Bounded *a = (const Bounded *)x + k;
        value += a->x;
        size += a->size;
        error += a->error;
    }
    error += gamma_of(s, (double)n) * (size + error);
    *(Bounded *)z = (Bounded){value, size, held(s, size, error)};
}

/* B5: whichever reference point a kernel takes cancels, so it has no error of its own. */
static void reference(System *in, void *m, const void *x, size_t n)
{
    (void)in;
    const Bounded *a = x;
    double top = a[0].x;
    for (size_t k = 1; k < n; k++)
        top = fmax(top, a[k].x);
    *(Bounded *)m = (Bounded){top, fabs(top), 0};
}

static void get(System *in, mpfr_t y, const void *x)
{
    (void)in;
    mpfr_set_d(y, ((const Bounded *)x)->x, MPFR_RNDN);
}

/* B7: a stage kept in fewer bits. For T1 the size counts, not the value: a kernel that sums
 * D = sum G VU first and rounds that rounds every term of the triple product instead. */
static void keep(System *in, Stage name, Matrix A)
{
    const BoundedSystem *s = self(in);
    const Format *f = s->arithmetic.site[name];
    double v = arithmetic_site_roundoff(&s->arithmetic, name);
    for (size_t i = 0; v > 0 && i < A.rows; i++) {
        Range k = row_range(A, i);
        for (size_t j = k.first; j < k.end; j++) {
            Bounded *x = entry(A, i, j);
            if (arithmetic_rounds_given(name) && format_round_double(x->x, f) == x->x)
                continue;
            if (x->size == 0 && x->error == 0)
                continue; /* an exact 0 stays one in every format */
            double size = name == STAGE_T1 ? x->size : fabs(x->x);
            if (size + x->error > format_largest(f))
                x->error = INFINITY;
            else
                x->error += v * (size + x->error) + format_smallest(f) / 2;
        }
    }
}

static const Operations operations = {
    .name = "bounded",
    .bytes = sizeof(Bounded),
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
    .stage = keep,
};

System *bounded_system(const Arithmetic *arithmetic)
{
    BoundedSystem *s = calloc(1, sizeof *s);
    if (!s)
        stop_on_bug(__func__, "out of memory");
    system_begin(&s->base, &operations);
    s->base.rows_in_parallel = true;
    s->arithmetic = *arithmetic;
    s->u = format_roundoff(arithmetic->accumulate);
    s->tiny = ldexp(1, arithmetic->accumulate->emin);
    s->largest = format_largest(arithmetic->accumulate);
    return &s->base;
}
