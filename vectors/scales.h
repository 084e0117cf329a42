/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * scales.h - the two error scales of an answer under a declared arithmetic (proofs/rounding.md).
 *
 *   sigma   the standard deviation of an answer when every declared rounding is a random
 *           perturbation of its size: the parallel form and its gradients, run SCALE_RUNS times
 *           in noisy arithmetic, measured from the truth. One for the answer's row within its
 *           head, that of the row's least accurate element; for an element of a stage its own, or
 *           the row's mean where that is larger.
 *   bound   the worst case of the same roundings: running error analysis of the same text.
 */
#ifndef CASTLE_SCALES_H
#define CASTLE_SCALES_H

#include "oracle.h"

enum { SCALE_RUNS = 32 };
#define SCALE_SEED UINT64_C(20250929) /* the date of the paper; any number would do */

typedef struct Scales {
    /* One of each per element. sigma: rounded up to 3 significant bits; NaN without truth. */
    double *sigma[ANSWERS];
    double *bound[ANSWERS]; /* infinite where the analysis gives no bound */
} Scales;

Scales *error_scales(const Problem *, const Arithmetic *, const Oracle *, uint64_t seed);

/* The same without bounds, which are NULL. */
Scales *error_sigmas(const Problem *, const Arithmetic *, const Oracle *, uint64_t seed);
/* And the bounds alone; the oracle says of which answers. */
Scales *error_bounds(const Problem *, const Arithmetic *, const Oracle *);
void scales_free(Scales *);

/* z = error / sigma of a right kernel follows at worst Student's t law with SCALE_RUNS degrees of
 * freedom. The value that the largest of n such z exceeds with probability at most `chance`. */
double score_threshold(size_t n, double chance);

#endif
