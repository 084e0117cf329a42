/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of the matrix interface share: products, bands, matrices of the field with absent
 * entries, and the systems of real numbers. Include it behind cmocka.h. */
#ifndef TESTS_MATRIX_SUPPORT_H
#define TESTS_MATRIX_SUPPORT_H

#include "systems_support.h"

/* The three products: A B, A B^T, A^T B. Each is m x n, a sum over `inner` pairs. */
typedef struct Kind {
    const char *name;
    Matrix (*multiply)(Matrix, Matrix, Band);
    bool a_transposed, b_transposed;
} Kind;
enum { KINDS = 3 };
extern const Kind kinds[KINDS];

Band random_band(gsl_rng *, size_t rows, size_t cols);

/* Whether the same entries are present, row by row. */
bool same_band(Matrix, Matrix);
bool every_row_has_an_entry(Matrix);

/* ---- in the field --------------------------------------------------------------------------- */

static inline uint64_t at(Matrix A, size_t i, size_t j) { return *(uint64_t *)entry(A, i, j); }

/* Random present entries, absent ones 0. */
Matrix random_banded(System *, size_t rows, size_t cols, Band, uint64_t *state);

/* Fails, and says which entry of `what` applied to A and B it is. */
void words_differ(const char *what, Matrix A, Matrix B, Band mask, size_t i, size_t j, uint64_t got,
                  uint64_t expected);

/* ---- in real numbers ------------------------------------------------------------------------ */

enum { REAL_SYSTEMS = 7 };
System *system_number(size_t);

#endif
