/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * nan_reach.h - what a token of NaN must spoil.
 *
 * Let all six inputs of token m be NaN. Every row t >= m has a score with key m, and sC_m = scale QC_t . KC_m
 * of (5) is NaN, hence the score of (7), and with it the sum of the softmax: all of o_t and lse_t. No window
 * changes that: it bounds lookahead keys only. A row that looks sound has lost the NaN in a maximum or a
 * comparison. Without causal keys there is no sC, and nothing is said here.
 */
#ifndef CASTLE_NAN_REACH_H
#define CASTLE_NAN_REACH_H

#include "answers.h"

bool nan_must_reach(Variant, Answer, size_t row, size_t token);

/* The token to choose, of L: as many rows lie behind it as before. */
static inline size_t nan_token(size_t length) { return length / 2; }

#endif
