/* SPDX-License-Identifier: GPL-3.0-or-later */
/* solve.h - a problem solved by Theorem 1's form and its dense gradients, in any number system. */
#ifndef CASTLE_VECTORS_SOLVE_H
#define CASTLE_VECTORS_SOLVE_H

#include "answers.h"
#include "layer.h"

/* The problem's head in a number system; lives in the current scope of `in`. Inputs pass through
 * stage(STAGE_INPUT): a system that models a kernel rounds them as the kernel's operands. */
Head problem_head(const Problem *, System *in);

/* The same for a layer. */
typedef struct LayerMatrices {
    Layer layer;
    Matrix X;
} LayerMatrices;
LayerMatrices problem_layer(const Problem *, System *in);

typedef struct Solution {
    Matrix of[ANSWERS]; /* those that problem_has() are there; a stage has its mask as band */
} Solution;

/* Lives in the current scope of `in`. */
Solution solve(const Problem *, System *in);

/* The forward answers once more, by the sequential definition (3)-(8). */
Solution solve_sequentially(const Problem *, System *in);

#endif
