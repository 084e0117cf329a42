/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trials.h - what the sections of `make proofs` share: heads to try formulas on, and how far apart two
 * matrices are. */
#ifndef CASTLE_TRIALS_H
#define CASTLE_TRIALS_H

#include "backward.h"
#include "items.h"
#include "systems.h"

/* Six random inputs and a random scale in a field. */
Head field_head(System *field, size_t L, size_t d, size_t window, uint64_t *state);

/* How many entries were compared, how many were not the same bit for bit. */
typedef struct Tally {
    size_t shapes, compared, different;
} Tally;
void compare_bits(Tally *, Matrix A, Matrix B);
void compare_gradient_bits(Tally *, const Gradients *, const Gradients *);

/* The chance that different formulas pass: polynomials of that degree, all entries (Schwartz-Zippel). */
double tally_chance(const Tally *, unsigned degree);

/* N(0, 1) inputs and dO, float32 numbers; to be ended by items_free(). */
Items drawn(size_t L, size_t d, size_t window, unsigned long seed);

/* log2 of the largest |A - B| over the largest |B|, each in its own system of real numbers; -infinity: the
 * same numbers. */
double log2_gap(Matrix A, Matrix B);

/* log2 of the most by which rounding can set A and B apart, relative to the largest |B|: both were made by the
 * texts in a rounding_bounds_system() of that shift. It bounds log2_gap() of the same texts in MPFR. */
double log2_gap_bound(Matrix A, Matrix B, int shift);

/* log2 |x|; -infinity for 0. */
double log2_of(const mpfr_t x);

/* The line through the points by least squares (GSL); *error: the slope's standard error. */
double fitted_slope(size_t n, const double *x, const double *y, double *error);

#endif
