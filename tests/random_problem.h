/* SPDX-License-Identifier: GPL-3.0-or-later */
/* random_problem.h - seeded problems whose numbers a given format holds exactly. */
#ifndef RANDOM_PROBLEM_H
#define RANDOM_PROBLEM_H

#include "answers.h"
#include "arithmetic.h"

typedef enum Family {
    PLAIN,        /* N(0, 1) */
    DRIFT,        /* VU with mean 1: lookahead keys grow with L */
    SATURATED,    /* gate logits of +-50 */
    LARGE_SCORES, /* causal and lookahead scores in the tens */
    FAMILIES
} Family;
const char *family_name(Family);

typedef struct RandomProblem {
    Problem problem;
    double *numbers; /* all six inputs, then dO */
} RandomProblem;

/* Without a cotangent; with_cotangent() gives it its own, N(0, 1). */
RandomProblem random_problem(Family, size_t length, size_t dim, size_t window, const Format *,
                             unsigned long seed);
void with_cotangent(RandomProblem *);
void random_problem_free(RandomProblem *);

/* Repetitions: `usual`, or 20 times as many with CASTLE_TEST_LONG set, a tenth with _SHORT. */
size_t repetitions(size_t usual);

#endif
