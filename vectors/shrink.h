/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * shrink.h - a task on which something fails, made as small and as plain as it stays failing (delta
 * debugging: Zeller and Hildebrandt, Simplifying and isolating failure-inducing input, 2002).
 *
 * Order        batch, heads, tokens and columns lose halves, quarters and so on down to single ones, from
 *              the end; a window becomes none or small, a scale 1/sqrt(d), a variant castle; do is dropped.
 *              Then numbers: whole tensors, rows and single numbers become 0, else 1 or -1, else a whole
 *              number, else a power of 2. All of it again, until nothing changes.
 * Result       no single one of these steps leaves it failing, unless the runs were used up. It need not be
 *              the smallest there is.
 * Numbers      each stays one that the task's type holds.
 * Determinism  the same task and the same answers of `fails` give the same result.
 */
#ifndef CASTLE_SHRINK_H
#define CASTLE_SHRINK_H

#include "task.h"

enum { SHRINK_MOST_RUNS = 300 };

typedef struct Shrinking {
    bool (*fails)(const Task *, void *context); /* called at most most_runs times */
    void *context;
    size_t most_runs;
    const char *what; /* for progress, or NULL: none */
} Shrinking;

typedef struct ShrinkResult {
    size_t runs;
    bool exhausted; /* they were used up before nothing changed any more */
} ShrinkResult;

/* The task, of heads, must fail as it is; that is not tried. */
ShrinkResult shrink(Task *, const Shrinking *);

/* A copy of its own, of heads and without stages; task_free() it. */
Task task_copy(const Task *);

#endif
