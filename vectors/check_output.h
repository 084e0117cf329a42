/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_output.h - how castle check tells what it found: the options that say so, and files beside the text. */
#ifndef CASTLE_CHECK_OUTPUT_H
#define CASTLE_CHECK_OUTPUT_H

#include "failure.h"

#include <jansson.h>

typedef struct CheckOutput {
    bool strict;                /* suspect counts as wrong */
    bool json, tap;             /* on standard output, in the place of the text; at most one */
    const char *junit, *report; /* files, or NULL */
} CheckOutput;

/* Whether there is anything to make of a document (docs/check-json.md), and whether it needs maps. */
bool output_wants_document(const CheckOutput *);
bool output_wants_maps(const CheckOutput *);
bool output_is_text(const CheckOutput *); /* standard output is for people */

/* Standard output is a terminal, and NO_COLOR (no-color.org) is unset or empty. */
bool output_in_colour(void);

/* Prints the document or the tests of it, with `summary` as the last line of the latter, and writes the
 * files. Returns false with one sentence where one cannot be written; the others are. */
bool output_document(const CheckOutput *, const json_t *document, const char *summary, Failure *);

#endif
