/* SPDX-License-Identifier: GPL-3.0-or-later */
/* command_oracle.c - `castle oracle FILE -o OUT`: the true answers (truths.h) for a file's inputs. */
#include "commands.h"
#include "dump.h"
#include "truths.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Options {
    DumpOptions dump;
    const char *file, *out;
    bool stages;
} Options;

enum { OPTION_VARIANT = 256, OPTION_STAGES };

static const struct argp_option options[] = {
    {"output", 'o', "OUT", 0, "the safetensors file to write (required)", 0},
    {"arithmetic", 'a', "NAME", 0, "the arithmetic that sigma is for (as in castle check)", 0},
    {"window", 'W', "W", 0, "lookahead window, or none (default: the file's metadata)", 0},
    {"scale", 'c', "C", 0, "1/sqrt(d) or a number (default: the file's metadata)", 0},
    {"variant", OPTION_VARIANT, "NAME", 0,
     "castle, without-causal-keys or without-silu (default: the file's metadata)", 0},
    {"stages", OPTION_STAGES, NULL, 0, "write the stages sc t1 g su p (dp ds dsu dt1 dg), too", 0},
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
    case OPTION_VARIANT:
        o->dump.variant = arg;
        return 0;
    case OPTION_STAGES:
        o->stages = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->file)
            argp_error(state, "more than one file given, \"%s\" and \"%s\"", o->file, arg);
        o->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->file)
            argp_error(state,
                       "no file given; expected one safetensors file with qu ku vu qc kc vc, or a "
                       "layer's x wqu wku wvu wqc wkc wvc wo");
        if (!o->out)
            argp_error(state, "option -o OUT is missing: where the answers are to be written");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static bool write_file(const Task *task, const Truths *truths, const char *path, Failure *f)
{
    SafetensorsWriter *w = safetensors_writer_new();
    char text[60];
    task_write(task, w);
    snprintf(text, sizeof text, "%zu", truths->ties);
    safetensors_add_metadata(w, "ties", text);
    truths_write(truths, task, w);
    bool written = safetensors_write(w, path, f);
    safetensors_writer_free(w);
    return written;
}

static bool solve_file(const Options *o, Failure *f)
{
    Dump d;
    if (!dump_open(&d, o->file, &o->dump, f))
        return false;
    char name[80];
    failure_quote_path(name, sizeof name, o->file);
    if (o->stages && d.task.size.width) {
        dump_close(&d);
        return fail(f, "%s: --stages is for heads; the file holds a layer", name);
    }
    d.task.stages = d.task.stages || o->stages;
    Truths truths = truths_of(&d.task, false, name);
    bool written = write_file(&d.task, &truths, o->out, f);
    if (written) {
        printf("%s: the answers", o->out);
        for (Answer a = 0; a < ANSWERS; a++)
            if (truths.value[a])
                printf(" %s", answer_name(a));
        printf("; %zu ties\n", truths.ties);
    }
    truths_free(&truths);
    dump_close(&d);
    return written;
}

int command_oracle(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse,
        "FILE -o OUT",
        "Compute the true answers for the inputs in FILE, heads or a layer, and write them to OUT, "
        "with \"do\" (or \"dy\") among the inputs their gradients, too: X, X.lo, X in the "
        "inputs' own type, all correctly rounded, and X.sigma."
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
