/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * right_kernels.h - kernels without a mistake, in the arithmetic that a case declares, every rounding
 * played: what no case may call wrong. They differ in the order of their sums and in how these round.
 *
 *   0     the text that the mutants change (mutant_kernel.h): dense, one term after the other
 *   1, 2  Theorem 1's form and its dense gradients; without and with fused multiply-adds
 *   3, 4  Algorithms 1 to 4 in blocks of 16, likewise
 *   5, 6  ... in blocks of 7
 */
#ifndef CASTLE_RIGHT_KERNELS_H
#define CASTLE_RIGHT_KERNELS_H

#include "mutant_kernel.h"

enum { RIGHT_KERNELS = 7 };

const char *right_kernel_name(size_t k);

/* 0 to 2 cost O(L^3). */
bool right_kernel_is_dense(size_t k);

/* Of a head. Stages are answered by 0 to 2 only: blocks never have one whole. */
MutantAnswers right_kernel(size_t k, const Problem *, const Arithmetic *);

#endif
