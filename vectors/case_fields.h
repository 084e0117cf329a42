/* SPDX-License-Identifier: GPL-3.0-or-later */
/* case_fields.h - the fields of one row of the table of cases, each refused with a sentence that names
 * row and field; a part of the reader, see cases.h. */
#ifndef CASTLE_CASE_FIELDS_H
#define CASTLE_CASE_FIELDS_H

#include "failure.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct Row {
    const json_t *fields;
    const char *id;
    Failure *failure;
} Row;

/* Fails with "row "ID", field "FIELD": ...". */
__attribute__((format(printf, 3, 4))) bool row_refuse(const Row *, const char *field,
                                                      const char *format, ...);

/* A whole number; `otherwise` is what a field that is left out stands for, ROW_REQUIRED: nothing. */
#define ROW_REQUIRED (-1)
bool row_count(const Row *, const char *field, json_int_t lowest, json_int_t highest,
               json_int_t otherwise, size_t *to);

/* A string; `otherwise` NULL: it must be there and not empty. */
bool row_text(const Row *, const char *field, const char *otherwise, const char **to);

/* The next word of *text, words being one space apart; NULL at the end. */
const char *row_next_word(const char **text, char *word, size_t size);

/* A fixed vocabulary: its k-th word. */
typedef const char *Namer(unsigned k);

/* One word of it, as its number; several different words, as a set of bits. */
bool row_word(const Row *, const char *field, const char *otherwise, Namer *, unsigned count,
              unsigned *to);
bool row_words(const Row *, const char *field, const char *otherwise, Namer *, unsigned count,
               unsigned *bits);

/* Refuses any of the fields that is there: only `owner` has them. */
bool row_lacks(const Row *, const char *const *fields, size_t count, const char *owner);

#endif
