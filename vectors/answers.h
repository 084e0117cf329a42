/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * answers.h - one head's problem as plain numbers, and the names of what is answered. Here the files'
 * names and the mathematics' symbols meet.
 */
#ifndef CASTLE_VECTORS_ANSWERS_H
#define CASTLE_VECTORS_ANSWERS_H

#include "head.h"

#include <stdbool.h>

/* The inputs of one head, each length x dim, row by row, exact in binary64. */
typedef enum Input { INPUT_QU, INPUT_KU, INPUT_VU, INPUT_QC, INPUT_KC, INPUT_VC, INPUTS } Input;

typedef struct Problem {
    size_t length, dim;
    const double *input[INPUTS];
    const double *cotangent; /* dO, length x dim, or NULL: then there are no gradients */
    double scale;            /* 0 stands for 1/sqrt(dim), to any precision */
    size_t window;           /* or NO_WINDOW */
} Problem;

/* What is judged: the forward answers, then the gradients. */
typedef enum Answer {
    ANSWER_O,
    ANSWER_LSE,
    ANSWER_U,
    ANSWER_DQU,
    ANSWER_DKU,
    ANSWER_DVU,
    ANSWER_DQC,
    ANSWER_DKC,
    ANSWER_DVC,
    ANSWERS,
    FORWARD_ANSWERS = ANSWER_DQU
} Answer;

const char *input_name(Input);                 /* "qu" ... as in files */
const char *answer_name(Answer);               /* "o" "lse" "u" "dqu" ... */
size_t answer_columns(Answer, size_t dim);     /* dim, or 1 for lse */
Stage answer_stage(Answer);                    /* which site of a declared arithmetic stores it */
Matrix answer_matrix(const Answers *, Answer); /* a forward answer */

/* How many of the answers a problem has: all with a cotangent, else the forward ones. */
size_t problem_answers(const Problem *);

/* The problem's head in a number system; lives in the current scope of `in`. Inputs pass through
 * stage(STAGE_INPUT): a system that models a kernel rounds them as the kernel's operands. */
Head problem_head(const Problem *, System *in);

/* The problem solved by Theorem 1's form and its dense gradients; lives in the current scope. */
typedef struct Solution {
    Matrix of[ANSWERS]; /* the first problem_answers() are there */
} Solution;
Solution solve(const Problem *, System *in);

/* Whether every input, and the cotangent if there is one, is finite. */
bool problem_is_finite(const Problem *);

#endif
