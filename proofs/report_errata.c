/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The paper's errata (arXiv 2509.07301v2): where what is printed is a formula, it is computed as printed and
 * as taken here, and held against the definition, or the definition's derivative by dual numbers.
 */
#include "as_printed.h"
#include "backward_blockwise.h"
#include "blockwise.h"
#include "complexity.h"
#include "prefill.h"
#include "rounding_bounds.h"
#include "sections.h"
#include "sequential.h"
#include "trials.h"
#include "ways.h"

#include <math.h>

enum { BITS = 256, WIDE = 1024, LENGTH = 10, DIM = 4, BLOCK = 4 };

static const char *const places[MISPRINTS] = {
    [PRINTED_DOUBLE_SCALE] = "end of the proof of Theorem 1: SiLU(SU / sqrt d)",
    [PRINTED_DIAGONAL_OPEN] = "proof of (13), appendix E: [M^U_t]_tt = 0",
    [PRINTED_V_OUTPUT] = "(26): V without a superscript, read as VU",
    [PRINTED_GATE_UNSCALED] = "scale: left out of the gate",
    [PRINTED_V_GRADIENT] = "(35): V without a superscript, read as VU",
    [PRINTED_DELTA_OUTSIDE] = "(28), (29): P o dP - Delta",
    [PRINTED_DELTA_BY_BLOCK] = "Delta_i: per key block instead of the whole row",
    [PRINTED_DIAGONAL_KC] = "(39), Algorithm 3, line 23: diagonal blocks give dKC nothing",
    [PRINTED_DIAGONAL_QC] = "(39), line 23: diagonal blocks give dQC the lookahead part only",
    [PRINTED_LINE_13] = "Algorithm 3, line 13: updates KU instead of dKU",
    [PRINTED_MERGE] = "the merge of dVU, dKU: without the diagonal blocks' part",
};

/* ---- the formulas ---------------------------------------------------------------------------- */

typedef struct Verdict {
    Tally printed, taken;          /* in the field */
    double off_printed, off_taken; /* log10 of the relative error at BITS ... */
    double allowed;                /* ... and of the most that rounding can make of it */
} Verdict;

static void forward_in_field(Verdict *v, Misprint m, const Head *h)
{
    Answers definition = answers_for(h), taken = answers_for(h);
    sequential(h, &definition);
    parallel(h, &taken);
    compare_bits(&v->printed, forward_as_printed(h, m).O, definition.O);
    compare_bits(&v->taken, taken.O, definition.O);
}

static void backward_in_field(Verdict *v, Misprint m, const Head *h, Matrix dO)
{
    Gradients dense = gradients_for(h), taken = gradients_for(h);
    Gradients printed = backward_as_printed(h, dO, BLOCK, m);
    Answers a = answers_for(h);
    Matrix D = matrix(dO.in, dO.rows, dO.cols);
    backward(h, dO, &dense);
    blockwise(h, BLOCK, &a, D);
    backward_blockwise(h, BLOCK, &a, D, dO, BY_SUBTRACTION, &taken);
    compare_gradient_bits(&v->printed, &printed, &dense);
    compare_gradient_bits(&v->taken, &taken, &dense);
}

static double log10_of(double log2) { return log2 * M_LN2 / M_LN10; }

static double allowed_forward(const Direction *l)
{
    Format format;
    int shift;
    System *in = rounding_bounds_system(BITS, &format, &shift);
    Matrix dO;
    Head h = head_on_line(in, l, 0, &dO);
    Answers a = answers_for(&h), b = answers_for(&h);
    sequential(&h, &a);
    parallel(&h, &b);
    double bound = log10_of(log2_gap_bound(b.O, a.O, shift));
    system_free(in);
    return bound;
}

static void forward_in_reals(Verdict *v, Misprint m, const Direction *l)
{
    System *in = mpfr_system(BITS);
    Matrix dO;
    Head h = head_on_line(in, l, 0, &dO);
    Answers definition = answers_for(&h), taken = answers_for(&h);
    sequential(&h, &definition);
    parallel(&h, &taken);
    v->off_printed = log10_of(log2_gap(forward_as_printed(&h, m).O, definition.O));
    v->off_taken = log10_of(log2_gap(taken.O, definition.O));
    v->allowed = allowed_forward(l);
    system_free(in);
}

/* <gradient, v>, the paper's formula and Algorithm 3, against the tangent to so many more bits. */
static void backward_in_reals(Verdict *v, Misprint m, const Direction *l)
{
    System *in = mpfr_system(BITS);
    Matrix dO;
    Head h = head_on_line(in, l, 0, &dO);
    mpfr_t tangent, found;
    mpfr_inits2(WIDE, tangent, found, (mpfr_ptr)0);
    tangent_of_definition(tangent, l, WIDE);
    Gradients printed = backward_as_printed(&h, dO, BLOCK, m);
    in->op->get(in, found, gradient_on_line(&printed, l).entries);
    mpfr_sub(found, found, tangent, MPFR_RNDN);
    v->off_printed = log10_of(log2_of(found) - log2_of(tangent));
    way_gradient(found, BLOCKS_SUBTRACTED, l, BLOCK, BITS);
    mpfr_sub(found, found, tangent, MPFR_RNDN);
    v->off_taken = log10_of(log2_of(found) - log2_of(tangent));
    v->allowed = log10_of(log2_way_bound(BLOCKS_SUBTRACTED, l, BLOCK, BITS) - log2_of(tangent));
    mpfr_clears(tangent, found, (mpfr_ptr)0);
    system_free(in);
}

static Verdict verdict_on(Misprint m)
{
    Verdict v = {0};
    uint64_t state = 100 + m;
    System *in = field_system(field_random(&state));
    Head h = field_head(in, LENGTH, DIM, NO_WINDOW, &state);
    Matrix dO = field_random_matrix(in, LENGTH, DIM, &state);
    if (m < PRINTED_V_GRADIENT)
        forward_in_field(&v, m, &h);
    else
        backward_in_field(&v, m, &h, dO);
    system_free(in);
    Direction l = random_line(LENGTH, DIM, NO_WINDOW, 5);
    (m < PRINTED_V_GRADIENT ? forward_in_reals : backward_in_reals)(&v, m, &l);
    line_free(&l);
    return v;
}

static void formulas(Page *p)
{
    bool refuted = true, holds = true;
    page_table(
        p,
        "As printed and as taken here (L = 10, d = 4, B = 4, no window). Field: entries of O "
        "against "
        "the definition's, of the six gradients against the dense ones. Real: log10 of the "
        "relative "
        "error at 256 bits, of O against the definition, of <gradient, v> against the definition's "
        "tangent along v, and the most that rounding.md's rules allow there",
        "where|printed: field entries that differ|real|taken: differ|real|rounding allows");
    for (Misprint m = PRINTED_RIGHT + 1; m < MISPRINTS; m++) {
        Verdict v = verdict_on(m);
        page_row(p, "%s|%zu of %zu|%.1f|%zu|%.1f|%.1f", places[m], v.printed.different,
                 v.printed.compared, v.off_printed, v.taken.different, v.off_taken, v.allowed);
        refuted = refuted && v.printed.different && v.off_printed > v.allowed;
        holds = holds && v.taken.compared && !v.taken.different && v.off_taken <= v.allowed;
    }
    page_check(p, refuted,
               "each formula fails as printed, in the field and past all rounding in the reals");
    page_check(p, holds,
               "errata: each holds as taken here, in the field bit for bit and within rounding");
}

/* ---- what is not one formula ----------------------------------------------------------------- */

/* D after Algorithm 1 is U^((N-1)B); decoding must go on from U^L. */
static void D_is_not_the_cache(Page *p)
{
    uint64_t state = 3;
    System *in = field_system(field_random(&state));
    Head h = field_head(in, LENGTH, DIM, NO_WINDOW, &state);
    Answers a = answers_for(&h), b = answers_for(&h);
    Matrix D = matrix(in, LENGTH, DIM);
    sequential(&h, &a);
    blockwise(&h, BLOCK, &b, D);
    Cache cache = cache_empty(in, LENGTH, DIM);
    prefill(&cache, &h, 0, LENGTH, BLOCK, b.O, b.lse);
    Tally printed = {0}, taken = {0};
    compare_bits(&printed, D, a.U);
    compare_bits(&taken, cache.U, a.U);
    page_row(p,
             "Algorithm 1's D as the cache's U|%zu of %zu entries of D are not U^L's|%zu of %zu of "
             "Algorithm 4's",
             printed.different, printed.compared, taken.different, taken.compared);
    page_check(p, printed.different && !taken.different,
               "D lacks the last block; Algorithm 4 as taken here gives U^L");
    system_free(in);
}

/* Theorem 2's O(L^2 d) at B = L, where (B + 1) L^2 / 4 is the whole cube. */
static void blocks_cost(Page *p)
{
    enum { D = 4, POINTS = 7 };
    uint64_t counts[2][POINTS]; /* [B = L] */
    for (uint64_t k = 0; k < POINTS; k++)
        for (int whole = 0; whole < 2; whole++) {
            uint64_t L = 64 + k * D;
            counts[whole][k] =
                blockwise_formula((Shape){L, D, NO_WINDOW, whole ? L : D}).multiply_adds;
        }
    size_t by_d = degree_of(counts[0], POINTS), whole = degree_of(counts[1], POINTS);
    page_row(p,
             "Theorem 2: O(L^2 d) for any B (d = 4)|B = L: multiply-adds are a polynomial of "
             "degree %zu in L|B = d: of degree %zu",
             whole, by_d);
    page_check(
        p, whole == 3 && by_d == 2,
        "errata: with B = L the cost of Algorithm 1 is a cubic in L, with B = d a quadratic");
}

/* Figure 2's caption: lookahead keys see x_{s+1..t}. They change with QU_s too. */
static void keys_read_their_own_token(Page *p)
{
    uint64_t state = 4;
    System *in = field_system(field_random(&state));
    Head h = field_head(in, LENGTH, DIM, NO_WINDOW, &state);
    Answers a = answers_for(&h), b = answers_for(&h);
    parallel(&h, &a);
    size_t changed = 0;
    for (size_t s = 0; s + 1 < LENGTH; s++) {
        Tally t = {0};
        assign(row(h.QU, s), field_random_matrix(in, 1, DIM, &state));
        parallel(&h, &b);
        compare_bits(&t, row(b.U, s), row(a.U, s));
        changed += t.different > 0;
    }
    page_row(p,
             "Figure 2's caption: u_s sees x_{s+1..t}|another QU_s changes u_s for %zu of %d "
             "tokens s < L|"
             "u_s depends on x_s through QU_s",
             changed, LENGTH - 1);
    page_check(p, changed == LENGTH - 1,
               "every lookahead key but the last depends on its own token");
    system_free(in);
}

static void others(Page *p)
{
    page_table(p, "Statements", "where|as printed|as taken here");
    D_is_not_the_cache(p);
    blocks_cost(p);
    keys_read_their_own_token(p);
    page_say(p,
             "L divisible by B: Theorem 2's section above runs every B <= L, mostly ones that do "
             "not divide "
             "L. Another scale than 1/sqrt(d): every field run of this page draws a random one.");
    page_say(p, "Nothing to test: (25)'s index T_k for T_j; Delta_i = dO_i^T O_i, a d x d matrix "
                "by layout that "
                "cannot be taken off a row (its reading per key block is tested above); Algorithm "
                "1, line 13, and "
                "Algorithm 4, line 6, which name the wrong operand of a load; (13)'s mask column "
                "of length t "
                "beside t - 1 logits; L x d_model for L x d in (10) and Algorithm 3: shapes that "
                "do not fit "
                "cannot be computed. Table 13's Baseline-L row is data that nothing here uses. "
                "RoPE, QK-norm, "
                "dropout and biases stand outside the operator.");
}

void report_errata(Page *p)
{
    page_section(p, "errata", "Errata: as printed it fails, as taken here it holds");
    formulas(p);
    others(p);
}
