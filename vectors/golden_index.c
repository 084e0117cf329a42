/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golden_index.h"

#include "bug.h"
#include "whole_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH = 4096, FORMAT = 1 };

const char *index_name(CaseTier tier)
{
    return tier == TIER_CORE ? "index.json" : "index-paper.json";
}

/* ---- one case --------------------------------------------------------------------------------- */

static void set_text(json_t *o, const char *key, const char *text)
{
    json_object_set_new(o, key, json_string(text));
}

static void set_number(json_t *o, const char *key, size_t n)
{
    json_object_set_new(o, key, json_integer((json_int_t)n));
}

static json_t *names_of_bits(unsigned bits, size_t count, const char *(*name)(unsigned))
{
    json_t *list = json_array();
    for (size_t k = 0; k < count; k++)
        if (bits & 1u << k)
            json_array_append_new(list, json_string(name(1u << k)));
    return list;
}

static const char *kind_of_bit(unsigned bit) { return case_kind_name((CaseKind)bit); }
static const char *flag_of_bit(unsigned bit) { return case_flag_name((CaseFlag)bit); }

static json_t *numbers(const size_t *n, size_t count)
{
    json_t *list = json_array();
    for (size_t k = 0; k < count; k++)
        json_array_append_new(list, json_integer((json_int_t)n[k]));
    return list;
}

static void describe_case(json_t *o, const GoldenCase *c)
{
    json_t *bugs = json_array();
    set_text(o, "id", c->id);
    set_text(o, "family", case_family_name(c->family));
    set_text(o, "for", c->purpose);
    for (size_t k = 0; k < c->bugs; k++)
        json_array_append_new(bugs, json_string(c->bug[k]));
    json_object_set_new(o, "bugs", bugs);
    json_object_set_new(o, "kinds", names_of_bits(c->kinds, CASE_KINDS, kind_of_bit));
    json_object_set_new(o, "flags", names_of_bits(c->flags, CASE_FLAGS, flag_of_bit));
    json_object_set_new(o, "shape",
                        numbers((const size_t[]){c->batch, c->heads, c->length, c->dim}, 4));
    if (c->model)
        set_number(o, "dm", c->model);
    set_text(o, "variant", variant_name(c->variant));
    set_text(o, "type", case_type_suffix(c->type));
    if (c->steps)
        json_object_set_new(o, "steps", numbers(c->step, c->steps));
    if (c->splits) {
        json_t *splits = json_array();
        for (size_t k = 0; k < c->splits; k++)
            json_array_append_new(splits, numbers(c->split[k].chunk, c->split[k].chunks));
        json_object_set_new(o, "splits", splits);
    }
}

static void describe_certificate(json_t *o, const GoldenCertificate *g)
{
    json_t *c = json_object();
    set_number(c, "elements", g->elements);
    set_number(c, "masked", g->masked);
    set_number(c, "undefined", g->undefined);
    set_number(c, "ties", g->ties);
    set_number(c, "bits", (size_t)g->bits);
    json_object_set_new(c, "log2_radius", json_integer(g->radius));
    json_object_set_new(c, "sequential", json_boolean(g->sequentially));
    json_object_set_new(o, "certificate", c);
}

/* The file's own words, where the case has a default for them. */
static void set_metadata(json_t *o, const char *path, const char *const *keys, size_t count)
{
    Failure ignored;
    SafetensorsFile *file = safetensors_open(path, &ignored);
    for (size_t k = 0; file && k < count; k++)
        set_text(o, keys[k], safetensors_metadata(file, keys[k]));
    safetensors_close(file);
}

json_t *index_entry(const GoldenCase *c, const char *path, Failure *f)
{
    GoldenCertificate certificate;
    Bytes bytes;
    if (!golden_certificate(&certificate, c, path, f) || !whole_file_read(&bytes, path, f))
        return NULL;
    json_t *o = json_object();
    describe_case(o, c);
    set_metadata(o, path, (const char *const[]){"window", "scale", "arithmetic"}, 3);
    describe_certificate(o, &certificate);
    const char *slash = strrchr(path, '/');
    set_text(o, "file", slash ? slash + 1 : path);
    set_number(o, "bytes", bytes.size);
    set_text(o, "sha256", sha256_of(bytes).hex);
    free((void *)bytes.at);
    return o;
}

/* ---- the whole folder ------------------------------------------------------------------------- */

static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

static json_t *describe_families(const Cases *cases)
{
    json_t *o = json_object();
    for (size_t k = 0; k < CASE_FAMILIES; k++)
        set_text(o, case_family_name((CaseFamily)k), cases->why[k]);
    return o;
}

static json_t *describe_bugs(const Cases *cases)
{
    json_t *o = json_object();
    for (size_t k = 0; k < cases->bugs; k++)
        set_text(o, cases->bug[k].id, cases->bug[k].meaning);
    return o;
}

static json_t *index_document(const Cases *cases, CaseTier tier, json_t *entries)
{
    size_t bytes = 0;
    for (size_t k = 0; k < json_array_size(entries); k++)
        bytes += (size_t)json_integer_value(json_object_get(json_array_get(entries, k), "bytes"));
    json_t *o = json_object();
    set_number(o, "format", FORMAT);
    set_text(o, "licence", "CC0-1.0");
    set_text(o, "tier", case_tier_name(tier));
    set_number(o, "count", json_array_size(entries));
    set_number(o, "bytes", bytes);
    json_object_set_new(o, "families", describe_families(cases));
    json_object_set_new(o, "bugs", describe_bugs(cases));
    json_object_set(o, "cases", entries);
    return o;
}

bool index_write(const Cases *cases, CaseTier tier, const char *folder, Failure *f)
{
    char path[PATH];
    json_t *entries = json_array();
    bool ok = true;
    for (size_t k = 0; ok && k < cases->count; k++) {
        const GoldenCase *c = &cases->at[k];
        golden_path(path, sizeof path, folder, c);
        if (c->tier != tier || !is_file(path))
            continue;
        json_t *entry = index_entry(c, path, f);
        ok = entry != NULL;
        if (ok)
            json_array_append_new(entries, entry);
    }
    if (ok && !json_array_size(entries))
        ok = fail(f, "%s: holds no golden file of the tier %s", folder, case_tier_name(tier));
    if (ok) {
        json_t *document = index_document(cases, tier, entries);
        char *text = json_dumps(document, JSON_INDENT(1) | JSON_ENSURE_ASCII);
        const Bytes parts[] = {{text, strlen(text)}, {"\n", 1}};
        snprintf(path, sizeof path, "%s/%s", folder, index_name(tier));
        ok = whole_file_write(path, parts, 2, f);
        free(text);
        json_decref(document);
    }
    json_decref(entries);
    return ok;
}
