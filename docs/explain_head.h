/* SPDX-License-Identifier: GPL-3.0-or-later */
/* explain_head.h - one head of one sentence, solved: what tables and JSON of the explainer are made of. */
#ifndef CASTLE_EXPLAIN_HEAD_H
#define CASTLE_EXPLAIN_HEAD_H

#include "explain_numbers.h"
#include "explain_words.h"

/* What is to be explained. */
typedef struct Explain {
    Words words;
    size_t dim, heads;
    size_t window; /* or NO_WINDOW */
    unsigned long seed;
} Explain;

/* The inputs of one head; a problem's views of them last until inputs_free(). */
typedef struct ExplainInputs {
    double *of[INPUTS]; /* each length x dim */
} ExplainInputs;

ExplainInputs explain_inputs(const Explain *, size_t head);
void explain_inputs_free(ExplainInputs *);
Problem explain_problem(const Explain *, const ExplainInputs *, size_t window, Variant);

/* The sentence itself, in the setting that was asked for. */
typedef struct ExplainHead {
    ExplainInputs inputs;
    TextNumbers text;
    SettingNumbers setting;
} ExplainHead;

ExplainHead explain_head(const Explain *, size_t head);
void explain_head_free(ExplainHead *);

#endif
