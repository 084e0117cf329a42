/* SPDX-License-Identifier: GPL-3.0-or-later */
/* command_emit.c - `castle emit --out DIR`: computes golden cases and writes their files and index. */
#include "bug.h"
#include "commands.h"
#include "golden_index.h"
#include "progress.h"
#include "selection.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct Options {
    const char *out, *dumps;
    Selection selection;
    bool force;
    size_t shard, shards; /* K of N, from 1 */
} Options;

enum { OPTION_SHARD = 256, OPTION_DUMPS, OPTION_FORCE };
enum { PATH = 4096, LONGEST_OUT = PATH - 100, LONG = 512 };

static const struct argp_option options[] = {
    {"out", 'o', "DIR", 0, "the folder to write to (required); made where it is missing", 0},
    {"tier", 't', "TIER", 0, "core, paper or all (default: core)", 0},
    {"case", 'c', "GLOB", 0, "only cases whose id matches, as in 'window-*-bf16'", 0},
    {"shard", OPTION_SHARD, "K/N", 0, "the K-th of N parts of the work, for N processes", 0},
    {"dumps", OPTION_DUMPS, "DIR", 0,
     "where the dumps of trained models are (default: vectors/dumps)", 0},
    {"force", OPTION_FORCE, NULL, 0, "compute files anew that are there already", 0},
    {0},
};

static void read_shard(Options *o, const char *text, const struct argp_state *state)
{
    char *end;
    unsigned long k = strtoul(text, &end, 10), n = 0;
    if (*end == '/' && end[1] >= '0' && end[1] <= '9')
        n = strtoul(end + 1, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || k < 1 || k > n)
        argp_error(state, "--shard is \"%s\"; expected K/N with 1 <= K <= N", text);
    o->shard = k;
    o->shards = n;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    Options *o = state->input;
    switch (key) {
    case 'o':
        o->out = arg;
        return 0;
    case 't':
        selection_read_tier(&o->selection, arg, state);
        return 0;
    case 'c':
        o->selection.pattern = arg;
        return 0;
    case OPTION_SHARD:
        read_shard(o, arg, state);
        return 0;
    case OPTION_DUMPS:
        o->dumps = arg;
        return 0;
    case OPTION_FORCE:
        o->force = true;
        return 0;
    case ARGP_KEY_END:
        if (!o->out)
            argp_error(state, "option --out DIR is missing: where the files are to be written");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* The cases that are asked for. */
typedef struct Work {
    const GoldenCase **at;
    size_t count, kept; /* kept: there already */
    bool tier[2];       /* in which there are any */
    json_t *index[2];   /* what the folder had before, or NULL */
} Work;

/* This shard's part; false with a sentence where there is none. */
static bool work_of(Work *w, const Options *o, const Cases *cases, Failure *f)
{
    size_t asked = 0;
    *w = (Work){.at = room_for("command_emit", cases->count, sizeof(GoldenCase *))};
    for (size_t k = 0; k < cases->count; k++) {
        const GoldenCase *c = &cases->at[k];
        if (selection_takes(&o->selection, c) && asked++ % o->shards == o->shard - 1) {
            w->at[w->count++] = c;
            w->tier[c->tier] = true;
        }
    }
    if (asked == 0)
        return selection_is_empty(&o->selection, f);
    return w->count ||
           fail(f, "the shard %zu/%zu is empty: there are %zu cases", o->shard, o->shards, asked);
}

/* Whether a file was changed since the folder's index was written. (One that no index lists is not.) */
static bool was_changed(const Options *o, const GoldenCase *c, const Work *w)
{
    Failure ignored;
    const json_t *index = w->index[c->tier];
    return index && index_find(index, c->id) && !index_vouches(index, c, o->out, &ignored);
}

static bool emit_case(const Options *o, const GoldenCase *c, Work *w, Failure *f)
{
    char path[PATH];
    golden_path(path, sizeof path, o->out, c);
    if (!o->force && golden_is_current(c, o->dumps, path) && !was_changed(o, c, w)) {
#pragma omp atomic
        w->kept++;
        return true;
    }
    return golden_write(c, o->dumps, path, f);
}

/* Long cases one after the other, each with all threads; then the short ones side by side. */
static bool emit_all(const Options *o, Work *w, Failure *f)
{
    bool ok = true;
    Progress *progress = progress_begin(o->out, "case", w->count);
    for (size_t k = 0; k < w->count && ok; k++)
        if (w->at[k]->length >= LONG) {
            ok = emit_case(o, w->at[k], w, f);
            progress_step(progress);
        }
#pragma omp parallel for schedule(dynamic, 1)
    for (size_t k = 0; k < w->count; k++) {
        Failure own;
        bool go_on;
#pragma omp atomic read
        go_on = ok;
        if (!go_on || w->at[k]->length >= LONG)
            continue;
        bool emitted = emit_case(o, w->at[k], w, &own);
#pragma omp critical(emit)
        {
            if (!emitted && ok)
                *f = own;
            if (!emitted) {
#pragma omp atomic write
                ok = false;
            }
            progress_step(progress);
        }
    }
    progress_end(progress);
    return ok;
}

static bool make_folder(const char *path, Failure *f)
{
    char name[160];
    failure_quote_path(name, sizeof name, path);
    if (strlen(path) > LONGEST_OUT)
        return fail(f, "%s: the folder's name is longer than %d bytes", name, LONGEST_OUT);
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return true;
    return fail(f, "%s: cannot be made: %s", name, strerror(errno));
}

static bool emit(const Options *o, const Cases *cases, Failure *f)
{
    Work w;
    bool ok = work_of(&w, o, cases, f) && make_folder(o->out, f);
    for (CaseTier tier = TIER_CORE; ok && tier <= TIER_PAPER; tier++) {
        Failure ignored; /* there may be none yet */
        w.index[tier] = index_read(tier, o->out, &ignored);
    }
    ok = ok && emit_all(o, &w, f);
    for (CaseTier tier = TIER_CORE; ok && tier <= TIER_PAPER; tier++)
        if (w.tier[tier])
            ok = index_write(cases, tier, o->out, f);
    if (ok)
        printf("%s: %zu cases, %zu of them there already\n", o->out, w.count, w.kept);
    json_decref(w.index[TIER_CORE]);
    json_decref(w.index[TIER_PAPER]);
    free(w.at);
    return ok;
}

int command_emit(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse,
        "--out DIR",
        "Compute golden test vectors, certified answers for the cases of the built-in table, and "
        "write one safetensors file for each case and an index. What is there already, has today's "
        "inputs and is what the folder's index has (if it lists it) is kept, so that a run that "
        "was stopped goes on."
        "\vExamples:\n"
        "  castle emit --out build/golden\n"
        "  castle emit --out build/golden --case 'window-*-bf16'\n"
        "  castle emit --out build/golden --tier paper --shard 1/8\n\n"
        "Exit status: 0 written, 2 unusable input or options.",
        NULL,
        NULL,
        NULL};
    Options o = {
        .dumps = "vectors/dumps", .selection = {.tier = {true, false}}, .shard = 1, .shards = 1};
    Failure failure;
    Cases cases;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (!cases_read(&cases, NULL, &failure))
        return refuse(argv[0], &failure);
    bool ok = emit(&o, &cases, &failure);
    cases_free(&cases);
    return ok ? EXIT_SUCCESS : refuse(argv[0], &failure);
}
