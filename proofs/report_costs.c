/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The other half of Theorem 2: what the forms cost. The counting system's exact counts against the closed
 * formulas of complexity.md; exponents fitted to counts and to times. Times are taken in the field,
 * where every multiply-add costs the same: in binary64 the slope would show how BLAS comes into its stride.
 */
#include "blockwise.h"
#include "complexity.h"
#include "decode.h"
#include "sections.h"
#include "sequential.h"
#include "trials.h"

#include <math.h>
#include <string.h>
#include <time.h>

typedef enum Form {
    SEQUENTIAL,
    PARALLEL,
    DECODE,
    BLOCKWISE,
    BACKWARD,
    BACKWARD_SUBTRACTING,
    BACKWARD_RECOMPUTING,
    FORMS
} Form;

static const char *const form_names[FORMS] = {
    "sequential",
    "parallel",
    "decode, all tokens",
    "blockwise",
    "backward",
    "Algorithm 3 by (33)",
    "Algorithm 3, D recomputed",
};

static Counts formula(Form form, Shape s)
{
    switch (form) {
    case SEQUENTIAL:
        return sequential_formula(s);
    case PARALLEL:
        return parallel_formula(s);
    case DECODE:
        return decode_formula(s);
    case BLOCKWISE:
        return blockwise_formula(s);
    case BACKWARD:
        return backward_formula(s);
    case BACKWARD_SUBTRACTING:
    case BACKWARD_RECOMPUTING:
    case FORMS:
        break;
    }
    return backward_blockwise_formula(s, form == BACKWARD_SUBTRACTING ? BY_SUBTRACTION
                                                                      : BY_RECOMPUTATION);
}

/* Inputs and answers of a form, ready to run. */
typedef struct Ready {
    Head h;
    Answers a;
    Matrix D, dO;
    Gradients g;
} Ready;

static Ready ready(System *in, Form form, const Head *h)
{
    size_t L = h->QC.rows, d = h->QC.cols;
    Ready r = {.h = *h,
               .a = {.O = matrix(in, L, d), .lse = matrix(in, L, 1), .U = matrix(in, L, d)},
               .D = matrix(in, L, d),
               .dO = matrix(in, L, d),
               .g = gradients_for(h)};
    if (form == SEQUENTIAL || form == PARALLEL)
        r.a.SU = matrix(in, L, L);
    return r;
}

static void run_form(Form form, Ready *r, size_t B)
{
    switch (form) {
    case SEQUENTIAL:
        sequential(&r->h, &r->a);
        return;
    case PARALLEL:
        parallel(&r->h, &r->a);
        return;
    case DECODE:
        decode(&r->h, &r->a);
        return;
    case BLOCKWISE:
        blockwise(&r->h, B, &r->a, r->D);
        return;
    case BACKWARD:
        backward(&r->h, r->dO, &r->g);
        return;
    case BACKWARD_SUBTRACTING:
    case BACKWARD_RECOMPUTING:
    case FORMS:
        break;
    }
    backward_blockwise(&r->h, B, &r->a, r->D, r->dO,
                       form == BACKWARD_SUBTRACTING ? BY_SUBTRACTION : BY_RECOMPUTATION, &r->g);
}

static Counts counted(Form form, Shape s)
{
    System *in = counting_system();
    Head h = {.scale = matrix(in, 1, 1), .window = s.W};
    Matrix *inputs[] = {&h.QU, &h.KU, &h.VU, &h.QC, &h.KC, &h.VC};
    for (size_t k = 0; k < INPUTS; k++)
        *inputs[k] = matrix(in, s.L, s.d);
    Ready r = ready(in, form, &h);
    Counts before = counting_read(in);
    run_form(form, &r, s.B);
    Counts c = counting_read(in);
    system_free(in);
    c.multiply_adds -= before.multiply_adds;
    c.multiplications -= before.multiplications;
    c.additions -= before.additions;
    c.divisions -= before.divisions;
    c.comparisons -= before.comparisons;
    for (Function f = 0; f <= GATE_SLOPE; f++)
        c.calls[f] -= before.calls[f];
    c.peak -= before.alive;
    c.alive -= before.alive;
    return c;
}

static bool counts_are(Form form, Shape s)
{
    Counts a = counted(form, s), b = formula(form, s);
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
    for (Form form = 0; form < FORMS; form++) {
        size_t shapes = 0, equal = 0;
        for (uint64_t L = 1; L <= 7; L++)
            for (uint64_t d = 1; d <= 2; d++)
                for (uint64_t W = 0; W <= L + 1; W++)
                    for (uint64_t B = 1; B <= L; B++, shapes++)
                        equal += counts_are(form, (Shape){L, d, W <= L ? W : NO_WINDOW, B});
        for (size_t k = 0; k < sizeof large / sizeof *large; k++, shapes++)
            equal += counts_are(form, large[k]);
        Counts c = counted(form, large[1]);
        page_row(p, "%s|%zu|%zu|%llu|%llu", form_names[form], shapes, equal,
                 (unsigned long long)c.multiply_adds, (unsigned long long)c.peak);
        all_shapes += shapes;
        all_equal += equal;
    }
    page_check(p, all_shapes == all_equal, "every count is the formula's");
}

/* ---- exponents: d = 16, B = 16, no window ---------------------------------------------------- */

enum { DIM = 16, BLOCK = 16, MOST = 8, ROUNDS = 3 };

typedef struct Growth {
    Form form;
    size_t from, to; /* L doubles */
    double time, memory;
} Growth;

static double processor_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The least of some rounds: what disturbs only adds. */
static double seconds(Form form, size_t L)
{
    double least = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t state = 1;
        System *in = field_system(field_random(&state));
        Head h = field_head(in, L, DIM, NO_WINDOW, &state);
        Ready r = ready(in, form, &h);
        double before = processor_seconds();
        run_form(form, &r, BLOCK);
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
        Counts c = counted(g->form, (Shape){L, DIM, NO_WINDOW, BLOCK});
        x.L[x.n] = log2((double)L);
        x.counts[x.n] = log2((double)c.multiply_adds);
        x.memory[x.n] = log2((double)c.peak);
        x.time[x.n] = log2(seconds(g->form, L) * 1e3);
    }
    return x;
}

static void exponents(Page *p)
{
    static const Growth growths[] = {
        {SEQUENTIAL, 16, 128, 3, 1}, {PARALLEL, 64, 512, 3, 2},
        {DECODE, 64, 512, 2, 1},     {BLOCKWISE, 128, 1024, 2, 1},
        {BACKWARD, 64, 512, 3, 2},   {BACKWARD_SUBTRACTING, 128, 1024, 2, 1},
    };
    enum { COUNT = sizeof growths / sizeof *growths };
    Points x[COUNT];
    double error;
    bool ordered = true;
    page_table(
        p,
        "Exponents of L fitted to exact counts; d = 16, B = 16, no window. Theta's is the limit "
        "for large L",
        "form|L|multiply-adds|Theta|numbers alive|Theta");
    for (size_t k = 0; k < COUNT; k++) {
        x[k] = measure(&growths[k]);
        double time = fitted_slope(x[k].n, x[k].L, x[k].counts, &error);
        double memory = fitted_slope(x[k].n, x[k].L, x[k].memory, &error);
        page_row(p, "%s|%zu .. %zu|%.3f|%.0f|%.3f|%.0f", form_names[growths[k].form],
                 growths[k].from, growths[k].to, time, growths[k].time, memory, growths[k].memory);
        ordered = ordered && round(memory) == growths[k].memory &&
                  (growths[k].time == 3 ? time > 2.3 : time < 2.3);
    }
    page_check(p, ordered,
               "the cubic forms' exponents lie above 2.3, the quadratic ones' below; memory's "
               "round to Theta's");
    page_fleeting_table(
        p,
        "The same exponents of the processor's time, the least of three runs, in the "
        "field (64-bit integers, no BLAS), one thread",
        "form|fitted to time|standard error|to multiply-adds|ms at the longest");
    for (size_t k = 0; k < COUNT; k++) {
        double time = fitted_slope(x[k].n, x[k].L, x[k].time, &error), unused;
        page_row(p, "%s|%.3f|%.3f|%.3f|%.1f", form_names[growths[k].form], time, error,
                 fitted_slope(x[k].n, x[k].L, x[k].counts, &unused), exp2(x[k].time[x[k].n - 1]));
    }
    page_plot(p, "Time in the field, d = 16, B = 16", "log2 L", "log2 of ms");
    for (size_t k = 0; k < COUNT; k++)
        page_series(p, form_names[growths[k].form], false, x[k].n, x[k].L, x[k].time);
    page_plot(p, "Numbers alive at most, beyond inputs and answers", "log2 L", "log2 of numbers");
    for (size_t k = 0; k < COUNT; k++)
        page_series(p, form_names[growths[k].form], true, x[k].n, x[k].L, x[k].memory);
}

void report_costs(Page *p)
{
    page_section(p, "costs", "Theorem 2: what the forms cost");
    exact_counts(p);
    exponents(p);
}
