/* SPDX-License-Identifier: GPL-3.0-or-later */
/* golden_check.c - a folder of golden files against its index (golden_index.h). */
#include "golden_index.h"
#include "whole_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH = 4096 };

json_t *index_read(CaseTier tier, const char *folder, Failure *f)
{
    char path[PATH], name[160];
    json_error_t error;
    Bytes bytes;
    snprintf(path, sizeof path, "%s/%s", folder, index_name(tier));
    failure_quote_path(name, sizeof name, path);
    if (!whole_file_read(&bytes, path, f))
        return NULL;
    json_t *index = json_loadb(bytes.at, bytes.size, JSON_REJECT_DUPLICATES, &error);
    free((void *)bytes.at);
    if (!index) {
        fail(f, "%s: is not JSON: line %d: %s", name, error.line, error.text);
        return NULL;
    }
    const json_t *cases = json_object_get(index, "cases");
    if (!json_is_array(cases) || json_array_size(cases) == 0) {
        json_decref(index);
        fail(f, "%s: lists no cases; expected at least one", name);
        return NULL;
    }
    return index;
}

static const json_t *listed(const json_t *index, const char *id)
{
    const json_t *cases = json_object_get(index, "cases");
    for (size_t k = 0; k < json_array_size(cases); k++) {
        const json_t *entry = json_array_get(cases, k);
        const char *found = json_string_value(json_object_get(entry, "id"));
        if (found && strcmp(found, id) == 0)
            return entry;
    }
    return NULL;
}

bool index_vouches(const json_t *index, const GoldenCase *c, const char *folder, Failure *f)
{
    char path[PATH], name[160];
    GoldenCertificate ignored;
    Bytes bytes;
    golden_path(path, sizeof path, folder, c);
    failure_quote_path(name, sizeof name, path);
    const json_t *entry = listed(index, c->id);
    if (!entry)
        return fail(f, "%s: the index does not list the case", name);
    if (!whole_file_read(&bytes, path, f))
        return false;
    size_t size = (size_t)json_integer_value(json_object_get(entry, "bytes"));
    const char *expected = json_string_value(json_object_get(entry, "sha256"));
    Sha256 found = sha256_of(bytes);
    free((void *)bytes.at);
    if (expected && strcmp(found.hex, expected) == 0)
        return true;
    if (bytes.size != size)
        return fail(f, "%s: is %zu bytes long; the index has %zu", name, bytes.size, size);
    /* the right length, other bytes: perhaps another case's file, which says more than its sum */
    if (!golden_certificate(&ignored, c, path, f))
        return false;
    return fail(f, "%s: its SHA-256 is %.12s..; the index has %.12s..: the file was changed", name,
                found.hex, expected ? expected : "none");
}

/* ---- the linter ------------------------------------------------------------------------------- */

/* Each field of `expected` must be in `found`, and the other way round. */
static bool same_entry(const json_t *found, json_t *expected, const char *id, const char *name,
                       Failure *f)
{
    const char *key;
    json_t *value;
    json_object_foreach(expected, key, value)
    {
        if (!json_equal(json_object_get(found, key), value))
            return fail(f, "%s: case %s: field \"%s\" is not what the table and the file say", name,
                        id, key);
    }
    if (json_object_size(found) != json_object_size(expected))
        return fail(f, "%s: case %s: has fields that no index has", name, id);
    return true;
}

static bool check_case(const json_t *index, const GoldenCase *c, const char *folder, bool stored,
                       const char *name, Failure *f)
{
    char path[PATH];
    if (!listed(index, c->id))
        return fail(f, "%s: case %s of the table is not listed", name, c->id);
    if (!stored)
        return true;
    if (!index_vouches(index, c, folder, f))
        return false;
    golden_path(path, sizeof path, folder, c);
    json_t *expected = index_entry(c, path, f);
    bool same = expected && same_entry(listed(index, c->id), expected, c->id, name, f);
    json_decref(expected);
    return same;
}

static bool has_suffix(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);
    return n > m && strcmp(text + n - m, suffix) == 0;
}

/* A golden file of no case: a case that was renamed or taken out. */
static bool no_orphans(const Cases *cases, const char *folder, Failure *f)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return fail(f, "%s: cannot be opened: %s", folder, strerror(errno));
    bool ok = true;
    const struct dirent *entry;
    while (ok && (entry = readdir(dir))) {
        char id[300];
        if (!has_suffix(entry->d_name, GOLDEN_SUFFIX))
            continue;
        snprintf(id, sizeof id, "%.*s", (int)(strlen(entry->d_name) - strlen(GOLDEN_SUFFIX)),
                 entry->d_name);
        if (!cases_find(cases, id))
            ok = fail(f, "%s/%s: is the file of no case in the table", folder, entry->d_name);
    }
    closedir(dir);
    return ok;
}

size_t index_check(const Cases *cases, CaseTier tier, const char *folder, bool stored, Failure *f)
{
    char name[PATH];
    size_t count = 0;
    json_t *index = index_read(tier, folder, f);
    if (!index)
        return 0;
    snprintf(name, sizeof name, "%s/%s", folder, index_name(tier));
    bool ok = true;
    for (size_t k = 0; ok && k < cases->count; k++)
        if (cases->at[k].tier == tier) {
            ok = check_case(index, &cases->at[k], folder, stored, name, f);
            count++;
        }
    size_t entries = json_array_size(json_object_get(index, "cases"));
    if (ok && entries != count)
        ok = fail(f, "%s: lists %zu cases; the table has %zu", name, entries, count);
    if (ok && (size_t)json_integer_value(json_object_get(index, "count")) != count)
        ok = fail(f, "%s: \"count\" is not the number of cases, %zu", name, count);
    ok = ok && no_orphans(cases, folder, f);
    json_decref(index);
    return ok ? count : 0;
}
