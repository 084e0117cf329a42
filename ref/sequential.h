/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sequential.h - the definition (section 2.2 of the paper): CASTLE as a recurrence over tokens.
 *
 * Equations     (3) to (8); (9) for CASTLE-SWL.
 * Rows read     step t reads rows 1..t of every input, and no later one: that is what makes the
 *               attention causal although keys look ahead.
 * Cost          Theta(L^3 d): at every step t every lookahead key u_1^t .. u_t^t is made anew. That
 *               is the point of this file; it takes nothing from any faster form.
 * Accuracy      that of the number system, one rounding per operation.
 * Special cases L = 1 gives O = VC. W = 0 and VU = 0 give causal attention. u_t^t = 0 at every t.
 * Range         (7) is taken literally, without a running maximum: the number system must be able
 *               to hold exp of a score (MPFR, balls and the field are; float32 and binary64 only
 *               for scores of moderate size).
 * Proved        it is Definitions.v; causality, causality_lookahead_key (Causality.v), own_key_is_zero
 *               (Decode.v), own_score_is_causal, one_token_answers_its_value, output_is_linear_in_VC,
 *               lookahead_score_is_linear_in_VU, lookahead_score_is_linear_in_QC, key_shift_moves_lse,
 *               key_shift_leaves_output (Linearity.v).
 * Aliasing      the answers must not share entries with the inputs.
 */
#ifndef CASTLE_SEQUENTIAL_H
#define CASTLE_SEQUENTIAL_H

#include "head.h"

void sequential(const Head *head, Answers *answers);

#endif
