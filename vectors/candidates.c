/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "candidates.h"

#include "bug.h"
#include "number_formats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The coarsest first, so that what it cannot explain need not be tried in finer ones (guess.c). tf32 stands for
 * float16, too, which has as many bits: the two differ where numbers leave float16's range. */
static const Format *const coarser_formats[] = {&BFLOAT16, &TF32, &BINARY32};
enum { COARSER = sizeof coarser_formats / sizeof *coarser_formats };

/* The quantities that are rounded alone, in words, and whether they are operands of products, which a
 * kernel rounds, or are kept. */
static const struct {
    const char *name;
    bool rounded;
} quantities[STAGES] = {
    [STAGE_INPUT] = {"inputs", true}, [STAGE_SC] = {"SC", false},   [STAGE_T1] = {"T1", true},
    [STAGE_G] = {"G", true},          [STAGE_SU] = {"SU", false},   [STAGE_P] = {"P", true},
    [STAGE_O] = {"O", false},         [STAGE_LSE] = {"lse", false}, [STAGE_U] = {"U", false},
    [STAGE_DP] = {"dP", false},       [STAGE_DS] = {"dS", true},    [STAGE_DSU] = {"dSU", true},
    [STAGE_DT1] = {"dT1", true},      [STAGE_DG] = {"dG", false},   [STAGE_DZ] = {"dZ", true},
    [STAGE_Y] = {"Y", false},         [STAGE_DX] = {"dX", false},   [STAGE_DW] = {"dW", false},
};

/* What a quantity is kept in: never better than the accumulators, but for what comes from outside. */
static const Format *kept_in(const Arithmetic *a, Stage s)
{
    bool held = arithmetic_rounds_given(s) || a->site[s]->precision < a->accumulate->precision;
    return held ? a->site[s] : a->accumulate;
}

static bool format_within(const Format *f, const Format *g)
{
    return f->precision >= g->precision && f->emin <= g->emin && f->emax >= g->emax;
}

bool arithmetic_within(const Arithmetic *a, const Arithmetic *b)
{
    if (!format_within(a->accumulate, b->accumulate))
        return false;
    for (Stage s = 0; s < STAGES; s++)
        if (!format_within(kept_in(a, s), kept_in(b, s)))
            return false;
    return true;
}

Sites sites_for(const bool answered[ANSWERS], bool layer)
{
    Sites s = {.stored = {NULL}};
    bool gradients = false;
    for (Answer a = 0; a < ANSWERS; a++)
        gradients = gradients || (answered[a] && answer_is_gradient(a));
    for (Stage k = STAGE_INPUT; k <= STAGE_U; k++)
        s.there[k] = true;
    s.there[STAGE_LSE] = gradients || answered[ANSWER_LSE];
    for (Stage k = STAGE_DP; k <= STAGE_DVC; k++)
        s.there[k] = gradients;
    s.there[STAGE_Y] = layer;
    s.there[STAGE_DX] = s.there[STAGE_DW] = layer && gradients;
    return s;
}

/* ---- the list --------------------------------------------------------------------------------- */

typedef struct Making {
    Candidates all;
    const Sites *sites;
    unsigned class;
    bool rung;
    bool tf32; /* a 16-bit kernel has no use for it */
} Making;

static Arithmetic stored(const char *declaration, const Sites *sites)
{
    Arithmetic a;
    char why[300];
    if (!arithmetic_parse(&a, declaration, why, sizeof why))
        stop_on_bug(__func__, "%s", why);
    for (Stage s = 0; s < STAGES; s++)
        if (sites->stored[s] && !format_within(sites->stored[s], a.site[s]))
            a.site[s] = sites->stored[s];
    return a;
}

/* Unless the class has the same one already. */
static void try_too(Making *m, const char *declaration, const char *words)
{
    Candidates *all = &m->all;
    Candidate c = {.arithmetic = stored(declaration, m->sites), .class = m->class, .rung = m->rung};
    for (size_t k = 0; k < all->count; k++)
        if (arithmetic_within(&all->at[k].arithmetic, &c.arithmetic) &&
            arithmetic_within(&c.arithmetic, &all->at[k].arithmetic))
            return;
    snprintf(c.words, sizeof c.words, "%s", words);
    all->at = realloc(all->at, (all->count + 1) * sizeof *all->at);
    if (!all->at)
        stop_on_bug(__func__, "out of memory");
    all->at[all->count++] = c;
}

/* "P rounded to bfloat16", "lse kept in 11 bits, as tf32 and float16 have". */
static void describe_single(char *text, size_t size, const char *rung, Stage s, const Format *f)
{
    const char *comma = *rung ? ", " : "";
    if (s == STAGE_INPUT && f == &TF32)
        snprintf(text, size, "%s%slooks like TF32 products: inputs rounded to 11 bits", rung,
                 comma);
    else
        snprintf(text, size, "%s%s%s %s %s", rung, comma, quantities[s].name,
                 quantities[s].rounded ? "rounded to" : "kept in",
                 f == &TF32 ? "11 bits, as tf32 and float16 have" : f->name);
}

/* The rung with one quantity in fewer bits. */
static void add_singles(Making *m, const char *rung, const char *rung_words)
{
    Arithmetic base = stored(rung, m->sites);
    m->rung = false;
    for (Stage s = 0; s < STAGES; s++)
        for (size_t k = 0; quantities[s].name && m->sites->there[s] && k < COARSER; k++) {
            const Format *f = coarser_formats[k];
            char declaration[100], words[100];
            if (format_within(f, kept_in(&base, s)))
                continue;
            snprintf(declaration, sizeof declaration, "%s,%s=%s", rung, stage_name(s), f->name);
            describe_single(words, sizeof words, rung_words, s, f);
            try_too(m, declaration, words);
        }
    m->rung = true;
}

/* All answers but lse rounded to a format, and nothing else. */
static void add_rounded_answers(Making *m, const char *rung, const Format *f)
{
    static const Stage answers[] = {STAGE_O,   STAGE_U,   STAGE_DQU, STAGE_DKU,
                                    STAGE_DVU, STAGE_DQC, STAGE_DKC, STAGE_DVC,
                                    STAGE_Y,   STAGE_DX,  STAGE_DW};
    char declaration[160], words[100];
    size_t used = (size_t)snprintf(declaration, sizeof declaration, "%s", rung);
    for (size_t k = 0; k < sizeof answers / sizeof *answers && used < sizeof declaration; k++)
        if (m->sites->there[answers[k]])
            used += (size_t)snprintf(declaration + used, sizeof declaration - used, ",%s=%s",
                                     stage_name(answers[k]), f->name);
    snprintf(words, sizeof words, "answers rounded to %s", f->name);
    try_too(m, declaration, words);
}

static void add_products(Making *m)
{
    if (m->tf32) {
        m->class ++;
        try_too(m, "tf32", "looks like TF32 products: all operands rounded");
        m->class ++;
        add_singles(m, "tf32", "TF32 products");
    }
    m->class ++;
    try_too(m, "float32,operands=bfloat16", "looks like bfloat16 products");
    try_too(m, "float32,operands=float16", "looks like float16 products");
    try_too(m, "bfloat16", "explained by bfloat16");
    try_too(m, "float16", "explained by float16");
    m->class ++;
    add_singles(m, "bfloat16", "bfloat16");
    add_singles(m, "float16", "float16");
}

static int by_class(const void *x, const void *y)
{
    const Candidate *a = x, *b = y;
    if (a->class != b->class)
        return a->class < b->class ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* What the answers' type suggests, and all that is more accurate, comes before the rest. */
static void put_expected_first(Candidates *all)
{
    unsigned classes = all->at[all->count - 1].class + 1;
    for (size_t k = 0; k < all->count; k++) {
        Candidate *c = &all->at[k];
        c->order = k;
        if (!arithmetic_within(&c->arithmetic, &all->expected))
            c->class += classes;
    }
    qsort(all->at, all->count, sizeof *all->at, by_class);
}

Candidates candidates_for(NumberType type, const Sites *sites)
{
    Making m = {.sites = sites, .rung = true, .tf32 = type == TYPE_F64 || type == TYPE_F32};
    if (type == TYPE_F64) {
        try_too(&m, "float64", "explained by float64");
        m.class ++;
        add_singles(&m, "float64", "");
        m.class ++;
        try_too(&m, "float64,operands=float32", "looks like float32 products");
    }
    try_too(&m, "float32", "explained by float32");
    m.class ++;
    add_singles(&m, "float32", type == TYPE_F64 ? "float32" : "");
    add_rounded_answers(&m, "float32", &BFLOAT16);
    add_rounded_answers(&m, "float32", &BINARY16);
    add_products(&m);
    m.class ++;
    try_too(&m, "bfloat16,accumulate=bfloat16", "sums kept in bfloat16");
    try_too(&m, "float16,accumulate=float16", "sums kept in float16");
    m.all.expected = stored(number_format(type)->name, sites);
    put_expected_first(&m.all);
    return m.all;
}

void candidates_free(Candidates *all)
{
    free(all->at);
    *all = (Candidates){0};
}
