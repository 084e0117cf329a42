/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A folder of golden files against its index: whatever harm is done gets one sentence that names the place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "golden_support.h"

#define ONE "tiny-one-token-f32"
#define LAYER "plain-layer-one-token-f32"
#define INDEX "work/index.json: "

/* ---- what should hold --------------------------------------------------------------------------- */

static void assert_sound(CaseTier tier, const char *folder, bool stored, size_t count)
{
    Failure f = {""};
    size_t found = index_check(&few, tier, folder, stored, &f);
    if (found != count)
        fail_msg("%zu cases, expected %zu: %s", found, count, f.text);
}

static void assert_unsound(const char *folder, const char *one, const char *two)
{
    Failure f = {""};
    assert_int_equal(index_check(&few, TIER_CORE, folder, true, &f), 0);
    assert_contains(f.text, one);
    assert_contains(f.text, two);
    assert_null(strchr(f.text, '\n'));
}

/* The index of "work", to be changed, and put back. */
static json_t *taken_index(void)
{
    json_error_t error;
    json_t *index = json_load_file(path_in(scratch_path("work"), "index.json"), 0, &error);
    assert_non_null(index);
    return index;
}

static void put_index(json_t *index)
{
    (void)remove(path_in(scratch_path("work"), "index.json")); /* a new file waits for no disk */
    assert_int_equal(json_dump_file(index, path_in(scratch_path("work"), "index.json"), 0), 0);
    json_decref(index);
}

static json_t *entry_in(json_t *index, size_t k)
{
    return json_array_get(json_object_get(index, "cases"), k);
}

/* ---- sound folders ---------------------------------------------------------------------------- */

static void a_sound_folder_is_counted(void **state)
{
    const char *folder = fresh_folder();
    (void)state;
    assert_sound(TIER_CORE, folder, true, FEW_CORE);
    assert_sound(TIER_PAPER, folder, true, FEW_PAPER);
    for (size_t k = 0; k < few.count; k++)
        if (few.at[k].tier == TIER_PAPER)
            assert_int_equal(remove(file_of(folder, few.at[k].id)), 0);
    assert_sound(TIER_PAPER, folder, false, FEW_PAPER); /* the index alone */
}

/* Where the files are not kept, the index is still held against the table. */
static void an_index_without_files_is_held_against_the_table(void **state)
{
    const char *folder = fresh_folder();
    Failure f;
    json_error_t error;
    (void)state;
    json_t *index = json_load_file(path_in(folder, "index-paper.json"), 0, &error);
    json_object_set_new(entry_in(index, 1), "window", json_string("3"));
    assert_int_equal(json_dump_file(index, path_in(folder, "index-paper.json"), 0), 0);
    json_decref(index);
    assert_int_equal(index_check(&few, TIER_PAPER, folder, false, &f), 0);
    assert_contains(f.text, "case tiny-two-numbers-bf16: field \"window\"");
}

static void the_set_in_the_sources_is_sound(void **state)
{
    Cases cases;
    Failure f;
    (void)state;
    assert_true(cases_read(&cases, NULL, &f));
    size_t core = 0;
    for (size_t k = 0; k < cases.count; k++)
        core += cases.at[k].tier == TIER_CORE;
    if (index_check(&cases, TIER_CORE, "vectors/golden", true, &f) != core)
        fail_msg("%s", f.text);
    if (index_check(&cases, TIER_PAPER, "vectors/golden", false, &f) != cases.count - core)
        fail_msg("%s", f.text);
    cases_free(&cases);
}

/* ---- harm to files ---------------------------------------------------------------------------- */

static void cut_files_are_refused(void **state)
{
    const char *folder = fresh_folder(), *path = file_of(folder, ONE);
    size_t size = file_size(path);
    const size_t left[] = {0, 7, 8, size / 2, size - 1};
    (void)state;
    for (size_t k = 0; k < sizeof left / sizeof *left; k++) {
        char expected[80];
        copy_file(file_of(scratch_path("good"), ONE), path);
        assert_int_equal(truncate(path, (off_t)left[k]), 0);
        (void)snprintf(expected, sizeof expected, "is %zu bytes long; the index has %zu", left[k],
                       size);
        assert_unsound(folder, "work/" ONE ".safetensors: ", expected);
    }
    assert_int_equal(truncate(path, (off_t)size + 1), 0);
    assert_unsound(folder, "work/" ONE ".safetensors: ", " bytes long; the index has ");
}

/* One bit of every third byte, of every byte with CASTLE_TEST_LONG. */
static void flipped_bits_are_refused(void **state)
{
    const char *folder = fresh_folder(), *path = file_of(scratch_path("work"), ONE);
    size_t size = file_size(path), changed = 0;
    Failure f;
    json_t *index = index_read(TIER_CORE, folder, &f);
    (void)state;
    assert_non_null(index);
    assert_true(index_vouches(index, few_find(ONE), folder, &f));
    size_t step = getenv("CASTLE_TEST_SHORT") ? 97 : getenv("CASTLE_TEST_LONG") ? 1 : 3;
    for (size_t k = 0; k < size; k += step) {
        flip_bit(path, k, k % 8);
        assert_false(index_vouches(index, few_find(ONE), folder, &f));
        assert_contains(f.text, ONE ".safetensors: ");
        changed += strstr(f.text, "the file was changed") != NULL;
        flip_bit(path, k, k % 8);
    }
    assert_true(changed > 0);
    json_decref(index);
}

static void files_of_other_cases_are_refused(void **state)
{
    const char *folder = fresh_folder(), *one = file_of(folder, ONE),
               *layer = file_of(folder, LAYER);
    (void)state;
    copy_file(file_of(scratch_path("good"), LAYER), one);
    copy_file(file_of(scratch_path("good"), ONE), layer);
    assert_unsound(folder, LAYER ".safetensors: ", " bytes long; the index has ");

    /* of the same length: the case in it is told */
    folder = fresh_folder();
    rewrite(file_of(folder, ONE), &(Change){.key = "case", .text = "tiny-two-token-f32"});
    assert_unsound(folder, ONE ".safetensors: ",
                   "metadata \"case\" is \"tiny-two-token-f32\"; expected \"" ONE "\"");
}

static void missing_and_renamed_files_are_refused(void **state)
{
    const char *folder = fresh_folder();
    (void)state;
    assert_int_equal(rename(file_of(folder, ONE), file_of(folder, "tiny-one-token-f33")), 0);
    assert_unsound(folder, ONE ".safetensors: ", "cannot be opened: No such file");
    folder = fresh_folder();
    copy_file(file_of(folder, ONE), file_of(folder, "tiny-none-f32"));
    assert_unsound(folder, "work/tiny-none-f32.safetensors: ", "is the file of no case");
}

/* ---- harm to the index ------------------------------------------------------------------------ */

/* Another value of the same kind. */
static json_t *another(const json_t *value)
{
    if (json_is_string(value))
        return json_sprintf("%sx", json_string_value(value));
    if (json_is_integer(value))
        return json_integer(json_integer_value(value) + 1);
    json_t *copy = json_deep_copy(value);
    if (json_is_array(copy))
        json_array_append_new(copy, json_true());
    else
        json_object_set_new(copy, "another", json_true());
    return copy;
}

/* Every field of an entry of each row and of the whole, changed, and left out; and one more. */
static void every_field_counts(void **state)
{
    const char *key;
    json_t *value;
    (void)state;
    (void)fresh_folder();
    json_t *good = taken_index();
    size_t fields = 0;
    for (size_t k = 0; k <= FEW_CORE; k += 2) /* the last: the whole */
        json_object_foreach(k < FEW_CORE ? entry_in(good, k) : good, key, value)
        {
            for (unsigned left_out = 0; left_out < 2; left_out++) {
                Failure f = {""};
                json_t *index = json_deep_copy(good);
                json_t *to = k < FEW_CORE ? entry_in(index, k) : index;
                if (left_out)
                    json_object_del(to, key);
                else
                    json_object_set_new(to, key, another(value));
                put_index(index);
                size_t found = index_check(&few, TIER_CORE, scratch_path("work"), true, &f);
                if (found)
                    fail_msg("entry %zu: %s changed, left out %u: passes", k, key, left_out);
                assert_true(strstr(f.text, "index.json: ") || strstr(f.text, ".safetensors: "));
                fields++;
            }
        }
    assert_true(fields > 15 * FEW_CORE);
    for (size_t k = 0; k <= FEW_CORE; k += 2) {
        json_t *index = json_deep_copy(good);
        json_object_set_new(k < FEW_CORE ? entry_in(index, k) : index, "more", json_integer(1));
        put_index(index);
        assert_unsound(scratch_path("work"), INDEX, "no index has a field \"more\"");
    }
    put_index(good);
    assert_sound(TIER_CORE, scratch_path("work"), true, FEW_CORE);
}

static void lists_that_are_not_the_table_are_refused(void **state)
{
    const char *folder = fresh_folder();
    (void)state;
    for (size_t k = 0; k < FEW_CORE; k++) {
        fresh_folder();
        json_t *index = taken_index(), *entry = json_deep_copy(entry_in(index, k));
        const char *id = json_string_value(json_object_get(entry, "id"));
        char expected[120];

        json_array_append(json_object_get(index, "cases"), entry);
        put_index(json_deep_copy(index));
        (void)snprintf(expected, sizeof expected, "lists case %s twice", id);
        assert_unsound(folder, INDEX, expected);

        json_array_remove(json_object_get(index, "cases"), k);
        json_array_remove(json_object_get(index, "cases"), FEW_CORE - 1);
        put_index(index);
        (void)snprintf(expected, sizeof expected, "case %s of the table is not listed", id);
        assert_unsound(folder, INDEX, expected);
        json_decref(entry);
    }
    fresh_folder();
    json_t *index = taken_index();
    json_object_set_new(entry_in(index, 1), "id", json_string("tiny-two-numbers-f32"));
    put_index(index);
    assert_unsound(folder, INDEX, "entry 2 is \"tiny-two-numbers-f32\", which is no case");
}

static void what_is_no_index_is_refused(void **state)
{
    static const struct {
        const char *text, *expected;
    } harms[] = {
        {"", "is not JSON: line 1"},
        {"{\"format\": 1, \"format\": 1}", "is not JSON: line 1: duplicate object key"},
        {"[]", "\"format\" is not 1"},
        {"{\"format\": 2, \"tier\": \"core\", \"cases\": [1]}", "\"format\" is not 1"},
        {"{\"format\": 1, \"tier\": \"paper\", \"cases\": [1]}", "\"tier\" is not \"core\""},
        {"{\"format\": 1, \"tier\": \"core\"}", "lists no cases; expected at least one"},
        {"{\"format\": 1, \"tier\": \"core\", \"cases\": []}", "lists no cases"},
        {"{\"format\": 1, \"tier\": \"core\", \"cases\": {\"a\": 1}}", "lists no cases"},
        {"{\"format\": 1, \"tier\": \"core\", \"cases\": [1]}",
         "entry 1 is \"\", which is no case"},
        {"{\"format\": 1, \"tier\": \"core\", \"cases\": [{\"id\": \"\\u001b\"}]}", "\\x1b"},
    };
    const char *folder = fresh_folder(), *path = scratch_path("work/index.json");
    (void)state;
    for (size_t k = 0; k < sizeof harms / sizeof *harms; k++) {
        write_file(path, harms[k].text, strlen(harms[k].text));
        assert_unsound(folder, INDEX, harms[k].expected);
    }
    assert_int_equal(remove(path), 0);
    assert_unsound(folder, INDEX, "cannot be opened: No such file");
    assert_unsound("no-such-folder", "no-such-folder/index.json: ", "cannot be opened");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_folder_is_counted),
        cmocka_unit_test(an_index_without_files_is_held_against_the_table),
        cmocka_unit_test(the_set_in_the_sources_is_sound),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(flipped_bits_are_refused),
        cmocka_unit_test(files_of_other_cases_are_refused),
        cmocka_unit_test(missing_and_renamed_files_are_refused),
        cmocka_unit_test(every_field_counts),
        cmocka_unit_test(lists_that_are_not_the_table_are_refused),
        cmocka_unit_test(what_is_no_index_is_refused),
    };
    return cmocka_run_group_tests(tests, few_made, few_dropped);
}
