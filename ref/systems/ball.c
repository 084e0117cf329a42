/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ball.c - Arb's real balls: midpoint and radius, the true value always inside. A result that cannot
 * be enclosed (NaN, or infinity less infinity) becomes the ball of all reals or NaN.
 */
#include "ball.h"

#include "ball_product.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct BallSystem {
    System base;
    slong bits;
} BallSystem;

enum { WORTH_THREADS = 1 << 18 }; /* entries: a matter of speed only */

static slong bits(System *in) { return ((BallSystem *)in)->bits; }

/* Matrices come zeroed, and a zeroed ball is the ball 0: there is nothing to initialise. */
static void zeroed_memory_must_be_zero(void)
{
    const arb_struct zeroed = {0};
    arb_struct zero = {0};
    arb_init(&zero);
    if (memcmp(&zero, &zeroed, sizeof zeroed) != 0)
        stop_on_bug("ball_system", "arb_init does more than zero memory in this version of Arb");
    arb_clear(&zero);
}

/* Most balls have their limbs inside: a look tells that nothing is to be freed. */
static bool owns_memory(arb_srcptr x)
{
    return ARF_HAS_PTR(arb_midref(x)) || COEFF_IS_MPZ(ARF_EXP(arb_midref(x))) ||
           COEFF_IS_MPZ(MAG_EXP(arb_radref(x)));
}

static void clear(System *in, void *x, size_t n)
{
    (void)in;
#pragma omp parallel for if (n > WORTH_THREADS)
    for (size_t k = 0; k < n; k++)
        if (owns_memory((arb_srcptr)x + k))
            arb_clear((arb_ptr)x + k);
}

static void copy(System *in, void *y, const void *x, size_t n)
{
    (void)in;
    for (size_t k = 0; k < n; k++)
        arb_set((arb_ptr)y + k, (arb_srcptr)x + k);
}

static void set(System *in, void *x, const double *v, size_t n)
{
    (void)in;
    for (size_t k = 0; k < n; k++)
        arb_set_d((arb_ptr)x + k, v[k]);
}

/* Exact where it can be: n = 4^k. arb_rsqrt_ui does not see that. */
static void inverse_root(System *in, void *x, unsigned long n)
{
    ulong root = (ulong)lrint(sqrt((double)n));
    if (root * root != n) {
        arb_rsqrt_ui(x, n, bits(in));
        return;
    }
    arb_set_ui(x, root);
    arb_inv(x, x, bits(in));
}

static void add_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    for (size_t k = 0; k < n; k++)
        arb_add((arb_ptr)z + k, (arb_srcptr)x + k, (arb_srcptr)y + k, bits(in));
}

static void subtract_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    for (size_t k = 0; k < n; k++)
        arb_sub((arb_ptr)z + k, (arb_srcptr)x + k, (arb_srcptr)y + k, bits(in));
}

static void multiply_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    for (size_t k = 0; k < n; k++)
        arb_mul((arb_ptr)z + k, (arb_srcptr)x + k, (arb_srcptr)y + k, bits(in));
}

/* Whether c is 2^e: 1/sqrt(d) is for d = 16, 64, 256. */
static bool is_power_of_two(slong *e, arb_srcptr c)
{
    if (!arb_is_exact(c) || arf_sgn(arb_midref(c)) <= 0 || !arf_is_normal(arb_midref(c)))
        return false;
    *e = arf_abs_bound_lt_2exp_si(arb_midref(c)) - 1;
    return arf_cmp_2exp_si(arb_midref(c), *e) == 0;
}

static void scale(System *in, void *z, const void *x, const void *c, size_t n)
{
    slong e;
    if (is_power_of_two(&e, c)) {
        for (size_t k = 0; k < n; k++)
            arb_mul_2exp_si((arb_ptr)z + k, (arb_srcptr)x + k, e);
        return;
    }
    for (size_t k = 0; k < n; k++)
        arb_mul((arb_ptr)z + k, (arb_srcptr)x + k, c, bits(in));
}

static void shift(System *in, void *z, const void *x, const void *c, size_t n)
{
    for (size_t k = 0; k < n; k++)
        arb_sub((arb_ptr)z + k, (arb_srcptr)x + k, c, bits(in));
}

static void divide(System *in, void *z, const void *x, const void *c, size_t n)
{
    arb_t inverse;
    arb_init(inverse);
    arb_inv(inverse, c, bits(in));
    for (size_t k = 0; k < n; k++)
        arb_mul((arb_ptr)z + k, (arb_srcptr)x + k, inverse, bits(in));
    arb_clear(inverse);
}

/* 1 + exp(-x) */
static void denominator(arb_t y, const arb_t x, slong prec)
{
    arb_neg(y, x);
    arb_exp(y, y, prec);
    arb_add_ui(y, y, 1, prec);
}

static void map_run(System *in, Function function, void *y, const void *x, size_t n)
{
    slong prec = bits(in);
    arb_t gate, rest;
    arb_init(gate);
    arb_init(rest);
    for (size_t k = 0; k < n; k++) {
        arb_ptr v = (arb_ptr)y + k;
        arb_srcptr a = (arb_srcptr)x + k;
        switch (function) {
        case SIGMOID:
            denominator(rest, a, prec);
            arb_inv(v, rest, prec);
            break;
        case SILU:
            denominator(rest, a, prec);
            arb_div(v, a, rest, prec);
            break;
        case EXP:
            arb_exp(v, a, prec);
            break;
        case LOG:
            arb_log(v, a, prec);
            break;
        case SILU_SLOPE: /* gate (1 + x (1 - gate)) */
            denominator(rest, a, prec);
            arb_inv(gate, rest, prec);
            arb_sub_ui(rest, gate, 1, prec);
            arb_neg(rest, rest);
            arb_mul(rest, rest, a, prec);
            arb_add_ui(rest, rest, 1, prec);
            arb_mul(v, gate, rest, prec);
            break;
        case GATE_SLOPE:
            arb_sub_ui(rest, a, 1, prec);
            arb_neg(rest, rest);
            arb_mul(v, a, rest, prec);
            break;
        }
    }
    arb_clear(gate);
    arb_clear(rest);
}

static void sum(System *in, void *z, const void *x, size_t n)
{
    arb_zero(z);
    for (size_t k = 0; k < n; k++)
        arb_add(z, z, (arb_srcptr)x + k, bits(in));
}

static void dot(System *in, void *z, const void *x, size_t dx, const void *y, size_t dy, size_t n)
{
    arb_dot(z, NULL, 0, x, (slong)dx, y, (slong)dy, (slong)n, bits(in));
}

static bool product_of_balls(System *in, Matrix C, Matrix A, Matrix B, ProductKind kind)
{
    return ball_product(C, A, B, kind, bits(in));
}

/* The midpoint of the largest midpoint's ball. A lone exact score then leaves an exact lse. */
static void reference(System *in, void *m, const void *x, size_t n)
{
    (void)in;
    arb_srcptr a = x, top = a;
    for (size_t k = 1; k < n; k++)
        if (arf_cmp(arb_midref(a + k), arb_midref(top)) > 0)
            top = a + k;
    arb_zero(m);
    if (arf_is_finite(arb_midref(top)))
        arf_set(arb_midref((arb_ptr)m), arb_midref(top));
}

static void get(System *in, mpfr_t y, const void *x)
{
    (void)in;
    arf_get_mpfr(y, arb_midref((arb_srcptr)x), MPFR_RNDN);
}

static const Operations operations = {
    .name = "ball",
    .bytes = sizeof(arb_struct),
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
    .product = product_of_balls,
};

System *ball_system(long precision)
{
    BallSystem *s = calloc(1, sizeof *s);
    if (!s)
        stop_on_bug(__func__, "out of memory");
    zeroed_memory_must_be_zero();
    system_begin(&s->base, &operations);
    s->base.rows_in_parallel = true;
    s->bits = precision;
    return &s->base;
}

arb_ptr ball_at(Matrix A, size_t i, size_t j)
{
    if (A.in->op != &operations)
        stop_on_bug(__func__, "the matrix is in the system %s", A.in->op->name);
    return entry(A, i, j);
}
