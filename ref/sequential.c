/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sequential.h"

/* Indices here count from 0: step t has seen tokens 0..t, `seen` = t + 1 of them. */

/* (3), (9): u_s^t = sum over j, s < j <= min(t, s + W), of sigmoid(scale QU_s . KU_j) VU_j. 1 x d. */
static Matrix lookahead_key(const Head *h, size_t s, size_t seen)
{
    size_t first = s + 1;
    size_t end = h->window < seen - first ? first + h->window : seen;
    Matrix KU = rows(h->KU, first, end - first);
    Matrix VU = rows(h->VU, first, end - first);
    Matrix gates = map(SIGMOID, scaled(h->scale, product_nt(row(h->QU, s), KU, EVERYWHERE)));
    return product(gates, VU, EVERYWHERE);
}

/* U^t, seen x d: every lookahead key that exists after step t. */
static Matrix lookahead_keys(const Head *h, size_t seen)
{
    System *in = h->QU.in;
    Matrix U = matrix(in, seen, h->QU.cols);
    for (size_t s = 0; s < seen; s++) {
        Scope scope = scope_open(in);
        assign(row(U, s), lookahead_key(h, s, seen));
        scope_close(in, scope);
    }
    return U;
}

/* (5): sC_s = scale QC_t . KC_s for s <= t. 1 x seen. */
static Matrix causal_scores(const Head *h, size_t t)
{
    Matrix KC = variant_causal_keys(h, rows(h->KC, 0, t + 1));
    return scaled(h->scale, product_nt(row(h->QC, t), KC, EVERYWHERE));
}

/* (6): sU_s = scale QC_t . u_s^t for s <= t. 1 x seen. */
static Matrix lookahead_scores(const Head *h, size_t t, Matrix Ut)
{
    return scaled(h->scale, product_nt(row(h->QC, t), Ut, EVERYWHERE));
}

/* (7): p = softmax over s <= t of sC_s - SiLU(sU_s), as printed; *l is its denominator. */
static Matrix weights(const Head *h, Matrix sC, Matrix sU, Matrix *l)
{
    Matrix e = map(EXP, subtract(sC, variant_penalty(h, sU)));
    *l = row_sum(e);
    return row_divide(e, *l);
}

/* (8): o_t = sum over s <= t of p_s VC_s. 1 x d. */
static Matrix output(const Head *h, Matrix p)
{
    return product(p, rows(h->VC, 0, p.cols), EVERYWHERE);
}

void sequential(const Head *h, Answers *answers)
{
    head_must_be_sound(h, __func__);
    System *in = h->QC.in;
    for (size_t t = 0; t < h->QC.rows; t++) {
        Scope scope = scope_open(in);
        Matrix Ut = lookahead_keys(h, t + 1);
        Matrix sC = causal_scores(h, t);
        Matrix sU = lookahead_scores(h, t, Ut);
        Matrix l;
        Matrix p = weights(h, sC, sU, &l);
        assign(row(answers->O, t), output(h, p));
        assign(row(answers->lse, t), map(LOG, l));
        assign(columns(row(answers->SU, t), 0, t + 1), sU);
        assign(rows(answers->U, 0, t + 1), Ut);
        scope_close(in, scope);
    }
}
