/* SPDX-License-Identifier: GPL-3.0-or-later */
/* paper.c - what each case of the paper's tier of golden vectors takes to make. */
#include "bench.h"
#include "bug.h"
#include "golden.h"
#include "progress.h"

#include <omp.h>
#include <stdlib.h>
#include <time.h>

enum { AT_MOST = 60 }; /* seconds, for L = 2048, d = 128 with all gradients */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double seconds_for(const Bench *b, const GoldenCase *c)
{
    Failure failure;
    char *path = path_in(b->folder, "paper.safetensors");
    double begun = seconds();
    if (!golden_write(c, NULL, path, &failure))
        stop_on_bug(__func__, "%s", failure.text);
    double taken = seconds() - begun;
    remove(path);
    free(path);
    return taken;
}

void bench_paper(Bench *b)
{
    Cases cases;
    Failure failure;
    if (!b->paper)
        return;
    if (!cases_read(&cases, NULL, &failure))
        stop_on_bug(__func__, "%s", failure.text);
    omp_set_num_threads(b->threads);
    say("\nThe paper's tier of golden vectors, case by case, once each, %d threads (wall clock;\n"
        "one head of L = 2048, d = 128 with gradients: at most %d s)\n\n  %-28s %5s %5s %6s %8s\n",
        b->threads, AT_MOST, "case", "heads", "d", "window", "s");
    json_t *object = json_object();
    for (size_t k = 0; k < cases.count; k++) {
        const GoldenCase *c = &cases.at[k];
        if (c->tier != TIER_PAPER)
            continue;
        double taken = seconds_for(b, c);
        say("  %-28s %5zu %5zu %6zd %8.1f%s\n", c->id, c->heads, c->dim,
            c->window == NO_WINDOW ? (ptrdiff_t)-1 : (ptrdiff_t)c->window, taken,
            c->dim == 128 && c->heads == 1 && taken > AT_MOST ? "  not met" : "");
        json_object_set_new(object, c->id, json_real(taken));
    }
    json_object_set_new(b->report, "paper_tier_seconds", object);
    cases_free(&cases);
}
