/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * directions.h - derivatives of f = <dO, O> along a line of the six inputs, without any formula of
 * ours for a gradient: dual numbers through the definition, or differences of it.
 *
 * Inputs x, directions v and dO are multiples of 2^-12 below 8, so that x + h v with h = 2^-k is exact at 28 +
 * k bits or more; and d is a power of 4, so that scale is exact.
 */
#ifndef CASTLE_DIRECTIONS_H
#define CASTLE_DIRECTIONS_H

#include "backward.h"
#include "systems.h"

typedef struct Direction {
    size_t L, d, window;
    double *x, *v; /* the six inputs one after the other; x goes on with dO */
} Direction;

Direction random_line(size_t L, size_t d, size_t window, unsigned long seed);
void line_free(Direction *);

/* v := the unit vector of that component, 0 .. 6 L d - 1. */
void line_along(Direction *, size_t component);

Head head_on_line(System *, const Direction *, double h, Matrix *dO); /* the inputs x + h v */
Head dual_head(System *dual, const Direction *, Matrix *dO);          /* x with the tangents v */

Matrix inner_product_of(Matrix A, Matrix B);                   /* 1 x 1 */
Matrix gradient_on_line(const Gradients *, const Direction *); /* <g, v>, 1 x 1 */

/* f at x + h v by the definition, in MPFR at so many bits. */
void value_of_definition(mpfr_t y, const Direction *, double h, long bits);

/* d f / d h at h = 0 through the definition, in dual numbers of so many bits; y has the room for them. */
void tangent_of_definition(mpfr_t y, const Direction *, long bits);

#endif
