/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gradient_support.h"

#include "blockwise.h"
#include "decode.h"
#include "majorant.h"
#include "parallel.h"
#include "sequential.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- problems and forms ---------------------------------------------------------------------- */

void say_setting(const Setting *s)
{
    print_error("gradients: L %zu d %zu W %zd variant %d, %s, seed %lu: ", s->L, s->d,
                (ptrdiff_t)s->window, (int)s->variant, family_name(s->family), s->seed);
}

size_t setting_components(const Setting *s) { return INPUTS * s->L * s->d; }

RandomProblem setting_numbers(const Setting *s)
{
    return random_problem(s->family, s->L, s->d, s->window, &BINARY32, s->seed);
}

double *random_direction(const Setting *s, unsigned long seed)
{
    RandomProblem r = random_problem(PLAIN, s->L, s->d, s->window, &BINARY32, 1000 + seed);
    return r.numbers;
}

Matrix fixed_matrix(System *in, size_t rows, size_t cols, const double *x, const double *v)
{
    (void)v;
    return matrix_from(in, rows, cols, x);
}

Head setting_head(System *in, Maker *make, const Setting *s, const double *x, const double *v,
                  Matrix *dO)
{
    size_t n = s->L * s->d;
    Head h = {.window = s->window, .variant = s->variant, .scale = matrix(in, 1, 1)};
    Matrix *to[] = {&h.QU, &h.KU, &h.VU, &h.QC, &h.KC, &h.VC};
    for (size_t k = 0; k < INPUTS; k++)
        *to[k] = make(in, s->L, s->d, x + k * n, v ? v + k * n : NULL);
    in->op->inverse_root(in, h.scale.entries, s->d);
    *dO = matrix_from(in, s->L, s->d, x + INPUTS * n);
    return h;
}

const char *form_name(size_t form)
{
    static const char *const forms[] = {"sequential", "parallel", "decode", "blockwise"};
    return forms[form < BLOCKWISE ? form : BLOCKWISE];
}

Matrix output_of(size_t form, const Head *h)
{
    Answers a = answers_for(h);
    if (form == SEQUENTIAL)
        sequential(h, &a);
    else if (form == PARALLEL)
        parallel(h, &a);
    else if (form == DECODE)
        decode(h, &a);
    else
        blockwise(h, form - BLOCKWISE, &a, matrix(h->QC.in, h->QC.rows, h->QC.cols));
    return a.O;
}

Matrix inner_product(Matrix A, Matrix B)
{
    Matrix r = row_dot(A, B);
    return product_tn(r, ones_like(r), EVERYWHERE);
}

/* ---- gradients and their bounds -------------------------------------------------------------- */

const char *const gradient_names[INPUTS] = {"dQU", "dKU", "dVU", "dQC", "dKC", "dVC"};

static Six six(Gradients g) { return (Six){{g.dQU, g.dKU, g.dVU, g.dQC, g.dKC, g.dVC}}; }

Six dense_gradients(const Head *h, Matrix dO)
{
    Gradients g = gradients_for(h);
    backward(h, dO, &g);
    return six(g);
}

Six blockwise_gradients(const Head *h, Matrix dO, size_t block, TakeBack how)
{
    Gradients g = gradients_for(h);
    Answers a = answers_for(h);
    Matrix D = matrix(dO.in, dO.rows, dO.cols);
    blockwise(h, block, &a, D);
    backward_blockwise(h, block, &a, D, dO, how, &g);
    return six(g);
}

static Solved solved(const Setting *s)
{
    Solved p = {.s = *s, .r = setting_numbers(s)};
    p.in = mpfr_system(BITS);
    p.bounds = majorant_system();
    Matrix dO;
    Head h = setting_head(p.in, fixed_matrix, s, p.r.numbers, NULL, &dO);
    p.g = dense_gradients(&h, dO);
    h = setting_head(p.bounds, majorant_matrix, s, p.r.numbers, NULL, &dO);
    p.error = dense_gradients(&h, dO);
    return p;
}

static void solved_free(Solved *p)
{
    random_problem_free(&p->r);
    system_free(p->in);
    system_free(p->bounds);
}

void gradient_along(mpfr_t y, const Solved *p, const double *v, double *absolute, double *error)
{
    size_t n = p->s.L * p->s.d;
    mpfr_t term;
    mpfr_init2(term, WIDE);
    mpfr_set_zero(y, 1);
    *absolute = *error = 0;
    for (size_t i = 0; i < setting_components(&p->s); i++) {
        size_t row = i % n / p->s.d, column = i % p->s.d;
        mpfr_mul_d(term, entry(p->g.of[i / n], row, column), v[i], MPFR_RNDN);
        mpfr_add(y, y, term, MPFR_RNDN);
        *absolute += fabs(mpfr_get_d(term, MPFR_RNDN));
        *error += fabs(v[i]) * majorant_at(p->error.of[i / n], row, column)->value_error;
    }
    mpfr_clear(term);
}

double largest_entry(Matrix A)
{
    double most = 0;
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++)
            most = fmax(most, fabs(mpfr_get_d(entry(A, i, j), MPFR_RNDN)));
    return most;
}

/* ---- what tests go over ---------------------------------------------------------------------- */

void for_small_settings(EachSolved *f)
{
    size_t longest = repetitions(10) < 10 ? 2 : 4;
    for (size_t L = 1; L <= longest; L++)
        for (size_t d = 1; d <= 2; d++)
            for (Variant variant = CASTLE; variant <= WITHOUT_SILU; variant++) {
                const size_t windows[] = {NO_WINDOW, L, 0, 1, 2};
                for (size_t w = 0; w < 5 && (w < 2 || windows[w] < L); w++) {
                    Setting s = {L, d, windows[w], variant, PLAIN, 100 * L + 10 * d + w};
                    Solved p = solved(&s);
                    f(&p);
                    solved_free(&p);
                }
            }
}

void for_larger_settings(EachSolved *f, size_t count)
{
    const size_t windows[] = {NO_WINDOW, 12, 0, 1, 2, 5};
    for (size_t r = 0; r < count; r++)
        for (Variant variant = CASTLE; variant <= WITHOUT_SILU; variant++) {
            Family family = (Family)(r / 2 % FAMILIES);
            Setting s = {12, 4, windows[r % 6], variant, family, 7 * r + variant};
            Solved p = solved(&s);
            f(&p);
            solved_free(&p);
        }
}

void for_every_direction(Solved *p, EachDirection *f)
{
    for_a_random_direction(p, f);
    double *v = calloc(setting_components(&p->s), sizeof *v);
    for (size_t i = 0; i < setting_components(&p->s); i++) {
        v[i] = 1;
        f(p, v, i);
        v[i] = 0;
    }
    free(v);
}

void for_a_random_direction(Solved *p, EachDirection *f)
{
    double *v = random_direction(&p->s, p->s.seed);
    f(p, v, ALL);
    free(v);
}
