/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * prefill.h - Algorithm 4: many tokens at once into the UQ-KV cache {U, QU, KC, VC}, be it empty
 * (a prompt) or not (the next chunk of one).
 *
 * Equations     Algorithm 1's sweep, (19) and (22) to (24), over query blocks of new tokens,
 *               and U^L = (sigmoid(scale QU KU^T) o allowed) VU.
 *               A cache of t tokens is that sweep, halted: its U is D of (21), what every key has
 *               seen so far. So the sweep goes on, over all keys but only new queries, with D = U.
 *               For a cached key block j and a query block i, (24) reads
 *                 SU_ij = scale QC_i U_j^T + ((scale QC_i VU_i^T) o tril)
 *                                            (sigmoid(scale QU_j KU_i^T) o allowed)^T.
 *               Here D takes in the last block too, and is U^L then: (13) for all the new tokens.
 *               (As printed, Algorithm 4 sums U^L from 0 over all pairs of blocks; its line 6 loads
 *               U_j, where the U_k that it updates is meant.)
 * Shapes        `count` new tokens: O is count x d, lse count x 1. The cache has room for them, or
 *               the function aborts.
 * Rows read     rows first .. first + count - 1 of all six inputs, as tokens cache->length and up,
 *               and the cache. KU and VU of cached tokens are gone, and not missed. Row t of O:
 *               tokens up to t.
 * Cost          O(count (t + count) (d + B)) operations onto a cache of t tokens; memory
 *               O(count B + B^2 + B d) beside the cache.
 * Special cases count = 1 is a step of Algorithm 5; count = 0 changes nothing. Any B >= 1. Blocks
 *               of cached and of new tokens meet at t, whether B divides t or not. With a window,
 *               rows of U before t - W are at rest and are not written.
 * Accuracy      U is kept (stage `cache`) once per call; decoding keeps it once per token.
 * Proved        from an empty cache: prefill_keys (Blockwise.v).
 * Aliasing      the cache owns its rows; tokens are copied into it. O and lse share no entries
 *               with the cache or the inputs.
 */
#ifndef CASTLE_PREFILL_H
#define CASTLE_PREFILL_H

#include "decode.h"

/* Takes in rows first .. first + count - 1 of the head, in blocks of B = size. */
void prefill(Cache *cache, const Head *head, size_t first, size_t count, size_t size, Matrix O,
             Matrix lse);

#endif
