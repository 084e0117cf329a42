/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * as_printed.h - the dense forms with one misprint of the paper (arXiv 2509.07301v2) taken at its word: what
 * `make proofs` refutes. PRINTED_RIGHT: as taken in ref/. Blocks, where a misprint is about them, are of
 * the size given; L need not be a multiple.
 */
#ifndef CASTLE_AS_PRINTED_H
#define CASTLE_AS_PRINTED_H

#include "backward.h"

typedef enum Misprint {
    PRINTED_RIGHT,
    /* forward */
    PRINTED_DOUBLE_SCALE, /* end of Theorem 1's proof: SiLU(SU / sqrt d) (sqrt d: 1 / scale) */
    PRINTED_DIAGONAL_OPEN, /* proof of (13), appendix E: [M^U_t]_tt = 0, so that sigmoid lets it in */
    PRINTED_V_OUTPUT,      /* (26): V without a superscript, read as VU */
    PRINTED_GATE_UNSCALED, /* scale in two of its three places */
    /* backward */
    PRINTED_V_GRADIENT,     /* (35): V read as VU */
    PRINTED_DELTA_OUTSIDE,  /* (28), (29): P o dP - Delta */
    PRINTED_DELTA_BY_BLOCK, /* delta over one key block's part of O at a time */
    PRINTED_DIAGONAL_KC,    /* (39), line 23: diagonal blocks give dKC nothing ... */
    PRINTED_DIAGONAL_QC,    /* ... and dQC only the lookahead part */
    PRINTED_LINE_13,        /* Algorithm 3, line 13 updates KU; nothing updates dKU */
    PRINTED_MERGE,          /* dVU and dKU without the gates of the diagonal blocks */
    MISPRINTS
} Misprint;

typedef struct Forward {
    Matrix O, U; /* in the current scope */
} Forward;
Forward forward_as_printed(const Head *, Misprint);

/* The dense gradients of Theorem 1's form; in the current scope. */
Gradients backward_as_printed(const Head *, Matrix dO, size_t block, Misprint);

#endif
