/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mutant_arithmetic.c - the roundings and sums of the mutants' kernel. */
#include "mutant_run.h"

#include "bug.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers -------------------------------------------------------------------------------- */

double *run_numbers(size_t n) { return room_for("mutant_kernel", n, sizeof(double)); }

Square run_square(const Run *r)
{
    return (Square){run_numbers(r->L * r->L), room_for("mutant_kernel", r->L * r->L, 1)};
}

void square_free(Square *s)
{
    free(s->at);
    free(s->present);
}

double xi(Run *r) { return 2 * gsl_rng_uniform(r->rng) - 1; }

/* format_round_double(), faster where the result is a normal number: to nearest even on the bits.
 * */
static double to_few_bits(double y, const Format *f)
{
    uint64_t bits;
    memcpy(&bits, &y, sizeof bits);
    int exponent = (int)(bits >> 52 & 0x7ff) - 1023, dropped = 53 - f->precision;
    if (exponent < f->emin || exponent >= f->emax)
        return format_round_double(y, f);
    bits += (UINT64_C(1) << (dropped - 1)) - 1 + (bits >> dropped & 1);
    bits &= ~((UINT64_C(1) << dropped) - 1);
    memcpy(&y, &bits, sizeof y);
    return y;
}

double to_format(double y, const Format *f)
{
    return f == &BINARY64 ? y : f == &BINARY32 ? (double)(float)y : to_few_bits(y, f);
}

double once(Run *r, double y)
{
    if (r->how == ROUND_EACH)
        return to_format(y, r->arithmetic->accumulate);
    if (r->how == ROUND_AT_RANDOM && y != 0 && isfinite(y))
        return y + xi(r) * (r->u * fabs(y) + r->tiny);
    return y;
}

double kept(Run *r, int site, double y)
{
    const Change *c = r->change;
    bool declared = site < STAGES && r->roundoff[site] > 0;
    const Format *f = declared ? r->arithmetic->site[site] : NULL;
    if (f && r->how == ROUND_EACH)
        y = to_format(y, f);
    bool given = site == STAGE_INPUT || site == STAGE_SCALE;
    bool moved = f && (!given || to_format(y, f) != y);
    if (moved && r->how == ROUND_AT_RANDOM && isfinite(y) && y != 0) {
        double relative = xi(r) * r->roundoff[site] * fabs(y);
        y += relative + xi(r) * r->underflow[site];
    }
    return c->narrow && c->site == site ? to_format(y, c->narrow) : y;
}

static Range present_along(const unsigned char *present, size_t step, size_t n)
{
    Range r = {0, n};
    while (r.end > 0 && !present[(r.end - 1) * step])
        r.end--;
    while (r.first < r.end && !present[r.first * step])
        r.first++;
    return r;
}

Range present_in_row(const Run *r, const Square *s, size_t i)
{
    return present_along(s->present + i * r->L, 1, r->L);
}

Range present_in_column(const Run *r, const Square *s, size_t j)
{
    return present_along(s->present + j, r->L, r->L);
}

/* ---- sums ----------------------------------------------------------------------------------- */

Line line_of_row(const Run *r, const Square *s, size_t i)
{
    return (Line){s->at + i * r->L, s->present + i * r->L, 1};
}

Line line_of_column(const Run *r, const Square *s, size_t j)
{
    return (Line){s->at + j, s->present + j, r->L};
}

static Input read_as(const Run *r, Role role, Input right)
{
    return r->change->role == role && role != ROLE_NONE ? r->change->instead : right;
}

Line line_of_operand(const Run *r, Role role, Input right, size_t i)
{
    return (Line){r->operand[read_as(r, role, right)] + i * r->d, NULL, 1};
}

Line line_of_operand_column(const Run *r, Role role, Input right, size_t k)
{
    return (Line){r->operand[read_as(r, role, right)] + k, NULL, r->d};
}

double next_sum(const Run *r, double sum, double term)
{
    if (r->how == ROUND_EACH) {
        const Format *f = r->arithmetic->accumulate;
        sum = to_format(sum + to_format(term, f), f);
    } else {
        sum += term;
    }
    const Change *c = r->change;
    return c->narrow && c->site == SITE_SUMS ? to_format(sum, c->narrow) : sum;
}

/* The plain sum, and what N2 needs of it. */
typedef struct Summed {
    double sum, size;
    size_t terms;
} Summed;

static Summed plain_sum(Line x, Line y, size_t first, size_t end)
{
    Summed s = {0};
    for (size_t k = first; k < end; k++) {
        if ((x.present && !x.present[k * x.step]) || (y.present && !y.present[k * y.step]))
            continue;
        double term = x.at[k * x.step] * y.at[k * y.step];
        s.sum += term;
        s.size += fabs(term);
        s.terms++;
    }
    return s;
}

static double rounded_sum(const Run *r, Line x, Line y, size_t first, size_t end)
{
    double sum = 0;
    for (size_t k = first; k < end; k++)
        if ((!x.present || x.present[k * x.step]) && (!y.present || y.present[k * y.step]))
            sum = next_sum(r, sum, x.at[k * x.step] * y.at[k * y.step]);
    return sum;
}

double dot(Run *r, Line x, Line y, size_t first, size_t end)
{
    const Change *c = r->change;
    if (r->how == ROUND_EACH || (c->narrow && c->site == SITE_SUMS && r->how == ROUND_NOTHING))
        return rounded_sum(r, x, y, first, end);
    Summed s = plain_sum(x, y, first, end);
    if (c->narrow && c->site == SITE_SUMS)
        s.sum = rounded_sum(r, x, y, first, end);
    if (r->how == ROUND_AT_RANDOM && s.size != 0 && isfinite(s.size))
        s.sum += xi(r) * sqrt((double)s.terms) * (r->u * s.size + r->tiny);
    return s.sum;
}
