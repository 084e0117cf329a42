/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * check.h - a dump judged: its answers against the certified truth of its own inputs.
 */
#ifndef CASTLE_CHECK_H
#define CASTLE_CHECK_H

#include "diagnose.h"
#include "dump.h"
#include "guess.h"
#include "where.h"

typedef struct TensorReport {
    bool present;      /* the dump answers it */
    size_t rows, cols; /* of one head, or of the layer */
    Verdict verdict;
    Score *scores;          /* one per element, heads one after the other */
    double *truth;          /* X */
    const double *answered; /* the dump's */
    double worst_ulps;      /* the worst element's error in the stored format's last place */
    Where *where;           /* of a wrong one, else NULL */
} TensorReport;

typedef struct CheckReport {
    TensorReport tensor[ANSWERS];
    long bits; /* highest working precision that was needed */
    size_t certified, ties, undefined;
    size_t naive_heads;  /* heads whose balls the sequential form was run against, a layer's too */
    Judgement judgement; /* the worst of the tensors' */
    FirstWrong first;
    Guess guess;         /* made where asked for */
    Diagnosis diagnosis; /* of the head that holds the worst element; tried where that is wrong */
    size_t diagnosed;    /* that head */
} CheckReport;

/* Judges all answers of a dump that has at least one; `guess`: by the arithmetic that explains them best, which
 * becomes the dump's. `what` names it in progress messages. Fails only if the suite's two forms
 * contradict each other, and then says so. */
bool check_dump(CheckReport *, Dump *, bool guess, const char *what, Failure *);
void check_free(CheckReport *);

#endif
