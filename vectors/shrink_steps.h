/* SPDX-License-Identifier: GPL-3.0-or-later */
/* shrink_steps.h - smaller tasks and plainer numbers; a part of shrink.h. */
#ifndef CASTLE_SHRINK_STEPS_H
#define CASTLE_SHRINK_STEPS_H

#include "task.h"

typedef enum Axis { AXIS_BATCH, AXIS_HEADS, AXIS_TOKENS, AXIS_COLUMNS, AXES } Axis;

size_t axis_length(const Sizes *, Axis);

/* A copy that lacks what lies at first <= place < end of the axis; some of it must be left. */
Task task_without(const Task *, Axis, size_t first, size_t end);

/* How plain a number can be made, the plainest first. Each leaves alone what an earlier one or itself has
 * made, NaN and infinities (but for 0), and gives only numbers that every type holds that held x. */
enum { PLAINER = 4 };
typedef double Plainer(double x);
extern Plainer *const plainer[PLAINER];

/* Tells tasks apart: a 64-bit hash of shape, conventions and numbers. */
uint64_t task_hash(const Task *);

#endif
