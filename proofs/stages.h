/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * stages.h - every intermediate of a small problem, printed for two forms side by side: decoding, row
 * after row as the tokens come (Algorithm 5), and Theorem 1's matrices; then the gradients, dense and
 * blockwise. In binary64, for looking at.
 */
#ifndef CASTLE_STAGES_H
#define CASTLE_STAGES_H

#include "answers.h"

#include <stdio.h>

enum { STAGES_MOST = 5 }; /* tokens and dimensions that fit the page */

void print_stages(FILE *, const Problem *);

#endif
