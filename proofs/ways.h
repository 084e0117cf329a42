/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ways.h - the ways of ref/ to a gradient, along a line of the inputs; and how far rounding can take each.
 */
#ifndef CASTLE_WAYS_H
#define CASTLE_WAYS_H

#include "directions.h"

typedef enum Way { DENSE, BLOCKS_SUBTRACTED, BLOCKS_RECOMPUTED, WAYS } Way;

Gradients gradients_by(Way, const Head *, Matrix dO, size_t block);

/* <g, v> by that way in MPFR numbers of so many bits; y has the room for them. */
void way_gradient(mpfr_t y, Way, const Direction *, size_t block, long bits);

/* log2 of a bound on the error of that number: the very text runs in `bounded`, by the rules of rounding.md,
 * (33) and the inner product included. */
double log2_way_bound(Way, const Direction *, size_t block, long bits);

/* The same of f = <dO, O> through the definition, at x + h v. */
double log2_value_bound(const Direction *, double h, long bits);

#endif
