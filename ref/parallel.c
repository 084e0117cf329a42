/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "parallel.h"

Stages parallel_stages(const Head *h)
{
    Matrix c = h->scale;
    Stages f;

    /* (11): SU = ((scale QC VU^T) o tril) (sigmoid(scale QU KU^T) o allowed)^T */
    f.T1 = stage(STAGE_T1, scaled_in_place(c, product_nt(h->QC, h->VU, CAUSAL)));
    f.gates = map(SIGMOID, scaled_in_place(c, product_nt(h->QU, h->KU, lookahead(h->window))));
    f.G = stage(STAGE_G, f.gates);
    f.SU = stage(STAGE_SU, product_nt(f.T1, f.G, EVERYWHERE));

    /* (12): O = row_softmax(scale QC KC^T - SiLU(SU), over s <= t) VC */
    Matrix KC = variant_causal_keys(h, h->KC);
    Matrix SC = stage(STAGE_SC, scaled_in_place(c, product_nt(h->QC, KC, CAUSAL)));
    f.S = subtract(SC, variant_penalty(h, f.SU));
    f.P = stage(STAGE_P, row_softmax(f.S, &f.lse));
    f.lse = stage(STAGE_LSE, f.lse);
    f.O = stage(STAGE_O, product(f.P, h->VC, EVERYWHERE));
    return f;
}

void answer_from_stages(const Head *h, const Stages *f, Answers *answers)
{
    Scope scope = scope_open(h->QC.in);
    assign(answers->O, f->O);
    assign(answers->lse, f->lse);
    if (answers->SU.entries)
        assign(answers->SU, f->SU);

    /* (3) at t = L: U^L = (sigmoid(scale QU KU^T) o allowed) VU */
    assign(answers->U, stage(STAGE_U, product(f->G, h->VU, EVERYWHERE)));
    scope_close(h->QC.in, scope);
}

void parallel(const Head *h, Answers *answers)
{
    head_must_be_sound(h, __func__);
    Scope scope = scope_open(h->QC.in);
    Stages f = parallel_stages(h);
    answer_from_stages(h, &f, answers);
    scope_close(h->QC.in, scope);
}
