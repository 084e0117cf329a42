/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "measure.h"

#include "machine.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <time.h>

static clockid_t the_clock = CLOCK_THREAD_CPUTIME_ID;

void set_threads(int threads)
{
    omp_set_num_threads(threads);
    blas_set_threads(threads);
    the_clock = threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(the_clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double seconds_of(void (*work)(void *), void *what)
{
    const double a_while = 40e-3; /* as in worker.py */
    double start = now(), end;
    work(what);
    end = now();
    if (end - start >= a_while)
        return end - start;
    int runs = 0;
    start = now();
    do {
        work(what);
        runs++;
        end = now();
    } while (end - start < a_while);
    return (end - start) / runs;
}

void tasks_round(Task *tasks, size_t count, int round, Progress *progress)
{
    for (Task *t = tasks; t < tasks + count; t++) {
        bool due = t->every == 0 || round % t->every == 0;
        if (due && t->work)
            t->times.sample[round] = seconds_of(t->work, t->what);
        else if (due && t->peer)
            t->times.sample[round] = peer_seconds(t->peer, t->form);
        progress_step(progress);
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(const Times *t, const Times *per)
{
    double sorted[MOST_ROUNDS];
    size_t n = 0;
    for (int r = 0; r < MOST_ROUNDS; r++)
        if (t->sample[r] > 0 && (!per || per->sample[r] > 0))
            sorted[n++] = t->sample[r] / (per ? per->sample[r] : 1);
    qsort(sorted, n, sizeof *sorted, compare);
    return n == 0 ? NAN : (sorted[n / 2] + sorted[(n - 1) / 2]) / 2;
}

json_t *samples_ms(const Times *t, int rounds)
{
    json_t *all = json_array();
    for (int r = 0; r < rounds; r++)
        json_array_append_new(all, t->sample[r] > 0 ? json_real(t->sample[r] * 1e3) : json_null());
    return all;
}

/* A cycle each. Both operands are registers, as some processors add constants without spending one. */
void additions(void *unused)
{
    (void)unused;
    unsigned long x = 0, y = 1;
#define ADD \
    x += y; \
    __asm__ volatile("" : "+r"(x), "+r"(y));
#define ADD_16 ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD
    for (int k = 0; k < ADDITIONS / 64; k++) {
        ADD_16 ADD_16 ADD_16 ADD_16
    }
#undef ADD_16
#undef ADD
}
