/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * command_oracle.c - `castle oracle FILE -o OUT`: the true answers for a file's inputs.
 *
 * For each answer X: X (F64, correctly rounded), X.lo (F64, the remainder, correctly rounded),
 * X.<type> (correctly rounded to the inputs' own type, where that is not F64) and X.sigma (F32, the
 * error scale of the declared arithmetic).
 */
#include "commands.h"
#include "dump.h"
#include "progress.h"
#include "scales.h"
#include "system.h"

#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Options {
    DumpOptions dump;
    const char *file, *out;
} Options;

static const struct argp_option options[] = {
    {"output", 'o', "OUT", 0, "the safetensors file to write (required)", 0},
    {"arithmetic", 'a', "NAME", 0, "the arithmetic that sigma is for (as in castle check)", 0},
    {"window", 'W', "W", 0, "lookahead window, or none (default: the file's metadata)", 0},
    {"scale", 'c', "C", 0, "1/sqrt(d) or a number (default: the file's metadata)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    Options *o = state->input;
    switch (key) {
    case 'o':
        o->out = arg;
        return 0;
    case 'a':
        o->dump.arithmetic = arg;
        return 0;
    case 'W':
        o->dump.window = arg;
        return 0;
    case 'c':
        o->dump.scale = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (o->file)
            argp_error(state, "more than one file given, \"%s\" and \"%s\"", o->file, arg);
        o->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->file)
            argp_error(state,
                       "no file given; expected one safetensors file with qu ku vu qc kc vc");
        if (!o->out)
            argp_error(state, "option -o OUT is missing: where the answers are to be written");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* One answer of all heads, as it goes to the file. */
typedef struct Output {
    double *value, *tail, *typed, *sigma;
} Output;

/* Sigma has 3 significant bits: exact in F32 but for its range, where it must not become smaller. */
static double sigma_in_float(double sigma)
{
    const double least = ldexp(1, -149);
    if (sigma > 0 && sigma < least)
        return least;
    double rounded = format_round_double(sigma, &BINARY32);
    return rounded < sigma ? nextafterf((float)rounded, INFINITY) : rounded;
}

static void solve_head(const Dump *d, size_t head, Output out[ANSWERS], size_t *ties)
{
    Problem p = dump_problem(d, head);
    Oracle *o = oracle(&p, true, false);
    Scales *s = error_scales(&p, &d->arithmetic, o, SCALE_SEED);
    for (Answer a = 0; a < ANSWERS; a++) {
        const Truth *t = &o->truth[a];
        if (!t->value || !out[a].value)
            continue; /* the problem has no such answer */
        for (size_t k = 0, at = head * t->rows * t->cols; k < t->rows * t->cols; k++, at++) {
            out[a].value[at] = t->value[k];
            out[a].tail[at] = t->tail[k];
            out[a].typed[at] = truth_in_format(t, k, number_format(d->type));
            out[a].sigma[at] = sigma_in_float(s->sigma[a][k / t->cols]);
        }
    }
#pragma omp atomic
    *ties += o->ties;
    scales_free(s);
    oracle_free(o);
}

static void add_answer(SafetensorsWriter *w, const Dump *d, Answer a, const Output *out)
{
    size_t shape[] = {d->batch, d->heads, d->length, d->dim};
    size_t dims = a == ANSWER_LSE ? 3 : 4;
    char name[40], type[8];
    safetensors_add(w, answer_name(a), TYPE_F64, dims, shape, out->value);
    snprintf(name, sizeof name, "%s.lo", answer_name(a));
    safetensors_add(w, name, TYPE_F64, dims, shape, out->tail);
    if (d->type != TYPE_F64) {
        snprintf(type, sizeof type, "%s", number_type_name(d->type));
        for (char *c = type; *c; c++)
            *c |= *c >= 'A' && *c <= 'Z' ? 0x20 : 0;
        snprintf(name, sizeof name, "%s.%s", answer_name(a), type);
        safetensors_add(w, name, d->type, dims, shape, out->typed);
    }
    snprintf(name, sizeof name, "%s.sigma", answer_name(a));
    safetensors_add(w, name, TYPE_F32, dims, shape, out->sigma);
}

static bool write_answers(const Dump *d, const char *path, Output out[ANSWERS], size_t ties,
                          Failure *f)
{
    SafetensorsWriter *w = safetensors_writer_new();
    char text[60];
    const size_t shape[] = {d->batch, d->heads, d->length, d->dim};
    dump_describe_window(d, text, sizeof text);
    safetensors_add_metadata(w, "window", text);
    dump_describe_scale(d, text, sizeof text);
    safetensors_add_metadata(w, "scale", text);
    safetensors_add_metadata(w, "arithmetic", d->arithmetic.name);
    snprintf(text, sizeof text, "%zu", ties);
    safetensors_add_metadata(w, "ties", text);
    for (Input k = 0; k < INPUTS; k++)
        safetensors_add(w, input_name(k), d->type, 4, shape, d->input[k]);
    if (d->cotangent)
        safetensors_add(w, "do", d->type, 4, shape, d->cotangent);
    for (Answer a = 0; a < dump_answers(d); a++)
        add_answer(w, d, a, &out[a]);
    bool written = safetensors_write(w, path, f);
    safetensors_writer_free(w);
    return written;
}

static bool solve_file(const Options *o, Failure *f)
{
    Dump d;
    if (!dump_open(&d, o->file, &o->dump, f))
        return false;
    Output out[ANSWERS] = {{0}};
    size_t heads = dump_problems(&d), ties = 0;
    for (Answer a = 0; a < dump_answers(&d); a++) {
        size_t n = heads * d.length * answer_columns(a, d.dim);
        out[a] = (Output){room_for("command_oracle", n, sizeof(double)),
                          room_for("command_oracle", n, sizeof(double)),
                          room_for("command_oracle", n, sizeof(double)),
                          room_for("command_oracle", n, sizeof(double))};
    }
    char name[80];
    failure_quote_path(name, sizeof name, o->file);
    Progress *progress = progress_begin(name, "head", heads);
#pragma omp parallel for schedule(dynamic, 1) if (heads > 1)
    for (size_t head = 0; head < heads; head++) {
        solve_head(&d, head, out, &ties);
#pragma omp critical
        progress_step(progress);
    }
    progress_end(progress);
    bool written = write_answers(&d, o->out, out, ties, f);
    if (written)
        printf("%s: answers o, lse, u%s of %zu heads, %zu ties\n", o->out,
               d.cotangent ? " and six gradients" : "", heads, ties);
    for (Answer a = 0; a < ANSWERS; a++) {
        free(out[a].value);
        free(out[a].tail);
        free(out[a].typed);
        free(out[a].sigma);
    }
    dump_close(&d);
    return written;
}

int command_oracle(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse,
        "FILE -o OUT",
        "Compute the true answers o, lse and u, and with \"do\" among the inputs the gradients dqu "
        ".. "
        "dvc, for the inputs in FILE and write them to OUT: X, X.lo, "
        "X in the inputs' own type, all correctly rounded, and X.sigma."
        "\vExample:\n"
        "  castle oracle vectors/dumps/base.safetensors -o build/truth.safetensors\n\n"
        "Exit status: 0 written, 2 unusable input or options.",
        NULL,
        NULL,
        NULL};
    Options o = {0};
    Failure failure;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    return solve_file(&o, &failure) ? EXIT_SUCCESS : refuse(argv[0], &failure);
}
