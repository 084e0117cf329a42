/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "trials.h"

#include <gsl/gsl_fit.h>
#include <math.h>
#include <string.h>

Head field_head(System *field, size_t L, size_t d, size_t window, uint64_t *state)
{
    Head h = {.window = window};
    Matrix *inputs[] = {&h.QU, &h.KU, &h.VU, &h.QC, &h.KC, &h.VC};
    for (Input k = 0; k < INPUTS; k++)
        *inputs[k] = field_random_matrix(field, L, d, state);
    h.scale = field_random_matrix(field, 1, 1, state);
    return h;
}

void compare_bits(Tally *t, Matrix A, Matrix B)
{
    if (A.rows != B.rows || A.cols != B.cols || A.in->op->bytes != B.in->op->bytes)
        stop_on_bug(__func__, "%zu x %zu and %zu x %zu", A.rows, A.cols, B.rows, B.cols);
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++) {
            t->compared++;
            t->different += memcmp(entry(A, i, j), entry(B, i, j), A.in->op->bytes) != 0;
        }
}

void compare_gradient_bits(Tally *t, const Gradients *a, const Gradients *b)
{
    compare_bits(t, a->dQU, b->dQU);
    compare_bits(t, a->dKU, b->dKU);
    compare_bits(t, a->dVU, b->dVU);
    compare_bits(t, a->dQC, b->dQC);
    compare_bits(t, a->dKC, b->dKC);
    compare_bits(t, a->dVC, b->dVC);
}

double tally_chance(const Tally *t, unsigned degree)
{
    return degree * (double)t->compared / (double)FIELD_PRIME;
}

Items drawn(size_t L, size_t d, size_t window, unsigned long seed)
{
    Items items = {0};
    Drawn one = {"drawn", {1, 1, L, d, 0}, window, 1, CASTLE};
    add_drawn(&items, &one, seed);
    return items;
}

double log2_of(const mpfr_t x)
{
    long e;
    double m = mpfr_get_d_2exp(&e, x, MPFR_RNDN);
    return m == 0 ? -INFINITY : log2(fabs(m)) + (double)e;
}

double log2_gap(Matrix A, Matrix B)
{
    enum { WIDE = 8192 };
    if (A.rows != B.rows || A.cols != B.cols)
        stop_on_bug(__func__, "%zu x %zu and %zu x %zu", A.rows, A.cols, B.rows, B.cols);
    double gap = -INFINITY, largest = -INFINITY;
    mpfr_t a, b;
    mpfr_inits2(WIDE, a, b, (mpfr_ptr)0);
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++) {
            A.in->op->get(A.in, a, entry(A, i, j));
            B.in->op->get(B.in, b, entry(B, i, j));
            largest = fmax(largest, log2_of(b));
            mpfr_sub(a, a, b, MPFR_RNDN);
            gap = mpfr_number_p(a) ? fmax(gap, log2_of(a)) : INFINITY;
        }
    mpfr_clears(a, b, (mpfr_ptr)0);
    return gap == -INFINITY ? gap : gap - largest;
}

double log2_gap_bound(Matrix A, Matrix B, int shift)
{
    double gap = 0, largest = 0;
    if (A.rows != B.rows || A.cols != B.cols)
        stop_on_bug(__func__, "%zu x %zu and %zu x %zu", A.rows, A.cols, B.rows, B.cols);
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++) {
            const Bounded *a = entry(A, i, j), *b = entry(B, i, j);
            gap = fmax(gap, a->error + b->error);
            largest = fmax(largest, fabs(b->x) - b->error); /* what is left of it at the least */
        }
    return log2(gap) + shift - log2(largest);
}

double fitted_slope(size_t n, const double *x, const double *y, double *error)
{
    double c0, slope, v00, v01, v11, residue;
    gsl_fit_linear(x, 1, y, 1, n, &c0, &slope, &v00, &v01, &v11, &residue);
    *error = sqrt(v11);
    return slope;
}
