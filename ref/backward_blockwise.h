/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * backward_blockwise.h - Algorithm 3: the gradients in O(L^2 (d + B)) operations and O(L (d + B))
 * memory.
 *
 * Equations     (28) to (39) with the errata repaired: Delta is the scalar dO_t . O_t over the whole row,
 *               the diagonal blocks take part in dKC, dQC, dKU and dVU, S is P o (dP - Delta).
 * Order         The paper sweeps the block diagonals downwards. What ties blocks together is only D_j, and
 *               each key block has its own: so here j is the outer loop, and within it query blocks run
 *               downwards, from the last to j. The sums are the same. The gates of block (i, j) serve
 *               the update of D_j that came after it and then the block itself, so that what
 *               reaches them, dG, is passed on once; T1_ii is made once, dT1_ii summed over j.
 * Threads       as in blockwise.h.
 * D_j           Going down, D_j has to be taken back to what block j had seen before query block i. Either
 *               by subtraction (33), exact in real arithmetic only, or from partial sums kept on the way
 *               up, another O(L d) of memory and a fourteenth more work: the choice is the
 *               caller's.
 * Special cases any 1 <= B <= L, a ragged last block; windows skip gates that allow no pair.
 * Proved        backward_blockwise_is_backward, backward_after_blockwise (BackwardBlockwise.v),
 *               blockwise_gradient_is_derivative (Gradient.v); computed by Coq with the same bits.
 * Aliasing      gradients must not share entries with inputs, forward answers or dO.
 */
#ifndef CASTLE_BACKWARD_BLOCKWISE_H
#define CASTLE_BACKWARD_BLOCKWISE_H

#include "backward.h"

typedef enum TakeBack {
    BY_SUBTRACTION, /* (33) */
    BY_RECOMPUTATION,
} TakeBack;

/* O and lse (in *forward) and D are those of blockwise() with the same block size. */
void backward_blockwise(const Head *head, size_t block, const Answers *forward, Matrix D, Matrix dO,
                        TakeBack, Gradients *gradients);

#endif
