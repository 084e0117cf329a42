/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "task.h"

#include <stdio.h>
#include <stdlib.h>

void task_free(Task *t)
{
    for (Input k = 0; k < INPUTS; k++)
        free(t->input[k]);
    for (LayerInput k = 0; k < LAYER_INPUTS; k++)
        free(t->layer_input[k]);
    free(t->cotangent);
    *t = (Task){0};
}

size_t task_problems(const Task *t) { return t->size.width ? 1 : t->size.batch * t->size.heads; }

/* Numbers per problem of a tensor laid out so. */
static size_t part(const Task *t, Layout layout)
{
    return layout_count(&layout) / task_problems(t);
}

size_t task_part(const Task *t, Answer a) { return part(t, answer_layout(&t->size, a)); }

Problem task_problem(const Task *t, size_t index)
{
    Problem p = {.length = t->size.length,
                 .dim = t->size.dim,
                 .scale = t->scale,
                 .window = t->window,
                 .variant = t->variant,
                 .stages = t->stages,
                 .layer = t->size.width ? &t->layer : NULL};
    for (Input k = 0; k < INPUTS && !p.layer; k++)
        p.input[k] = t->input[k] + index * part(t, input_layout(&t->size));
    if (t->cotangent)
        p.cotangent = t->cotangent + index * part(t, cotangent_layout(&t->size));
    return p;
}

bool task_asks(const Task *t, Answer a)
{
    Problem p = task_problem(t, 0);
    return problem_has(&p, a);
}

/* ---- in files ------------------------------------------------------------------------------- */

static void write_tensor(SafetensorsWriter *w, const char *name, NumberType type, Layout l,
                         const double *numbers)
{
    safetensors_add(w, name, type, l.dims, l.shape, numbers);
}

void task_write(const Task *t, SafetensorsWriter *w)
{
    char text[60];
    task_describe_window(t, text, sizeof text);
    safetensors_add_metadata(w, "window", text);
    task_describe_scale(t, text, sizeof text);
    safetensors_add_metadata(w, "scale", text);
    if (t->variant != CASTLE)
        safetensors_add_metadata(w, "variant", variant_name(t->variant));
    safetensors_add_metadata(w, "arithmetic", t->arithmetic.name);
    for (Input k = 0; !t->size.width && k < INPUTS; k++)
        write_tensor(w, input_name(k), t->type, input_layout(&t->size), t->input[k]);
    for (LayerInput k = 0; t->size.width && k < LAYER_INPUTS; k++)
        write_tensor(w, layer_input_name(k), t->type, layer_input_layout(&t->size, k),
                     t->layer_input[k]);
    if (t->cotangent)
        write_tensor(w, cotangent_name(&t->size), t->type, cotangent_layout(&t->size),
                     t->cotangent);
}

void task_describe_window(const Task *t, char *text, size_t size)
{
    if (t->window == NO_WINDOW)
        snprintf(text, size, "none");
    else
        snprintf(text, size, "%zu", t->window);
}

void task_describe_scale(const Task *t, char *text, size_t size)
{
    if (t->scale == 0)
        snprintf(text, size, "1/sqrt(d)");
    else
        snprintf(text, size, "%.17g", t->scale);
}
