/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * trial.h - one case that a kernel is run on: what it is given, what it answered, what went wrong.
 */
#ifndef CASTLE_TRIAL_H
#define CASTLE_TRIAL_H

#include "cases.h"
#include "dump.h"
#include "guess.h"
#include "selection.h"
#include "where.h"

/* What one call answered, and the verdicts on it. */
typedef struct AnswerSet {
    char part[24];            /* "forward", "decode", "padded forward", ... */
    size_t tokens;            /* u when so many are taken in, its other rows NaN; 0: all */
    double *answer[ANSWERS];  /* laid out as in files; NULL: not answered */
    Verdict verdict[ANSWERS]; /* from here on: once it is judged */
    double answered[ANSWERS], truth[ANSWERS]; /* of the worst element */
    Where *where[ANSWERS];                    /* of wrong ones, else NULL */
    FirstWrong first;
} AnswerSet;

/* Something that is wrong whatever the values are: a crash, a broken promise. */
typedef struct Fault {
    char part[24];
    char text[200];
} Fault;

enum { MOST_SETS = 24, MOST_FAULTS = 12 };

typedef struct Trial {
    char id[64];
    CaseFamily family;
    const GoldenCase *of; /* whose steps and splits of decoding are asked; or NULL */
    Dump given;           /* inputs and conventions; with a file, the answers in it are the truth */
    bool usual;           /* judged by the case's usual arithmetic: a file's sigma is for it */
    bool ties;            /* the file has ties, whose other neighbour it does not store */
    AnswerSet set[MOST_SETS];
    size_t sets;
    Fault fault[MOST_FAULTS];
    size_t faults, unsupported; /* calls that the kernel does not support */
    size_t not_reported;        /* faults beyond MOST_FAULTS */
    bool from_file;
    const char *only; /* the one part that is asked for, with what it needs; NULL: all */
    bool coarser;     /* judged by an arithmetic that was guessed, coarser than the type suggests */
    Judgement judgement;
} Trial;

/* In memory that child processes share, so that one of them can judge (trial_judge.h). */
typedef struct Trials {
    Trial *at;
    size_t count, room;
    Guess guess[NUMBER_TYPES]; /* of the cases of each type; made where asked for */
} Trials;

/* What to run over. */
typedef struct TrialOptions {
    Selection selection;
    const char *golden;     /* folder, or NULL: no golden files */
    const char *arithmetic; /* or NULL: each case's usual */
    unsigned types;         /* bits 1 << NumberType */
    size_t fresh;           /* so many cases that no file has */
    unsigned long seed;     /* of those */
} TrialOptions;

/* Golden cases of heads, each file vouched for by its folder's index, then the fresh ones. On failure (a
 * file that is missing or changed; no case at all) returns false and leaves nothing to free. */
bool trials_open(Trials *, const TrialOptions *, const Cases *, Failure *);
void trials_free(Trials *);

/* One trial like `from`, of the same id and family, with a copy of other inputs: judged as a fresh one. */
Trials trials_of_one(const Trial *from, const Task *);

/* A fresh set in the trial, nothing answered. */
AnswerSet *trial_set(Trial *, const char *part);
__attribute__((format(printf, 3, 4))) void trial_fault(Trial *, const char *part,
                                                       const char *format, ...);

/* How many numbers an answer has, and a set's answer where it counts. */
size_t trial_count(const Trial *, Answer);
size_t set_count(const Trial *, const AnswerSet *, Answer);

#endif
