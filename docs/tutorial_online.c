/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutorial_online.c - one sweep over blocks (Algorithms 1 and 2) and decoding (Algorithm 5). */
#include "tutorial.h"

#include "blockwise.h"
#include "decode.h"
#include "system.h"

/* ---- blocks ---------------------------------------------------------------------------------------- */

/* A sweep at leisure: the steps of ref/blockwise.c, with what each leaves. */
typedef struct Leisure {
    Head head;
    Blocks b;
    Matrix D, T1, m, l, O;
} Leisure;

static void begin(Leisure *s, System *in)
{
    s->head = example_head(in, NO_WINDOW);
    s->b = blocks_of(&s->head, EXAMPLE_BLOCK, __func__);
    s->D = matrix(in, EXAMPLE_TOKENS, EXAMPLE_DIM);
    s->T1 = all_T1(&s->b);
    s->m = matrix(in, EXAMPLE_TOKENS, 1);
    s->l = matrix(in, EXAMPLE_TOKENS, 1);
    s->O = matrix(in, EXAMPLE_TOKENS, EXAMPLE_DIM);
}

/* Algorithm 2, for query block i and these scores. */
static void take_in_scores(Leisure *s, size_t i, size_t j, Matrix S)
{
    Matrix m = block(&s->b, s->m, i), l = block(&s->b, s->l, i), O = block(&s->b, s->O, i);
    Matrix reference = row_reference(S, i == j ? NULL : &m);
    Matrix P = map(EXP, row_shift(S, reference));
    Matrix fresh_l = row_sum(P), fresh_O = product(P, block(&s->b, s->head.VC, j), EVERYWHERE);
    if (i != j) {
        Matrix rescale = map(EXP, subtract(m, reference));
        fresh_l = add(fresh_l, row_scale(l, rescale));
        fresh_O = add(fresh_O, row_scale(O, rescale));
    }
    assign(m, reference);
    assign(l, fresh_l);
    assign(O, fresh_O);
}

/* Block (i, j); `out` may be NULL. */
static void visit(Leisure *s, size_t i, size_t j, FILE *out)
{
    Matrix T1 = T1_of(&s->b, s->T1, i), D = block(&s->b, s->D, j);
    if (i == j)
        keep_T1(&s->b, s->T1, i);
    Matrix G = block_gates(&s->b, j, i);
    Matrix SU = block_SU(&s->b, i, j, D, T1, G), S = block_scores(&s->b, i, j, SU);
    if (out) {
        fprintf(out, "block (%zu, %zu)\n", i, j);
        if (i != j)
            print_matrix(out, "D_j", D);
        print_matrix(out, "T1_ii", T1);
        print_matrix(out, "G_ji", G);
        print_matrix(out, "SU_ij", SU);
        print_matrix(out, "S_ij", S);
    }
    take_in_scores(s, i, j, S);
    if (i + 1 < s->b.count)
        take_in_block(&s->b, D, j, i, G);
    if (out) {
        print_matrix(out, "m", block(&s->b, s->m, i));
        print_matrix(out, "l", block(&s->b, s->l, i));
        print_matrix(out, "O so far", block(&s->b, s->O, i));
    }
}

void print_first_block(FILE *out, System *in)
{
    Leisure s;
    begin(&s, in);
    visit(&s, 0, 0, out);
    print_matrix(out, "D_0", block(&s.b, s.D, 0));
}

void print_last_row_of_blocks(FILE *out, System *in)
{
    Leisure s;
    begin(&s, in);
    visit(&s, 0, 0, NULL);
    visit(&s, 1, 1, out);
    visit(&s, 1, 0, out);
    Matrix O = row_divide(s.O, s.l), lse = add(s.m, map(LOG, s.l));
    Answers a = answers_for(&s.head);
    Matrix D = matrix(in, EXAMPLE_TOKENS, EXAMPLE_DIM);
    blockwise(&s.head, EXAMPLE_BLOCK, &a, D);
    must_be_printed_alike("O by blocks", O, a.O);
    must_be_printed_alike("lse by blocks", lse, a.lse);
    must_be_printed_alike("D", s.D, D);
    must_be_printed_alike("O by Theorem 1", O, parallel_stages(&s.head).O);
    fprintf(out, "end\n");
    print_matrix(out, "O / l", O);
    print_matrix(out, "m + log l", lse);
}

/* ---- decoding -------------------------------------------------------------------------------------- */

/* Shows the gates and scores of a step as they are kept. */
static void show(void *out, Stage stage, Matrix A)
{
    if (stage == STAGE_G && A.rows)
        print_matrix(out, "gates", A);
    if (stage == STAGE_SU)
        print_matrix(out, "sU", A);
    if (stage == STAGE_P)
        print_matrix(out, "p", A);
}

void print_decoding(FILE *out, System *in)
{
    Head h = example_head(in, NO_WINDOW);
    Cache cache = cache_empty(in, EXAMPLE_TOKENS, EXAMPLE_DIM);
    Matrix O = matrix(in, EXAMPLE_TOKENS, EXAMPLE_DIM), lse = matrix(in, EXAMPLE_TOKENS, 1);
    for (size_t t = 0; t < EXAMPLE_TOKENS; t++) {
        fprintf(out, "token %zu\n", t + 1);
        in->observe = show;
        in->observer = out;
        decode_step(&cache, &h, t, row(O, t), row(lse, t));
        in->observe = NULL;
        print_matrix(out, "U", rows(cache.U, 0, t + 1));
        print_matrix(out, "o", row(O, t));
    }
    must_be_printed_alike("O by decoding", O, parallel_stages(&h).O);
}
