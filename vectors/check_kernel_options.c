/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check_kernel.h"
#include "commands.h"
#include "golden_file.h"

#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTION_RUN = 512,
    OPTION_KERNEL,
    OPTION_GOLDEN,
    OPTION_CASE,
    OPTION_TIER,
    OPTION_TYPES,
    OPTION_FRESH,
    OPTION_SEED,
    OPTION_TIME,
    OPTION_MEMORY,
    OPTION_NONDETERMINISTIC,
    OPTION_VERBOSE,
    OPTION_SHRINK
};

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "A kernel that is run on many cases, in the place of FILE...:", 1},
    {"run", OPTION_RUN, "CMD", 0,
     "a command that reads the safetensors file {in} and writes {out}, once for each case", 1},
    {"kernel", OPTION_KERNEL, "LIB", 0, "a shared library as vectors/castle_kernel.h has it", 1},
    {"golden", OPTION_GOLDEN, "DIR", 0,
     "the golden files to run over, or none (default: vectors/golden)", 1},
    {"tier", OPTION_TIER, "TIER", 0, "core, paper or all (default: core)", 1},
    {"case", OPTION_CASE, "GLOB", 0, "only cases whose id matches, as in 'window-*-bf16'", 1},
    {"types", OPTION_TYPES, "LIST", 0,
     "types of the cases, as in f32,bf16 (default: what the library declares, else all)", 1},
    {"fresh", OPTION_FRESH, "N", 0, "and N cases that no file has, judged by the oracle", 1},
    {"seed", OPTION_SEED, "S", 0, "draws those (default: another one in each run, printed)", 1},
    {"time-limit", OPTION_TIME, "SECONDS", 0, "for each call (default: 10)", 1},
    {"memory-limit", OPTION_MEMORY, "MIB", 0, "for each call, 0 for none (default: 8192)", 1},
    {"nondeterministic", OPTION_NONDETERMINISTIC, NULL, 0, "two runs of the library may differ", 1},
    {"shrink", OPTION_SHRINK, "FILE", OPTION_ARG_OPTIONAL,
     "make the first wrong case as small as it stays wrong, print it and write it as a dump "
     "(default: CASE-shrunk.safetensors)",
     1},
    {"verbose", OPTION_VERBOSE, NULL, 0, "print a line for each tensor of each case", 1},
    {0},
};

static void read_types(KernelOptions *o, const char *text, const struct argp_state *state)
{
    char word[16];
    o->types_given = true;
    o->trials.types = 0;
    while (*text) {
        size_t n = strcspn(text, ",");
        bool known = false;
        snprintf(word, sizeof word, "%.*s", (int)(n < sizeof word ? n : sizeof word - 1), text);
        for (unsigned k = 0; k < NUMBER_TYPES; k++)
            if (strcmp(word, case_type_suffix((NumberType)k)) == 0) {
                o->trials.types |= 1U << k;
                known = true;
            }
        if (!known)
            argp_error(state, "--types has \"%s\"; expected some of f64,f32,bf16,f16", word);
        text += n + (text[n] == ',');
    }
    if (!o->trials.types)
        argp_error(state, "--types is empty; expected some of f64,f32,bf16,f16");
}

static double read_seconds(const char *text, const struct argp_state *state)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end || !(seconds >= 0.01 && seconds <= 86400))
        argp_error(state, "--time-limit is \"%s\"; expected seconds from 0.01 to 86400", text);
    return seconds;
}

static error_t parse_kernel(KernelOptions *o, int key, char *arg, struct argp_state *state)
{
    enum { MOST_FRESH = 100000, MOST_MEBIBYTES = 1 << 24 };
    switch (key) {
    case OPTION_RUN:
        o->run = arg;
        return 0;
    case OPTION_KERNEL:
        o->kernel = arg;
        return 0;
    case OPTION_GOLDEN:
        o->trials.golden = strcmp(arg, "none") == 0 ? NULL : arg;
        break;
    case OPTION_TIER:
        selection_read_tier(&o->trials.selection, arg, state);
        break;
    case OPTION_CASE:
        o->trials.selection.pattern = arg;
        break;
    case OPTION_TYPES:
        read_types(o, arg, state);
        break;
    case OPTION_FRESH:
        o->trials.fresh = (size_t)whole_number(state, "--fresh", arg, 0, MOST_FRESH);
        break;
    case OPTION_SEED:
        o->seed_given = true;
        o->trials.seed = (unsigned long)whole_number(state, "--seed", arg, 0, 999999999);
        break;
    case OPTION_TIME:
        o->limits.seconds = read_seconds(arg, state);
        break;
    case OPTION_MEMORY:
        o->limits.mebibytes = (size_t)whole_number(state, "--memory-limit", arg, 0, MOST_MEBIBYTES);
        break;
    case OPTION_NONDETERMINISTIC:
        o->nondeterministic = true;
        break;
    case OPTION_VERBOSE:
        o->verbose = true;
        break;
    case OPTION_SHRINK:
        o->shrink = true;
        o->shrunk_file = arg;
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    for (const struct argp_option *option = options + 1; option->name; option++)
        if (option->key == key)
            o->only_for_kernels = option->name;
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    KernelOptions *o = state->input;
    if (key == ARGP_KEY_INIT) {
        *o = (KernelOptions){.limits = {10, 8192},
                             .trials = {.golden = GOLDEN_FOLDER,
                                        .selection = {.tier = {true, false}},
                                        .types = (1U << NUMBER_TYPES) - 1}};
        return 0;
    }
    if (key == ARGP_KEY_END) {
        if (o->run && o->kernel)
            argp_error(state, "--run and --kernel are two kernels; expected one of them");
        if (!o->run && !o->kernel && o->only_for_kernels)
            argp_error(state, "--%s is for kernels that are run, with --run or --kernel",
                       o->only_for_kernels);
        return 0;
    }
    return parse_kernel(o, key, arg, state);
}

const struct argp check_kernel_argp = {options, parse, NULL, NULL, NULL, NULL, NULL};
