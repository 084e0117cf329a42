/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * fresh_case.h - cases that no file holds, so that no kernel can be fitted to them: the family, level and
 * conventions of a core case of heads, with shape, window and numbers drawn by a seed.
 */
#ifndef CASTLE_FRESH_CASE_H
#define CASTLE_FRESH_CASE_H

#include "cases.h"

enum { FRESH_MOST_TOKENS = 80, FRESH_MOST_DIM = 64 };

typedef struct FreshCase {
    GoldenCase c; /* strings are the table's or `id`'s; valid while both are */
    char id[64];  /* "fresh-3-window-f32" */
} FreshCase;

/* Number k of the seed: the same on every machine. False where no case of the table has one of the types
 * (bits 1 << NumberType). Never of family trained, which is cut from files. */
bool fresh_case(FreshCase *, const Cases *, unsigned types, unsigned long seed, size_t k);

#endif
