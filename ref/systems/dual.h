/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dual.h - for those who put tangents in and read them off. dual.c says what a dual number is. */
#ifndef CASTLE_DUAL_H
#define CASTLE_DUAL_H

#include "systems.h"

/* A new matrix of values and tangents, each row by row; tangents NULL: all 0. */
Matrix dual_matrix(System *in, size_t rows, size_t cols, const double *values,
                   const double *tangents);

/* The tangent of entry (i, j), rounded to y's precision. (op->get reads the value.) Aborts for a
 * matrix of any other system. */
void dual_tangent(mpfr_t y, Matrix A, size_t i, size_t j);

#endif
