/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * field.c - the integers modulo the prime 2^61 - 1.
 *
 * The forms of CASTLE are identities of algebra: they hold in any commutative ring, for any gate,
 * and (7) in any field, for any function in the place of exp. Here two forms agree bit for bit or
 * they are different formulas. sigmoid and exp are fixed functions without any structure that an
 * error could hide in: a keyed 64-bit mixer, reduced to the field; but exp(0) = 1, as an online softmax
 * needs it (its reference point is always 0 here, so that it rescales by exp(0 - 0)). log is the identity, so `lse` is
 * the denominator of (7).
 *
 * By the lemma of Schwartz and Zippel two different polynomials of degree n agree at a uniformly
 * random point with probability at most n / (2^61 - 1).
 *
 * Proved        residue_laws (Residues.v), denominators_invert (FieldValues.v); Coq computes the same bits.
 */
#include "systems.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct FieldSystem {
    System base;
    uint64_t key;
} FieldSystem;

#define P FIELD_PRIME

static uint64_t reduce(uint64_t x) /* any x */
{
    x = (x & P) + (x >> 61);
    return x >= P ? x - P : x;
}

static uint64_t plus(uint64_t a, uint64_t b) { return reduce(a + b); }
static uint64_t minus(uint64_t a, uint64_t b) { return reduce(a + P - b); }

__extension__ typedef unsigned __int128 Wide;

static uint64_t times(uint64_t a, uint64_t b)
{
    Wide c = (Wide)a * b;
    return plus((uint64_t)(c & P), (uint64_t)(c >> 61));
}

static uint64_t power(uint64_t a, uint64_t n)
{
    uint64_t r = 1;
    for (; n; n >>= 1, a = times(a, a))
        if (n & 1)
            r = times(r, a);
    return r;
}

static uint64_t inverse(uint64_t a) /* Fermat: a^(P-2) a = 1 */
{
    if (a == 0)
        stop_on_bug(__func__, "division by 0 in the field: a form has left a row empty, or, by "
                              "chance, another key avoids it");
    return power(a, P - 2);
}

/* The finaliser of splitmix64 (Steele, Lea, Flood 2014): a bijection of 64-bit words. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static uint64_t function(System *in, uint64_t salt, uint64_t x)
{
    return reduce(mix(mix(((FieldSystem *)in)->key + salt) ^ x));
}

uint64_t field_random(uint64_t *state)
{
    uint64_t x;
    do
        x = mix((*state)++) >> 3; /* 61 bits; P itself is drawn again */
    while (x == P);
    return x;
}

Matrix field_random_matrix(System *in, size_t rows, size_t cols, uint64_t *state)
{
    Matrix A = matrix(in, rows, cols);
    for (size_t k = 0; k < rows * cols; k++)
        ((uint64_t *)A.entries)[k] = field_random(state);
    return A;
}

static void copy(System *in, void *y, const void *x, size_t n)
{
    (void)in;
    memmove(y, x, n * sizeof(uint64_t));
}

/* A binary64 number is m 2^e; 2 has an inverse, so it has an image: sums and products go over. */
static void set(System *in, void *x, const double *v, size_t n)
{
    (void)in;
    for (size_t k = 0; k < n; k++) {
        if (!isfinite(v[k]))
            stop_on_bug(__func__, "%g has no image in the field", v[k]);
        int e;
        int64_t m = (int64_t)ldexp(frexp(v[k], &e), 53);
        uint64_t magnitude = reduce((uint64_t)(m < 0 ? -m : m));
        uint64_t unit = power(2, (uint64_t)(((e - 53) % 61 + 61) % 61)); /* 2^61 = 1 */
        uint64_t y = times(magnitude, unit);
        ((uint64_t *)x)[k] = m < 0 ? minus(0, y) : y;
    }
}

static void inverse_root(System *in, void *x, unsigned long n)
{
    *(uint64_t *)x = function(in, 3, n); /* any fixed element serves as scale */
}

static void add_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    (void)in;
    for (size_t k = 0; k < n; k++)
        ((uint64_t *)z)[k] = plus(((const uint64_t *)x)[k], ((const uint64_t *)y)[k]);
}

static void subtract_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    (void)in;
    for (size_t k = 0; k < n; k++)
        ((uint64_t *)z)[k] = minus(((const uint64_t *)x)[k], ((const uint64_t *)y)[k]);
}

static void multiply_runs(System *in, void *z, const void *x, const void *y, size_t n)
{
    (void)in;
    for (size_t k = 0; k < n; k++)
        ((uint64_t *)z)[k] = times(((const uint64_t *)x)[k], ((const uint64_t *)y)[k]);
}

static void scale(System *in, void *z, const void *x, const void *c, size_t n)
{
    (void)in;
    for (size_t k = 0; k < n; k++)
        ((uint64_t *)z)[k] = times(((const uint64_t *)x)[k], *(const uint64_t *)c);
}

static void shift(System *in, void *z, const void *x, const void *c, size_t n)
{
    (void)in;
    for (size_t k = 0; k < n; k++)
        ((uint64_t *)z)[k] = minus(((const uint64_t *)x)[k], *(const uint64_t *)c);
}

static void divide(System *in, void *z, const void *x, const void *c, size_t n)
{
    if (n == 0)
        return; /* an empty row's sum is 0, and nothing is divided by it */
    uint64_t by = inverse(*(const uint64_t *)c);
    scale(in, z, x, &by, n);
}

static void map_run(System *in, Function f, void *y, const void *x, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        uint64_t a = ((const uint64_t *)x)[k], *v = (uint64_t *)y + k;
        switch (f) {
        case SIGMOID:
            *v = function(in, 1, a);
            break;
        case SILU:
            *v = times(a, function(in, 1, a));
            break;
        case EXP:
            *v = a == 0 ? 1 : function(in, 2, a);
            break;
        case LOG:
            *v = a;
            break;
        case SILU_SLOPE: {
            uint64_t gate = function(in, 1, a);
            *v = times(gate, plus(1, times(a, minus(1, gate))));
            break;
        }
        case GATE_SLOPE:
            *v = times(a, minus(1, a));
            break;
        }
    }
}

static void sum(System *in, void *z, const void *x, size_t n)
{
    (void)in;
    uint64_t s = 0;
    for (size_t k = 0; k < n; k++)
        s = plus(s, ((const uint64_t *)x)[k]);
    *(uint64_t *)z = s;
}

static void dot(System *in, void *z, const void *x, size_t dx, const void *y, size_t dy, size_t n)
{
    (void)in;
    uint64_t s = 0;
    for (size_t k = 0; k < n; k++)
        s = plus(s, times(((const uint64_t *)x)[k * dx], ((const uint64_t *)y)[k * dy]));
    *(uint64_t *)z = s;
}

/* No order, no range to keep: the arbitrary exp is taken at the score itself. */
static void reference(System *in, void *m, const void *x, size_t n)
{
    (void)in, (void)x, (void)n;
    *(uint64_t *)m = 0;
}

static const Operations operations = {
    .name = "field",
    .bytes = sizeof(uint64_t),
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

System *field_system(uint64_t key)
{
    FieldSystem *s = calloc(1, sizeof *s);
    if (!s)
        stop_on_bug(__func__, "out of memory");
    system_begin(&s->base, &operations);
    s->base.rows_in_parallel = true;
    s->key = key;
    return &s->base;
}
