/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * rounding_bounds.h - how far a problem's answers can be from the truth when every operation is
 * rounded to a given precision, exponents unbounded, sums in any order (proofs/rounding.md).
 */
#ifndef CASTLE_ROUNDING_BOUNDS_H
#define CASTLE_ROUNDING_BOUNDS_H

#include "arithmetic.h"
#include "solve.h"

typedef struct RoundingBounds {
    System *in;
    Solution solution;
    int shift; /* the bounds proper are 2^shift times those in `solution` */
} RoundingBounds;

RoundingBounds rounding_bounds(const Problem *, long precision);

/* For texts other than solve(): the system of such bounds, which are 2^*shift times those of its entries.
 * Fills *format, which must live as long as texts run. */
System *rounding_bounds_system(long precision, Format *format, int *shift);

void rounding_bounds_end(RoundingBounds *);

/* log2 of the bound of entry (i, j) of an answer. -infinity: exact. */
double log2_rounding_bound(const RoundingBounds *, Answer, size_t i, size_t j);

#endif
