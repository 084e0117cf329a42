/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "case_row.h"

#include "answers.h"
#include "bug.h"
#include "case_fields.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_TOKENS = 4096,
    MOST_DIM = 256,
    MOST_MODEL = 4096,
    MOST_SEED = (1 << 20) - 1,
    LONGEST_ID = 40
};

/* What a family's level may be; none where both are 0. */
static const struct {
    double lowest, highest;
    bool whole, needs_default_scale;
} levels[CASE_FAMILIES] = {
    [FAMILY_NEG] = {-62000, -100, true, true}, [FAMILY_LARGE_SU] = {100, 1000, true, true},
    [FAMILY_OUTLIER] = {17, 20, true, false},  [FAMILY_OFFSET] = {1, 1024, true, false},
    [FAMILY_DRIFT] = {0.25, 1, false, false},  [FAMILY_LOSS_SCALE] = {-22, 15, true, false},
    [FAMILY_SATURATED] = {8, 50, true, true},  [FAMILY_SILU_MINIMUM] = {0, 0, true, true},
    [FAMILY_EQUAL_KEYS] = {0, 2, true, false}, [FAMILY_INTEGERS] = {0, 1, true, true},
};

/* ---- vocabularies --------------------------------------------------------------------------------- */

static const char *family_word(unsigned k) { return case_family_name((CaseFamily)k); }
static const char *kind_word(unsigned k) { return case_kind_name((CaseKind)(1U << k)); }
static const char *flag_word(unsigned k) { return case_flag_name((CaseFlag)(1U << k)); }
static const char *tier_word(unsigned k) { return case_tier_name((CaseTier)k); }
static const char *type_word(unsigned k) { return case_type_suffix((NumberType)k); }
static const char *variant_word(unsigned k) { return variant_name((Variant)k); }
static const char *tensor_word(unsigned k) { return input_name((Input)k); }
static const char *special_word(unsigned k)
{
    static const char *const names[] = {"nan", "inf", "-inf", "subnormal", SUBNORMAL_KEYS};
    return names[k];
}

/* ---- window, scale, level ----------------------------------------------------------------------- */

static bool read_window(const Row *row, size_t *window)
{
    const json_t *value = json_object_get(row->fields, "window");
    *window = NO_WINDOW;
    if (!value || (json_is_string(value) && strcmp(json_string_value(value), "none") == 0))
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > MOST_TOKENS)
        return row_refuse(row, "window", "expected \"none\" or a whole number from 0 to %d",
                          MOST_TOKENS);
    *window = (size_t)json_integer_value(value);
    return true;
}

static bool read_scale(const Row *row, GoldenCase *c)
{
    const json_t *value = json_object_get(row->fields, "scale");
    c->scale = json_number_value(value);
    if (!value || (json_is_string(value) && strcmp(json_string_value(value), "1/sqrt(d)") == 0))
        return true;
    if (levels[c->family].needs_default_scale)
        return row_refuse(row, "scale", "family %s takes no scale but 1/sqrt(d)",
                          case_family_name(c->family));
    if (!json_is_number(value) || !(c->scale > 0 && c->scale <= 1024))
        return row_refuse(row, "scale", "expected \"1/sqrt(d)\" or a number above 0, at most 1024");
    return true;
}

static bool read_level(const Row *row, GoldenCase *c)
{
    const json_t *value = json_object_get(row->fields, "level");
    double lowest = levels[c->family].lowest, highest = levels[c->family].highest;
    c->level = json_number_value(value);
    if (lowest == highest)
        return value ? row_refuse(row, "level", "family %s has none", case_family_name(c->family))
                     : true;
    bool whole = c->level == floor(c->level), sixteenths = 16 * c->level == floor(16 * c->level);
    if (!json_is_number(value) || c->level < lowest || c->level > highest ||
        !(levels[c->family].whole ? whole : sixteenths))
        return row_refuse(
            row, "level", "family %s takes a %s from %g to %g", case_family_name(c->family),
            levels[c->family].whole ? "whole number" : "multiple of 1/16", lowest, highest);
    return true;
}

/* ---- fields of one family or kind --------------------------------------------------------------- */

static bool read_trained(const Row *row, GoldenCase *c)
{
    static const char *const fields[] = {"source", "head", "first"};
    if (c->family != FAMILY_TRAINED)
        return row_lacks(row, fields, 3, "cases of family trained");
    if (c->batch != 1)
        return row_refuse(row, "batch", "trained cases have one batch");
    if (!row_text(row, "source", NULL, &c->source))
        return false;
    if (strspn(c->source, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(c->source))
        return row_refuse(row, "source", "expected a dump's name, of a-z 0-9 and - only");
    return row_count(row, "head", 0, 63, 0, &c->source_head) &&
           row_count(row, "first", 0, MOST_TOKENS, 0, &c->first);
}

static bool read_special(const Row *row, GoldenCase *c)
{
    static const char *const fields[] = {"token", "tensors", "value"};
    unsigned which;
    if (c->family != FAMILY_SPECIAL)
        return row_lacks(row, fields, 3, "cases of family special");
    if (!row_count(row, "token", 0, (json_int_t)c->length - 1, ROW_REQUIRED, &c->token) ||
        !row_words(row, "tensors", "qu ku vu qc kc vc", tensor_word, INPUTS, &c->tensors) ||
        !row_word(row, "value", NULL, special_word, 5, &which))
        return false;
    c->special = special_word(which);
    if (!c->tensors)
        return row_refuse(row, "tensors", "it is empty");
    bool subnormal = strncmp(c->special, "subnormal", 9) == 0;
    unsigned flag = subnormal ? FLAG_SUBNORMAL : FLAG_NONFINITE;
    return c->flags & flag ? true
                           : row_refuse(row, "flags", "the value is %s, so \"%s\" is expected",
                                        c->special, case_flag_name((CaseFlag)flag));
}

static bool read_steps(const Row *row, GoldenCase *c)
{
    const json_t *list = json_object_get(row->fields, "steps");
    size_t n = json_array_size(list);
    if (n == 0)
        return row_refuse(row, "steps", "expected a list of token counts, as [1, 16]");
    c->step = room_for(__func__, n, sizeof *c->step);
    c->steps = n;
    for (size_t k = 0; k < n; k++) {
        json_int_t s = json_integer_value(json_array_get(list, k));
        if (s <= (k ? (json_int_t)c->step[k - 1] : 0) || s > (json_int_t)c->length)
            return row_refuse(row, "steps",
                              "entry %zu is no whole number above the one before, up to L", k + 1);
        c->step[k] = (size_t)s;
    }
    return true;
}

/* "16 8 1*16": chunks of 16, of 8, and sixteen of 1. */
static bool read_split(const Row *row, const char *text, size_t length, CaseSplit *split)
{
    char word[24], quoted[80];
    const char *rest = text;
    size_t sum = 0;
    failure_quote(quoted, sizeof quoted, text);
    split->chunk = room_for(__func__, length, sizeof *split->chunk);
    while (row_next_word(&rest, word, sizeof word)) {
        unsigned size = 0, times = 1;
        int end = 0;
        if (strspn(word, "0123456789*") != strlen(word) ||
            sscanf(word, "%5u%n*%5u%n", &size, &end, &times, &end) < 1 || word[end] || !size ||
            !times || size * (size_t)times > length - sum)
            return row_refuse(row, "splits",
                              "\"%s\" is no list of chunks, as \"16 8 1*16\", of %zu tokens",
                              quoted, length);
        for (sum += size * (size_t)times; times > 0; times--)
            split->chunk[split->chunks++] = size;
    }
    return sum == length ? true
                         : row_refuse(row, "splits", "\"%s\" adds up to %zu, expected L = %zu",
                                      text, sum, length);
}

static bool read_decode(const Row *row, GoldenCase *c)
{
    static const char *const fields[] = {"steps", "splits"};
    const json_t *list = json_object_get(row->fields, "splits");
    size_t n = json_array_size(list);
    if (!(c->kinds & KIND_DECODE))
        return row_lacks(row, fields, 2, "decode cases");
    if (!read_steps(row, c))
        return false;
    if (n == 0)
        return row_refuse(row, "splits", "expected a list, as [\"1*40\", \"16 8 1*16\"]");
    c->split = room_for(__func__, n, sizeof *c->split);
    for (c->splits = 0; c->splits < n; c->splits++) {
        const char *text = json_string_value(json_array_get(list, c->splits));
        if (!text)
            return row_refuse(row, "splits", "entry %zu is no string", c->splits + 1);
        if (!read_split(row, text, c->length, &c->split[c->splits])) {
            c->splits++; /* what was made is freed with the rest */
            return false;
        }
    }
    return true;
}

static bool read_layer(const Row *row, GoldenCase *c)
{
    static const char *const fields[] = {"dm"};
    if (!(c->kinds & KIND_LAYER))
        return row_lacks(row, fields, 1, "layer cases");
    if (c->family != FAMILY_PLAIN)
        return row_refuse(row, "family", "layers are plain, their heads' inputs are projections");
    if (c->kinds & (KIND_STAGES | KIND_DECODE))
        return row_refuse(row, "kinds", "a layer has neither stages nor decoding of its own");
    return row_count(row, "dm", 1, MOST_MODEL, ROW_REQUIRED, &c->model);
}

static bool read_bugs(const Row *row, GoldenCase *c, const Cases *known)
{
    const char *text;
    char word[48];
    if (!row_text(row, "bugs", NULL, &text))
        return false;
    c->bug = room_for(__func__, known->bugs, sizeof *c->bug);
    while (row_next_word(&text, word, sizeof word)) {
        const char *id = NULL;
        for (size_t k = 0; k < known->bugs; k++)
            if (strcmp(word, known->bug[k].id) == 0)
                id = known->bug[k].id;
        char quoted[60];
        failure_quote(quoted, sizeof quoted, word);
        if (!id)
            return row_refuse(row, "bugs", "\"%s\" is not in the table of bugs", quoted);
        for (size_t k = 0; k < c->bugs; k++)
            if (c->bug[k] == id)
                return row_refuse(row, "bugs", "\"%s\" stands there twice", quoted);
        c->bug[c->bugs++] = id;
    }
    return true;
}

/* ---- a row ------------------------------------------------------------------------------------- */

static bool only_known_fields(const Row *row)
{
    static const char *const known[] = {
        "id",    "family", "tier",    "kinds", "types", "batch",   "heads", "L",      "d",
        "dm",    "window", "scale",   "seed",  "level", "variant", "flags", "source", "head",
        "first", "token",  "tensors", "value", "steps", "splits",  "for",   "bugs"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)row->fields, key, value)
    {
        size_t k = 0;
        while (k < sizeof known / sizeof *known && strcmp(key, known[k]) != 0)
            k++;
        if (k == sizeof known / sizeof *known)
            return row_refuse(row, key, "no row has such a field");
    }
    return true;
}

static bool read_what(const Row *row, GoldenCase *c)
{
    unsigned family, tier, variant;
    if (!row_word(row, "family", NULL, family_word, CASE_FAMILIES, &family) ||
        !row_word(row, "tier", "core", tier_word, 2, &tier) ||
        !row_word(row, "variant", "castle", variant_word, 3, &variant) ||
        /* without the last, "variant", which follows from the variant */
        !row_words(row, "kinds", "forward gradients", kind_word, CASE_KINDS - 1, &c->kinds) ||
        !row_words(row, "flags", "", flag_word, CASE_FLAGS, &c->flags))
        return false;
    c->family = (CaseFamily)family;
    c->tier = (CaseTier)tier;
    c->variant = (Variant)variant;
    if (!(c->kinds & KIND_FORWARD))
        return row_refuse(row, "kinds", "\"forward\" is part of every case");
    if (c->family == FAMILY_LOSS_SCALE && !(c->kinds & KIND_GRADIENTS))
        return row_refuse(row, "kinds", "family loss-scale is for gradients");
    if (c->variant != CASTLE)
        c->kinds |= KIND_VARIANT;
    return true;
}

static bool read_shape(const Row *row, GoldenCase *c)
{
    size_t seed;
    if (!row_count(row, "batch", 1, 64, 1, &c->batch) ||
        !row_count(row, "heads", 1, 64, 1, &c->heads) ||
        !row_count(row, "L", 1, MOST_TOKENS, ROW_REQUIRED, &c->length) ||
        !row_count(row, "d", 1, MOST_DIM, ROW_REQUIRED, &c->dim) ||
        !row_count(row, "seed", 1, MOST_SEED, ROW_REQUIRED, &seed))
        return false;
    c->seed = seed;
    if (c->family == FAMILY_INTEGERS && c->dim != 1 && c->dim != 4 && c->dim != 16 && c->dim != 64)
        return row_refuse(row, "d",
                          "family integers takes 1, 4, 16 or 64, so that 1/sqrt(d) is exact");
    return true;
}

const char *case_row_id(const json_t *row, size_t number, Failure *f)
{
    const char *id = json_string_value(json_object_get(row, "id"));
    char quoted[60];
    if (!id) {
        fail(f, "row %zu, field \"id\": expected an object with a string \"id\"", number);
        return NULL;
    }
    failure_quote(quoted, sizeof quoted, id);
    if (strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(id) || id[0] < 'a' ||
        strlen(id) > LONGEST_ID) {
        fail(f, "row %zu, field \"id\": \"%s\" is not of a-z 0-9 and -, a letter first, at most %d",
             number, quoted, LONGEST_ID);
        return NULL;
    }
    return id;
}

size_t case_row_types(const json_t *fields, const char *id, NumberType *types, Failure *f)
{
    const Row row = {fields, id, f};
    static const NumberType order[] = {TYPE_F64, TYPE_F32, TYPE_BF16, TYPE_F16};
    unsigned bits;
    size_t count = 0;
    if (!row_words(&row, "types", "f64 f32 bf16 f16", type_word, NUMBER_TYPES, &bits))
        return 0;
    for (size_t k = 0; k < NUMBER_TYPES; k++)
        if (bits >> order[k] & 1)
            types[count++] = order[k];
    if (count == 0)
        row_refuse(&row, "types", "it is empty");
    return count;
}

bool case_row_read(GoldenCase *c, const json_t *fields, const char *id, NumberType type,
                   const Cases *known, Failure *f)
{
    const Row row = {fields, id, f};
    size_t size = strlen(id) + 8;
    *c = (GoldenCase){.type = type, .id = room_for(__func__, size, 1)};
    snprintf(c->id, size, "%s-%s", id, case_type_suffix(type));
    bool ok = only_known_fields(&row) && read_what(&row, c) && read_shape(&row, c) &&
              read_window(&row, &c->window) && read_scale(&row, c) && read_level(&row, c) &&
              read_trained(&row, c) && read_special(&row, c) && read_decode(&row, c) &&
              read_layer(&row, c) && row_text(&row, "for", NULL, &c->purpose) &&
              read_bugs(&row, c, known);
    if (!ok)
        case_row_free(c);
    return ok;
}

void case_row_free(GoldenCase *c)
{
    for (size_t k = 0; k < c->splits; k++)
        free(c->split[k].chunk);
    free(c->split);
    free(c->step);
    free(c->bug);
    free(c->id);
    *c = (GoldenCase){0};
}
