/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * backward.h - the gradients of Theorem 1's form, dense.
 *
 * Given dO, the gradient of a scalar with respect to O, finds those with respect to the six inputs. The
 * derivation quotes each forward line that it inverts; P is rebuilt from the stored lse, as kernels do.
 *
 * Shapes        dO and all gradients L x d.
 * Rows read     row s of dKC and dVC: rows s..L of everything; row j of dKU and dVU: rows t >= j.
 * Cost          Theta(L^3 + L^2 d) operations, L^2 numbers of memory.
 * Special cases exactly zero, always: dQU_L, dKU_1, dVU_1 (QU_L gates nothing; KU_1 and VU_1 enter no
 *               lookahead key). With W = 0 all of dQU, dKU, dVU.
 * Accuracy      proofs/rounding.md.
 * Proved        reverse_is_forward (Backward.v), gradient_is_derivative, directional_derivative,
 *               directional_derivative_castle, directional_derivative_castle_swl (Gradient.v),
 *               last_QU_gets_nothing, first_KU_gets_nothing, first_VU_gets_nothing,
 *               no_window_no_gradient (Facts.v); there P is itself, not rebuilt.
 * Aliasing      gradients must not share entries with inputs or dO.
 */
#ifndef CASTLE_BACKWARD_H
#define CASTLE_BACKWARD_H

#include "parallel.h"

typedef struct Gradients {
    Matrix dQU, dKU, dVU, dQC, dKC, dVC;
} Gradients;

/* New matrices of the head's shape, all zero. */
Gradients gradients_for(const Head *head);

void backward(const Head *head, Matrix dO, Gradients *gradients);

/* The same, going on from a forward pass that is still there. */
void backward_from_stages(const Head *head, const Stages *forward, Matrix dO, Gradients *gradients);

#endif
