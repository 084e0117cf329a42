/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ball_slices.h - a matrix of balls cut into slices that BLAS can multiply exactly.
 *
 * A *line* is a row of the left operand of a product or a column of the right one. It takes one
 * exponent E, with |x| < 2^E for each of its midpoints x. Under the cut (beta, s), x becomes s
 * signed digits of base 2^beta, the slices, each of them a small integer that a double holds:
 *
 *     x = sum over i < s of d_i 2^(E + 1 - beta (i + 1)) + r,   |d_i| <= 2^(beta - 1),
 *
 * with r = 0 where x has no bit below 2^(E + 1 - beta s), else |r| <= 2^(E - beta s): x is rounded
 * to nearest there.
 *
 * Beside its slices stand two upper bounds as doubles, in units of the line: |x| 2^-E <= 1, and the
 * error rho 2^(-E - e) with rho = radius + |r|, where the exponent e, one for a product, keeps the
 * largest error near 1. What is not 0 counts as 2^-501 at least, so that no product of two bounds
 * underflows. Each bound is at least (1 - 2^-51) times what it bounds.
 *
 * Zeros and absent entries have the bounds 0 and are exact.
 */
#ifndef CASTLE_BALL_SLICES_H
#define CASTLE_BALL_SLICES_H

#include "ball.h"

/* What a line is good for. */
typedef enum LineKind {
    LINE_ZERO,  /* exact zeros only */
    LINE_FIT,   /* can be cut */
    LINE_UNFIT, /* holds what is not finite, or an exponent beyond all measure */
} LineKind;

typedef struct Line {
    LineKind kind;
    size_t entries; /* that are not 0 */
    slong exponent; /* E */
    slong bits;     /* the least number with all midpoints multiples of 2^(E - bits) */
    slong error;    /* all radii are below 2^(E + error); NO_ERROR: they are 0 */
    size_t slices;  /* how many slices are not 0 under the cut, at most; its user's to fill */
} Line;

#define NO_ERROR (WORD_MIN / 4)

/* One operand, seen along the direction in which the product sums. */
typedef struct Lines {
    Matrix of;
    bool across;          /* the lines are the matrix's rows; otherwise its columns */
    size_t count, length; /* lines, and entries of each */
    size_t tile;          /* lines that are packed together, and entries to a block of them */
    Line *line;           /* of each, to be freed by lines_end */
    slong bits, error;    /* the largest of the lines that are fit */
} Lines;

Lines lines_of(Matrix A, bool across, size_t tile, bool in_parallel);
void lines_end(Lines *);

Range line_range(const Lines *, size_t i);             /* the present entries of line i */
arb_srcptr line_at(const Lines *, size_t i, size_t k); /* its entry k */
size_t line_step(const Lines *);                       /* from one entry to the next */

enum { MOST_SLICES = 128, MOST_BETA = 27 };

typedef struct Cut {
    int beta;
    size_t slices;
    bool descending; /* the slices' order in memory: from the last to the first */
    slong error;     /* e above */
    bool bounded;    /* the bounds are wanted */
} Cut;

/* Whether some entry has an error under the cut: the bounds of errors are not all 0. */
bool lines_err(const Lines *, const Cut *);

/* Lines are packed in tiles, and every tile in blocks of `tile` entries of each line. In a block,
 * slice by slice, stand its entries of all lines of the tile: side by side along the line where the
 * lines are rows, across the lines where they are columns, as they stood in the matrix. */
typedef struct Tile {
    const Lines *from;
    size_t first, count; /* which lines */
    double *slices;      /* room for count x length x cut.slices */
    double *bounds;      /* room for count x length x 2: |x| and rho, or rho and |x| + rho if the
                                 cut is descending; unused where it is not bounded */
} Tile;

/* A slice's entries in a block, as BLAS wants to see them. */
typedef struct Slab {
    double *at;
    size_t step; /* from line to line, or from entry to entry if the lines are columns */
} Slab;

/* Fills the tile's blocks that hold any of `range`. */
void tile_pack(const Tile *, const Cut *, Range range);

size_t block_width(const Lines *, size_t block);
/* The slab that begins at the n-th slice (bound) in memory of that block, of `of` in all. */
Slab tile_slab(const Tile *, double *packed, size_t of, size_t block, size_t n);

#endif
