/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "costs.h"

#include "bench.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

/* Each work does `units` operations of one kind on a SIDE x SIDE matrix, by a function that the forms
 * call, so that what comes with an operation (making the result, say) is paid as it is there. */
enum { SIDE = 128 };

static void in_scope(const Matrix *A, void (*f)(Matrix))
{
    Scope scope = scope_open(A->in);
    f(*A);
    scope_close(A->in, scope);
}

static void multiply_adds(Matrix A) { (void)product_nt(A, A, EVERYWHERE); }
static void multiplications(Matrix A) { (void)hadamard(A, A); }
static void sums(Matrix A) { (void)subtract(A, A); }
static void divisions(Matrix A) { (void)row_divide(A, columns(A, 0, 1)); }
static void comparisons(Matrix A) { (void)row_reference(A, NULL); }
static void sigmoids(Matrix A) { (void)map(SIGMOID, A); }
static void silus(Matrix A) { (void)map(SILU, A); }
static void exps(Matrix A) { (void)map(EXP, A); }
static void logs(Matrix A) { (void)map(LOG, A); }

#define WORK(f) \
    static void f##_of(void *A) { in_scope(A, f); }
WORK(multiply_adds)
WORK(multiplications)
WORK(sums)
WORK(divisions)
WORK(comparisons)
WORK(sigmoids)
WORK(silus)
WORK(exps)
WORK(logs)
#undef WORK

static const struct {
    const char *name;
    void (*work)(void *);
    double units;
} kinds[KINDS] = {
    {"multiply-add", multiply_adds_of, (double)SIDE *SIDE *SIDE},
    {"multiplication", multiplications_of, (double)SIDE *SIDE},
    {"addition", sums_of, (double)SIDE *SIDE},
    {"division", divisions_of, (double)SIDE *SIDE},
    {"comparison", comparisons_of, (double)SIDE *(SIDE - 1)},
    {"sigmoid", sigmoids_of, (double)SIDE *SIDE},
    {"SiLU", silus_of, (double)SIDE *SIDE},
    {"exp", exps_of, (double)SIDE *SIDE},
    {"log", logs_of, (double)SIDE *SIDE},
};

void costs_ready(Costs *c, System *in)
{
    double values[SIDE * SIDE];
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    for (size_t k = 0; k < (size_t)SIDE * SIDE; k++)
        values[k] = gsl_ran_gaussian(rng, 1);
    gsl_rng_free(rng);
    c->A = matrix_from(in, SIDE, SIDE, values);
    for (int k = 0; k < KINDS; k++)
        c->task[k] = (Task){.name = kinds[k].name, .work = kinds[k].work, .what = &c->A};
}

UnitCosts costs_median(const Costs *c)
{
    UnitCosts u;
    for (int k = 0; k < KINDS; k++)
        u.of[k] = median(&c->task[k].times, NULL) / kinds[k].units;
    return u;
}

void costs_end(Costs *c) { system_free(c->A.in); }

double weighed(const Counts *c, const UnitCosts *u)
{
    const uint64_t counts[KINDS] = {c->multiply_adds, c->multiplications, c->additions,
                                    c->divisions,     c->comparisons,     c->calls[SIGMOID],
                                    c->calls[SILU],   c->calls[EXP],      c->calls[LOG]};
    double seconds = 0;
    for (int k = 0; k < KINDS; k++)
        seconds += (double)counts[k] * u->of[k];
    return seconds;
}

json_t *costs_json(const UnitCosts *u)
{
    json_t *object = json_object();
    for (int k = 0; k < KINDS; k++)
        json_object_set_new(object, kinds[k].name, json_real(u->of[k] * 1e9));
    return object;
}
