/* SPDX-License-Identifier: GPL-3.0-or-later */
/* growth.h - how a cost grows with L: points on log-log paper, and the exponent fitted to them. */
#ifndef CASTLE_BENCH_GROWTH_H
#define CASTLE_BENCH_GROWTH_H

#include <stddef.h>

enum { MOST_LENGTHS = 16 };

typedef struct Curve {
    const char *name, *system; /* "blockwise", "f64" */
    const char *unit;          /* of what is measured: "ms", "MB" */
    size_t dim, block;
    double of_theory; /* the exponent as L grows without bound */
    size_t points;
    double length[MOST_LENGTHS];
    double measured[MOST_LENGTHS];
    double
        counted[MOST_LENGTHS]; /* what the counting system says of the same run: multiply-adds, or
                                     the most numbers at once */
    double weighed[MOST_LENGTHS]; /* all that it says, each kind of operation by what one costs */
} Curve;

/* y ~ constant * L^exponent, by least squares on the logarithms. */
typedef struct Fit {
    double constant, exponent, error; /* error: the exponent's standard error */
} Fit;
Fit fit(const Curve *, const double y[MOST_LENGTHS]);

/* Draws the curves and their fits into FOLDER/growth.svg with gnuplot; says so where there is none. */
void plot(const char *folder, const Curve *curves, size_t count);

#endif
