/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * majorant.c - bounds of derivatives and of rounding errors, by the rules of calculus with every
 * sign made positive.
 *
 * Derivatives   product     |(a b)^(k)| <= sum_i C(k, i) |a^(i)| |b^(k-i)|  (Leibniz)
 *               quotient    q c = a, so |q^(k)| is at most
 *                           (|a^(k)| + sum_{i>=1} C(k, i) |c^(i)| |q^(k-i)|) / |c|
 *               exp         y' = y x', so y^(k+1) is Leibniz' sum for y and x'
 *               log         y' = x' / x, a quotient
 *               The rest is made of these.
 * Errors        Each operation takes its operands' errors through its derivative and adds a
 *               rounding, u times the result; a tangent likewise, through the rule of dual.c, step
 *               by step.
 * Left out      Products of two errors, and this file's own rounding: both far below a millionth of
 *               the bound as long as errors times u are below 1e-10 of the sizes. Users add that
 *               millionth.
 */
#include "majorant.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double choose[ORDERS][ORDERS] = {{1},          {1, 1},          {1, 2, 1},
                                              {1, 3, 3, 1}, {1, 4, 6, 4, 1}, {1, 5, 10, 10, 5, 1}};

static Majorant constant(double x) { return (Majorant){.x = x, .size = {fabs(x)}}; }

/* A new quantity of value x that is one rounding of what carries `error`. */
static Majorant rounded(double x, double error)
{
    Majorant y = constant(x);
    y.value_error = error + fabs(x);
    return y;
}

/* ---- arithmetic ----------------------------------------------------------------------------- */

static Majorant plus(Majorant a, Majorant b)
{
    Majorant y = rounded(a.x + b.x, a.value_error + b.value_error);
    for (size_t k = 1; k < ORDERS; k++)
        y.size[k] = a.size[k] + b.size[k];
    y.tangent_error = a.tangent_error + b.tangent_error + y.size[1];
    return y;
}

static Majorant negative(Majorant a)
{
    a.x = -a.x;
    return a;
}

static Majorant minus(Majorant a, Majorant b) { return plus(a, negative(b)); }

static double leibniz(size_t k, const double *a, const double *b)
{
    double sum = 0;
    for (size_t i = 0; i <= k; i++)
        sum += choose[k][i] * a[i] * b[k - i];
    return sum;
}

/* tangent: a' b + a b', two products and a sum: two roundings of each term */
static Majorant times(Majorant a, Majorant b)
{
    Majorant y = rounded(a.x * b.x, a.value_error * fabs(b.x) + fabs(a.x) * b.value_error);
    for (size_t k = 1; k < ORDERS; k++)
        y.size[k] = leibniz(k, a.size, b.size);
    y.tangent_error = a.tangent_error * b.size[0] + a.size[1] * b.value_error +
                      a.value_error * b.size[1] + a.size[0] * b.tangent_error + 2 * y.size[1];
    return y;
}

/* tangent: (a' - q c') / c */
static Majorant over(Majorant a, Majorant c)
{
    double q = a.x / c.x, by = fabs(c.x);
    Majorant y = rounded(q, (a.value_error + fabs(q) * c.value_error) / by);
    for (size_t k = 1; k < ORDERS; k++) {
        y.size[k] = a.size[k];
        for (size_t i = 1; i <= k; i++)
            y.size[k] += choose[k][i] * c.size[i] * y.size[k - i];
        y.size[k] /= by;
    }
    double taken_off = fabs(q) * c.size[1];
    double numerator = a.tangent_error + y.value_error * c.size[1] + fabs(q) * c.tangent_error +
                       taken_off + (a.size[1] + taken_off);
    y.tangent_error = (numerator + y.size[1] * c.value_error) / by + y.size[1];
    return y;
}

static Majorant exponential(Majorant a)
{
    Majorant y = rounded(exp(a.x), exp(a.x) * a.value_error);
    for (size_t k = 0; k + 1 < ORDERS; k++)
        y.size[k + 1] = leibniz(k, y.size, a.size + 1);
    return y;
}

static Majorant logarithm(Majorant a)
{
    Majorant y = rounded(log(a.x), a.value_error / fabs(a.x)), slope = constant(0);
    memcpy(slope.size, a.size + 1, (ORDERS - 1) * sizeof *slope.size);
    slope.x = slope.size[0];
    slope = over(slope, a);
    memcpy(y.size + 1, slope.size, (ORDERS - 1) * sizeof *slope.size);
    return y;
}

/* ---- the Operations table ------------------------------------------------------------------- */

static void copy(System *in, void *y, const void *x, size_t n)
{
    (void)in;
    memmove(y, x, n * sizeof(Majorant));
}

static void set(System *in, void *x, const double *v, size_t n)
{
    (void)in;
    for (size_t k = 0; k < n; k++)
        ((Majorant *)x)[k] = constant(v[k]);
}

static void inverse_root(System *in, void *x, unsigned long n)
{
    (void)in;
    *(Majorant *)x = rounded(1 / sqrt((double)n), 0);
}

static void add_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    (void)in;
    for (size_t k = 0; k < n; k++)
        ((Majorant *)z)[k] = plus(((const Majorant *)x)[k], ((const Majorant *)y)[k]);
}

static void subtract_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    (void)in;
    for (size_t k = 0; k < n; k++)
        ((Majorant *)z)[k] = minus(((const Majorant *)x)[k], ((const Majorant *)y)[k]);
}

static void multiply_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    (void)in;
    for (size_t k = 0; k < n; k++)
        ((Majorant *)z)[k] = times(((const Majorant *)x)[k], ((const Majorant *)y)[k]);
}

typedef Majorant Binary(Majorant, Majorant);

static void with_scalar(Binary *f, Majorant *z, const Majorant *x, Majorant c, size_t n)
{
    for (size_t k = 0; k < n; k++)
        z[k] = f(x[k], c);
}

static void scale(System *in, void *z, const void *x, const void *c, size_t n)
{
    (void)in;
    with_scalar(times, z, x, *(const Majorant *)c, n);
}

static void shift(System *in, void *z, const void *x, const void *c, size_t n)
{
    (void)in;
    with_scalar(minus, z, x, *(const Majorant *)c, n);
}

static void divide(System *in, void *z, const void *x, const void *c, size_t n)
{
    (void)in;
    with_scalar(over, z, x, *(const Majorant *)c, n);
}

/* The steps of mpfr.c, and of dual.c for the slope; then tangent = slope x', with one rounding. */
static Majorant function(Function f, Majorant a)
{
    Majorant y, slope, one = constant(1);
    Majorant e = exponential(negative(a));
    Majorant gate = over(one, plus(one, e)), rest = times(e, gate);
    switch (f) {
    case SIGMOID:
        y = gate;
        slope = times(gate, rest);
        break;
    case SILU:
        y = times(a, gate);
        slope = times(gate, plus(one, times(a, rest)));
        break;
    case EXP:
        y = slope = exponential(a);
        break;
    case LOG:
        y = logarithm(a);
        slope = over(one, a); /* dual.c divides once: fewer roundings than these */
        break;
    case SILU_SLOPE:
        y = times(gate, plus(one, times(a, minus(one, gate))));
        slope = times(times(gate, rest), plus(times(minus(rest, gate), a), constant(2)));
        break;
    case GATE_SLOPE:
        rest = minus(one, a);
        y = times(a, rest);
        slope = minus(rest, a);
        break;
    }
    double steepness = fabs(slope.x);
    y.tangent_error = slope.value_error * a.size[1] + steepness * (a.tangent_error + a.size[1]);
    return y;
}

static void map_run(System *in, Function f, void *y, const void *x, size_t n)
{
    (void)in;
    for (size_t k = 0; k < n; k++)
        ((Majorant *)y)[k] = function(f, ((const Majorant *)x)[k]);
}

static void sum(System *in, void *z, const void *x, size_t n)
{
    (void)in;
    Majorant total = constant(0);
    for (size_t k = 0; k < n; k++)
        total = plus(total, ((const Majorant *)x)[k]);
    *(Majorant *)z = total;
}

static void dot(System *in, void *z, const void *x, size_t dx, const void *y, size_t dy, size_t n)
{
    (void)in;
    Majorant total = constant(0);
    for (size_t k = 0; k < n; k++)
        total = plus(total, times(((const Majorant *)x)[k * dx], ((const Majorant *)y)[k * dy]));
    *(Majorant *)z = total;
}

/* A constant without error: what is taken off before exp is the very number that is added back. */
static void reference(System *in, void *m, const void *x, size_t n)
{
    (void)in;
    const Majorant *a = x;
    double most = a[0].x;
    for (size_t k = 1; k < n; k++)
        most = fmax(most, a[k].x);
    *(Majorant *)m = constant(most);
}

static const Operations operations = {
    .name = "majorant",
    .bytes = sizeof(Majorant),
    .init = NULL,
    .clear = NULL,
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
};

System *majorant_system(void)
{
    System *in = calloc(1, sizeof *in);
    if (!in)
        stop_on_bug(__func__, "out of memory");
    system_begin(in, &operations);
    return in;
}

Matrix majorant_matrix(System *in, size_t rows, size_t cols, const double *x, const double *v)
{
    Matrix A = matrix_from(in, rows, cols, x);
    for (size_t k = 0; v && k < rows * cols; k++)
        ((Majorant *)A.entries)[k].size[1] = fabs(v[k]);
    return A;
}

const Majorant *majorant_at(Matrix A, size_t i, size_t j)
{
    if (A.in->op != &operations)
        stop_on_bug(__func__, "the matrix is in the system %s", A.in->op->name);
    return entry(A, i, j);
}
