/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * head.h - what one attention head receives and answers, in any number system.
 * L tokens (0..L-1 here, 1..L in the paper), head dimension d.
 */
#ifndef CASTLE_HEAD_H
#define CASTLE_HEAD_H

#include "matrix.h"

/* The paper's ablations: options of the same texts. */
typedef enum Variant {
    CASTLE,
    WITHOUT_CAUSAL_KEYS, /* (7) with sC dropped: score -SiLU(sU) */
    WITHOUT_SILU,        /* score sC - sU */
} Variant;

typedef struct Head {
    Matrix QU, KU, VU; /* lookahead side, L x d */
    Matrix QC, KC, VC; /* causal side, L x d */
    Matrix scale;      /* 1 x 1, usually 1/sqrt(d): in the causal score, the lookahead score
                               and the lookahead gate */
    size_t window;     /* W of CASTLE-SWL, or NO_WINDOW */
    Variant variant;
} Head;

/* Made by the caller; every algorithm fills what it is handed. */
typedef struct Answers {
    Matrix O;   /* L x d, (8) */
    Matrix lse; /* L x 1, log of the sum in (7)'s denominator */
    Matrix U;   /* L x d, the lookahead keys U^L after the last token, (3) */
    /* L x L, the lookahead scores (6); entry (t, s) is absent for s >= t. No entries: not asked for. */
    Matrix SU;
} Answers;

/* New matrices of the shapes that `head` calls for, all zero; or all of them but SU. */
Answers answers_for(const Head *head);
Answers answers_without_SU(const Head *head);

/* What a variant makes of the parts of a score: the causal keys that take part (KC, or zeros of its
 * shape), what is taken off the causal score (SiLU(SU), or SU), and the latter's derivative by SU. */
Matrix variant_causal_keys(const Head *head, Matrix KC);
Matrix variant_penalty(const Head *head, Matrix SU);
Matrix variant_slope(const Head *head, Matrix SU);

/* All six inputs must be L x d, L and d at least 1, and in one number system; aborts otherwise,
 * naming `function`. */
void head_must_be_sound(const Head *head, const char *function);

#endif
