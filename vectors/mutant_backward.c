/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mutant_backward.c - the gradients of the mutants' kernel, in the order of ref/backward.c. */
#include "mutant_run.h"

#include "bug.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool lost(const Run *r, Lost part) { return (r->change->lost & (unsigned)part) != 0; }
static bool same_block(size_t a, size_t b) { return block_of(a) == block_of(b); }

/* ---- P, dP, dS ------------------------------------------------------------------------------- */

/* D goes up and comes back down; SU is made anew on the way, and the scores with it. */
static void take_D_back(Run *r)
{
    double *D = run_numbers(r->L * r->d);
    double *su = run_numbers(r->L * r->L);
    memcpy(su, r->SU.at, r->L * r->L * sizeof *su);
    carried_scores(r, MUTANT_BLOCK, SITE_D, D, false);
    carried_scores(r, MUTANT_BLOCK, SITE_D, D, true);
    for (size_t k = 0; k < r->L * r->L; k++)
        if (r->S.present[k])
            r->S.at[k] = once(r, r->S.at[k] + silu(su[k]) - silu(r->SU.at[k]));
    free(su);
    free(D);
}

/* P as the backward pass rebuilds it, exp(S - lse), before it is kept. */
static void rebuild_weights(Run *r, double *P)
{
    for (size_t t = 0; t < r->L; t++)
        for (size_t s = 0; s < r->L; s++) {
            size_t at = t * r->L + s;
            if (!r->P.present[at])
                continue;
            P[at] = once(r, exp(once(r, r->S.at[at] - r->lse[t])));
            if (r->change->softmax == ONE_WEIGHT_LOST && t + 1 == r->L && s == 0)
                P[at] = 0;
            r->P.at[at] = kept(r, STAGE_P, P[at]);
        }
}

static void make_dP(Run *r)
{
    for (size_t t = 0; t < r->L; t++)
        for (size_t s = 0; s < r->L; s++) {
            size_t at = t * r->L + s;
            r->dP.present[at] = r->P.present[at];
            if (r->dP.present[at])
                r->dP.at[at] = kept(r, STAGE_DP,
                                    dot(r, (Line){r->cotangent + t * r->d, NULL, 1},
                                        line_of_operand(r, ROLE_DP_VALUE, INPUT_VC, s), 0, r->d));
        }
}

static double delta_of(Run *r, const double *P, const double *O, size_t t, size_t s)
{
    const double *dO = r->cotangent + t * r->d;
    Line row = {dO, NULL, 1};
    size_t first = block_of(s) * MUTANT_BLOCK;
    size_t end = first + MUTANT_BLOCK < r->L ? first + MUTANT_BLOCK : r->L;
    switch (r->change->delta) {
    case DELTA_PER_KEY_BLOCK:
        return dot(r, (Line){P + t * r->L, r->dP.present + t * r->L, 1}, line_of_row(r, &r->dP, t),
                   first, end);
    case DELTA_OMITTED:
        return 0;
    case DELTA_OF_VALUES:
        return dot(r, row, line_of_operand(r, ROLE_NONE, INPUT_VC, t), 0, r->d);
    default:
        return dot(r, row, (Line){O + t * r->d, NULL, 1}, 0, r->d);
    }
}

static double softmax_slope(Run *r, double P, double dP, double delta)
{
    if (r->change->delta == DELTA_NOT_WEIGHTED)
        return once(r, once(r, P * dP) - delta);
    return once(r, P * once(r, dP - (r->change->delta == DELTA_ADDED ? -delta : delta)));
}

static double phi(double x) { return exp(-x * x / 2) / sqrt(2 * acos(-1)); }

static double true_slope(double x)
{
    double g = 1 / (1 + exp(-x));
    return g * (1 + x * (1 - g));
}

/* The derivative of what is taken off the causal score, as changed. */
static double penalty_slope(const Run *r, double x)
{
    double g = 1 / (1 + exp(-x));
    switch (r->change->slope) {
    case SLOPE_OF_SILU:
        return true_slope(x);
    case SLOPE_SIGMOID:
        return g;
    case SLOPE_NEGATED:
        return -true_slope(x);
    case SLOPE_ONE:
        return 1;
    case SLOPE_POSITIVE:
        return fabs(true_slope(x));
    case SLOPE_CUT:
        return g * x * (1 - g);
    case SLOPE_RIGHT:
        break;
    }
    switch (r->change->penalty) {
    case PENALTY_ADDED:
        return -true_slope(x);
    case PENALTY_PLAIN:
        return 1;
    case PENALTY_SIGMOID:
        return g * (1 - g);
    case PENALTY_NONE:
        return 0;
    case PENALTY_RELU:
        return x > 0;
    case PENALTY_OF_NEGATIVE:
        return -true_slope(-x);
    case PENALTY_GELU:
        return erfc(-x / sqrt(2)) / 2 + x * phi(x);
    case PENALTY_SOFTPLUS:
        return g;
    case PENALTY_SILU:
    case PENALTY_BY_EXP:
        break;
    }
    return r->variant == WITHOUT_SILU ? 1 : true_slope(x);
}

static void make_dS(Run *r, const double *P, const double *O)
{
    bool numbered = r->change->softmax == MASK_IS_A_NUMBER;
    bool per_block = r->change->delta == DELTA_PER_KEY_BLOCK;
    for (size_t t = 0; t < r->L; t++) {
        double delta = 0;
        for (size_t s = 0; s < r->L; s++) {
            size_t at = t * r->L + s;
            if (s == 0 || (per_block && s % MUTANT_BLOCK == 0))
                delta = delta_of(r, P, O, t, s);
            r->dS.present[at] = r->dP.present[at] && !(numbered && s > t);
            r->dSU.present[at] = r->dS.present[at] && r->SU.present[at];
            if (!r->dS.present[at])
                continue;
            double unrounded = softmax_slope(r, P[at], r->dP.at[at], delta);
            r->dS.at[at] = kept(r, STAGE_DS, unrounded);
            double x = once(r, -unrounded * once(r, penalty_slope(r, r->SU.at[at])));
            if (lost(r, LOST_MINUS))
                x = -x;
            r->dSU.at[at] = lost(r, LOST_LOOKAHEAD) ? 0 : kept(r, STAGE_DSU, x);
        }
    }
}

/* ---- dT1, dG, dZ ----------------------------------------------------------------------------- */

static void make_dT1(Run *r)
{
    for (size_t j = 0; j < r->L; j++) {
        Range s = present_in_column(r, &r->G, j);
        for (size_t t = 0; t < r->L; t++) {
            size_t at = t * r->L + j;
            r->dT1.present[at] = r->T1.present[at] || lost(r, LOST_TRIL);
            if (!r->dT1.present[at])
                continue;
            double x = dot(r, line_of_row(r, &r->dSU, t), line_of_column(r, &r->G, j), s.first,
                           s.end);
            if (r->change->reach == REACH_TIMES_ZERO && j > t)
                x *= 0;
            if (r->change->reach == REACH_OWN_TWICE && same_block(t, j) && j <= t)
                x *= 2;
            r->dT1.at[at] = kept(r, STAGE_DT1, x);
        }
    }
}

static double gate_slope(Run *r, double g)
{
    const Change *c = r->change;
    g = kept(r, SITE_GATE_SLOPE, g);
    if (c->gate_slope == GATE_SLOPE_GATE)
        return g;
    if (c->gate_slope == GATE_SLOPE_ONE)
        return 1;
    switch (c->gate) {
    case GATE_TANH:
        return 1 - g * g;
    case GATE_OPEN:
    case GATE_HARD:
        return 0;
    case GATE_NEGATED:
        return -g * (1 - g);
    case GATE_SIGMOID:
    case GATE_BY_EXP:
        break;
    }
    return once(r, g * once(r, 1 - g));
}

static void make_dZ(Run *r)
{
    bool beyond = r->change->window_rule == WINDOW_IGNORED_IN_DERIVATIVE;
    for (size_t s = 0; s < r->L; s++) {
        Range t = present_in_column(r, &r->dSU, s);
        for (size_t j = 0; j < r->L; j++) {
            size_t at = s * r->L + j;
            r->dG.present[at] = r->dZ.present[at] = r->G.present[at] || lost(r, LOST_ALLOWED) ||
                                                    (beyond && j > s);
            if (!r->dG.present[at])
                continue;
            double x = dot(r, line_of_column(r, &r->dSU, s), line_of_column(r, &r->T1, j), t.first,
                           t.end);
            r->dG.at[at] = kept(r, STAGE_DG, x);
            double z = once(r, r->dG.at[at] * gate_slope(r, r->gates.at[at]));
            bool constant = r->change->keys == KEYS_OWN_VALUE && s == j;
            r->dZ.at[at] = constant ? 0 : kept(r, STAGE_DZ, z);
        }
    }
}

/* ---- products -------------------------------------------------------------------------------- */

/* `present` without the blocks on the diagonal, where the change loses those; to be freed. */
static unsigned char *parts(const Run *r, const Square *s, bool diagonal_is_lost)
{
    unsigned char *present = room_for("mutant_backward", r->L * r->L, 1);
    for (size_t i = 0; i < r->L; i++)
        for (size_t j = 0; j < r->L; j++) {
            size_t at = i * r->L + j;
            present[at] = s->present[at] && !(diagonal_is_lost && same_block(i, j));
        }
    return present;
}

/* out_i = sum over k of A_ik b_k, or of A_ki: the last step of a gradient, times c. */
static void multiply(Run *r, const Square *A, bool transposed, Lost diagonal, Role role, Input of,
                     double *out)
{
    unsigned char *present = parts(r, A, diagonal && lost(r, diagonal));
    Square B = {A->at, present};
    for (size_t i = 0; i < r->L; i++)
        for (size_t k = 0; k < r->d; k++) {
            Line a = transposed ? line_of_column(r, &B, i) : line_of_row(r, &B, i);
            Line b = of == INPUTS ? (Line){r->cotangent + k, NULL, r->d}
                                  : line_of_operand_column(r, role, of, k);
            out[i * r->d + k] = dot(r, a, b, 0, r->L);
        }
    free(present);
}

/* The factor of dQU .. dKC: where the forward pass changed a scale, so does its derivative. */
static void finish(Run *r, Answer a, double scale, double *x)
{
    scale *= pow(r->scale, r->change->scale_by[a - ANSWER_DQU]);
    for (size_t k = 0; k < r->L * r->d; k++)
        x[k] = kept(r, (int)answer_stage(a), once(r, scale * x[k]));
}

static bool turned(const Run *r, Input of) { return (r->change->turned >> of & 1) != 0; }

static void make_dQC(Run *r, double *out)
{
    double *through_T1 = run_numbers(r->L * r->d);
    if (r->variant != WITHOUT_CAUSAL_KEYS && !lost(r, LOST_DQC_CAUSAL))
        multiply(r, &r->dS, false, LOST_DQC_CAUSAL_DIAGONAL, ROLE_DQC_KEY, INPUT_KC, out);
    if (!lost(r, LOST_DQC_LOOKAHEAD))
        multiply(r, &r->dT1, false, 0, ROLE_DQC_VALUE, INPUT_VU, through_T1);
    double causal = r->causal_scale / r->scale, lookahead = r->lookahead_scale / r->scale;
    for (size_t k = 0; k < r->L * r->d; k++)
        out[k] = once(r, causal * out[k] + lookahead * through_T1[k]);
    finish(r, ANSWER_DQC, r->scale, out);
    free(through_T1);
}

static void make_gradients(Run *r, double *const of[ANSWERS])
{
    multiply(r, &r->P, !turned(r, INPUT_VC), LOST_DVC_DIAGONAL, ROLE_NONE, INPUTS, of[ANSWER_DVC]);
    for (size_t k = 0; k < r->L * r->d; k++)
        of[ANSWER_DVC][k] = kept(r, STAGE_DVC, of[ANSWER_DVC][k]);
    multiply(r, &r->dZ, turned(r, INPUT_QU), LOST_DQU_DIAGONAL, ROLE_DQU_KEY, INPUT_KU,
             of[ANSWER_DQU]);
    finish(r, ANSWER_DQU, r->gate_scale, of[ANSWER_DQU]);
    multiply(r, &r->dZ, !turned(r, INPUT_KU), LOST_DKU_DIAGONAL, ROLE_DKU_QUERY, INPUT_QU,
             of[ANSWER_DKU]);
    finish(r, ANSWER_DKU, r->gate_scale, of[ANSWER_DKU]);
    multiply(r, &r->dT1, !turned(r, INPUT_VU), LOST_DVU_DIAGONAL, ROLE_DVU_QUERY, INPUT_QC,
             of[ANSWER_DVU]);
    finish(r, ANSWER_DVU, r->lookahead_scale, of[ANSWER_DVU]);
    make_dQC(r, of[ANSWER_DQC]);
    if (r->variant == WITHOUT_CAUSAL_KEYS)
        return; /* dKC is 0 */
    multiply(r, &r->dS, !turned(r, INPUT_KC), LOST_DKC_DIAGONAL, ROLE_DKC_QUERY, INPUT_QC,
             of[ANSWER_DKC]);
    finish(r, ANSWER_DKC, r->causal_scale, of[ANSWER_DKC]);
}

/* The derivative of a gate that joins QU_j with KU_s goes to those. */
static void transpose(const Run *r, Square *s)
{
    Square t = run_square(r);
    for (size_t i = 0; i < r->L; i++)
        for (size_t j = 0; j < r->L; j++) {
            t.at[i * r->L + j] = s->at[j * r->L + i];
            t.present[i * r->L + j] = s->present[j * r->L + i];
        }
    square_free(s);
    *s = t;
}

void mutant_backward(Run *r, MutantAnswers *all)
{
    Square *squares[] = {&r->dP, &r->dS, &r->dSU, &r->dT1, &r->dG, &r->dZ};
    for (size_t k = 0; k < sizeof squares / sizeof *squares; k++)
        *squares[k] = run_square(r);
    double *P = run_numbers(r->L * r->L), *O = run_numbers(r->L * r->d);
    for (size_t k = 0; k < r->L * r->d; k++)
        O[k] = kept(r, SITE_DELTA_O, r->O[k]);
    if (r->change->subtracted)
        take_D_back(r);
    rebuild_weights(r, P);
    make_dP(r);
    make_dS(r, P, O);
    make_dT1(r);
    make_dZ(r);
    const Square *const stages[] = {&r->dP, &r->dS, &r->dSU, &r->dT1, &r->dG};
    for (Answer k = ANSWER_DP; k <= ANSWER_DG; k++)
        for (size_t i = 0; all->of[k] && i < r->L * r->L; i++)
            all->of[k][i] = stages[k - ANSWER_DP]->present[i] ? stages[k - ANSWER_DP]->at[i] : 0;
    if (r->change->transposed)
        transpose(r, &r->dZ);
    make_gradients(r, all->of);
    free(P);
    free(O);
}
