/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "random_problem.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <stdlib.h>

const char *family_name(Family f)
{
    static const char *const names[FAMILIES] = {"plain", "drift", "saturated", "large scores"};
    return names[f];
}

static double draw(gsl_rng *rng, Family family, Input k)
{
    double x = gsl_ran_gaussian(rng, 1);
    switch (family) {
    case DRIFT:
        return k == INPUT_VU ? x + 1 : x;
    case SATURATED:
        return k == INPUT_QU || k == INPUT_KU ? 7 * x : x;
    case LARGE_SCORES:
        return k == INPUT_QC || k == INPUT_KC ? 4 * x : x;
    case PLAIN:
    case FAMILIES:
        break;
    }
    return x;
}

RandomProblem random_problem(Family family, size_t length, size_t dim, size_t window,
                             const Format *format, unsigned long seed)
{
    size_t n = length * dim;
    RandomProblem r = {.problem = {.length = length, .dim = dim, .window = window},
                       .numbers = malloc((INPUTS + 1) * n * sizeof(double))};
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    gsl_rng_set(rng, seed);
    for (Input k = 0; k < INPUTS; k++) {
        r.problem.input[k] = r.numbers + k * n;
        for (size_t i = 0; i < n; i++)
            r.numbers[k * n + i] = format_round_double(draw(rng, family, k), format);
    }
    for (size_t i = 0; i < n; i++)
        r.numbers[INPUTS * n + i] = format_round_double(gsl_ran_gaussian(rng, 1), format);
    gsl_rng_free(rng);
    return r;
}

void with_cotangent(RandomProblem *r)
{
    r->problem.cotangent = r->numbers + INPUTS * r->problem.length * r->problem.dim;
}

void random_problem_free(RandomProblem *r)
{
    free(r->numbers);
    *r = (RandomProblem){0};
}

size_t repetitions(size_t usual)
{
    if (getenv("CASTLE_TEST_LONG"))
        return 20 * usual;
    return getenv("CASTLE_TEST_SHORT") ? (usual + 9) / 10 : usual;
}
