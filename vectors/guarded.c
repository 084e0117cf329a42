/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guarded.h"

#include "bug.h"
#include "isolated.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { POISON = 0xFF, ALIGNMENT = 64, STEP = 8 };

static size_t up_to(size_t n, size_t multiple) { return (n + multiple - 1) / multiple * multiple; }
static size_t page(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static void lay_out(Guarded *g)
{
    const GuardedShape *s = &g->shape;
    if (s->padded) { /* [batch, rows, heads, cols], at multiples of STEP */
        g->stride[1] = up_to(s->cols, STEP) + STEP;
        g->stride[2] = s->heads * g->stride[1] + STEP;
        g->stride[0] = s->rows * g->stride[2] + STEP;
    } else {
        g->stride[2] = s->cols;
        g->stride[1] = s->rows * s->cols;
        g->stride[0] = s->heads * s->rows * s->cols;
    }
}

size_t guarded_count(const Guarded *g)
{
    return g->shape.batch * g->shape.heads * g->shape.rows * g->shape.cols;
}

/* The bytes of the element at `index` of the dense order. */
static unsigned char *element(const Guarded *g, size_t index)
{
    const GuardedShape *s = &g->shape;
    size_t k = index % s->cols, t = index / s->cols % s->rows;
    size_t h = index / (s->cols * s->rows) % s->heads, b = index / (s->cols * s->rows * s->heads);
    size_t at = b * g->stride[0] + h * g->stride[1] + t * g->stride[2] + k;
    return g->data + at * number_type_bytes(s->type);
}

static unsigned char *accessible(const Guarded *g) { return g->map + page(); }
static size_t accessible_size(const Guarded *g) { return g->mapped - 2 * page(); }

Guarded guarded_new(const char *name, const GuardedShape *shape, const double *values)
{
    Guarded g = {.name = name, .shape = *shape};
    lay_out(&g);
    size_t width = number_type_bytes(shape->type), n = guarded_count(&g);
    size_t span = (size_t)(element(&g, n - 1) - g.data) + width;
    size_t inside = up_to(up_to(span, ALIGNMENT) + ALIGNMENT, page());
    g.mapped = inside + 2 * page();
    g.map = shared_room(g.mapped);
    g.data = g.map + page() + inside - up_to(span, ALIGNMENT); /* the end against the guard */
    g.end = g.data + span;
    if (mprotect(g.map, page(), PROT_NONE) != 0 ||
        mprotect(g.map + page() + inside, page(), PROT_NONE) != 0)
        stop_on_bug(__func__, "mprotect: %s", strerror(errno));
    memset(accessible(&g), POISON, inside);
    g.owned = room_for(__func__, inside, 1);
    for (size_t k = 0; k < n; k++) {
        memset(g.owned + (element(&g, k) - accessible(&g)), 1, width);
        if (values)
            guarded_put(&g, k, values[k]);
    }
    if (values) {
        g.saved = room_for(__func__, inside, 1);
        memcpy(g.saved, accessible(&g), inside);
    }
    return g;
}

void guarded_free(Guarded *g)
{
    if (g->map)
        shared_free(g->map, g->mapped);
    free(g->saved);
    free(g->owned);
    *g = (Guarded){0};
}

void guarded_put(const Guarded *g, size_t index, double value)
{
    number_encode(g->shape.type, value, element(g, index));
}

double guarded_get(const Guarded *g, size_t index)
{
    return number_decode(g->shape.type, element(g, index));
}

bool guarded_is_sound(const Guarded *g, char *text, size_t size)
{
    const unsigned char *at = accessible(g);
    for (size_t k = 0; k < accessible_size(g); k++) {
        unsigned char expected = g->saved ? g->saved[k] : POISON;
        if (at[k] == expected || (g->owned[k] && !g->saved))
            continue;
        snprintf(text, size, "%s %s",
                 g->owned[k]        ? "changed the input"
                 : at + k < g->data ? "wrote before"
                 : at + k >= g->end ? "wrote behind"
                                    : "wrote between the rows of",
                 g->name);
        return false;
    }
    return true;
}

size_t guarded_untouched(const Guarded *g)
{
    size_t width = number_type_bytes(g->shape.type), untouched = 0;
    for (size_t k = 0; k < guarded_count(g); k++) {
        size_t same = 0;
        while (same < width && element(g, k)[same] == POISON)
            same++;
        untouched += same == width;
    }
    return untouched;
}

bool guarded_explains(const Guarded *g, const void *address, char *text, size_t size)
{
    const unsigned char *p = address;
    const unsigned char *behind = accessible(g) + accessible_size(g);
    bool before = p >= g->map && p < accessible(g), after = p >= behind && p < behind + page();
    if (before || after)
        snprintf(text, size, "just %s %s", before ? "before" : "behind", g->name);
    return before || after;
}
