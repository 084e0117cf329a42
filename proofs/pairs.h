/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pairs.h - which forms of CASTLE are compared, and in what. Blocks are a third of the length, so that
 * there are at least three.
 *
 *   FORWARD    the definition with Theorem 1, decoding (Algorithm 5), the blockwise form (Algorithm 1), and
 *              two chunks of prefilling (Algorithm 4) with decoding going on from their cache; in O, lse,
 *              U and SU where a form has them.
 *   GRADIENTS  the dense ones with the blockwise ones (Algorithm 3).
 *   LAYERS     Y with heads by Theorem 1 and by the definition, by decoding; dX and the seven dW as ref/layer.c
 *              sums them, head by head, with blockwise gradients of all heads side by side, multiplied by
 *              all weights and all tokens at once.
 */
#ifndef CASTLE_PAIRS_H
#define CASTLE_PAIRS_H

#include "answers.h"
#include "system.h"

typedef enum Subject { FORWARD, GRADIENTS, LAYERS, SUBJECTS } Subject;

/* Whether the problem has what a subject compares. */
bool subject_fits(Subject, const Problem *);

/* Two forms' matrices for one quantity. */
typedef struct Pair {
    Matrix A, B;
    Answer answer; /* ANSWERS for SU, which has no bound of its own */
} Pair;

typedef struct Pairs {
    Pair pair[16];
    size_t count;
} Pairs;

/* Live in the current scope of `in`. `subtraction`: D taken back by (33), too. */
Pairs pairs_of(Subject, const Problem *, System *in, bool subtraction);

/* The same for random inputs and a random scale in a field: of the problem the shape, the window and the
 * variant count. */
Pairs field_pairs(Subject, const Problem *, System *field, uint64_t *state);

/* What compared forms are, as polynomials in inputs and scale, at most. */
unsigned pairs_degree(Subject);

#endif
