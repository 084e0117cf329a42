/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agreement.h"

#include "ball.h"
#include "decode.h"
#include "parallel.h"
#include "rounding_bounds.h"
#include "sequential.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef void Form(const Head *, Answers *);
static Form *const forms[] = {sequential, parallel, decode};
enum { SEQUENTIAL, PARALLEL, DECODE, FORMS };

static void run_forms(const Head *head, Answers answers[FORMS])
{
    for (size_t f = 0; f < FORMS; f++) {
        answers[f] = answers_for(head);
        forms[f](head, &answers[f]);
    }
}

/* ---- the field ------------------------------------------------------------------------------ */

static void count_differences(FieldAgreement *r, Matrix A, Matrix B)
{
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++) {
            r->compared++;
            r->different += memcmp(entry(A, i, j), entry(B, i, j), A.in->op->bytes) != 0;
        }
}

FieldAgreement agree_in_field(size_t length, size_t dim, size_t window, uint64_t seed)
{
    FieldAgreement r = {0};
    uint64_t state = seed;
    System *in = field_system(field_random(&state));
    Head head = {.window = window};
    Matrix *inputs[] = {&head.QU, &head.KU, &head.VU, &head.QC, &head.KC, &head.VC};
    for (size_t k = 0; k < INPUTS; k++)
        *inputs[k] = field_random_matrix(in, length, dim, &state);
    head.scale = field_random_matrix(in, 1, 1, &state);

    Answers a[FORMS];
    run_forms(&head, a);
    for (size_t f = PARALLEL; f < FORMS; f++) {
        count_differences(&r, a[SEQUENTIAL].O, a[f].O);
        count_differences(&r, a[SEQUENTIAL].lse, a[f].lse);
        count_differences(&r, a[SEQUENTIAL].U, a[f].U);
    }
    count_differences(&r, a[SEQUENTIAL].SU, a[PARALLEL].SU);
    system_free(in);
    /* SU, of degree 4 (scale, QC, gate, VU), is the highest; gates and weights are functions of
     * values that agree as polynomials, and different values meet the same image as rarely. */
    r.chance = 4 * (double)r.compared / (double)FIELD_PRIME;
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

static double log2_widest(Matrix A)
{
    double widest = -INFINITY;
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++)
            widest = fmax(widest, log2_of_mag(arb_radref(ball_at(A, i, j))));
    return widest == -INFINITY ? widest : widest - log2_of_largest(A);
}

BallAgreement agree_in_balls(const Problem *p, long bits)
{
    BallAgreement r = {.log2_radius = -INFINITY};
    System *in = ball_system(bits);
    Head head = problem_head(p, in);
    Answers a[FORMS];
    run_forms(&head, a);
    for (size_t f = PARALLEL; f < FORMS; f++)
        for (size_t k = 0; k < FORWARD_ANSWERS; k++)
            count_disjoint(&r, answer_matrix(&a[SEQUENTIAL], k), answer_matrix(&a[f], k));
    count_disjoint(&r, a[SEQUENTIAL].SU, a[PARALLEL].SU);
    for (size_t k = 0; k < FORWARD_ANSWERS; k++)
        r.log2_radius = fmax(r.log2_radius, log2_widest(answer_matrix(&a[PARALLEL], k)));
    system_free(in);
    return r;
}

/* ---- rounded arithmetic --------------------------------------------------------------------- */

/* Both forms are within the bound of the truth, so they are within twice of it of each other. */
static void compare_rounded(RoundedAgreement *r, const RoundingBounds *bounds, Answer a, Matrix A,
                            Matrix B)
{
    mpfr_t x, y;
    mpfr_inits2(1100, x, y, (mpfr_ptr)0);
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
            r->past_bound += difference > 1 + log2_rounding_bound(bounds, a, i, j);
            if (difference > -INFINITY)
                r->log2_difference = fmax(r->log2_difference, difference - largest);
        }
    mpfr_clears(x, y, (mpfr_ptr)0);
}

/* Ends `in`. */
static RoundedAgreement agree_rounded(const Problem *p, System *in, int precision)
{
    RoundedAgreement r = {.log2_difference = -INFINITY, .in_range = true};
    RoundingBounds bounds = rounding_bounds(p, precision);
    Head head = problem_head(p, in);
    Answers a[FORMS];
    run_forms(&head, a);
    for (size_t f = PARALLEL; f < FORMS; f++)
        for (size_t k = 0; k < FORWARD_ANSWERS; k++)
            compare_rounded(&r, &bounds, k, answer_matrix(&a[SEQUENTIAL], k),
                            answer_matrix(&a[f], k));
    rounding_bounds_end(&bounds);
    system_free(in);
    return r;
}

RoundedAgreement agree_in_mpfr(const Problem *p, long bits)
{
    return agree_rounded(p, mpfr_system(bits), (int)bits);
}

RoundedAgreement agree_in_f64(const Problem *p)
{
    return agree_rounded(p, f64_system(), DBL_MANT_DIG);
}

RoundedAgreement agree_in_f32(const Problem *p)
{
    return agree_rounded(p, f32_system(), FLT_MANT_DIG);
}
