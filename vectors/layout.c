/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "layout.h"

Layout input_layout(const Sizes *s)
{
    return (Layout){"[batch, heads, L, d]", 4, {s->batch, s->heads, s->length, s->dim}};
}

Layout layer_input_layout(const Sizes *s, LayerInput k)
{
    if (k == LAYER_X)
        return (Layout){"[batch, L, dm]", 3, {s->batch, s->length, s->width}};
    if (k == LAYER_WO)
        return (Layout){"[heads, d, dm]", 3, {s->heads, s->dim, s->width}};
    return (Layout){"[dm, heads, d]", 3, {s->width, s->heads, s->dim}};
}

Layout cotangent_layout(const Sizes *s)
{
    return s->width ? layer_input_layout(s, LAYER_X) : input_layout(s);
}

const char *cotangent_name(const Sizes *s) { return s->width ? "dy" : "do"; }

Layout answer_layout(const Sizes *s, Answer a)
{
    if (a == ANSWER_Y)
        return layer_input_layout(s, LAYER_X);
    if (a >= ANSWER_DX) /* in the inputs' order */
        return layer_input_layout(s, LAYER_X + (a - ANSWER_DX));
    if (a == ANSWER_LSE)
        return (Layout){"[batch, heads, L]", 3, {s->batch, s->heads, s->length}};
    if (answer_is_stage(a))
        return (Layout){"[batch, heads, L, L]", 4, {s->batch, s->heads, s->length, s->length}};
    return input_layout(s);
}

/* Heads lie side by side: in [dm, heads, d] a row runs over all of them. */
static bool is_projection(Answer a) { return a > ANSWER_DX && a < ANSWER_DWO; }

Layout sigma_layout(const Sizes *s, Answer a)
{
    Layout l = answer_layout(s, a);
    if (a != ANSWER_LSE && !answer_is_stage(a))
        l.shape[l.dims - 1] = 1;
    return l;
}

bool sizes_allow(const Sizes *s, Answer a) { return (s->width > 0) == (a >= LAYER_ANSWERS_BEGIN); }

size_t layout_count(const Layout *l)
{
    size_t n = 1;
    for (size_t k = 0; k < l->dims; k++)
        n *= l->shape[k];
    return n;
}

Place place_of(const Sizes *s, Answer a, size_t index)
{
    Layout l = answer_layout(s, a);
    size_t at[4] = {0};
    for (size_t k = l.dims; k-- > 0;) {
        at[k] = index % l.shape[k];
        index /= l.shape[k];
    }
    if (a == ANSWER_Y || a == ANSWER_DX)
        return (Place){.batch = at[0], .row = at[1], .column = at[2]};
    if (a == ANSWER_DWO)
        return (Place){.head = at[0], .row = at[1], .column = at[2]};
    if (is_projection(a))
        return (Place){.row = at[0], .head = at[1], .column = at[2]};
    return (Place){at[0], at[1], at[2], at[3]};
}

Slab slab_of(const Sizes *s, Answer a, size_t index)
{
    Layout l = answer_layout(s, a);
    Place p = place_of(s, a, index);
    Slab slab = {.rows = l.shape[l.dims - 2], .cols = l.shape[l.dims - 1]};
    if (a == ANSWER_LSE)
        slab = (Slab){.rows = s->length, .cols = 1};
    if (is_projection(a))
        slab.rows = s->width;
    slab.row_step = is_projection(a) ? s->heads * slab.cols : slab.cols;
    slab.origin = index - p.row * slab.row_step - p.column;
    return slab;
}

void layout_describe(char *text, size_t size, size_t dims, const size_t *shape)
{
    size_t used = (size_t)snprintf(text, size, "[");
    for (size_t k = 0; k < dims && used < size; k++)
        used += (size_t)snprintf(text + used, size - used, k ? ", %zu" : "%zu", shape[k]);
    if (used < size)
        snprintf(text + used, size - used, "]");
}
