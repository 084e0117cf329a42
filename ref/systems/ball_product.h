/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ball_product.h - a whole product of matrices of balls by way of BLAS, rigorously.
 *
 *     C_ij = sum_k A_ik B_kj        A m x n, B n x p, or either transposed; all under their bands
 *
 * Method (Ozaki, Ogita, Oishi, Rump, Error-free transformations of matrix multiplication by using fast
 * routines of matrix multiplication and its applications, Numer. Algorithms 59 (2012); here in fixed
 * point, line by line). The midpoints are cut into slices d (of A) and e (of B), ball_slices.h, signed
 * integers of beta bits. The slices i and j together have the weight w = i + j, and all of one weight
 * go into one sum over k and over the pairs,
 *
 *     D_w = sum over i + j = w, k of d_i e_j,
 *     C_ij = sum over w of D_w 2^(E_a + E_b + 2 - beta (w + 2)).
 *
 * summed over runs of at most r = 256 of the k at a time. Each of the at most r t terms of a run, t the
 * number of pairs, is an integer of at most 2^(2 beta - 2), and beta is chosen with
 * r t 2^(2 beta - 2) <= 2^53: every partial sum, in any order, with fused operations or without, is an
 * integer that a double holds, so dgemm makes no error at all. The rest is done in integers, runs in 64
 * bits (up to 512 runs), then the weights, and the sum is rounded once, toward 0 as Arb does.
 *
 * Radius. Let a be a midpoint as cut, rho_a the radius plus what was cut off; so for b. For every x, y in
 * the balls
 *
 *     |x y - a b| <= |a| rho_b + rho_a (|b| + rho_b),
 *
 * and one dgemm over doubles >= 0 sums these bounds over k. (Where bounds are of the midpoints before
 * the cut: |x y - a b| <= |x| |y - b| + |x - a| |b|, with the roles of cut and uncut as it suits.) Each
 * bound is at least (1 - 2^-51) times the true one and 2n terms lose at most a factor (1 - 2^-53)^(2n+4) in
 * multiplications and additions, in any order; a factor 1 + (2n + 20) 2^-52 makes up for all of it.
 * Weights from W on are not computed at all. With t_w the pairs of weight w that the two lines have,
 * t_(w+1) <= t_w + 1, they hold at most
 *
 *     n 2^(E_a + E_b) sum over w >= W of t_w 2^(-beta w) <= n 2^(E_a + E_b) t_W 2^(-beta W) / (1 - 2^-beta)^2,
 *
 * and this, and one unit in the last place for the rounding, go into the radius. (Lines of few bits
 * have few pairs and lose nothing: exact products stay exact.)
 *
 * Accuracy. The first W weights have beta W >= precision + (log2 n) / 2 + 5 bits below the largest
 * entries of the two lines. For entries like N(0,1), a sum is about sqrt(n) while 2^(E_a + E_b) is about 16
 * and the bound above about n t 16 2^(-beta W): the radius is then a few units in the last place, as
 * that of arb_dot is. Where the large entries of one line meet small ones of the other, the loss shows in the
 * radius.
 *
 * Midpoints depend on nothing but the operands and the precision. The radii's last bits depend on the
 * order in which BLAS adds.
 */
#ifndef CASTLE_BALL_PRODUCT_H
#define CASTLE_BALL_PRODUCT_H

#include "ball.h"
#include "system.h"

/* Fills C, which holds zeros. False, with C untouched: the product is too small to gain from this. Lines with
 * entries that are not finite, or whose exponents are past 2^40, take the system's dot instead. */
bool ball_product(Matrix C, Matrix A, Matrix B, ProductKind kind, slong precision);

#endif
