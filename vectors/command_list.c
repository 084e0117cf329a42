/* SPDX-License-Identifier: GPL-3.0-or-later */
/* command_list.c - `castle list`: the golden cases that there are. */
#include "bug.h"
#include "commands.h"
#include "golden_index.h"
#include "selection.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Options {
    Selection selection;
    bool json;
} Options;

enum { OPTION_JSON = 256 };

static const struct argp_option options[] = {
    {"tier", 't', "TIER", 0, "core, paper or all (default: all)", 0},
    {"case", 'c', "GLOB", 0, "only cases whose id matches, as in 'window-*-bf16'", 0},
    {"family", 'f', "NAME", 0, "only cases of that family, as in neg", 0},
    {"json", OPTION_JSON, NULL, 0, "print all that the table has, as one JSON document", 0},
    {0},
};

static void read_family(Options *o, const char *text, const struct argp_state *state)
{
    char names[300] = "";
    for (CaseFamily k = 0; k < CASE_FAMILIES; k++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, " %s", case_family_name(k));
        if (strcmp(text, case_family_name(k)) == 0)
            o->selection.family = text;
    }
    if (!o->selection.family)
        argp_error(state, "--family is \"%s\"; expected one of%s", text, names);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    Options *o = state->input;
    switch (key) {
    case 't':
        selection_read_tier(&o->selection, arg, state);
        return 0;
    case 'c':
        o->selection.pattern = arg;
        return 0;
    case 'f':
        read_family(o, arg, state);
        return 0;
    case OPTION_JSON:
        o->json = true;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* ---- the table for people ---------------------------------------------------------------------- */

enum { PAGE = 100 };

/* A letter for each kind: "fg---v". */
static void letters_of_kinds(char *text, const GoldenCase *c)
{
    for (size_t k = 0; k < CASE_KINDS; k++)
        text[k] = c->kinds >> k & 1 ? *case_kind_name((CaseKind)(1U << k)) : '-';
    text[CASE_KINDS] = '\0';
}

/* As many whole words of the text as fit, with dots where that is not all. */
static void first_words(char *words, size_t width, const char *text)
{
    size_t n = strlen(text);
    if (n > width) {
        for (n = width - 1; n > 0 && text[n - 1] != ' ';)
            n--;
        while (n > 0 && text[n - 1] == ' ')
            n--;
    }
    snprintf(words, width + 1, "%.*s%s", (int)n, text, text[n] ? ".." : "");
}

static int print_line(char *line, const GoldenCase *c, size_t id_width)
{
    char kinds[CASE_KINDS + 1], shape[90], window[24];
    letters_of_kinds(kinds, c);
    snprintf(shape, sizeof shape, "%zux%zux%zux%zu", c->batch, c->heads, c->length, c->dim);
    snprintf(window, sizeof window, "%s", golden_conventions(c).window);
    return snprintf(line, PAGE + 1, "%-*s %-12s %s %-4s %-12s %-6s ", (int)id_width, c->id,
                    case_family_name(c->family), kinds, case_type_suffix(c->type), shape, window);
}

static void print_table(const GoldenCase *const *list, size_t count)
{
    size_t id_width = strlen("case"), in_tier[2] = {0, 0};
    for (size_t k = 0; k < count; k++) {
        size_t n = strlen(list[k]->id);
        id_width = n > id_width ? n : id_width;
        in_tier[list[k]->tier]++;
    }
    printf("%-*s %-12s %-6s %-4s %-12s %-6s %s\n", (int)id_width, "case", "family", "kinds", "type",
           "BxHxLxd", "window", "for");
    for (size_t k = 0; k < count; k++) {
        char line[PAGE + 1], words[PAGE + 1];
        int n = print_line(line, list[k], id_width);
        first_words(words, n + 8 < PAGE ? (size_t)(PAGE - n) : 8, list[k]->purpose);
        printf("%s%s\n", line, words);
    }
    printf("kinds:");
    for (size_t k = 0; k < CASE_KINDS; k++)
        printf(" %s", case_kind_name((CaseKind)(1U << k)));
    printf("\n%zu case%s: %zu core, %zu paper\n", count, count == 1 ? "" : "s", in_tier[TIER_CORE],
           in_tier[TIER_PAPER]);
}

/* ---- the table for programs -------------------------------------------------------------------- */

static json_t *whole(size_t n) { return json_integer((json_int_t)n); }

/* What an index says of the case, and what only the table has. */
static json_t *row_of(const GoldenCase *c)
{
    json_t *o = index_description(c);
    json_object_set_new(o, "tier", json_string(case_tier_name(c->tier)));
    json_object_set_new(o, "seed", whole(c->seed));
    json_object_set_new(o, "level", json_real(c->level));
    if (c->source) {
        json_object_set_new(o, "source", json_string(c->source));
        json_object_set_new(o, "head", whole(c->source_head));
        json_object_set_new(o, "first", whole(c->first));
    }
    if (c->special) {
        json_t *tensors = json_array();
        for (Input k = 0; k < INPUTS; k++)
            if (c->tensors >> k & 1)
                json_array_append_new(tensors, json_string(input_name(k)));
        json_object_set_new(o, "value", json_string(c->special));
        json_object_set_new(o, "token", whole(c->token));
        json_object_set_new(o, "tensors", tensors);
    }
    return o;
}

static void print_json(const GoldenCase *const *list, size_t count)
{
    json_t *rows = json_array(), *document = json_object();
    for (size_t k = 0; k < count; k++)
        json_array_append_new(rows, row_of(list[k]));
    json_object_set_new(document, "count", whole(count));
    json_object_set_new(document, "cases", rows);
    char *text = json_dumps(document, JSON_INDENT(1) | JSON_ENSURE_ASCII);
    if (!text)
        stop_on_bug(__func__, "the table cannot be made text");
    puts(text);
    free(text);
    json_decref(document);
}

/* ------------------------------------------------------------------------------------------------ */

static bool list_cases(const Options *o, const Cases *cases, Failure *f)
{
    const GoldenCase **list = room_for("command_list", cases->count, sizeof *list);
    size_t count = 0;
    for (size_t k = 0; k < cases->count; k++)
        if (selection_takes(&o->selection, &cases->at[k]))
            list[count++] = &cases->at[k];
    if (count)
        (o->json ? print_json : print_table)(list, count);
    free((void *)list);
    return count || selection_is_empty(&o->selection, f);
}

int command_list(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse,
        NULL,
        "List the golden cases: one line for each, with its family, the letters of its kinds, its "
        "type, its shape (batch, heads, L, d), its window and the first words of what it is for."
        "\vExamples:\n"
        "  castle list --tier core --family neg\n"
        "  castle list --case '*-decode*'\n"
        "  castle list --json | jq '.cases[].id'\n\n"
        "Exit status: 0 listed, 2 no such case or unusable options.",
        NULL,
        NULL,
        NULL};
    Options o = {.selection = {.tier = {true, true}}};
    Failure failure;
    Cases cases;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (!cases_read(&cases, NULL, &failure))
        return refuse(argv[0], &failure);
    bool ok = list_cases(&o, &cases, &failure);
    cases_free(&cases);
    return ok ? EXIT_SUCCESS : refuse(argv[0], &failure);
}
