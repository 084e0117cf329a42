/* SPDX-License-Identifier: GPL-3.0-or-later */
/* export_json.c - a golden file as one JSON document (export.h). The numbers go out as text at once: as
 * objects in memory a long case would take a hundred times its size. */
#include "export.h"

#include "bug.h"

#include <stdio.h>

/* The value without what would make it a document of its own. */
static void write_json(FILE *out, const json_t *value)
{
    if (json_dumpf(value, out, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) != 0)
        stop_on_bug(__func__, "memory ran out");
}

static void write_string(FILE *out, const char *text)
{
    json_t *string = json_string(text);
    write_json(out, string);
    json_decref(string);
}

/* The numbers from `at` on that belong to dimensions k .. of the shape; returns where the next ones begin. A
 * row of the last dimension is a line. */
static size_t write_values(FILE *out, const Tensor *t, size_t k, size_t at)
{
    if (k == t->dims) {
        fprintf(out, "\"%a\"", tensor_value(t, at));
        return at + 1;
    }
    fputs(k + 1 == t->dims ? "\n[" : "[", out);
    for (size_t i = 0; i < t->shape[k]; i++) {
        if (i)
            fputs(",", out);
        at = write_values(out, t, k + 1, at);
    }
    fputs("]", out);
    return at;
}

static void write_tensor(FILE *out, const Tensor *t)
{
    write_string(out, t->name);
    fprintf(out, ": {\"type\": \"%s\", \"shape\": [", number_type_name(t->type));
    for (size_t k = 0; k < t->dims; k++)
        fprintf(out, k ? ", %zu" : "%zu", t->shape[k]);
    fputs("], \"values\": ", out);
    write_values(out, t, 0, 0);
    fputs("}", out);
}

Bytes export_json(const GoldenFile *g)
{
    Text text;
    json_t *about = export_about(g);
    text_begin(&text);
    fputs("{\"case\": ", text.out);
    write_json(text.out, json_object_get(about, "case"));
    fputs(",\n\"metadata\": ", text.out);
    write_json(text.out, json_object_get(about, "metadata"));
    fputs(",\n\"tensors\": {", text.out);
    for (size_t k = 0; k < safetensors_count(g->file); k++) {
        fputs(k ? ",\n" : "\n", text.out);
        write_tensor(text.out, safetensors_at(g->file, k));
    }
    fputs("\n}}\n", text.out);
    json_decref(about);
    return text_end(&text);
}
