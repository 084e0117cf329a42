/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * parallel.h - Theorem 1: all of CASTLE as a handful of matrix products.
 *
 * Equations     (11), (12); for CASTLE-SWL the same with the mask of (9).
 *                 T1 = (scale QC VU^T) o tril                    L x L
 *                 G  = sigmoid(scale QU KU^T) o allowed          L x L
 *                 SU = T1 G^T                                    L x L, strictly lower triangular
 *                 O  = row_softmax(scale QC KC^T - SiLU(SU), s <= t) VC
 * Rows read     row t of O and lse: rows 1..t of every input. Row s of U: row s of QU and rows
 *               s+1 .. min(L, s+W) of KU and VU.
 * Cost          Theta(L^3 + L^2 d) operations, L^2 numbers of memory.
 * Accuracy      proofs/rounding.md derives it, stage by stage, for a declared arithmetic.
 * Variants      head->variant: the paper's ablations, options of this text.
 * Special cases SU_tt is an empty sum, so a row's own score is purely causal and no row is empty.
 *               A NaN or infinity in token k reaches no row of O before k.
 * Proved        theorem1, theorem1_SU, theorem1_denominator, theorem1_keys, theorem1_castle,
 *               theorem1_castle_swl (Theorem1.v), evaluated_is_parallel (FieldValues.v).
 * Aliasing      the answers must not share entries with the inputs.
 */
#ifndef CASTLE_PARALLEL_H
#define CASTLE_PARALLEL_H

#include "head.h"

void parallel(const Head *head, Answers *answers);

/* All that Theorem 1 names, for those who go on from there; made in the current scope. G and P are what
 * enters products; `gates` is sigmoid(scale QU KU^T) o allowed before a kernel cuts it to an operand. */
typedef struct Stages {
    Matrix T1, gates, G, SU, S, P, lse, O;
} Stages;
Stages parallel_stages(const Head *head);
void answer_from_stages(const Head *head, const Stages *, Answers *answers);

#endif
