/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * explain_data.h - all numbers of a page as one JSON object. The page's script looks them up and computes none:
 *
 *   words dim scale seed window block decimals variants
 *   heads[]: vectors (qu .. vc: length x dim), text, settings[] (the first is what was asked for), edits[], mutants[]
 *
 * text and settings as in explain_json.h; an edit has at, word, vectors of its row, and text and setting from row `at`
 * on: the rows before it were computed as well and are the same to the bit. Settings, mutants and edits
 * come in that order while they fit the room; a long text gets fewer.
 */
#ifndef CASTLE_EXPLAIN_DATA_H
#define CASTLE_EXPLAIN_DATA_H

#include "explain_head.h"

#include <jansson.h>

/* `room`: bytes. NULL where even the sentence itself does not fit; *needs is then what it takes. */
json_t *explain_data(const Explain *, const ExplainHead *heads, size_t room, size_t *needs);

#endif
