/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * verify.c - `castle verify`: Theorems 1 to 3, Algorithm 3 and the layer reproduced, in every number system.
 */
#include "commands.h"
#include "findings.h"
#include "items.h"
#include "stages.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

typedef struct Options {
    long length, dim, window, seed;
    bool stages;
    long bits[MOST_PRECISIONS];
    size_t precisions;
    char **files;
    size_t file_count;
} Options;

enum { OPTION_STAGE = 256 };

static const struct argp_option options[] = {
    {"length", 'L', "L", 0, "tokens of a random problem", 0},
    {"dim", 'd', "D", 0, "head dimension of a random problem", 0},
    {"window", 'W', "W", 0, "lookahead window of a random problem", 0},
    {"bits", 'p', "P,...", 0, "MPFR's precisions, at most five (default 24,53,113,256,1024)", 0},
    {"stage", OPTION_STAGE, NULL, 0,
     "print every intermediate of one small random problem (at most 5 "
     "tokens, 5 dimensions) for two forms side by side",
     0},
    {"seed", 's', "S", 0, "seed of the random problems (default 1)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    Options *o = state->input;
    switch (key) {
    case 'L':
        o->length = whole_number(state, "--length", arg, 1, 4096);
        return 0;
    case 'd':
        o->dim = whole_number(state, "--dim", arg, 1, 1024);
        return 0;
    case 'W':
        o->window = whole_number(state, "--window", arg, 0, 1 << 30);
        return 0;
    case 'p':
        o->precisions = 0;
        for (char *rest, *item = strtok_r(arg, ",", &rest); item;
             item = strtok_r(NULL, ",", &rest)) {
            if (o->precisions == MOST_PRECISIONS)
                argp_error(state, "--bits names more than %d precisions", MOST_PRECISIONS);
            o->bits[o->precisions++] = whole_number(state, "--bits", item, 8, 1024);
        }
        if (!o->precisions)
            argp_error(state, "--bits is empty; expected precisions such as 24,53");
        return 0;
    case 's':
        o->seed = whole_number(state, "--seed", arg, 0, 1 << 30);
        return 0;
    case OPTION_STAGE:
        o->stages = true;
        return 0;
    case ARGP_KEY_END:
        if (o->stages && (o->file_count || o->length > STAGES_MOST || o->dim > STAGES_MOST))
            argp_error(state,
                       "--stage takes one random problem of at most %d tokens and dimensions",
                       STAGES_MOST);
        return 0;
    case ARGP_KEY_ARGS:
        o->files = state->argv + state->next;
        o->file_count = (size_t)(state->argc - state->next);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* One random head of the size that was asked for. */
static void add_random(Items *items, const Options *o, size_t length, size_t dim)
{
    Drawn random = {"random", {1, 1, length, dim, 0}, NO_WINDOW, 1, CASTLE};
    if (o->length >= 0)
        random.size.length = (size_t)o->length;
    if (o->dim >= 0)
        random.size.dim = (size_t)o->dim;
    if (o->window >= 0)
        random.window = (size_t)o->window;
    add_drawn(items, &random, (unsigned long)o->seed);
}

int command_verify(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse,
        "[FILE...]",
        "Reproduce Theorems 1 to 3: the definition, the parallel and blockwise forms, decoding and "
        "prefilling must agree in every number system, and so must dense and blockwise gradients, "
        "and layers made of either, on the inputs of each FILE, or on one random problem, or "
        "(without either) on a set of shapes chosen to be hard."
        "\vExamples:\n"
        "  castle verify\n"
        "  castle verify vectors/dumps/trained-layer1.safetensors\n"
        "  castle verify --length 40 --dim 8 --window 5 --seed 7\n"
        "  castle verify --stage --length 4 --dim 2\n\n"
        "Exit status: 0 all forms agree, 1 they do not, 2 unusable input or options.",
        NULL,
        NULL,
        NULL};
    Options o = {.length = -1,
                 .dim = -1,
                 .window = -1,
                 .seed = 1,
                 .bits = {24, 53, 113, 256, 1024},
                 .precisions = MOST_PRECISIONS};
    argp_parse(&argp, argc, argv, 0, NULL, &o);

    Items items = {0};
    Failure failure;
    for (size_t k = 0; k < o.file_count; k++)
        if (!add_dump(&items, o.files[k], &failure)) {
            items_free(&items);
            return refuse(argv[0], &failure);
        }
    if (o.stages) {
        add_random(&items, &o, 4, 2);
        print_stages(stdout, &items.item[0].problem);
        items_free(&items);
        return EXIT_SUCCESS;
    }
    if (o.length >= 0 || o.dim >= 0 || o.window >= 0)
        add_random(&items, &o, 32, 8);
    else if (!o.file_count)
        add_hard_set(&items, (unsigned long)o.seed);

    bool all = verify_items(&items, o.bits, o.precisions, (uint64_t)o.seed);
    items_free(&items);
    return all ? EXIT_SUCCESS : EXIT_WRONG;
}
