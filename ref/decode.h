/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * decode.h - Algorithm 5: one token at a time, from the UQ-KV cache {U, QU, KC, VC}.
 *
 * Equations     (13), then (5) to (8).
 *                 U^t = [ U^{t-1} + (sigmoid(scale QU^{t-1} KU_t^T) o allowed(., t)) VU_t ; 0 ]
 * Rows read     step t reads row t of the inputs and the cache of the steps before; KU_t and VU_t
 *               are used once and dropped.
 * Cost          O(t d) per token; the cache holds 4 t d numbers.
 * Special cases with a window, row s of U stops changing after step s + W.
 * Proved        recurrence, decode_is_sequential, decode_denominator_is_sequential,
 *               decode_keys_are_sequential, window_at_rest (Decode.v); computed by Coq, with the same
 *               bits, evaluated_is_sequential (FieldValues.v).
 * Aliasing      the cache owns its rows; a token's rows are copied into it.
 */
#ifndef CASTLE_DECODE_H
#define CASTLE_DECODE_H

#include "head.h"

/* The cache after `length` tokens: a value. It can be copied entry by entry, saved, loaded, and
 * continued from. The four matrices have room for `U.rows` tokens; rows past `length` are 0. */
typedef struct Cache {
    Matrix U, QU, KC, VC;
    size_t length;
} Cache;

Cache cache_empty(System *in, size_t room, size_t d);

/* One step: takes in row `t` of the head (which must be token number cache->length, whatever row it
 * stands in), writes o_t (1 x d), lse_t (1 x 1). Aborts when the cache is full. */
void decode_step(Cache *cache, const Head *head, size_t t, Matrix o, Matrix lse);

/* The whole of Algorithm 5 from an empty cache: fills O, lse and U (SU is never stored). */
void decode(const Head *head, Answers *answers);

#endif
