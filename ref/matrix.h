/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * matrix.h - the matrix interface in which every algorithm of ref/ is written.
 *
 * A Matrix is a small value (a view): it may be passed, returned and kept in a struct. Its entries
 * belong to a *number system* (system.h): MPFR numbers, balls, integers modulo a prime, doubles.
 * The algorithms never learn which one runs.
 *
 * Masks. A mask is a set of allowed index pairs, never a large negative number. Every mask of CASTLE
 * is a Band, lo <= j - i <= hi. An entry outside a matrix's band is *absent*: it takes part in no
 * product, no map, no sum and no softmax, whatever stands in the operands (0 * NaN does not arise).
 * Read as a plain array, an absent entry is 0.
 *
 * Memory. Every function below that returns a matrix makes a new one; it lives until the scope in
 * which it was made is closed. Views share their parent's entries.
 *
 * Order. Two operations never stand as arguments of one call: C leaves open which comes first, and a
 * system that draws random numbers would give other bytes with another compiler.
 *
 * Errors. Shapes that do not fit are a bug of the caller: the function and the shapes are printed
 * and the program aborts.
 */
#ifndef CASTLE_MATRIX_H
#define CASTLE_MATRIX_H

#include "band.h"

typedef struct System System;

typedef struct Matrix {
    System *in; /* the number system of the entries */
    size_t rows, cols;
    size_t stride; /* from one row to the next, in entries */
    Band band;     /* outside it, entries are absent */
    void *entries;
} Matrix;

/* The scalar functions of the paper, mapped over present entries.
 * Proved        sigmoid_derivative, silu_derivative, silu_least, lookahead_raises_little,
 *               silu_unbounded (RealFunctions.v). */
typedef enum Function {
    SIGMOID, /* 1 / (1 + exp(-x)) */
    SILU,    /* x * sigmoid(x) */
    EXP,
    LOG,
    SILU_SLOPE, /* SiLU'(x) = sigmoid(x) (1 + x (1 - sigmoid(x))) */
    GATE_SLOPE, /* g (1 - g): sigmoid' where g is already the sigmoid */
} Function;

/* The quantities that the paper names. An algorithm passes each of them through stage(), once: there
 * a system that models a kernel's arithmetic rounds what such a kernel keeps in fewer bits. */
typedef enum Stage {
    STAGE_INPUT, /* QU KU VU QC KC VC as operands of products */
    STAGE_SCALE,
    STAGE_SC,
    STAGE_T1,
    STAGE_G,
    STAGE_SU,
    STAGE_P,
    STAGE_CACHE, /* U kept from one decoding step to the next */
    STAGE_O,
    STAGE_LSE,
    STAGE_U,
    STAGE_DP,
    STAGE_DS,
    STAGE_DSU,
    STAGE_DT1,
    STAGE_DG,
    STAGE_DZ,
    STAGE_DQU,
    STAGE_DKU,
    STAGE_DVU,
    STAGE_DQC,
    STAGE_DKC,
    STAGE_DVC,
    STAGE_Y, /* of a layer: its answer, and the gradients of its input and weights */
    STAGE_DX,
    STAGE_DW,
    STAGES
} Stage;

/* ---- making, viewing, leaving -------------------------------------------------------------- */

typedef size_t Scope;
Scope scope_open(System *in);
void scope_close(System *in, Scope scope);
Matrix scope_keep(System *in, Scope scope, Matrix A); /* closes it; A goes to the scope around */

Matrix matrix(System *in, size_t rows, size_t cols);                       /* all entries 0 */
Matrix matrix_from(System *in, size_t rows, size_t cols, const double *v); /* row by row */
Matrix ones_like(Matrix A);                           /* 1 where A is present */
Matrix rows(Matrix A, size_t first, size_t count);    /* a view */
Matrix row(Matrix A, size_t i);                       /* a view, 1 x cols */
Matrix columns(Matrix A, size_t first, size_t count); /* a view */
void *entry(Matrix A, size_t i, size_t j);
void assign(Matrix A, Matrix B); /* A := B */

/* ---- products: an entry is one sum over the pairs present in both operands; empty sums are 0 -- */

Matrix product(Matrix A, Matrix B, Band mask);    /* (A B) o mask */
Matrix product_nt(Matrix A, Matrix B, Band mask); /* (A B^T) o mask */
Matrix product_tn(Matrix A, Matrix B, Band mask); /* (A^T B) o mask */

/* ---- entry by entry ------------------------------------------------------------------------- */

Matrix add(Matrix A, Matrix B);
Matrix subtract(Matrix A, Matrix B);
Matrix negated(Matrix A);
Matrix hadamard(Matrix A, Matrix B);        /* A o B, present where both are */
Matrix scaled(Matrix c, Matrix A);          /* c A, with c a 1 x 1 matrix */
Matrix map(Function f, Matrix A);           /* f(A_ij) where A_ij is present */
void accumulate(Matrix A, Matrix B);        /* A := A + B; B is absent where A is */
Matrix scaled_in_place(Matrix c, Matrix A); /* A := c A, which it returns */
Matrix stage(Stage name, Matrix A);         /* A, as the modelled kernel keeps it: A itself
                                                           or, where that rounds, a new matrix */

/* ---- rows ----------------------------------------------------------------------------------- */

Matrix row_sum(Matrix A);              /* rows x 1 */
Matrix row_divide(Matrix A, Matrix c); /* row i of A over c_i */
Matrix row_shift(Matrix A, Matrix c);  /* row i of A less c_i */
Matrix row_scale(Matrix A, Matrix c);  /* c_i times row i of A */
Matrix row_dot(Matrix A, Matrix B);    /* rows x 1: A_i . B_i */

/* Per row, a point near the largest present entry, to subtract before exp: rows x 1, exact. At least
 * `floor` (rows x 1) where that is given: a running maximum. NULL: none. Aborts for an empty row. */
Matrix row_reference(Matrix S, const Matrix *floor);

/* (7): P_ij = exp(S_ij) / sum over present k of exp(S_ik); lse_i = log of that sum (may be NULL).
 * A reference point per row, the largest score, keeps exp in range; every row has a present entry. */
Matrix row_softmax(Matrix S, Matrix *lse);

/* The present columns of row i: [first, end). */
Range row_range(Matrix A, size_t i);
Range column_range(Matrix A, size_t j);

bool covers(Matrix A); /* whether A's band leaves no entry of A absent */

#endif
