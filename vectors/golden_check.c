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

static bool is_index(const json_t *index, CaseTier tier, const char *name, Failure *f)
{
    const json_t *format = json_object_get(index, "format"), *said = json_object_get(index, "tier");
    if (!json_is_integer(format) || json_integer_value(format) != INDEX_FORMAT)
        return fail(f, "%s: \"format\" is not %d, the one that is known here", name, INDEX_FORMAT);
    if (!json_is_string(said) || strcmp(json_string_value(said), case_tier_name(tier)) != 0)
        return fail(f, "%s: \"tier\" is not \"%s\"", name, case_tier_name(tier));
    if (json_array_size(json_object_get(index, "cases")) == 0)
        return fail(f, "%s: lists no cases; expected at least one", name);
    return true;
}

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
    if (is_index(index, tier, name, f))
        return index;
    json_decref(index);
    return NULL;
}

const json_t *index_find(const json_t *index, const char *id)
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
    const json_t *entry = index_find(index, c->id);
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

/* Each field of `expected` must be in `found`. */
static bool has_fields(const json_t *found, json_t *expected, const char *of, const char *name,
                       Failure *f)
{
    const char *key;
    json_t *value;
    json_object_foreach(expected, key, value)
    {
        if (!json_equal(json_object_get(found, key), value))
            return fail(f,
                        "%s: %s: field \"%s\" is not what it should be by the table and the files",
                        name, of, key);
    }
    return true;
}

static bool has_no_others(const json_t *found, json_t *expected, const char *of, const char *name,
                          Failure *f)
{
    char quoted[60];
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)found, key, value)
    {
        failure_quote(quoted, sizeof quoted, key);
        if (!json_object_get(expected, key))
            return fail(f, "%s: %s: no index has a field \"%s\"", name, of, quoted);
    }
    return true;
}

static bool check_case(const json_t *index, const GoldenCase *c, const char *folder, bool stored,
                       const char *name, Failure *f)
{
    char path[PATH], of[80];
    const json_t *found = index_find(index, c->id);
    if (!found)
        return fail(f, "%s: case %s of the table is not listed", name, c->id);
    if (stored && !index_vouches(index, c, folder, f))
        return false;
    golden_path(path, sizeof path, folder, c);
    snprintf(of, sizeof of, "case %s", c->id);
    json_t *expected = stored ? index_entry(c, path, f) : index_description(c);
    bool same = expected && has_fields(found, expected, of, name, f) &&
                (!stored || has_no_others(found, expected, of, name, f));
    json_decref(expected);
    return same;
}

/* That the index lists cases of the table's tier, and each once. */
static bool lists_known(const Cases *cases, CaseTier tier, const json_t *index, const char *name,
                        Failure *f)
{
    const json_t *entries = json_object_get(index, "cases");
    for (size_t k = 0; k < json_array_size(entries); k++) {
        const json_t *entry = json_array_get(entries, k);
        const char *id = json_string_value(json_object_get(entry, "id"));
        const GoldenCase *c = id ? cases_find(cases, id) : NULL;
        char quoted[60];
        failure_quote(quoted, sizeof quoted, id ? id : "");
        if (!c || c->tier != tier)
            return fail(f, "%s: entry %zu is \"%s\", which is no case of the table", name, k + 1,
                        quoted);
        if (index_find(index, id) != entry)
            return fail(f, "%s: lists case %s twice", name, id);
    }
    return true;
}

/* What the index says of the whole: count, bytes, families, bugs, ... */
static bool check_whole(const Cases *cases, CaseTier tier, const json_t *index, const char *name,
                        Failure *f)
{
    json_t *expected = index_document(cases, tier, json_object_get(index, "cases"));
    bool same = has_fields(index, expected, "the whole", name, f) &&
                has_no_others(index, expected, "the whole", name, f);
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
    char name[160], quoted[80], id[300];
    DIR *dir = opendir(folder);
    failure_quote_path(name, sizeof name, folder);
    if (!dir)
        return fail(f, "%s: cannot be opened: %s", name, strerror(errno));
    bool ok = true;
    const struct dirent *entry;
    while (ok && (entry = readdir(dir))) {
        if (!has_suffix(entry->d_name, GOLDEN_SUFFIX))
            continue;
        snprintf(id, sizeof id, "%.*s", (int)(strlen(entry->d_name) - strlen(GOLDEN_SUFFIX)),
                 entry->d_name);
        failure_quote(quoted, sizeof quoted, entry->d_name);
        if (!cases_find(cases, id))
            ok = fail(f, "%s/%s: is the file of no case in the table", name, quoted);
    }
    closedir(dir);
    return ok;
}

size_t index_check(const Cases *cases, CaseTier tier, const char *folder, bool stored, Failure *f)
{
    char path[PATH], name[160];
    size_t count = 0;
    json_t *index = index_read(tier, folder, f);
    if (!index)
        return 0;
    snprintf(path, sizeof path, "%s/%s", folder, index_name(tier));
    failure_quote_path(name, sizeof name, path);
    bool ok = lists_known(cases, tier, index, name, f);
    for (size_t k = 0; ok && k < cases->count; k++)
        if (cases->at[k].tier == tier) {
            ok = check_case(index, &cases->at[k], folder, stored, name, f);
            count++;
        }
    ok = ok && check_whole(cases, tier, index, name, f) && no_orphans(cases, folder, f);
    json_decref(index);
    return ok ? count : 0;
}
