/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golden_index.h"

#include "bug.h"
#include "whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH = 4096 };

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

json_t *index_description(const GoldenCase *c)
{
    GoldenConventions conventions = golden_conventions(c);
    json_t *o = json_object(), *bugs = json_array();
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
    set_text(o, "variant", conventions.variant);
    set_text(o, "type", case_type_suffix(c->type));
    if (c->steps)
        json_object_set_new(o, "steps", numbers(c->step, c->steps));
    if (c->splits) {
        json_t *splits = json_array();
        for (size_t k = 0; k < c->splits; k++)
            json_array_append_new(splits, numbers(c->split[k].chunk, c->split[k].chunks));
        json_object_set_new(o, "splits", splits);
    }
    set_text(o, "window", conventions.window);
    set_text(o, "scale", conventions.scale);
    set_text(o, "arithmetic", conventions.arithmetic);
    return o;
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

json_t *index_entry(const GoldenCase *c, const char *path, Failure *f)
{
    GoldenCertificate certificate;
    Bytes bytes;
    if (!golden_certificate(&certificate, c, path, f) || !whole_file_read(&bytes, path, f))
        return NULL;
    json_t *o = index_description(c);
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

json_t *index_document(const Cases *cases, CaseTier tier, json_t *entries)
{
    size_t bytes = 0;
    for (size_t k = 0; k < json_array_size(entries); k++)
        bytes += (size_t)json_integer_value(json_object_get(json_array_get(entries, k), "bytes"));
    json_t *o = json_object();
    set_number(o, "format", INDEX_FORMAT);
    set_text(o, "licence", "CC0-1.0");
    set_text(o, "tier", case_tier_name(tier));
    set_number(o, "count", json_array_size(entries));
    set_number(o, "bytes", bytes);
    json_object_set_new(o, "families", describe_families(cases));
    json_object_set_new(o, "bugs", describe_bugs(cases));
    json_object_set(o, "cases", entries);
    return o;
}

/* An entry for each of the tier's files that is there; NULL if there is none. */
static json_t *entries_of(const Cases *cases, CaseTier tier, const char *folder, Failure *f)
{
    char path[PATH], name[160];
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
    failure_quote_path(name, sizeof name, folder);
    if (ok && !json_array_size(entries))
        ok = fail(f, "%s: holds no golden file of the tier %s", name, case_tier_name(tier));
    if (ok)
        return entries;
    json_decref(entries);
    return NULL;
}

static bool write_document(json_t *document, const char *path, Failure *f)
{
    char *text = json_dumps(document, JSON_INDENT(1) | JSON_ENSURE_ASCII);
    if (!text)
        stop_on_bug(__func__, "the index cannot be made text");
    const Bytes parts[] = {{text, strlen(text)}, {"\n", 1}};
    bool ok = whole_file_write(path, parts, 2, f);
    free(text);
    return ok;
}

/* Processes that share a folder write its index one after the other: the last one to look sees all of their
 * files. Where a file system has no locks, they go without. */
static int locked_folder(const char *folder)
{
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (descriptor >= 0 && flock(descriptor, LOCK_EX) != 0 && errno == EINTR)
        ;
    return descriptor;
}

bool index_write(const Cases *cases, CaseTier tier, const char *folder, Failure *f)
{
    char path[PATH];
    int lock = locked_folder(folder);
    json_t *entries = entries_of(cases, tier, folder, f);
    bool ok = entries != NULL;
    if (ok) {
        json_t *document = index_document(cases, tier, entries);
        snprintf(path, sizeof path, "%s/%s", folder, index_name(tier));
        ok = write_document(document, path, f);
        json_decref(document);
    }
    json_decref(entries);
    if (lock >= 0)
        (void)close(lock);
    return ok;
}
