/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * kernel.h - a kernel as its author would write it, in plain C and float, and the same with one fault:
 * what the checker must call right, and what it must call wrong.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include "answers.h"

typedef enum Fault {
    NO_FAULT,
    OWN_TOKEN_EXCLUDED,     /* causal mask s < t */
    FUTURE_TOKEN_INCLUDED,  /* causal mask s <= t + 1 */
    LOOKAHEAD_LEAKS,        /* tril of T1 missing: keys see tokens after t */
    GATE_INCLUDES_DIAGONAL, /* allowed s <= j */
    GATE_STARTS_LATE,       /* allowed s + 1 < j */
    WINDOW_TOO_WIDE,        /* j <= s + W + 1 */
    WINDOW_TOO_NARROW,      /* j < s + W */
    WINDOW_IGNORED,
    SILU_ADDED,   /* sC + SiLU(sU) */
    SILU_OMITTED, /* sC - sU */
    SIGMOID_FOR_SILU,
    LOOKAHEAD_DROPPED, /* causal attention */
    GATE_UNSCALED,
    GATE_TRANSPOSED, /* sigmoid(QU_j . KU_s) */
    GATE_IS_TANH,
    CAUSAL_SCORE_UNSCALED,
    LOOKAHEAD_SCORE_UNSCALED,
    LOOKAHEAD_SCORE_SCALED_TWICE, /* the paper's printed SU / sqrt(d) */
    LAST_KEY_DROPPED,             /* lookahead sum over j < t */
    VALUES_SWAPPED,               /* VU where VC belongs */
    LSE_IN_BITS,                  /* log2 for log */
    LSE_WITHOUT_MAXIMUM,
    U_LACKS_LAST_BLOCK, /* D, not U^L: the last 16 tokens are missing */
    ONE_WEIGHT_LOST,    /* key 0 of the last row only */
    FAULTS
} Fault;

const char *fault_name(Fault);

/* Answers in float, returned as doubles: room for length x dim, length, length x dim. */
void kernel(const Problem *, Fault, double *o, double *lse, double *u);

#endif
