/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "dump_support.h"
#include "vectors_support.h"

void draft_add(Draft *f, const char *name, NumberType type, size_t dims, double first)
{
    assert_true(f->count < MOST_PIECES);
    f->piece[f->count++] = (Piece){name, type, dims, {BATCH, HEADS, LENGTH, DIM, 1}, first};
}

Piece *draft_find(Draft *f, const char *name)
{
    for (size_t k = 0; k < f->count; k++)
        if (strcmp(f->piece[k].name, name) == 0)
            return &f->piece[k];
    fail_msg("the draft has no %s", name);
    return NULL;
}

/* Six inputs and the three forward answers, 2 x 3 x 5 x 2, all F32. */
Draft full_draft(void)
{
    Draft f = {.count = 0};
    for (Input k = 0; k < INPUTS; k++)
        draft_add(&f, input_name(k), TYPE_F32, 4, 100.0 * (double)k);
    for (Answer a = 0; a < FORWARD_ANSWERS; a++)
        draft_add(&f, answer_name(a), TYPE_F32, a == ANSWER_LSE ? 3 : 4, 1000 * (double)(a + 1));
    return f;
}

void draft_write(const Draft *f, const char *path)
{
    SafetensorsWriter *w = safetensors_writer_new();
    Failure failure;
    double values[2 * BATCH * HEADS * LENGTH * LENGTH];
    if (f->window)
        safetensors_add_metadata(w, "window", f->window);
    if (f->scale)
        safetensors_add_metadata(w, "scale", f->scale);
    if (f->arithmetic)
        safetensors_add_metadata(w, "arithmetic", f->arithmetic);
    for (size_t k = 0; k < f->count; k++) {
        const Piece *p = &f->piece[k];
        size_t n = 1;
        for (size_t i = 0; i < p->dims; i++)
            n *= p->shape[i];
        assert_true(n <= sizeof values / sizeof *values);
        for (size_t i = 0; i < n; i++)
            values[i] = p->first + (double)i;
        safetensors_add(w, p->name, p->type, p->dims, p->shape, values);
    }
    if (!safetensors_write(w, path, &failure))
        fail_msg("%s", failure.text);
    safetensors_writer_free(w);
}

const DumpOptions nothing = {0};

Dump draft_opened(const Draft *f, const DumpOptions *given)
{
    Dump d;
    Failure failure;
    draft_write(f, scratch_path("dump"));
    if (!dump_open(&d, scratch_path("dump"), given, &failure))
        fail_msg("%s", failure.text);
    return d;
}

bool dump_is_empty(const Dump *d)
{
    bool owns = d->file || d->task.cotangent;
    for (Input k = 0; k < INPUTS; k++)
        owns = owns || d->task.input[k];
    for (LayerInput k = 0; k < LAYER_INPUTS; k++)
        owns = owns || d->task.layer_input[k];
    for (Answer a = 0; a < ANSWERS; a++)
        owns = owns || d->answer[a];
    return !owns && d->task.size.batch == 0;
}

/* The sentence must be `expected`, in which a leading @ stands for the path. */
void draft_refused(const char *test, const char *path, const DumpOptions *given,
                   const char *expected)
{
    Dump d;
    Failure failure = {""};
    char sentence[1024];
    (void)snprintf(sentence, sizeof sentence, "%s%s", *expected == '@' ? path : "",
                   *expected == '@' ? expected + 1 : expected);
    if (dump_open(&d, path, given, &failure))
        fail_msg("%s: the dump was opened", test);
    if (strcmp(failure.text, sentence) != 0)
        fail_msg("%s: \"%s\", expected \"%s\"", test, failure.text, sentence);
    assert_true(dump_is_empty(&d));
}
