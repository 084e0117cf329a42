/* SPDX-License-Identifier: GPL-3.0-or-later */
/* case_row.h - one row of the table of cases; a part of the reader, see cases.h. */
#ifndef CASTLE_CASE_ROW_H
#define CASTLE_CASE_ROW_H

#include "cases.h"

#include <jansson.h>

/* The row's id, or NULL and a sentence that calls the row by its number, from 1. */
const char *case_row_id(const json_t *row, size_t number, Failure *);

/* The row's types as a list, at most NUMBER_TYPES; 0 and a sentence if they are not sound. */
size_t case_row_types(const json_t *row, const char *id, NumberType *types, Failure *);

/* Fills *c for one of the row's types; strings belong to the row. On failure returns false with a sentence
 * that names the row and the field, and leaves nothing to free. */
bool case_row_read(GoldenCase *c, const json_t *row, const char *id, NumberType type,
                   const Cases *known_bugs, Failure *);
void case_row_free(GoldenCase *c);

#endif
