/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dump_tensors.h"

#include "system.h"

#include <stdlib.h>
#include <string.h>

static double *numbers(const Tensor *t)
{
    double *v = room_for("dump_open", t->count, sizeof *v);
    for (size_t i = 0; i < t->count; i++)
        v[i] = tensor_value(t, i);
    return v;
}

/* The narrowest type that holds all numbers of both; bfloat16 and float16 differ both ways. */
static NumberType wider(NumberType a, NumberType b)
{
    if (a != b && number_type_bytes(a) == 2 && number_type_bytes(b) == 2)
        return TYPE_F32;
    return number_type_bytes(b) > number_type_bytes(a) ? b : a;
}

static bool must_have_layout(const Tensor *t, const Layout *l, const char *path, Failure *f)
{
    char found[200], expected[200];
    if (t->dims == l->dims && memcmp(t->shape, l->shape, l->dims * sizeof *l->shape) == 0)
        return true;
    layout_describe(found, sizeof found, t->dims, t->shape);
    layout_describe(expected, sizeof expected, l->dims, l->shape);
    return fail(f, "%s: tensor \"%s\" has shape %s; expected %s = %s", path, t->name, found,
                l->text, expected);
}

static const Tensor *needed_tensor(const Dump *d, const char *name, const char *path, Failure *f)
{
    const Tensor *t = safetensors_find(d->file, name);
    if (!t)
        fail(f,
             "%s: input tensor \"%s\" is missing; a dump holds all of qu ku vu qc kc vc, each "
             "[batch, heads, L, d], or a layer's x wqu wku wvu wqc wkc wvc wo",
             path, name);
    return t;
}

/* With so many dimensions that sizes can be taken from it. */
static const Tensor *sizing_tensor(const Dump *d, const char *name, const char *layout, size_t dims,
                                   const char *path, Failure *f)
{
    char found[200];
    const Tensor *t = needed_tensor(d, name, path, f);
    if (t && t->dims != dims) {
        layout_describe(found, sizeof found, t->dims, t->shape);
        fail(f, "%s: tensor \"%s\" has shape %s; expected %s", path, name, found, layout);
        return NULL;
    }
    return t;
}

static bool read_sizes(Dump *d, const char *path, Failure *f)
{
    if (safetensors_find(d->file, "x")) {
        const Tensor *x = sizing_tensor(d, "x", "[batch, L, dm]", 3, path, f);
        const Tensor *w = x ? sizing_tensor(d, "wqu", "[dm, heads, d]", 3, path, f) : NULL;
        if (!w)
            return false;
        d->task.size = (Sizes){x->shape[0], w->shape[1], x->shape[1], w->shape[2], x->shape[2]};
        d->task.type = x->type;
    } else {
        const Tensor *qu = sizing_tensor(d, "qu", "[batch, heads, L, d]", 4, path, f);
        if (!qu)
            return false;
        d->task.size = (Sizes){qu->shape[0], qu->shape[1], qu->shape[2], qu->shape[3], 0};
        d->task.type = qu->type;
    }
    if (d->task.size.length > DUMP_MOST_TOKENS)
        return fail(f, "%s: L is %zu; the dense oracle takes at most %d tokens", path,
                    d->task.size.length, DUMP_MOST_TOKENS);
    return true;
}

static bool read_input(Dump *d, double **into, const char *name, Layout layout, const char *path,
                       Failure *f)
{
    const Tensor *t = needed_tensor(d, name, path, f);
    if (!t || !must_have_layout(t, &layout, path, f))
        return false;
    d->task.type = wider(d->task.type, t->type);
    *into = numbers(t);
    return true;
}

static bool read_inputs(Dump *d, const char *path, Failure *f)
{
    for (Input k = 0; !d->task.size.width && k < INPUTS; k++)
        if (!read_input(d, &d->task.input[k], input_name(k), input_layout(&d->task.size), path, f))
            return false;
    for (LayerInput k = 0; d->task.size.width && k < LAYER_INPUTS; k++)
        if (!read_input(d, &d->task.layer_input[k], layer_input_name(k),
                        layer_input_layout(&d->task.size, k), path, f))
            return false;
    d->task.layer = (LayerProblem){
        d->task.size.batch, d->task.size.heads, d->task.size.width, {NULL}};
    for (LayerInput k = 0; k < LAYER_INPUTS; k++)
        d->task.layer.input[k] = d->task.layer_input[k];
    return true;
}

/* "do", the gradient of o, or "dy": gradients cannot be judged without it. */
static bool read_cotangent(Dump *d, const char *path, Failure *f)
{
    const char *name = cotangent_name(&d->task.size);
    if (safetensors_find(d->file, name))
        return read_input(d, &d->task.cotangent, name, cotangent_layout(&d->task.size), path, f);
    for (Answer k = 0; k < ANSWERS; k++)
        if (answer_is_gradient(k) && sizes_allow(&d->task.size, k) &&
            safetensors_find(d->file, answer_name(k)))
            return fail(f,
                        "%s: gradient \"%s\" is there, but \"%s\" is not; gradients are judged for "
                        "the gradient of %s that the kernel was given",
                        path, answer_name(k), name, name + 1);
    return true;
}

static bool read_answers(Dump *d, const char *path, Failure *f)
{
    for (Answer k = 0; k < ANSWERS; k++) {
        const Tensor *t = safetensors_find(d->file, answer_name(k));
        if (!t || !sizes_allow(&d->task.size, k))
            continue;
        Layout layout = answer_layout(&d->task.size, k);
        if (!must_have_layout(t, &layout, path, f))
            return false;
        d->answer[k] = numbers(t);
        d->task.stages = d->task.stages || answer_is_stage(k);
        d->answer_type[k] = t->type;
    }
    return true;
}

static bool is_read(const Dump *d, const char *name)
{
    for (Input k = 0; k < INPUTS; k++)
        if (d->task.input[k] && strcmp(name, input_name(k)) == 0)
            return true;
    for (LayerInput k = 0; k < LAYER_INPUTS; k++)
        if (d->task.layer_input[k] && strcmp(name, layer_input_name(k)) == 0)
            return true;
    for (Answer k = 0; k < ANSWERS; k++)
        if (d->answer[k] && strcmp(name, answer_name(k)) == 0)
            return true;
    return d->task.cotangent && strcmp(name, cotangent_name(&d->task.size)) == 0;
}

static void list_not_judged(Dump *d)
{
    const size_t most = sizeof d->not_judged / sizeof *d->not_judged;
    for (size_t i = 0; i < safetensors_count(d->file) && d->not_judged_count < most; i++)
        if (!is_read(d, safetensors_at(d->file, i)->name))
            d->not_judged[d->not_judged_count++] = safetensors_at(d->file, i)->name;
}

bool dump_read_tensors(Dump *d, const char *path, Failure *f)
{
    if (!read_sizes(d, path, f) || !read_inputs(d, path, f) || !read_cotangent(d, path, f) ||
        !read_answers(d, path, f))
        return false;
    list_not_judged(d);
    return true;
}
