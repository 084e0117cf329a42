/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pattern.h - where in a wrong tensor the errors are: which batches, heads, rows and columns, and whether
 * they keep to the edges of blocks.
 *
 * Facts. An element is bad if its z is at least the threshold of a right tensor. A row, a column, a head or
 * a batch is bad if it has a bad element.
 *
 * Blocks. A kernel works by tiles, and its mistakes often sit at their edges. Three lines of places are
 * looked at: rows, columns, and of a stage (L x L) the elements beside its diagonal. n places, K of them
 * bad. Were the block size B without meaning, then, whatever shapes the bad places form, they would be
 * no likelier at the edges of tiles of B than a draw without regard to B:
 *
 *   first, last   of the m places i with i mod B = 0 (or B - 1) k are bad. Drawn without regard to B,
 *                 k is hypergeometric, and P(at least k) is the chance. The same for the places that
 *                 are good among bad ones. Next to the diagonal i mod B = 0 lies between two diagonal
 *                 blocks, all else within one.
 *   boundary      the E places where good turns to bad, or back; k of them lie at multiples of B.
 *
 * A line is one row (column) of places for all heads together: heads and neighbours in a row share their
 * errors, and counting them one by one would make any row's chance too small. A trend (later rows are
 * worse) is no block: it has no more to do with i mod B than chance has; nor is the diagonal itself,
 * for beside it all places are alike.
 *
 * Each line, kind and B up to n / 2 (powers of two, and 48, 96, 192, 384) is one candidate. The one with
 * the least chance is named if that is below CHANCE_SUSPECT / candidates (Bonferroni): errors that have
 * nothing to do with blocks get a block named in one tensor out of a thousand at most.
 */
#ifndef CASTLE_PATTERN_H
#define CASTLE_PATTERN_H

#include "layout.h"

#include <stdbool.h>

typedef enum Axis { AXIS_BATCH, AXIS_HEAD, AXIS_ROW, AXIS_COLUMN, AXES } Axis;
const char *axis_name(Axis); /* "batch", ... */

enum { MOST_SPANS = 8 };

/* Along one axis. `bad` of `places` with anything judged; spans: the first runs of bad ones. */
typedef struct AxisPattern {
    size_t places, bad, spans; /* spans: all of them, more perhaps than are kept */
    Range span[MOST_SPANS];
} AxisPattern;

typedef enum Line { LINE_ROWS, LINE_COLUMNS, LINE_DIAGONAL, LINES } Line;
typedef enum Edge {
    EDGE_FIRST,
    EDGE_LAST,
    EDGE_FIRST_GOOD,
    EDGE_LAST_GOOD,
    EDGE_BOUNDARY,
    EDGES
} Edge;

/* `there` of the `edges` places at the edges of blocks, `elsewhere` of the other places. */
typedef struct BlockPattern {
    Line line;
    Edge edge;
    size_t block; /* 0: none is named */
    size_t there, edges, elsewhere, others;
    double chance, level;
} BlockPattern;

typedef struct Pattern {
    size_t judged, bad;
    double threshold;
    AxisPattern axis[AXES];
    BlockPattern block;
} Pattern;

/* Of an answer's n elements, laid out as in files; z is NaN where nothing is judged. */
Pattern pattern_of(const Sizes *, Answer, const double *z, size_t n, double threshold);

/* "18 of 64: 0 16 32-47", or "all 64"; "..." where there are more. size: at least 8. */
void axis_describe(const AxisPattern *, char *text, size_t size);

/* One clause, as "of the first rows of blocks of 16 4 of 4 are wrong; of the others 0 of 60". */
void block_describe(const BlockPattern *, char *text, size_t size);

#endif
