/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Theorem 2: the blockwise form (Algorithms 1 to 3) is the dense one, forward and backward, in the field bit
 * for bit: for any L, any 1 <= B <= L (the paper assumes that B divides L), any window.
 */
#include "agreement.h"
#include "backward_blockwise.h"
#include "blockwise.h"
#include "sections.h"
#include "sequential.h"
#include "trials.h"

#include <math.h>

typedef struct Trial {
    Tally forward, D, subtracted, recomputed;
    size_t ragged; /* shapes in which B does not divide L */
} Trial;

/* What keys know after (N - 1) B tokens: D. */
static void compare_D(Tally *t, const Head *h, size_t B, Matrix D)
{
    size_t L = h->QC.rows, before = (L - 1) / B * B;
    if (before > 0) {
        Head part = *h;
        Matrix *inputs[] = {&part.QU, &part.KU, &part.VU, &part.QC, &part.KC, &part.VC};
        for (size_t k = 0; k < INPUTS; k++)
            *inputs[k] = rows(*inputs[k], 0, before);
        Answers a = answers_for(&part);
        sequential(&part, &a);
        compare_bits(t, rows(D, 0, before), a.U);
    }
    compare_bits(t, rows(D, before, L - before), matrix(D.in, L - before, D.cols));
}

static void try_blocks(Trial *t, size_t L, size_t d, size_t window, size_t B, uint64_t seed)
{
    uint64_t state = seed;
    System *in = field_system(field_random(&state));
    Head h = field_head(in, L, d, window, &state);
    Matrix dO = field_random_matrix(in, L, d, &state), D = matrix(in, L, d);
    Answers a = answers_for(&h), b = answers_for(&h);
    Gradients dense = gradients_for(&h), g = gradients_for(&h);
    parallel(&h, &a);
    blockwise(&h, B, &b, D);
    compare_bits(&t->forward, b.O, a.O);
    compare_bits(&t->forward, b.lse, a.lse);
    compare_bits(&t->forward, b.SU, a.SU);
    compare_D(&t->D, &h, B, D);
    backward(&h, dO, &dense);
    backward_blockwise(&h, B, &b, D, dO, BY_SUBTRACTION, &g);
    compare_gradient_bits(&t->subtracted, &g, &dense);
    backward_blockwise(&h, B, &b, D, dO, BY_RECOMPUTATION, &g);
    compare_gradient_bits(&t->recomputed, &g, &dense);
    t->forward.shapes++;
    t->ragged += L % B != 0;
    system_free(in);
}

static void row_of(Page *p, const char *what, const Trial *t)
{
    size_t compared = t->subtracted.compared + t->recomputed.compared;
    double chance = tally_chance(&t->forward, 4) + tally_chance(&t->D, 4) +
                    14 * (double)compared / (double)FIELD_PRIME;
    page_row(p, "%s|%zu (%zu)|%zu: %zu|%zu: %zu|%zu: %zu|%zu: %zu|%.1e", what, t->forward.shapes,
             t->ragged, t->forward.compared, t->forward.different, t->D.compared, t->D.different,
             t->subtracted.compared, t->subtracted.different, t->recomputed.compared,
             t->recomputed.different, chance);
}

static bool same(const Trial *t)
{
    return t->forward.compared && t->subtracted.compared && !t->forward.different &&
           !t->D.different && !t->subtracted.different && !t->recomputed.different;
}

static void in_field(Page *p)
{
    Trial small = {0}, large = {0};
    for (size_t L = 1; L <= 8; L++)
        for (size_t d = 1; d <= 2; d++)
            for (size_t W = 0; W <= L + 1; W++)
                for (size_t B = 1; B <= L; B++)
                    try_blocks(&small, L, d, W <= L ? W : NO_WINDOW, B,
                               10000 * L + 1000 * d + 10 * W + B);
    uint64_t at = 20250929;
    for (size_t r = 0; r < 60; r++) {
        size_t L = 9 + field_random(&at) % 56, d = 1 + field_random(&at) % 16;
        size_t W = field_random(&at) % (L + 2), B = 1 + field_random(&at) % L;
        try_blocks(&large, L, d, r % 3 ? W : NO_WINDOW, B, r);
    }
    page_table(
        p, "Blockwise and dense modulo 2^61 - 1: entries compared and how many of them differ",
        "shapes|how many (B does not divide L)|O, lse, SU|D: U after (N - 1) B tokens|six "
        "gradients, D taken back by (33)|... recomputed|chance that different formulas pass");
    row_of(p, "all L <= 8, d <= 2, W = 0 .. L and none, B = 1 .. L", &small);
    row_of(p, "random L = 9 .. 64, d <= 16, W, B", &large);
    page_check(p, same(&small) && same(&large),
               "the blockwise form is the dense one, forward and backward, for every block size");
}

static void in_balls(Page *p)
{
    Items items = drawn(40, 16, 13, 3);
    bool overlaps = true, falls = true;
    double before[2] = {INFINITY, INFINITY};
    page_table(p,
               "Balls, blocks of 14 (L = 40, d = 16, W = 13): log2 of the widest relative radius",
               "bits|forward|gradients|compared|apart");
    for (long bits = 64; bits <= 512; bits *= 2) {
        BallAgreement r[2] = {agree_in_balls(FORWARD, &items.item->problem, bits), {0}};
        r[1] = agree_in_balls(GRADIENTS, &items.item->problem, bits);
        for (size_t k = 0; k < 2; k++) {
            overlaps = overlaps && r[k].compared && !r[k].disjoint;
            falls = falls && r[k].log2_radius < before[k];
            before[k] = r[k].log2_radius;
        }
        page_row(p, "%ld|%.0f|%.0f|%zu|%zu", bits, r[0].log2_radius, r[1].log2_radius,
                 r[0].compared + r[1].compared, r[0].disjoint + r[1].disjoint);
    }
    page_check(p, overlaps && falls, "every pair of balls overlaps, and the radius falls");
    items_free(&items);
}

void report_theorem2(Page *p)
{
    page_section(p, "theorem-2", "Theorem 2: the blockwise form is the dense one");
    in_field(p);
    in_balls(p);
}
