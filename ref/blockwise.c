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
    Scope scope = scope_open(scores.in);
    Matrix m = row_reference(scores, first ? NULL : &s.m);
    Matrix P = map(EXP, row_shift(scores, m)), l = row_sum(P);
    Matrix O = product(stage(STAGE_P, P), VC, EVERYWHERE); /* l and so lse from what P was before */
    if (!first) {
        Matrix rescale = map(EXP, subtract(s.m, m));
        accumulate(l, row_scale(s.l, rescale));
        accumulate(O, row_scale(s.O, rescale));
    }
    assign(s.m, m);
    assign(s.l, l);
    assign(s.O, O);
    scope_close(scores.in, scope);
}

/* What the blocks of one sweep share. */
typedef struct Sweep {
    const Blocks *b;
    Matrix D, T1, SU;
    Online all;
    size_t taken_in;
} Sweep;

/* Queries T_i and keys T_j. */
static void sweep_block(const Sweep *s, size_t i, size_t j)
{
    const Blocks *b = s->b;
    Matrix T1 = T1_of(b, s->T1, i), Dj = block(b, s->D, j);
    if (i == j)
        keep_T1(b, s->T1, i);
    Matrix G = stage(STAGE_G, block_gates(b, j, i));
    Matrix SU = stage(STAGE_SU, block_SU(b, i, j, Dj, T1, G));
    if (s->SU.entries)
        assign(columns(block(b, s->SU, i), block_start(b, j), SU.cols), SU);
    Online row = {block(b, s->all.m, i), block(b, s->all.l, i), block(b, s->all.O, i)};
    online_softmax(row, block_scores(b, i, j, SU), block(b, b->head->VC, j), i == j);
    if (i < s->taken_in)
        take_in_block(b, Dj, j, i, G);
}

/* Blocks (i, j) that share neither i nor j are independent. Whatever the number of threads, D_j takes in
 * query blocks and row block i of O takes in key blocks in the order of this text. */
static void sweep_blocks(const Sweep *s)
{
    const Blocks *b = s->b;
    System *in = s->D.in;
    int threads = team_begin(in);
#pragma omp parallel num_threads(threads)
#pragma omp master
    for (size_t i = b->done; i < b->count; i++)
        for (size_t j = i + 1; j-- > 0;) {
#pragma omp task if (threads > 1) depend(inout \
                                         : *block_turn(b, s->D, j), *block_turn(b, s->all.O, i))
            {
                Scope scope = scope_open(in);
                sweep_block(s, i, j);
                scope_close(in, scope);
            }
        }
    team_end(in);
}

void blockwise_sweep(const Blocks *b, size_t taken_in, Matrix D, Matrix O, Matrix lse, Matrix SU)
{
    System *in = D.in;
    Scope scope = scope_open(in);
    Online all = {matrix(in, O.rows, 1), matrix(in, O.rows, 1), O};
    Sweep s = {b, D, all_T1(b), SU, all, taken_in};
    sweep_blocks(&s);
    assign(O, stage(STAGE_O, row_divide(O, all.l)));
    assign(lse, stage(STAGE_LSE, add(all.m, map(LOG, all.l))));
    scope_close(in, scope);
}

void blockwise(const Head *h, size_t size, Answers *answers, Matrix D)
{
    Blocks b = blocks_of(h, size, __func__);
    Scope scope = scope_open(D.in);
    assign(D, matrix(D.in, D.rows, D.cols));
    blockwise_sweep(&b, b.count - 1, D, answers->O, answers->lse, answers->SU);
    scope_close(D.in, scope);
}
