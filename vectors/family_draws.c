/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Every family begins with near-normal numbers in all seven tensors and changes some of them. Figures
 * that a family aims at (a score of -300) are set in column 0: it is constant where the other columns
 * stay random, so scores are the figure plus O(1).
 */
#include "family_draws.h"

#include "bug.h"

#include <math.h>
#include <mpfr.h>
#include <string.h>

double near_normal(gsl_rng *rng, NumberType type)
{
    int64_t sum = -6 * (int64_t)UINT32_MAX;
    for (int k = 0; k < 12; k++)
        sum += (int64_t)gsl_rng_get(rng);
    int64_t tail = (int64_t)(gsl_rng_get(rng) >> 14) - (1 << 17);
    return ldexp((double)(sum * (1 << 18) + (type == TYPE_F64 ? tail : 0)), -50);
}

/* ---- what families are made of ---------------------------------------------------------------- */

/* The square root to 16 bits, correctly rounded: a dyadic number that is the same everywhere. */
static double root(double x)
{
    mpfr_t r;
    mpfr_init2(r, 16);
    mpfr_set_d(r, x, MPFR_RNDN); /* exact, or near enough: still one defined number */
    mpfr_sqrt(r, r, MPFR_RNDN);
    double y = mpfr_get_d(r, MPFR_RNDN);
    mpfr_clear(r);
    return y;
}

static double *row_of(const HeadDraft *h, Input k, size_t s) { return h->input[k] + s * h->c->dim; }

static void set_first_column(const HeadDraft *h, Input k, double value)
{
    for (size_t s = 0; s < h->c->length; s++)
        row_of(h, k, s)[0] = value;
}

static void multiply_row(const HeadDraft *h, Input k, size_t s, double factor)
{
    for (size_t i = 0; i < h->c->dim; i++)
        row_of(h, k, s)[i] *= factor;
}

static void multiply(const HeadDraft *h, Input k, double factor)
{
    for (size_t s = 0; s < h->c->length; s++)
        multiply_row(h, k, s, factor);
}

static void add_to(const HeadDraft *h, Input k, double value)
{
    for (size_t i = 0; i < h->c->length * h->c->dim; i++)
        h->input[k][i] += value;
}

static void repeat_row(const HeadDraft *h, Input k, size_t from, size_t to)
{
    memcpy(row_of(h, k, to), row_of(h, k, from), h->c->dim * sizeof(double));
}

static void repeat_first_row(const HeadDraft *h, Input k)
{
    for (size_t s = 1; s < h->c->length; s++)
        repeat_row(h, k, 0, s);
}

/* The token in the middle. Keys before it see it, queries from it on meet it: a figure in its VU reaches
 * SU_ts for all s < middle <= t. */
static size_t middle(const GoldenCase *c) { return c->length / 2; }

/* ---- the families ----------------------------------------------------------------------------- */

/* Scores level + O(1): column 0 of QC KC^T is the constant `level`, and VU has no part in it. */
static void neg(const HeadDraft *h)
{
    set_first_column(h, INPUT_QC, 64);
    set_first_column(h, INPUT_KC, h->c->level * root((double)h->c->dim) / 64);
    set_first_column(h, INPUT_VU, 0);
}

/* Rows from the middle on are decided by SU = level + O(1). T1 at the middle is 2 level and the gates there
 * are near 1/2, so keys before the middle have SU near level and score -level; those from it on have
 * causal score -2 level, and no weight. */
static void large_su(const HeadDraft *h)
{
    double twice = 2 * h->c->level * root((double)h->c->dim) / 16;
    set_first_column(h, INPUT_QC, 16);
    set_first_column(h, INPUT_VU, 0);
    set_first_column(h, INPUT_KC, 0);
    row_of(h, INPUT_VU, middle(h->c))[0] = twice;
    multiply_row(h, INPUT_KU, middle(h->c), 0x1p-8);
    for (size_t s = middle(h->c); s < h->c->length; s++)
        row_of(h, INPUT_KC, s)[0] = -twice;
}

/* The middle VU row is 2^level times the rest. float16 has no room for that above 1: there the rest is
 * small, the large row below 6 * 2^13. */
static void outlier(const HeadDraft *h)
{
    int level = (int)h->c->level;
    int rest = h->c->type == TYPE_F16 ? 13 - level : 0;
    multiply(h, INPUT_VU, ldexp(1, rest));
    multiply_row(h, INPUT_VU, middle(h->c), ldexp(1, level));
}

/* VC = level + near normal, so dP and delta are large numbers with a small difference. */
static void offset(const HeadDraft *h) { add_to(h, INPUT_VC, h->c->level); }

/* VU = level + near normal: U, D and |SU| grow with L rather than with its root. */
static void drift(const HeadDraft *h) { add_to(h, INPUT_VU, h->c->level); }

/* VU times 2^-k with 4^k < L <= 4^(k+1): SU, a sum of up to L terms, stays O(1), and so SiLU' and the
 * lookahead gradients stay alive at late rows. */
static void alive(const HeadDraft *h)
{
    int k = 0;
    while (((size_t)1 << 2 * (k + 1)) < h->c->length)
        k++;
    multiply(h, INPUT_VU, ldexp(1, -k));
}

/* dO times 2^level. */
static void loss_scale(const HeadDraft *h)
{
    for (size_t i = 0; i < h->c->length * h->c->dim; i++)
        h->input[INPUTS][i] = ldexp(h->input[INPUTS][i], (int)h->c->level);
}

/* Gate logits of either sign, level to 4 level in size: column 0 of QU and of KU is +-a (1 + 3u/4) with u
 * uniform below 1 and a^2 scale = 9/8 level; the other columns, a quarter as large, move that little. */
static void saturated(const HeadDraft *h)
{
    double a = root(h->c->level * 1.125 * root((double)h->c->dim));
    const Input side[] = {INPUT_QU, INPUT_KU};
    for (size_t k = 0; k < 2; k++) {
        multiply(h, side[k], 0.25);
        for (size_t s = 0; s < h->c->length; s++) {
            unsigned long word = gsl_rng_get(h->rng);
            double size = a * (1 + 3 * ldexp((double)(word >> 16), -18));
            row_of(h, side[k], s)[0] = word & 1 ? -size : size;
        }
    }
}

/* SU = -1.278 + O(1/10), on both sides of SiLU's minimum (SiLU' changes its sign at -1.27846): for every
 * s < t when the window is 1, else for s < middle <= t. T1 at the tokens concerned is twice that, their
 * gates are near 1/2. */
static void silu_minimum(const HeadDraft *h)
{
    multiply(h, INPUT_VU, 0x1p-4);
    set_first_column(h, INPUT_VU, 0);
    set_first_column(h, INPUT_QC, root((double)h->c->dim));
    for (size_t s = 0; s < h->c->length; s++)
        if (h->c->window == 1 || s == middle(h->c)) {
            row_of(h, INPUT_VU, s)[0] = -167571 * 0x1p-16; /* 2 * -1.27846 */
            multiply_row(h, INPUT_KU, s, 0x1p-4);
        }
}

/* Level 0: all KC rows are one and VU = 0: every score of a row is the same, O_t is the mean of VC's first t
 * rows. Every second VC row is 1/16 of its size, so that the sum of two has bits below those of either, and
 * a mean of 2, 4 or 8 often lies half-way between two numbers of the type. Level 1: VU = 0 but for the
 * middle token, and all QU rows are one: ties under a SiLU. Level 2: tokens 2i and 2i+1 are the same in all
 * six inputs: duplicates that the lookahead parts tell apart. */
static void equal_keys(const HeadDraft *h)
{
    if (h->c->level == 2) {
        for (Input k = 0; k < INPUTS; k++)
            for (size_t s = 1; s < h->c->length; s += 2)
                repeat_row(h, k, s - 1, s);
        return;
    }
    repeat_first_row(h, INPUT_KC);
    if (h->c->level == 1)
        repeat_first_row(h, INPUT_QU);
    else
        for (size_t s = 1; s < h->c->length; s += 2)
            multiply_row(h, INPUT_VC, s, 0x1p-4);
    for (size_t s = 0; s < h->c->length; s++)
        if (h->c->level == 0 || s != middle(h->c))
            memset(row_of(h, INPUT_VU, s), 0, h->c->dim * sizeof(double));
}

/* Integers from -r to r with r^2 d = 256 and d a power of 4: scale is a power of 2, every partial sum of a
 * product is an integer of at most 256, so sc, t1, dp and the gate logits are exact in any type and order.
 * Level 1: QU = 0, so the gates are 1/2 and SU is a sum of halves, exact in accumulators. */
static void integers(const HeadDraft *h)
{
    unsigned long r = 16;
    for (size_t d = h->c->dim; d > 1; d /= 4)
        r /= 2;
    for (size_t k = 0; k <= INPUTS; k++)
        for (size_t i = 0; i < h->c->length * h->c->dim; i++) {
            uint64_t word = gsl_rng_get(h->rng);
            h->input[k][i] = (double)(word * (2 * r + 1) >> 32) - (double)r;
        }
    if (h->c->level == 1)
        memset(h->input[INPUT_QU], 0, h->c->length * h->c->dim * sizeof(double));
}

/* KC of subnormal numbers from the token on, 0 before it, and QC so large that causal scores are some
 * near normal / 4 nevertheless: with a scale of a power of 2 no product or sum of these rounds more than
 * those of plain numbers do. VU = 0 keeps QC out of lookahead scores. */
static void subnormal_keys(const HeadDraft *h)
{
    int emin = number_format(h->c->type)->emin;
    multiply(h, INPUT_QC, ldexp(1, -1 - emin));
    multiply(h, INPUT_VU, 0);
    for (size_t s = 0; s < h->c->length; s++)
        multiply_row(h, INPUT_KC, s, s < h->c->token ? 0 : ldexp(1, emin - 1));
}

/* One token, in the named inputs only: NaN or an infinity as its first entry, or a whole row of +-1 to 64
 * times the type's smallest number. */
static void special(const HeadDraft *h)
{
    const char *what = h->c->special;
    if (strcmp(what, SUBNORMAL_KEYS) == 0) {
        subnormal_keys(h);
        return;
    }
    for (Input k = 0; k < INPUTS; k++) {
        double *row = row_of(h, k, h->c->token);
        if (!(h->c->tensors >> k & 1))
            continue;
        if (strcmp(what, "nan") == 0)
            row[0] = NAN;
        else if (strcmp(what, "subnormal") != 0)
            row[0] = what[0] == '-' ? -INFINITY : INFINITY;
        else
            for (size_t i = 0; i < h->c->dim; i++) {
                unsigned long word = gsl_rng_get(h->rng);
                double size = (double)(1 + (word >> 26)) *
                              format_smallest(number_format(h->c->type));
                row[i] = word & 1 ? -size : size;
            }
    }
}

void draw_head(const HeadDraft *h)
{
    static void (*const change[CASE_FAMILIES])(const HeadDraft *) = {
        [FAMILY_NEG] = neg,
        [FAMILY_LARGE_SU] = large_su,
        [FAMILY_OUTLIER] = outlier,
        [FAMILY_OFFSET] = offset,
        [FAMILY_DRIFT] = drift,
        [FAMILY_ALIVE] = alive,
        [FAMILY_LOSS_SCALE] = loss_scale,
        [FAMILY_SATURATED] = saturated,
        [FAMILY_SILU_MINIMUM] = silu_minimum,
        [FAMILY_EQUAL_KEYS] = equal_keys,
        [FAMILY_INTEGERS] = integers,
        [FAMILY_SPECIAL] = special,
    }; /* plain, tiny, ragged, dim and window differ by their shapes only */

    if (h->c->family == FAMILY_TRAINED)
        stop_on_bug(__func__, "trained cases are not drawn");
    for (size_t k = 0; k <= INPUTS; k++)
        for (size_t i = 0; i < h->c->length * h->c->dim; i++)
            h->input[k][i] = near_normal(h->rng, h->c->type);
    if (change[h->c->family])
        change[h->c->family](h);
}
