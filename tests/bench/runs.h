/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * runs.h - a form of CASTLE with its inputs and answers laid out in a number system, ready to be run any
 * number of times: what is measured is the form alone.
 */
#ifndef CASTLE_BENCH_RUNS_H
#define CASTLE_BENCH_RUNS_H

#include "answers.h"
#include "counting.h"
#include "decode.h"

typedef enum FormName {
    NAIVE,     /* the definition, ref/sequential.c */
    PARALLEL,  /* Theorem 1 */
    BLOCKWISE, /* Theorem 2 */
    DECODE,    /* Algorithm 5, all tokens */
    TOKEN,     /* Algorithm 5, the last token alone */
    ATTENTION, /* softmax(QC KC^T) VC, s <= t: causal attention without lookahead keys */
} FormName;

typedef System *MakeSystem(void);
System *mpfr_113(void);

typedef struct Run {
    FormName form;
    size_t block; /* of the blockwise form */
    System *in;
    Head head;
    Answers answers; /* only what the form fills */
    Matrix D;
    Cache cache; /* of the single token: all before it, */
    Matrix kept; /* and its U, put back before every run */
} Run;

/* Owns `in`. The problem is copied. */
Run run_ready(FormName, System *in, const Problem *, size_t block);
void run_once(void *run); /* a work: measure.h */
void run_end(Run *);

/* What one run does, and the most numbers that were in matrices, inputs and answers with them. */
Counts run_counts(FormName, const Problem *, size_t block);

/* sigmoid, SiLU, exp: one exponential each. */
double exponentials_in(const Counts *);

/* The entries of o, row by row, to be freed. */
double *run_o(const Run *);

#endif
