/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ball_product.h - a whole product of matrices of balls by way of BLAS, rigorously.
 *
 *     C_ij = sum_k A_ik B_kj        A m x n, B n x p, or either transposed; all under their bands
 *
 * Method (Ozaki, Ogita, Oishi, Rump, Error-free transformations of matrix multiplication by using
 * fast routines of matrix multiplication and its applications, Numer. Algorithms 59 (2012); here in
 * fixed point, line by line). The midpoints are cut into slices d (of A) and e (of B), signed
 * integers of beta bits (ball_slices.h). Slices i and j together have the weight w = i + j, and all
 * of one weight go into one sum over k and over the pairs,
 *
 *     D_w = sum over i + j = w and k of d_i e_j,
 *     C_ij = sum over w of D_w 2^(E_a + E_b + 2 - beta (w + 2)),
 *
 * in runs of at most r = 256 of the k at a time. Each of the at most r t terms of a run, t the
 * number of pairs, is an integer of at most 2^(2 beta - 2), and beta is chosen with r t 2^(2 beta -
 * 2) <= 2^53: every partial sum, in any order, with fused operations or without, is an integer that
 * a double holds, so dgemm makes no error at all. The rest is done in integers, runs in 64 bits (up
 * to 512 runs), then the weights, and the sum is rounded once, toward 0 as Arb does.
 *
 * Radius. Let x and y be midpoints, x + u and y + v any points of their balls, x + u' and y + v'
 * what the cut makes of the midpoints, and rho_x >= |u| + |u'|, rho_y >= |v| + |v'|. Then
 *
 *     |(x + u) (y + v) - (x + u') (y + v')| = |x (v - v') + (u - u') y + u v - u' v'|
 *                                          <= |x| rho_y + rho_x (|y| + rho_y),
 *
 * and one dgemm over doubles >= 0 sums these bounds over k. The bounds of |x|, rho_x, rho_y and |y|
 * + rho_y that go in are each at least (1 - 2^-51) times the true ones, and multiplying and adding
 * 2n terms loses at most a factor (1 - 2^-53)^(2n + 4), in any order; a factor 1 + (2n + 20) 2^-52
 * makes up for all of it.
 *
 * Weights from W on are not computed at all. With t_w the pairs of weight w that the two lines
 * have, t_(w+1) <= t_w + 1, they hold at most
 *
 *     n 2^(E_a + E_b) sum over w >= W of t_w 2^(-beta w)
 *         <= n 2^(E_a + E_b) t_W 2^(-beta W) / (1 - 2^-beta)^2,
 *
 * and this, and one unit in the last place for the rounding, go into the radius. Lines of few bits
 * have few pairs and lose nothing: a product that is exact in W weights and in the precision has
 * radius 0.
 *
 * Accuracy. beta W >= precision + (log2 n) / 2 + 5. For entries like N(0,1), a sum is about n^(1/2)
 * while 2^(E_a + E_b) is about 16, and what is left out is about n t 16 2^(-beta W) <= n^(1/2) t /
 * 2 of 2^-precision: the radius is that of arb_dot or a few units in the last place more. Where the
 * large entries of one line meet small ones of the other, the loss shows in the radius.
 *
 * Midpoints depend on nothing but the operands and the precision. The radii's last bits depend on
 * the order in which BLAS adds.
 */
#ifndef CASTLE_BALL_PRODUCT_H
#define CASTLE_BALL_PRODUCT_H

#include "ball.h"
#include "system.h"

/* Fills C, which holds zeros. False, with C untouched: the product is too small to gain from this.
 * Lines with entries that are not finite, or whose exponents are past 2^40, go to arb_dot. */
bool ball_product(Matrix C, Matrix A, Matrix B, ProductKind kind, slong precision);

#endif
