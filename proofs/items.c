/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "items.h"

#include "dump.h"
#include "system.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void add_item(Items *items, Task *task, size_t index, const char *name)
{
    if (items->count == items->room) {
        items->room = items->room ? 2 * items->room : 16;
        items->item = realloc(items->item, items->room * sizeof *items->item);
        if (!items->item)
            stop_on_bug(__func__, "out of memory");
    }
    Item *item = &items->item[items->count++];
    *item = (Item){.problem = task_problem(task, index), .task = task};
    snprintf(item->name, sizeof item->name, "%s", name);
}

void items_free(Items *items)
{
    for (size_t k = 0; k < items->count; k++)
        if (k + 1 == items->count || items->item[k + 1].task != items->item[k].task) {
            task_free(items->item[k].task);
            free(items->item[k].task);
        }
    free(items->item);
    *items = (Items){0};
}

/* ---- drawn ---------------------------------------------------------------------------------- */

static double *draw(gsl_rng *rng, Layout l, double deviation)
{
    size_t n = layout_count(&l);
    double *v = room_for(__func__, n, sizeof *v);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(gsl_ran_gaussian(rng, 1) * deviation);
    return v;
}

static void draw_layer(Task *t, gsl_rng *rng)
{
    const Sizes *s = &t->size;
    t->layer = (LayerProblem){s->batch, s->heads, s->width, {NULL}};
    for (LayerInput k = 0; k < LAYER_INPUTS; k++) {
        double terms = k == LAYER_X ? 1 : (double)(k == LAYER_WO ? s->heads * s->dim : s->width);
        t->layer_input[k] = draw(rng, layer_input_layout(s, k), 1 / sqrt(terms));
        t->layer.input[k] = t->layer_input[k];
    }
}

void add_drawn(Items *items, const Drawn *d, unsigned long seed)
{
    Task *t = room_for(__func__, 1, sizeof *t);
    *t = (Task){.size = d->size, .window = d->window, .variant = d->variant};
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    gsl_rng_set(rng, seed);
    for (Input k = 0; !t->size.width && k < INPUTS; k++)
        t->input[k] = draw(rng, input_layout(&t->size), k <= INPUT_VU ? d->spread : 1);
    if (t->size.width)
        draw_layer(t, rng);
    t->cotangent = draw(rng, cotangent_layout(&t->size), 1);
    gsl_rng_free(rng);
    add_item(items, t, 0, d->name);
}

/* One and two tokens, d = 1, lengths beside powers of two, windows of 0, 1 and about a block, saturated gates
 * and scores, the paper's ablations, layers of one and of several heads and sequences. */
static const Drawn hard_set[] = {
    {"one token", {1, 1, 1, 1, 0}, NO_WINDOW, 1, CASTLE},
    {"two tokens", {1, 1, 2, 1, 0}, NO_WINDOW, 1, CASTLE},
    {"three, window 1", {1, 1, 3, 2, 0}, 1, 1, CASTLE},
    {"window 0", {1, 1, 17, 3, 0}, 0, 1, CASTLE},
    {"window 1", {1, 1, 33, 4, 0}, 1, 1, CASTLE},
    {"window 16", {1, 1, 49, 8, 0}, 16, 1, CASTLE},
    {"window past the end", {1, 1, 31, 5, 0}, 31, 1, CASTLE},
    {"ragged", {1, 1, 67, 24, 0}, NO_WINDOW, 1, CASTLE},
    {"plain", {1, 1, 64, 16, 0}, NO_WINDOW, 1, CASTLE},
    {"saturated", {1, 1, 48, 16, 0}, NO_WINDOW, 6, CASTLE},
    {"no causal keys", {1, 1, 33, 8, 0}, 16, 1, WITHOUT_CAUSAL_KEYS},
    {"no SiLU", {1, 1, 33, 8, 0}, NO_WINDOW, 1, WITHOUT_SILU},
    {"1x1 dm 1", {1, 1, 1, 1, 1}, NO_WINDOW, 1, CASTLE},
    {"2x2 dm 7", {2, 2, 9, 4, 7}, NO_WINDOW, 1, CASTLE},
    {"1x3 dm 8", {1, 3, 16, 4, 8}, 5, 1, CASTLE},
    {"2x1 dm 3, no KC", {2, 1, 8, 2, 3}, NO_WINDOW, 1, WITHOUT_CAUSAL_KEYS},
    {"3x2 dm 4, no SiLU", {3, 2, 5, 3, 4}, 2, 1, WITHOUT_SILU},
};

void add_hard_set(Items *items, unsigned long seed)
{
    for (size_t k = 0; k < sizeof hard_set / sizeof *hard_set; k++)
        add_drawn(items, &hard_set[k], seed + k);
}

/* ---- from files ----------------------------------------------------------------------------- */

bool add_dump(Items *items, const char *path, Failure *f)
{
    Dump d;
    char name[60], quoted[160];
    if (!dump_open(&d, path, &(DumpOptions){0}, f))
        return false;
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t stem = strcspn(base, ".");
    Task *t = room_for(__func__, 1, sizeof *t);
    *t = d.task; /* which goes on to own the numbers */
    d.task = (Task){0};
    t->stages = false;
    dump_close(&d);
    bool finite = true;
    for (size_t h = 0; h < task_problems(t); h++) {
        snprintf(name, sizeof name, "%.*s #%zu", stem < 14 ? (int)stem : 14, base, h);
        add_item(items, t, h, name);
        finite = finite && problem_is_finite(&items->item[items->count - 1].problem);
    }
    failure_quote_path(quoted, sizeof quoted, path);
    return finite ||
           fail(f, "%s: the inputs hold NaN or infinity; verify needs finite ones", quoted);
}
