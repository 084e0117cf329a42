/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "findings.h"

#include "agreement.h"
#include "progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BALL_STEPS = 3 };
static const long ball_bits[BALL_STEPS] = {64, 128, 256};

typedef struct Findings {
    FieldAgreement field;
    BallAgreement balls[BALL_STEPS];
    RoundedAgreement mpfr[MOST_PRECISIONS], f64, f32;
} Findings;

/* Modulo a prime each variant, whichever is the item's own: it costs next to nothing. */
static FieldAgreement agree_in_field_as_every_variant(Subject subject, const Item *item,
                                                      uint64_t seed)
{
    FieldAgreement all = {0};
    Problem p = item->problem;
    for (p.variant = CASTLE; p.variant <= WITHOUT_SILU; p.variant++) {
        FieldAgreement one = agree_in_field(subject, &p, seed + p.variant);
        all.compared += one.compared;
        all.different += one.different;
        all.chance += one.chance;
    }
    return all;
}

/* Step s of an item; the dearest first, so that threads end together. */
enum { STEPS = MOST_PRECISIONS + BALL_STEPS + 3 };

static void do_step(Subject subject, Findings *f, const Item *item, size_t step, const long *bits,
                    size_t precisions, uint64_t seed)
{
    const Problem *p = &item->problem;
    if (!subject_fits(subject, p))
        return;
    if (step < precisions)
        f->mpfr[precisions - 1 - step] = agree_in_mpfr(subject, p, bits[precisions - 1 - step]);
    else if (step < MOST_PRECISIONS)
        return;
    else if (step < MOST_PRECISIONS + BALL_STEPS)
        f->balls[step - MOST_PRECISIONS] = agree_in_balls(subject, p,
                                                          ball_bits[step - MOST_PRECISIONS]);
    else if (step == MOST_PRECISIONS + BALL_STEPS)
        f->field = agree_in_field_as_every_variant(subject, item, seed);
    else if (step == MOST_PRECISIONS + BALL_STEPS + 1)
        f->f64 = agree_in_f64(subject, p);
    else
        f->f32 = agree_in_f32(subject, p);
}

static bool holds(const Findings *f, size_t precisions)
{
    bool all = f->field.different == 0 && !f->f64.past_bound && !f->f32.past_bound;
    for (size_t k = 0; k < BALL_STEPS; k++) {
        all = all && f->balls[k].disjoint == 0;
        if (k > 0) /* radii fall to 0 */
            all = all && f->balls[k].log2_radius <= f->balls[k - 1].log2_radius;
    }
    for (size_t k = 0; k < precisions; k++)
        all = all && !f->mpfr[k].past_bound && f->mpfr[k].in_range;
    return all;
}

static void print_power(double log2_value)
{
    if (log2_value == -INFINITY)
        printf(" %5s", "0");
    else
        printf(" %5.0f", log2_value);
}

static void print_rounded(const RoundedAgreement *r)
{
    if (r->past_bound)
        printf(" %5s", "PAST!");
    else if (!r->in_range)
        printf(" %5s", "range");
    else
        print_power(r->log2_difference);
}

static void print_findings(const Item *item, const Findings *f, size_t precisions)
{
    char window[24] = "none", name[24];
    if (item->problem.window != NO_WINDOW)
        snprintf(window, sizeof window, "%zu", item->problem.window);
    failure_quote(name, sizeof name, item->name);
    printf("%-17.17s %4zu %3zu %4s %-5s", name, item->problem.length, item->problem.dim, window,
           f->field.different ? "DIFF!" : "same");
    for (size_t k = 0; k < BALL_STEPS; k++)
        if (f->balls[k].disjoint)
            printf(" %5s", "APART");
        else
            print_power(f->balls[k].log2_radius);
    printf(" ");
    print_rounded(&f->f32);
    print_rounded(&f->f64);
    printf(" ");
    for (size_t k = 0; k < precisions; k++)
        print_rounded(&f->mpfr[k]);
    printf("\n");
}

static void print_heading(Subject subject, const long *bits, size_t precisions)
{
    static const char *const what[SUBJECTS] = {
        [FORWARD] =
            ("Theorems 1, 2 and 3: the parallel form, blocks, decoding, and prefilling with "
             "decoding from its\ncache, against the definition; O, lse, U, SU"),
        [GRADIENTS] = "Algorithm 3: blockwise gradients against the dense ones",
        [LAYERS] =
            ("Layers (sequences x heads): Y by Theorem 1, the definition and decoding; dX, dW "
             "head by head, and\nblockwise with all heads and tokens in one product"),
    };
    printf("%s\n\n", what[subject]);
    printf("%-17s %4s %3s %4s %-5s %17s  %11s  MPFR, bits\n", "input", "L", "d", "W", "field",
           "balls, bits", "");
    printf("%-37s", "");
    for (size_t k = 0; k < BALL_STEPS; k++)
        printf(" %5ld", ball_bits[k]);
    printf("  %5s %5s ", "f32", "f64");
    for (size_t k = 0; k < precisions; k++)
        printf(" %5ld", bits[k]);
    printf("\n");
}

typedef struct Total {
    bool all;
    size_t compared;
    double chance;
} Total;

static void verify_subject(Subject subject, const Items *items, const long *bits, size_t precisions,
                           uint64_t seed, Total *total)
{
    Findings *findings = room_for(__func__, items->count, sizeof *findings);
    size_t steps = items->count * STEPS;
    Progress *progress = progress_begin("castle verify", "step", steps);
#pragma omp parallel for schedule(dynamic, 1)
    for (size_t s = 0; s < steps; s++) {
        size_t k = s % items->count;
        do_step(subject, &findings[k], &items->item[k], s / items->count, bits, precisions,
                seed + k);
#pragma omp critical
        progress_step(progress);
    }
    progress_end(progress);
    print_heading(subject, bits, precisions);
    for (size_t k = 0; k < items->count; k++) {
        if (!subject_fits(subject, &items->item[k].problem))
            continue;
        print_findings(&items->item[k], &findings[k], precisions);
        total->all = total->all && holds(&findings[k], precisions);
        total->chance += findings[k].field.chance;
        total->compared += findings[k].field.compared;
    }
    printf("\n");
    free(findings);
}

static bool some_item_fits(Subject subject, const Items *items)
{
    for (size_t k = 0; k < items->count; k++)
        if (subject_fits(subject, &items->item[k].problem))
            return true;
    return false;
}

bool verify_items(const Items *items, const long *bits, size_t precisions, uint64_t seed)
{
    Total total = {.all = true};
    printf(
        "field: all three variants, bit for bit; balls: all overlap, log2 of the widest relative "
        "radius;\nf32, f64, MPFR: log2 of the largest relative difference, each within its "
        "bounds\n\n");
    for (Subject s = 0; s < SUBJECTS; s++)
        if (some_item_fits(s, items))
            verify_subject(s, items, bits, precisions, seed, &total);
    printf("field: %zu entries compared modulo 2^61 - 1; different formulas would pass with "
           "probability\nat most %.1e (Schwartz-Zippel; seed %llu)\n",
           total.compared, total.chance, (unsigned long long)seed);
    printf("%s\n", total.all ? "all forms agree" : "THE FORMS DISAGREE: see the marked entries");
    return total.all;
}
