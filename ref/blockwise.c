/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "blockwise.h"

#include "blocks.h"
#include "system.h"

/* The online softmax of query block i so far: the running maximum m, the sum l of exp(score - m), and O
 * before its division by l. Views of answers that are being built. */
typedef struct Online {
    Matrix m, l, O;
} Online;

/* Algorithm 2. The first block of a query block begins with m; later ones rescale by exp(m - new m). */
static void online_softmax(Online s, Matrix scores, Matrix VC, bool first)
{
    Matrix m = row_reference(scores, first ? NULL : &s.m);
    Matrix P = stage(STAGE_P, map(EXP, row_shift(scores, m)));
    Matrix l = row_sum(P), O = product(P, VC, EVERYWHERE);
    if (!first) {
        Matrix rescale = map(EXP, subtract(s.m, m));
        l = add(row_scale(s.l, rescale), l);
        O = add(row_scale(s.O, rescale), O);
    }
    assign(s.m, m);
    assign(s.l, l);
    assign(s.O, O);
}

/* (23): D_j takes in the tokens of block e. */
static void update_D(const Blocks *b, Matrix Dj, size_t j, size_t e)
{
    if (!block_allowed(b, j, e))
        return;
    Matrix G = stage(STAGE_G, block_gates(b, j, e));
    assign(Dj, add(Dj, product(G, block(b, b->head->VU, e), EVERYWHERE)));
}

void blockwise(const Head *h, size_t size, Answers *answers, Matrix D)
{
    Blocks b = blocks_of(h, size, __func__);
    System *in = h->QC.in;
    Scope outer = scope_open(in);
    Matrix m = matrix(in, h->QC.rows, 1), l = matrix(in, h->QC.rows, 1);
    assign(D, matrix(in, D.rows, D.cols));
    for (size_t k = 0; k < b.count; k++)
        for (size_t j = 0; j + k < b.count; j++) {
            Scope scope = scope_open(in);
            size_t i = j + k;
            Matrix Dj = block(&b, D, j);
            if (k >= 1)
                update_D(&b, Dj, j, i - 1);
            Matrix T1 = stage(STAGE_T1, block_T1(&b, i));
            Matrix G = stage(STAGE_G, block_gates(&b, j, i));
            Matrix SU = stage(STAGE_SU, block_SU(&b, i, j, Dj, T1, G));
            if (answers->SU.entries)
                assign(columns(block(&b, answers->SU, i), block_start(&b, j), SU.cols), SU);
            Online row = {block(&b, m, i), block(&b, l, i), block(&b, answers->O, i)};
            online_softmax(row, block_scores(&b, i, j, SU), block(&b, h->VC, j), k == 0);
            scope_close(in, scope);
        }
    assign(answers->O, stage(STAGE_O, row_divide(answers->O, l)));
    assign(answers->lse, stage(STAGE_LSE, add(m, map(LOG, l))));
    scope_close(in, outer);
}
