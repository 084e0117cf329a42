/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diagnose.h"

#include "bug.h"
#include "mutant_kernel.h"

#include <math.h>
#include <stdlib.h>

struct Lineup {
    const Problem *problem;
    const Arithmetic *arithmetic;
    size_t mutants, elements[ANSWERS], run[ANSWERS]; /* run: elements that share a sigma */
    MutantAnswers *exact;
    MutantAnswers *sigma; /* made when first asked for */
    bool *has_sigma;
};

Lineup *lineup(const Problem *p, const Arithmetic *a)
{
    Lineup *l = room_for(__func__, 1, sizeof *l);
    *l = (Lineup){.problem = p, .arithmetic = a, .mutants = mutant_count()};
    for (Answer k = 0; k < ANSWERS; k++)
        if (problem_has(p, k)) {
            MatrixShape s = answer_shape(p, k);
            l->elements[k] = s.rows * s.cols;
            l->run[k] = s.cols;
        }
    l->exact = room_for(__func__, l->mutants, sizeof *l->exact);
    l->sigma = room_for(__func__, l->mutants, sizeof *l->sigma);
    l->has_sigma = room_for(__func__, l->mutants, sizeof *l->has_sigma);
#pragma omp parallel for schedule(dynamic, 1)
    for (size_t k = 0; k < l->mutants; k++)
        l->exact[k] = mutant_kernel(p, a, mutant_at(k), ROUND_NOTHING, 0);
    return l;
}

void lineup_free(Lineup *l)
{
    for (size_t k = 0; l && k < l->mutants; k++) {
        mutant_answers_free(&l->exact[k]);
        mutant_answers_free(&l->sigma[k]);
    }
    if (l) {
        free(l->exact);
        free(l->sigma);
        free(l->has_sigma);
    }
    free(l);
}

/* ---- how far apart -------------------------------------------------------------------------- */

/* |x - y|, 0 for the same infinity or for two that are no numbers. */
static double apart(double x, double y)
{
    if (x == y || (isnan(x) && isnan(y)))
        return 0;
    double error = fabs(x - y);
    return isnan(error) ? INFINITY : error;
}

static bool counts(const Score *s) { return s->judged; }

/* The smallest positive sigma of a tensor: what stands where a truth is exactly 0 and a mutant's
 * is not. */
static double least_sigma(const Score *scores, size_t n)
{
    double least = INFINITY;
    for (size_t k = 0; k < n; k++)
        if (counts(&scores[k]) && scores[k].sigma > 0)
            least = fmin(least, scores[k].sigma);
    return isinf(least) ? 1 : least;
}

/* The mean of log(1 + z^2) over all elements. */
static double distance(const Lineup *l, size_t mutant, const double *const answered[ANSWERS],
                       const Score *const scores[ANSWERS])
{
    double sum = 0, n = 0;
    for (Answer a = 0; a < ANSWERS; a++) {
        if (!answered[a])
            continue;
        double floor = least_sigma(scores[a], l->elements[a]);
        for (size_t k = 0; k < l->elements[a]; k++) {
            if (!counts(&scores[a][k]))
                continue;
            double z = apart(answered[a][k], l->exact[mutant].of[a][k]) /
                       fmax(scores[a][k].sigma, floor);
            sum += z < 1e150 ? log1p(z * z) : 2 * log(1e150);
            n++;
        }
    }
    return n > 0 ? sum / n : INFINITY;
}

/* ---- a mutant's own sigma -------------------------------------------------------------------- */

static void add_squares(const Lineup *l, size_t mutant, const MutantAnswers *noisy,
                        MutantAnswers *squares)
{
    for (Answer a = 0; a < ANSWERS; a++)
        for (size_t k = 0; squares->of[a] && k < l->elements[a]; k++) {
            double error = apart(noisy->of[a][k], l->exact[mutant].of[a][k]);
            squares->of[a][k] += error * error;
        }
}

static void pool(const Lineup *l, MutantAnswers *squares)
{
    for (Answer a = 0; a < ANSWERS; a++)
        for (size_t first = 0; squares->of[a] && first < l->elements[a]; first += l->run[a]) {
            double sum = 0, n = (double)l->run[a] * SCALE_RUNS;
            for (size_t k = first; k < first + l->run[a]; k++)
                sum += squares->of[a][k];
            for (size_t k = first; k < first + l->run[a]; k++) {
                double own = sqrt(squares->of[a][k] / SCALE_RUNS);
                squares->of[a][k] = fmax(own, sqrt(sum / n));
            }
        }
}

static void find_own_sigma(Lineup *l, size_t mutant)
{
    if (l->has_sigma[mutant])
        return;
    MutantAnswers *squares = &l->sigma[mutant];
    for (Answer a = 0; a < ANSWERS; a++)
        if (l->elements[a])
            squares->of[a] = room_for(__func__, l->elements[a], sizeof(double));
#pragma omp parallel for ordered schedule(dynamic, 1)
    for (size_t r = 0; r < SCALE_RUNS; r++) {
        MutantAnswers noisy = mutant_kernel(l->problem, l->arithmetic, mutant_at(mutant),
                                            ROUND_AT_RANDOM, SCALE_SEED + r);
#pragma omp ordered /* the same sums whatever the threads do */
        add_squares(l, mutant, &noisy, squares);
        mutant_answers_free(&noisy);
    }
    pool(l, squares);
    l->has_sigma[mutant] = true;
}

/* ---- who agrees ------------------------------------------------------------------------------ */

/* Sets *worst to the largest z; false as soon as a tensor passes its threshold. */
static bool agrees(const Lineup *l, size_t mutant, const double *const answered[ANSWERS],
                   const Score *const scores[ANSWERS], double *worst)
{
    *worst = 0;
    for (Answer a = 0; a < ANSWERS; a++) {
        if (!answered[a])
            continue;
        double threshold = thresholds_for(l->elements[a]).suspect;
        for (size_t k = 0; k < l->elements[a]; k++) {
            if (!counts(&scores[a][k]))
                continue;
            double error = apart(answered[a][k], l->exact[mutant].of[a][k]);
            double sigma = fmax(scores[a][k].sigma, l->sigma[mutant].of[a][k]);
            double z = error == 0 ? 0 : error / sigma;
            if (!(z < threshold)) /* a sigma that is no number explains nothing */
                return false;
            *worst = fmax(*worst, z);
        }
    }
    return true;
}

typedef struct Near {
    size_t mutant;
    double distance;
} Near;

static int by_distance(const void *x, const void *y)
{
    const Near *a = x, *b = y;
    if (a->distance != b->distance)
        return a->distance < b->distance ? -1 : 1;
    return a->mutant < b->mutant ? -1 : a->mutant > b->mutant;
}

Diagnosis diagnose(Lineup *l, const double *const answered[ANSWERS],
                   const Score *const scores[ANSWERS])
{
    Diagnosis d = {.tried = true};
    Near *near = room_for(__func__, l->mutants, sizeof *near);
#pragma omp parallel for schedule(dynamic, 8)
    for (size_t k = 0; k < l->mutants; k++)
        near[k] = (Near){k, distance(l, k, answered, scores)};
    qsort(near, l->mutants, sizeof *near, by_distance);
    for (size_t k = 0; k < DIAGNOSIS_CLOSEST && k < l->mutants; k++) {
        double z;
        find_own_sigma(l, near[k].mutant);
        if (agrees(l, near[k].mutant, answered, scores, &z)) {
            d.mutant[d.count] = mutant_at(near[k].mutant);
            d.z[d.count++] = z;
        } else if (d.count) {
            break;
        }
    }
    free(near);
    return d;
}

bool mutants_alike(const Lineup *l, size_t a, size_t b, const Score *const scores[ANSWERS])
{
    for (Answer k = 0; k < ANSWERS; k++)
        for (size_t i = 0; scores[k] && i < l->elements[k]; i++) {
            if (!counts(&scores[k][i]))
                continue;
            double error = apart(l->exact[a].of[k][i], l->exact[b].of[k][i]);
            if (error > scores[k][i].sigma)
                return false;
        }
    return true;
}
