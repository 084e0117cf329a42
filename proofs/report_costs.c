/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The other half of Theorem 2: what the forms cost. The counting system's exact counts against the closed
 * formulas of complexity.md; exponents fitted to counts and to times. Times are taken in the field,
 * where every multiply-add costs the same: in binary64 the slope would show how BLAS comes into its stride.
 */
#include "complexity.h"
#include "sections.h"
#include "trials.h"

#include <math.h>
#include <string.h>
#include <time.h>

static bool counts_are(Costed form, Shape s)
{
    Counts a = costed_counted(form, s), b = costed_formula(form, s);
    return memcmp(&a, &b, sizeof a) == 0;
}

static void exact_counts(Page *p)
{
    static const Shape large[] = {{64, 4, NO_WINDOW, 16},
                                  {77, 3, 20, 16},
                                  {100, 5, 0, 16},
                                  {130, 2, 64, 64},
                                  {120, 1, 40, 1}};
    size_t all_shapes = 0, all_equal = 0;
    page_table(
        p,
        "Counts against the closed formulas of complexity.md, every kind of operation and the "
        "most numbers alive: how many of the shapes agree (all L <= 7, d <= 2, W, B; five "
        "larger ones)",
        "form|shapes|equal|multiply-adds at L = 77, d = 3, W = 20, B = 16|numbers alive there");
    for (Costed form = 0; form < COSTED; form++) {
        size_t shapes = 0, equal = 0;
        for (uint64_t L = 1; L <= 7; L++)
            for (uint64_t d = 1; d <= 2; d++)
                for (uint64_t W = 0; W <= L + 1; W++)
                    for (uint64_t B = 1; B <= L; B++, shapes++)
                        equal += counts_are(form, (Shape){L, d, W <= L ? W : NO_WINDOW, B});
        for (size_t k = 0; k < sizeof large / sizeof *large; k++, shapes++)
            equal += counts_are(form, large[k]);
        Counts c = costed_counted(form, large[1]);
        page_row(p, "%s|%zu|%zu|%llu|%llu", costed_names[form], shapes, equal,
                 (unsigned long long)c.multiply_adds, (unsigned long long)c.peak);
        all_shapes += shapes;
        all_equal += equal;
    }
    page_check(p, all_shapes == all_equal, "costs: every count is the formula's");
}

/* ---- exponents: d = 16, B = 16, no window ---------------------------------------------------- */

enum { DIM = 16, BLOCK = 16, MOST = 8, ROUNDS = 3 };

typedef struct Growth {
    Costed form;
    size_t from, to;     /* L doubles */
    size_t time, memory; /* Theta's exponents */
} Growth;

static double processor_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The least of some rounds: what disturbs only adds. */
static double seconds(Costed form, size_t L)
{
    double least = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t state = 1;
        System *in = field_system(field_random(&state));
        Head h = field_head(in, L, DIM, NO_WINDOW, &state);
        Ready r = costed_ready(form, &h);
        double before = processor_seconds();
        costed_run(form, &r, BLOCK);
        least = fmin(least, processor_seconds() - before);
        system_free(in);
    }
    return least;
}

typedef struct Points {
    size_t n;
    double L[MOST], time[MOST], counts[MOST], memory[MOST]; /* log2 */
} Points;

static Points measure(const Growth *g)
{
    Points x = {0};
    for (size_t L = g->from; L <= g->to; L *= 2, x.n++) {
        Counts c = costed_counted(g->form, (Shape){L, DIM, NO_WINDOW, BLOCK});
        x.L[x.n] = log2((double)L);
        x.counts[x.n] = log2((double)c.multiply_adds);
        x.memory[x.n] = log2((double)c.peak);
        x.time[x.n] = log2(seconds(g->form, L) * 1e3);
    }
    return x;
}

/* The count as a polynomial in L: its degree, from L = least on in steps of a block. */
enum { POINTS = 7 };
static size_t degree_found(Costed form, bool memory, uint64_t least)
{
    uint64_t values[POINTS];
    for (uint64_t k = 0; k < POINTS; k++) {
        Counts c = costed_formula(form, (Shape){least + k * BLOCK, DIM, NO_WINDOW, BLOCK});
        values[k] = memory ? c.peak : c.multiply_adds;
    }
    return degree_of(values, POINTS);
}

static void exponents(Page *p)
{
    static const Growth growths[] = {
        {COSTED_SEQUENTIAL, 16, 128, 3, 1},    {COSTED_PARALLEL, 64, 512, 3, 2},
        {COSTED_DECODE, 64, 512, 2, 1},        {COSTED_BLOCKWISE, 128, 1024, 2, 1},
        {COSTED_BACKWARD, 64, 512, 3, 2},      {COSTED_SUBTRACTING, 128, 1024, 2, 1},
        {COSTED_RECOMPUTING, 128, 1024, 2, 1},
    };
    enum { COUNT = sizeof growths / sizeof *growths };
    Points x[COUNT];
    double error;
    bool degrees = true;
    page_table(
        p,
        "Counts as functions of L; d = 16, B = 16, no window. Degree: of the polynomial that the "
        "closed formula is at multiples of B, found as the last difference that does not vanish (7 "
        "points, exact). Fitted: the slope of log count over log L, which reaches the degree for "
        "large L",
        "form|L|multiply-adds: degree|Theta's|fitted|numbers alive: degree|Theta's|fitted");
    for (size_t k = 0; k < COUNT; k++) {
        const Growth *g = &growths[k];
        x[k] = measure(g);
        size_t time = degree_found(g->form, false, g->from);
        size_t memory = degree_found(g->form, true, g->from);
        page_row(p, "%s|%zu .. %zu|%zu|%zu|%.3f|%zu|%zu|%.3f", costed_names[g->form], g->from,
                 g->to, time, g->time, fitted_slope(x[k].n, x[k].L, x[k].counts, &error), memory,
                 g->memory, fitted_slope(x[k].n, x[k].L, x[k].memory, &error));
        degrees = degrees && time == g->time && memory == g->memory;
    }
    page_check(p, degrees,
               "costs: every count, of operations and of numbers alive, is a polynomial in L of "
               "the degree that Theta says");
    page_fleeting_table(
        p,
        "The same exponents of the processor's time, the least of three runs, in the "
        "field (64-bit integers, no BLAS), one thread",
        "form|fitted to time|standard error|to multiply-adds|ms at the longest");
    for (size_t k = 0; k < COUNT; k++) {
        double time = fitted_slope(x[k].n, x[k].L, x[k].time, &error), unused;
        page_row(p, "%s|%.3f|%.3f|%.3f|%.1f", costed_names[growths[k].form], time, error,
                 fitted_slope(x[k].n, x[k].L, x[k].counts, &unused), exp2(x[k].time[x[k].n - 1]));
    }
    page_plot(p, "Time in the field, d = 16, B = 16", "log2 L", "log2 of ms");
    for (size_t k = 0; k < COUNT; k++)
        page_series(p, costed_names[growths[k].form], false, x[k].n, x[k].L, x[k].time);
    page_plot(p, "Numbers alive at most, beyond inputs and answers", "log2 L", "log2 of numbers");
    for (size_t k = 0; k < COUNT; k++)
        page_series(p, costed_names[growths[k].form], true, x[k].n, x[k].L, x[k].memory);
}

void report_costs(Page *p)
{
    page_section(p, "costs", "Theorem 2: what the forms cost");
    exact_counts(p);
    exponents(p);
}
