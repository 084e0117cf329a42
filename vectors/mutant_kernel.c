/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mutant_run.h"

#include "bug.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- scores: (5), (7) ------------------------------------------------------------------------ */

double silu(double x) { return x == -INFINITY ? 0 : x / (1 + exp(-x)); }

static double penalty(Run *r, double x)
{
    double e;
    switch (r->change->penalty) {
    case PENALTY_NONE:
        return 0;
    case PENALTY_PLAIN:
        return x;
    case PENALTY_SIGMOID:
        return 1 / (1 + exp(-x));
    case PENALTY_RELU:
        return x > 0 ? x : 0;
    case PENALTY_OF_NEGATIVE:
        return silu(-x);
    case PENALTY_GELU:
        return x * erfc(-x / sqrt(2)) / 2;
    case PENALTY_SOFTPLUS:
        return x > 40 ? x : log1p(exp(x));
    case PENALTY_BY_EXP:
        e = to_format(exp(x), r->arithmetic->accumulate);
        return x * (e / (1 + e));
    case PENALTY_ADDED:
        return -silu(x);
    case PENALTY_SILU:
        break;
    }
    return r->variant == WITHOUT_SILU ? x : silu(x);
}

/* Whether key s takes part in row t. */
static bool attends(const Run *r, size_t t, size_t s)
{
    const Change *c = r->change;
    if (c->softmax == MASK_IS_A_NUMBER)
        return true;
    if (c->window_rule == WINDOW_ON_CAUSAL_SCORE && r->W != NO_WINDOW && s + r->W < t)
        return false;
    if (c->causal_end < 0 && t == 0)
        return s == 0; /* no row is empty */
    return (ptrdiff_t)s <= (ptrdiff_t)t + c->causal_end;
}

static void make_scores(Run *r)
{
    const Change *c = r->change;
    for (size_t t = 0; t < r->L; t++)
        for (size_t s = 0; s < r->L; s++) {
            size_t at = t * r->L + s;
            r->S.present[at] = r->SC.present[at] = r->P.present[at] = attends(r, t, s);
            if (!r->S.present[at])
                continue;
            if (c->softmax == MASK_IS_A_NUMBER && s > t) {
                r->S.at[at] = r->SC.at[at] = -1e4;
                continue;
            }
            double x = 0;
            if (r->variant != WITHOUT_CAUSAL_KEYS)
                x = dot(r, line_of_operand(r, ROLE_SCORE_QUERY, INPUT_QC, t),
                        line_of_operand(r, ROLE_SCORE_KEY, INPUT_KC, s), 0, r->d);
            r->SC.at[at] = kept(r, STAGE_SC, once(r, r->causal_scale * x));
            double y = once(r, r->SC.at[at] - once(r, penalty(r, r->SU.at[at])));
            r->S.at[at] = kept(r, SITE_SCORE, y);
            if (c->softmax == NAN_IS_ABSENT && isnan(y))
                r->S.present[at] = r->P.present[at] = 0;
        }
}

/* ---- softmax: (7), (8) ----------------------------------------------------------------------- */

static double maximum(const Run *r, const Square *of, size_t t, size_t end)
{
    double m = -INFINITY;
    for (size_t s = 0; s < end; s++)
        if (r->S.present[t * r->L + s] && of->at[t * r->L + s] > m)
            m = of->at[t * r->L + s];
    return m;
}

static void drop_ties(Run *r, size_t t)
{
    for (size_t s = 1; s < r->L; s++)
        for (size_t k = 0; k < s; k++) {
            size_t at = t * r->L + s, before = t * r->L + k;
            if (r->S.present[before] && r->S.present[at] && r->S.at[at] == r->S.at[before])
                r->S.present[at] = r->P.present[at] = 0;
        }
}

static size_t end_of_block(const Run *r, size_t s)
{
    size_t end = (block_of(s) + 1) * MUTANT_BLOCK;
    return end < r->L ? end : r->L;
}

static double reported_lse(const Run *r, double m, double l)
{
    switch (r->change->lse) {
    case LSE_LOG2:
        return m + log2(l);
    case LSE_WITHOUT_MAXIMUM:
        return log(l);
    case LSE_NEGATED:
        return -(m + log(l));
    case LSE_RIGHT:
        break;
    }
    return m + log(l);
}

static void make_weights(Run *r, size_t t)
{
    const Change *c = r->change;
    if (c->softmax == TIES_KEEP_THE_FIRST)
        drop_ties(r, t);
    double m = maximum(r, c->softmax == MAXIMUM_OF_CAUSAL_PART ? &r->SC : &r->S, t, r->L);
    if (c->softmax == MAXIMUM_FROM_ZERO && m < 0)
        m = 0;
    size_t padding = (MUTANT_BLOCK - r->L % MUTANT_BLOCK) % MUTANT_BLOCK;
    bool padded = c->softmax == PADDING_TAKES_PART && block_of(t) == block_of(r->L - 1);
    if (padded && padding && m < 0)
        m = 0;
    double l = padded ? (double)padding * exp(-m) : 0, size = 0;
    for (size_t s = 0; s < r->L; s++) {
        size_t at = t * r->L + s;
        if (!r->P.present[at])
            continue;
        double e = once(r, exp(once(r, r->S.at[at] - m)));
        if (c->softmax == MAXIMUM_FROM_ZERO || c->softmax == MAXIMUM_OF_CAUSAL_PART)
            e = to_format(e, r->arithmetic->accumulate); /* where it is 0 */
        double early = e;
        if (c->softmax == SUM_NOT_RESCALED || c->softmax == OUTPUT_NOT_RESCALED)
            early = exp(r->S.at[at] - maximum(r, &r->S, t, end_of_block(r, s)));
        l = next_sum(r, l, c->softmax == SUM_NOT_RESCALED ? early : e);
        size += e;
        r->P.at[at] = c->softmax == OUTPUT_NOT_RESCALED ? early : e;
    }
    if (r->how == ROUND_AT_RANDOM)
        l += xi(r) * sqrt((double)t + 1) * r->u * size;
    r->lse[t] = kept(r, STAGE_LSE, once(r, reported_lse(r, m, l)));
    for (size_t s = 0; s < r->L; s++)
        if (r->P.present[t * r->L + s])
            r->P.at[t * r->L + s] = kept(r, STAGE_P, once(r, r->P.at[t * r->L + s] / l));
    if (c->softmax == ONE_WEIGHT_LOST && t + 1 == r->L)
        r->P.at[t * r->L] = 0;
}

static void make_row(Run *r, size_t t)
{
    Rows rows = r->change->rows;
    bool tail = t >= r->L / MUTANT_BLOCK * MUTANT_BLOCK;
    bool unwritten = (rows == ROWS_FIRST_IS_ZERO && t == 0) ||
                     (rows == ROWS_TAIL_IS_ZERO && tail) || (rows == ROWS_FIRST_IS_NAN && t == 0);
    for (size_t k = 0; k < r->d; k++) {
        double x = dot(r, line_of_row(r, &r->P, t),
                       line_of_operand_column(r, ROLE_VALUE, INPUT_VC, k), 0, r->L);
        if (unwritten)
            x = rows == ROWS_FIRST_IS_NAN ? NAN : 0;
        r->O[t * r->d + k] = kept(r, STAGE_O, x);
    }
    if (unwritten)
        r->lse[t] = rows == ROWS_FIRST_IS_NAN ? NAN : 0;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static double operand_of(Run *r, double x)
{
    x = kept(r, STAGE_INPUT, x);
    const Change *c = r->change;
    bool flushed = c->narrow && c->site == SITE_ALL_INPUTS;
    int emin = r->arithmetic->site[STAGE_INPUT]->emin;
    return flushed && fabs(x) < ldexp(1, emin) ? 0 : x;
}

static void read_operands(Run *r)
{
    for (Input k = 0; k < INPUTS; k++) {
        r->operand[k] = run_numbers(r->L * r->d);
        for (size_t i = 0; i < r->L * r->d; i++)
            r->operand[k][i] = operand_of(r, r->problem->input[k][i]);
    }
    if (!r->problem->cotangent)
        return;
    r->cotangent = run_numbers(r->L * r->d);
    for (size_t i = 0; i < r->L * r->d; i++)
        r->cotangent[i] = operand_of(r, r->problem->cotangent[i]);
}

static double scale_of(const Problem *p, const Change *c)
{
    if (c->scale_of < 0 || (c->scale_of == 0 && p->scale == 0))
        return 1 / sqrt((double)p->dim);
    return c->scale_of > 0 ? 1 / sqrt(c->scale_of) : p->scale;
}

static void set_scales(Run *r)
{
    const Change *c = r->change;
    r->scale = once(r, scale_of(r->problem, c));
    r->gate_scale = once(r, pow(r->scale, 1 + c->gate_scale));
    r->causal_scale = once(r, pow(r->scale, 1 + c->causal_scale));
    r->lookahead_scale = once(r, pow(r->scale, 1 + c->lookahead_scale));
}

static Variant variant_of(const Problem *p, const Change *c)
{
    return c->variant_ignored ? CASTLE : p->variant;
}

static Run run_begin(const Problem *p, const Arithmetic *a, const Change *c, MutantRounding how,
                     uint64_t seed)
{
    Run r = {.problem = p, .change = c, .arithmetic = a, .how = how, .L = p->length, .d = p->dim};
    r.W = p->window;
    r.variant = variant_of(p, c);
    r.u = format_roundoff(a->accumulate);
    r.tiny = ldexp(1, a->accumulate->emin);
    for (Stage s = 0; s < STAGES; s++) {
        r.roundoff[s] = arithmetic_site_roundoff(a, s);
        r.underflow[s] = format_smallest(a->site[s]) / 2;
    }
    r.rng = gsl_rng_alloc(gsl_rng_mt19937);
    gsl_rng_set(r.rng, (unsigned long)seed);
    Square *squares[] = {&r.T1, &r.gates, &r.G, &r.SU, &r.SC, &r.S, &r.P};
    for (size_t k = 0; k < sizeof squares / sizeof *squares; k++)
        *squares[k] = run_square(&r);
    r.lse = run_numbers(r.L);
    r.O = run_numbers(r.L * r.d);
    r.U = run_numbers(r.L * r.d);
    read_operands(&r);
    set_scales(&r);
    return r;
}

static void run_end(Run *r)
{
    Square *squares[] = {&r->T1, &r->gates, &r->G,   &r->SU,  &r->SC, &r->S, &r->P,
                         &r->dP, &r->dS,    &r->dSU, &r->dT1, &r->dG, &r->dZ};
    for (size_t k = 0; k < sizeof squares / sizeof *squares; k++)
        square_free(squares[k]);
    for (Input k = 0; k < INPUTS; k++)
        free(r->operand[k]);
    free(r->cotangent);
    free(r->lse);
    free(r->O);
    free(r->U);
    gsl_rng_free(r->rng);
}

static void forward(Run *r)
{
    make_gates(r);
    make_T1(r);
    make_SU(r);
    if (r->change->variant_drops_both && r->variant != CASTLE) {
        for (size_t k = 0; k < r->L * r->L; k++)
            r->SU.at[k] = r->variant == WITHOUT_CAUSAL_KEYS ? 0 : r->SU.at[k];
        r->variant = WITHOUT_CAUSAL_KEYS;
    }
    make_U(r);
    make_scores(r);
    for (size_t t = 0; t < r->L; t++) {
        make_weights(r, t);
        make_row(r, t);
    }
}

/* Absent entries are 0 in an answer. */
static void answer_square(const Run *r, const Square *s, double *out)
{
    for (size_t k = 0; out && k < r->L * r->L; k++)
        out[k] = s->present[k] ? s->at[k] : 0;
}

static void flush_answers(const Run *r, MutantAnswers *all)
{
    double least = ldexp(1, r->arithmetic->site[STAGE_O]->emin);
    for (Answer a = 0; a < HEAD_ANSWERS; a++)
        for (size_t k = 0; all->of[a] && k < r->L * answer_columns(a, r->d); k++)
            if (fabs(all->of[a][k]) < least)
                all->of[a][k] = 0;
}

MutantAnswers mutant_kernel(const Problem *p, const Arithmetic *a, const Mutant *mutant,
                            MutantRounding how, uint64_t seed)
{
    static const Change none = {0};
    if (p->layer)
        stop_on_bug(__func__, "the problem is a layer; expected a head");
    Run r = run_begin(p, a, mutant ? &mutant->change : &none, how, seed);
    MutantAnswers all = {{NULL}};
    for (Answer k = 0; k < ANSWERS; k++)
        if (problem_has(p, k)) {
            MatrixShape s = answer_shape(p, k);
            all.of[k] = run_numbers(s.rows * s.cols);
        }
    forward(&r);
    memcpy(all.of[ANSWER_O], r.O, r.L * r.d * sizeof(double));
    memcpy(all.of[ANSWER_LSE], r.lse, r.L * sizeof(double));
    memcpy(all.of[ANSWER_U], r.U, r.L * r.d * sizeof(double));
    const Square *const stages[] = {&r.SC, &r.T1, &r.G, &r.SU, &r.P};
    for (Answer k = ANSWER_SC; k <= ANSWER_P; k++)
        answer_square(&r, stages[k - ANSWER_SC], all.of[k]);
    if (p->cotangent)
        mutant_backward(&r, &all);
    if (r.change->narrow && r.change->site == SITE_ALL_INPUTS)
        flush_answers(&r, &all);
    run_end(&r);
    return all;
}

void mutant_answers_free(MutantAnswers *all)
{
    for (Answer a = 0; a < ANSWERS; a++)
        free(all->of[a]);
    *all = (MutantAnswers){{NULL}};
}
