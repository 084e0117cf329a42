/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * explain_numbers.h - every number of one head that the explainer shows, correctly rounded to binary64.
 *
 * What the oracle answers (vectors/oracle.h: o lse sc t1 g su p) comes from it. The other quantities
 * that the paper names, the lookahead keys of every step, gate logits, SiLU(SU), the scores and the
 * running state of Algorithm 2, come from the same texts in balls, at a precision that is raised until
 * both ends of every ball round to one number. Shapes, with t, s, j from 0:
 *
 *   of a text, which no window and no variant changes
 *     Z, G       [s, j], s < j: scale QU_s . KU_j and its sigmoid, without a window
 *     SC, T1     [t, s], s <= t: scale QC_t . KC_s; scale QC_t . VU_s
 *     U          [t, s, k], s <= t: U^t of (3), the lookahead keys once token t has been read. With a
 *                window W row s is U[min(t, s + W), s]
 *   of a setting, a window and a variant
 *     SU, SILU   [t, s], s < t: (6), and what the variant makes of it (SU itself WITHOUT_SILU)
 *     S, P       [t, s], s <= t: the scores and weights of (7)
 *     O, LSE     [t, k], [t]
 *     M, SUM, PART  [t, v], [t, v], [t, v, k]: m, l and O of Algorithm 2 once row t has met v + 1 blocks of keys,
 *                its own first and then those before it, one after the other
 */
#ifndef CASTLE_EXPLAIN_NUMBERS_H
#define CASTLE_EXPLAIN_NUMBERS_H

#include "answers.h"

typedef struct TextNumbers {
    size_t length, dim;
    double *Z, *G, *SC, *T1; /* length x length */
    double *U;               /* length x length x dim */
} TextNumbers;

TextNumbers numbers_of_text(const Problem *);
void text_numbers_free(TextNumbers *);

typedef struct SettingNumbers {
    size_t length, dim, block, blocks;
    double *SU, *SILU, *S, *P; /* length x length */
    double *O, *LSE;
    double *M, *SUM, *PART; /* length x blocks (x dim) */
    double difference; /* the largest between o of Algorithm 5 and of Theorem 1, both in 53 bits */
    bool naive_ran;    /* the definition was run against the balls; all of it lay inside */
    long bits;         /* of the oracle's last precision */
} SettingNumbers;

/* `naive`: hold the definition against the balls, too. */
SettingNumbers numbers_of_setting(const Problem *, size_t block, bool naive);
void setting_numbers_free(SettingNumbers *);

/* How many tokens a block of the animation has: three to five blocks, where the text is long enough. */
size_t explain_block(size_t length);

#endif
