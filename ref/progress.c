/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "progress.h"

#include "system.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct Progress {
    const char *what, *unit;
    size_t done, steps;
    struct timespec begun;
    bool shown;
};

static double seconds_since(struct timespec t)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - t.tv_sec) + 1e-9 * (double)(now.tv_nsec - t.tv_nsec);
}

Progress *progress_begin(const char *what, const char *unit, size_t steps)
{
    Progress *p = calloc(1, sizeof *p);
    if (!p)
        stop_on_bug(__func__, "out of memory");
    *p = (Progress){.what = what, .unit = unit, .steps = steps};
    clock_gettime(CLOCK_MONOTONIC, &p->begun);
    return p;
}

void progress_step(Progress *p)
{
    enum { QUIET_SECONDS = 2 };
    if (!p)
        return;
    p->done++;
    double seconds = seconds_since(p->begun);
    if (seconds < QUIET_SECONDS || !isatty(STDERR_FILENO))
        return;
    double left = seconds * (double)(p->steps - p->done) / (double)p->done;
    fprintf(stderr, "\r\033[K%.60s: %s %zu of %zu, about %.0f s left", p->what, p->unit, p->done,
            p->steps, left);
    fflush(stderr);
    p->shown = true;
}

void progress_end(Progress *p)
{
    if (p && p->shown)
        fputs("\r\033[K", stderr);
    free(p);
}
