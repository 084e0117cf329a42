/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * diagnose.h - which known mistake explains a wrong answer.
 *
 * Every mutant of the catalogue answers the same problem without roundings of its own. A mutant
 * *agrees with a kernel where in every tensor that the kernel answers, right ones included, no
 * element is further from the mutant's than z = error / sigma below the threshold of a right
 * tensor (verdict.h). Sigma is the larger of the truth's and the mutant's own: the standard
 * deviation, pooled over the row or its own where that is larger, of SCALE_RUNS runs of the mutant
 * with the declared roundings at random. So a mistake is named only where rounding explains the
 * rest. Of those that agree the nearest comes first: the least mean of log(1 + z^2), which one far
 * element does not decide; the list ends at the first that does not agree.
 *
 * Not named: two mistakes at once, and what the catalogue lacks.
 */
#ifndef CASTLE_DIAGNOSE_H
#define CASTLE_DIAGNOSE_H

#include "mutants.h"
#include "verdict.h"

enum {
    DIAGNOSIS_MOST_TOKENS = 64, /* the mutants cost O(L^3) each */
    DIAGNOSIS_CLOSEST = 8       /* so many of them are looked at closely */
};

typedef struct Diagnosis {
    bool tried;
    size_t count; /* mutants that agree */
    const Mutant *mutant[DIAGNOSIS_CLOSEST];
    double z[DIAGNOSIS_CLOSEST]; /* the largest, over all tensors */
} Diagnosis;

/* The answers of all mutants to one head, which must outlive it. */
typedef struct Lineup Lineup;
Lineup *lineup(const Problem *, const Arithmetic *);
void lineup_free(Lineup *);

/* `answered` and `scores` as in judge.h: of the same problem and arithmetic. */
Diagnosis diagnose(Lineup *, const double *const answered[ANSWERS],
                   const Score *const scores[ANSWERS]);

/* Whether the two mutants' answers are nearer to each other than one sigma in every element: no
 * answer to
 * this problem tells them apart. */
bool mutants_alike(const Lineup *, size_t a, size_t b, const Score *const scores[ANSWERS]);

#endif
