/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "parallel.h"

void parallel(const Head *h, Answers *answers)
{
    head_must_be_sound(h, __func__);
    Scope scope = scope_open(h->QC.in);
    Matrix c = h->scale;

    /* (11): SU = ((scale QC VU^T) o tril) (sigmoid(scale QU KU^T) o allowed)^T */
    Matrix T1 = stage(STAGE_T1, scaled(c, product_nt(h->QC, h->VU, CAUSAL)));
    Matrix G = stage(STAGE_G,
                     map(SIGMOID, scaled(c, product_nt(h->QU, h->KU, lookahead(h->window)))));
    Matrix SU = stage(STAGE_SU, product_nt(T1, G, EVERYWHERE));

    /* (12): O = row_softmax(scale QC KC^T - SiLU(SU), over s <= t) VC */
    Matrix SC = stage(STAGE_SC, scaled(c, product_nt(h->QC, h->KC, CAUSAL)));
    Matrix lse;
    Matrix P = stage(STAGE_P, row_softmax(subtract(SC, map(SILU, SU)), &lse));
    assign(answers->O, stage(STAGE_O, product(P, h->VC, EVERYWHERE)));
    assign(answers->lse, stage(STAGE_LSE, lse));
    assign(answers->SU, SU);

    /* (3) at t = L: U^L = (sigmoid(scale QU KU^T) o allowed) VU */
    assign(answers->U, stage(STAGE_U, product(G, h->VU, EVERYWHERE)));
    scope_close(h->QC.in, scope);
}
