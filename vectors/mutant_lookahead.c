/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mutant_lookahead.c - gates, lookahead keys and scores of the mutants' kernel: (3), (4), (6),
 * (9), (11). */
#include "mutant_run.h"

#include "bug.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- gates: (3), (4), (9) -------------------------------------------------------------------- */

static bool in_window(const Run *r, size_t s, size_t j)
{
    const Change *c = r->change;
    size_t W = r->W, B = MUTANT_BLOCK;
    if (W == NO_WINDOW || c->window_rule == WINDOW_IGNORED)
        return true;
    size_t apart = block_of(j) > block_of(s) ? block_of(j) - block_of(s) : 0;
    if (c->window_rule == WINDOW_OF_WHOLE_BLOCKS)
        W = (W + B - 1) / B * B;
    if (c->window_rule == WINDOW_BLOCKS_CUT)
        W = W / B * B;
    if (c->window_rule == WINDOW_TOUCHED_SKIPPED && apart > 0 && apart * B + B - 1 > W)
        return false;
    if (c->window_rule == WINDOW_OPEN_MASKED && apart > 0 && apart * B + B - 1 <= W)
        return false;
    return (ptrdiff_t)j <= (ptrdiff_t)(s + W) + c->window;
}

static bool allowed(const Run *r, size_t s, size_t j)
{
    const Change *c = r->change;
    size_t whole = r->L / MUTANT_BLOCK * MUTANT_BLOCK;
    switch (c->keys) {
    case KEYS_ALLOWED:
        break;
    case KEYS_ALL:
        return true;
    case KEYS_OWN_VALUE:
        if (s == j)
            return true;
        break;
    case KEYS_NEXT_ONLY:
        if (j != s + 1)
            return false;
        break;
    case KEYS_FOR_A_BLOCK:
        if (j > s + MUTANT_BLOCK)
            return false;
        break;
    case KEYS_OWN_CHUNK:
        if (block_of(s) != block_of(j))
            return false;
        break;
    case KEYS_FULL_BLOCKS:
        if (j >= whole)
            return false;
        break;
    }
    return (ptrdiff_t)j >= (ptrdiff_t)s + 1 + c->gate_first && in_window(r, s, j);
}

static double gate(Run *r, double z)
{
    const Format *f = r->arithmetic->accumulate;
    double e;
    switch (r->change->gate) {
    case GATE_TANH:
        return once(r, tanh(z));
    case GATE_OPEN:
        return 1;
    case GATE_NEGATED:
        return once(r, 1 / (1 + exp(z)));
    case GATE_HARD:
        return z > 0;
    case GATE_BY_EXP:
        e = to_format(exp(z), f);
        return once(r, e / (1 + e));
    case GATE_SIGMOID:
        break;
    }
    return once(r, 1 / (1 + once(r, exp(-z))));
}

void make_gates(Run *r)
{
    for (size_t s = 0; s < r->L; s++)
        for (size_t j = 0; j < r->L; j++) {
            size_t a = r->change->transposed ? j : s, b = r->change->transposed ? s : j;
            size_t at = s * r->L + j;
            r->gates.present[at] = r->G.present[at] = allowed(r, s, j);
            if (!r->G.present[at] && !(r->change->lost & LOST_ALLOWED) &&
                r->change->window_rule != WINDOW_IGNORED_IN_DERIVATIVE)
                continue;
            double z = dot(r, line_of_operand(r, ROLE_GATE_QUERY, INPUT_QU, a),
                           line_of_operand(r, ROLE_GATE_KEY, INPUT_KU, b), 0, r->d);
            r->gates.at[at] = gate(r, once(r, r->gate_scale * z));
            if (r->change->keys == KEYS_OWN_VALUE && s == j)
                r->gates.at[at] = 1;
            r->G.at[at] = kept(r, STAGE_G, r->gates.at[at]);
        }
}

/* ---- lookahead scores: (6), (11) ------------------------------------------------------------- */

/* Whether token j enters the lookahead scores of query t. */
static bool reaches(const Run *r, size_t t, size_t j)
{
    const Change *c = r->change;
    size_t bt = block_of(t), bj = block_of(j);
    if (c->window_rule == WINDOW_FROM_QUERY && r->W != NO_WINDOW && j + r->W <= t)
        return false;
    switch (c->reach) {
    case REACH_CAUSAL:
        break;
    case REACH_ALL:
    case REACH_TIMES_ZERO:
        return true;
    case REACH_BLOCK:
    case REACH_OWN_TWICE:
        return bj <= bt;
    case REACH_STRICT:
        return j < t;
    case REACH_OWN_BLOCK:
        return j <= t && bj == bt;
    case REACH_LAST_BLOCK:
        return j <= t && bj + 1 >= bt;
    case REACH_EARLIER:
        return bj < bt;
    }
    return j <= t;
}

void make_T1(Run *r)
{
    for (size_t t = 0; t < r->L; t++)
        for (size_t j = 0; j < r->L; j++) {
            size_t at = t * r->L + j;
            r->T1.present[at] = reaches(r, t, j);
            if (!r->T1.present[at])
                continue;
            double x = dot(r, line_of_operand(r, ROLE_T1_QUERY, INPUT_QC, t),
                           line_of_operand(r, ROLE_T1_VALUE, INPUT_VU, j), 0, r->d);
            x = once(r, r->lookahead_scale * x);
            if (r->change->reach == REACH_TIMES_ZERO && j > t)
                x *= 0;
            if (r->change->reach == REACH_OWN_TWICE && j <= t && block_of(j) == block_of(t))
                x *= 2;
            r->T1.at[at] = kept(r, STAGE_T1, x);
        }
}

/* D += (G VU) over the tokens of one block, or less it. */
static void carry(Run *r, int site, double *D, size_t first, size_t end, double sign)
{
    const Format *f = r->arithmetic->accumulate;
    for (size_t s = 0; s < r->L; s++)
        for (size_t k = 0; k < r->d; k++) {
            double part = dot(r, line_of_row(r, &r->G, s),
                              line_of_operand_column(r, ROLE_NONE, INPUT_VU, k), first, end);
            double sum = D[s * r->d + k] + sign * part;
            /* the change is what this rounding leaves: it is made whatever else is rounded */
            D[s * r->d + k] = kept(r, site, to_format(sum, f));
        }
}

static void scores_of_block(Run *r, const double *D, size_t first, size_t end, bool decoding)
{
    for (size_t t = first; t < end; t++)
        for (size_t s = 0; s < t; s++) {
            double x = dot(r, line_of_operand(r, ROLE_NONE, INPUT_QC, t),
                           (Line){D + s * r->d, NULL, 1}, 0, r->d);
            x = once(r, r->lookahead_scale * x);
            if (!decoding)
                x = once(r, x + dot(r, line_of_row(r, &r->T1, t), line_of_row(r, &r->G, s), first,
                                    t + 1));
            r->SU.at[t * r->L + s] = kept(r, STAGE_SU, x);
        }
}

void carried_scores(Run *r, size_t size, int site, double *D, bool back)
{
    size_t blocks = (r->L + size - 1) / size;
    bool decoding = size == 1;
    for (size_t k = 0; k < blocks; k++) {
        size_t i = back ? blocks - 1 - k : k, first = i * size;
        size_t end = first + size < r->L ? first + size : r->L;
        if (decoding || back)
            carry(r, site, D, first, end, back ? -1 : 1);
        scores_of_block(r, D, first, end, decoding);
        if (!decoding && !back)
            carry(r, site, D, first, end, 1);
    }
}

/* Whether a lookahead score of query t and key s sums anything over j: for s < t, in the right
 * kernel. */
static bool meet(const Run *r, size_t t, size_t s, size_t first, size_t end)
{
    for (size_t j = first; j < end; j++)
        if (r->T1.present[t * r->L + j] && r->G.present[s * r->L + j])
            return true;
    return false;
}

void make_SU(Run *r)
{
    for (size_t s = 0; s < r->L; s++) {
        size_t first = present_in_row(r, &r->G, s).first;
        for (size_t t = 0; t < r->L; t++) {
            size_t at = t * r->L + s, end = present_in_row(r, &r->T1, t).end;
            r->SU.present[at] = meet(r, t, s, first, end);
            double x = dot(r, line_of_row(r, &r->T1, t), line_of_row(r, &r->G, s), first, end);
            r->SU.at[at] = kept(r, STAGE_SU, x);
        }
    }
    const Change *c = r->change;
    double *D = run_numbers(r->L * r->d);
    if (c->narrow && c->site == SITE_D)
        carried_scores(r, MUTANT_BLOCK, SITE_D, D, false);
    if (c->narrow && c->site == STAGE_CACHE)
        carried_scores(r, 1, STAGE_CACHE, D, false);
    if (c->narrow && (c->site == SITE_D || c->site == STAGE_CACHE))
        memcpy(r->U, D, r->L * r->d * sizeof *D);
    free(D);
}

void make_U(Run *r)
{
    const Change *c = r->change;
    size_t B = MUTANT_BLOCK, end = r->L;
    if (c->u == U_LACKS_LAST_BLOCK)
        end = (r->L - 1) / B * B;
    if (c->u == U_OF_FIRST_BLOCK)
        end = r->L < B ? r->L : B;
    bool carried = c->narrow && (c->site == SITE_D || c->site == STAGE_CACHE);
    for (size_t s = 0; s < r->L; s++)
        for (size_t k = 0; k < r->d; k++) {
            double x = carried ? r->U[s * r->d + k]
                               : dot(r, line_of_row(r, &r->G, s),
                                     line_of_operand_column(r, ROLE_U_VALUE, INPUT_VU, k), 0, end);
            if (c->u == U_LAST_ROW_NAN && s + 1 == r->L)
                x = NAN;
            r->U[s * r->d + k] = kept(r, STAGE_U, x);
        }
}
