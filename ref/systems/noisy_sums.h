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
    size_t inner; /* terms of an entry without masks */
    Scope scope;  /* in which the following are kept */
    double *a;    /* the operands, as tiles read them */
    void *b;
    double *sizes; /* of the rows of one tile */
} Sums;

/* False where an entry is not finite: 0, which stands for an absent entry, times it is not 0. */
bool sums_begin(Sums *, Matrix C, Matrix A, Matrix B, ProductKind);
void sums_end(Sums *);

/* Fills row i of C, from row 0 on one after the other; returns that row's sums of absolute values. */
const double *sums_row(const Sums *, size_t i);

/* How many terms entry (i, j) has. */
size_t sums_terms(const Sums *, size_t i, size_t j);

#endif
