/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "directions.h"

#include "answers.h"
#include "dual.h"
#include "sequential.h"
#include "system.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double draw(gsl_rng *rng)
{
    double x = round(ldexp(gsl_ran_gaussian(rng, 1), 12));
    return ldexp(fmin(fmax(x, -32767), 32767), -12);
}

Direction random_line(size_t L, size_t d, size_t window, unsigned long seed)
{
    size_t n = INPUTS * L * d;
    Direction l = {L, d, window, room_for(__func__, n + L * d, sizeof(double)),
                   room_for(__func__, n, sizeof(double))};
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    gsl_rng_set(rng, seed);
    for (size_t i = 0; i < n + L * d; i++)
        l.x[i] = draw(rng);
    for (size_t i = 0; i < n; i++)
        l.v[i] = draw(rng);
    gsl_rng_free(rng);
    return l;
}

void line_free(Direction *l)
{
    free(l->x);
    free(l->v);
    *l = (Direction){0};
}

void line_along(Direction *l, size_t component)
{
    memset(l->v, 0, INPUTS * l->L * l->d * sizeof *l->v);
    l->v[component] = 1;
}

static Head empty_head(System *in, const Direction *l, Matrix *dO)
{
    Head h = {.window = l->window, .scale = matrix(in, 1, 1)};
    in->op->inverse_root(in, h.scale.entries, l->d);
    *dO = matrix_from(in, l->L, l->d, l->x + INPUTS * l->L * l->d);
    return h;
}

Head head_on_line(System *in, const Direction *l, double h, Matrix *dO)
{
    size_t n = l->L * l->d;
    Head head = empty_head(in, l, dO);
    Matrix *to[] = {&head.QU, &head.KU, &head.VU, &head.QC, &head.KC, &head.VC};
    Matrix step = matrix_from(in, 1, 1, &h);
    for (size_t k = 0; k < INPUTS; k++) {
        Matrix move = scaled(step, matrix_from(in, l->L, l->d, l->v + k * n));
        *to[k] = add(matrix_from(in, l->L, l->d, l->x + k * n), move);
    }
    return head;
}

Head dual_head(System *dual, const Direction *l, Matrix *dO)
{
    size_t n = l->L * l->d;
    Head head = empty_head(dual, l, dO);
    Matrix *to[] = {&head.QU, &head.KU, &head.VU, &head.QC, &head.KC, &head.VC};
    for (size_t k = 0; k < INPUTS; k++)
        *to[k] = dual_matrix(dual, l->L, l->d, l->x + k * n, l->v + k * n);
    return head;
}

Matrix inner_product_of(Matrix A, Matrix B)
{
    Matrix r = row_dot(A, B);
    return product_tn(r, ones_like(r), EVERYWHERE);
}

Matrix gradient_on_line(const Gradients *g, const Direction *l)
{
    const Matrix six[INPUTS] = {g->dQU, g->dKU, g->dVU, g->dQC, g->dKC, g->dVC};
    System *in = g->dQU.in;
    Matrix sum = matrix(in, 1, 1);
    for (size_t k = 0; k < INPUTS; k++) {
        Matrix v = matrix_from(in, l->L, l->d, l->v + k * l->L * l->d);
        sum = add(sum, inner_product_of(six[k], v));
    }
    return sum;
}

void tangent_of_definition(mpfr_t y, const Direction *l, long bits)
{
    System *in = dual_system(bits);
    Matrix dO;
    Head h = dual_head(in, l, &dO);
    Answers a = answers_for(&h);
    sequential(&h, &a);
    dual_tangent(y, inner_product_of(dO, a.O), 0, 0);
    system_free(in);
}

void value_of_definition(mpfr_t y, const Direction *l, double h, long bits)
{
    System *in = mpfr_system(bits);
    Matrix dO;
    Head head = head_on_line(in, l, h, &dO);
    Answers a = answers_for(&head);
    sequential(&head, &a);
    in->op->get(in, y, inner_product_of(dO, a.O).entries);
    system_free(in);
}
