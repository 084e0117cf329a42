/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * counting.c - entries without a value, whose operations are counted.
 *
 * What an algorithm of ref/ does depends on shapes and bands alone, never on a value, so a system
 * in which every number is the same counts exactly what every other system does: each operation of
 * system.h adds the n that it was called for. Copies and given numbers (inputs, 1 / sqrt(d)) cost
 * nothing. A matrix counts with all its entries from when it is made until its scope is closed; its
 * absent entries too, as they are stored. proofs/complexity.md has the formulas of these counts.
 */
#include "counting.h"

#include <stdlib.h>

typedef struct CountingSystem {
    System base;
    Counts counts;
} CountingSystem;

static Counts *counts(System *in) { return &((CountingSystem *)in)->counts; }

static void init(System *in, void *x, size_t n)
{
    (void)x;
    Counts *c = counts(in);
    c->alive += n;
    if (c->alive > c->peak)
        c->peak = c->alive;
}

static void clear(System *in, void *x, size_t n)
{
    (void)x;
    counts(in)->alive -= n;
}

static void copy(System *in, void *y, const void *x, size_t n)
{
    (void)in, (void)y, (void)x, (void)n;
}

static void set(System *in, void *x, const double *v, size_t n)
{
    (void)in, (void)x, (void)v, (void)n;
}

static void inverse_root(System *in, void *x, unsigned long n) { (void)in, (void)x, (void)n; }

/* add, subtract, shift */
static void count_additions(System *in, void *z, const void *x, const void *y, size_t n)
{
    (void)z, (void)x, (void)y;
    counts(in)->additions += n;
}

/* multiply, scale */
static void count_multiplications(System *in, void *z, const void *x, const void *y, size_t n)
{
    (void)z, (void)x, (void)y;
    counts(in)->multiplications += n;
}

static void divide(System *in, void *z, const void *x, const void *c, size_t n)
{
    (void)z, (void)x, (void)c;
    counts(in)->divisions += n;
}

static void map_run(System *in, Function f, void *y, const void *x, size_t n)
{
    (void)y, (void)x;
    counts(in)->calls[f] += n;
}

static void sum(System *in, void *z, const void *x, size_t n)
{
    (void)z, (void)x;
    counts(in)->additions += n ? n - 1 : 0;
}

static void dot(System *in, void *z, const void *x, size_t dx, const void *y, size_t dy, size_t n)
{
    (void)z, (void)x, (void)dx, (void)y, (void)dy;
    counts(in)->multiply_adds += n;
}

static void reference(System *in, void *m, const void *x, size_t n)
{
    (void)m, (void)x;
    counts(in)->comparisons += n ? n - 1 : 0;
}

static const Operations operations = {
    .name = "counting",
    .bytes = 1,
    .init = init,
    .clear = clear,
    .copy = copy,
    .set = set,
    .inverse_root = inverse_root,
    .add = count_additions,
    .subtract = count_additions,
    .multiply = count_multiplications,
    .scale = count_multiplications,
    .shift = count_additions,
    .divide = divide,
    .map = map_run,
    .sum = sum,
    .dot = dot,
    .reference = reference,
};

/* rows_in_parallel stays false: the counters are shared. */
System *counting_system(void)
{
    CountingSystem *s = calloc(1, sizeof *s);
    if (!s)
        stop_on_bug(__func__, "out of memory");
    system_begin(&s->base, &operations);
    return &s->base;
}

Counts counting_read(const System *in)
{
    if (in->op != &operations)
        stop_on_bug(__func__, "the system %s does not count", in->op->name);
    return ((const CountingSystem *)in)->counts;
}
