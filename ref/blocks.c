/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "blocks.h"

#include "system.h"

Blocks blocks_of(const Head *h, size_t size, const char *function)
{
    head_must_be_sound(h, function);
    if (!size || size > h->QC.rows)
        stop_on_bug(function, "block size %zu for %zu tokens", size, h->QC.rows);
    return blocks_after(h, 0, size);
}

Blocks blocks_after(const Head *h, size_t past, size_t size)
{
    size_t tokens = h->KC.rows;
    if (size > tokens)
        size = tokens;
    size_t done = (past + size - 1) / size;
    return (Blocks){.head = h,
                    .size = size,
                    .count = done + (tokens - past + size - 1) / size,
                    .tokens = tokens,
                    .past = past,
                    .done = done};
}

size_t block_start(const Blocks *b, size_t i)
{
    size_t start = i < b->done ? i * b->size : b->past + (i - b->done) * b->size;
    return start < b->tokens ? start : b->tokens;
}

Matrix block(const Blocks *b, Matrix A, size_t i)
{
    size_t start = block_start(b, i), missing = b->tokens - A.rows;
    return rows(A, start - missing, block_start(b, i + 1) - start);
}

char *block_turn(const Blocks *b, Matrix A, size_t i) { return block(b, A, i).entries; }

static Band allowed_in(const Blocks *b, size_t j, size_t e)
{
    return seen_from(lookahead(b->head->window), block_start(b, j), block_start(b, e));
}

bool block_allowed(const Blocks *b, size_t j, size_t e)
{
    return band_meets(allowed_in(b, j, e), block(b, b->head->QU, j).rows,
                      block(b, b->head->KU, e).rows);
}

Matrix block_gates(const Blocks *b, size_t j, size_t e)
{
    const Head *h = b->head;
    Scope scope = scope_open(h->QU.in);
    Matrix Z = product_nt(block(b, h->QU, j), block(b, h->KU, e), allowed_in(b, j, e));
    Z = scaled_in_place(h->scale, Z);
    return scope_keep(Z.in, scope, map(SIGMOID, Z));
}

void take_in_block(const Blocks *b, Matrix Dj, size_t j, size_t e, Matrix G)
{
    if (!block_allowed(b, j, e))
        return;
    Scope scope = scope_open(Dj.in);
    accumulate(Dj, product(G, block(b, b->head->VU, e), EVERYWHERE));
    scope_close(Dj.in, scope);
}

Matrix all_T1(const Blocks *b) { return matrix(b->head->QC.in, b->head->QC.rows, b->size); }

Matrix T1_of(const Blocks *b, Matrix all, size_t i)
{
    Matrix T1 = block(b, all, i);
    T1 = columns(T1, 0, T1.rows);
    T1.band = CAUSAL;
    return T1;
}

void keep_T1(const Blocks *b, Matrix all, size_t i)
{
    const Head *h = b->head;
    Scope scope = scope_open(all.in);
    Matrix T1 = product_nt(block(b, h->QC, i), block(b, h->VU, i), CAUSAL);
    assign(T1_of(b, all, i), stage(STAGE_T1, scaled_in_place(h->scale, T1)));
    scope_close(all.in, scope);
}

Matrix block_SU(const Blocks *b, size_t i, size_t j, Matrix Dj, Matrix T1, Matrix G)
{
    const Head *h = b->head;
    if (i == j)
        return product_nt(T1, G, EVERYWHERE);
    Scope scope = scope_open(T1.in);
    Matrix SU = scaled_in_place(h->scale, product_nt(block(b, h->QC, i), Dj, EVERYWHERE));
    accumulate(SU, product_nt(T1, G, EVERYWHERE));
    return scope_keep(T1.in, scope, SU);
}

Matrix block_scores(const Blocks *b, size_t i, size_t j, Matrix SU)
{
    const Head *h = b->head;
    Scope scope = scope_open(SU.in);
    Band causal = seen_from(CAUSAL, block_start(b, i), block_start(b, j));
    Matrix KC = variant_causal_keys(h, block(b, h->KC, j));
    Matrix SC = scaled_in_place(h->scale, product_nt(block(b, h->QC, i), KC, causal));
    return scope_keep(SU.in, scope, subtract(SC, variant_penalty(h, SU)));
}
