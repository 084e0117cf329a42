/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mutant_run.h - what the forward and the backward half of the mutants' kernel share. */
#ifndef CASTLE_MUTANT_RUN_H
#define CASTLE_MUTANT_RUN_H

#include "mutant_kernel.h"

#include <gsl/gsl_rng.h>

/* L x L numbers; an entry that is not present takes part in nothing. */
typedef struct Square {
    double *at;
    unsigned char *present;
} Square;

typedef struct Run {
    const Problem *problem;
    const Change *change;
    const Arithmetic *arithmetic;
    MutantRounding how;
    gsl_rng *rng;
    double u, tiny;
    double roundoff[STAGES], underflow[STAGES]; /* of a site, N3; roundoff 0: it does not round */
    size_t L, d, W;
    Variant variant;
    double *operand[INPUTS], *cotangent; /* as products read them */
    double scale, gate_scale, causal_scale, lookahead_scale;
    Square T1, gates, G, SU, SC, S, P; /* gates: G before it is kept */
    double *lse, *O, *U;
    Square dP, dS, dSU, dT1, dG, dZ; /* unrounded dS is dP's own, in place */
} Run;

double *run_numbers(size_t n);
Square run_square(const Run *);
void square_free(Square *);

/* One operation's result; a quantity as the kernel keeps it (a Stage or a SITE_). */
double once(Run *, double y);
double kept(Run *, int site, double y);

double to_format(double y, const Format *);
double xi(Run *); /* uniform in [-1, 1] */
double next_sum(const Run *, double sum, double term);

/* Entries that lie `step` apart; `present` may be NULL: all. */
typedef struct Line {
    const double *at;
    const unsigned char *present;
    size_t step;
} Line;
Line line_of_row(const Run *, const Square *, size_t i);
Line line_of_column(const Run *, const Square *, size_t j);
Line line_of_operand(const Run *, Role, Input, size_t i);        /* row i */
Line line_of_operand_column(const Run *, Role, Input, size_t k); /* column k */

/* Where the present entries lie: the columns of row i, the rows of column j. */
Range present_in_row(const Run *, const Square *, size_t i);
Range present_in_column(const Run *, const Square *, size_t j);

/* The sum over first <= k < end of x_k y_k where both are present. */
double dot(Run *, Line x, Line y, size_t first, size_t end);

static inline size_t block_of(size_t t) { return t / MUTANT_BLOCK; }

/* The forward pass, in this order. */
void make_gates(Run *);
void make_T1(Run *);
void make_SU(Run *);
void make_U(Run *);

void mutant_backward(Run *, MutantAnswers *);
double silu(double);

/* SU by way of a D (or decoding's U) that is carried from block to block, of `size` tokens each;
 * the last
 * D is left in `D`, L x d. `back`: each block's D is the one after it less the block's part, (33).
 * */
void carried_scores(Run *, size_t size, int site, double *D, bool back);

#endif
