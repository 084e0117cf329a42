/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "scales.h"

#include "solve.h"
#include "systems.h"

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

/* One noisy run: adds to `squares`, per answer and row, the sum of squared errors over the row. */
static void noisy_run(const Problem *p, const Arithmetic *arithmetic, const Oracle *o,
                      uint64_t seed, double *squares[ANSWERS])
{
    double amplify = amplification(arithmetic);
    System *in = noisy_system(arithmetic, seed, amplify);
    Solution noisy = solve(p, in);
    for (Answer a = 0; a < ANSWERS; a++) {
        const Truth *t = &o->truth[a];
        Matrix N = noisy.of[a];
        for (size_t k = 0; k < t->rows * t->cols; k++) {
            if (t->certificate[k] == UNDEFINED || t->certificate[k] == MASKED)
                continue;
            double y = *(double *)entry(N, k / t->cols, k % t->cols);
            double error = ((y - t->value[k]) - t->tail[k]) / amplify;
            squares[a][k / t->cols] += error * error;
        }
    }
    system_free(in);
}

static void find_sigma(Scales *s, const Problem *p, const Arithmetic *arithmetic, const Oracle *o,
                       uint64_t seed)
{
    double *squares[SCALE_RUNS][ANSWERS];
#pragma omp parallel for schedule(dynamic, 1)
    for (size_t r = 0; r < SCALE_RUNS; r++) {
        for (Answer a = 0; a < ANSWERS; a++)
            squares[r][a] = room_for("error_scales", o->truth[a].rows, sizeof(double));
        noisy_run(p, arithmetic, o, seed + r, squares[r]);
    }
    for (Answer a = 0; a < ANSWERS; a++) {
        const Truth *t = &o->truth[a];
        for (size_t i = 0; i < t->rows; i++) {
            double sum = 0;
            size_t defined = 0, undefined = 0;
            for (size_t r = 0; r < SCALE_RUNS; r++) /* in this order, whatever the threads did */
                sum += squares[r][a][i];
            for (size_t j = 0; j < t->cols; j++) {
                undefined += t->certificate[i * t->cols + j] == UNDEFINED;
                defined += t->certificate[i * t->cols + j] <= TIE;
            }
            double mean = sum / ((double)(defined ? defined : 1) * SCALE_RUNS);
            s->sigma[a][i] = undefined && !defined ? NAN : round_up(sqrt(mean));
        }
        for (size_t r = 0; r < SCALE_RUNS; r++)
            free(squares[r][a]);
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
        s->sigma[a] = room_for(__func__, o->truth[a].rows, sizeof(double));
    find_sigma(s, p, arithmetic, o, seed);
    return s;
}

Scales *error_scales(const Problem *p, const Arithmetic *arithmetic, const Oracle *o, uint64_t seed)
{
    Scales *s = error_sigmas(p, arithmetic, o, seed);
    for (Answer a = 0; a < ANSWERS; a++)
        s->bound[a] = room_for(__func__, o->truth[a].rows * o->truth[a].cols, sizeof(double));
    find_bound(s, p, arithmetic, o);
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
