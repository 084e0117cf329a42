/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mpfr.c - MPFR numbers: any precision at run time; or, with a declared arithmetic, a kernel's own
 * formats played exactly: its exponent range, its subnormals, one rounding per operation.
 *
 * Sums run from left to right, each product rounded and then each addition: the plainest order. Or,
 * fused, each product enters its sum unrounded.
 * Elementary functions are correctly rounded step by step: sigmoid is exp, add, divide.
 *
 * Proved        of a sum in float32: float_computed, float_dot_bound (Binary32Dots.v); Coq computes the
 *               same bits.
 */
#include "systems.h"

#include <stdlib.h>

typedef struct MpfrSystem {
    System base;
    mpfr_prec_t bits;
    const Format *format;  /* NULL: unbounded exponents */
    Arithmetic arithmetic; /* of a played kernel */
    bool fused;            /* products enter their sums by fused multiply-add */
} MpfrSystem;

static MpfrSystem *self(System *in) { return (MpfrSystem *)in; }

/* The exponent range is a property of the thread: every operation that can round sets it and leaves
 * the widest one behind, or the next system's numbers would overflow in this one's format. */
static const Format *enter(System *in)
{
    format_enter(self(in)->format);
    return self(in)->format;
}

/* One rounding per operation: an inexact subnormal result is rounded to the subnormal grid from the
 * exact value, which the ternary value of the first rounding makes possible. */
static void settle(const Format *f, mpfr_ptr x, int ternary)
{
    if (f)
        mpfr_subnormalize(x, ternary, MPFR_RNDN);
}

/* The significands of a matrix lie side by side in one block, at which its first entry's begins. */
static void init(System *in, void *x, size_t n)
{
    mpfr_ptr v = x;
    mpfr_prec_t bits = self(in)->bits;
    size_t bytes = mpfr_custom_get_size(bits);
    char *significands = n ? calloc(n, bytes) : NULL;
    if (n && !significands)
        stop_on_bug("mpfr_system", "out of memory for %zu numbers", n);
    for (size_t k = 0; k < n; k++)
        mpfr_custom_init_set(v + k, MPFR_ZERO_KIND, 0, bits, significands + k * bytes);
}

static void clear(System *in, void *x, size_t n)
{
    (void)in;
    if (n)
        free(mpfr_custom_get_significand((mpfr_ptr)x));
}

static void copy(System *in, void *y, const void *x, size_t n)
{
    enter(in);
    for (size_t k = 0; k < n; k++)
        mpfr_set((mpfr_ptr)y + k, (mpfr_srcptr)x + k, MPFR_RNDN);
    format_leave();
}

static void set(System *in, void *x, const double *v, size_t n)
{
    const Format *f = enter(in);
    mpfr_ptr y = x;
    for (size_t k = 0; k < n; k++)
        settle(f, y + k, mpfr_set_d(y + k, v[k], MPFR_RNDN));
    format_leave();
}

static void inverse_root(System *in, void *x, unsigned long n)
{
    const Format *f = enter(in);
    mpfr_ptr y = x;
    settle(f, y, mpfr_set_ui(y, n, MPFR_RNDN));
    settle(f, y, mpfr_rec_sqrt(y, y, MPFR_RNDN));
    format_leave();
}

static void add_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    const Format *f = enter(in);
    mpfr_ptr c = z;
    mpfr_srcptr a = x, b = y;
    for (size_t k = 0; k < n; k++)
        settle(f, c + k, mpfr_add(c + k, a + k, b + k, MPFR_RNDN));
    format_leave();
}

static void subtract_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    const Format *f = enter(in);
    mpfr_ptr c = z;
    mpfr_srcptr a = x, b = y;
    for (size_t k = 0; k < n; k++)
        settle(f, c + k, mpfr_sub(c + k, a + k, b + k, MPFR_RNDN));
    format_leave();
}

static void multiply_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    const Format *f = enter(in);
    mpfr_ptr c = z;
    mpfr_srcptr a = x, b = y;
    for (size_t k = 0; k < n; k++)
        settle(f, c + k, mpfr_mul(c + k, a + k, b + k, MPFR_RNDN));
    format_leave();
}

static void scale(System *in, void *z, const void *x, const void *c, size_t n)
{
    const Format *f = enter(in);
    mpfr_ptr y = z;
    mpfr_srcptr a = x;
    mpfr_srcptr factor = c;
    for (size_t k = 0; k < n; k++)
        settle(f, y + k, mpfr_mul(y + k, a + k, factor, MPFR_RNDN));
    format_leave();
}

static void shift(System *in, void *z, const void *x, const void *c, size_t n)
{
    const Format *f = enter(in);
    mpfr_ptr y = z;
    mpfr_srcptr a = x;
    mpfr_srcptr by = c;
    for (size_t k = 0; k < n; k++)
        settle(f, y + k, mpfr_sub(y + k, a + k, by, MPFR_RNDN));
    format_leave();
}

static void divide(System *in, void *z, const void *x, const void *c, size_t n)
{
    const Format *f = enter(in);
    mpfr_ptr y = z;
    mpfr_srcptr a = x;
    mpfr_srcptr by = c;
    for (size_t k = 0; k < n; k++)
        settle(f, y + k, mpfr_div(y + k, a + k, by, MPFR_RNDN));
    format_leave();
}

/* 1 + exp(-x); `one` is 1: MPFR adds and divides two of its own numbers fastest */
static void denominator(const Format *f, mpfr_ptr y, mpfr_srcptr x, mpfr_srcptr one)
{
    mpfr_neg(y, x, MPFR_RNDN);
    settle(f, y, mpfr_exp(y, y, MPFR_RNDN));
    settle(f, y, mpfr_add(y, y, one, MPFR_RNDN));
}

static void map_run(System *in, Function function, void *y, const void *x, size_t n)
{
    const Format *f = enter(in);
    mpfr_ptr v = y;
    mpfr_srcptr a = x;
    mpfr_t gate, rest, one;
    mpfr_inits2(self(in)->bits, gate, rest, one, (mpfr_ptr)0);
    mpfr_set_ui(one, 1, MPFR_RNDN);
    for (size_t k = 0; k < n; k++)
        switch (function) {
        case SIGMOID:
            denominator(f, v + k, a + k, one);
            settle(f, v + k, mpfr_div(v + k, one, v + k, MPFR_RNDN));
            break;
        case SILU:
            denominator(f, rest, a + k, one);
            settle(f, gate, mpfr_div(gate, one, rest, MPFR_RNDN));
            settle(f, v + k, mpfr_mul(v + k, a + k, gate, MPFR_RNDN));
            break;
        case EXP:
            settle(f, v + k, mpfr_exp(v + k, a + k, MPFR_RNDN));
            break;
        case LOG:
            settle(f, v + k, mpfr_log(v + k, a + k, MPFR_RNDN));
            break;
        case SILU_SLOPE: /* gate (1 + x (1 - gate)) */
            denominator(f, rest, a + k, one);
            settle(f, gate, mpfr_div(gate, one, rest, MPFR_RNDN));
            settle(f, rest, mpfr_sub(rest, one, gate, MPFR_RNDN));
            settle(f, rest, mpfr_mul(rest, rest, a + k, MPFR_RNDN));
            settle(f, rest, mpfr_add(rest, rest, one, MPFR_RNDN));
            settle(f, v + k, mpfr_mul(v + k, gate, rest, MPFR_RNDN));
            break;
        case GATE_SLOPE:
            settle(f, rest, mpfr_sub(rest, one, a + k, MPFR_RNDN));
            settle(f, v + k, mpfr_mul(v + k, a + k, rest, MPFR_RNDN));
            break;
        }
    mpfr_clears(gate, rest, one, (mpfr_ptr)0);
    format_leave();
}

static void sum(System *in, void *z, const void *x, size_t n)
{
    const Format *f = enter(in);
    mpfr_ptr y = z;
    mpfr_srcptr a = x;
    mpfr_set_zero(y, 1);
    for (size_t k = 0; k < n; k++)
        settle(f, y, mpfr_add(y, y, a + k, MPFR_RNDN));
    format_leave();
}

static void dot(System *in, void *z, const void *x, size_t dx, const void *y, size_t dy, size_t n)
{
    const Format *f = enter(in);
    mpfr_ptr c = z;
    mpfr_srcptr a = x, b = y;
    mpfr_t term;
    mpfr_init2(term, self(in)->bits);
    mpfr_set_zero(c, 1);
    if (n > 0) /* 0 + x is x */
        settle(f, c, mpfr_mul(c, a, b, MPFR_RNDN));
    for (size_t k = 1; k < n; k++) {
        mpfr_srcptr ak = a + k * dx, bk = b + k * dy;
        if (self(in)->fused) {
            settle(f, c, mpfr_fma(c, ak, bk, c, MPFR_RNDN));
            continue;
        }
        settle(f, term, mpfr_mul(term, ak, bk, MPFR_RNDN));
        settle(f, c, mpfr_add(c, c, term, MPFR_RNDN));
    }
    mpfr_clear(term);
    format_leave();
}

static void reference(System *in, void *m, const void *x, size_t n)
{
    enter(in);
    mpfr_ptr y = m;
    mpfr_srcptr a = x;
    mpfr_set(y, a, MPFR_RNDN);
    for (size_t k = 1; k < n; k++)
        mpfr_max(y, y, a + k, MPFR_RNDN);
    format_leave();
}

static void get(System *in, mpfr_t y, const void *x)
{
    (void)in;
    format_leave();
    mpfr_set(y, x, MPFR_RNDN);
}

static bool keeps(System *in, Stage s)
{
    return self(in)->format && arithmetic_site_roundoff(&self(in)->arithmetic, s) != 0;
}

/* What the played kernel keeps in fewer bits is rounded to them, once. */
static void keep(System *in, Stage s, Matrix A)
{
    const Arithmetic *a = &self(in)->arithmetic;
    mpfr_t kept;
    mpfr_init2(kept, a->site[s]->precision);
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++) {
            mpfr_ptr x = entry(A, i, j);
            format_round(kept, x, a->site[s]);
            mpfr_set(x, kept, MPFR_RNDN);
        }
    mpfr_clear(kept);
}

static const Operations operations = {
    .name = "mpfr",
    .bytes = sizeof(__mpfr_struct),
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
    .keeps = keeps,
    .stage = keep,
};

static MpfrSystem *make(long bits)
{
    MpfrSystem *s = calloc(1, sizeof *s);
    if (!s)
        stop_on_bug("mpfr_system", "out of memory");
    system_begin(&s->base, &operations);
    s->base.rows_in_parallel = true;
    s->bits = bits;
    return s;
}

System *mpfr_system(long bits) { return &make(bits)->base; }

System *played_system(const Arithmetic *arithmetic)
{
    MpfrSystem *s = make(arithmetic->accumulate->precision);
    s->format = arithmetic->accumulate;
    s->arithmetic = *arithmetic;
    return &s->base;
}

System *played_fused_system(const Arithmetic *arithmetic)
{
    System *s = played_system(arithmetic);
    self(s)->fused = true;
    return s;
}
