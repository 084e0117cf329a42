/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * guess.h - the most accurate arithmetic that explains a kernel's errors, where it declares none.
 *
 * A candidate (candidates.h) explains the errors if every element of every answer has a z below the threshold of a
 * right tensor and an error within its bound, both scales being the candidate's own. Named is one of the
 * first class with a candidate that does; in that class one beside which no candidate that does is more
 * accurate in every quantity; of several of those the likeliest, were the errors normal with the candidate's
 * sigma: the largest sum of -log sigma - z^2 / 2. The others are told too: these inputs hardly tell them apart.
 *
 * A guess grants a kernel what it did not claim. So where the guess is coarser in some quantity than the preset of
 * the answers' own type, the verdict is suspect at best: either that arithmetic was meant, and can be
 * declared, or something is rounded that should not be.
 */
#ifndef CASTLE_GUESS_H
#define CASTLE_GUESS_H

#include "candidates.h"
#include "verdict.h"

#include <jansson.h>

enum { EVIDENCE_SETS = 24, GUESS_OTHERS = 8 };

/* One problem and what was answered to it, once or several times. */
typedef struct Evidence {
    const char *what; /* the case, for messages */
    Problem problem;
    const Oracle *oracle;
    size_t sets;
    const double *answered[EVIDENCE_SETS][ANSWERS];
    size_t elements[ANSWERS]; /* of the whole tensor, of which this may be one head */
} Evidence;

typedef struct Guess {
    bool made, found;
    bool no_evidence;      /* there is nothing to guess from */
    bool coarser;          /* than the preset of the answers' type: suspect */
    Arithmetic arithmetic; /* to judge by: what was found, else that preset */
    char words[100];       /* "P rounded to bfloat16" */
    char other[GUESS_OTHERS][100];
    size_t others;
    /* Where none explains the errors: that which comes closest, and what refuses it. Without words: each of
     * them is refused by a bound. */
    struct {
        char words[100], what[80];
        Answer answer;
        double z, threshold;
    } closest;
} Guess;

/* Problems with NaN or infinity among the inputs are no evidence. `what` is for progress. */
Guess guess_arithmetic(const Evidence *, size_t count, NumberType of_answers, const Sites *,
                       const char *what);

json_t *guess_json(const Guess *);

/* One line: "guessed: P rounded to bfloat16; ...". */
void guess_describe(const Guess *, char *text, size_t size);

#endif
