/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * verify.c - `castle verify`: Theorem 1 and the decode recurrence reproduced, in every number system.
 */
#include "agreement.h"
#include "commands.h"
#include "dump.h"
#include "progress.h"
#include "stages.h"

#include <argp.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what to verify ------------------------------------------------------------------------- */

typedef struct Item {
    char name[60];
    Problem problem;
    double *owned[INPUTS + 1];
} Item;

typedef struct Items {
    Item *item;
    size_t count, room;
} Items;

static Item *add_item(Items *items)
{
    if (items->count == items->room) {
        items->room = items->room ? 2 * items->room : 16;
        items->item = realloc(items->item, items->room * sizeof *items->item);
        if (!items->item)
            stop_on_bug(__func__, "out of memory");
    }
    Item *item = &items->item[items->count++];
    *item = (Item){0};
    return item;
}

/* Room for input k, or for dO where k is INPUTS. */
static double *own(Item *item, size_t k, size_t n)
{
    item->owned[k] = malloc(n * sizeof(double));
    if (!item->owned[k])
        stop_on_bug(__func__, "out of memory");
    if (k < INPUTS)
        item->problem.input[k] = item->owned[k];
    else
        item->problem.cotangent = item->owned[k];
    return item->owned[k];
}

static void free_items(Items *items)
{
    for (size_t i = 0; i < items->count; i++)
        for (size_t k = 0; k <= INPUTS; k++)
            free(items->item[i].owned[k]);
    free(items->item);
}

/* N(0, 1) inputs in float32, so that every system but the half-width ones holds them exactly;
 * `spread` multiplies the lookahead side: large gates and scores saturate. */
static void add_random(Items *items, const char *kind, size_t L, size_t d, size_t window,
                       double spread, unsigned long seed)
{
    Item *item = add_item(items);
    snprintf(item->name, sizeof item->name, "%s", kind);
    item->problem = (Problem){.length = L, .dim = d, .window = window};
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    gsl_rng_set(rng, seed);
    for (size_t k = 0; k <= INPUTS; k++) {
        double *v = own(item, k, L * d);
        for (size_t i = 0; i < L * d; i++)
            v[i] = (float)(gsl_ran_gaussian(rng, 1) * (k <= INPUT_VU ? spread : 1));
    }
    gsl_rng_free(rng);
}

/* Shapes that have broken kernels: one and two tokens, d = 1, lengths beside powers of two, windows of
 * 0, 1 and about a block, saturated gates and scores. */
static void add_hard_set(Items *items, unsigned long seed)
{
    add_random(items, "one token", 1, 1, NO_WINDOW, 1, seed);
    add_random(items, "two tokens", 2, 1, NO_WINDOW, 1, seed + 1);
    add_random(items, "three, window 1", 3, 2, 1, 1, seed + 2);
    add_random(items, "window 0", 17, 3, 0, 1, seed + 3);
    add_random(items, "window 1", 33, 4, 1, 1, seed + 4);
    add_random(items, "window 16", 49, 8, 16, 1, seed + 5);
    add_random(items, "window past the end", 31, 5, 31, 1, seed + 6);
    add_random(items, "ragged", 67, 24, NO_WINDOW, 1, seed + 7);
    add_random(items, "plain", 64, 16, NO_WINDOW, 1, seed + 8);
    add_random(items, "saturated", 48, 16, NO_WINDOW, 6, seed + 9);
}

static bool add_dump(Items *items, const char *path, Failure *f)
{
    Dump d;
    if (!dump_open(&d, path, &(DumpOptions){0}, f))
        return false;
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t stem = strcspn(base, ".");
    for (size_t h = 0; h < task_problems(&d.task); h++) {
        Item *item = add_item(items);
        item->problem = task_problem(&d.task, h);
        snprintf(item->name, sizeof item->name, "%.*s #%zu", stem < 14 ? (int)stem : 14, base, h);
        for (size_t k = 0; k < (d.task.cotangent ? INPUTS + 1 : INPUTS); k++) {
            const double *from = k < INPUTS ? item->problem.input[k] : item->problem.cotangent;
            memcpy(own(item, k, d.task.size.length * d.task.size.dim), from,
                   d.task.size.length * d.task.size.dim * sizeof *from);
        }
        if (!problem_is_finite(&item->problem)) {
            dump_close(&d);
            return fail(f, "%s: the inputs hold NaN or infinity; verify needs finite ones", path);
        }
    }
    dump_close(&d);
    return true;
}

/* ---- doing it ------------------------------------------------------------------------------- */

enum { MOST_PRECISIONS = 5, BALL_STEPS = 3 };
static const long ball_bits[BALL_STEPS] = {64, 128, 256};

typedef struct Findings {
    FieldAgreement field;
    BallAgreement balls[BALL_STEPS];
    RoundedAgreement mpfr[MOST_PRECISIONS], f64, f32;
} Findings;

/* Step s of an item; the dearest first, so that threads end together. Inputs without a dO have no
 * gradients to compare: their findings stay empty. */
enum { STEPS = MOST_PRECISIONS + BALL_STEPS + 3 };

static void do_step(Subject subject, Findings *f, const Item *item, size_t step, const long *bits,
                    size_t precisions, uint64_t seed)
{
    const Problem *p = &item->problem;
    if (subject == GRADIENTS && !p->cotangent)
        return;
    if (step < precisions)
        f->mpfr[precisions - 1 - step] = agree_in_mpfr(subject, p, bits[precisions - 1 - step]);
    else if (step < MOST_PRECISIONS)
        return;
    else if (step < MOST_PRECISIONS + BALL_STEPS)
        f->balls[step - MOST_PRECISIONS] = agree_in_balls(subject, p,
                                                          ball_bits[step - MOST_PRECISIONS]);
    else if (step == MOST_PRECISIONS + BALL_STEPS)
        f->field = agree_in_field(subject, p->length, p->dim, p->window, seed);
    else if (step == MOST_PRECISIONS + BALL_STEPS + 1)
        f->f64 = agree_in_f64(subject, p);
    else
        f->f32 = agree_in_f32(subject, p);
}

static bool holds(const Findings *f, size_t precisions)
{
    bool all = f->field.different == 0 && !f->f64.past_bound && !f->f32.past_bound;
    for (size_t k = 0; k < BALL_STEPS; k++) {
        all = all && f->balls[k].disjoint == 0;
        if (k > 0) /* radii fall to 0 */
            all = all && f->balls[k].log2_radius <= f->balls[k - 1].log2_radius;
    }
    for (size_t k = 0; k < precisions; k++)
        all = all && !f->mpfr[k].past_bound && f->mpfr[k].in_range;
    return all;
}

static void print_power(double log2_value)
{
    if (log2_value == -INFINITY)
        printf(" %5s", "0");
    else
        printf(" %5.0f", log2_value);
}

static void print_rounded(const RoundedAgreement *r)
{
    if (r->past_bound)
        printf(" %5s", "PAST!");
    else if (!r->in_range)
        printf(" %5s", "range");
    else
        print_power(r->log2_difference);
}

static void print_findings(const Item *item, const Findings *f, size_t precisions)
{
    char window[24] = "none", name[24];
    if (item->problem.window != NO_WINDOW)
        snprintf(window, sizeof window, "%zu", item->problem.window);
    failure_quote(name, sizeof name, item->name);
    printf("%-17.17s %4zu %3zu %4s %-5s", name, item->problem.length, item->problem.dim, window,
           f->field.different ? "DIFF!" : "same");
    for (size_t k = 0; k < BALL_STEPS; k++)
        if (f->balls[k].disjoint)
            printf(" %5s", "APART");
        else
            print_power(f->balls[k].log2_radius);
    printf(" ");
    print_rounded(&f->f32);
    print_rounded(&f->f64);
    printf(" ");
    for (size_t k = 0; k < precisions; k++)
        print_rounded(&f->mpfr[k]);
    printf("\n");
}

static void print_heading(Subject subject, const long *bits, size_t precisions)
{
    if (subject == FORWARD)
        printf(
            "Theorems 1, 2 and 3: the parallel form, blocks and decoding against the definition\n"
            "field: O, lse, U, SU bit for bit; balls: all overlap, log2 of the widest relative "
            "radius;\nf32, f64, MPFR: log2 of the largest relative difference, each within its "
            "bounds\n\n");
    else
        printf("\nAlgorithm 3: blockwise gradients against the dense ones\n\n");
    printf("%-17s %4s %3s %4s %-5s %17s  %11s  MPFR, bits\n", "input", "L", "d", "W", "field",
           "balls, bits", "");
    printf("%-37s", "");
    for (size_t k = 0; k < BALL_STEPS; k++)
        printf(" %5ld", ball_bits[k]);
    printf("  %5s %5s ", "f32", "f64");
    for (size_t k = 0; k < precisions; k++)
        printf(" %5ld", bits[k]);
    printf("\n");
}

typedef struct Total {
    bool all;
    size_t compared;
    double chance;
} Total;

static void verify_subject(Subject subject, const Items *items, const long *bits, size_t precisions,
                           uint64_t seed, Total *total)
{
    Findings *findings = calloc(items->count + 1, sizeof *findings);
    if (!findings)
        stop_on_bug(__func__, "out of memory");
    size_t steps = items->count * STEPS;
    Progress *progress = progress_begin("castle verify", "step", steps);
#pragma omp parallel for schedule(dynamic, 1)
    for (size_t s = 0; s < steps; s++) {
        size_t k = s % items->count;
        do_step(subject, &findings[k], &items->item[k], s / items->count, bits, precisions,
                seed + k);
#pragma omp critical
        progress_step(progress);
    }
    progress_end(progress);
    print_heading(subject, bits, precisions);
    for (size_t k = 0; k < items->count; k++) {
        if (subject == GRADIENTS && !items->item[k].problem.cotangent)
            continue;
        print_findings(&items->item[k], &findings[k], precisions);
        total->all = total->all && holds(&findings[k], precisions);
        total->chance += findings[k].field.chance;
        total->compared += findings[k].field.compared;
    }
    free(findings);
}

static bool verify_items(const Items *items, const long *bits, size_t precisions, uint64_t seed)
{
    Total total = {.all = true};
    verify_subject(FORWARD, items, bits, precisions, seed, &total);
    verify_subject(GRADIENTS, items, bits, precisions, seed, &total);
    printf("\nfield: %zu entries compared modulo 2^61 - 1; different formulas would pass with "
           "probability\nat most %.1e (Schwartz-Zippel; seed %llu)\n",
           total.compared, total.chance, (unsigned long long)seed);
    printf("%s\n", total.all ? "all forms agree" : "THE FORMS DISAGREE: see the marked entries");
    return total.all;
}

/* ---- the command ---------------------------------------------------------------------------- */

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

int command_verify(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse,
        "[FILE...]",
        "Reproduce Theorems 1 to 3: the definition, the parallel and blockwise forms and decoding "
        "must "
        "agree in every number system, and so must dense and blockwise gradients, on the inputs of "
        "each FILE, or on one random problem, or (without either) "
        "on a set of shapes chosen to be hard."
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
    size_t k = 0;
    for (; k < o.file_count; k++)
        if (!add_dump(&items, o.files[k], &failure))
            break;
    if (k < o.file_count) {
        free_items(&items);
        return refuse(argv[0], &failure);
    }
    if (o.stages) {
        add_random(&items, "", o.length < 0 ? 4 : (size_t)o.length, o.dim < 0 ? 2 : (size_t)o.dim,
                   o.window < 0 ? NO_WINDOW : (size_t)o.window, 1, (unsigned long)o.seed);
        print_stages(stdout, &items.item[0].problem);
        free_items(&items);
        return EXIT_SUCCESS;
    }
    if (o.length >= 0 || o.dim >= 0 || o.window >= 0)
        add_random(&items, "random", (size_t)(o.length < 0 ? 32 : o.length),
                   (size_t)(o.dim < 0 ? 8 : o.dim), o.window < 0 ? NO_WINDOW : (size_t)o.window, 1,
                   (unsigned long)o.seed);
    else if (!o.file_count)
        add_hard_set(&items, (unsigned long)o.seed);

    bool all = verify_items(&items, o.bits, o.precisions, (uint64_t)o.seed);
    free_items(&items);
    return all ? EXIT_SUCCESS : EXIT_WRONG;
}
