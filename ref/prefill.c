/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "prefill.h"

#include "blockwise.h"
#include "system.h"

/* QU, KC and VC of the new tokens go to the cache; their rows of U are 0, as u_t^t is. */
static void append(Cache *cache, const Head *h, size_t first, size_t count)
{
    size_t t = cache->length;
    if (count > cache->U.rows - t)
        stop_on_bug(__func__, "the cache has room for %zu tokens and holds %zu: %zu do not fit",
                    cache->U.rows, t, count);
    assign(rows(cache->QU, t, count), rows(h->QU, first, count));
    assign(rows(cache->KC, t, count), rows(h->KC, first, count));
    assign(rows(cache->VC, t, count), rows(h->VC, first, count));
    cache->length = t + count;
}

/* What the sweep reads: keys, cached and new, of every token; KU, VU and QC of the new ones. */
static Head keys_and_new_tokens(const Cache *cache, const Head *h, size_t first, size_t count)
{
    Head sweep = *h;
    sweep.QU = rows(cache->QU, 0, cache->length);
    sweep.KC = rows(cache->KC, 0, cache->length);
    sweep.VC = rows(cache->VC, 0, cache->length);
    sweep.KU = rows(h->KU, first, count);
    sweep.VU = rows(h->VU, first, count);
    sweep.QC = rows(h->QC, first, count);
    return sweep;
}

void prefill(Cache *cache, const Head *h, size_t first, size_t count, size_t size, Matrix O,
             Matrix lse)
{
    head_must_be_sound(h, __func__);
    if (!size)
        stop_on_bug(__func__, "blocks of no tokens");
    if (!count)
        return;
    System *in = h->QC.in;
    Scope outer = scope_open(in);
    size_t t = cache->length;
    append(cache, h, first, count);
    Head sweep = keys_and_new_tokens(cache, h, first, count);
    Blocks b = blocks_after(&sweep, t, size);
    Matrix U = rows(cache->U, 0, cache->length);

    blockwise_sweep(&b, b.count, U, O, lse, (Matrix){0});

    size_t at_rest = h->window < t ? t - h->window : 0;
    Matrix moved = rows(U, at_rest, cache->length - at_rest);
    assign(moved, stage(STAGE_CACHE, moved));
    scope_close(in, outer);
}
