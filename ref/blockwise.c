/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "blockwise.h"

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

void take_in_block(const Blocks *b, Matrix D, size_t j, size_t e)
{
    if (!block_allowed(b, j, e))
        return;
    Matrix Dj = block(b, D, j);
    assign(Dj, add(Dj, block_addition(b, j, e)));
}

/* Queries T_i and keys T_j. */
static void sweep_block(const Blocks *b, size_t i, size_t j, Matrix D, Matrix wanted_SU, Online all)
{
    if (i > j && i > b->done) /* T_{i-1} is new: D_j lacks it yet */
        take_in_block(b, D, j, i - 1);
    Matrix T1 = stage(STAGE_T1, block_T1(b, i));
    Matrix G = stage(STAGE_G, block_gates(b, j, i));
    Matrix SU = stage(STAGE_SU, block_SU(b, i, j, block(b, D, j), T1, G));
    if (wanted_SU.entries)
        assign(columns(block(b, wanted_SU, i), block_start(b, j), SU.cols), SU);
    Online row = {block(b, all.m, i), block(b, all.l, i), block(b, all.O, i)};
    online_softmax(row, block_scores(b, i, j, SU), block(b, b->head->VC, j), i == j);
}

void blockwise_sweep(const Blocks *b, Matrix D, Matrix O, Matrix lse, Matrix SU)
{
    System *in = D.in;
    Scope outer = scope_open(in);
    Online all = {matrix(in, O.rows, 1), matrix(in, O.rows, 1), O};
    for (size_t k = 0; k < b->count; k++)
        for (size_t j = k < b->done ? b->done - k : 0; j + k < b->count; j++) {
            Scope scope = scope_open(in);
            sweep_block(b, j + k, j, D, SU, all);
            scope_close(in, scope);
        }
    assign(O, stage(STAGE_O, row_divide(O, all.l)));
    assign(lse, stage(STAGE_LSE, add(all.m, map(LOG, all.l))));
    scope_close(in, outer);
}

void blockwise(const Head *h, size_t size, Answers *answers, Matrix D)
{
    Blocks b = blocks_of(h, size, __func__);
    Scope scope = scope_open(D.in);
    assign(D, matrix(D.in, D.rows, D.cols));
    blockwise_sweep(&b, D, answers->O, answers->lse, answers->SU);
    scope_close(D.in, scope);
}
