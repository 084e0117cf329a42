/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * explain_mutants.h - known-wrong kernels (vectors/mutants.h) on the sentence, and the tests that notice them.
 *
 * A mutant answers in binary64 without further roundings. castle check judges its answers as those of a
 * float32 kernel: verdict and largest z per tensor. Where this text cannot tell, a golden case that is
 * after the same bug (vectors/cases.json) is named all the same.
 */
#ifndef CASTLE_EXPLAIN_MUTANTS_H
#define CASTLE_EXPLAIN_MUTANTS_H

#include "explain_head.h"

#include <jansson.h>

enum {
    EXPLAIN_DEMO_WINDOW = 2, /* for mistakes about windows, where none was asked for */
    EXPLAIN_SHORT_TEXT = 12  /* a longer one gets fewer extras, to fit the page */
};

size_t explain_mutant_count(void);
const char *explain_mutant_name(size_t k);

/* What judges all mutants of one head: the truth and the error scales for each window they stand in, and the
 * table of golden cases. */
typedef struct Court Court;
Court *court_open(const Explain *, const ExplainHead *);
void court_close(Court *);

/* Mutant k on that head: id name what window p o lse u verdicts bug, and su in a short text. NULL where the
 * text is too short to have a window. */
json_t *json_mutant(Court *, size_t k);

#endif
