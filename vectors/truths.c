/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "truths.h"

#include "progress.h"
#include "scales.h"
#include "system.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sigma has 3 significant bits: exact in F32 but for its range, where it must not become smaller. */
static double sigma_in_float(double sigma)
{
    const double least = ldexp(1, -149);
    if (sigma > 0 && sigma < least)
        return least;
    double rounded = format_round_double(sigma, &BINARY32);
    return rounded < sigma ? nextafterf((float)rounded, INFINITY) : rounded;
}

static void take_answer(Truths *all, const Task *task, size_t index, Answer a, const Truth *t,
                        const double *sigma)
{
    const Format *format = number_format(task->type);
    size_t n = t->rows * t->cols, at = index * n;
    for (size_t k = 0; k < n; k++) {
        all->value[a][at + k] = t->value[k];
        all->tail[a][at + k] = t->tail[k];
        all->typed[a][at + k] = truth_in_format(t, k, format);
        all->tally[a][t->certificate[k]]++;
    }
    Problem p = task_problem(task, index);
    size_t run = sigma_run(&p, a), runs = n / run;
    for (size_t i = 0; i < runs; i++)
        all->sigma[a][index * runs + i] = sigma_in_float(sigma[i * run]);
}

static void solve_problem(Truths *all, const Task *task, size_t index, bool naive)
{
    Problem p = task_problem(task, index);
    Oracle *o = oracle(&p, true, naive);
    Scales *s = error_sigmas(&p, &task->arithmetic, o, SCALE_SEED);
#pragma omp critical(truths)
    {
        for (Answer a = 0; a < ANSWERS; a++)
            if (all->value[a])
                take_answer(all, task, index, a, &o->truth[a], s->sigma[a]);
        all->ties += o->ties;
        all->bits = o->bits > all->bits ? o->bits : all->bits;
        all->log2_radius = fmax(all->log2_radius, o->log2_radius);
        all->naive += o->naive_ran && !o->naive_outside;
        all->outside += o->naive_outside;
    }
    scales_free(s);
    oracle_free(o);
}

Truths truths_of(const Task *task, bool naive, const char *what)
{
    Truths all = {.log2_radius = -INFINITY};
    size_t problems = task_problems(task);
    for (Answer a = 0; a < ANSWERS; a++)
        if (task_asks(task, a)) {
            Layout l = answer_layout(&task->size, a), scales = sigma_layout(&task->size, a);
            size_t n = layout_count(&l);
            all.value[a] = room_for(__func__, n, sizeof(double));
            all.tail[a] = room_for(__func__, n, sizeof(double));
            all.typed[a] = room_for(__func__, n, sizeof(double));
            all.sigma[a] = room_for(__func__, layout_count(&scales), sizeof(double));
        }
    Progress *progress = !what
                             ? NULL
                             : progress_begin(what, task->size.width ? "layer" : "head", problems);
#pragma omp parallel for schedule(dynamic, 1) if (problems > 1)
    for (size_t k = 0; k < problems; k++) {
        solve_problem(&all, task, k, naive);
#pragma omp critical
        progress_step(progress);
    }
    progress_end(progress);
    return all;
}

void truths_free(Truths *all)
{
    for (Answer a = 0; a < ANSWERS; a++) {
        free(all->value[a]);
        free(all->tail[a]);
        free(all->typed[a]);
        free(all->sigma[a]);
    }
    *all = (Truths){0};
}

void truths_write_one(const Truths *all, const Task *task, Answer a, const char *as,
                      SafetensorsWriter *w)
{
    Layout l = answer_layout(&task->size, a), scales = sigma_layout(&task->size, a);
    char name[40], type[8];
    safetensors_add(w, as, TYPE_F64, l.dims, l.shape, all->value[a]);
    snprintf(name, sizeof name, "%s.lo", as);
    safetensors_add(w, name, TYPE_F64, l.dims, l.shape, all->tail[a]);
    if (task->type != TYPE_F64) {
        snprintf(type, sizeof type, "%s", number_type_name(task->type));
        for (char *c = type; *c; c++)
            *c |= *c >= 'A' && *c <= 'Z' ? 0x20 : 0;
        snprintf(name, sizeof name, "%s.%s", as, type);
        safetensors_add(w, name, task->type, l.dims, l.shape, all->typed[a]);
    }
    snprintf(name, sizeof name, "%s.sigma", as);
    safetensors_add(w, name, TYPE_F32, scales.dims, scales.shape, all->sigma[a]);
}

void truths_write(const Truths *all, const Task *task, SafetensorsWriter *w)
{
    for (Answer a = 0; a < ANSWERS; a++)
        if (all->value[a])
            truths_write_one(all, task, a, answer_name(a), w);
}
