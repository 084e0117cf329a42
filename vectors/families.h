/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * families.h - the inputs of a golden case, to the byte.
 *
 * Every number starts as integers of the Mersenne twister; what follows is exact, or one IEEE
 * operation, so that neither compiler nor library decides a bit. The last step is one correct
 * rounding to the case's type.
 */
#ifndef CASTLE_FAMILIES_H
#define CASTLE_FAMILIES_H

#include "answers.h"
#include "cases.h"

typedef struct InputTensor {
    const char *name; /* as in files */
    size_t dims, shape[4], count;
    double *values; /* each exact in the case's type */
} InputTensor;

/* In the order of the file: qu ku vu qc kc vc, and do with gradients, [batch, heads, L, d] each. A layer:
 * x [batch, L, dm], wqu wku wvu wqc wkc wvc [dm, heads, d], wo [heads, d, dm], and dy like x. */
enum { MOST_INPUT_TENSORS = 9 };
typedef struct CaseInputs {
    InputTensor tensor[MOST_INPUT_TENSORS];
    size_t count;
} CaseInputs;

/* `dumps` is the folder with the dumps that `trained` cases cut from; others read no file, and it may be
 * NULL for them. On failure (such a dump cannot be read, or is too small) returns false with one sentence
 * and leaves nothing to free. */
bool case_inputs(CaseInputs *, const GoldenCase *, const char *dumps, Failure *);
void case_inputs_free(CaseInputs *);

const InputTensor *case_input(const CaseInputs *, const char *name); /* or NULL */

/* Head `index` (of batch x heads) of a case that is no layer, with the cotangent if there is one. Points
 * into the inputs. */
Problem case_problem(const GoldenCase *, const CaseInputs *, size_t index);

#endif
