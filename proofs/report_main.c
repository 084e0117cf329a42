/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * report_main.c - `make proofs`: every claim that numbers can support, tried anew. Writes FOLDER/report.html,
 * report.json, figures.md. Exit status 1: a check failed; 2: something could not be written. Seeded; one thread.
 */
#include "progress.h"
#include "sections.h"

#include <omp.h>
#include <stdio.h>
#include <time.h>

static double wall_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    static SectionWriter *const sections[] = {
        report_theorem1,  report_theorem2, report_costs,  report_theorem3,
        report_gradients, report_errata,   report_bounds,
    };
    enum { COUNT = sizeof sections / sizeof *sections };
    Failure failure;
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s FOLDER, an existing one to write report.html into\n",
                      argv[0]);
        return 2;
    }
    omp_set_num_threads(1);
    double begin = wall_seconds();
    Page *page = page_begin();
    Progress *progress = progress_begin("make proofs", "section", COUNT);
    for (size_t k = 0; k < COUNT; k++) {
        sections[k](page);
        progress_step(progress);
    }
    progress_end(progress);
    bool holds = page_holds(page), written = page_write(page, argv[1], &failure);
    size_t checks = page_checks(page);
    page_tell_failures(page, stdout);
    page_end(page);
    if (!written) {
        (void)fprintf(stderr, "%s\n", failure.text);
        return 2;
    }
    printf("%s/report.html: %s %zu checks hold, in %.0f s\n", argv[1], holds ? "all" : "not all of",
           checks, wall_seconds() - begin);
    return holds ? 0 : 1;
}
