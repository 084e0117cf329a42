/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cache_file.h - a decoding cache saved to a safetensors file, and loaded to go on from.
 *
 * The file holds U, QU, KC and VC of the tokens so far as "u", "qu", "kc", "vc", F64, [1, 1, t, d].
 */
#ifndef CASTLE_CACHE_FILE_H
#define CASTLE_CACHE_FILE_H

#include "decode.h"
#include "failure.h"

/* Fails if a number of the cache does not fit binary64 exactly (MPFR above 53 bits), if the cache is
 * empty, or if the file cannot be written; then no file is left. */
bool cache_save(const Cache *, const char *path, Failure *);

/* Fills *cache with the file's tokens, in `in`, with room for `room` tokens in all. */
bool cache_load(Cache *cache, System *in, size_t room, const char *path, Failure *);

#endif
