/* SPDX-License-Identifier: GPL-3.0-or-later */
/* command_emit.c - `castle emit --out DIR`: computes golden cases and writes their files and index. */
#include "bug.h"
#include "commands.h"
#include "golden_index.h"
#include "progress.h"

#include <argp.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct Options {
    const char *out, *pattern, *dumps;
    bool tier[2], force;
    size_t shard, shards; /* K of N, from 1 */
} Options;

enum { OPTION_SHARD = 256, OPTION_DUMPS, OPTION_FORCE };
enum { PATH = 4096, LONG = 512 };

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

static void read_tier(Options *o, const char *text, const struct argp_state *state)
{
    bool all = strcmp(text, "all") == 0;
    o->tier[TIER_CORE] = all || strcmp(text, "core") == 0;
    o->tier[TIER_PAPER] = all || strcmp(text, "paper") == 0;
    if (!o->tier[TIER_CORE] && !o->tier[TIER_PAPER])
        argp_error(state, "--tier is \"%s\"; expected core, paper or all", text);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    Options *o = state->input;
    switch (key) {
    case 'o':
        o->out = arg;
        return 0;
    case 't':
        read_tier(o, arg, state);
        return 0;
    case 'c':
        o->pattern = arg;
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
    size_t count, done, kept; /* kept: there already */
} Work;

static bool is_asked(const Options *o, const GoldenCase *c)
{
    return o->tier[c->tier] && (!o->pattern || fnmatch(o->pattern, c->id, 0) == 0);
}

static Work work_of(const Options *o, const Cases *cases)
{
    Work w = {room_for("command_emit", cases->count + 1, sizeof(GoldenCase *)), 0, 0, 0};
    size_t asked = 0;
    for (size_t k = 0; k < cases->count; k++)
        if (is_asked(o, &cases->at[k]) && asked++ % o->shards == o->shard - 1)
            w.at[w.count++] = &cases->at[k];
    return w;
}

static bool emit_case(const Options *o, const GoldenCase *c, Work *w, Failure *f)
{
    char path[PATH];
    golden_path(path, sizeof path, o->out, c);
    if (!o->force && golden_is_current(c, o->dumps, path)) {
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
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return true;
    failure_quote_path(name, sizeof name, path);
    return fail(f, "%s: cannot be made: %s", name, strerror(errno));
}

static bool emit(const Options *o, const Cases *cases, Failure *f)
{
    Work w = work_of(o, cases);
    bool ok = true;
    if (!w.count)
        ok = o->pattern ? fail(f, "no case matches \"%.100s\"; castle list shows all", o->pattern)
                        : fail(f, "the shard %zu/%zu is empty", o->shard, o->shards);
    ok = ok && make_folder(o->out, f) && emit_all(o, &w, f);
    for (CaseTier tier = TIER_CORE; ok && tier <= TIER_PAPER; tier++)
        if (o->tier[tier])
            ok = index_write(cases, tier, o->out, f);
    if (ok)
        printf("%s: %zu cases, %zu of them there already\n", o->out, w.count, w.kept);
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
        "write one safetensors file for each case and an index. What is there already and has "
        "today's inputs is kept, so that a run that was stopped goes on."
        "\vExamples:\n"
        "  castle emit --out build/golden\n"
        "  castle emit --out build/golden --case 'window-*-bf16'\n"
        "  castle emit --out build/golden --tier paper --shard 1/8\n\n"
        "Exit status: 0 written, 2 unusable input or options.",
        NULL,
        NULL,
        NULL};
    Options o = {.dumps = "vectors/dumps", .tier = {true, false}, .shard = 1, .shards = 1};
    Failure failure;
    Cases cases;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (!cases_read(&cases, NULL, &failure))
        return refuse(argv[0], &failure);
    bool ok = emit(&o, &cases, &failure);
    cases_free(&cases);
    return ok ? EXIT_SUCCESS : refuse(argv[0], &failure);
}
