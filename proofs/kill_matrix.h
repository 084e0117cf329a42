/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * kill_matrix.h - which golden cases catch which known-wrong kernel, measured, and the page that says so
 * (docs/kill-matrix.md, by `make mutants`).
 */
#ifndef CASTLE_KILL_MATRIX_H
#define CASTLE_KILL_MATRIX_H

#include "cases.h"
#include "mutants.h"
#include "right_kernels.h"

/* Mutants and dense kernels cost O(L^3) each; longer cases are for right kernels in blocks only. */
enum { MOST_TOKENS = 80 };

/* In sigmas: a mutant whose exact answers err by more in some case must be caught. */
#define VISIBLE 20.0
/* What `make mutants` asks for. */
#define NAMED_RATE 0.95
#define CAUGHT_RATE 0.95

/* How one mutant fares in the cases of one type. */
typedef struct Tally {
    size_t caught;           /* cases whose values catch it */
    const char *first;       /* of those; or the case in which the check below does, or NULL */
    bool by_check;           /* no value catches it, but the check `swallowed` (nan_reach.h) does */
    size_t named_of, named;  /* naming cases that catch it; those that name it first */
    double z;                /* the largest, in any case */
    double effect;           /* where nothing catches it: the largest z of its exact answers, */
    const char *effect_case; /* the case, */
    Answer effect_answer;    /* and the tensor */
} Tally;

/* How one right kernel fares in all cases. */
typedef struct RightTally {
    size_t cases, suspect, wrong, swallowed; /* `swallowed`: the check of that name fails */
    const char *first;                       /* case that is suspect or wrong */
    double z;                                /* the largest */
} RightTally;

typedef struct KillMatrix {
    Tally *tally;               /* mutant_count() x NUMBER_TYPES */
    size_t cases[NUMBER_TYPES]; /* that mutants answer */
    RightTally right[RIGHT_KERNELS];
} KillMatrix;

static inline Tally *tally_at(const KillMatrix *m, size_t mutant, NumberType type)
{
    return &m->tally[mutant * NUMBER_TYPES + type];
}

/* Rows of vectors/cases.json where mistakes are named as well. */
bool is_naming_case(const GoldenCase *);
extern const char *const naming_rows[];
extern const size_t naming_row_count;

/* Prints the page. False where the suite does not do what the page promises; then it says what, on
 * standard error. */
bool kill_matrix_page(const KillMatrix *);

#endif
