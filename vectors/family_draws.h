/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * family_draws.h - what each family draws for one head, before the rounding to the case's type; a part of
 * families.h.
 */
#ifndef CASTLE_FAMILY_DRAWS_H
#define CASTLE_FAMILY_DRAWS_H

#include "answers.h"
#include "cases.h"

#include <gsl/gsl_rng.h>

/* A draw of mean 0 and variance 1 - 2^-64: the sum of twelve uniform 32-bit integers less its mean, over
 * 2^32. Below 6 in size; its kurtosis is 2.9, the normal one's 3. A number of 35 bits, so that sums and
 * multiples of it below 2^20 are exact in binary64; for float64 cases 18 random bits go below them, so that
 * the inputs fill their type. */
double near_normal(gsl_rng *, NumberType);

typedef struct HeadDraft {
    const GoldenCase *c;
    gsl_rng *rng;
    double *input[INPUTS + 1]; /* each L x d, to be filled; the last is dO */
} HeadDraft;

/* Any family but `trained`, which draws nothing. */
void draw_head(const HeadDraft *);

#endif
