/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * complexity.h - the closed formulas of complexity.md: what each form costs, exactly, as a function of its
 * shape. tests/test_counting.c holds them against what the counting system counts.
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

#endif
