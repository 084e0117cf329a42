/* SPDX-License-Identifier: GPL-3.0-or-later */
/* counting.h - for those who read what the counting system has counted. */
#ifndef CASTLE_COUNTING_H
#define CASTLE_COUNTING_H

#include "systems.h"

#include <stdint.h>

/* Everything since the system was made. */
typedef struct Counts {
    uint64_t multiply_adds;   /* the terms of dot products */
    uint64_t multiplications; /* outside of dot products */
    uint64_t additions;       /* and subtractions; a sum of n terms has n - 1 */
    uint64_t divisions;
    uint64_t comparisons;           /* in the search of a row's largest score; n - 1 for n */
    uint64_t calls[GATE_SLOPE + 1]; /* by Function */
    uint64_t alive;                 /* numbers in matrices now */
    uint64_t peak;                  /* and at most, until now */
} Counts;

/* Aborts for a system of another kind. */
Counts counting_read(const System *);

#endif
