/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * growth.c - how the forms' times grow with L, and how the exact operation counts say they should.
 *
 * Counted       the same text runs in the counting system at the same shapes, and the same line is fitted to
 *               its multiply-adds. A time also holds other operations, which grow by laws of their own:
 *               `weighed` counts every kind of operation by what one costs, measured in the same rounds.
 *               The measured exponent is held against that prediction.
 * Which system  MPFR at 113 bits where the shapes of the products change with L (naive, parallel, decode):
 *               every multiply-add costs the same there, whereas in f64 the slope would show how BLAS
 *               comes into its stride and caches run out. f64 for the blockwise form: its products are
 *               always of blocks of B, so nothing but their number changes with L; MPFR would take minutes.
 */
#include "growth.h"

#include "bench.h"
#include "costs.h"
#include "measure.h"
#include "runs.h"

#include "../random_problem.h"

#include <gsl/gsl_fit.h>
#include <math.h>
#include <string.h>

typedef struct Growth {
    const char *name;
    FormName form;
    MakeSystem *system;
    const char *system_name;
    size_t dim, block;
    size_t from, to, to_quick;
    double step; /* from one length to the next */
    double of_theory;
} Growth;

static const Growth growths[] = {
    {"naive", NAIVE, mpfr_113, "MPFR", 16, 64, 32, 181, 91, M_SQRT2, 3},
    {"parallel", PARALLEL, mpfr_113, "MPFR", 16, 64, 64, 512, 256, M_SQRT2, 3},
    {"decode, one token", TOKEN, mpfr_113, "MPFR", 16, 64, 128, 4096, 2048, 2, 1},
    {"blockwise", BLOCKWISE, f64_system, "f64", 64, 64, 256, 8192, 2048, 2, 2},
};
enum { GROWTHS = sizeof growths / sizeof growths[0] };

Fit fit(const Curve *c, const double y[MOST_LENGTHS])
{
    double log_x[MOST_LENGTHS], log_y[MOST_LENGTHS], c0, c1, v00, v01, v11, residue;
    for (size_t k = 0; k < c->points; k++) {
        log_x[k] = log(c->length[k]);
        log_y[k] = log(y[k]);
    }
    gsl_fit_linear(log_x, 1, log_y, 1, c->points, &c0, &c1, &v00, &v01, &v11, &residue);
    return (Fit){.constant = exp(c0), .exponent = c1, .error = sqrt(v11)};
}

static Curve curve_of(const Growth *g, bool quick)
{
    Curve c = {.name = g->name,
               .system = g->system_name,
               .unit = "ms",
               .dim = g->dim,
               .block = g->block,
               .of_theory = g->of_theory};
    double to = (double)(quick ? g->to_quick : g->to);
    for (double L = (double)g->from; round(L) <= to && c.points < MOST_LENGTHS; L *= g->step)
        c.length[c.points++] = round(L);
    return c;
}

static double seconds_at(const Growth *g, size_t length)
{
    RandomProblem r = random_problem(PLAIN, length, g->dim, NO_WINDOW, &BINARY64, 1);
    Run run = run_ready(g->form, g->system(), &r.problem, g->block);
    double seconds = seconds_of(run_once, &run);
    run_end(&run);
    random_problem_free(&r);
    return seconds;
}

static void count(const Growth *g, Curve *c, const UnitCosts *costs)
{
    for (size_t k = 0; k < c->points; k++) {
        RandomProblem r = random_problem(PLAIN, (size_t)c->length[k], g->dim, NO_WINDOW, &BINARY64,
                                         1);
        Counts counts = run_counts(g->form, &r.problem, g->block);
        c->counted[k] = (double)counts.multiply_adds;
        c->weighed[k] = weighed(&counts, costs);
        random_problem_free(&r);
    }
}

/* Fills the curves and returns what one operation costs, by system. */
static json_t *measure(const Bench *b, Curve curves[GROWTHS])
{
    static Times times[GROWTHS][MOST_LENGTHS];
    static Costs costs[2];
    static MakeSystem *const systems[2] = {mpfr_113, f64_system};
    size_t rounds = b->quick ? 2 : (size_t)(b->full ? b->rounds : 3), steps = 2 * KINDS;
    set_threads(1);
    for (int s = 0; s < 2; s++)
        costs_ready(&costs[s], systems[s]());
    for (size_t g = 0; g < GROWTHS; g++) {
        curves[g] = curve_of(&growths[g], b->quick);
        steps += curves[g].points;
    }
    Progress *progress = progress_begin("growth", "run", rounds * steps);
    for (size_t round = 0; round < rounds; round++) {
        for (int s = 0; s < 2; s++)
            tasks_round(costs[s].task, KINDS, (int)round, progress);
        for (size_t k = 0; k < MOST_LENGTHS; k++)
            for (size_t g = 0; g < GROWTHS; g++)
                if (k < curves[g].points) {
                    times[g][k].sample[round] = seconds_at(&growths[g],
                                                           (size_t)curves[g].length[k]);
                    progress_step(progress);
                }
    }
    progress_end(progress);
    UnitCosts unit[2] = {costs_median(&costs[0]), costs_median(&costs[1])};
    for (size_t g = 0; g < GROWTHS; g++) {
        count(&growths[g], &curves[g], &unit[growths[g].system == f64_system]);
        for (size_t k = 0; k < curves[g].points; k++)
            curves[g].measured[k] = median(&times[g][k], NULL) * 1e3;
    }
    for (int s = 0; s < 2; s++)
        costs_end(&costs[s]);
    json_t *mpfr = costs_json(&unit[0]);
    return json_pack("{s:o, s:o}", "MPFR, 113 bits", mpfr, "f64", costs_json(&unit[1]));
}

static json_t *numbers(const double *x, size_t n)
{
    json_t *all = json_array();
    for (size_t k = 0; k < n; k++)
        json_array_append_new(all, json_real(x[k]));
    return all;
}

static json_t *say_curve(const Curve *c)
{
    Fit measured = fit(c, c->measured), counted = fit(c, c->counted), all = fit(c, c->weighed);
    double off = measured.exponent - all.exponent;
    bool met = fabs(off) <= 0.1;
    say("  %-17s %-4s %4zu %5.0f .. %4.0f %7.3f +- %.3f %8.3f %8.3f %+7.3f  %-7s %5.0f\n", c->name,
        c->system, c->dim, c->length[0], c->length[c->points - 1], measured.exponent,
        measured.error, counted.exponent, all.exponent, off, verdict(met), c->of_theory);
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:f, s:f, s:f, s:f, s:f, s:b}",
                     "name", c->name, "system", c->system, "unit", c->unit, "dim",
                     (json_int_t)c->dim, "block", (json_int_t)c->block, "length",
                     numbers(c->length, c->points), "measured", numbers(c->measured, c->points),
                     "counted", numbers(c->counted, c->points), "weighed",
                     numbers(c->weighed, c->points), "exponent", measured.exponent,
                     "standard_error", measured.error, "exponent_counted", counted.exponent,
                     "exponent_weighed", all.exponent, "off_at_most", 0.1, "met", met);
}

void bench_growth(Bench *b)
{
    Curve curves[GROWTHS + 1];
    json_t *costs = measure(b, curves), *rows = json_array();
    curves[GROWTHS] = b->memory;
    say("\nGrowth with L: exponents, measured and counted; one thread\n"
        "  counted: of the multiply-adds; weighed: of all operations, by what one costs in that "
        "system\n"
        "  (of memory: both of the most numbers at once). MPFR where products change shape with "
        "L,\n"
        "  so that no BLAS or cache is seen; f64 blockwise, whose products are always of one "
        "block.\n\n"
        "  %-17s %-4s %4s %13s %16s %8s %8s %7s  %-7s %5s\n",
        "", "", "d", "L", "measured", "counted", "weighed", "off", "<= 0.1", "Theta");
    for (size_t g = 0; g <= GROWTHS; g++)
        json_array_append_new(rows, say_curve(&curves[g]));
    json_object_set_new(b->report, "growth", rows);
    json_object_set_new(b->report, "cost_of_one_ns", costs);
    plot(b->folder, curves, GROWTHS + 1);
}
