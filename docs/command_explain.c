/* SPDX-License-Identifier: GPL-3.0-or-later */
/* command_explain.c - `castle explain ["TEXT"]`: one page that shows how CASTLE reads a sentence. */
#include "bug.h"
#include "commands.h"
#include "explain_page.h"
#include "whole_file.h"

#include <argp.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_DIM = 16, MOST_HEADS = 8, MOST_WINDOW = EXPLAIN_MOST_WORDS, MOST_SEED = 999999999 };

typedef struct Options {
    const char *text, *out;
    Explain explain;
    bool force;
} Options;

enum { OPTION_FORCE = 256 };

static const struct argp_option options[] = {
    {"output", 'o', "PAGE", 0, "the file to write (default: castle-explain.html)", 0},
    {"dim", 'd', "D", 0, "numbers in a vector, 1 to 16 (default: 4)", 0},
    {"heads", 'n', "N", 0, "heads, 1 to 8 (default: 1)", 0},
    {"window", 'W', "W", 0, "lookahead window, 0 to 64, or none (default: none)", 0},
    {"seed", 's', "S", 0, "another seed, other vectors (default: 1)", 0},
    {"force", OPTION_FORCE, NULL, 0, "overwrite PAGE whatever it is", 0},
    {0},
};

static size_t count(const struct argp_state *state, const char *option, const char *text,
                    long least, long most)
{
    return (size_t)whole_number(state, option, text, least, most);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    Options *o = state->input;
    switch (key) {
    case 'o':
        o->out = arg;
        return 0;
    case 'd':
        o->explain.dim = count(state, "--dim", arg, 1, MOST_DIM);
        return 0;
    case 'n':
        o->explain.heads = count(state, "--heads", arg, 1, MOST_HEADS);
        return 0;
    case 'W':
        o->explain.window = strcmp(arg, "none") == 0
                                ? NO_WINDOW
                                : count(state, "--window", arg, 0, MOST_WINDOW);
        return 0;
    case 's':
        o->explain.seed = count(state, "--seed", arg, 0, MOST_SEED);
        return 0;
    case OPTION_FORCE:
        o->force = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num)
            argp_error(state, "more than one text given, \"%s\" and \"%s\"; put quotes around it",
                       o->text, arg);
        o->text = arg;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* No surprise: what this command did not write, it does not overwrite. */
static bool may_write(const Options *o, Failure *f)
{
    Bytes there;
    char path[80];
    if (o->force || access(o->out, F_OK) != 0)
        return true;
    if (!whole_file_read(&there, o->out, f))
        return false;
    bool ours = is_explain_page(there.at, there.size);
    free((void *)there.at);
    failure_quote_path(path, sizeof path, o->out);
    return ours || fail(f,
                        "%s: exists and is no page of castle explain; expected another name, or "
                        "--force",
                        path);
}

static bool write_page(Options *o, Failure *f)
{
    Page page;
    if (!words_read(&o->explain.words, o->text, f) || !may_write(o, f) ||
        !explain_page(&page, &o->explain, f))
        return false;
    bool written = whole_file_write(o->out, &(Bytes){page.text, page.size}, 1, f);
    if (written)
        printf("%s: %zu kB, %zu tokens, seed %lu; open it in a browser\n", o->out,
               (page.size + 999) / 1000, o->explain.words.count, o->explain.seed);
    free(page.text);
    return written;
}

int command_explain(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse,
        "[\"TEXT\"]",
        "Write one page, for a browser, that shows step by step how CASTLE attention reads TEXT "
        "(default: "
        "\"the old man the boat at night\"; 1 to 64 words). It needs no network, and every number "
        "in it is "
        "certified. The vectors of a word are drawn from the seed; they are not trained."
        "\vExample:\n"
        "  castle explain \"the horse raced past the barn fell\" -o horse.html\n\n"
        "Exit status: 0 written, 2 unusable input or options.",
        NULL,
        NULL,
        NULL};
    Options o = {.text = "the old man the boat at night",
                 .out = "castle-explain.html",
                 .explain = {.dim = 4, .heads = 1, .window = NO_WINDOW, .seed = 1}};
    Failure failure;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    omp_set_num_threads(1); /* problems of 64 tokens: waking threads takes longer than they save */
    return write_page(&o, &failure) ? EXIT_SUCCESS : refuse(argv[0], &failure);
}
