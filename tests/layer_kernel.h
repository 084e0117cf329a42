/* SPDX-License-Identifier: GPL-3.0-or-later */
/* layer_kernel.h - a layer as a kernel's author would write it, projections of all heads at once, and the
 * same with one fault: what the checker must call right and what wrong. Include it behind cmocka.h. */
#ifndef LAYER_KERNEL_H
#define LAYER_KERNEL_H

#include "task_support.h"

typedef enum LayerFault {
    SOUND_LAYER,
    DX_LACKS_A_PROJECTION,  /* what comes through WKC is forgotten */
    DWO_TRANSPOSED,         /* dY^T O, stored as if it were O^T dY */
    HEADS_SWAPPED_FORWARD,  /* [O_n | .. | O_1] WO */
    HEADS_SWAPPED_BACKWARD, /* head h is given dO of head n + 1 - h */
    BATCH_NOT_SUMMED,       /* the gradients of weights are the last sequence's */
    SEQUENCES_RUN_TOGETHER, /* one sequence of batch L tokens */
    HEAD_GATE_HAS_DIAGONAL, /* the last head's forward allows s <= j */
    DQC_UNSCALED,           /* dQC = dS KC + dT1 VU */
    LAYER_FAULTS
} LayerFault;

const char *layer_fault_name(LayerFault);

/* Whether the fault shows in that answer of a layer of at least two heads and two sequences. */
bool layer_fault_touches(LayerFault, Answer);

/* Answers in the task's arithmetic, played by MPFR; no window. To be freed by answered_free(). */
Answered layer_kernel(const Task *, LayerFault);

#endif
