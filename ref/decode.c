/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "decode.h"
#include "system.h"

Cache cache_empty(System *in, size_t room, size_t d)
{
    return (Cache){.U = matrix(in, room, d),
                   .QU = matrix(in, room, d),
                   .KC = matrix(in, room, d),
                   .VC = matrix(in, room, d),
                   .length = 0};
}

/* (13): every key that token t is allowed to reach takes in gate * VU_t; the new row is 0.
 * allowed(s, t) is s < t <= s + W: the rows s = max(0, t - W) .. t - 1. */
static void update_lookahead_keys(Cache *cache, const Head *h, size_t row_of_t)
{
    size_t t = cache->length;
    size_t first = h->window < t ? t - h->window : 0;
    Matrix U = rows(cache->U, first, t - first);
    Matrix QU = rows(cache->QU, first, t - first);
    Matrix KU = row(h->KU, row_of_t), VU = row(h->VU, row_of_t);
    Matrix gates = stage(STAGE_G, map(SIGMOID, scaled(h->scale, product_nt(QU, KU, EVERYWHERE))));
    assign(U, stage(STAGE_CACHE, add(U, product(gates, VU, EVERYWHERE))));
}

void decode_step(Cache *cache, const Head *h, size_t row_of_t, Matrix o, Matrix lse)
{
    System *in = h->QC.in;
    Scope scope = scope_open(in);
    size_t t = cache->length;
    if (t == cache->U.rows)
        stop_on_bug(__func__, "the cache has room for %zu tokens and is full", t);

    update_lookahead_keys(cache, h, row_of_t);
    assign(row(cache->QU, t), row(h->QU, row_of_t));
    assign(row(cache->KC, t), row(h->KC, row_of_t));
    assign(row(cache->VC, t), row(h->VC, row_of_t));
    cache->length = t + 1;

    Matrix QC = row(h->QC, row_of_t);
    Matrix KC = rows(cache->KC, 0, t + 1), VC = rows(cache->VC, 0, t + 1);
    /* Row t of U is still 0, as u_t^t is: the token's own score is purely causal. */
    Matrix U = rows(cache->U, 0, t + 1);
    KC = variant_causal_keys(h, KC);
    Matrix sC = stage(STAGE_SC, scaled(h->scale, product_nt(QC, KC, EVERYWHERE))); /* (5) */
    Matrix sU = stage(STAGE_SU, scaled(h->scale, product_nt(QC, U, EVERYWHERE)));  /* (6) */
    Matrix l;
    Matrix p = stage(STAGE_P, row_softmax(subtract(sC, variant_penalty(h, sU)), &l)); /* (7) */
    assign(o, stage(STAGE_O, product(p, VC, EVERYWHERE)));                            /* (8) */
    assign(lse, stage(STAGE_LSE, l));
    scope_close(in, scope);
}

void decode(const Head *h, Answers *answers)
{
    head_must_be_sound(h, __func__);
    System *in = h->QC.in;
    Scope scope = scope_open(in);
    Cache cache = cache_empty(in, h->QC.rows, h->QC.cols);
    for (size_t t = 0; t < h->QC.rows; t++)
        decode_step(&cache, h, t, row(answers->O, t), row(answers->lse, t));
    assign(answers->U, stage(STAGE_U, cache.U));
    scope_close(in, scope);
}
