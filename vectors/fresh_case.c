/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fresh_case.h"

#include "bug.h"

#include <gsl/gsl_rng.h>
#include <stdio.h>

static bool can_be_like(const GoldenCase *c, unsigned types)
{
    return c->tier == TIER_CORE && c->family != FAMILY_TRAINED && (types >> c->type & 1) &&
           !(c->kinds & KIND_LAYER);
}

/* A uniform integer from 0 to n - 1. */
static size_t draw(gsl_rng *rng, size_t n) { return (size_t)gsl_rng_uniform_int(rng, n); }

/* Families first, each as likely as any other, then one of its cases. NULL: there is none. */
static const GoldenCase *model(const Cases *cases, unsigned types, gsl_rng *rng)
{
    size_t of[CASE_FAMILIES] = {0}, families = 0;
    for (size_t k = 0; k < cases->count; k++)
        if (can_be_like(&cases->at[k], types))
            families += of[cases->at[k].family]++ == 0;
    if (!families)
        return NULL;
    CaseFamily family = 0;
    for (size_t left = draw(rng, families);; family++)
        if (of[family] && left-- == 0)
            break;
    size_t left = draw(rng, of[family]);
    for (size_t k = 0;; k++)
        if (cases->at[k].family == family && can_be_like(&cases->at[k], types) && left-- == 0)
            return &cases->at[k];
}

/* Where a family needs its shape it stays. */
static void draw_shape(GoldenCase *c, gsl_rng *rng)
{
    static const size_t dims[] = {1, 2, 3, 8, 16, 24, 32, 40, 64};
    size_t length = 1 + draw(rng, FRESH_MOST_TOKENS), batch = 1 + draw(rng, 2);
    size_t heads = 1 + draw(rng, 3), dim = dims[draw(rng, sizeof dims / sizeof *dims)];
    size_t window = draw(rng, length + 2), with_window = draw(rng, 3);
    if (c->family == FAMILY_TINY)
        return;
    c->batch = batch;
    c->heads = heads;
    /* the rows before and behind the middle token, or the special one, are what these are about */
    c->length = length > c->token + 1 && length >= 3 ? length : c->token + 3;
    if (c->family != FAMILY_INTEGERS && c->family != FAMILY_NEG && c->family != FAMILY_LARGE_SU)
        c->dim = dim;
    if (c->family != FAMILY_SILU_MINIMUM && c->family != FAMILY_LARGE_SU)
        c->window = with_window == 0 ? window : NO_WINDOW;
}

bool fresh_case(FreshCase *fresh, const Cases *cases, unsigned types, unsigned long seed, size_t k)
{
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    if (!rng)
        stop_on_bug(__func__, "out of memory");
    /* 32 bits are what this generator takes; case k has a stream of its own */
    gsl_rng_set(rng, (seed * 2654435761UL + k * 40503UL) & 0xFFFFFFFFUL);
    const GoldenCase *like = model(cases, types, rng);
    if (like) {
        fresh->c = *like;
        draw_shape(&fresh->c, rng);
        fresh->c.kinds &= ~(unsigned)(KIND_DECODE | KIND_STAGES);
        fresh->c.step = NULL;
        fresh->c.split = NULL;
        fresh->c.steps = fresh->c.splits = 0;
        /* the table's seeds lie below 2^20, and seed * 4096 + head must fit 32 bits */
        fresh->c.seed = (1UL << 19) + draw(rng, 1UL << 19);
        snprintf(fresh->id, sizeof fresh->id, "fresh-%zu-%s-%s", k + 1,
                 case_family_name(like->family), case_type_suffix(like->type));
        fresh->c.id = fresh->id;
    }
    gsl_rng_free(rng);
    return like != NULL;
}
