/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Theorem 1: the parallel form (11), (12) is the definition (3)-(8). Three kinds of evidence: the same
 * element of a field at random points, balls that overlap however small, a difference that falls with the
 * precision as rounding error does. The formula that the proof's last line prints is tried in the
 * same way and must be told apart: else these tests would see nothing.
 */
#include "agreement.h"
#include "as_printed.h"
#include "parallel.h"
#include "rounding_bounds.h"
#include "sections.h"
#include "sequential.h"
#include "solve.h"
#include "trials.h"

#include <math.h>

typedef struct Trial {
    Tally taken, printed; /* against the definition; printed: with SiLU(SU / sqrt d), O alone */
} Trial;

static void try_in_field(Trial *t, size_t L, size_t d, size_t window, uint64_t seed)
{
    uint64_t state = seed;
    System *in = field_system(field_random(&state));
    Head h = field_head(in, L, d, window, &state);
    Answers a = answers_for(&h), b = answers_for(&h);
    sequential(&h, &a);
    parallel(&h, &b);
    compare_bits(&t->taken, b.O, a.O);
    compare_bits(&t->taken, b.lse, a.lse);
    compare_bits(&t->taken, b.U, a.U);
    compare_bits(&t->taken, b.SU, a.SU);
    Forward printed = forward_as_printed(&h, PRINTED_DOUBLE_SCALE);
    compare_bits(&t->printed, printed.O, a.O);
    t->taken.shapes++;
    t->printed.shapes++;
    system_free(in);
}

static void field_row(Page *p, const char *what, const Trial *t)
{
    page_row(p, "%s|%zu|%zu|%zu|%.1e|%zu of %zu", what, t->taken.shapes, t->taken.compared,
             t->taken.different, tally_chance(&t->taken, 4), t->printed.different,
             t->printed.compared);
}

static void identity(Page *p)
{
    Trial all = {0}, castle = {0}, swl = {0};
    for (size_t L = 1; L <= 8; L++)
        for (size_t d = 1; d <= 3; d++)
            for (size_t W = 0; W <= L + 1; W++)
                try_in_field(&all, L, d, W <= L ? W : NO_WINDOW, 1000 * L + 100 * d + W);
    uint64_t at = 20250929;
    for (size_t r = 0; r < 60; r++) {
        size_t L = 9 + field_random(&at) % 56, d = 1 + field_random(&at) % 32;
        size_t W = field_random(&at) % (L + 2);
        try_in_field(r % 2 ? &swl : &castle, L, d, r % 2 ? W : NO_WINDOW, r);
    }
    page_table(p,
               "Entries of O, lse, U and SU modulo 2^61 - 1, sigmoid, SiLU and exp being arbitrary "
               "functions; random inputs and a random scale",
               "shapes|how many|entries|different|chance that different formulas pass|O by the "
               "printed SiLU(SU / sqrt d): different");
    field_row(p, "all L <= 8, d <= 3, W = 0 .. L and none", &all);
    field_row(p, "CASTLE, random L = 9 .. 64, d <= 32", &castle);
    field_row(p, "CASTLE-SWL, the same with random W", &swl);
    page_check(p, !all.taken.different && !castle.taken.different && !swl.taken.different,
               "the parallel form is the definition, entry for entry");
    page_check(p, all.printed.different && castle.printed.different && swl.printed.different,
               "the same test refutes SiLU(SU / sqrt d), the last line of the printed proof");
}

enum { BALL_STEPS = 6, FIRST_BITS = 24, PRECISIONS = 9 };

static void overlap(Page *p, const Problem *castle, const Problem *swl)
{
    const Problem *problem[] = {castle, swl};
    bool overlaps = true, falls = true;
    double before[2] = {INFINITY, INFINITY};
    page_table(
        p,
        "Balls of O, lse, U and SU, every form with the definition (L = 48, d = 16): log2 of "
        "the widest relative radius",
        "bits|CASTLE|CASTLE-SWL, W = 12|balls compared|apart");
    for (long bits = 64; bits < 64 << BALL_STEPS; bits *= 2) {
        BallAgreement r[2];
        for (size_t k = 0; k < 2; k++) {
            r[k] = agree_in_balls(FORWARD, problem[k], bits);
            overlaps = overlaps && r[k].compared && !r[k].disjoint;
            falls = falls && r[k].log2_radius < before[k];
            before[k] = r[k].log2_radius;
        }
        page_row(p, "%ld|%.0f|%.0f|%zu|%zu", bits, r[0].log2_radius, r[1].log2_radius,
                 r[0].compared + r[1].compared, r[0].disjoint + r[1].disjoint);
    }
    page_check(p, overlaps, "every pair of balls overlaps");
    page_check(p, falls, "the radius falls at every step");
}

/* The gap between parallel (or what the proof prints) and sequential, both at so many bits. */
static double gap_at(const Problem *problem, long bits, bool printed)
{
    System *in = mpfr_system(bits);
    Head h = problem_head(problem, in);
    Answers a = answers_for(&h), b = answers_for(&h);
    sequential(&h, &a);
    parallel(&h, &b);
    double gap = log2_gap(printed ? forward_as_printed(&h, PRINTED_DOUBLE_SCALE).O : b.O, a.O);
    system_free(in);
    return gap;
}

/* What rounding at so many bits can make of it: the two texts in `bounded`. */
static double bound_at(const Problem *problem, long bits)
{
    Format format;
    int shift;
    System *in = rounding_bounds_system(bits, &format, &shift);
    Head h = problem_head(problem, in);
    Answers a = answers_for(&h), b = answers_for(&h);
    sequential(&h, &a);
    parallel(&h, &b);
    double bound = log2_gap_bound(b.O, a.O, shift);
    system_free(in);
    return bound;
}

static void precision(Page *p, const Problem *castle, const Problem *swl)
{
    static const double bits[PRECISIONS] = {24, 53, 64, 113, 256, 512, 1024, 2048, 4096};
    double gap[3][PRECISIONS], bound[2][PRECISIONS], slope[3], error[3];
    bool within = true, refuted = true;
    page_table(p,
               "log2 of the largest |sequential - parallel| in O, relative to the largest entry "
               "(L = 48, d = 16; MPFR), and the most that rounding.md's rules allow both texts",
               "bits|CASTLE|at most|CASTLE-SWL, W = 12|at most|as the proof prints it (CASTLE)");
    for (size_t k = 0; k < PRECISIONS; k++) {
        gap[0][k] = gap_at(castle, (long)bits[k], false);
        gap[1][k] = gap_at(swl, (long)bits[k], false);
        gap[2][k] = gap_at(castle, (long)bits[k], true);
        bound[0][k] = bound_at(castle, (long)bits[k]);
        bound[1][k] = bound_at(swl, (long)bits[k]);
        page_row(p, "%.0f|%.1f|%.1f|%.1f|%.1f|%.1f", bits[k], gap[0][k], bound[0][k], gap[1][k],
                 bound[1][k], gap[2][k]);
        within = within && gap[0][k] <= bound[0][k] && gap[1][k] <= bound[1][k];
        refuted = refuted && gap[2][k] > bound[0][k];
    }
    for (size_t k = 0; k < 3; k++)
        slope[k] = fitted_slope(PRECISIONS, bits, gap[k], &error[k]);
    page_row(p, "fitted slope|%.5f +- %.5f||%.5f +- %.5f||%.5f", slope[0], error[0], slope[1],
             error[1], slope[2]);
    page_check(p, within,
               "Theorem 1: at every precision the difference is within what rounding allows, so it "
               "falls by a bit per bit");
    page_check(p, refuted, "the printed formula is past it at every precision");
    /* in units of 2^-bits, or 4096 bits would hide what is a few bits wide */
    double x[PRECISIONS], y[3][PRECISIONS];
    for (size_t k = 0; k < PRECISIONS; k++) {
        x[k] = log2(bits[k]);
        y[0][k] = gap[0][k] + bits[k];
        y[1][k] = gap[1][k] + bits[k];
        y[2][k] = bound[0][k] + bits[k];
    }
    page_plot(p, "|sequential - parallel| 2^bits (the printed formula would stand at bits - 2)",
              "log2 of bits", "log2");
    page_series(p, "CASTLE", false, PRECISIONS, x, y[0]);
    page_series(p, "CASTLE-SWL", false, PRECISIONS, x, y[1]);
    page_series(p, "rounding allows (CASTLE)", true, PRECISIONS, x, y[2]);
}

void report_theorem1(Page *p)
{
    page_section(p, "theorem-1", "Theorem 1: the parallel form is the definition");
    Items castle = drawn(48, 16, NO_WINDOW, 1), swl = drawn(48, 16, 12, 2);
    identity(p);
    overlap(p, &castle.item->problem, &swl.item->problem);
    precision(p, &castle.item->problem, &swl.item->problem);
    items_free(&castle);
    items_free(&swl);
}
