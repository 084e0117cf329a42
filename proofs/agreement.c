/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agreement.h"

#include "backward_blockwise.h"
#include "ball.h"
#include "blockwise.h"
#include "decode.h"
#include "parallel.h"
#include "rounding_bounds.h"
#include "sequential.h"
#include "solve.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Two forms' matrices for one quantity. */
typedef struct Pair {
    Matrix A, B;
    Answer answer; /* ANSWERS for SU, which has no bound of its own */
} Pair;

typedef struct Pairs {
    Pair pair[16];
    size_t count;
} Pairs;

static void pair_up(Pairs *p, Matrix A, Matrix B, Answer answer)
{
    p->pair[p->count++] = (Pair){A, B, answer};
}

static size_t third(size_t length) { return (length + 2) / 3; }

static Pairs forward_pairs(const Head *h)
{
    Pairs p = {.count = 0};
    Answers a = answers_for(h), b = answers_for(h), c = answers_for(h), d = answers_for(h);
    sequential(h, &a);
    parallel(h, &b);
    decode(h, &c);
    blockwise(h, third(h->QC.rows), &d, matrix(h->QC.in, h->QC.rows, h->QC.cols));
    for (Answer k = 0; k < FORWARD_ANSWERS; k++) {
        pair_up(&p, answer_matrix(&a, k), answer_matrix(&b, k), k);
        pair_up(&p, answer_matrix(&a, k), answer_matrix(&c, k), k);
        if (k != ANSWER_U) /* the blockwise form keeps D, not U */
            pair_up(&p, answer_matrix(&a, k), answer_matrix(&d, k), k);
    }
    pair_up(&p, a.SU, b.SU, ANSWERS);
    pair_up(&p, a.SU, d.SU, ANSWERS);
    return p;
}

static void pair_gradients(Pairs *p, const Gradients *a, const Gradients *b)
{
    const Matrix x[] = {a->dQU, a->dKU, a->dVU, a->dQC, a->dKC, a->dVC};
    const Matrix y[] = {b->dQU, b->dKU, b->dVU, b->dQC, b->dKC, b->dVC};
    for (Input k = 0; k < INPUTS; k++)
        pair_up(p, x[k], y[k], ANSWER_DQU + k);
}

static Pairs gradient_pairs(const Head *h, Matrix dO, bool subtraction)
{
    Pairs p = {.count = 0};
    System *in = h->QC.in;
    size_t B = third(h->QC.rows);
    Gradients dense = gradients_for(h), blocks = gradients_for(h), subtracted = gradients_for(h);
    Answers forward = answers_for(h);
    Matrix D = matrix(in, h->QC.rows, h->QC.cols);
    backward(h, dO, &dense);
    blockwise(h, B, &forward, D);
    backward_blockwise(h, B, &forward, D, dO, BY_RECOMPUTATION, &blocks);
    pair_gradients(&p, &dense, &blocks);
    if (subtraction) {
        backward_blockwise(h, B, &forward, D, dO, BY_SUBTRACTION, &subtracted);
        pair_gradients(&p, &dense, &subtracted);
    }
    return p;
}

static Pairs pairs_of(Subject subject, const Problem *p, System *in, bool subtraction)
{
    Head head = problem_head(p, in);
    if (subject == FORWARD)
        return forward_pairs(&head);
    return gradient_pairs(&head, matrix_from(in, p->length, p->dim, p->cotangent), subtraction);
}

/* ---- the field ------------------------------------------------------------------------------ */

FieldAgreement agree_in_field(Subject subject, size_t length, size_t dim, size_t window,
                              uint64_t seed)
{
    FieldAgreement r = {0};
    uint64_t state = seed;
    System *in = field_system(field_random(&state));
    Head head = {.window = window};
    Matrix dO, *inputs[] = {&head.QU, &head.KU, &head.VU, &head.QC, &head.KC, &head.VC, &dO};
    for (size_t k = 0; k < sizeof inputs / sizeof inputs[0]; k++)
        *inputs[k] = field_random_matrix(in, length, dim, &state);
    head.scale = field_random_matrix(in, 1, 1, &state);

    Pairs p = subject == FORWARD ? forward_pairs(&head) : gradient_pairs(&head, dO, true);
    for (size_t k = 0; k < p.count; k++) {
        Matrix A = p.pair[k].A, B = p.pair[k].B;
        for (size_t i = 0; i < A.rows; i++)
            for (size_t j = 0; j < A.cols; j++) {
                r.compared++;
                r.different += memcmp(entry(A, i, j), entry(B, i, j), in->op->bytes) != 0;
            }
    }
    system_free(in);
    /* As polynomials in inputs, scale, gates and weights: SU has degree 4 (scale, QC, gate, VU); the
     * highest gradient is dQU: scale, dSU (P, dP - delta of degree 4, slope), scale, QC, VU, gate slope of
     * degree 2, KU, at most 14. Gates, slopes and weights are functions of values that agree as
     * polynomials, and different values meet the same image as rarely. */
    r.chance = (subject == FORWARD ? 4 : 14) * (double)r.compared / (double)FIELD_PRIME;
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
static RoundedAgreement agree_rounded(Subject subject, const Problem *problem, System *in,
                                      int precision)
{
    RoundedAgreement r = {.log2_difference = -INFINITY, .in_range = true};
    RoundingBounds bounds = rounding_bounds(problem, precision);
    Pairs p = pairs_of(subject, problem, in, false);
    for (size_t k = 0; k < p.count; k++)
        if (p.pair[k].answer != ANSWERS)
            compare_rounded(&r, &bounds, p.pair[k].answer, p.pair[k].A, p.pair[k].B);
    rounding_bounds_end(&bounds);
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
