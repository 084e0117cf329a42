/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * vectors/index.schema.json against what golden_index.c writes: the same names and the same words,
 * no more and no fewer; by the Python package jsonschema, where that is installed, the whole of it;
 * and the manual castle-vectors(5), which must name everything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cases.h"
#include "command_support.h"
#include "program_support.h"
#include "safetensors.h"

#define SCHEMA "vectors/index.schema.json"
#define MANUAL "docs/castle-vectors.5"
#define SCRIPT "tests/test_index_schema.py"

/* Between them they have every field: a layer's dm, and the steps and splits of decoding. */
static const char *const written[] = {"tiny-one-token-wide-f32", "plain-layer-one-token-f32",
                                      "plain-decode-window-0-bf16"};
enum { WRITTEN = sizeof written / sizeof *written };

static Cases cases;
static json_t *schema, *written_index;

static json_t *loaded(const char *path)
{
    json_error_t error;
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        print_error("%s:%d: %s\n", path, error.line, error.text);
    return json;
}

static int setup(void **state)
{
    Failure f;
    if (command_setup(state) || !cases_read(&cases, NULL, &f))
        return -1;
    for (size_t k = 0; k < WRITTEN; k++)
        run_right("emit", "--out", scratch, "--case", written[k]);
    written_index = loaded(scratch_path("index.json"));
    schema = loaded(SCHEMA);
    return written_index && schema ? 0 : -1;
}

static int teardown(void **state)
{
    json_decref(written_index);
    json_decref(schema);
    cases_free(&cases);
    return command_teardown(state);
}

static json_t *definition(const char *name)
{
    return json_object_get(json_object_get(schema, "$defs"), name);
}

static bool lists(const json_t *list, const char *word)
{
    for (size_t k = 0; k < json_array_size(list); k++)
        if (strcmp(json_string_value(json_array_get(list, k)), word) == 0)
            return true;
    return false;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* The part of the schema has just the fields of these objects, requires those that all of them
 * have, and lets in no other. */
static void assert_describes(const char *what, json_t *part, json_t *const *objects, size_t count)
{
    json_t *properties = json_object_get(part, "properties"), *value;
    const json_t *required = json_object_get(part, "required");
    const char *key;
    assert_true(json_is_false(json_object_get(part, "additionalProperties")));
    json_object_foreach(properties, key, value)
    {
        size_t have = 0;
        for (size_t k = 0; k < count; k++)
            have += json_object_get(objects[k], key) != NULL;
        if (!have)
            fail_msg("%s: the schema has \"%s\"; nothing writes it", what, key);
        if (lists(required, key) != (have == count))
            fail_msg("%s: \"%s\" is in %zu of %zu; the schema says %srequired", what, key, have,
                     count, lists(required, key) ? "" : "not ");
    }
    for (size_t k = 0; k < count; k++)
        json_object_foreach(objects[k], key, value)
        {
            if (!json_object_get(properties, key))
                fail_msg("%s: \"%s\" is written; the schema lacks it", what, key);
        }
    for (size_t k = 0; k < json_array_size(required); k++)
        assert_non_null(
            json_object_get(properties, json_string_value(json_array_get(required, k))));
}

static void the_document_has_the_schemas_fields(void **state)
{
    (void)state;
    assert_describes("index", schema, &written_index, 1);
}

static void entries_have_the_schemas_fields(void **state)
{
    (void)state;
    json_t *list = json_object_get(written_index, "cases"), *entry[WRITTEN], *certificate[WRITTEN];
    assert_int_equal(json_array_size(list), WRITTEN);
    for (size_t k = 0; k < WRITTEN; k++) {
        entry[k] = json_array_get(list, k);
        certificate[k] = json_object_get(entry[k], "certificate");
    }
    assert_describes("case", definition("case"), entry, WRITTEN);
    assert_describes("certificate", definition("certificate"), certificate, WRITTEN);
}

/* ---- words ----------------------------------------------------------------------------------- */

static void assert_words(const json_t *list, size_t count, const char *(*name)(unsigned))
{
    assert_int_equal(json_array_size(list), count);
    for (unsigned k = 0; k < count; k++)
        if (!lists(list, name(k)))
            fail_msg("\"%s\" is not in the schema's list", name(k));
}

static const char *family_of(unsigned k) { return case_family_name((CaseFamily)k); }
static const char *kind_of(unsigned k) { return case_kind_name((CaseKind)(1U << k)); }
static const char *flag_of(unsigned k) { return case_flag_name((CaseFlag)(1U << k)); }
static const char *tier_of(unsigned k) { return case_tier_name((CaseTier)k); }
static const char *variant_of(unsigned k) { return variant_name((Variant)k); }
static const char *type_of(unsigned k) { return case_type_suffix((NumberType)k); }
static const char *arithmetic_of(unsigned k) { return case_arithmetic((NumberType)k); }

static const json_t *words_of(const char *property)
{
    json_t *all = json_object_get(definition("case"), "properties");
    return json_object_get(json_object_get(all, property), "enum");
}

static void words_are_those_of_the_table(void **state)
{
    (void)state;
    const json_t *tier = json_object_get(json_object_get(schema, "properties"), "tier");
    assert_words(json_object_get(definition("family"), "enum"), CASE_FAMILIES, family_of);
    assert_words(json_object_get(definition("kind"), "enum"), CASE_KINDS, kind_of);
    assert_words(json_object_get(definition("flag"), "enum"), CASE_FLAGS, flag_of);
    assert_words(json_object_get(tier, "enum"), 2, tier_of);
    assert_words(words_of("variant"), 3, variant_of);
    assert_words(words_of("type"), NUMBER_TYPES, type_of);
    assert_words(words_of("arithmetic"), NUMBER_TYPES, arithmetic_of);
}

/* ---- the manual ------------------------------------------------------------------------------ */

/* Whether one of the manual's lines that name things (.Li, .It Li) has the word. */
static bool manual_names(const char *manual, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = manual; (at = strstr(at, word)); at++) {
        const char *line = at;
        while (line > manual && line[-1] != '\n')
            line--;
        bool whole = at > manual && at[-1] == ' ' && strchr(" ,\n", at[n]);
        if (whole && (strncmp(line, ".Li ", 4) == 0 || strncmp(line, ".It Li ", 7) == 0))
            return true;
    }
    return false;
}

static void the_manual_names_every_field_tensor_and_metadata(void **state)
{
    (void)state;
    size_t size;
    char *manual = (char *)read_whole_file(MANUAL, &size);
    json_t *parts[] = {schema, definition("case"), definition("certificate")}, *value;
    const char *key;
    for (size_t k = 0; k < 3; k++)
        json_object_foreach(json_object_get(parts[k], "properties"), key, value)
        {
            if (!manual_names(manual, key))
                fail_msg("%s does not name the index's \"%s\"", MANUAL, key);
        }
    for (size_t k = 0; k < WRITTEN; k++) {
        Failure f;
        char name[80];
        (void)snprintf(name, sizeof name, "%s.safetensors", written[k]);
        SafetensorsFile *file = safetensors_open(scratch_path(name), &f);
        assert_non_null(file);
        for (size_t i = 0; i < safetensors_metadata_count(file); i++)
            if (!manual_names(manual, safetensors_metadata_key(file, i)))
                fail_msg("%s does not name the metadata \"%s\"", MANUAL,
                         safetensors_metadata_key(file, i));
        safetensors_close(file);
    }
    for (Answer a = 0; a < ANSWERS; a++)
        if (!manual_names(manual, answer_name(a)))
            fail_msg("%s does not name the answer \"%s\"", MANUAL, answer_name(a));
    free(manual);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static const char *python_or_skip(void)
{
    const char *python = python_with("jsonschema");
    if (!python)
        skip_with("no python3 with jsonschema; install python3-jsonschema");
    return python;
}

static void assert_valid(const char *python, const char *path)
{
    char *text;
    if (program_run(PROGRAM(python, SCRIPT, SCHEMA, path), &text) != 0)
        fail_msg("%s", text);
    free(text);
}

static void a_written_index_is_valid(void **state)
{
    (void)state;
    const char *python = python_or_skip();
    assert_valid(python, scratch_path("index.json"));
    assert_valid(python, "vectors/golden/index.json");
    assert_valid(python, "vectors/golden/index-paper.json");
}

/* Sets a field of a copy of the index to `value`, a JSON text, or takes it out (NULL), and has that
 * refused. `key` begins with "/" for the document, with "." for the first case's certificate; else
 * it is the first case's. */
static void assert_invalid(const char *python, const char *key, const char *value,
                           const char *expected)
{
    json_t *copy = json_deep_copy(written_index);
    json_t *entry = json_array_get(json_object_get(copy, "cases"), 0);
    json_t *in = key[0] == '/'   ? copy
                 : key[0] == '.' ? json_object_get(entry, "certificate")
                                 : entry;
    key += key[0] == '/' || key[0] == '.';
    if (value)
        json_object_set_new(in, key, json_loads(value, JSON_DECODE_ANY, NULL));
    else
        json_object_del(in, key);
    const char *path = scratch_path("broken.json");
    assert_int_equal(json_dump_file(copy, path, 0), 0);
    json_decref(copy);
    char *text;
    int status = program_run(PROGRAM(python, SCRIPT, SCHEMA, path), &text);
    if (status != 1 || !strstr(text, expected))
        fail_msg("\"%s\" set to %s: status %d, expected 1 and \"%s\":\n%s", key,
                 value ? value : "nothing", status, expected, text);
    free(text);
}

static void what_is_not_so_is_refused(void **state)
{
    (void)state;
    const char *python = python_or_skip();
    assert_invalid(python, "/tier", "\"huge\"", ".tier: 'huge' is not one of");
    assert_invalid(python, "/cases", "[]", ".cases: ");
    assert_invalid(python, "/colour", "1", "'colour' was unexpected");
    assert_invalid(python, "id", "\"tiny\"", ".cases[0].id: 'tiny' does not match");
    assert_invalid(python, "sha256", "\"0a\"", ".cases[0].sha256: '0a' does not match");
    assert_invalid(python, "shape", "[1, 1, 1]", ".cases[0].shape: [1, 1, 1] is too short");
    assert_invalid(python, "kinds", "[\"gradients\"]", ".cases[0].kinds: ");
    assert_invalid(python, "colour", "1", ".cases[0]: ");
    assert_invalid(python, "for", NULL, "'for' is a required property");
    assert_invalid(python, ".ties", "-1", ".cases[0].certificate.ties: -1 is less than");
    assert_invalid(python, ".sequential", "\"yes\"", ".certificate.sequential: 'yes' is not");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document_has_the_schemas_fields),
        cmocka_unit_test(entries_have_the_schemas_fields),
        cmocka_unit_test(words_are_those_of_the_table),
        cmocka_unit_test(the_manual_names_every_field_tensor_and_metadata),
        cmocka_unit_test(a_written_index_is_valid),
        cmocka_unit_test(what_is_not_so_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
