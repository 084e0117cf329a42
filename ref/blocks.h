/* SPDX-License-Identifier: GPL-3.0-or-later */
/* blocks.h - what the blockwise forward and backward passes share: views of blocks, and their gates. */
#ifndef CASTLE_BLOCKS_H
#define CASTLE_BLOCKS_H

#include "head.h"

/* A head cut into blocks T_0 .. T_{count-1} of `size` rows, the last one maybe shorter. A sweep may
 * go on from an earlier one: then the first `past` tokens are cut into T_0 .. T_{done-1}, the last
 * of these maybe shorter too, and are there as keys only. QU, KC and VC have a row for every token;
 * KU, VU and QC one for every new token. */
typedef struct Blocks {
    const Head *head;
    size_t size, count;
    size_t tokens, past, done; /* past = done = 0 where a sweep begins */
} Blocks;

Blocks blocks_of(const Head *head, size_t size, const char *function);
Blocks blocks_after(const Head *head, size_t past, size_t size);

size_t block_start(const Blocks *, size_t i); /* the number of T_i's first token */

/* Rows T_i of A, a view. A has a row for every token, or lacks those of the first ones. */
Matrix block(const Blocks *, Matrix A, size_t i);

/* What tasks that change rows T_i of A name as their dependence: the first byte of these rows. */
char *block_turn(const Blocks *, Matrix A, size_t i);

/* Whether any token of T_e may enter a lookahead key of T_j.
 * Proved        castle_meets_is_sound, swl_meets_is_sound (Blocks.v). */
bool block_allowed(const Blocks *, size_t j, size_t e);

/* sigmoid(scale QU_j KU_e^T) o allowed */
Matrix block_gates(const Blocks *, size_t j, size_t e);

/* (23): D_j takes in the tokens of T_e: D_j + G VU_e with G = gates of (j, e).
 * Proved        blockwise_D_is_partial_key (Blockwise.v). */
void take_in_block(const Blocks *, Matrix Dj, size_t j, size_t e, Matrix G);

/* Room for every T1_ii = (scale QC_i VU_i^T) o tril, wanted again and again, one under the other: a row
 * for each query. keep_T1 makes the i-th, T1_of is a view of it. */
Matrix all_T1(const Blocks *);
void keep_T1(const Blocks *, Matrix all, size_t i);
Matrix T1_of(const Blocks *, Matrix all, size_t i);

/* SU_ij, (22) and (24): from D_j, which holds what T_j has seen before T_i (unread for i = j), and the
 * diagonal part, T1_ii G^T with G = gates of (j, i).
 * Proved        block_SU_is_lookahead_score (Blockwise.v). */
Matrix block_SU(const Blocks *, size_t i, size_t j, Matrix Dj, Matrix T1, Matrix G);

/* S_ij = scale QC_i KC_j^T - SiLU(SU_ij), over s <= t. (19) */
Matrix block_scores(const Blocks *, size_t i, size_t j, Matrix SU);

#endif
