/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * blockwise.h - Theorem 2, Algorithms 1 and 2: CASTLE in O(L^2 (d + B)) operations and O(L (d + B))
 * memory, by sweeping over blocks with one matrix D of partial lookahead keys.
 *
 * Equations     (19), (21) to (24). Block (i, j) holds queries T_i and keys T_j, j <= i.
 *                 SU_ij = scale QC_i D_j^T + ((scale QC_i VU_i^T) o tril)
 *                                            (sigmoid(scale QU_j KU_i^T) o allowed)^T       (22), (24)
 *                 D_j  += (sigmoid(scale QU_j KU_i^T) o allowed) VU_i                              (23)
 *               D here is L x d, the transpose of the paper's.
 * Order         The paper sweeps the block diagonals. What ties blocks together is D_j, which takes in
 *               query blocks upwards, and row block i of O, which takes in key blocks downwards from
 *               i: sweeping over rows of blocks keeps both orders, and so every sum; QC_i, VU_i, KU_i
 *               and O_i stay at hand, and the gates of block (i, j) serve (24) and then (23).
 * Threads       in a system that allows it, blocks that share neither i nor j run at once. Both orders
 *               hold all the same: no result depends on the number of threads.
 * B             a matter of speed, and of rounding; for d = 128, in double and float, B from 128 to 192
 *               is fastest: blocks large enough for BLAS, and little computed for nothing next to the
 *               diagonal.
 * Rows read     as in parallel.h: the sweep reads block i only for rows of O in block i or later.
 * Special cases any L >= 1 and 1 <= B <= L; the last block may be shorter. With a window, updates of D
 *               and gates that allow no pair are skipped.
 * Proved        blockwise_is_sequential, blockwise_castle, blockwise_castle_swl, blockwise_is_parallel,
 *               blockwise_lse (Blockwise.v), online_softmax, online_denominator (OnlineSoftmax.v),
 *               exp_rescalable, real_blockwise_is_sequential, real_blockwise_lse (RealFunctions.v).
 * Aliasing      the answers must not share entries with the inputs.
 */
#ifndef CASTLE_BLOCKWISE_H
#define CASTLE_BLOCKWISE_H

#include "blocks.h"

/* Fills O and lse, and D (L x d): the lookahead keys without the last block's tokens, U^{(N-1)B}, which
 * the backward pass wants. answers->SU, if it has entries, is filled too; answers->U is not. */
void blockwise(const Head *head, size_t size, Answers *answers, Matrix D);

/* Algorithm 1 proper, which prefill.h goes on with: answers all query blocks that are not past. D
 * has a row for every token; it holds what the keys have seen of past tokens, and at the end also
 * the new query blocks before T_i, i = taken_in. O, lse and SU (which may be without entries) have a
 * row for every new token. */
void blockwise_sweep(const Blocks *, size_t taken_in, Matrix D, Matrix O, Matrix lse, Matrix SU);

#endif
