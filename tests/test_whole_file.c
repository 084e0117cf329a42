/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files as a whole or not at all. What happens when a disk is full, or a name too long, half-way through is in
 * test_safetensors_write.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vectors_support.h"
#include "whole_file.h"

#include <sys/stat.h>

static const Bytes parts[] = {{"ab", 2}, {"", 0}, {"c\0d", 3}};

static void the_parts_come_one_after_the_other(void **state)
{
    Failure f;
    Bytes b;
    (void)state;
    for (size_t count = 0; count <= 3; count++) {
        size_t expected = count == 0 ? 0 : count == 3 ? 5 : 2;
        assert_true(whole_file_write(scratch_path("file"), parts, count, &f)); /* replaces, too */
        assert_true(whole_file_read(&b, scratch_path("file"), &f));
        assert_int_equal(b.size, expected);
        assert_memory_equal(b.at, "abc\0d", expected);
        free((void *)b.at);
        assert_int_equal(scratch_files(false), 1);
    }
}

static void many_bytes_come_back(void **state)
{
    enum { MANY = 3000001 };
    unsigned char *bytes = malloc(MANY);
    uint64_t seed = 5;
    Failure f;
    Bytes b;
    (void)state;
    assert_non_null(bytes);
    for (size_t k = 0; k < MANY; k++)
        bytes[k] = (unsigned char)next_random(&seed);
    assert_true(whole_file_write(scratch_path("file"), &(Bytes){bytes, MANY}, 1, &f));
    assert_true(whole_file_read(&b, scratch_path("file"), &f));
    assert_int_equal(b.size, MANY);
    assert_memory_equal(b.at, bytes, MANY);
    free((void *)b.at);
    free(bytes);
}

static void assert_write_fails(const char *path, const char *expected)
{
    Failure f = {""};
    size_t before = scratch_files(false);
    assert_false(whole_file_write(path, parts, 3, &f));
    assert_contains(f.text, expected);
    assert_int_equal(scratch_files(false), before);
}

static void only_regular_files_are_replaced(void **state)
{
    struct stat status;
    (void)state;
    assert_write_fails(scratch_path("none/file"),
                       "/none/file: cannot create a file in its folder: No such file");
    assert_write_fails("/dev/full", "/dev/full: is not a regular file");
    assert_write_fails("/dev/null", "/dev/null: is not a regular file");
    assert_write_fails(scratch, ": is not a regular file, expected a new name");
    assert_write_fails("", ": cannot be written: No such file");
    assert_int_equal(symlink("target", scratch_path("link")), 0);
    assert_write_fails(scratch_path("link"), "/link: is not a regular file");
    assert_int_equal(mkfifo(scratch_path("pipe"), 0600), 0);
    assert_write_fails(scratch_path("pipe"), "/pipe: is not a regular file");
    assert_int_equal(lstat(scratch_path("link"), &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(stat("/dev/null", &status), 0);
    assert_true(S_ISCHR(status.st_mode));
}

static void a_folder_that_may_not_be_written_to(void **state)
{
    (void)state;
    if (geteuid() == 0) {
        print_message("skipped: root may write everywhere\n");
        skip();
    }
    assert_int_equal(mkdir(scratch_path("closed"), 0500), 0);
    assert_write_fails(scratch_path("closed/file"),
                       "cannot create a file in its folder: Permission");
}

/* A pipe would be waited for, without end. */
static void only_regular_files_are_read(void **state)
{
    Failure f = {""};
    Bytes b;
    (void)state;
    (void)alarm(20);
    assert_int_equal(mkfifo(scratch_path("pipe"), 0600), 0);
    assert_false(whole_file_read(&b, scratch_path("pipe"), &f));
    assert_contains(f.text, "/pipe: is not a regular file");
    assert_false(whole_file_read(&b, scratch, &f));
    assert_contains(f.text, ": is not a regular file");
    assert_false(whole_file_read(&b, "/dev/zero", &f));
    assert_contains(f.text, "/dev/zero: is not a regular file");
    assert_false(whole_file_read(&b, scratch_path("none"), &f));
    assert_contains(f.text, "/none: cannot be opened: No such file");
    (void)alarm(0);
}

/* FIPS 180-4's examples. */
static void sums_are_sha_256(void **state)
{
    (void)state;
    assert_string_equal(sha256_of((Bytes){"abc", 3}).hex,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_string_equal(
        sha256_of((Bytes){"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56}).hex,
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_string_equal(sha256_of((Bytes){"", 0}).hex,
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_parts_come_one_after_the_other, scratch_clear),
        cmocka_unit_test_teardown(many_bytes_come_back, scratch_clear),
        cmocka_unit_test_teardown(only_regular_files_are_replaced, scratch_clear),
        cmocka_unit_test_teardown(a_folder_that_may_not_be_written_to, scratch_clear),
        cmocka_unit_test_teardown(only_regular_files_are_read, scratch_clear),
        cmocka_unit_test(sums_are_sha_256),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
