/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "export.h"

#include "bug.h"

#include <stdio.h>

void text_begin(Text *t)
{
    t->out = open_memstream(&t->at, &t->size);
    if (!t->out)
        stop_on_bug(__func__, "memory ran out");
}

Bytes text_end(Text *t)
{
    if (ferror(t->out) || fclose(t->out) != 0)
        stop_on_bug(__func__, "memory ran out");
    return (Bytes){t->at, t->size};
}

json_t *export_about(const GoldenFile *g)
{
    json_t *about = json_object(), *metadata = json_object();
    for (size_t k = 0; k < safetensors_metadata_count(g->file); k++) {
        const char *key = safetensors_metadata_key(g->file, k);
        json_object_set_new(metadata, key, json_string(safetensors_metadata(g->file, key)));
    }
    json_object_set_new(about, "case", json_deep_copy(g->entry));
    json_object_set_new(about, "metadata", metadata);
    return about;
}
