/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * verdict.h - right, suspect or wrong: one answer of a kernel against the truth.
 *
 *   right     every finite truth is met by a finite answer with z = |error| / sigma below the first
 *             threshold and |error| within its bound.
 *   wrong     an answer is not finite where the truth is, or z is past the second threshold, or the
 *             error is past the bound (then it cannot come from the declared arithmetic).
 *   suspect   between; or nothing could be judged; or a finite truth has no finite sigma.
 * The thresholds are those that a right kernel's largest z passes with probability CHANCE_SUSPECT
 * and CHANCE_WRONG: rates of false alarm, per tensor, and the only choice made here.
 */
#ifndef CASTLE_VERDICT_H
#define CASTLE_VERDICT_H

#include "scales.h"

#define CHANCE_SUSPECT 1e-3
#define CHANCE_WRONG 1e-9

typedef enum Judgement { RIGHT, SUSPECT, WRONG } Judgement;
const char *judgement_name(Judgement);

typedef struct Thresholds {
    double suspect, wrong;
} Thresholds;
Thresholds thresholds_for(size_t elements);

/* One element's errors. */
typedef struct Score {
    double error;    /* |answer - truth|; infinite for a missing number */
    double sigma;    /* its scale */
    double z;        /* error / sigma, 0 / 0 = 0 */
    double of_bound; /* error / bound, 0 / 0 = 0 */
    bool defined;    /* the truth is a number */
    bool judged;     /* and it has a finite sigma */
    bool structural; /* sigma is 0: only the truth itself will do */
    bool ignored;    /* outside a mask, and nobody reads it */
} Score;

/* Element k of a truth against what a kernel answered. */
Score score_element(const Truth *, size_t k, double sigma, double bound, double answered);

/* How bad, as patterns and maps of errors have it: z, at least the threshold of wrong where the error is past
 * its bound; NaN where nothing is judged. */
double score_badness(const Score *, const Thresholds *);

/* A tensor's verdict, gathered over its heads. */
typedef struct Verdict {
    Judgement judgement;
    Thresholds thresholds;
    size_t elements, judged, undefined, structural, ignored, not_finite, past_bound;
    size_t worst; /* index of the largest z (ties: the first) over the whole tensor */
    Score worst_score;
    double most_of_bound;
} Verdict;

Verdict verdict_begin(size_t elements);
void verdict_add(Verdict *, size_t index, Score, double answered);
void verdict_end(Verdict *);

#endif
