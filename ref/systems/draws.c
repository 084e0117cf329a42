/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "draws.h"

#include "wide.h"

#include <string.h>

enum { MIDDLE = 397 };

/* gsl_rng_set takes the lowest 32 bits of a seed, and 4357 for 0. */
void draws_begin(Draws *d, uint64_t seed)
{
    d->state[0] = seed ? (uint32_t)seed : 4357;
    for (uint32_t k = 1; k < DRAWS; k++)
        d->state[k] = 1812433253 * (d->state[k - 1] ^ d->state[k - 1] >> 30) + k;
    d->used = DRAWS;
}

static uint32_t mixed(uint32_t high, uint32_t low)
{
    uint32_t y = (high & 0x80000000) | (low & 0x7fffffff);
    return y >> 1 ^ (low & 1 ? 0x9908b0df : 0);
}

static double tempered(uint32_t y)
{
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680;
    y ^= y << 15 & 0xefc60000;
    y ^= y >> 18;
    return 2 * ((double)y / 4294967296.0) - 1;
}

/* The recurrence x_{k+624} = x_{k+397} ^ mixed(x_k, x_{k+1}): in two loops, neither of which reads what
 * it wrote fewer than 227 steps ago, so that compilers put them on vectors. */
WIDE static void fill_again(Draws *d)
{
    uint32_t *x = d->state;
    for (size_t k = 0; k < DRAWS - MIDDLE; k++)
        x[k] = x[k + MIDDLE] ^ mixed(x[k], x[k + 1]);
    for (size_t k = DRAWS - MIDDLE; k < DRAWS - 1; k++)
        x[k] = x[k + MIDDLE - DRAWS] ^ mixed(x[k], x[k + 1]);
    x[DRAWS - 1] = x[MIDDLE - 1] ^ mixed(x[DRAWS - 1], x[0]);
    for (size_t k = 0; k < DRAWS; k++)
        d->xi[k] = tempered(x[k]);
    d->used = 0;
}

void draws_take(Draws *d, double *xi, size_t n)
{
    while (n) {
        if (d->used == DRAWS)
            fill_again(d);
        size_t now = n < DRAWS - d->used ? n : DRAWS - d->used;
        memcpy(xi, d->xi + d->used, now * sizeof *xi);
        d->used += now;
        xi += now;
        n -= now;
    }
}
