/* SPDX-License-Identifier: GPL-3.0-or-later */
/* task_support.h - random tasks, of heads or of a layer, the answers of a played kernel, and both as a
 * dump. Include it behind cmocka.h. */
#ifndef TASK_SUPPORT_H
#define TASK_SUPPORT_H

#include "task.h"

/* N(0, 1) inputs and cotangent, a layer's weights so scaled that its heads' inputs are N(0, 1) again; held
 * exactly by the arithmetic's operands. No window. To be freed by task_free(). */
Task random_task(const Sizes *, const char *arithmetic, unsigned long seed);

/* The entries of a matrix in MPFR, row by row; to be freed. */
double *numbers_in_matrix(Matrix);

/* One number list for each answer that the task asks for, the others NULL, laid out as in files. */
typedef struct Answered {
    double *of[ANSWERS];
} Answered;

/* The answers of the task's own arithmetic, every rounding played by MPFR. */
Answered played(const Task *);
void answered_free(Answered *);

/* Writes a dump of the task and those answers that are not NULL, each in the type that its site of the
 * arithmetic keeps. Returns its path in the scratch folder. */
const char *dumped(const Task *, const Answered *, const char *name);

#endif
