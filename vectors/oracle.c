/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "oracle.h"

#include "ball.h"
#include "rounding_bounds.h"
#include "solve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static Truth truth_of(MatrixShape s, bool mask_is_free)
{
    size_t n = s.rows * s.cols;
    return (Truth){s.rows,
                   s.cols,
                   room_for("oracle", n, sizeof(double)),
                   room_for("oracle", n, sizeof(double)),
                   room_for("oracle", n, sizeof(double)),
                   room_for("oracle", n, 1),
                   mask_is_free};
}

/* Whether rounding x has nothing to do with binary64's smallest and largest numbers. */
static bool is_plain(const arf_t x)
{
    return arf_cmpabs_2exp_si(x, BINARY64.emin + 1) > 0 && arf_cmpabs_2exp_si(x, BINARY64.emax) < 0;
}

/* Rounds both ends of the ball to binary64. True when they agree: the truth rounds to *x. */
static bool round_ball(double *x, double *other, const arb_t ball, slong bits)
{
    if (is_plain(arb_midref(ball)) && arb_can_round_arf(ball, BINARY64.precision, ARF_RND_NEAR)) {
        *x = *other = arf_get_d(arb_midref(ball), ARF_RND_NEAR);
        return true;
    }
    arf_t low, high;
    arf_init(low);
    arf_init(high);
    arb_get_lbound_arf(low, ball, bits);
    arb_get_ubound_arf(high, ball, bits);
    *x = arf_get_d(low, ARF_RND_NEAR);
    *other = arf_get_d(high, ARF_RND_NEAR);
    arf_clear(low);
    arf_clear(high);
    if (*x == 0 && *other == 0 && arb_contains_zero(ball))
        *x = *other = 0; /* not -0: nothing says that the truth is negative */
    return *x == *other;
}

/* Of two candidates the one whose last bit is 0, as a tie is rounded; *other is the odd one then. */
static void prefer_even(double *x, double *other)
{
    uint64_t word;
    memcpy(&word, x, sizeof word);
    if (word & 1) {
        double odd = *x;
        *x = *other;
        *other = odd;
    }
}

/* Settles element k of a truth from its ball. False: the ball is too wide yet. */
static bool settle(Truth *t, size_t k, const arb_t ball, slong bits, bool tails)
{
    arb_t rest;
    double *x = &t->value[k], *other = &t->neighbour[k], tail_other;
    if (!arb_is_finite(ball))
        return false;
    bool settled = round_ball(x, other, ball, bits);
    if (!settled)
        prefer_even(x, other);
    /* Past binary64's range the rounded truth is infinite and has no tail. */
    if (isinf(*x) || isinf(*other))
        return settled;
    arb_init(rest);
    arf_t value;
    arf_init(value);
    arf_set_d(value, *x);
    arb_sub_arf(rest, ball, value, bits);
    if (tails && !round_ball(&t->tail[k], &tail_other, rest, bits)) {
        prefer_even(&t->tail[k], &tail_other);
        settled = false;
    } else if (!tails)
        t->tail[k] = arf_get_d(arb_midref(rest), ARF_RND_NEAR);
    arb_clear(rest);
    arf_clear(value);
    return settled;
}

/* At least log2(radius / |midpoint|), by at most two; -infinity for an exact ball, or one about 0. */
static double log2_relative_radius(const arb_t ball)
{
    if (arb_is_exact(ball) || arf_is_zero(arb_midref(ball)))
        return -INFINITY;
    return (double)arb_rel_error_bits(ball);
}

/* The softmax of a lone score does not move: dS_11 = 0, so QC_1 takes no gradient, nor does KC when it is
 * alone, nor do their weights then. The balls know that only as P (dP - delta) about 0, and would need
 * 1100 bits to round it. */
static bool is_known_zero(Answer a, const Problem *p, size_t row)
{
    bool lone = p->length == 1;
    return (row == 0 && (a == ANSWER_DQC || a == ANSWER_DS || (a == ANSWER_DKC && lone))) ||
           (lone && (a == ANSWER_DWQC || a == ANSWER_DWKC));
}

/* Weights add up to 1: where all values that o_t has seen are the same number, it is that number. A ball
 * about it would never be narrow enough to round what is left. */
static bool is_known_mean(Answer a, const Problem *p, size_t row, size_t column)
{
    if (a != ANSWER_O)
        return false;
    const double *VC = p->input[INPUT_VC] + column;
    for (size_t s = 0; s < row; s++)
        if (VC[s * p->dim] != VC[row * p->dim])
            return false;
    return true;
}

/* Whether an element is known exactly, whatever the ball's width, and lies in its ball. */
static bool is_known(double *x, Answer a, const Problem *p, size_t row, size_t column,
                     const arb_t ball)
{
    if (is_known_zero(a, p, row))
        *x = 0;
    else if (is_known_mean(a, p, row, column))
        *x = p->input[INPUT_VC][row * p->dim + column] + 0.; /* -0: 0 */
    else
        return false;
    arf_t value;
    arf_init(value);
    arf_set_d(value, *x);
    bool inside = arb_is_finite(ball) && arb_contains_arf(ball, value);
    arf_clear(value);
    return inside;
}

static bool is_present(Matrix A, size_t i, size_t j)
{
    Range k = row_range(A, i);
    return j >= k.first && j < k.end;
}

/* Elements from which waking threads pays. */
enum { WORTH_THREADS = 1 << 14 };

/* One pass of the parallel form in balls over what is not settled. Returns how many are left. */
static size_t pass(Oracle *o, const Problem *p, slong bits, bool tails, bool finite,
                   unsigned char *settled[ANSWERS], Solution *kept, System *in)
{
    *kept = solve(p, in);
    size_t left = 0;
    for (Answer a = 0; a < ANSWERS; a++) {
        if (!settled[a])
            continue; /* not among the problem's answers */
        Truth *t = &o->truth[a];
        Matrix balls = kept->of[a];
        size_t undefined = 0;
        double radius = o->log2_radius;
#pragma omp parallel for schedule(static) reduction(+ : left, undefined) reduction(max : radius) \
    if (t->rows * t->cols > WORTH_THREADS)
        for (size_t k = 0; k < t->rows * t->cols; k++) {
            if (settled[a][k])
                continue;
            if (!is_present(balls, k / t->cols, k % t->cols)) {
                settled[a][k] = 1;
                t->certificate[k] = MASKED;
                continue;
            }
            arb_srcptr ball = ball_at(balls, k / t->cols, k % t->cols);
            double exact;
            bool known = is_known(&exact, a, p, k / t->cols, k % t->cols, ball);
            if (known) {
                t->value[k] = t->neighbour[k] = exact;
                t->tail[k] = 0;
            }
            if (known || settle(t, k, ball, bits, tails)) {
                settled[a][k] = 1;
                t->certificate[k] = CERTIFIED;
                if (t->value[k] != 0)
                    radius = fmax(radius, log2_relative_radius(ball));
            } else if (!finite && !arb_is_finite(ball)) {
                settled[a][k] = 1;
                t->certificate[k] = UNDEFINED;
                t->value[k] = t->neighbour[k] = NAN;
                undefined++;
            } else {
                left++;
            }
        }
        o->log2_radius = radius;
        o->undefined += undefined;
    }
    return left;
}

/* The ball, widened by 2^log2_slack. */
static bool lies_inside(const arb_t ball, mpfr_srcptr x, double log2_slack)
{
    arb_t wide;
    arb_init(wide);
    arb_set(wide, ball);
    if (isfinite(log2_slack))
        arb_add_error_2exp_si(wide, (slong)ceil(log2_slack));
    bool inside = log2_slack == INFINITY || arb_contains_mpfr(wide, x);
    arb_clear(wide);
    return inside;
}

/* Every value of the sequential form, computed with 64 bits to spare, must lie in its ball, but for the
 * rounding errors of those bits: balls can be exact points, where e.g. log(exp(x)) = x is seen. */
static void compare_naive(Oracle *o, const Problem *p, slong bits, const Solution *balls)
{
    System *in = mpfr_system(bits + 64);
    RoundingBounds bounds = rounding_bounds(p, bits + 64);
    Solution naive = solve_sequentially(p, in);
    for (Answer a = 0; a < ANSWERS; a++) {
        Matrix N = naive.of[a], B = balls->of[a];
        for (size_t i = 0; i < N.rows; i++)
            for (size_t j = 0; j < N.cols; j++) {
                arb_srcptr ball = ball_at(B, i, j);
                if (arb_is_finite(ball) &&
                    !lies_inside(ball, entry(N, i, j), log2_rounding_bound(&bounds, a, i, j)))
                    o->naive_outside++;
            }
    }
    o->naive_ran = true;
    rounding_bounds_end(&bounds);
    system_free(in);
}

Oracle *oracle(const Problem *p, bool tails, bool naive)
{
    Oracle *o = room_for("oracle", 1, sizeof *o);
    o->log2_radius = -INFINITY;
    unsigned char *settled[ANSWERS] = {NULL};
    for (Answer a = 0; a < ANSWERS; a++)
        if (problem_has(p, a)) {
            MatrixShape s = answer_shape(p, a);
            o->truth[a] = truth_of(s, a == ANSWER_SC || a == ANSWER_DP);
            settled[a] = room_for("oracle", s.rows * s.cols, 1);
        }
    bool finite = problem_is_finite(p);
    size_t left = 1;
    slong bits = tails ? ORACLE_TAIL_BITS : ORACLE_BITS;
    for (; left && bits <= ORACLE_MOST_BITS; bits *= 2) {
        System *in = ball_system(bits);
        Solution balls;
        left = pass(o, p, bits, tails, finite, settled, &balls, in);
        o->bits = bits;
        if (naive && !o->naive_ran && p->length <= ORACLE_NAIVE_LENGTH)
            compare_naive(o, p, bits, &balls);
        system_free(in);
    }
    /* What the highest precision cannot tell from a midpoint is a tie: both neighbours stand. */
    for (Answer a = 0; a < ANSWERS; a++) {
        for (size_t k = 0; k < o->truth[a].rows * o->truth[a].cols; k++)
            if (!settled[a][k]) {
                o->truth[a].certificate[k] = TIE;
                o->ties++;
            }
        free(settled[a]);
    }
    return o;
}

void oracle_free(Oracle *o)
{
    for (size_t a = 0; o && a < ANSWERS; a++) {
        free(o->truth[a].value);
        free(o->truth[a].tail);
        free(o->truth[a].neighbour);
        free(o->truth[a].certificate);
    }
    free(o);
}

double truth_in_format(const Truth *t, size_t k, const Format *f)
{
    if (!isfinite(t->value[k]))
        return t->value[k];
    mpfr_t exact, y;
    mpfr_init2(exact, 2200); /* holds the sum of any two binary64 numbers exactly */
    mpfr_init2(y, f->precision);
    mpfr_set_d(exact, t->value[k], MPFR_RNDN);
    mpfr_add_d(exact, exact, t->tail[k], MPFR_RNDN);
    format_round(y, exact, f);
    double result = mpfr_get_d(y, MPFR_RNDN);
    mpfr_clear(exact);
    mpfr_clear(y);
    return result;
}
