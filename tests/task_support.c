/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "task_support.h"

#include "bug.h"
#include "solve.h"
#include "systems.h"
#include "vectors_support.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>

static NumberType type_holding(const Format *f)
{
    return f == &BINARY64   ? TYPE_F64
           : f == &BFLOAT16 ? TYPE_BF16
           : f == &BINARY16 ? TYPE_F16
                            : TYPE_F32;
}

static double *drawn(gsl_rng *rng, Layout l, double deviation, const Format *f)
{
    size_t n = layout_count(&l);
    double *v = room_for(__func__, n, sizeof *v);
    for (size_t i = 0; i < n; i++)
        v[i] = format_round_double(gsl_ran_gaussian(rng, deviation), f);
    return v;
}

static void draw_layer(Task *t, gsl_rng *rng, const Format *f)
{
    t->layer = (LayerProblem){t->size.batch, t->size.heads, t->size.width, {NULL}};
    for (LayerInput k = 0; k < LAYER_INPUTS; k++) {
        double terms = k == LAYER_X    ? 1
                       : k == LAYER_WO ? (double)(t->size.heads * t->size.dim)
                                       : (double)t->size.width;
        t->layer_input[k] = drawn(rng, layer_input_layout(&t->size, k), 1 / sqrt(terms), f);
        t->layer.input[k] = t->layer_input[k];
    }
}

Task random_task(const Sizes *size, const char *arithmetic, unsigned long seed)
{
    Task t = {.size = *size, .window = NO_WINDOW};
    char why[300];
    assert_true(arithmetic_parse(&t.arithmetic, arithmetic, why, sizeof why));
    const Format *f = t.arithmetic.site[STAGE_INPUT];
    t.type = type_holding(f);
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    gsl_rng_set(rng, seed);
    for (Input k = 0; !size->width && k < INPUTS; k++)
        t.input[k] = drawn(rng, input_layout(size), 1, f);
    if (size->width)
        draw_layer(&t, rng, f);
    t.cotangent = drawn(rng, cotangent_layout(size), 1, f);
    gsl_rng_free(rng);
    return t;
}

double *numbers_in_matrix(Matrix A)
{
    double *v = room_for(__func__, A.rows * A.cols, sizeof *v);
    for (size_t k = 0; k < A.rows * A.cols; k++)
        v[k] = mpfr_get_d(entry(A, k / A.cols, k % A.cols), MPFR_RNDN);
    return v;
}

Answered played(const Task *t)
{
    Answered all = {{NULL}};
    for (Answer a = 0; a < ANSWERS; a++)
        if (task_asks(t, a))
            all.of[a] = room_for(__func__, task_problems(t) * task_part(t, a), sizeof(double));
    for (size_t k = 0; k < task_problems(t); k++) {
        Problem p = task_problem(t, k);
        System *in = played_system(&t->arithmetic);
        Solution s = solve(&p, in);
        for (Answer a = 0; a < ANSWERS; a++) {
            if (!all.of[a])
                continue;
            double *numbers = numbers_in_matrix(s.of[a]);
            memcpy(all.of[a] + k * task_part(t, a), numbers, task_part(t, a) * sizeof *numbers);
            free(numbers);
        }
        system_free(in);
    }
    return all;
}

void answered_free(Answered *all)
{
    for (Answer a = 0; a < ANSWERS; a++)
        free(all->of[a]);
    *all = (Answered){{NULL}};
}

const char *dumped(const Task *t, const Answered *all, const char *name)
{
    SafetensorsWriter *w = safetensors_writer_new();
    Failure failure;
    task_write(t, w);
    for (Answer a = 0; a < ANSWERS; a++) {
        Layout l = answer_layout(&t->size, a);
        if (all->of[a])
            safetensors_add(w, answer_name(a), type_holding(t->arithmetic.site[answer_stage(a)]),
                            l.dims, l.shape, all->of[a]);
    }
    if (!safetensors_write(w, scratch_path(name), &failure))
        fail_msg("%s", failure.text);
    safetensors_writer_free(w);
    return scratch_path(name);
}
