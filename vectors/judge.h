/* SPDX-License-Identifier: GPL-3.0-or-later */
/* judge.h - a kernel's answers to one problem, element by element, against truth and error scales. */
#ifndef CASTLE_JUDGE_H
#define CASTLE_JUDGE_H

#include "verdict.h"

/* Fills scores[a], rows x cols of answer a, for every answer a that is not NULL. */
void score_problem(const Problem *, const Arithmetic *, const Oracle *,
                   const double *const answered[ANSWERS], Score *const scores[ANSWERS]);

#endif
