/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * blockwise.h - Theorem 2, Algorithms 1 and 2: CASTLE in O(L^2 (d + B)) operations and O(L d + B^2)
 * memory, by sweeping the block diagonals with one matrix D of partial lookahead keys.
 *
 * Equations     (19), (21) to (24). Block (i, j) holds queries T_i and keys T_j, i = j + k on diagonal k.
 *                 D_j  += (sigmoid(scale QU_j KU_{j+k-1}^T) o allowed) VU_{j+k-1}                 (23)
 *                 SU_ij = scale QC_i D_j^T + ((scale QC_i VU_i^T) o tril)
 *                                            (sigmoid(scale QU_j KU_i^T) o allowed)^T       (22), (24)
 *               D here is L x d, the transpose of the paper's.
 * Rows read     as in parallel.h: the sweep reads block i only for rows of O in block i or later.
 * Special cases any L >= 1 and 1 <= B <= L; the last block may be shorter. With a window, updates of D
 *               and gates that allow no pair are skipped.
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
