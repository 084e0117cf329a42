/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an index says of its cases and files, and that it is written as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "golden_support.h"
#include "whole_file.h"

#include <fcntl.h>
#include <sys/file.h>

static json_t *index_in(const char *folder, CaseTier tier)
{
    Failure f = {""};
    json_t *index = index_read(tier, folder, &f);
    if (!index)
        fail_msg("%s", f.text);
    return index;
}

static void assert_text(const json_t *o, const char *key, const char *expected)
{
    const char *found = json_string_value(json_object_get(o, key));
    assert_non_null(found);
    assert_string_equal(found, expected);
}

static void assert_number(const json_t *o, const char *key, size_t expected)
{
    assert_true(json_is_integer(json_object_get(o, key)));
    assert_int_equal(json_integer_value(json_object_get(o, key)), expected);
}

/* The entries say what the table and the files say; they stand in the table's order. */
static void entries_are_the_table_and_the_files(void **state)
{
    const char *folder = fresh_folder();
    size_t next[2] = {0, 0};
    (void)state;
    json_t *index[] = {index_in(folder, TIER_CORE), index_in(folder, TIER_PAPER)};
    for (size_t k = 0; k < few.count; k++) {
        const GoldenCase *c = &few.at[k];
        GoldenCertificate g;
        Failure f;
        Bytes bytes;
        const json_t *e = json_array_get(json_object_get(index[c->tier], "cases"), next[c->tier]++);
        const json_t *shape = json_object_get(e, "shape"),
                     *said = json_object_get(e, "certificate");
        assert_ptr_equal(index_find(index[c->tier], c->id), e);
        assert_text(e, "id", c->id);
        assert_text(e, "family", case_family_name(c->family));
        assert_text(e, "for", c->purpose);
        assert_text(e, "type", case_type_suffix(c->type));
        assert_text(e, "window", "none");
        assert_text(e, "scale", "1/sqrt(d)");
        assert_text(e, "arithmetic", case_arithmetic(c->type));
        assert_int_equal(json_array_size(json_object_get(e, "bugs")), c->bugs);
        assert_int_equal(json_array_size(shape), 4);
        assert_int_equal(json_integer_value(json_array_get(shape, 2)), c->length);
        assert_true(golden_certificate(&g, c, file_of(folder, c->id), &f));
        assert_number(said, "elements", g.elements);
        assert_number(said, "masked", g.masked);
        assert_number(said, "bits", (size_t)g.bits);
        assert_true(json_is_true(json_object_get(said, "sequential")));
        assert_true(whole_file_read(&bytes, file_of(folder, c->id), &f));
        assert_number(e, "bytes", bytes.size);
        assert_text(e, "sha256", sha256_of(bytes).hex);
        free((void *)bytes.at);
    }
    assert_int_equal(next[TIER_CORE], FEW_CORE);
    assert_null(index_find(index[TIER_CORE], "tiny-two-numbers-f32"));
    assert_null(index_find(index[TIER_CORE], ""));
    json_decref(index[TIER_CORE]);
    json_decref(index[TIER_PAPER]);
}

static void the_whole_is_counted(void **state)
{
    const char *folder = fresh_folder();
    size_t bytes = 0;
    (void)state;
    json_t *index = index_in(folder, TIER_CORE);
    for (size_t k = 0; k < few.count; k++)
        bytes += few.at[k].tier == TIER_CORE ? file_size(file_of(folder, few.at[k].id)) : 0;
    assert_number(index, "format", INDEX_FORMAT);
    assert_text(index, "licence", "CC0-1.0");
    assert_text(index, "tier", "core");
    assert_number(index, "count", FEW_CORE);
    assert_number(index, "bytes", bytes);
    assert_int_equal(json_object_size(json_object_get(index, "families")), CASE_FAMILIES);
    assert_int_equal(json_object_size(json_object_get(index, "bugs")), few.bugs);
    json_decref(index);
    assert_string_equal(index_name(TIER_CORE), "index.json");
    assert_string_equal(index_name(TIER_PAPER), "index-paper.json");
}

static void only_files_that_are_there_are_listed(void **state)
{
    const char *folder = fresh_folder();
    Failure f = {""};
    (void)state;
    assert_int_equal(remove(file_of(folder, "tiny-one-token-f32")), 0);
    assert_true(index_write(&few, TIER_CORE, folder, &f));
    json_t *index = index_in(folder, TIER_CORE);
    assert_number(index, "count", FEW_CORE - 1);
    assert_null(index_find(index, "tiny-one-token-f32"));
    json_decref(index);

    copy_file(file_of(scratch_path("good"), "tiny-one-token-f32"),
              file_of(folder, "tiny-one-token-f32"));
    assert_true(index_write(&few, TIER_CORE, folder, &f));
    assert_same_file(path_in(folder, "index.json"), path_in(scratch_path("good"), "index.json"));
}

/* A folder without any file of the tier, or with one that is another case's, gets no index. */
static void there_is_no_index_of_nothing(void **state)
{
    const char *folder = fresh_folder();
    Failure f = {""};
    (void)state;
    assert_int_equal(remove(path_in(folder, "index.json")), 0);
    rewrite(file_of(folder, "tiny-one-token-f32"), &(Change){.key = "case", .text = "x"});
    assert_false(index_write(&few, TIER_CORE, folder, &f));
    assert_contains(f.text, "tiny-one-token-f32.safetensors: metadata \"case\" is \"x\"");
    for (size_t k = 0; k < few.count; k++)
        if (few.at[k].tier == TIER_CORE)
            assert_int_equal(remove(file_of(folder, few.at[k].id)), 0);
    assert_false(index_write(&few, TIER_CORE, folder, &f));
    assert_contains(f.text, "work: holds no golden file of the tier core");
    assert_int_equal(access(path_in(folder, "index.json"), F_OK), -1);
    assert_true(index_write(&few, TIER_PAPER, folder, &f));
    assert_false(index_write(&few, TIER_PAPER, "no-such-folder", &f));
    assert_contains(f.text, "no-such-folder: holds no golden file");
}

/* While another process writes the index this one waits; then it sees that one's files. */
static void the_last_to_write_sees_all_files(void **state)
{
    const char *folder = fresh_folder(), *late = file_of(folder, "tiny-one-token-f32");
    Failure f;
    int status;
    (void)state;
    assert_int_equal(remove(late), 0);
    int lock = open(folder, O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(lock);
        _exit(index_write(&few, TIER_CORE, folder, &f) ? 0 : 1);
    }
    (void)usleep(200000); /* enough for a process that does not wait */
    copy_file(file_of(scratch_path("good"), "tiny-one-token-f32"), late);
    assert_int_equal(flock(lock, LOCK_UN), 0);
    assert_int_equal(close(lock), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_same_file(path_in(folder, "index.json"), path_in(scratch_path("good"), "index.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_the_table_and_the_files),
        cmocka_unit_test(the_whole_is_counted),
        cmocka_unit_test(only_files_that_are_there_are_listed),
        cmocka_unit_test(there_is_no_index_of_nothing),
        cmocka_unit_test(the_last_to_write_sees_all_files),
    };
    return cmocka_run_group_tests(tests, few_made, few_dropped);
}
