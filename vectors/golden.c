/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golden.h"

#include "families.h"
#include "system.h"
#include "truths.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void golden_path(char *text, size_t size, const char *folder, const GoldenCase *c)
{
    snprintf(text, size, "%s/%s" GOLDEN_SUFFIX, folder, c->id);
}

/* ---- the task --------------------------------------------------------------------------------- */

/* Hands a tensor's numbers over to the task. */
static double *taken(CaseInputs *in, const char *name)
{
    for (size_t k = 0; k < in->count; k++)
        if (strcmp(in->tensor[k].name, name) == 0) {
            double *values = in->tensor[k].values;
            in->tensor[k].values = NULL;
            return values;
        }
    return NULL;
}

bool golden_task(Task *t, const GoldenCase *c, const char *dumps, Failure *f)
{
    CaseInputs in;
    char why[200];
    if (!case_inputs(&in, c, dumps, f))
        return false;
    *t = (Task){.size = {c->batch, c->heads, c->length, c->dim, c->model},
                .type = c->type,
                .layer = {c->batch, c->heads, c->model, {NULL}},
                .stages = c->kinds & KIND_STAGES,
                .scale = c->scale,
                .window = c->window,
                .variant = c->variant};
    for (Input k = 0; k < INPUTS; k++)
        t->input[k] = taken(&in, input_name(k));
    for (LayerInput k = 0; k < LAYER_INPUTS; k++)
        t->layer.input[k] = t->layer_input[k] = taken(&in, layer_input_name(k));
    t->cotangent = taken(&in, cotangent_name(&t->size));
    case_inputs_free(&in);
    if (!arithmetic_parse(&t->arithmetic, case_arithmetic(c->type), why, sizeof why))
        stop_on_bug(__func__, "%s", why);
    return true;
}

/* The task of the first `length` tokens of every head, without gradients. */
static Task beginning(const Task *t, size_t length)
{
    Task b = *t;
    b.size.length = length;
    b.cotangent = NULL;
    b.stages = false;
    for (Input k = 0; k < INPUTS; k++) {
        size_t all = t->size.length * t->size.dim, part = length * t->size.dim;
        b.input[k] = room_for(__func__, task_problems(t) * part, sizeof(double));
        for (size_t head = 0; head < task_problems(t); head++)
            memcpy(b.input[k] + head * part, t->input[k] + head * all, part * sizeof(double));
    }
    return b;
}

/* ---- certificates ----------------------------------------------------------------------------- */

/* Of the answers first .. end - 1. */
static GoldenCertificate certificate_of(const Truths *t, const Task *task, Answer first, Answer end)
{
    double widest = t->log2_radius;
    int radius = widest <= RADIUS_USUAL     ? RADIUS_USUAL
                 : widest <= RADIUS_IMPLIED ? RADIUS_IMPLIED
                                            : (int)ceil(widest);
    GoldenCertificate g = {
        .bits = t->bits, .radius = radius, .sequentially = t->naive == task_problems(task)};
    for (Answer a = first; a < end; a++) {
        for (unsigned k = 0; k < CERTIFICATES; k++)
            g.elements += t->tally[a][k];
        g.ties += t->tally[a][TIE];
        g.undefined += t->tally[a][UNDEFINED];
        g.masked += t->tally[a][MASKED];
    }
    return g;
}

static void join(GoldenCertificate *all, GoldenCertificate more)
{
    all->elements += more.elements;
    all->ties += more.ties;
    all->undefined += more.undefined;
    all->masked += more.masked;
    all->bits = more.bits > all->bits ? more.bits : all->bits;
    all->radius = more.radius > all->radius ? more.radius : all->radius;
    all->sequentially = all->sequentially && more.sequentially;
}

static void add_number(SafetensorsWriter *w, const char *key, long long n)
{
    char text[40];
    snprintf(text, sizeof text, "%lld", n);
    safetensors_add_metadata(w, key, text);
}

static void write_certificate(SafetensorsWriter *w, const GoldenCertificate *g)
{
    add_number(w, "elements", (long long)g->elements);
    add_number(w, "masked", (long long)g->masked);
    add_number(w, "undefined", (long long)g->undefined);
    add_number(w, "ties", (long long)g->ties);
    add_number(w, "bits", g->bits);
    add_number(w, "log2_radius", g->radius);
    safetensors_add_metadata(w, "sequential", g->sequentially ? "inside every ball" : "not run");
}

/* ---- writing ---------------------------------------------------------------------------------- */

/* Truths of all answers that the file holds; false if the two forms contradict each other. */
static bool solved(Truths *truths, const Task *task, const GoldenCase *c, const char *what,
                   Failure *f)
{
    *truths = truths_of(task, true, what);
    if (!truths->outside)
        return true;
    size_t outside = truths->outside;
    truths_free(truths);
    return fail(f,
                "case %s: castle contradicts itself: %zu values of the sequential form lie outside "
                "the balls of the parallel form; please report this",
                c->id, outside);
}

/* U after each of the case's steps: u@t. */
static bool add_caches(SafetensorsWriter *w, GoldenCertificate *g, const Task *task,
                       const GoldenCase *c, Failure *f)
{
    for (size_t k = 0; k < c->steps; k++) {
        Task first = beginning(task, c->step[k]);
        Truths truths;
        bool ok = solved(&truths, &first, c, NULL, f);
        if (ok) {
            char name[40];
            snprintf(name, sizeof name, "u@%zu", c->step[k]);
            truths_write_one(&truths, &first, ANSWER_U, name, w);
            join(g, certificate_of(&truths, &first, ANSWER_U, ANSWER_U + 1));
            truths_free(&truths);
        }
        task_free(&first);
        if (!ok)
            return false;
    }
    return true;
}

bool golden_write(const GoldenCase *c, const char *dumps, const char *path, Failure *f)
{
    Task task;
    Truths truths;
    if (!golden_task(&task, c, dumps, f))
        return false;
    if (!solved(&truths, &task, c, NULL, f)) {
        task_free(&task);
        return false;
    }
    SafetensorsWriter *w = safetensors_writer_new();
    GoldenCertificate certificate = certificate_of(&truths, &task, 0, ANSWERS);
    safetensors_add_metadata(w, "case", c->id);
    safetensors_add_metadata(w, "licence", "CC0-1.0");
    task_write(&task, w);
    truths_write(&truths, &task, w);
    bool ok = add_caches(w, &certificate, &task, c, f);
    write_certificate(w, &certificate);
    ok = ok && safetensors_write(w, path, f);
    safetensors_writer_free(w);
    truths_free(&truths);
    task_free(&task);
    return ok;
}

/* ---- reading ---------------------------------------------------------------------------------- */

static bool same_numbers(const SafetensorsFile *file, const char *name, NumberType type,
                         Layout layout, const double *numbers)
{
    const Tensor *t = safetensors_find(file, name);
    if (!t || t->type != type || t->dims != layout.dims ||
        memcmp(t->shape, layout.shape, layout.dims * sizeof *layout.shape) != 0)
        return false;
    for (size_t k = 0; k < t->count; k++) {
        double x = tensor_value(t, k);
        bool same = x == numbers[k] && !signbit(x) == !signbit(numbers[k]);
        if (!same && !(isnan(x) && isnan(numbers[k])))
            return false;
    }
    return true;
}

/* That the inputs are the task's and no answer is missing. */
static bool holds_task(const SafetensorsFile *file, const Task *t)
{
    bool same = true;
    for (Input k = 0; same && !t->size.width && k < INPUTS; k++)
        same = same_numbers(file, input_name(k), t->type, input_layout(&t->size), t->input[k]);
    for (LayerInput k = 0; same && t->size.width && k < LAYER_INPUTS; k++)
        same = same_numbers(file, layer_input_name(k), t->type, layer_input_layout(&t->size, k),
                            t->layer_input[k]);
    if (same && t->cotangent)
        same = same_numbers(file, cotangent_name(&t->size), t->type, cotangent_layout(&t->size),
                            t->cotangent);
    for (Answer a = 0; same && a < ANSWERS; a++)
        same = !task_asks(t, a) || safetensors_find(file, answer_name(a));
    return same;
}

bool golden_is_current(const GoldenCase *c, const char *dumps, const char *path)
{
    Failure ignored;
    GoldenCertificate certificate;
    Task task;
    if (!golden_certificate(&certificate, c, path, &ignored) ||
        !golden_task(&task, c, dumps, &ignored))
        return false;
    SafetensorsFile *file = safetensors_open(path, &ignored);
    bool current = file && holds_task(file, &task);
    for (size_t k = 0; current && k < c->steps; k++) {
        char name[40];
        snprintf(name, sizeof name, "u@%zu", c->step[k]);
        current = safetensors_find(file, name) != NULL;
    }
    safetensors_close(file);
    task_free(&task);
    return current;
}

static bool read_number(long long *n, const SafetensorsFile *file, const char *key,
                        const char *path, Failure *f)
{
    const char *text = safetensors_metadata(file, key);
    char *end;
    *n = text ? strtoll(text, &end, 10) : 0;
    if (text && end != text && !*end)
        return true;
    return fail(f, "%s: metadata \"%s\" is %s%.40s; expected a whole number of the certificate",
                path, key, text ? "" : "missing", text ? text : "");
}

GoldenConventions golden_conventions(const GoldenCase *c)
{
    const Task t = {.window = c->window, .scale = c->scale};
    GoldenConventions all = {.variant = variant_name(c->variant),
                             .arithmetic = case_arithmetic(c->type)};
    task_describe_window(&t, all.window, sizeof all.window);
    task_describe_scale(&t, all.scale, sizeof all.scale);
    return all;
}

/* `absent` is what a file means that does not have the key, or NULL if every file has it. */
static bool is_said(const SafetensorsFile *file, const char *key, const char *expected,
                    const char *absent, const char *name, Failure *f)
{
    const char *found = safetensors_metadata(file, key);
    if (!found)
        found = absent;
    if (found && strcmp(found, expected) == 0)
        return true;
    char quoted[60];
    failure_quote(quoted, sizeof quoted, found ? found : "");
    return fail(f, "%s: metadata \"%s\" is \"%s\"; expected \"%s\"", name, key, quoted, expected);
}

static bool is_of_case(const SafetensorsFile *file, const GoldenCase *c, const char *name,
                       Failure *f)
{
    GoldenConventions expected = golden_conventions(c);
    return is_said(file, "case", c->id, NULL, name, f) &&
           is_said(file, "window", expected.window, NULL, name, f) &&
           is_said(file, "scale", expected.scale, NULL, name, f) &&
           is_said(file, "variant", expected.variant, variant_name(CASTLE), name, f) &&
           is_said(file, "arithmetic", expected.arithmetic, NULL, name, f);
}

/* Numbers of all answers X, which are what has an X.lo. */
static size_t elements_of(const SafetensorsFile *file)
{
    size_t elements = 0;
    for (size_t k = 0; k < safetensors_count(file); k++) {
        const Tensor *t = safetensors_at(file, k);
        char name[80];
        snprintf(name, sizeof name, "%.60s.lo", t->name);
        elements += safetensors_find(file, name) ? t->count : 0;
    }
    return elements;
}

bool golden_certificate(GoldenCertificate *g, const GoldenCase *c, const char *path, Failure *f)
{
    SafetensorsFile *file = safetensors_open(path, f);
    if (!file)
        return false;
    char name[160];
    failure_quote_path(name, sizeof name, path);
    const char *sequential = safetensors_metadata(file, "sequential");
    long long elements = 0, masked = 0, undefined = 0, ties = 0, bits = 0, radius = 0;
    bool ok = is_of_case(file, c, name, f) && read_number(&elements, file, "elements", name, f) &&
              read_number(&masked, file, "masked", name, f) &&
              read_number(&undefined, file, "undefined", name, f) &&
              read_number(&ties, file, "ties", name, f) &&
              read_number(&bits, file, "bits", name, f) &&
              read_number(&radius, file, "log2_radius", name, f);
    size_t there = elements_of(file);
    if (ok && (size_t)elements != there)
        ok = fail(f, "%s: metadata \"elements\" is %lld; its answers have %zu numbers", name,
                  elements, there);
    if (ok)
        *g = (GoldenCertificate){.elements = (size_t)elements,
                                 .masked = (size_t)masked,
                                 .undefined = (size_t)undefined,
                                 .ties = (size_t)ties,
                                 .bits = (long)bits,
                                 .radius = (int)radius,
                                 .sequentially = sequential &&
                                                 strcmp(sequential, "inside every ball") == 0};
    safetensors_close(file);
    return ok;
}
