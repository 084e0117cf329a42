/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "backward_blockwise.h"

#include "blocks.h"
#include "system.h"

/* All that the blocks of one backward pass share. */
typedef struct Pass {
    Blocks b;
    const Answers *forward;
    Matrix dO, delta; /* delta_t = dO_t . O_t, L x 1 */
    Gradients *g;
} Pass;

static void accumulate(Matrix sum, Matrix term) { assign(sum, add(sum, term)); }

/* G = sigmoid(Z), Z = scale QU_j KU_e^T, with dG the gradient of G: on to dQU_j and dKU_e. */
static void through_gates(const Pass *p, size_t j, size_t e, Matrix gates, Matrix dG)
{
    const Head *h = p->b.head;
    Matrix dZ = stage(STAGE_DZ, hadamard(stage(STAGE_DG, dG), map(GATE_SLOPE, gates)));
    accumulate(block(&p->b, p->g->dQU, j),
               scaled(h->scale, product(dZ, block(&p->b, h->KU, e), EVERYWHERE)));
    accumulate(block(&p->b, p->g->dKU, e),
               scaled(h->scale, product_tn(dZ, block(&p->b, h->QU, j), EVERYWHERE)));
}

/* SU_ij = scale QC_i D_j^T + T1_ii G^T, given dSU_ij: on to dQC_i, dVU_i, the gates, and dD_j. */
static void through_SU(const Pass *p, size_t i, size_t j, Matrix dSU, Matrix Dj, Matrix dDj,
                       Matrix T1, Matrix gates, Matrix G)
{
    const Head *h = p->b.head;
    Matrix QC = block(&p->b, h->QC, i), VU = block(&p->b, h->VU, i);
    if (i != j) {
        accumulate(block(&p->b, p->g->dQC, i), scaled(h->scale, product(dSU, Dj, EVERYWHERE)));
        accumulate(dDj, scaled(h->scale, product_tn(dSU, QC, EVERYWHERE)));
    }
    if (!block_allowed(&p->b, j, i))
        return;
    Matrix dT1 = stage(STAGE_DT1, product(dSU, G, CAUSAL));
    accumulate(block(&p->b, p->g->dQC, i), scaled(h->scale, product(dT1, VU, EVERYWHERE)));
    accumulate(block(&p->b, p->g->dVU, i), scaled(h->scale, product_tn(dT1, QC, EVERYWHERE)));
    through_gates(p, j, i, gates, product_tn(dSU, T1, G.band));
}

/* One block (i, j): rebuilds the forward quantities, then follows the dense derivation. */
static void backward_block(const Pass *p, size_t i, size_t j, Matrix Dj, Matrix dDj)
{
    const Blocks *b = &p->b;
    const Head *h = b->head;
    Matrix T1 = stage(STAGE_T1, block_T1(b, i));
    Matrix gates = block_gates(b, j, i), G = stage(STAGE_G, gates);
    Matrix SU = stage(STAGE_SU, block_SU(b, i, j, Dj, T1, G));
    Matrix P = map(EXP, row_shift(block_scores(b, i, j, SU), block(b, p->forward->lse, i)));
    Matrix dO = block(b, p->dO, i), VC = block(b, h->VC, j);

    /* O = P VC; P = softmax(S) */
    accumulate(block(b, p->g->dVC, j), product_tn(stage(STAGE_P, P), dO, EVERYWHERE));
    Matrix dP = stage(STAGE_DP, product_nt(dO, VC, P.band));
    Matrix unrounded_dS = hadamard(P, row_shift(dP, block(b, p->delta, i)));
    Matrix dS = stage(STAGE_DS, unrounded_dS);

    /* S = scale QC KC^T - SiLU(SU) */
    accumulate(
        block(b, p->g->dQC, i),
        scaled(h->scale, product(dS, variant_causal_keys(h, block(b, h->KC, j)), EVERYWHERE)));
    Matrix dKC = scaled(h->scale, product_tn(dS, block(b, h->QC, i), EVERYWHERE));
    accumulate(block(b, p->g->dKC, j), variant_causal_keys(h, dKC));
    Matrix dSU = stage(STAGE_DSU, negated(hadamard(unrounded_dS, variant_slope(h, SU))));
    through_SU(p, i, j, dSU, Dj, dDj, T1, gates, G);
}

/* D_j = D_j + gates VU_e, inverted: dD_j, complete for all query blocks after e, reaches VU_e and the
 * gates. */
static void through_update(const Pass *p, size_t j, size_t e, Matrix dDj)
{
    if (!block_allowed(&p->b, j, e))
        return;
    const Head *h = p->b.head;
    Matrix gates = block_gates(&p->b, j, e);
    Matrix VU = block(&p->b, h->VU, e);
    accumulate(block(&p->b, p->g->dVU, e), product_tn(stage(STAGE_G, gates), dDj, EVERYWHERE));
    through_gates(p, j, e, gates, product_nt(dDj, VU, gates.band));
}

/* The partial sums of D_j before each query block i > j, one under the other: row block i of L x d. */
static Matrix partial_sums(const Pass *p, size_t j)
{
    Matrix kept = matrix(p->dO.in, p->b.count * p->b.size, p->dO.cols);
    size_t n = block(&p->b, p->dO, j).rows;
    for (size_t i = j + 1; i < p->b.count; i++) {
        Scope scope = scope_open(p->dO.in);
        Matrix Dj = rows(kept, i * p->b.size, n);
        if (i > j + 1)
            assign(Dj, rows(kept, (i - 1) * p->b.size, n));
        if (block_allowed(&p->b, j, i - 1))
            accumulate(Dj, block_addition(&p->b, j, i - 1));
        scope_close(p->dO.in, scope);
    }
    return kept;
}

/* Key block j: query blocks from the last down to j. */
static void backward_keys(const Pass *p, size_t j, Matrix D, TakeBack how)
{
    System *in = p->dO.in;
    Scope outer = scope_open(in);
    Matrix Dj = matrix(in, block(&p->b, p->dO, j).rows, p->dO.cols);
    Matrix dDj = matrix(in, Dj.rows, Dj.cols);
    Matrix kept = how == BY_RECOMPUTATION ? partial_sums(p, j) : Dj;
    assign(Dj, block(&p->b, D, j));
    for (size_t i = p->b.count; i-- > j;) {
        Scope scope = scope_open(in);
        if (i > j && how == BY_RECOMPUTATION)
            assign(Dj, rows(kept, i * p->b.size, Dj.rows));
        backward_block(p, i, j, Dj, dDj);
        if (i > j) {
            through_update(p, j, i - 1, dDj);
            if (how == BY_SUBTRACTION && block_allowed(&p->b, j, i - 1)) /* (33) */
                assign(Dj, subtract(Dj, block_addition(&p->b, j, i - 1)));
        }
        scope_close(in, scope);
    }
    scope_close(in, outer);
}

void backward_blockwise(const Head *h, size_t size, const Answers *forward, Matrix D, Matrix dO,
                        TakeBack how, Gradients *g)
{
    System *in = h->QC.in;
    Scope scope = scope_open(in);
    Pass p = {blocks_of(h, size, __func__), forward, dO, row_dot(dO, forward->O), g};
    Matrix *gradients[] = {&g->dQU, &g->dKU, &g->dVU, &g->dQC, &g->dKC, &g->dVC};
    for (size_t k = 0; k < sizeof gradients / sizeof gradients[0]; k++)
        assign(*gradients[k], matrix(in, h->QC.rows, h->QC.cols));
    for (size_t j = 0; j < p.b.count; j++)
        backward_keys(&p, j, D, how);
    scope_close(in, scope);
}
