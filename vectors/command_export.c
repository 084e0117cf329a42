/* SPDX-License-Identifier: GPL-3.0-or-later */
/* command_export.c - `castle export CASE --to FORMAT`: a golden file for those without a safetensors reader. */
#include "commands.h"
#include "export.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct ExportFormat {
    const char *name, *suffix;
    Bytes (*make)(const GoldenFile *);
} formats[] = {{"json", ".json", export_json}, {"npz", ".npz", export_npz}, {"c", ".h", export_c}};
enum { FORMATS = sizeof formats / sizeof *formats };

typedef struct Options {
    const char *id, *folder, *out;
    const struct ExportFormat *format;
    bool force;
} Options;

enum { OPTION_GOLDEN = 256, OPTION_TO, OPTION_FORCE };

static const struct argp_option options[] = {
    {"to", OPTION_TO, "FORMAT", 0, "json, npz or c (required)", 0},
    {"output", 'o', "OUT", 0, "the file to write (default: CASE.json, .npz or .h)", 0},
    {"golden", OPTION_GOLDEN, "DIR", 0, "where the files are (default: " GOLDEN_FOLDER ")", 0},
    {"force", OPTION_FORCE, NULL, 0, "replace OUT if it is there already", 0},
    {0},
};

static void read_format(Options *o, const char *text, const struct argp_state *state)
{
    for (size_t k = 0; k < FORMATS; k++)
        if (strcmp(text, formats[k].name) == 0)
            o->format = &formats[k];
    if (!o->format)
        argp_error(state, "--to is \"%s\"; expected json, npz or c", text);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    Options *o = state->input;
    switch (key) {
    case OPTION_TO:
        o->format = NULL;
        read_format(o, arg, state);
        return 0;
    case 'o':
        o->out = arg;
        return 0;
    case OPTION_GOLDEN:
        o->folder = arg;
        return 0;
    case OPTION_FORCE:
        o->force = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->id)
            argp_error(state, "more than one case given, \"%s\" and \"%s\"", o->id, arg);
        o->id = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->id)
            argp_error(state, "no case given; castle list shows all");
        if (!o->format)
            argp_error(state, "option --to FORMAT is missing: json, npz or c");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* An old file is somebody's; a new one of its name must be asked for. */
static bool is_free(const Options *o, const char *out, Failure *f)
{
    struct stat status;
    char name[160];
    failure_quote_path(name, sizeof name, out);
    return o->force || lstat(out, &status) != 0 ||
           fail(f, "%s: is there already; --force replaces it", name);
}

static bool export_case(const Options *o, const Cases *cases, Failure *f)
{
    char own[80];
    GoldenFile g;
    const GoldenCase *c = golden_case(cases, o->id, f);
    if (!c)
        return false;
    snprintf(own, sizeof own, "%s%s", c->id, o->format->suffix);
    const char *out = o->out ? o->out : own;
    if (!is_free(o, out, f) || !golden_open(&g, c, o->folder, f))
        return false;
    Bytes bytes = o->format->make(&g);
    bool ok = whole_file_write(out, &bytes, 1, f);
    if (ok)
        printf("%s: %zu tensors of %s\n", out, safetensors_count(g.file), c->id);
    free((void *)bytes.at);
    golden_close(&g);
    return ok;
}

int command_export(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse,
        "CASE --to FORMAT",
        "Write a golden case as JSON with hexadecimal floats, as NumPy's npz, or as a C header. "
        "The "
        "file must be the one that its folder's index has."
        "\vExamples:\n"
        "  castle export tiny-two-tokens-f32 --to npz\n"
        "  castle export window-17-bf16 --to c -o build/window_17.h\n"
        "  castle export window-17-bf16 --golden build/golden --to json\n\n"
        "Exit status: 0 written, 2 unusable input or options.",
        NULL,
        NULL,
        NULL};
    Options o = {.folder = GOLDEN_FOLDER};
    Failure failure;
    Cases cases;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (!cases_read(&cases, NULL, &failure))
        return refuse(argv[0], &failure);
    bool ok = export_case(&o, &cases, &failure);
    cases_free(&cases);
    return ok ? EXIT_SUCCESS : refuse(argv[0], &failure);
}
