/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mutant_run.h"

#include "bug.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers -------------------------------------------------------------------------------- */

double *run_numbers(size_t n) { return room_for("mutant_kernel", n, sizeof(double)); }

Square run_square(const Run *r)
{
    return (Square){run_numbers(r->L * r->L), room_for("mutant_kernel", r->L * r->L, 1)};
}

void square_free(Square *s)
{
    free(s->at);
    free(s->present);
}

static double xi(Run *r) { return 2 * gsl_rng_uniform(r->rng) - 1; }

/* format_round_double(), faster where the result is a normal number: to nearest even on the bits. */
static double to_few_bits(double y, const Format *f)
{
    uint64_t bits;
    memcpy(&bits, &y, sizeof bits);
    int exponent = (int)(bits >> 52 & 0x7ff) - 1023, dropped = 53 - f->precision;
    if (exponent < f->emin || exponent >= f->emax)
        return format_round_double(y, f);
    bits += (UINT64_C(1) << (dropped - 1)) - 1 + (bits >> dropped & 1);
    bits &= ~((UINT64_C(1) << dropped) - 1);
    memcpy(&y, &bits, sizeof y);
    return y;
}

static double to_format(double y, const Format *f)
{
    return f == &BINARY64 ? y : f == &BINARY32 ? (double)(float)y : to_few_bits(y, f);
}

double once(Run *r, double y)
{
    if (r->how == ROUND_EACH)
        return to_format(y, r->arithmetic->accumulate);
    if (r->how == ROUND_AT_RANDOM && y != 0 && isfinite(y))
        return y + xi(r) * (r->u * fabs(y) + r->tiny);
    return y;
}

double kept(Run *r, int site, double y)
{
    const Change *c = r->change;
    bool declared = site < STAGES && arithmetic_site_roundoff(r->arithmetic, (Stage)site) > 0;
    const Format *f = declared ? r->arithmetic->site[site] : NULL;
    if (f && r->how == ROUND_EACH)
        y = to_format(y, f);
    bool given = site == STAGE_INPUT || site == STAGE_SCALE;
    bool moved = f && (!given || to_format(y, f) != y);
    if (moved && r->how == ROUND_AT_RANDOM && isfinite(y) && y != 0) {
        double relative = xi(r) * format_roundoff(f) * fabs(y);
        y += relative + xi(r) * format_smallest(f) / 2;
    }
    return c->narrow && c->site == site ? to_format(y, c->narrow) : y;
}

static Range present_along(const unsigned char *present, size_t step, size_t n)
{
    Range r = {0, n};
    while (r.end > 0 && !present[(r.end - 1) * step])
        r.end--;
    while (r.first < r.end && !present[r.first * step])
        r.first++;
    return r;
}

Range present_in_row(const Run *r, const Square *s, size_t i)
{
    return present_along(s->present + i * r->L, 1, r->L);
}

Range present_in_column(const Run *r, const Square *s, size_t j)
{
    return present_along(s->present + j, r->L, r->L);
}

/* ---- sums ----------------------------------------------------------------------------------- */

Line line_of_row(const Run *r, const Square *s, size_t i)
{
    return (Line){s->at + i * r->L, s->present + i * r->L, 1};
}

Line line_of_column(const Run *r, const Square *s, size_t j)
{
    return (Line){s->at + j, s->present + j, r->L};
}

static Input read_as(const Run *r, Role role, Input right)
{
    return r->change->role == role && role != ROLE_NONE ? r->change->instead : right;
}

Line line_of_operand(const Run *r, Role role, Input right, size_t i)
{
    return (Line){r->operand[read_as(r, role, right)] + i * r->d, NULL, 1};
}

Line line_of_operand_column(const Run *r, Role role, Input right, size_t k)
{
    return (Line){r->operand[read_as(r, role, right)] + k, NULL, r->d};
}

static double next_sum(const Run *r, double sum, double term)
{
    if (r->how == ROUND_EACH) {
        const Format *f = r->arithmetic->accumulate;
        sum = to_format(sum + to_format(term, f), f);
    } else {
        sum += term;
    }
    const Change *c = r->change;
    return c->narrow && c->site == SITE_SUMS ? to_format(sum, c->narrow) : sum;
}

/* The plain sum, and what N2 needs of it. */
typedef struct Summed {
    double sum, size;
    size_t terms;
} Summed;

static Summed plain_sum(Line x, Line y, size_t first, size_t end)
{
    Summed s = {0};
    for (size_t k = first; k < end; k++) {
        if ((x.present && !x.present[k * x.step]) || (y.present && !y.present[k * y.step]))
            continue;
        double term = x.at[k * x.step] * y.at[k * y.step];
        s.sum += term;
        s.size += fabs(term);
        s.terms++;
    }
    return s;
}

static double rounded_sum(const Run *r, Line x, Line y, size_t first, size_t end)
{
    double sum = 0;
    for (size_t k = first; k < end; k++)
        if ((!x.present || x.present[k * x.step]) && (!y.present || y.present[k * y.step]))
            sum = next_sum(r, sum, x.at[k * x.step] * y.at[k * y.step]);
    return sum;
}

double dot(Run *r, Line x, Line y, size_t first, size_t end)
{
    const Change *c = r->change;
    if (r->how == ROUND_EACH || (c->narrow && c->site == SITE_SUMS && r->how == ROUND_NOTHING))
        return rounded_sum(r, x, y, first, end);
    Summed s = plain_sum(x, y, first, end);
    if (c->narrow && c->site == SITE_SUMS)
        s.sum = rounded_sum(r, x, y, first, end);
    if (r->how == ROUND_AT_RANDOM && s.size != 0 && isfinite(s.size))
        s.sum += xi(r) * sqrt((double)s.terms) * (r->u * s.size + r->tiny);
    return s.sum;
}

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

static void make_gates(Run *r)
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

static void make_T1(Run *r)
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

/* Whether a lookahead score of query t and key s sums anything over j: for s < t, in the right kernel. */
static bool meet(const Run *r, size_t t, size_t s, size_t first, size_t end)
{
    for (size_t j = first; j < end; j++)
        if (r->T1.present[t * r->L + j] && r->G.present[s * r->L + j])
            return true;
    return false;
}

static void make_SU(Run *r)
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

static void make_U(Run *r)
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
