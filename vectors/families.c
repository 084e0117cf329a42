/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "families.h"

#include "bug.h"
#include "family_draws.h"
#include "safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double *add_tensor(CaseInputs *in, const char *name, size_t dims, const size_t *shape)
{
    InputTensor *t = &in->tensor[in->count++];
    *t = (InputTensor){.name = name, .dims = dims, .count = 1};
    for (size_t k = 0; k < dims; k++) {
        t->shape[k] = shape[k];
        t->count *= shape[k];
    }
    t->values = room_for("case_inputs", t->count, sizeof *t->values);
    return t->values;
}

/* A stream of its own for every head, so that a head's inputs do not depend on how many there are. */
static gsl_rng *stream(const GoldenCase *c, size_t index)
{
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    if (!rng)
        stop_on_bug("case_inputs", "out of memory");
    gsl_rng_set(rng, c->seed * 4096 + index);
    return rng;
}

/* ---- heads ------------------------------------------------------------------------------------ */

static void add_head_tensors(CaseInputs *in, const GoldenCase *c)
{
    const size_t shape[] = {c->batch, c->heads, c->length, c->dim};
    for (Input k = 0; k < INPUTS; k++)
        add_tensor(in, input_name(k), 4, shape);
    if (c->kinds & KIND_GRADIENTS)
        add_tensor(in, "do", 4, shape);
}

static void draw_heads(CaseInputs *in, const GoldenCase *c)
{
    size_t n = c->length * c->dim;
    double *unused = room_for("case_inputs", n,
                              sizeof *unused); /* dO of a case without gradients */
    for (size_t index = 0; index < c->batch * c->heads; index++) {
        HeadDraft h = {.c = c, .rng = stream(c, index)};
        for (size_t k = 0; k <= INPUTS; k++)
            h.input[k] = k < in->count ? in->tensor[k].values + index * n : unused;
        draw_head(&h);
        gsl_rng_free(h.rng);
    }
    free(unused);
}

/* Rows and heads cut from a dump of a trained model, [1, heads, L, d]. */
static bool cut_heads(CaseInputs *in, const GoldenCase *c, const char *dumps, Failure *f)
{
    char path[4096];
    if (!dumps)
        return (fail)(f, "case \"%s\" is cut from the dump %s; where the dumps are is not known",
                      c->id, c->source);
    snprintf(path, sizeof path, "%s/%s.safetensors", dumps, c->source);
    SafetensorsFile *file = safetensors_open(path, f);
    if (!file)
        return false;
    bool ok = true;
    for (size_t k = 0; ok && k < in->count; k++) {
        InputTensor *to = &in->tensor[k];
        const Tensor *t = safetensors_find(file, to->name);
        ok = t && t->dims == 4 && t->shape[0] == 1 && c->source_head + c->heads <= t->shape[1] &&
             c->first + c->length <= t->shape[2] && c->dim == t->shape[3];
        if (!ok) {
            char quoted[200];
            failure_quote_path(quoted, sizeof quoted, path);
            (fail)(
                f,
                "case \"%s\": %s has no tensor \"%s\" of shape [1, %zu or more, %zu or more, %zu]",
                c->id, quoted, to->name, c->source_head + c->heads, c->first + c->length, c->dim);
            break;
        }
        size_t n = c->length * c->dim;
        for (size_t h = 0; h < c->heads; h++)
            for (size_t i = 0; i < n; i++)
                to->values[h * n + i] = tensor_value(
                    t, ((c->source_head + h) * t->shape[2] + c->first) * c->dim + i);
    }
    safetensors_close(file);
    return ok;
}

/* ---- layers ----------------------------------------------------------------------------------- */

/* Near normal over 2^k, 4^k <= fan_in < 4^(k+1): a product with it is O(1). */
static void draw_weights(double *w, size_t count, size_t fan_in, NumberType type, gsl_rng *rng)
{
    int k = 0;
    while (((size_t)1 << 2 * (k + 1)) <= fan_in)
        k++;
    for (size_t i = 0; i < count; i++)
        w[i] = ldexp(near_normal(rng, type), -k);
}

static void draw_layer(CaseInputs *in, const GoldenCase *c)
{
    static const char *const projection[INPUTS] = {"wqu", "wku", "wvu", "wqc", "wkc", "wvc"};
    const size_t x[] = {c->batch, c->length, c->model}, n = c->heads * c->dim;
    const size_t down[] = {c->model, c->heads, c->dim}, up[] = {c->heads, c->dim, c->model};
    gsl_rng *rng = stream(c, 0);

    draw_weights(add_tensor(in, "x", 3, x), c->batch * c->length * c->model, 1, c->type, rng);
    for (Input k = 0; k < INPUTS; k++)
        draw_weights(add_tensor(in, projection[k], 3, down), c->model * n, c->model, c->type, rng);
    draw_weights(add_tensor(in, "wo", 3, up), n * c->model, n, c->type, rng);
    if (c->kinds & KIND_GRADIENTS)
        draw_weights(add_tensor(in, "dy", 3, x), c->batch * c->length * c->model, 1, c->type, rng);
    gsl_rng_free(rng);
}

/* ---- all of a case ---------------------------------------------------------------------------- */

/* To the case's type, once; only `special` may hold what is not finite. */
static bool round_inputs(CaseInputs *in, const GoldenCase *c, Failure *f)
{
    const Format *format = number_format(c->type);
    for (size_t k = 0; k < in->count; k++)
        for (size_t i = 0; i < in->tensor[k].count; i++) {
            double drawn = in->tensor[k].values[i], rounded = format_round_double(drawn, format);
            if (c->family != FAMILY_SPECIAL && !isfinite(rounded))
                return (fail)(f,
                              "case \"%s\": input %s holds %g, which overflows %s; its largest "
                              "number is %g",
                              c->id, in->tensor[k].name, drawn, format->name,
                              format_largest(format));
            in->tensor[k].values[i] = rounded;
        }
    return true;
}

bool case_inputs(CaseInputs *in, const GoldenCase *c, const char *dumps, Failure *f)
{
    bool ok = true;
    *in = (CaseInputs){0};
    if (c->kinds & KIND_LAYER) {
        draw_layer(in, c);
    } else {
        add_head_tensors(in, c);
        if (c->family == FAMILY_TRAINED)
            ok = cut_heads(in, c, dumps, f);
        else
            draw_heads(in, c);
    }
    ok = ok && round_inputs(in, c, f);
    if (!ok)
        case_inputs_free(in);
    return ok;
}

void case_inputs_free(CaseInputs *in)
{
    for (size_t k = 0; k < in->count; k++)
        free(in->tensor[k].values);
    *in = (CaseInputs){0};
}

const InputTensor *case_input(const CaseInputs *in, const char *name)
{
    for (size_t k = 0; k < in->count; k++)
        if (strcmp(in->tensor[k].name, name) == 0)
            return &in->tensor[k];
    return NULL;
}

Problem case_problem(const GoldenCase *c, const CaseInputs *in, size_t index)
{
    Problem p = {.length = c->length,
                 .dim = c->dim,
                 .scale = c->scale,
                 .window = c->window,
                 .variant = c->variant};
    if (c->kinds & KIND_LAYER || index >= c->batch * c->heads)
        stop_on_bug(__func__, "case %s has no head %zu of its own", c->id, index);
    for (Input k = 0; k < INPUTS; k++)
        p.input[k] = in->tensor[k].values + index * c->length * c->dim;
    if (c->kinds & KIND_GRADIENTS)
        p.cotangent = in->tensor[INPUTS].values + index * c->length * c->dim;
    return p;
}
