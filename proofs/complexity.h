/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * complexity.h - the closed formulas of complexity.md: what each form costs, exactly, as a function of its
 * shape; and what the counting system counts, which tests/test_counting.c and `make proofs` hold them against.
 */
#ifndef CASTLE_COMPLEXITY_H
#define CASTLE_COMPLEXITY_H

#include "backward_blockwise.h"
#include "counting.h"

typedef struct Shape {
    uint64_t L, d, W, B; /* W may be NO_WINDOW; B is read by the blockwise forms only */
} Shape;

uint64_t pairs_ahead(uint64_t n, uint64_t W);   /* A(n): s < j <= s + W among n tokens */
uint64_t triples_ahead(uint64_t L, uint64_t W); /* T: s < j <= min(t, s + W) among L tokens */

Counts sequential_formula(Shape);
Counts parallel_formula(Shape);
/* The token after t others, and of memory what the step itself takes. */
Counts token_formula(Shape, uint64_t t);
Counts decode_formula(Shape);
Counts backward_formula(Shape);
Counts blockwise_formula(Shape);
Counts backward_blockwise_formula(Shape, TakeBack);

/* ---- all of them -------------------------------------------------------------------------------- */

typedef enum Costed {
    COSTED_SEQUENTIAL,
    COSTED_PARALLEL,
    COSTED_DECODE, /* all tokens */
    COSTED_BACKWARD,
    COSTED_BLOCKWISE,   /* from here on B matters */
    COSTED_SUBTRACTING, /* Algorithm 3, D by (33) */
    COSTED_RECOMPUTING, /* ... and recomputed */
    COSTED
} Costed;

extern const char *const costed_names[COSTED];

Counts costed_formula(Costed, Shape);

/* Inputs and answers of a form, ready to run. */
typedef struct Ready {
    Head h;
    Answers a;
    Matrix D, dO;
    Gradients g;
} Ready;
Ready costed_ready(Costed, const Head *);
void costed_run(Costed, Ready *, size_t B);

Counts costed_counted(Costed, Shape); /* a run in the counting system */
Head head_counted(System *counting, Shape);
/* What was counted since `before`, when nothing was alive that is no longer; peak: beyond what was alive. */
Counts counts_since(Counts before, const System *counting);

/* The degree of the polynomial that takes these values at equal steps: the least n whose (n + 1)th
 * differences all vanish; count where none do, so that count - 1 or more says nothing. */
size_t degree_of(const uint64_t *values, size_t count);

#endif
