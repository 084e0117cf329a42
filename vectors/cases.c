/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cases.h"

#include "bug.h"
#include "case_row.h"

#include <stdlib.h>
#include <string.h>

/* vectors/cases.json, byte by byte, made by the Makefile. */
extern const unsigned char cases_json[];
extern const size_t cases_json_size;

/* "families": {"plain": {"why": "...", "without": "..."}, ...}, all of them and nothing else. */
static bool read_families(Cases *cases, const json_t *families, Failure *f)
{
    for (CaseFamily k = 0; k < CASE_FAMILIES; k++) {
        const json_t *entry = json_object_get(families, case_family_name(k));
        const json_t *without = json_object_get(entry, "without");
        cases->why[k] = json_string_value(json_object_get(entry, "why"));
        cases->without[k] = json_string_value(without);
        if (!cases->why[k] || (without && !cases->without[k]) ||
            json_object_size(entry) != (without ? 2 : 1))
            return fail(f,
                        "families: \"%s\" lacks its \"why\", or has more than a string \"without\" "
                        "beside it",
                        case_family_name(k));
    }
    if (json_object_size(families) != CASE_FAMILIES)
        return fail(f, "families: there are %zu, expected %d", json_object_size(families),
                    CASE_FAMILIES);
    return true;
}

/* "bugs": {"scale-from-block": "the scale is ...", ...} */
static bool read_bugs(Cases *cases, json_t *bugs, Failure *f)
{
    const char *id;
    json_t *meaning;
    if (json_object_size(bugs) == 0)
        return fail(f, "bugs: expected an object with a sentence for every id");
    cases->bug = room_for(__func__, json_object_size(bugs), sizeof *cases->bug);
    json_object_foreach(bugs, id, meaning)
    {
        char quoted[80];
        failure_quote(quoted, sizeof quoted, id);
        if (!json_string_value(meaning) || !*json_string_value(meaning))
            return fail(f, "bugs: \"%s\" has no sentence", quoted);
        if (*id == '\0' || strlen(id) > 40 ||
            strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(id))
            return fail(f, "bugs: the id \"%s\" is not of a-z 0-9 and -, at most 40", quoted);
        cases->bug[cases->bugs++] = (CaseBug){id, json_string_value(meaning)};
    }
    return true;
}

static bool read_row(Cases *cases, const json_t *row, size_t number, Failure *f)
{
    NumberType types[NUMBER_TYPES];
    const char *id = case_row_id(row, number, f);
    size_t count = id ? case_row_types(row, id, types, f) : 0;
    if (count == 0)
        return false;
    for (size_t k = 0; k < count; k++) {
        GoldenCase c;
        if (!case_row_read(&c, row, id, types[k], cases, f))
            return false;
        bool taken = cases_find(cases, c.id) != NULL;
        cases->at[cases->count++] = c;
        if (taken)
            return fail(f, "row \"%s\", field \"id\": there is a case \"%s\" already", id, c.id);
    }
    return true;
}

static bool read_table(Cases *cases, json_t *table, Failure *f)
{
    static const char *const parts[] = {"about", "families", "bugs", "cases"};
    const json_t *rows = json_object_get(table, "cases");
    const char *key;
    json_t *value;
    json_object_foreach(table, key, value)
    {
        size_t k = 0;
        char quoted[60];
        while (k < 4 && strcmp(key, parts[k]) != 0)
            k++;
        failure_quote(quoted, sizeof quoted, key);
        if (k == 4)
            return fail(f, "\"%s\" is none of about families bugs cases", quoted);
    }
    if (!read_families(cases, json_object_get(table, "families"), f) ||
        !read_bugs(cases, json_object_get(table, "bugs"), f))
        return false;
    if (json_array_size(rows) == 0)
        return fail(f, "cases: expected a list with at least one row");
    cases->at = room_for(__func__, NUMBER_TYPES * json_array_size(rows), sizeof *cases->at);
    for (size_t k = 0; k < json_array_size(rows); k++)
        if (!read_row(cases, json_array_get(rows, k), k + 1, f))
            return false;
    return true;
}

bool cases_read(Cases *cases, const char *path, Failure *f)
{
    char name[160] = "the built-in table of cases";
    json_error_t error;
    *cases = (Cases){0};
    if (path)
        failure_quote_path(name, sizeof name, path);
    json_t *table = path ? json_load_file(path, JSON_REJECT_DUPLICATES, &error)
                         : json_loadb((const char *)cases_json, cases_json_size,
                                      JSON_REJECT_DUPLICATES, &error);
    cases->table = table;
    bool ok = true;
    if (!table)
        ok = fail(f, "%s: line %d, column %d: %s", name, error.line, error.column, error.text);
    else if (!read_table(cases, table, f))
        ok = fail(f, "%s: %s", name, f->text);
    if (!ok)
        cases_free(cases);
    return ok;
}

void cases_free(Cases *cases)
{
    for (size_t k = 0; k < cases->count; k++)
        case_row_free(&cases->at[k]);
    free(cases->at);
    free(cases->bug);
    json_decref(cases->table);
    *cases = (Cases){0};
}

const GoldenCase *cases_find(const Cases *cases, const char *id)
{
    for (size_t k = 0; k < cases->count; k++)
        if (strcmp(cases->at[k].id, id) == 0)
            return &cases->at[k];
    return NULL;
}
