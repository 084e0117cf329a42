/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "as_printed.h"

#include "system.h"

Forward forward_as_printed(const Head *h, Misprint misprint)
{
    Matrix c = h->scale;
    Band allowed = lookahead(h->window);
    if (misprint == PRINTED_DIAGONAL_OPEN)
        allowed.lo = 0;
    Matrix Z = product_nt(h->QU, h->KU, allowed);
    Matrix G = map(SIGMOID, misprint == PRINTED_GATE_UNSCALED ? Z : scaled(c, Z));
    Matrix T1 = scaled(c, product_nt(h->QC, h->VU, CAUSAL));
    Matrix SU = product_nt(T1, G, EVERYWHERE);
    if (misprint == PRINTED_DOUBLE_SCALE)
        SU = scaled(c, SU);
    Matrix SC = scaled(c, product_nt(h->QC, h->KC, CAUSAL)), lse;
    Matrix P = row_softmax(subtract(SC, map(SILU, SU)), &lse);
    Matrix V = misprint == PRINTED_V_OUTPUT ? h->VU : h->VC;
    return (Forward){.O = product(P, V, EVERYWHERE), .U = product(G, h->VU, EVERYWHERE)};
}

/* A without the entries of its diagonal blocks. */
static Matrix off_diagonal(Matrix A, size_t block)
{
    Matrix B = matrix(A.in, A.rows, A.cols);
    assign(B, A);
    for (size_t first = 0; first < A.rows; first += block) {
        size_t n = A.rows - first < block ? A.rows - first : block;
        assign(columns(rows(B, first, n), first, n), matrix(A.in, n, n));
    }
    B.band = A.band;
    return B;
}

/* P o (dP - delta), or what is printed in its place. */
static Matrix score_gradient(const Head *h, const Stages *f, Matrix P, Matrix dO, size_t block,
                             Misprint misprint)
{
    Matrix V = misprint == PRINTED_V_GRADIENT ? h->VU : h->VC;
    Matrix dP = product_nt(dO, V, CAUSAL), delta = row_dot(dO, f->O);
    if (misprint == PRINTED_DELTA_OUTSIDE)
        return row_shift(hadamard(P, dP), delta);
    if (misprint != PRINTED_DELTA_BY_BLOCK)
        return hadamard(P, row_shift(dP, delta));
    Matrix dS = matrix(P.in, P.rows, P.cols);
    for (size_t first = 0; first < P.cols; first += block) {
        size_t n = P.cols - first < block ? P.cols - first : block;
        Matrix Pj = columns(P, first, n);
        Matrix part = product(columns(f->P, first, n), rows(h->VC, first, n), EVERYWHERE);
        assign(columns(dS, first, n),
               hadamard(Pj, row_shift(columns(dP, first, n), row_dot(dO, part))));
    }
    dS.band = P.band;
    return dS;
}

Gradients backward_as_printed(const Head *h, Matrix dO, size_t block, Misprint misprint)
{
    Matrix c = h->scale;
    Stages f = parallel_stages(h);
    Matrix P = map(EXP, row_shift(f.S, f.lse));
    Matrix dS = score_gradient(h, &f, P, dO, block, misprint);
    Matrix dSU = negated(hadamard(dS, variant_slope(h, f.SU)));
    Matrix G = misprint == PRINTED_MERGE ? off_diagonal(f.G, block) : f.G;
    Matrix dT1 = product(dSU, G, CAUSAL);
    Matrix dG = product_tn(dSU, f.T1, lookahead(h->window));
    Matrix dZ = hadamard(dG, map(GATE_SLOPE, f.gates));
    Matrix merged = misprint == PRINTED_MERGE ? off_diagonal(dZ, block) : dZ;
    Matrix dS_KC = misprint == PRINTED_DIAGONAL_KC ? off_diagonal(dS, block) : dS;
    Matrix dS_QC = misprint == PRINTED_DIAGONAL_QC ? off_diagonal(dS, block) : dS;
    Matrix through_SC = product(dS_QC, h->KC, EVERYWHERE);
    Matrix through_T1 = product(product(dSU, f.G, CAUSAL), h->VU, EVERYWHERE);
    Gradients g = {
        .dQU = scaled(c, product(dZ, h->KU, EVERYWHERE)),
        .dKU = scaled(c, product_tn(merged, h->QU, EVERYWHERE)),
        .dVU = scaled(c, product_tn(dT1, h->QC, EVERYWHERE)),
        .dQC = scaled(c, add(through_SC, through_T1)),
        .dKC = scaled(c, product_tn(dS_KC, h->QC, EVERYWHERE)),
        .dVC = product_tn(P, dO, EVERYWHERE),
    };
    if (misprint == PRINTED_LINE_13)
        g.dKU = matrix(P.in, g.dKU.rows, g.dKU.cols);
    return g;
}
