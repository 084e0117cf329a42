/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "backward_blockwise.h"

#include "blocks.h"
#include "system.h"

/* All that the blocks of one backward pass share. */
typedef struct Pass {
    Blocks b;
    const Answers *forward;
    Matrix D, dO, delta; /* delta_t = dO_t . O_t, L x 1 */
    Matrix T1, dT1;      /* as all_T1 */
    TakeBack how;
    Gradients *g;
} Pass;

/* The key block T_j on its way down: D_j as it was before query block i, the gradient of D_j as it was
 * after, and, for taking back by recomputation, each D_j of the way up: row block i of L x d. */
typedef struct Keys {
    size_t j;
    Matrix D, dD, kept;
} Keys;

/* G = sigmoid(Z), Z = scale QU_j KU_i^T, with dG the gradient of G: on to dQU_j and dKU_i. */
static void through_gates(const Pass *p, size_t i, size_t j, Matrix gates, Matrix dG)
{
    const Head *h = p->b.head;
    Matrix dZ = stage(STAGE_DZ, hadamard(stage(STAGE_DG, dG), map(GATE_SLOPE, gates)));
    Matrix to_QU = product(dZ, block(&p->b, h->KU, i), EVERYWHERE);
    accumulate(block(&p->b, p->g->dQU, j), scaled_in_place(h->scale, to_QU));
    Matrix to_KU = product_tn(dZ, block(&p->b, h->QU, j), EVERYWHERE);
    accumulate(block(&p->b, p->g->dKU, i), scaled_in_place(h->scale, to_KU));
}

/* (23), D_j = D_j + G VU_i, taken back: dD_j, complete for all query blocks after i, reaches VU_i. Returns
 * what of it reaches G. */
static Matrix through_update(const Pass *p, size_t i, const Keys *keys, Matrix G)
{
    Matrix VU = block(&p->b, p->b.head->VU, i);
    Scope scope = scope_open(G.in);
    accumulate(block(&p->b, p->g->dVU, i), product_tn(G, keys->dD, EVERYWHERE));
    if (i > keys->j && p->how == BY_SUBTRACTION) /* (33) */
        assign(keys->D, subtract(keys->D, product(G, VU, EVERYWHERE)));
    scope_close(G.in, scope);
    return product_nt(keys->dD, VU, G.band);
}

/* T1_ii = (scale QC_i VU_i^T) o tril, once dT1_ii is complete. */
static void through_T1(const Pass *p, size_t i)
{
    const Head *h = p->b.head;
    Matrix dT1 = stage(STAGE_DT1, T1_of(&p->b, p->dT1, i));
    Matrix to_QC = product(dT1, block(&p->b, h->VU, i), EVERYWHERE);
    accumulate(block(&p->b, p->g->dQC, i), scaled_in_place(h->scale, to_QC));
    Matrix to_VU = product_tn(dT1, block(&p->b, h->QC, i), EVERYWHERE);
    accumulate(block(&p->b, p->g->dVU, i), scaled_in_place(h->scale, to_VU));
}

/* S_ij, P_ij and O_i: from dO_i on to dVC_j, dQC_i, dKC_j. Returns dSU_ij. */
static Matrix through_scores(const Pass *p, size_t i, size_t j, Matrix SU)
{
    const Blocks *b = &p->b;
    const Head *h = b->head;
    Scope scope = scope_open(SU.in);
    Matrix P = map(EXP, row_shift(block_scores(b, i, j, SU), block(b, p->forward->lse, i)));
    Matrix dO = block(b, p->dO, i), VC = block(b, h->VC, j);

    /* O = P VC; P = softmax(S) */
    accumulate(block(b, p->g->dVC, j), product_tn(stage(STAGE_P, P), dO, EVERYWHERE));
    Matrix dP = stage(STAGE_DP, product_nt(dO, VC, P.band));
    Matrix unrounded_dS = hadamard(P, row_shift(dP, block(b, p->delta, i)));
    Matrix dS = stage(STAGE_DS, unrounded_dS);

    /* S = scale QC KC^T - SiLU(SU) */
    Matrix to_QC = product(dS, variant_causal_keys(h, block(b, h->KC, j)), EVERYWHERE);
    accumulate(block(b, p->g->dQC, i), scaled_in_place(h->scale, to_QC));
    Matrix to_KC = product_tn(dS, block(b, h->QC, i), EVERYWHERE);
    to_KC = variant_causal_keys(h, scaled_in_place(h->scale, to_KC));
    accumulate(block(b, p->g->dKC, j), to_KC);
    Matrix dSU = stage(STAGE_DSU, negated(hadamard(unrounded_dS, variant_slope(h, SU))));
    return scope_keep(SU.in, scope, dSU);
}

/* SU_ij = scale QC_i D_j^T + T1_ii G^T: the first part, on to dQC_i and dD_j. */
static void through_D(const Pass *p, size_t i, const Keys *keys, Matrix dSU)
{
    const Head *h = p->b.head;
    Matrix to_QC = product(dSU, keys->D, EVERYWHERE);
    accumulate(block(&p->b, p->g->dQC, i), scaled_in_place(h->scale, to_QC));
    Matrix to_D = product_tn(dSU, block(&p->b, h->QC, i), EVERYWHERE);
    accumulate(keys->dD, scaled_in_place(h->scale, to_D));
}

/* The second part, on to dT1_ii and the gates, to which dG has come from D_j (if that has entries). */
static void through_diagonal(const Pass *p, size_t i, size_t j, Matrix dSU, Matrix gates, Matrix G,
                             Matrix dG)
{
    accumulate(T1_of(&p->b, p->dT1, i), product(dSU, G, CAUSAL));
    Matrix from_SU = product_tn(dSU, T1_of(&p->b, p->T1, i), G.band);
    through_gates(p, i, j, gates, dG.entries ? add(dG, from_SU) : from_SU);
}

/* One block (i, j): rebuilds the forward quantities, then follows the dense derivation. */
static void backward_block(const Pass *p, size_t i, const Keys *keys)
{
    const Blocks *b = &p->b;
    size_t j = keys->j;
    bool allowed = block_allowed(b, j, i), last = i + 1 == b->count;
    if (j == 0)
        keep_T1(b, p->T1, i);
    if (p->how == BY_RECOMPUTATION && i > j && !last)
        assign(keys->D, rows(keys->kept, i * b->size, keys->D.rows));
    Matrix gates = block_gates(b, j, i), G = stage(STAGE_G, gates), dG = {0};
    if (allowed && !last)
        dG = through_update(p, i, keys, G);
    Matrix SU = stage(STAGE_SU, block_SU(b, i, j, keys->D, T1_of(b, p->T1, i), G));
    Matrix dSU = through_scores(p, i, j, SU);

    Scope scope = scope_open(SU.in);
    if (i > j)
        through_D(p, i, keys, dSU);
    scope_close(SU.in, scope);
    if (allowed)
        through_diagonal(p, i, j, dSU, gates, G, dG);
    scope_close(SU.in, scope);
    if (i == j)
        through_T1(p, i);
}

/* D_j before each query block j < i < N - 1; before the last it is what the forward pass left. */
static void keep_partial_sums(const Pass *p, const Keys *keys)
{
    const Blocks *b = &p->b;
    for (size_t i = keys->j + 1; i + 1 < b->count; i++) {
        Scope scope = scope_open(p->dO.in);
        Matrix Dj = rows(keys->kept, i * b->size, keys->D.rows);
        assign(Dj, i > keys->j + 1 ? rows(keys->kept, (i - 1) * b->size, Dj.rows)
                                   : matrix(Dj.in, Dj.rows, Dj.cols));
        Matrix G = stage(STAGE_G, block_gates(b, keys->j, i - 1));
        take_in_block(b, Dj, keys->j, i - 1, G);
        scope_close(p->dO.in, scope);
    }
}

static void begin_keys(const Pass *p, Keys *keys)
{
    Scope scope = scope_open(p->dO.in);
    assign(keys->D, block(&p->b, p->D, keys->j));
    assign(keys->dD, matrix(keys->dD.in, keys->dD.rows, keys->dD.cols));
    scope_close(p->dO.in, scope);
    if (p->how == BY_RECOMPUTATION)
        keep_partial_sums(p, keys);
}

/* Key blocks one after the other; within one, query blocks from the last down. Several threads may have
 * key blocks under way, each in room of its own; every gradient is summed in the order of this text. */
static void backward_sweep(const Pass *p)
{
    const Blocks *b = &p->b;
    System *in = p->dO.in;
    int threads = team_begin(in);
    size_t at_once = threads > 1 ? 2 * (size_t)threads : 1, up = b->count * b->size;
    Matrix D = matrix(in, at_once * b->size, p->dO.cols), dD = matrix(in, D.rows, D.cols);
    Matrix kept = matrix(in, p->how == BY_RECOMPUTATION ? at_once * up : 0, D.cols);
#pragma omp parallel num_threads(threads)
#pragma omp master
    for (size_t j = 0; j < b->count; j++) {
        size_t place = j % at_once, n = block(b, p->dO, j).rows;
        Keys keys = {j, rows(D, place * b->size, n), rows(dD, place * b->size, n), kept};
        if (kept.rows)
            keys.kept = rows(kept, place * up, up);
#pragma omp task if (threads > 1) depend(inout : *(char *)keys.D.entries)
        begin_keys(p, &keys);
        for (size_t i = b->count; i-- > j;) {
#pragma omp task if (threads > 1) depend(inout \
                                         : *(char *)keys.D.entries, *block_turn(b, p->g->dQC, i))
            {
                Scope scope = scope_open(in);
                backward_block(p, i, &keys);
                scope_close(in, scope);
            }
        }
    }
    team_end(in);
}

void backward_blockwise(const Head *h, size_t size, const Answers *forward, Matrix D, Matrix dO,
                        TakeBack how, Gradients *g)
{
    System *in = h->QC.in;
    Scope scope = scope_open(in);
    Pass p = {.b = blocks_of(h, size, __func__), forward, D, dO, .how = how, .g = g};
    p.delta = row_dot(dO, forward->O);
    p.T1 = all_T1(&p.b);
    p.dT1 = all_T1(&p.b);
    Matrix *gradients[] = {&g->dQU, &g->dKU, &g->dVU, &g->dQC, &g->dKC, &g->dVC};
    for (size_t k = 0; k < sizeof gradients / sizeof gradients[0]; k++)
        assign(*gradients[k], matrix(in, h->QC.rows, h->QC.cols));
    backward_sweep(&p);
    scope_close(in, scope);
}
