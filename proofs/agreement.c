/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agreement.h"

#include "ball.h"
#include "rounding_bounds.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- the field ------------------------------------------------------------------------------ */

FieldAgreement agree_in_field(Subject subject, const Problem *problem, uint64_t seed)
{
    FieldAgreement r = {0};
    uint64_t state = seed;
    System *in = field_system(field_random(&state));
    Pairs p = field_pairs(subject, problem, in, &state);
    for (size_t k = 0; k < p.count; k++) {
        Matrix A = p.pair[k].A, B = p.pair[k].B;
        for (size_t i = 0; i < A.rows; i++)
            for (size_t j = 0; j < A.cols; j++) {
                r.compared++;
                r.different += memcmp(entry(A, i, j), entry(B, i, j), in->op->bytes) != 0;
            }
    }
    system_free(in);
    r.chance = pairs_degree(subject) * (double)r.compared / (double)FIELD_PRIME;
    return r;
}

/* ---- balls ---------------------------------------------------------------------------------- */

static double log2_of(const mpfr_t x)
{
    long e;
    double m = mpfr_get_d_2exp(&e, x, MPFR_RNDN);
    return m == 0 ? -INFINITY : log2(fabs(m)) + (double)e;
}

static double log2_of_mag(const mag_t x)
{
    arf_t y;
    mpfr_t z;
    arf_init_set_mag_shallow(y, x);
    mpfr_init2(z, 53);
    arf_get_mpfr(z, y, MPFR_RNDU);
    double result = log2_of(z);
    mpfr_clear(z);
    return result;
}

static double log2_of_largest(Matrix A)
{
    mpfr_t x;
    mpfr_init2(x, 53);
    double largest = -INFINITY;
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++) {
            A.in->op->get(A.in, x, entry(A, i, j));
            largest = fmax(largest, log2_of(x));
        }
    mpfr_clear(x);
    return largest;
}

static void count_disjoint(BallAgreement *r, Matrix A, Matrix B)
{
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++) {
            arb_srcptr a = ball_at(A, i, j), b = ball_at(B, i, j);
            r->compared++;
            r->disjoint += !arb_is_finite(a) || !arb_is_finite(b) || !arb_overlaps(a, b);
        }
}

/* Relative to the largest entry; of itself where no entry can be told from 0 (L = 1: dQC = dKC = 0). */
static double log2_widest(Matrix A)
{
    double widest = -INFINITY, largest = log2_of_largest(A);
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++)
            widest = fmax(widest, log2_of_mag(arb_radref(ball_at(A, i, j))));
    return widest == -INFINITY || widest >= largest ? widest : widest - largest;
}

BallAgreement agree_in_balls(Subject subject, const Problem *problem, long bits)
{
    BallAgreement r = {.log2_radius = -INFINITY};
    System *in = ball_system(bits);
    Pairs p = pairs_of(subject, problem, in, true);
    for (size_t k = 0; k < p.count; k++) {
        count_disjoint(&r, p.pair[k].A, p.pair[k].B);
        if (p.pair[k].answer != ANSWERS)
            r.log2_radius = fmax(r.log2_radius, log2_widest(p.pair[k].B));
    }
    system_free(in);
    return r;
}

/* ---- rounded arithmetic --------------------------------------------------------------------- */

/* How far two forms may be apart. Heads: each form is within the bound of the truth, whatever its order
 * (rounding.md), so they are within twice of it of each other. Layers: the sums over heads and tokens are
 * bounded in the order of each text, so both texts run, and their bounds are added. */
typedef struct Allowance {
    RoundingBounds heads;
    System *in;
    Pairs layers;
    int shift;
} Allowance;

static Allowance allowance(Subject subject, const Problem *p, long precision)
{
    Allowance a = {.in = NULL};
    if (subject != LAYERS) {
        a.heads = rounding_bounds(p, precision);
        return a;
    }
    Format format;
    a.in = rounding_bounds_system(precision, &format, &a.shift);
    a.layers = pairs_of(subject, p, a.in, false);
    return a;
}

static void allowance_end(Allowance *a)
{
    if (a->in)
        system_free(a->in);
    else
        rounding_bounds_end(&a->heads);
}

static double log2_allowed(const Allowance *a, const Pairs *p, size_t k, size_t i, size_t j)
{
    if (!a->in)
        return 1 + log2_rounding_bound(&a->heads, p->pair[k].answer, i, j);
    const Bounded *x = entry(a->layers.pair[k].A, i, j), *y = entry(a->layers.pair[k].B, i, j);
    return log2(x->error + y->error) + a->shift;
}

static void compare_rounded(RoundedAgreement *r, const Allowance *a, const Pairs *p, size_t k)
{
    mpfr_t x, y;
    mpfr_inits2(1100, x, y, (mpfr_ptr)0);
    Matrix A = p->pair[k].A, B = p->pair[k].B;
    double largest = log2_of_largest(A);
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++) {
            A.in->op->get(A.in, x, entry(A, i, j));
            B.in->op->get(B.in, y, entry(B, i, j));
            if (!mpfr_number_p(x) || !mpfr_number_p(y)) {
                r->in_range = false;
                continue;
            }
            mpfr_sub(x, x, y, MPFR_RNDN);
            double difference = log2_of(x);
            r->compared++;
            r->past_bound += difference > log2_allowed(a, p, k, i, j);
            if (difference > -INFINITY)
                r->log2_difference = fmax(r->log2_difference, difference - largest);
        }
    mpfr_clears(x, y, (mpfr_ptr)0);
}

/* Ends `in`. */
static RoundedAgreement agree_rounded(Subject subject, const Problem *problem, System *in,
                                      int precision)
{
    RoundedAgreement r = {.log2_difference = -INFINITY, .in_range = true};
    Allowance a = allowance(subject, problem, precision);
    Pairs p = pairs_of(subject, problem, in, false);
    for (size_t k = 0; k < p.count; k++)
        if (p.pair[k].answer != ANSWERS)
            compare_rounded(&r, &a, &p, k);
    allowance_end(&a);
    system_free(in);
    return r;
}

RoundedAgreement agree_in_mpfr(Subject subject, const Problem *p, long bits)
{
    return agree_rounded(subject, p, mpfr_system(bits), (int)bits);
}

RoundedAgreement agree_in_f64(Subject subject, const Problem *p)
{
    return agree_rounded(subject, p, f64_system(), DBL_MANT_DIG);
}

RoundedAgreement agree_in_f32(Subject subject, const Problem *p)
{
    return agree_rounded(subject, p, f32_system(), FLT_MANT_DIG);
}
