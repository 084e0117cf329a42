/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * plugin_checks.h - everything that a trial asks of a plug-in.
 *
 * Values: forward, backward, prefill and decode on dense tensors; all but decode again with gaps between the
 * rows ("padded forward"); decode once more after a prefill of the first half ("prefill, decode"). Of a golden
 * case that decodes, U in the midst of it, at each of the case's steps ("decode, u@24"), and decode after a
 * prefill of the first chunk of each of its splits ("split 16") in the place of half.
 *
 * Promises that no value shows:
 *   repeat      two runs agree bit for bit
 *   neighbours  every second (batch, head) becomes NaN: the others do not move by a bit
 *   future      NaN in the last token's inputs: no earlier row of o and lse moves by a bit
 *   swallowed   NaN in the inputs of the token in the middle: no row of o and lse from it on is finite
 *               (nan_reach.h)
 *   scaling     8 dO gives 8 times the gradients, bit for bit: they are linear in dO and a power of 2
 *               rounds nothing, but for what falls below the range (see scaled_exactly)
 * A plug-in that declares itself nondeterministic is spared `repeat` and `scaling`; of `neighbours` and
 * `future` it must keep that no number becomes NaN.
 */
#ifndef CASTLE_PLUGIN_CHECKS_H
#define CASTLE_PLUGIN_CHECKS_H

#include "plugin.h"

void plugin_try(const Plugin *, Trial *);

#endif
