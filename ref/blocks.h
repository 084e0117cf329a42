/* SPDX-License-Identifier: GPL-3.0-or-later */
/* blocks.h - what the blockwise forward and backward passes share: views of blocks, and their gates. */
#ifndef CASTLE_BLOCKS_H
#define CASTLE_BLOCKS_H

#include "head.h"

/* A head cut into blocks T_0 .. T_{count-1} of `size` rows, the last one maybe shorter. */
typedef struct Blocks {
    const Head *head;
    size_t size, count;
} Blocks;

Blocks blocks_of(const Head *head, size_t size, const char *function);

size_t block_start(const Blocks *, size_t i);
Matrix block(const Blocks *, Matrix A, size_t i);       /* rows T_i of A, a view */

/* Whether any token of T_e may enter a lookahead key of T_j. */
bool block_allowed(const Blocks *, size_t j, size_t e);

/* sigmoid(scale QU_j KU_e^T) o allowed */
Matrix block_gates(const Blocks *, size_t j, size_t e);

/* T1_ii = (scale QC_i VU_i^T) o tril */
Matrix block_T1(const Blocks *, size_t i);

/* SU_ij, (22) and (24): from D_j, which holds what T_j has seen before T_i (unread for i = j), and the
 * diagonal part, T1_ii G^T with G = gates of (j, i). */
Matrix block_SU(const Blocks *, size_t i, size_t j, Matrix Dj, Matrix T1, Matrix G);

/* S_ij = scale QC_i KC_j^T - SiLU(SU_ij), over s <= t. (19) */
Matrix block_scores(const Blocks *, size_t i, size_t j, Matrix SU);

#endif
