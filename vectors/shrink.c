/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "shrink.h"

#include "bug.h"
#include "progress.h"
#include "shrink_steps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Search {
    Task *task; /* the best so far: it fails */
    const Shrinking *how;
    size_t runs, limit;
    bool exhausted;
    uint64_t *seen; /* hashes of tasks that do not fail */
    size_t seen_count;
    Progress *progress;
} Search;

Task task_copy(const Task *t) { return task_without(t, AXIS_TOKENS, 0, 0); }

/* ---- one run ---------------------------------------------------------------------------------- */

static bool was_seen(const Search *s, uint64_t hash)
{
    for (size_t k = 0; k < s->seen_count; k++)
        if (s->seen[k] == hash)
            return true;
    return false;
}

static bool still_fails(Search *s, const Task *candidate)
{
    uint64_t hash = task_hash(candidate);
    if (was_seen(s, hash))
        return false;
    if (s->runs >= s->limit) {
        s->exhausted = true;
        return false;
    }
    s->runs++;
    progress_step(s->progress);
    bool fails = s->how->fails(candidate, s->how->context);
    if (!fails)
        s->seen[s->seen_count++] = hash;
    return fails;
}

/* Takes the candidate's place, or frees it. */
static bool take(Search *s, Task *candidate)
{
    bool better = still_fails(s, candidate);
    if (better) {
        Task before = *s->task;
        *s->task = *candidate;
        *candidate = before;
    }
    task_free(candidate);
    return better;
}

/* ---- shape ------------------------------------------------------------------------------------ */

/* Leaves out `chunk` at a time, from the end. */
static bool cut(Search *s, Axis axis, size_t chunk)
{
    bool changed = false;
    for (size_t end = axis_length(&s->task->size, axis); end >= chunk && !s->exhausted;) {
        if (axis_length(&s->task->size, axis) <= chunk)
            break;
        Task candidate = task_without(s->task, axis, end - chunk, end);
        changed = take(s, &candidate) || changed;
        end -= chunk;
    }
    return changed;
}

/* Large chunks of all axes first: they make the later runs cheap. */
static bool shrink_shape(Search *s)
{
    bool changed = false;
    for (size_t part = 2; part <= 8; part *= 2)
        for (Axis axis = 0; axis < AXES; axis++) {
            size_t chunk = axis_length(&s->task->size, axis) / part;
            changed = (chunk && cut(s, axis, chunk)) || changed;
        }
    for (Axis axis = 0; axis < AXES; axis++)
        for (size_t chunk = axis_length(&s->task->size, axis) / 2; chunk; chunk /= 2)
            changed = cut(s, axis, chunk) || changed;
    return changed;
}

/* ---- conventions ------------------------------------------------------------------------------ */

static bool take_window(Search *s, size_t window)
{
    Task candidate = task_copy(s->task);
    candidate.window = window;
    return take(s, &candidate);
}

static bool shrink_window(Search *s)
{
    size_t W = s->task->window;
    if (W == NO_WINDOW)
        return false;
    if (take_window(s, NO_WINDOW))
        return true;
    for (size_t w = 0; w < W; w = w < 2 ? w + 1 : 2 * w)
        if (take_window(s, w))
            return true;
    return W > 0 && take_window(s, W - 1);
}

static bool shrink_conventions(Search *s)
{
    bool changed = shrink_window(s);
    if (s->task->scale != 0) {
        Task candidate = task_copy(s->task);
        candidate.scale = 0;
        changed = take(s, &candidate) || changed;
    }
    if (s->task->variant != CASTLE) {
        Task candidate = task_copy(s->task);
        candidate.variant = CASTLE;
        changed = take(s, &candidate) || changed;
    }
    if (s->task->cotangent) {
        Task candidate = task_copy(s->task);
        free(candidate.cotangent);
        candidate.cotangent = NULL;
        changed = take(s, &candidate) || changed;
    }
    return changed;
}

/* ---- numbers ---------------------------------------------------------------------------------- */

static bool differ(double x, double y) { return !(x == y || (isnan(x) && isnan(y))); }

/* Numbers first .. first + n - 1 of tensor k (INPUTS: do), all of them or none. */
static bool make_plain(Search *s, Input k, size_t first, size_t n, Plainer *how)
{
    Task candidate = task_copy(s->task);
    double *x = (k < INPUTS ? candidate.input[k] : candidate.cotangent) + first;
    bool differs = false;
    for (size_t i = 0; i < n; i++) {
        double y = how(x[i]);
        differs = differs || differ(x[i], y);
        x[i] = y;
    }
    if (differs)
        return take(s, &candidate);
    task_free(&candidate);
    return false;
}

/* The first way that still fails, for every part of so many numbers. */
static bool make_parts_plain(Search *s, size_t part)
{
    const Sizes *z = &s->task->size;
    size_t count = z->batch * z->heads * z->length * z->dim;
    bool changed = false;
    for (Input k = 0; k <= INPUTS; k++)
        for (size_t first = 0; (k < INPUTS || s->task->cotangent) && first < count; first += part)
            for (size_t how = 0; how < PLAINER && !s->exhausted; how++)
                if (make_plain(s, k, first, part, plainer[how])) {
                    changed = true;
                    break;
                }
    return changed;
}

static bool shrink_numbers(Search *s)
{
    const Sizes *z = &s->task->size;
    size_t count = z->batch * z->heads * z->length * z->dim;
    bool changed = make_parts_plain(s, count);
    if (z->dim < count)
        changed = make_parts_plain(s, z->dim) || changed;
    if (z->dim > 1)
        changed = make_parts_plain(s, 1) || changed;
    return changed;
}

/* ---- all of it -------------------------------------------------------------------------------- */

ShrinkResult shrink(Task *t, const Shrinking *how)
{
    Search s = {.task = t, .how = how};
    s.seen = room_for(__func__, how->most_runs + 1, sizeof *s.seen);
    if (how->what)
        s.progress = progress_begin(how->what, "run", how->most_runs);
    Task own = task_copy(t);
    task_free(t);
    *t = own;
    for (bool changed = true; changed && !s.exhausted;) {
        /* some runs are left for the numbers, whatever the shape costs */
        s.limit = how->most_runs - (how->most_runs - s.runs) / 3;
        changed = shrink_conventions(&s);
        changed = shrink_shape(&s) || changed;
        changed = shrink_conventions(&s) || changed;
        s.limit = how->most_runs;
        s.exhausted = false;
        changed = shrink_numbers(&s) || changed;
    }
    progress_end(s.progress);
    free(s.seen);
    return (ShrinkResult){s.runs, s.exhausted};
}
