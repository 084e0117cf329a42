/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * majorant.h - a number system of bounds, for the tests of derivatives: a text that runs over it
 * bounds its own derivatives along a line and its own rounding errors, of values and of tangents.
 */
#ifndef TESTS_MAJORANT_H
#define TESTS_MAJORANT_H

#include "systems.h"

enum { ORDERS = 6 };

/* A quantity q(h) of inputs x + h v, at h = 0. Errors are those of left-to-right sums in
 * mpfr_system and dual_system, in unit roundoffs 2^-bits, to first order. */
typedef struct Majorant {
    double x;             /* q, in binary64 */
    double size[ORDERS];  /* size[k] at least |the k-th derivative of q|; size[0] = |q| */
    double value_error;   /* of q */
    double tangent_error; /* of q' as dual_system computes it */
} Majorant;

System *majorant_system(void);

/* x and v, row by row; v NULL: 0 */
Matrix majorant_matrix(System *, size_t rows, size_t cols, const double *x, const double *v);
const Majorant *majorant_at(Matrix A, size_t i, size_t j);

#endif
