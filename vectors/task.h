/* SPDX-License-Identifier: GPL-3.0-or-later */
/* task.h - the inputs of one file: heads, or a layer, and how to compute with them. */
#ifndef CASTLE_TASK_H
#define CASTLE_TASK_H

#include "arithmetic.h"
#include "layout.h"
#include "safetensors.h"

typedef struct Task {
    Sizes size;
    NumberType type;                   /* of the inputs (the widest of them) */
    double *input[INPUTS];             /* heads: batch x heads x L x d, owned */
    double *layer_input[LAYER_INPUTS]; /* a layer; then size.width > 0; owned */
    LayerProblem layer;                /* the same, as a problem has it */
    double *cotangent;                 /* "do" or "dy", or NULL; owned */
    bool stages;                       /* asked for too (of heads) */
    double scale;                      /* 0: 1/sqrt(d) */
    size_t window;
    Variant variant;
    Arithmetic arithmetic;
} Task;

void task_free(Task *);

/* Its problems: batch x heads of them, or one layer. Views of the task. */
size_t task_problems(const Task *);
Problem task_problem(const Task *, size_t index);
bool task_asks(const Task *, Answer);   /* whether its problems have that answer */
size_t task_part(const Task *, Answer); /* how many numbers of an answer belong to one problem */

/* As files have them: metadata window, scale, variant, arithmetic; inputs and cotangent. */
void task_write(const Task *, SafetensorsWriter *);

void task_describe_window(const Task *, char *text, size_t size); /* "none" or a number */
void task_describe_scale(const Task *, char *text, size_t size);  /* "1/sqrt(d)" or a number */

#endif
