/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dump.h"

#include "system.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double *numbers(const Tensor *t)
{
    double *v = malloc(t->count * sizeof *v);
    if (!v)
        stop_on_bug("dump_open", "out of memory for %zu numbers", t->count);
    for (size_t i = 0; i < t->count; i++)
        v[i] = tensor_value(t, i);
    return v;
}

static void describe_shape(const Tensor *t, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "[");
    for (size_t k = 0; k < t->dims && used < size; k++)
        used += (size_t)snprintf(text + used, size - used, k ? ", %zu" : "%zu", t->shape[k]);
    if (used < size)
        snprintf(text + used, size - used, "]");
}

static bool has_shape(const Tensor *t, const Dump *d, size_t dims)
{
    const size_t shape[] = {d->batch, d->heads, d->length, d->dim};
    return t->dims == dims && memcmp(t->shape, shape, dims * sizeof *shape) == 0;
}

/* The narrowest type that holds all numbers of both; bfloat16 and float16 differ both ways. */
static NumberType wider(NumberType a, NumberType b)
{
    if (a != b && number_type_bytes(a) == 2 && number_type_bytes(b) == 2)
        return TYPE_F32;
    return number_type_bytes(b) > number_type_bytes(a) ? b : a;
}

static bool read_inputs(Dump *d, const char *path, Failure *f)
{
    char found[200];
    for (Input k = 0; k < INPUTS; k++) {
        const char *name = input_name(k);
        const Tensor *t = safetensors_find(d->file, name);
        if (!t)
            return fail(f,
                        "%s: input tensor \"%s\" is missing; a dump holds all of qu ku vu qc kc "
                        "vc, each [batch, heads, L, d]",
                        path, name);
        describe_shape(t, found, sizeof found);
        if (k == 0) {
            if (t->dims != 4)
                return fail(f, "%s: tensor \"%s\" has shape %s; expected [batch, heads, L, d]",
                            path, name, found);
            d->batch = t->shape[0], d->heads = t->shape[1];
            d->length = t->shape[2], d->dim = t->shape[3];
            d->type = t->type;
            if (d->length > DUMP_MOST_TOKENS)
                return fail(f, "%s: L is %zu; the dense oracle takes at most %d tokens", path,
                            d->length, DUMP_MOST_TOKENS);
        }
        if (!has_shape(t, d, 4))
            return fail(f,
                        "%s: tensor \"%s\" has shape %s; expected that of \"qu\", "
                        "[%zu, %zu, %zu, %zu]",
                        path, name, found, d->batch, d->heads, d->length, d->dim);
        d->type = wider(d->type, t->type);
        d->input[k] = numbers(t);
    }
    return true;
}

/* "do", the gradient of o: gradients cannot be judged without it. */
static bool read_cotangent(Dump *d, const char *path, Failure *f)
{
    char found[200];
    const Tensor *t = safetensors_find(d->file, "do");
    if (t) {
        describe_shape(t, found, sizeof found);
        if (!has_shape(t, d, 4))
            return fail(f,
                        "%s: tensor \"do\" has shape %s; expected that of \"qu\", "
                        "[%zu, %zu, %zu, %zu]",
                        path, found, d->batch, d->heads, d->length, d->dim);
        d->type = wider(d->type, t->type);
        d->cotangent = numbers(t);
        return true;
    }
    for (Answer k = FORWARD_ANSWERS; k < ANSWERS; k++)
        if (safetensors_find(d->file, answer_name(k)))
            return fail(f,
                        "%s: gradient \"%s\" is there, but \"do\" is not; gradients are judged for "
                        "the gradient of o that the kernel was given",
                        path, answer_name(k));
    return true;
}

static bool read_answers(Dump *d, const char *path, Failure *f)
{
    char found[200];
    for (Answer k = 0; k < ANSWERS; k++) {
        const Tensor *t = safetensors_find(d->file, answer_name(k));
        if (!t)
            continue;
        size_t dims = k == ANSWER_LSE ? 3 : 4;
        describe_shape(t, found, sizeof found);
        if (!has_shape(t, d, dims))
            return fail(f,
                        dims == 3 ? "%s: tensor \"%s\" has shape %s; expected [batch, heads, L] = "
                                    "[%zu, %zu, %zu]"
                                  : "%s: tensor \"%s\" has shape %s; expected [batch, heads, "
                                    "L, d] = [%zu, %zu, %zu, %zu]",
                        path, answer_name(k), found, d->batch, d->heads, d->length, d->dim);
        d->answer[k] = numbers(t);
        d->answer_type[k] = t->type;
    }
    return true;
}

static bool is_read(const char *name)
{
    for (Input k = 0; k < INPUTS; k++)
        if (strcmp(name, input_name(k)) == 0)
            return true;
    for (Answer k = 0; k < ANSWERS; k++)
        if (strcmp(name, answer_name(k)) == 0)
            return true;
    return strcmp(name, "do") == 0;
}

static void list_not_judged(Dump *d)
{
    const size_t most = sizeof d->not_judged / sizeof *d->not_judged;
    for (size_t i = 0; i < safetensors_count(d->file) && d->not_judged_count < most; i++)
        if (!is_read(safetensors_at(d->file, i)->name))
            d->not_judged[d->not_judged_count++] = safetensors_at(d->file, i)->name;
}

/* ---- metadata and options ------------------------------------------------------------------- */

static bool read_window(Dump *d, const char *where, const char *text, Failure *f)
{
    d->window_stated = text != NULL;
    d->window = NO_WINDOW;
    if (!text || strcmp(text, "none") == 0)
        return true;
    char *end;
    errno = 0;
    unsigned long long w = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || w >= NO_WINDOW)
        return fail(f, "%s: window is \"%.60s\"; expected \"none\" or a whole number", where, text);
    d->window = (size_t)w;
    return true;
}

static bool read_scale(Dump *d, const char *where, const char *text, Failure *f)
{
    d->scale_stated = text != NULL;
    d->scale = 0;
    if (!text || strcmp(text, "1/sqrt(d)") == 0)
        return true;
    char *end;
    d->scale = strtod(text, &end);
    if (end == text || *end || !isfinite(d->scale) || d->scale == 0)
        return fail(f,
                    "%s: scale is \"%.60s\"; expected \"1/sqrt(d)\" or a finite number other "
                    "than 0",
                    where, text);
    return true;
}

static bool read_arithmetic(Dump *d, const char *where, const char *text, Failure *f)
{
    char why[300];
    d->arithmetic_stated = text != NULL;
    if (!text) { /* the type of the answers themselves, o's before the others' */
        NumberType t = d->answer[ANSWER_O]   ? d->answer_type[ANSWER_O]
                       : d->answer[ANSWER_U] ? d->answer_type[ANSWER_U]
                                             : d->type;
        text = number_format(t)->name;
    }
    if (!arithmetic_parse(&d->arithmetic, text, why, sizeof why))
        return fail(f, "%s: %s", where, why);
    /* An answer in a file is rounded to the file's type, whatever the kernel declares. */
    for (Answer k = 0; k < ANSWERS; k++) {
        const Format **site = &d->arithmetic.site[answer_stage(k)];
        if (d->answer[k] && number_format(d->answer_type[k])->precision < (*site)->precision)
            *site = number_format(d->answer_type[k]);
    }
    return true;
}

static bool read_metadata(Dump *d, const char *path, const DumpOptions *given, Failure *f)
{
    const char *window = safetensors_metadata(d->file, "window");
    const char *scale = safetensors_metadata(d->file, "scale");
    const char *arithmetic = safetensors_metadata(d->file, "arithmetic");
    return read_window(d, given->window ? "option --window" : path,
                       given->window ? given->window : window, f) &&
           read_scale(d, given->scale ? "option --scale" : path,
                      given->scale ? given->scale : scale, f) &&
           read_arithmetic(d, given->arithmetic ? "option --arithmetic" : path,
                           given->arithmetic ? given->arithmetic : arithmetic, f);
}

bool dump_open(Dump *d, const char *path, const DumpOptions *given, Failure *f)
{
    char name[160];
    *d = (Dump){.file = safetensors_open(path, f)};
    if (!d->file)
        return false;
    failure_quote_path(name, sizeof name, path);
    if (!read_inputs(d, name, f) || !read_cotangent(d, name, f) || !read_answers(d, name, f) ||
        !read_metadata(d, name, given, f)) {
        dump_close(d);
        return false;
    }
    list_not_judged(d);
    return true;
}

void dump_close(Dump *d)
{
    for (Input k = 0; k < INPUTS; k++)
        free(d->input[k]);
    free(d->cotangent);
    for (Answer k = 0; k < ANSWERS; k++)
        free(d->answer[k]);
    safetensors_close(d->file);
    *d = (Dump){0};
}

size_t dump_problems(const Dump *d) { return d->batch * d->heads; }

size_t dump_answers(const Dump *d) { return d->cotangent ? ANSWERS : FORWARD_ANSWERS; }

Problem dump_problem(const Dump *d, size_t index)
{
    Problem p = {.length = d->length, .dim = d->dim, .scale = d->scale, .window = d->window};
    for (Input k = 0; k < INPUTS; k++)
        p.input[k] = d->input[k] + index * d->length * d->dim;
    if (d->cotangent)
        p.cotangent = d->cotangent + index * d->length * d->dim;
    return p;
}

const double *dump_answer(const Dump *d, Answer a, size_t index)
{
    return d->answer[a] ? d->answer[a] + index * d->length * answer_columns(a, d->dim) : NULL;
}

void dump_describe_window(const Dump *d, char *text, size_t size)
{
    if (d->window == NO_WINDOW)
        snprintf(text, size, "none");
    else
        snprintf(text, size, "%zu", d->window);
}

void dump_describe_scale(const Dump *d, char *text, size_t size)
{
    if (d->scale == 0)
        snprintf(text, size, "1/sqrt(d)");
    else
        snprintf(text, size, "%.17g", d->scale);
}
