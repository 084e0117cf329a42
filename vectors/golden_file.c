/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golden_file.h"

enum { PATH = 4096 };

bool golden_open(GoldenFile *g, const GoldenCase *c, const char *folder, Failure *f)
{
    char path[PATH];
    *g = (GoldenFile){.c = c, .index = index_read(c->tier, folder, f)};
    golden_path(path, sizeof path, folder, c);
    if (g->index && index_vouches(g->index, c, folder, f))
        g->file = safetensors_open(path, f);
    if (g->file) {
        g->entry = index_find(g->index, c->id);
        return true;
    }
    golden_close(g);
    return false;
}

void golden_close(GoldenFile *g)
{
    safetensors_close(g->file);
    json_decref(g->index);
    *g = (GoldenFile){0};
}

const GoldenCase *golden_case(const Cases *cases, const char *id, Failure *f)
{
    const GoldenCase *c = cases_find(cases, id);
    char quoted[80];
    failure_quote(quoted, sizeof quoted, id);
    if (!c)
        fail(f, "there is no case \"%s\"; castle list shows all", quoted);
    return c;
}
