/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * draws.h - xi, uniform in [-1, 1): the numbers of gsl_rng_mt19937 (Matsumoto and Nishimura 1998, seeded
 * as in 2002), 2 uniform - 1 of each, made 624 at a time. GSL's one call per number would take a fifth
 * of the time of a noisy run; tests/test_draws.c holds both against each other.
 */
#ifndef CASTLE_DRAWS_H
#define CASTLE_DRAWS_H

#include <stddef.h>
#include <stdint.h>

enum { DRAWS = 624 };

typedef struct Draws {
    uint32_t state[DRAWS];
    double xi[DRAWS];
    size_t used; /* of xi */
} Draws;

void draws_begin(Draws *, uint64_t seed);

/* The next n numbers, in their order. */
void draws_take(Draws *, double *xi, size_t n);

#endif
