/* SPDX-License-Identifier: GPL-3.0-or-later */
/* costs.h - what one operation of each kind costs in a number system, through matrix.h. */
#ifndef CASTLE_BENCH_COSTS_H
#define CASTLE_BENCH_COSTS_H

#include "measure.h"
#include "runs.h"

enum { KINDS = 9 };

typedef struct Costs {
    Task task[KINDS];
    Matrix A; /* what they work on */
} Costs;

/* Seconds of one operation, by kind. */
typedef struct UnitCosts {
    double of[KINDS];
} UnitCosts;

/* Tasks to be run round by round; `in` is theirs, and ended by costs_end(). */
void costs_ready(Costs *, System *in);
UnitCosts costs_median(const Costs *);
void costs_end(Costs *);

/* Seconds that the counted operations would take at these costs. */
double weighed(const Counts *, const UnitCosts *);

json_t *costs_json(const UnitCosts *); /* nanoseconds, by name */

#endif
