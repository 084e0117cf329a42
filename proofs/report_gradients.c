/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Gradients: the dense and the blockwise ones against what knows none of their formulas, the definition
 * differentiated by dual numbers and by central differences.
 */
#include "sections.h"
#include "sequential.h"
#include "trials.h"
#include "ways.h"

#include <math.h>

enum { WIDE = 8192, EXACT = 1024, LENGTH = 8, DIM = 4, WINDOW = 3, BLOCK = 3 };

/* ---- digits of precision --------------------------------------------------------------------- */

static void digits(Page *p)
{
    enum { PRECISIONS = 8 };
    static const double bits[PRECISIONS] = {24, 53, 113, 256, 512, 1024, 2048, 4096};
    static const char *const names[WAYS] = {"dense", "blockwise by (33)", "blockwise, recomputed"};
    double off[WAYS][PRECISIONS], bound[WAYS][PRECISIONS], error;
    bool within = true;
    Direction l = random_line(LENGTH, DIM, WINDOW, 5);
    mpfr_t found, truth, scratch;
    mpfr_inits2(WIDE, found, truth, scratch, (mpfr_ptr)0);
    tangent_of_definition(truth, &l, WIDE);
    page_table(
        p,
        "Along one random direction of all six inputs (L = 8, d = 4, W = 3, B = 3): log2 of the "
        "relative difference between <gradient, v> and the tangent of <dO, O> through the "
        "definition (8192 bits), and the most that rounding.md's rules allow",
        "bits|dense|at most|blockwise by (33)|at most|blockwise, recomputed|at most");
    for (size_t k = 0; k < PRECISIONS; k++) {
        for (Way way = DENSE; way < WAYS; way++) {
            way_gradient(found, way, &l, BLOCK, (long)bits[k]);
            mpfr_sub(scratch, found, truth, MPFR_RNDN);
            off[way][k] = log2_of(scratch) - log2_of(truth);
            bound[way][k] = log2_way_bound(way, &l, BLOCK, (long)bits[k]) - log2_of(truth);
            within = within && off[way][k] <= bound[way][k];
        }
        page_row(p, "%.0f|%.1f|%.1f|%.1f|%.1f|%.1f|%.1f", bits[k], off[0][k], bound[0][k],
                 off[1][k], bound[1][k], off[2][k], bound[2][k]);
    }
    /* in units of 2^-bits, or 4096 bits would hide what is a few bits wide */
    double x[PRECISIONS], y[PRECISIONS];
    for (size_t k = 0; k < PRECISIONS; k++)
        x[k] = log2(bits[k]);
    page_plot(p, "|<gradient, v> - tangent| 2^bits, relative", "log2 of bits", "log2");
    for (Way way = DENSE; way <= WAYS; way++) { /* at last the bound */
        for (size_t k = 0; k < PRECISIONS; k++)
            y[k] = (way < WAYS ? off[way][k] : bound[DENSE][k]) + bits[k];
        page_series(p, way < WAYS ? names[way] : "rounding allows (dense)", way == WAYS, PRECISIONS,
                    x, y);
    }
    for (Way way = DENSE; way < WAYS; way++) {
        double slope = fitted_slope(PRECISIONS, bits, off[way], &error);
        page_say(p, "Fitted slope, %s: %.5f +- %.5f bits per bit.", names[way], slope, error);
    }
    page_check(p, within,
               "gradients and Algorithm 3: at every precision the difference from the tangent is "
               "within what rounding allows, so it falls by a bit per bit");
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
    double worst = -INFINITY, digits = INFINITY, share = -INFINITY;
    size_t zeros = 0, n = INPUTS * LENGTH * DIM, past = 0;
    bool expected = true;
    Direction l = random_line(LENGTH, DIM, WINDOW, 6);
    mpfr_t found, truth;
    mpfr_inits2(WIDE, found, truth, (mpfr_ptr)0);
    for (size_t k = 0; k < n; k++) {
        line_along(&l, k);
        tangent_of_definition(truth, &l, EXACT);
        way_gradient(found, DENSE, &l, BLOCK, 256);
        bool zero = mpfr_zero_p(truth) && mpfr_zero_p(found);
        expected = expected && zero == is_always_zero(k);
        zeros += zero;
        mpfr_sub(found, found, truth, MPFR_RNDN);
        double off = log2_of(found), bound = log2_way_bound(DENSE, &l, BLOCK, 256);
        past += off > bound; /* -inf: exact */
        if (!zero) {
            share = fmax(share, off - bound);
            worst = fmax(worst, off - log2_of(truth));
            digits = fmin(digits, (log2_of(truth) - bound) * M_LN2 / M_LN10);
        }
    }
    page_say(
        p,
        "Component by component at 256 bits: of %zu, the worst is off by a relative 2^%.1f, and "
        "by at most 2^%.1f of what rounding allows it, which leaves each at least %.0f correct "
        "digits; %zu are exactly 0 on both sides.",
        n, worst, share, floor(digits), zeros);
    page_check(p, !past && expected,
               "gradients: every component is within its rounding bound, and those exactly 0 are "
               "dQU_L, dKU_1, dVU_1 and dQC_1");
    mpfr_clears(found, truth, (mpfr_ptr)0);
    line_free(&l);
}

/* ---- differences ----------------------------------------------------------------------------- */

enum { BITS = 113, FIRST = 4, LAST = 72, STEPS = LAST - FIRST + 1 };

typedef struct Differences {
    double log2_h[STEPS], error[STEPS], truncation[STEPS]; /* log2 */
    double rounding; /* root mean square of f's rounding errors */
} Differences;

static Differences central_differences(const Direction *l)
{
    Differences r = {.rounding = 0};
    mpfr_t slope, f[2][2], difference;
    mpfr_inits2(WIDE, slope, f[0][0], f[0][1], f[1][0], f[1][1], difference, (mpfr_ptr)0);
    way_gradient(slope, DENSE, l, BLOCK, EXACT);
    for (int k = 0; k < STEPS; k++) {
        double h = ldexp(1, -FIRST - k);
        for (int exact = 0; exact < 2; exact++) {
            for (int side = 0; side < 2; side++)
                value_of_definition(f[exact][side], l, side ? -h : h, exact ? EXACT : BITS);
            mpfr_sub(difference, f[exact][0], f[exact][1], MPFR_RNDN);
            mpfr_div_d(difference, difference, 2 * h, MPFR_RNDN);
            mpfr_sub(difference, difference, slope, MPFR_RNDN);
            (exact ? r.truncation : r.error)[k] = log2_of(difference);
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
    double predicted[STEPS], bound[STEPS], error;
    size_t past = 0, best = 0, at = 30 - FIRST;     /* h = 2^-30 */
    double third = log2(6) + r.truncation[at] + 60; /* log2 |f'''| */
    for (size_t k = 0; k < STEPS; k++) {
        double h2 = 2 * r.log2_h[k];
        /* two independent errors of that root mean square, over 2 h */
        predicted[k] = log2(exp2(third + h2) / 6 + r.rounding * exp2(-r.log2_h[k] - 0.5));
        /* |f(x + h v)| and |f(x - h v)| are each off by at most their own bound */
        double h = exp2(r.log2_h[k]);
        double E = exp2(log2_value_bound(&l, h, BITS)) + exp2(log2_value_bound(&l, -h, BITS));
        bound[k] = log2(exp2(r.truncation[k]) + E / (2 * h));
        past += r.error[k] > bound[k];
        best = r.error[k] < r.error[best] ? k : best;
    }
    /* the minimum of a h^2 / 6 + b / h with a = |f'''|: h^3 = 3 b / a */
    double b = r.rounding / M_SQRT2, least = (log2(3 * b) - third) / 3;
    double slope = fitted_slope(20, r.log2_h, r.truncation, &error);
    page_table(
        p,
        "Central differences of the definition at 113 bits against the gradient (1024 bits), log2",
        "log2 h|error|truncation alone|rounding and truncation, predicted|at most");
    for (size_t k = 0; k < STEPS; k += 4)
        page_row(p, "%.0f|%.1f|%.1f|%.1f|%.1f", r.log2_h[k], r.error[k], r.truncation[k],
                 predicted[k], bound[k]);
    page_say(
        p,
        "Truncation falls with h to the %.3f (2 in theory). Predicted minimum: h = 2^%.1f with an "
        "error of 2^%.1f, from f''' and the root mean square 2^%.1f of f's rounding errors; the "
        "least error found is 2^%.1f, at h = 2^%.0f.",
        slope, least, log2(1.5 * b) - least, log2(r.rounding), r.error[best], r.log2_h[best]);
    page_check(
        p, !past,
        "gradients: no difference of the definition is farther off than truncation + (rounding "
        "bound of f) / h, at any of %d steps",
        STEPS);
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
