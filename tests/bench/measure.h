/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * measure.h - times, taken side by side.
 *
 * Every round runs every task once, so that what is compared is measured next to each other; a ratio is
 * the median of the rounds' ratios, and a change of the machine's pace falls on both its sides.
 * Times of one thread are its processor time, which other programs disturb least, here and in the
 * peers; with more threads they are wall-clock time, in both.
 */
#ifndef CASTLE_BENCH_MEASURE_H
#define CASTLE_BENCH_MEASURE_H

#include "peer.h"
#include "progress.h"

#include <jansson.h>
#include <stddef.h>

enum { MOST_ROUNDS = 99 };

/* Seconds, round by round; 0 where a round left it out. */
typedef struct Times {
    double sample[MOST_ROUNDS];
} Times;

typedef struct Task {
    const char *name;
    void (*work)(void *what); /* or, where it is NULL, */
    void *what;
    Peer *peer; /* what this worker does under the name `form`; with neither the task is left out */
    const char *form;
    int every; /* runs in every so many rounds; 0: in all */
    Times times;
} Task;

/* From now on, BLAS and OpenMP use so many threads and times are taken as for so many. */
void set_threads(int threads);

/* Seconds of one run. Short work is run once to warm up and then again and again for a while. */
double seconds_of(void (*work)(void *), void *what);

/* One round of all tasks; a step of progress for each of them. */
void tasks_round(Task *tasks, size_t count, int round, Progress *);

/* The median over the rounds of t, or of t / per; NAN where there is none. */
double median(const Times *t, const Times *per);

/* Milliseconds, round by round; null where a round left it out. */
json_t *samples_ms(const Times *, int rounds);

/* A work for which `what` is not read: ADDITIONS additions, each waiting for the one before. */
enum { ADDITIONS = 1 << 22 };
void additions(void *);

#endif
