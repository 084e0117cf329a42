/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The error bounds of rounding.md, on kernels played in MPFR, one correct rounding per operation: no error
 * passes the deterministic bound; and how often a sum passes lambda sqrt(n) u sum |a b|, which
 * independent roundings of mean 0 do with probability at most 2 exp(-lambda^2 / 2).
 */
#include "arithmetic.h"
#include "blockwise.h"
#include "sections.h"
#include "solve.h"
#include "trials.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static Arithmetic arithmetic_of(const char *name)
{
    Arithmetic a;
    char why[200];
    if (!arithmetic_parse(&a, name, why, sizeof why))
        stop_on_bug(__func__, "%s: %s", name, why);
    return a;
}

/* ---- the deterministic bound ----------------------------------------------------------------- */

typedef struct Ratios {
    double *ratio;
    size_t count, room, past, unbounded;
} Ratios;

static void add_ratio(Ratios *r, double ratio)
{
    if (r->count == r->room) {
        r->room = r->room ? 2 * r->room : 4096;
        r->ratio = realloc(r->ratio, r->room * sizeof *r->ratio);
        if (!r->ratio)
            stop_on_bug(__func__, "out of memory");
    }
    r->ratio[r->count++] = ratio;
    r->past += ratio > 1;
}

/* Where the bound is 0 the answer must be exact: error 0 counts as 0, any other as past it. */
static void hold(Ratios *r, Matrix played, Matrix truth, Matrix bound)
{
    mpfr_t x, y;
    mpfr_inits2(512, x, y, (mpfr_ptr)0);
    for (size_t i = 0; i < played.rows; i++)
        for (size_t j = 0; j < played.cols; j++) {
            const Bounded *b = entry(bound, i, j);
            played.in->op->get(played.in, x, entry(played, i, j));
            truth.in->op->get(truth.in, y, entry(truth, i, j));
            mpfr_sub(x, x, y, MPFR_RNDN);
            double error = fabs(mpfr_get_d(x, MPFR_RNDN));
            if (isinf(b->error))
                r->unbounded++;
            else
                add_ratio(r, error > 0 ? error / b->error : 0);
        }
    mpfr_clears(x, y, (mpfr_ptr)0);
}

static void play(Ratios *r, const Arithmetic *a, const Problem *p, size_t block)
{
    System *played = played_system(a), *exact = mpfr_system(256), *bounded = bounded_system(a);
    Solution x = solve(p, played), truth = solve(p, exact), bound = solve(p, bounded);
    for (Answer k = 0; k < HEAD_ANSWERS; k++)
        hold(r, x.of[k], truth.of[k], bound.of[k]);
    Head h = problem_head(p, played);
    Answers online = answers_for(&h);
    blockwise(&h, block, &online, matrix(played, p->length, p->dim));
    hold(r, online.O, truth.of[ANSWER_O], bound.of[ANSWER_O]);
    hold(r, online.lse, truth.of[ANSWER_LSE], bound.of[ANSWER_LSE]);
    system_free(played);
    system_free(exact);
    system_free(bounded);
}

static void deterministic(Page *p)
{
    static const char *const names[] = {"float32", "bfloat16"};
    enum { RUNS = 150 };
    bool never = true;
    page_table(p,
               "Error over its bound: O, lse, U and the six gradients by Theorem 1's form, O and "
               "lse by blocks; "
               "150 random problems each, L = 1 .. 24, d = 1 .. 8, half with a window; where a "
               "bound is finite",
               "arithmetic|numbers|without a bound|median|99 in 100 below|largest|above 1");
    for (size_t k = 0; k < 2; k++) {
        Ratios r = {0};
        Arithmetic a = arithmetic_of(names[k]);
        uint64_t at = 7;
        for (unsigned long run = 0; run < RUNS; run++) {
            size_t L = 1 + field_random(&at) % 24, d = 1 + field_random(&at) % 8;
            size_t W = run % 2 ? field_random(&at) % L : NO_WINDOW;
            Items items = drawn(L, d, W, run);
            play(&r, &a, &items.item->problem, 1 + L / 3);
            items_free(&items);
        }
        gsl_sort(r.ratio, 1, r.count);
        page_row(p, "%s|%zu|%zu|%.1e|%.1e|%.2f|%zu", names[k], r.count, r.unbounded,
                 r.ratio[r.count / 2], r.ratio[r.count - 1 - r.count / 100], r.ratio[r.count - 1],
                 r.past);
        never = never && r.count && !r.past;
        free(r.ratio);
    }
    page_check(p, never, "no error passes its deterministic bound");
}

/* ---- the rule of the square root -------------------------------------------------------------- */

typedef enum Terms { MIXED, POSITIVE, EQUAL, TERMS } Terms;

static const char *const terms_names[TERMS] = {"N(0, 1)", "absolute N(0, 1)", "all equal"};

/* |error| / (sqrt(n) u sum |a b|) of one dot product, left to right, products rounded too. */
static double share(const Format *format, Terms terms, size_t n, gsl_rng *rng)
{
    Arithmetic a = arithmetic_of("float32");
    a.accumulate = format;
    for (size_t s = 0; s < STAGES; s++)
        a.site[s] = format;
    double *x = room_for(__func__, n, sizeof *x), *y = room_for(__func__, n, sizeof *y);
    double sum = 0, size = 0;
    for (size_t k = 0; k < n; k++) {
        bool again = terms != EQUAL || k == 0;
        x[k] = again ? format_round_double(gsl_ran_gaussian(rng, 1), format) : x[0];
        y[k] = again ? format_round_double(gsl_ran_gaussian(rng, 1), format) : y[0];
        if (terms == POSITIVE) {
            x[k] = fabs(x[k]);
            y[k] = fabs(y[k]);
        }
        size += fabs(x[k] * y[k]);
    }
    System *played = played_system(&a), *exact = mpfr_system(256);
    Matrix found = product_nt(matrix_from(played, 1, n, x), matrix_from(played, 1, n, y),
                              EVERYWHERE);
    Matrix truth = product_nt(matrix_from(exact, 1, n, x), matrix_from(exact, 1, n, y), EVERYWHERE);
    mpfr_t f, t;
    mpfr_inits2(512, f, t, (mpfr_ptr)0);
    played->op->get(played, f, found.entries);
    exact->op->get(exact, t, truth.entries);
    mpfr_sub(f, f, t, MPFR_RNDN);
    sum = fabs(mpfr_get_d(f, MPFR_RNDN));
    mpfr_clears(f, t, (mpfr_ptr)0);
    system_free(played);
    system_free(exact);
    free(x);
    free(y);
    return sum / (sqrt((double)n) * format_roundoff(format) * size);
}

static void probabilistic(Page *p)
{
    static const Format *const formats[] = {&BINARY32, &BFLOAT16};
    enum { SUMS = 400 };
    bool below_n = true, rule = true;
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    gsl_rng_set(rng, 20250929);
    page_table(
        p,
        "400 dot products of n terms: how many err by more than lambda sqrt(n) u sum |a b|. For "
        "independent roundings of mean 0 at most 400, 108.3 and 4.4 are expected",
        "format|terms|n|lambda = 0.5|1|2|3|largest lambda|sqrt(n): the deterministic one");
    for (size_t f = 0; f < 2; f++)
        for (Terms terms = MIXED; terms < TERMS; terms++)
            for (size_t n = 16; n <= 1024; n *= 8) {
                size_t passed[4] = {0};
                static const double lambda[4] = {0.5, 1, 2, 3};
                double largest = 0;
                for (int k = 0; k < SUMS; k++) {
                    double x = share(formats[f], terms, n, rng);
                    for (size_t i = 0; i < 4; i++)
                        passed[i] += x > lambda[i];
                    largest = fmax(largest, x);
                }
                double u = format_roundoff(formats[f]), nu = (double)n * u;
                page_row(p, "%s|%s|%zu|%zu|%zu|%zu|%zu|%.2f|%.0f", formats[f]->name,
                         terms_names[terms], n, passed[0], passed[1], passed[2], passed[3], largest,
                         sqrt((double)n));
                below_n = below_n && (nu >= 1 || largest * sqrt((double)n) <= (double)n / (1 - nu));
                for (size_t i = 0; terms == MIXED && i < 4; i++)
                    rule = rule &&
                           (double)passed[i] <= SUMS * fmin(1, 2 * exp(-lambda[i] * lambda[i] / 2));
            }
    gsl_rng_free(rng);
    page_check(p, below_n, "no sum passes gamma_n sum |a b|, where n u < 1");
    page_check(
        p, rule,
        "sums of terms of both signs pass the rule of the square root no oftener than allowed");
    page_say(p, "The rule supposes roundings that are independent with mean 0. Equal terms break "
                "it: a running "
                "sum then meets the same rounding again and again, and in few bits it stops "
                "growing. Only the "
                "deterministic bound holds there.");
}

void report_bounds(Page *p)
{
    page_section(p, "bounds", "Error bounds");
    deterministic(p);
    probabilistic(p);
}
