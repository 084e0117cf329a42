/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "backward.h"

#include "parallel.h"
#include "system.h"

Gradients gradients_for(const Head *h)
{
    System *in = h->QC.in;
    size_t L = h->QC.rows, d = h->QC.cols;
    return (Gradients){matrix(in, L, d), matrix(in, L, d), matrix(in, L, d),
                       matrix(in, L, d), matrix(in, L, d), matrix(in, L, d)};
}

void backward(const Head *h, Matrix dO, Gradients *g)
{
    head_must_be_sound(h, __func__);
    Scope scope = scope_open(h->QC.in);
    Stages f = parallel_stages(h);
    backward_from_stages(h, &f, dO, g);
    scope_close(h->QC.in, scope);
}

void backward_from_stages(const Head *h, const Stages *f, Matrix dO, Gradients *g)
{
    if (dO.rows != h->QC.rows || dO.cols != h->QC.cols || dO.in != h->QC.in)
        stop_on_bug(__func__, "dO is %zu x %zu, QC %zu x %zu", dO.rows, dO.cols, h->QC.rows,
                    h->QC.cols);
    Scope scope = scope_open(h->QC.in);
    Matrix c = h->scale;

    /* O = P VC */
    Matrix P = map(EXP, row_shift(f->S, f->lse));
    assign(g->dVC, stage(STAGE_DVC, product_tn(stage(STAGE_P, P), dO, EVERYWHERE)));
    Matrix dP = stage(STAGE_DP, product_nt(dO, h->VC, CAUSAL));

    /* P = row_softmax(S): dS = P o (dP - delta), delta_t = dO_t . O_t */
    Matrix unrounded_dS = hadamard(P, row_shift(dP, row_dot(dO, f->O)));
    Matrix dS = stage(STAGE_DS, unrounded_dS);

    /* S = SC - SiLU(SU) */
    Matrix dSU = stage(STAGE_DSU, negated(hadamard(unrounded_dS, variant_slope(h, f->SU))));

    /* SU = T1 G^T, T1 within tril, G within allowed */
    Matrix dT1 = stage(STAGE_DT1, product(dSU, f->G, CAUSAL));
    Matrix dG = stage(STAGE_DG, product_tn(dSU, f->T1, lookahead(h->window)));

    /* G = sigmoid(Z), Z = scale QU KU^T: dZ = dG o G o (1 - G) */
    Matrix dZ = stage(STAGE_DZ, hadamard(dG, map(GATE_SLOPE, f->gates)));
    assign(g->dQU, stage(STAGE_DQU, scaled(c, product(dZ, h->KU, EVERYWHERE))));
    assign(g->dKU, stage(STAGE_DKU, scaled(c, product_tn(dZ, h->QU, EVERYWHERE))));

    /* T1 = scale QC VU^T and SC = scale QC KC^T: QC takes gradient from both */
    assign(g->dVU, stage(STAGE_DVU, scaled(c, product_tn(dT1, h->QC, EVERYWHERE))));
    Matrix KC = variant_causal_keys(h, h->KC);
    Matrix through_SC = product(dS, KC, EVERYWHERE);
    Matrix through_T1 = product(dT1, h->VU, EVERYWHERE);
    assign(g->dQC, stage(STAGE_DQC, scaled(c, add(through_SC, through_T1))));
    Matrix dKC = scaled(c, product_tn(dS, h->QC, EVERYWHERE));
    assign(g->dKC, stage(STAGE_DKC, variant_causal_keys(h, dKC))); /* 0 where KC takes no part */
    scope_close(h->QC.in, scope);
}
