/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * noisy_sums.h - the sums of a product of matrices of doubles, and the sums of the absolute values of
 * their terms: what N2 needs. Every sum adds its terms in the order of k, upwards, whatever the compiler
 * makes of the loops: the bits are those of the plain sum.
 */
#ifndef CASTLE_NOISY_SUMS_H
#define CASTLE_NOISY_SUMS_H

#include "system.h"

typedef struct Sums {
    Matrix C, A, B;
    ProductKind kind;
    Scope scope; /* in which the following are kept */
    struct Lines {
        const double *first;
        size_t step;
    } a;            /* the rows of the sums, each side by side */
    double *panels; /* their columns, as tiles read them */
    size_t inner;   /* of a panel */
    Range *columns; /* the terms that a mask leaves of each column */
    double *sizes;  /* of the rows of one tile */
    size_t *terms;  /* of a row */
} Sums;

/* A row of sums: n values, the sums of their terms' absolute values, and how many terms each has. */
typedef struct SumsRow {
    double *value;
    const double *size;
    const size_t *terms;
    size_t n;
} SumsRow;

/* False where an entry is not finite: 0, which stands for an absent entry, times it is not 0. */
bool sums_begin(Sums *, Matrix C, Matrix A, Matrix B, ProductKind);
void sums_end(Sums *);

/* Fills row i of C, from row 0 on one after the other; returns its present entries. */
SumsRow sums_row(const Sums *, size_t i);

#endif
