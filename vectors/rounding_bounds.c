/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "rounding_bounds.h"

#include "systems.h"

#include <math.h>

/* The bounds are worked out for at most 53 bits: as functions of the unit roundoff they are convex and
 * 0 at 0, so that for a roundoff 2^-k times as large they are at most 2^-k times as large. */
System *rounding_bounds_system(long precision, Format *format, int *shift)
{
    enum { MOST = 53 };
    *format = (Format){"", precision < MOST ? (int)precision : MOST, -1000, 1023};
    Arithmetic arithmetic = {.accumulate = format};
    for (size_t s = 0; s < STAGES; s++)
        arithmetic.site[s] = format;
    *shift = precision < MOST ? 0 : MOST - (int)precision;
    return bounded_system(&arithmetic);
}

RoundingBounds rounding_bounds(const Problem *p, long precision)
{
    RoundingBounds b;
    Format format;
    b.in = rounding_bounds_system(precision, &format, &b.shift);
    b.solution = solve(p, b.in);
    return b;
}

void rounding_bounds_end(RoundingBounds *b)
{
    system_free(b->in);
    *b = (RoundingBounds){0};
}

double log2_rounding_bound(const RoundingBounds *b, Answer a, size_t i, size_t j)
{
    const Bounded *x = entry(b->solution.of[a], i, j);
    return log2(x->error) + b->shift;
}
