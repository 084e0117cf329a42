/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Gradients: the dense and the blockwise ones against what knows none of their formulas, the definition
 * differentiated by dual numbers and by central differences.
 */
#include "backward_blockwise.h"
#include "blockwise.h"
#include "directions.h"
#include "rounding_bounds.h"
#include "sections.h"
#include "sequential.h"
#include "trials.h"

#include <math.h>

enum { WIDE = 8192, LENGTH = 8, DIM = 4, WINDOW = 3, BLOCK = 3 };

static void get(mpfr_t y, Matrix one) { one.in->op->get(one.in, y, one.entries); }

static double relative(mpfr_t scratch, const mpfr_t found, const mpfr_t truth)
{
    mpfr_sub(scratch, found, truth, MPFR_RNDN);
    if (mpfr_zero_p(truth))
        return mpfr_zero_p(scratch) ? 0 : INFINITY;
    mpfr_div(scratch, scratch, truth, MPFR_RNDN);
    return fabs(mpfr_get_d(scratch, MPFR_RNDN));
}

typedef enum How { DENSE, BLOCKS_SUBTRACTED, BLOCKS_RECOMPUTED, HOWS } How;

static Gradients gradients_by(How how, const Head *h, Matrix dO)
{
    Gradients g = gradients_for(h);
    if (how == DENSE) {
        backward(h, dO, &g);
        return g;
    }
    Answers a = answers_for(h);
    Matrix D = matrix(dO.in, dO.rows, dO.cols);
    blockwise(h, BLOCK, &a, D);
    backward_blockwise(h, BLOCK, &a, D, dO,
                       how == BLOCKS_SUBTRACTED ? BY_SUBTRACTION : BY_RECOMPUTATION, &g);
    return g;
}

static void gradient_along(mpfr_t y, How how, const Direction *l, long bits)
{
    System *in = mpfr_system(bits);
    Matrix dO;
    Head h = head_on_line(in, l, 0, &dO);
    Gradients g = gradients_by(how, &h, dO);
    get(y, gradient_on_line(&g, l));
    system_free(in);
}

/* ---- digits of precision --------------------------------------------------------------------- */

static void digits(Page *p)
{
    enum { PRECISIONS = 8 };
    static const double bits[PRECISIONS] = {24, 53, 113, 256, 512, 1024, 2048, 4096};
    static const char *const names[HOWS] = {"dense", "blockwise by (33)", "blockwise, recomputed"};
    double off[HOWS][PRECISIONS], error;
    bool falls = true;
    Direction l = random_line(LENGTH, DIM, WINDOW, 5);
    mpfr_t found, truth, scratch;
    mpfr_inits2(WIDE, found, truth, scratch, (mpfr_ptr)0);
    page_table(
        p,
        "Along one random direction of all six inputs (L = 8, d = 4, W = 3, B = 3): log2 of the "
        "relative difference between <gradient, v> and the tangent of <dO, O> through the "
        "definition, both at that precision",
        "bits|dense|blockwise by (33)|blockwise, recomputed|digits (dense)");
    for (size_t k = 0; k < PRECISIONS; k++) {
        tangent_of_definition(truth, &l, (long)bits[k]);
        for (How how = DENSE; how < HOWS; how++) {
            gradient_along(found, how, &l, (long)bits[k]);
            mpfr_sub(scratch, found, truth, MPFR_RNDN);
            mpfr_div(scratch, scratch, truth, MPFR_RNDN);
            long exponent;
            double m = mpfr_get_d_2exp(&exponent, scratch, MPFR_RNDN);
            off[how][k] = m == 0 ? -bits[k] : log2(fabs(m)) + (double)exponent;
        }
        page_row(p, "%.0f|%.1f|%.1f|%.1f|%.1f", bits[k], off[0][k], off[1][k], off[2][k],
                 -off[0][k] * M_LN2 / M_LN10);
    }
    page_plot(p, "Gradients against the definition's tangent", "bits", "log2 of the difference");
    for (How how = DENSE; how < HOWS; how++) {
        double slope = fitted_slope(PRECISIONS, bits, off[how], &error);
        falls = falls && fabs(slope + 1) < 1e-3; /* 4 bits over the range: a wobble */
        page_say(p, "Fitted slope, %s: %.5f +- %.5f bits per bit.", names[how], slope, error);
        page_series(p, names[how], false, PRECISIONS, bits, off[how]);
    }
    page_check(p, falls,
               "gradients and tangent differ by rounding error only: one bit less for each bit of "
               "precision");
    mpfr_clears(found, truth, scratch, (mpfr_ptr)0);
    line_free(&l);
}

/* dQU_L gates nothing, KU_1 and VU_1 enter no lookahead key, and o_1 = VC_1 whatever QC_1 is. */
static bool is_always_zero(size_t component)
{
    size_t row_of = component / DIM % LENGTH;
    Input k = (Input)(component / (LENGTH * DIM));
    if (k == INPUT_QU)
        return row_of == LENGTH - 1;
    return row_of == 0 && (k == INPUT_KU || k == INPUT_VU || k == INPUT_QC);
}

/* Every single component of the gradient. */
static void components(Page *p)
{
    enum { BITS = 256 };
    double worst = 0;
    size_t zeros = 0, n = INPUTS * LENGTH * DIM;
    bool expected = true;
    Direction l = random_line(LENGTH, DIM, WINDOW, 6);
    mpfr_t found, truth, scratch;
    mpfr_inits2(WIDE, found, truth, scratch, (mpfr_ptr)0);
    for (size_t k = 0; k < n; k++) {
        line_along(&l, k);
        tangent_of_definition(truth, &l, BITS);
        gradient_along(found, DENSE, &l, BITS);
        bool zero = mpfr_zero_p(truth) && mpfr_zero_p(found);
        expected = expected && zero == is_always_zero(k);
        zeros += zero;
        worst = fmax(worst, relative(scratch, found, truth));
    }
    page_say(
        p,
        "Component by component at %d bits: of %zu, the worst is off by a relative %.1e; %zu are "
        "exactly 0 on both sides.",
        BITS, n, worst, zeros);
    page_check(
        p, worst < 1e-60 && expected,
        "every component agrees to 60 digits, and those exactly 0 are dQU_L, dKU_1, dVU_1 and "
        "dQC_1");
    mpfr_clears(found, truth, scratch, (mpfr_ptr)0);
    line_free(&l);
}

/* ---- differences ----------------------------------------------------------------------------- */

enum { BITS = 113, EXACT = 1024, FIRST = 4, LAST = 72, STEPS = LAST - FIRST + 1 };

static void value_at(mpfr_t y, const Direction *l, double h, long bits)
{
    System *in = mpfr_system(bits);
    Matrix dO;
    Head head = head_on_line(in, l, h, &dO);
    Answers a = answers_for(&head);
    sequential(&head, &a);
    get(y, inner_product_of(dO, a.O));
    system_free(in);
}

/* A bound on the rounding error of f at x: sum |dO| (bound of O), and gamma_n for the inner product. The
 * bound of O is computed in binary64, at x rather than x + h v; the caller doubles it. */
static double value_bound(const Direction *l)
{
    size_t n = l->L * l->d;
    Problem problem = {.length = l->L, .dim = l->d, .window = l->window};
    for (Input k = 0; k < INPUTS; k++)
        problem.input[k] = l->x + k * n;
    RoundingBounds b = rounding_bounds(&problem, BITS);
    double sum = 0, u = ldexp(1, -BITS);
    for (size_t i = 0; i < n; i++) {
        double o = exp2(log2_rounding_bound(&b, ANSWER_O, i / l->d, i % l->d));
        const Bounded *x = entry(b.solution.of[ANSWER_O], i / l->d, i % l->d);
        sum += fabs(l->x[INPUTS * n + i]) * (o + (double)(n + 1) * u * (x->size + o));
    }
    rounding_bounds_end(&b);
    return sum;
}

typedef struct Differences {
    double log2_h[STEPS], error[STEPS], truncation[STEPS]; /* log2 */
    double rounding; /* root mean square of f's rounding errors */
} Differences;

static double log2_magnitude(const mpfr_t x)
{
    long exponent;
    double m = mpfr_get_d_2exp(&exponent, x, MPFR_RNDN);
    return m == 0 ? -INFINITY : log2(fabs(m)) + (double)exponent;
}

static Differences central_differences(const Direction *l)
{
    Differences r = {.rounding = 0};
    mpfr_t slope, f[2][2], difference;
    mpfr_inits2(WIDE, slope, f[0][0], f[0][1], f[1][0], f[1][1], difference, (mpfr_ptr)0);
    gradient_along(slope, DENSE, l, EXACT);
    for (int k = 0; k < STEPS; k++) {
        double h = ldexp(1, -FIRST - k);
        for (int exact = 0; exact < 2; exact++) {
            for (int side = 0; side < 2; side++)
                value_at(f[exact][side], l, side ? -h : h, exact ? EXACT : BITS);
            mpfr_sub(difference, f[exact][0], f[exact][1], MPFR_RNDN);
            mpfr_div_d(difference, difference, 2 * h, MPFR_RNDN);
            mpfr_sub(difference, difference, slope, MPFR_RNDN);
            (exact ? r.truncation : r.error)[k] = log2_magnitude(difference);
        }
        for (int side = 0; side < 2; side++) {
            mpfr_sub(difference, f[0][side], f[1][side], MPFR_RNDN);
            double off = mpfr_get_d(difference, MPFR_RNDN);
            r.rounding += off * off / (2 * STEPS);
        }
        r.log2_h[k] = -FIRST - k;
    }
    r.rounding = sqrt(r.rounding);
    mpfr_clears(slope, f[0][0], f[0][1], f[1][0], f[1][1], difference, (mpfr_ptr)0);
    return r;
}

static void differences(Page *p)
{
    Direction l = random_line(LENGTH, DIM, WINDOW, 5);
    Differences r = central_differences(&l);
    double E = 2 * value_bound(&l), predicted[STEPS], bound[STEPS], error;
    size_t past = 0, best = 0, at = 30 - FIRST;     /* h = 2^-30 */
    double third = log2(6) + r.truncation[at] + 60; /* log2 |f'''| */
    for (size_t k = 0; k < STEPS; k++) {
        double h2 = 2 * r.log2_h[k];
        /* two independent errors of that root mean square, over 2 h */
        predicted[k] = log2(exp2(third + h2) / 6 + r.rounding * exp2(-r.log2_h[k] - 0.5));
        bound[k] = log2(exp2(r.truncation[k]) + E * exp2(-r.log2_h[k]));
        past += r.error[k] > bound[k];
        best = r.error[k] < r.error[best] ? k : best;
    }
    /* the minimum of a h^2 / 6 + b / h with a = |f'''|: h^3 = 3 b / a */
    double b = r.rounding / M_SQRT2, least = (log2(3 * b) - third) / 3;
    double slope = fitted_slope(20, r.log2_h, r.truncation, &error);
    page_table(
        p,
        "Central differences of the definition at 113 bits against the gradient (1024 bits), log2",
        "h|error|truncation alone|rounding and truncation, predicted|at most");
    for (size_t k = 0; k < STEPS; k += 4)
        page_row(p, "%.0f|%.1f|%.1f|%.1f|%.1f", r.log2_h[k], r.error[k], r.truncation[k],
                 predicted[k], bound[k]);
    page_say(
        p,
        "Truncation falls with h to the %.3f (2 in theory). Predicted minimum: h = 2^%.1f with an "
        "error of 2^%.1f, from f''' and the root mean square 2^%.1f of f's rounding errors; the "
        "least error found is 2^%.1f, at h = 2^%.0f.",
        slope, least, log2(1.5 * b) - least, log2(r.rounding), r.error[best], r.log2_h[best]);
    page_check(p, !past,
               "no error passes truncation + (rounding bound of f) / h, at any of %d steps", STEPS);
    page_plot(p, "Central differences at 113 bits", "log2 h", "log2 of the error");
    page_series(p, "measured", false, STEPS, r.log2_h, r.error);
    page_series(p, "predicted", true, STEPS, r.log2_h, predicted);
    page_series(p, "derived bound", true, STEPS, r.log2_h, bound);
    line_free(&l);
}

void report_gradients(Page *p)
{
    page_section(p, "gradients", "Gradients");
    digits(p);
    components(p);
    differences(p);
}
