/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "scales.h"

#include "solve.h"
#include "systems.h"

#include <float.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

/* The next larger number of 3 significant bits: so coarse that the last bit of a sum of squares,
 * which could differ between machines, does not show. */
static double round_up(double x)
{
    if (!(x > 0) || isinf(x))
        return x;
    int e;
    double m = frexp(x, &e);
    return ldexp(ceil(ldexp(m, 3)), e - 3);
}

/* A binary64 kernel's noise would drown in the roundings of the binary64 that carries it; errors are
 * linear in the unit roundoff at that size, so the noise is made larger and divided out again. */
static double amplification(const Arithmetic *a)
{
    return a->accumulate->precision > 40 ? 65536 : 1;
}

/* So many neighbours are pooled: a row. */
static size_t pooled(const Problem *p, Answer a, const Truth *t)
{
    return answer_is_stage(a) ? t->cols : sigma_run(p, a);
}

/* A power of 2 that takes n neighbours to the order of 1: the squares of smaller and larger errors than
 * 2^-500 and 2^500 would leave binary64's range. */
static double unit_of(const Truth *t, size_t first, size_t n)
{
    double largest = 0;
    int exponent;
    for (size_t k = first; k < first + n; k++)
        if (isfinite(t->value[k]))
            largest = fmax(largest, fabs(t->value[k]));
    (void)frexp(largest, &exponent);
    return ldexp(1, exponent < -1000 ? 1000 : -exponent);
}

/* Adds the squared errors of one noisy run to `squares`, element by element, in rows' own units. */
static void add_errors(const Problem *p, const Solution *noisy, double amplify, const Oracle *o,
                       double *squares[ANSWERS])
{
    for (Answer a = 0; a < ANSWERS; a++) {
        const Truth *t = &o->truth[a];
        Matrix N = noisy->of[a];
        size_t count = t->rows * t->cols, n = count ? pooled(p, a, t) : 0;
        double unit = 1;
        for (size_t k = 0; k < count; k++) {
            if (k % n == 0)
                unit = unit_of(t, k, n);
            if (t->certificate[k] == UNDEFINED || t->certificate[k] == MASKED)
                continue;
            double y = *(double *)entry(N, k / t->cols, k % t->cols);
            double error = ((y - t->value[k]) - t->tail[k]) / amplify * unit;
            squares[a][k] += error * error;
        }
    }
}

/* Of n neighbours, the mean square of all errors and the largest of the elements' own; NaN where none of
 * them has a truth. */
typedef struct Squares {
    double mean, largest;
} Squares;

static Squares of_neighbours(const Truth *t, const double *squares, size_t first, size_t n)
{
    double sum = 0, largest = 0;
    size_t defined = 0, undefined = 0;
    for (size_t k = first; k < first + n; k++) {
        sum += squares[k];
        largest = fmax(largest, squares[k]);
        undefined += t->certificate[k] == UNDEFINED;
        defined += t->certificate[k] <= TIE;
    }
    if (undefined && !defined)
        return (Squares){NAN, NAN};
    return (Squares){sum / ((double)(defined ? defined : 1) * SCALE_RUNS), largest / SCALE_RUNS};
}

/* A row of o or dqu has one sigma, that of its least accurate element: the mean would be too small for a
 * column that an operand makes large. A row of p may be one weight and many specks: there each element
 * has its own, but none less than the mean's. */
static void pool_rows(const Problem *p, Answer a, const Truth *t, const double *squares,
                      double *sigma)
{
    bool one_each = answer_is_stage(a);
    size_t n = pooled(p, a, t);
    for (size_t first = 0; first < t->rows * t->cols; first += n) {
        Squares row = of_neighbours(t, squares, first, n);
        double unit = unit_of(t, first, n);
        for (size_t k = first; k < first + n; k++) {
            double own = squares[k] / SCALE_RUNS;
            double square = !one_each ? row.largest : own > row.mean ? own : row.mean;
            double own_sigma = round_up(sqrt(square)) / unit;
            if (square > 0 && own_sigma == 0)
                own_sigma = DBL_TRUE_MIN;
            sigma[k] = t->certificate[k] == MASKED ? 0 : own_sigma;
        }
    }
}

static void find_sigma(Scales *s, const Problem *p, const Arithmetic *arithmetic, const Oracle *o,
                       uint64_t seed)
{
    double *squares[ANSWERS], amplify = amplification(arithmetic);
    for (Answer a = 0; a < ANSWERS; a++)
        squares[a] = room_for("error_scales", o->truth[a].rows * o->truth[a].cols, sizeof(double));
#pragma omp parallel
    {
        System *in = noisy_system(arithmetic, 0, amplify);
#pragma omp for ordered schedule(dynamic, 1)
        for (size_t r = 0; r < SCALE_RUNS; r++) {
            noisy_begin_again(in, seed + r);
            Scope scope = scope_open(in);
            Solution noisy = solve(p, in);
#pragma omp ordered /* the same sums whatever the threads do */
            add_errors(p, &noisy, amplify, o, squares);
            scope_close(in, scope);
        }
        system_free(in);
    }
    for (Answer a = 0; a < ANSWERS; a++) {
        if (problem_has(p, a))
            pool_rows(p, a, &o->truth[a], squares[a], s->sigma[a]);
        free(squares[a]);
    }
}

static void find_bound(Scales *s, const Problem *p, const Arithmetic *arithmetic, const Oracle *o)
{
    System *in = bounded_system(arithmetic);
    Solution bounded = solve(p, in);
    for (Answer a = 0; a < ANSWERS; a++) {
        const Truth *t = &o->truth[a];
        Matrix B = bounded.of[a];
        for (size_t k = 0; k < t->rows * t->cols; k++) {
            double error = ((const Bounded *)entry(B, k / t->cols, k % t->cols))->error;
            /* the bound is itself binary64 arithmetic on positive numbers: allow for its rounding */
            s->bound[a][k] = isnan(error) ? INFINITY : error * (1 + 0x1p-20);
        }
    }
    system_free(in);
}

Scales *error_sigmas(const Problem *p, const Arithmetic *arithmetic, const Oracle *o, uint64_t seed)
{
    Scales *s = room_for(__func__, 1, sizeof *s);
    for (Answer a = 0; a < ANSWERS; a++)
        s->sigma[a] = room_for(__func__, o->truth[a].rows * o->truth[a].cols, sizeof(double));
    find_sigma(s, p, arithmetic, o, seed);
    return s;
}

static void add_bounds(Scales *s, const Problem *p, const Arithmetic *arithmetic, const Oracle *o)
{
    for (Answer a = 0; a < ANSWERS; a++)
        s->bound[a] = room_for("error_scales", o->truth[a].rows * o->truth[a].cols, sizeof(double));
    find_bound(s, p, arithmetic, o);
}

Scales *error_bounds(const Problem *p, const Arithmetic *arithmetic, const Oracle *o)
{
    Scales *s = room_for(__func__, 1, sizeof *s);
    add_bounds(s, p, arithmetic, o);
    return s;
}

Scales *error_scales(const Problem *p, const Arithmetic *arithmetic, const Oracle *o, uint64_t seed)
{
    Scales *s = error_sigmas(p, arithmetic, o, seed);
    add_bounds(s, p, arithmetic, o);
    return s;
}

void scales_free(Scales *s)
{
    for (size_t a = 0; s && a < ANSWERS; a++) {
        free(s->sigma[a]);
        free(s->bound[a]);
    }
    free(s);
}

double score_threshold(size_t n, double chance)
{
    return gsl_cdf_tdist_Qinv(chance / (2 * (double)n), SCALE_RUNS);
}
