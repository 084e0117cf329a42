/* SPDX-License-Identifier: GPL-3.0-or-later */
/* command_show.c - `castle show CASE`: a page about one golden case. */
#include "bug.h"
#include "commands.h"
#include "golden_file.h"
#include "show_numbers.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Options {
    const char *id, *folder;
} Options;

enum { OPTION_GOLDEN = 256 };
enum { PATH = 4096, PAGE = 100, LABEL = 15 };

static const struct argp_option options[] = {
    {"golden", OPTION_GOLDEN, "DIR", 0, "where the files are (default: " GOLDEN_FOLDER ")", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    Options *o = state->input;
    switch (key) {
    case OPTION_GOLDEN:
        o->folder = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (o->id)
            argp_error(state, "more than one case given, \"%s\" and \"%s\"", o->id, arg);
        o->id = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->id)
            argp_error(state, "no case given; castle list shows all");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* ---- lines ------------------------------------------------------------------------------------ */

/* "  label         words", the words wrapped at the page and indented. */
static void print_field(const char *label, const char *text)
{
    const size_t indent = LABEL + 2;
    size_t column = indent;
    printf("  %-*s", LABEL, label);
    while (*text) {
        size_t n = strcspn(text, " ");
        if (column > indent && column + 1 + n > PAGE) {
            printf("\n%*s", (int)indent, "");
            column = indent;
        }
        column += (size_t)printf("%s%.*s", column > indent ? " " : "", (int)n, text);
        text += n + (text[n] == ' ');
    }
    printf("\n");
}

static void print_number(const char *label, const char *format, size_t n)
{
    char text[80];
    snprintf(text, sizeof text, format, n);
    print_field(label, text);
}

/* Names of bits, joined by blanks. */
static void print_bits(const char *label, unsigned bits, size_t count,
                       const char *(*name)(unsigned))
{
    char text[200] = "";
    for (size_t k = 0, used = 0; k < count; k++)
        if (bits >> k & 1)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? " " : "",
                                     name(1U << k));
    if (*text)
        print_field(label, text);
}

static const char *kind_of_bit(unsigned bit) { return case_kind_name((CaseKind)bit); }
static const char *flag_of_bit(unsigned bit) { return case_flag_name((CaseFlag)bit); }

/* ---- what the table says ---------------------------------------------------------------------- */

static void show_purpose(const GoldenCase *c, const Cases *cases)
{
    printf("%s\n", c->id);
    print_field("for", c->purpose);
    print_field("tier", case_tier_name(c->tier));
    print_field("family", case_family_name(c->family));
    print_field("", cases->why[c->family]);
    if (cases->without[c->family])
        print_field("", cases->without[c->family]);
}

static void show_bugs(const GoldenCase *c, const Cases *cases)
{
    printf("\nThe bugs it is after\n");
    for (size_t k = 0; k < c->bugs; k++)
        for (size_t b = 0; b < cases->bugs; b++)
            if (strcmp(cases->bug[b].id, c->bug[k]) == 0) {
                printf("  %s\n", c->bug[k]);
                print_field("", cases->bug[b].meaning);
            }
}

/* "16 8 1*16", as the table has it. */
static void print_split(const CaseSplit *s)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        stop_on_bug(__func__, "no memory");
    for (size_t k = 0, run; k < s->chunks; k += run) {
        for (run = 1; k + run < s->chunks && s->chunk[k + run] == s->chunk[k];)
            run++;
        fprintf(out, "%s%zu", k ? " " : "", s->chunk[k]);
        if (run > 1)
            fprintf(out, "*%zu", run);
    }
    if (fclose(out) != 0)
        stop_on_bug(__func__, "no memory");
    print_field("a split", text);
    free(text);
}

static void show_decoding(const GoldenCase *c)
{
    char text[400] = "";
    for (size_t k = 0, used = 0; k < c->steps && used < sizeof text; k++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%zu", k ? " " : "",
                                 c->step[k]);
    if (c->steps)
        print_field("U after tokens", text);
    for (size_t k = 0; k < c->splits; k++)
        print_split(&c->split[k]);
}

static void show_inputs(const GoldenCase *c)
{
    char text[200];
    if (c->special && strcmp(c->special, SUBNORMAL_KEYS) == 0) {
        snprintf(text, sizeof text, "seed %lu; kc is subnormal from token %zu on", c->seed,
                 c->token);
    } else if (c->special) {
        char names[40] = "";
        for (Input k = 0; k < INPUTS; k++)
            if (c->tensors >> k & 1)
                snprintf(names + strlen(names), sizeof names - strlen(names), " %s", input_name(k));
        snprintf(text, sizeof text, "seed %lu; token %zu of%s is %s", c->seed, c->token, names,
                 c->special);
    } else if (c->source) {
        snprintf(text, sizeof text, "from %s: head %zu on, token %zu on", c->source, c->source_head,
                 c->first);
    } else {
        int n = snprintf(text, sizeof text, "seed %lu", c->seed);
        if (c->level != 0)
            snprintf(text + n, sizeof text - (size_t)n, ", level %g", c->level);
    }
    print_field("inputs", text);
}

static void show_conventions(const GoldenCase *c)
{
    GoldenConventions said = golden_conventions(c);
    char shape[120];
    int n = snprintf(shape, sizeof shape, "batch %zu, heads %zu, L %zu, d %zu", c->batch, c->heads,
                     c->length, c->dim);
    if (c->model)
        snprintf(shape + n, sizeof shape - (size_t)n, ", dm %zu", c->model);
    printf("\nConventions\n");
    print_bits("kinds", c->kinds, CASE_KINDS, kind_of_bit);
    print_bits("flags", c->flags, CASE_FLAGS, flag_of_bit);
    print_field("shape", shape);
    print_field("window", said.window);
    print_field("scale", said.scale);
    print_field("variant", said.variant);
    print_field("type", number_type_name(c->type));
    print_field("arithmetic", said.arithmetic);
    show_inputs(c);
    show_decoding(c);
}

/* ---- what the index says ---------------------------------------------------------------------- */

static size_t number_in(const json_t *o, const char *key)
{
    return (size_t)json_integer_value(json_object_get(o, key));
}

static void show_entry(const json_t *entry)
{
    const json_t *c = json_object_get(entry, "certificate");
    const char *sum = json_string_value(json_object_get(entry, "sha256"));
    char text[300];
    print_number("bytes", "%zu", number_in(entry, "bytes"));
    print_field("SHA-256", sum ? sum : "missing in the index");
    snprintf(
        text, sizeof text,
        "%zu numbers: %zu masked, %zu undefined, %zu ties, the others enclosed in balls of radius "
        "at most 2^%lld |X|, with %zu bits at most; the sequential definition %s",
        number_in(c, "elements"), number_in(c, "masked"), number_in(c, "undefined"),
        number_in(c, "ties"), (long long)json_integer_value(json_object_get(c, "log2_radius")),
        number_in(c, "bits"),
        json_is_true(json_object_get(c, "sequential")) ? "lies inside every ball" : "was not run");
    print_field("certificate", text);
}

/* Without the file, what an index that lists it says. */
static void show_absent(const GoldenCase *c, const char *folder, const char *path)
{
    Failure ignored;
    char text[200];
    json_t *index = index_read(c->tier, folder, &ignored);
    const json_t *entry = index ? index_find(index, c->id) : NULL;
    printf("\nFile %s\n", path);
    if (entry)
        show_entry(entry);
    snprintf(text, sizeof text, "not there; castle emit%s --case %s --out DIR makes it",
             c->tier == TIER_PAPER ? " --tier paper" : "", c->id);
    print_field("numbers", text);
    json_decref(index);
}

static bool show(const Options *o, const Cases *cases, Failure *f)
{
    char path[PATH], quoted[PATH];
    GoldenFile g = {0};
    const GoldenCase *c = golden_case(cases, o->id, f);
    if (!c)
        return false;
    golden_path(path, sizeof path, o->folder, c);
    failure_quote_path(quoted, sizeof quoted, path);
    bool there = access(path, F_OK) == 0;
    if (there && !golden_open(&g, c, o->folder, f))
        return false;
    show_purpose(c, cases);
    show_bugs(c, cases);
    show_conventions(c);
    if (there) {
        printf("\nFile %s\n", quoted);
        show_entry(g.entry);
        show_numbers(g.file);
        golden_close(&g);
    } else {
        show_absent(c, o->folder, quoted);
    }
    return true;
}

int command_show(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse,
        "CASE",
        "A page about one golden case: what it is for, the bugs it is after, its conventions, its "
        "certificate and, where its file is there, its numbers."
        "\vExamples:\n"
        "  castle show tiny-two-tokens-f32\n"
        "  castle show window-17-bf16 --golden build/golden\n\n"
        "Exit status: 0 shown, 2 no such case, or a file that is not the one the index has.",
        NULL,
        NULL,
        NULL};
    Options o = {.folder = GOLDEN_FOLDER};
    Failure failure;
    Cases cases;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (!cases_read(&cases, NULL, &failure))
        return refuse(argv[0], &failure);
    bool ok = show(&o, &cases, &failure);
    cases_free(&cases);
    return ok ? EXIT_SUCCESS : refuse(argv[0], &failure);
}
