/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dual.c - dual numbers x + x' epsilon, epsilon^2 = 0: an MPFR value with an MPFR tangent. Any
 * text of ref/ that runs over them differentiates itself: with the inputs' tangents set to a
 * direction v, every result's tangent is its derivative in direction v (forward mode). There is no
 * second text that could be wrong.
 *
 * Rules         set, inverse_root      a constant: tangent 0
 *               x + y, x - y, sum      x' + y', x' - y', the sum of tangents
 *               x y, dot               x' y + x y', term by term
 *               q = x / c              (x' - q c') / c
 *               EXP     y = exp x      y x'
 *               LOG                    x' / x
 *               SIGMOID g              g (1 - g) x'
 *               SILU                   g (1 + x (1 - g)) x'
 *               SILU_SLOPE             g (1 - g) (2 + x (1 - 2 g)) x', which is SiLU''(x) x'
 *               GATE_SLOPE of g        (1 - 2 g) g': here g is the operand
 *               reference              tangent 0, although the largest entry moves: what is taken
 *                                      off before exp is added back to lse and cancels in O, so
 *                                      that any constant gives the same derivatives
 * Accuracy      Values are those of mpfr_system at the same precision, bit for bit. A tangent
 *               follows its rule with one correct rounding per step, sums from left to right. 1 - g
 *               is exp(-x) g, not a subtraction: a sigmoid's tangent is accurate to 10 roundings
 *               however saturated the gate. SiLU' and SiLU'' have zeros; near them accuracy is that
 *               of the terms. tests/test_dual.c counts the roundings of every rule.
 * Special cases exp(-x) beyond MPFR's exponents (x < -3e18): g is 0 and 1 - g is 1. row_softmax
 *               sets a lone score's weight to the constant 1, whose derivative is 0. An infinity or
 *               NaN in a value makes the tangents that it meets NaN.
 */
#include "dual.h"

#include <stdlib.h>

typedef struct Dual {
    __mpfr_struct x, t; /* value, tangent */
} Dual;

typedef struct DualSystem {
    System base;
    mpfr_prec_t bits;
} DualSystem;

/* Room for the steps of one operation. The exponent range is the thread's: MPFR's widest is set
 * first, as mpfr_system does. */
typedef struct Work {
    mpfr_t a, b, q;
    mpfr_t one, gate, rest, slope;
} Work;

static void begin(System *in, Work *w)
{
    format_leave();
    mpfr_inits2(((DualSystem *)in)->bits, w->a, w->b, w->q, w->one, w->gate, w->rest, w->slope,
                (mpfr_ptr)0);
    mpfr_set_ui(w->one, 1, MPFR_RNDN);
}

static void end(Work *w)
{
    mpfr_clears(w->a, w->b, w->q, w->one, w->gate, w->rest, w->slope, (mpfr_ptr)0);
}

/* The significands of a matrix lie side by side in one block, at which its first entry's begins. */
static void init(System *in, void *x, size_t n)
{
    Dual *v = x;
    mpfr_prec_t bits = ((DualSystem *)in)->bits;
    size_t bytes = mpfr_custom_get_size(bits);
    char *significands = n ? calloc(2 * n, bytes) : NULL;
    if (n && !significands)
        stop_on_bug("dual_system", "out of memory for %zu numbers", n);
    for (size_t k = 0; k < n; k++) {
        mpfr_custom_init_set(&v[k].x, MPFR_ZERO_KIND, 0, bits, significands + 2 * k * bytes);
        mpfr_custom_init_set(&v[k].t, MPFR_ZERO_KIND, 0, bits, significands + (2 * k + 1) * bytes);
    }
}

static void clear(System *in, void *x, size_t n)
{
    (void)in;
    if (n)
        free(mpfr_custom_get_significand(&((Dual *)x)->x));
}

static void copy(System *in, void *y, const void *x, size_t n)
{
    (void)in;
    Dual *c = y;
    const Dual *a = x;
    format_leave();
    for (size_t k = 0; k < n; k++) {
        mpfr_set(&c[k].x, &a[k].x, MPFR_RNDN);
        mpfr_set(&c[k].t, &a[k].t, MPFR_RNDN);
    }
}

static void set(System *in, void *x, const double *v, size_t n)
{
    (void)in;
    Dual *y = x;
    format_leave();
    for (size_t k = 0; k < n; k++) {
        mpfr_set_d(&y[k].x, v[k], MPFR_RNDN);
        mpfr_set_zero(&y[k].t, 1);
    }
}

static void inverse_root(System *in, void *x, unsigned long n)
{
    (void)in;
    Dual *y = x;
    format_leave();
    mpfr_set_ui(&y->x, n, MPFR_RNDN);
    mpfr_rec_sqrt(&y->x, &y->x, MPFR_RNDN);
    mpfr_set_zero(&y->t, 1);
}

/* ---- arithmetic ----------------------------------------------------------------------------- */

static void add_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    (void)in;
    Dual *c = z;
    const Dual *a = x, *b = y;
    format_leave();
    for (size_t k = 0; k < n; k++) {
        mpfr_add(&c[k].x, &a[k].x, &b[k].x, MPFR_RNDN);
        mpfr_add(&c[k].t, &a[k].t, &b[k].t, MPFR_RNDN);
    }
}

static void minus(Dual *z, const Dual *x, const Dual *y)
{
    mpfr_sub(&z->x, &x->x, &y->x, MPFR_RNDN);
    mpfr_sub(&z->t, &x->t, &y->t, MPFR_RNDN);
}

static void subtract_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    (void)in;
    format_leave();
    for (size_t k = 0; k < n; k++)
        minus((Dual *)z + k, (const Dual *)x + k, (const Dual *)y + k);
}

static void shift(System *in, void *z, const void *x, const void *c, size_t n)
{
    (void)in;
    format_leave();
    for (size_t k = 0; k < n; k++)
        minus((Dual *)z + k, (const Dual *)x + k, c);
}

/* a = x' y + x y' */
static void product_tangent(Work *w, const Dual *x, const Dual *y)
{
    mpfr_mul(w->a, &x->t, &y->x, MPFR_RNDN);
    mpfr_mul(w->b, &x->x, &y->t, MPFR_RNDN);
    mpfr_add(w->a, w->a, w->b, MPFR_RNDN);
}

static void times(Work *w, Dual *z, const Dual *x, const Dual *y)
{
    product_tangent(w, x, y); /* before z is written: it may be x or y */
    mpfr_mul(&z->x, &x->x, &y->x, MPFR_RNDN);
    mpfr_set(&z->t, w->a, MPFR_RNDN);
}

static void multiply_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    Work w;
    begin(in, &w);
    for (size_t k = 0; k < n; k++)
        times(&w, (Dual *)z + k, (const Dual *)x + k, (const Dual *)y + k);
    end(&w);
}

static void scale(System *in, void *z, const void *x, const void *c, size_t n)
{
    Work w;
    begin(in, &w);
    for (size_t k = 0; k < n; k++)
        times(&w, (Dual *)z + k, (const Dual *)x + k, c);
    end(&w);
}

static void divide(System *in, void *z, const void *x, const void *c, size_t n)
{
    Dual *y = z;
    const Dual *a = x, *by = c;
    Work w;
    begin(in, &w);
    for (size_t k = 0; k < n; k++) {
        mpfr_div(w.q, &a[k].x, &by->x, MPFR_RNDN);
        mpfr_mul(w.b, w.q, &by->t, MPFR_RNDN);
        mpfr_sub(w.a, &a[k].t, w.b, MPFR_RNDN);
        mpfr_div(w.a, w.a, &by->x, MPFR_RNDN);
        mpfr_set(&y[k].x, w.q, MPFR_RNDN);
        mpfr_set(&y[k].t, w.a, MPFR_RNDN);
    }
    end(&w);
}

static void sum(System *in, void *z, const void *x, size_t n)
{
    (void)in;
    Dual *y = z;
    const Dual *a = x;
    format_leave();
    mpfr_set_zero(&y->x, 1);
    mpfr_set_zero(&y->t, 1);
    for (size_t k = 0; k < n; k++) {
        mpfr_add(&y->x, &y->x, &a[k].x, MPFR_RNDN);
        mpfr_add(&y->t, &y->t, &a[k].t, MPFR_RNDN);
    }
}

static void dot(System *in, void *z, const void *x, size_t dx, const void *y, size_t dy, size_t n)
{
    Dual *c = z;
    const Dual *a = x, *b = y;
    Work w;
    begin(in, &w);
    mpfr_set_zero(&c->x, 1);
    mpfr_set_zero(&c->t, 1);
    if (n > 0) /* 0 + x is x */
        times(&w, c, a, b);
    for (size_t k = 1; k < n; k++) {
        product_tangent(&w, a + k * dx, b + k * dy);
        mpfr_add(&c->t, &c->t, w.a, MPFR_RNDN);
        mpfr_mul(w.b, &a[k * dx].x, &b[k * dy].x, MPFR_RNDN);
        mpfr_add(&c->x, &c->x, w.b, MPFR_RNDN);
    }
    end(&w);
}

/* ---- functions ------------------------------------------------------------------------------ */

/* gate = sigmoid(x) and rest = 1 - gate = exp(-x) gate, both to a few roundings. */
static void sigmoid(Work *w, mpfr_srcptr x)
{
    mpfr_neg(w->a, x, MPFR_RNDN);
    mpfr_exp(w->a, w->a, MPFR_RNDN);
    mpfr_add(w->b, w->a, w->one, MPFR_RNDN);
    mpfr_div(w->gate, w->one, w->b, MPFR_RNDN);
    if (mpfr_inf_p(w->a))
        mpfr_set(w->rest, w->one, MPFR_RNDN);
    else
        mpfr_mul(w->rest, w->a, w->gate, MPFR_RNDN);
}

/* b = SiLU'(x) = gate (1 + x rest) */
static void silu_slope(Work *w, mpfr_srcptr x)
{
    mpfr_mul(w->b, x, w->rest, MPFR_RNDN);
    mpfr_add(w->b, w->b, w->one, MPFR_RNDN);
    mpfr_mul(w->b, w->b, w->gate, MPFR_RNDN);
}

/* b = SiLU''(x) = gate rest (2 + x (rest - gate)): with g' = g (1 - g) and g'' = g' (1 - 2 g), the
 * derivative of g + x g' is 2 g' + x g''. */
static void silu_curvature(Work *w, mpfr_srcptr x)
{
    mpfr_sub(w->b, w->rest, w->gate, MPFR_RNDN);
    mpfr_mul(w->b, w->b, x, MPFR_RNDN);
    mpfr_add_ui(w->b, w->b, 2, MPFR_RNDN);
    mpfr_mul(w->a, w->gate, w->rest, MPFR_RNDN);
    mpfr_mul(w->b, w->b, w->a, MPFR_RNDN);
}

/* Leaves f(x) in q, rounded step by step as mpfr_system does, and f'(x) in slope. */
static void value_and_slope(Work *w, Function f, mpfr_srcptr x)
{
    switch (f) {
    case SIGMOID:
        sigmoid(w, x);
        mpfr_mul(w->slope, w->gate, w->rest, MPFR_RNDN);
        mpfr_set(w->q, w->gate, MPFR_RNDN);
        break;
    case SILU:
        sigmoid(w, x);
        silu_slope(w, x);
        mpfr_set(w->slope, w->b, MPFR_RNDN);
        mpfr_mul(w->q, x, w->gate, MPFR_RNDN);
        break;
    case EXP:
        mpfr_exp(w->q, x, MPFR_RNDN);
        mpfr_set(w->slope, w->q, MPFR_RNDN);
        break;
    case LOG: /* its tangent is a division */
        mpfr_log(w->q, x, MPFR_RNDN);
        break;
    case SILU_SLOPE:
        sigmoid(w, x);
        silu_curvature(w, x);
        mpfr_set(w->slope, w->b, MPFR_RNDN);
        mpfr_sub(w->rest, w->one, w->gate, MPFR_RNDN); /* the value takes 1 - gate plainly */
        mpfr_mul(w->b, w->rest, x, MPFR_RNDN);
        mpfr_add(w->b, w->b, w->one, MPFR_RNDN);
        mpfr_mul(w->q, w->gate, w->b, MPFR_RNDN);
        break;
    case GATE_SLOPE:
        mpfr_sub(w->rest, w->one, x, MPFR_RNDN);
        mpfr_mul(w->q, x, w->rest, MPFR_RNDN);
        mpfr_sub(w->slope, w->rest, x, MPFR_RNDN);
        break;
    }
}

static void map_run(System *in, Function f, void *y, const void *x, size_t n)
{
    Dual *v = y;
    const Dual *a = x;
    Work w;
    begin(in, &w);
    for (size_t k = 0; k < n; k++) {
        value_and_slope(&w, f, &a[k].x);
        if (f == LOG)
            mpfr_div(&v[k].t, &a[k].t, &a[k].x, MPFR_RNDN);
        else
            mpfr_mul(&v[k].t, &a[k].t, w.slope, MPFR_RNDN);
        mpfr_set(&v[k].x, w.q, MPFR_RNDN);
    }
    end(&w);
}

static void reference(System *in, void *m, const void *x, size_t n)
{
    (void)in;
    Dual *y = m;
    const Dual *a = x;
    format_leave();
    mpfr_set(&y->x, &a->x, MPFR_RNDN);
    for (size_t k = 1; k < n; k++)
        mpfr_max(&y->x, &y->x, &a[k].x, MPFR_RNDN);
    mpfr_set_zero(&y->t, 1);
}

static void get(System *in, mpfr_t y, const void *x)
{
    (void)in;
    format_leave();
    mpfr_set(y, &((const Dual *)x)->x, MPFR_RNDN);
}

static const Operations operations = {
    .name = "dual",
    .bytes = sizeof(Dual),
    .init = init,
    .clear = clear,
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
};

System *dual_system(long bits)
{
    DualSystem *s = calloc(1, sizeof *s);
    if (!s)
        stop_on_bug(__func__, "out of memory");
    system_begin(&s->base, &operations);
    s->base.rows_in_parallel = true;
    s->bits = bits;
    return &s->base;
}

static Dual *dual_at(Matrix A, size_t i, size_t j, const char *function)
{
    if (A.in->op != &operations)
        stop_on_bug(function, "the matrix is in the system %s", A.in->op->name);
    return entry(A, i, j);
}

Matrix dual_matrix(System *in, size_t rows, size_t cols, const double *values,
                   const double *tangents)
{
    Matrix A = matrix_from(in, rows, cols, values);
    for (size_t i = 0; tangents && i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            mpfr_set_d(&dual_at(A, i, j, __func__)->t, tangents[i * cols + j], MPFR_RNDN);
    return A;
}

void dual_tangent(mpfr_t y, Matrix A, size_t i, size_t j)
{
    format_leave();
    mpfr_set(y, &dual_at(A, i, j, __func__)->t, MPFR_RNDN);
}
