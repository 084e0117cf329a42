/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "shrink_steps.h"

#include "bug.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- shape ------------------------------------------------------------------------------------ */

static void shape_of(size_t shape[AXES], const Sizes *s)
{
    const size_t lengths[AXES] = {s->batch, s->heads, s->length, s->dim};
    memcpy(shape, lengths, sizeof lengths);
}

size_t axis_length(const Sizes *s, Axis axis)
{
    size_t shape[AXES];
    shape_of(shape, s);
    return shape[axis];
}

static double *numbers_without(const double *x, const size_t shape[AXES], Axis axis, size_t first,
                               size_t end)
{
    size_t count = 1, inner = 1; /* numbers; those of one place on the axis */
    for (Axis k = 0; k < AXES; k++) {
        count *= shape[k];
        inner *= k > axis ? shape[k] : 1;
    }
    double *left = room_for("task_without", count, sizeof *left), *at = left;
    for (size_t k = 0; k < count; k++) {
        size_t place = k / inner % shape[axis];
        if (place < first || place >= end)
            *at++ = x[k];
    }
    return left;
}

Task task_without(const Task *t, Axis axis, size_t first, size_t end)
{
    Task left = *t;
    size_t shape[AXES];
    shape_of(shape, &t->size);
    if (t->size.width || first > end || end > shape[axis] || end - first >= shape[axis])
        stop_on_bug(__func__, "%zu to %zu of %zu", first, end, shape[axis]);
    for (Input k = 0; k < INPUTS; k++)
        left.input[k] = numbers_without(t->input[k], shape, axis, first, end);
    if (t->cotangent)
        left.cotangent = numbers_without(t->cotangent, shape, axis, first, end);
    shape[axis] -= end - first;
    left.size = (Sizes){shape[AXIS_BATCH], shape[AXIS_HEADS], shape[AXIS_TOKENS],
                        shape[AXIS_COLUMNS], 0};
    left.stages = false;
    return left;
}

/* ---- numbers ---------------------------------------------------------------------------------- */

static double zero(double x)
{
    (void)x;
    return 0;
}

static double one(double x) { return x == 0 || !isfinite(x) ? x : copysign(1, x); }

/* Towards 0: no larger number, so none that overflows; as few bits as x has, or fewer. */
static double whole(double x) { return fabs(x) < 1 || !isfinite(x) ? x : trunc(x); }

static double power_of_2(double x)
{
    bool is_whole = x == trunc(x);
    return is_whole || !isfinite(x) ? x : copysign(ldexp(1, ilogb(x)), x);
}

Plainer *const plainer[PLAINER] = {zero, one, whole, power_of_2};

/* ---- which is which --------------------------------------------------------------------------- */

/* FNV-1a. */
static uint64_t mixed(uint64_t hash, const void *bytes, size_t n)
{
    const unsigned char *b = bytes;
    for (size_t k = 0; k < n; k++)
        hash = (hash ^ b[k]) * UINT64_C(1099511628211);
    return hash;
}

uint64_t task_hash(const Task *t)
{
    size_t shape[AXES];
    shape_of(shape, &t->size);
    size_t n = shape[0] * shape[1] * shape[2] * shape[3] * sizeof(double);
    const size_t rest[] = {t->window, (size_t)t->variant, t->cotangent != NULL};
    uint64_t hash = mixed(UINT64_C(14695981039346656037), shape, sizeof shape);
    hash = mixed(hash, rest, sizeof rest);
    hash = mixed(hash, &t->scale, sizeof t->scale);
    for (Input k = 0; k < INPUTS; k++)
        hash = mixed(hash, t->input[k], n);
    return t->cotangent ? mixed(hash, t->cotangent, n) : hash;
}
