/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <sys/stat.h>

#include "safetensors.h"
#include "vectors_support.h"

/* Asserts that both files have the same bytes. */
static void assert_same_files(const char *a, const char *b)
{
    char path[512];
    size_t sizes[2];
    unsigned char *bytes[2];

    (void)snprintf(path, sizeof path, "%s", scratch_path(a));
    bytes[0] = read_whole_file(path, &sizes[0]);
    bytes[1] = read_whole_file(scratch_path(b), &sizes[1]);
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bytes[0], bytes[1], sizes[0]);
    free(bytes[0]);
    free(bytes[1]);
}

static SafetensorsWriter *one_number(double value)
{
    SafetensorsWriter *writer = safetensors_writer_new();

    safetensors_add(writer, "s", TYPE_F32, 0, NULL, &value);
    return writer;
}

static void write_good(const SafetensorsWriter *writer, const char *name)
{
    Failure failure = {""};

    assert_true(safetensors_write(writer, scratch_path(name), &failure));
    assert_string_equal(failure.text, "");
}

static void test_exact_bytes(void **state)
{
    /* The header is 145 bytes long and padded to 152; wide numbers come first. */
    static const char expected[] =
        "\x98\0\0\0\0\0\0\0"
        "{\"__metadata__\":{\"z\":\"12\",\"a\":\"\\\"2\"},"
        "\"k\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]},"
        "\"q\":{\"dtype\":\"F16\",\"shape\":[1,3],\"data_offsets\":[8,14]}}"
        "       "
        "\0\0\0\0\0\0\x04\xc0"
        "\0\x3c\0\xc0\0\x7c";
    static const size_t shape[2] = {1, 3};
    static const double values[3] = {1, -2, INFINITY};
    static const double scalar = -2.5;
    SafetensorsWriter *writer = safetensors_writer_new();
    size_t size;

    (void)state;
    safetensors_add(writer, "q", TYPE_F16, 2, shape, values);
    safetensors_add_metadata(writer, "z", "12");
    safetensors_add(writer, "k", TYPE_F64, 0, NULL, &scalar);
    safetensors_add_metadata(writer, "a", "\"2");
    write_good(writer, "first");
    write_good(writer, "second");
    safetensors_writer_free(writer);

    unsigned char *bytes = read_whole_file(scratch_path("first"), &size);

    assert_int_equal(size, sizeof expected - 1);
    assert_memory_equal(bytes, expected, size);
    free(bytes);
    assert_same_files("first", "second");
    assert_int_equal(scratch_files(false), 2);
}

/* Each name is a byte longer than the one before, so every amount of padding occurs. */
static void test_data_are_aligned(void **state)
{
    char name[] = "xxxxxxxx";
    size_t size;

    (void)state;
    for (size_t length = 0; length <= 8; length++) {
        static const double value = 7;
        SafetensorsWriter *writer = safetensors_writer_new();

        safetensors_add(writer, name + 8 - length, TYPE_F64, 0, NULL, &value);
        write_good(writer, "file");
        safetensors_writer_free(writer);

        unsigned char *bytes = read_whole_file(scratch_path("file"), &size);

        assert_int_equal(size % 8, 0);
        assert_int_equal(bytes[0] + 256 * bytes[1], size - 16);
        assert_non_null(memchr(bytes + size - 16, '}', 8)); /* no more padding than needed */
        assert_true(number_decode(TYPE_F64, bytes + size - 8) == 7);
        free(bytes);

        Failure failure;
        SafetensorsFile *file = safetensors_open(scratch_path("file"), &failure);

        assert_non_null(file);
        assert_string_equal(safetensors_at(file, 0)->name, name + 8 - length);
        safetensors_close(file);
    }
}

static void test_round_trip_of_every_type(void **state)
{
    enum { COUNT = 12 };
    static const size_t shape[3] = {2, 1, 6};
    double values[NUMBER_TYPES][COUNT];
    SafetensorsWriter *writer = safetensors_writer_new();
    Failure failure;

    (void)state;
    for (int type = 0; type < NUMBER_TYPES; type++) {
        const Format *f = number_format((NumberType)type);
        const double chosen[COUNT] = {
            0.0,
            -0.0,
            format_smallest(f),
            -format_smallest(f),
            ldexp(1, f->emin),
            ldexp(1, f->emin) - format_smallest(f),
            format_largest(f),
            -format_largest(f),
            INFINITY,
            -INFINITY,
            NAN,
            1 + ldexp(1, 1 - f->precision),
        };

        memcpy(values[type], chosen, sizeof chosen);
        safetensors_add(writer, number_type_name((NumberType)type), (NumberType)type, 3, shape,
                        chosen);
    }
    safetensors_add_metadata(writer, "g\xc3\xbc", "\xe2\x82\xac\n");
    write_good(writer, "file");
    safetensors_writer_free(writer);

    SafetensorsFile *file = safetensors_open(scratch_path("file"), &failure);

    assert_non_null(file);
    assert_int_equal(safetensors_count(file), NUMBER_TYPES);
    assert_string_equal(safetensors_metadata(file, "g\xc3\xbc"), "\xe2\x82\xac\n");
    for (int type = 0; type < NUMBER_TYPES; type++) {
        const Tensor *t = safetensors_at(file, (size_t)type);

        assert_string_equal(t->name, number_type_name((NumberType)type));
        assert_int_equal(t->type, type);
        assert_int_equal(t->dims, 3);
        assert_memory_equal(t->shape, shape, sizeof shape);
        assert_int_equal(t->count, COUNT);
        for (size_t i = 0; i < COUNT; i++) {
            double expected = values[type][i];
            double actual = tensor_value(t, i);

            assert_true(isnan(expected)
                            ? isnan(actual)
                            : actual == expected && !signbit(actual) == !signbit(expected));
        }
    }
    safetensors_close(file);
}

static void test_values_are_copied(void **state)
{
    double values[2] = {1, 2};
    size_t shape[1] = {2};
    char name[] = "q";
    SafetensorsWriter *writer = safetensors_writer_new();
    Failure failure;

    (void)state;
    safetensors_add(writer, name, TYPE_F32, 1, shape, values);
    values[0] = 3;
    shape[0] = 1;
    name[0] = 'k';
    write_good(writer, "file");
    safetensors_writer_free(writer);

    SafetensorsFile *file = safetensors_open(scratch_path("file"), &failure);

    assert_non_null(file);
    assert_string_equal(safetensors_at(file, 0)->name, "q");
    assert_int_equal(safetensors_at(file, 0)->count, 2);
    assert_true(tensor_value(safetensors_at(file, 0), 0) == 1);
    safetensors_close(file);
}

/* Many tensors and bytes, so that the data are moved as they grow. */
static void test_many_tensors(void **state)
{
    enum { TENSORS = 300 };
    SafetensorsWriter *writer = safetensors_writer_new();
    Failure failure;

    (void)state;
    for (size_t i = 1; i <= TENSORS; i++) {
        char name[16];
        double values[TENSORS];

        (void)snprintf(name, sizeof name, "t%zu", i);
        for (size_t k = 0; k < i; k++)
            values[k] = (double)(i * TENSORS + k);
        safetensors_add(writer, name, TYPE_F32, 1, &i, values);
    }
    write_good(writer, "file");
    safetensors_writer_free(writer);

    SafetensorsFile *file = safetensors_open(scratch_path("file"), &failure);

    assert_non_null(file);
    assert_int_equal(safetensors_count(file), TENSORS);
    for (size_t i = 1; i <= TENSORS; i++)
        for (size_t k = 0; k < i; k++)
            assert_true(tensor_value(safetensors_at(file, i - 1), k) == (double)(i * TENSORS + k));
    safetensors_close(file);
}

/* A reader that has the old file open keeps it: the new one takes over its name only. */
static void test_existing_file_is_replaced(void **state)
{
    Failure failure;
    SafetensorsWriter *writer = one_number(1);
    struct stat status;
    mode_t mask = umask(022);

    (void)state;
    write_good(writer, "file");
    safetensors_writer_free(writer);

    SafetensorsFile *old = safetensors_open(scratch_path("file"), &failure);

    assert_non_null(old);
    writer = one_number(2);
    write_good(writer, "file");
    safetensors_writer_free(writer);

    SafetensorsFile *new = safetensors_open(scratch_path("file"), &failure);

    assert_non_null(new);
    assert_true(tensor_value(safetensors_at(old, 0), 0) == 1);
    assert_true(tensor_value(safetensors_at(new, 0), 0) == 2);
    safetensors_close(old);
    safetensors_close(new);
    assert_int_equal(scratch_files(false), 1);
    assert_int_equal(stat(scratch_path("file"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0644);
    (void)umask(mask);
}

/* A file left behind by a process of the same number, long dead, is neither used nor removed. */
static void test_foreign_temporary_is_left_alone(void **state)
{
    SafetensorsWriter *writer = one_number(1);
    char name[64];
    size_t size;

    (void)state;
    (void)snprintf(name, sizeof name, ".castle-%ld-0.tmp", (long)getpid());
    write_file(scratch_path(name), "mine", 4);
    write_good(writer, "file");
    safetensors_writer_free(writer);
    assert_int_equal(scratch_files(false), 2);

    unsigned char *bytes = read_whole_file(scratch_path(name), &size);

    assert_int_equal(size, 4);
    assert_memory_equal(bytes, "mine", 4);
    free(bytes);
}

/* Asserts that writing fails with a sentence that begins with the path, as quoted by fail(). */
static void assert_write_fails(const char *path, const char *expected)
{
    SafetensorsWriter *writer = one_number(1);
    Failure failure = {""};

    assert_false(safetensors_write(writer, path, &failure));
    safetensors_writer_free(writer);
    assert_contains(failure.text, expected);
}

static void test_parent_is_absent(void **state)
{
    (void)state;
    assert_write_fails(scratch_path("absent/file"),
                       "/absent/file: cannot create a file in its folder: No such file");
    assert_int_equal(scratch_files(false), 0);
}

static void test_parent_is_no_folder(void **state)
{
    (void)state;
    write_file(scratch_path("plain"), "", 0);
    assert_write_fails(scratch_path("plain/file"),
                       "/plain/file: cannot create a file in its folder: Not a directory");
    assert_int_equal(scratch_files(false), 1);
}

static void test_target_is_folder(void **state)
{
    (void)state;
    assert_int_equal(mkdir(scratch_path("folder"), 0700), 0);
    assert_write_fails(scratch_path("folder"), "/folder: is not a regular file");
    assert_int_equal(scratch_files(false), 1);
}

static void test_target_is_link(void **state)
{
    struct stat status;

    (void)state;
    assert_int_equal(symlink("elsewhere", scratch_path("link")), 0);
    assert_write_fails(scratch_path("link"), "/link: is not a regular file");
    assert_int_equal(lstat(scratch_path("link"), &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(scratch_files(false), 1);
}

/* The name is too long for the file system, which shows only at the rename. */
static void test_rename_fails(void **state)
{
    char name[301];

    (void)state;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_write_fails(scratch_path(name), "nnn: cannot be written: File name too long");
    assert_int_equal(scratch_files(false), 0);
}

/* A limit on the size of files stands in for a full disk. */
static void test_write_fails_half_way(void **state)
{
    struct rlimit old;
    struct rlimit small;
    SafetensorsWriter *writer = one_number(1);
    size_t size;

    (void)state;
    write_good(writer, "file");
    write_good(writer, "copy");
    safetensors_writer_free(writer);
    free(read_whole_file(scratch_path("file"), &size));
    assert_int_equal(size, 8 + 56 + 4);

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    for (size_t limit = 0; limit < size; limit += 4) {
        void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
        Failure failure = {""};

        small.rlim_cur = limit;
        writer = one_number(2);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);

        bool ok = safetensors_write(writer, scratch_path("file"), &failure);

        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        (void)signal(SIGXFSZ, handler);
        safetensors_writer_free(writer);
        assert_false(ok);
        assert_contains(failure.text, "/file: cannot be written: File too large");
        assert_int_equal(scratch_files(false), 2);
        assert_same_files("file", "copy");
    }
}

static void add_name_twice(void)
{
    SafetensorsWriter *writer = one_number(1);
    static const double value = 1;

    safetensors_add(writer, "s", TYPE_F16, 0, NULL, &value);
}

static void add_with_shape(size_t dims, const size_t *shape)
{
    static const double values[16];
    SafetensorsWriter *writer = safetensors_writer_new();

    safetensors_add(writer, "q", TYPE_F32, dims, shape, values);
}

static void add_zero_extent(void) { add_with_shape(2, (const size_t[]){2, 0}); }

static void add_nine_dimensions(void)
{
    add_with_shape(9, (const size_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1});
}

static void add_overflow(void) { add_with_shape(2, (const size_t[]){SIZE_MAX / 4, 2}); }

static void add_named(const char *name)
{
    static const double value = 1;
    SafetensorsWriter *writer = safetensors_writer_new();

    safetensors_add(writer, name, TYPE_F32, 0, NULL, &value);
}

static void add_reserved_name(void) { add_named("__metadata__"); }

static void add_name_not_utf8(void) { add_named("\xff"); }

static void add_unrepresentable(void) { (void)one_number(0.1); }

static void add_metadata_twice(void)
{
    SafetensorsWriter *writer = safetensors_writer_new();

    safetensors_add_metadata(writer, "a", "1");
    safetensors_add_metadata(writer, "a", "2");
}

static void add_metadata_not_utf8(void)
{
    safetensors_add_metadata(safetensors_writer_new(), "a", "\xff");
}

static void write_nothing(void)
{
    Failure failure;

    (void)safetensors_write(safetensors_writer_new(), scratch_path("file"), &failure);
}

static void test_misuse_stops(void **state)
{
    (void)state;
    assert_stops(add_name_twice, "safetensors_add: \"s\" is a duplicate name");
    assert_stops(add_zero_extent, "safetensors_add: \"q\" has shape[1] = 0");
    assert_stops(add_nine_dimensions, "safetensors_add: \"q\" has 9 dimensions");
    assert_stops(add_overflow, "safetensors_add: the size of \"q\" overflows");
    assert_stops(add_reserved_name, "safetensors_add: \"__metadata__\" is a reserved name");
    assert_stops(add_name_not_utf8, "or its value is not UTF-8");
    assert_stops(add_unrepresentable, "number_encode: the value 0x1.999999999999ap-4");
    assert_stops(add_metadata_twice, "safetensors_add_metadata: \"a\" is a duplicate name");
    assert_stops(add_metadata_not_utf8, "or its value is not UTF-8");
    assert_stops(write_nothing, "safetensors_write: no tensor was added");
    assert_int_equal(scratch_files(false), 0);
}

static void test_free_takes_null(void **state)
{
    (void)state;
    safetensors_writer_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_exact_bytes, scratch_clear),
        cmocka_unit_test_teardown(test_data_are_aligned, scratch_clear),
        cmocka_unit_test_teardown(test_round_trip_of_every_type, scratch_clear),
        cmocka_unit_test_teardown(test_values_are_copied, scratch_clear),
        cmocka_unit_test_teardown(test_many_tensors, scratch_clear),
        cmocka_unit_test_teardown(test_existing_file_is_replaced, scratch_clear),
        cmocka_unit_test_teardown(test_foreign_temporary_is_left_alone, scratch_clear),
        cmocka_unit_test_teardown(test_parent_is_absent, scratch_clear),
        cmocka_unit_test_teardown(test_parent_is_no_folder, scratch_clear),
        cmocka_unit_test_teardown(test_target_is_folder, scratch_clear),
        cmocka_unit_test_teardown(test_target_is_link, scratch_clear),
        cmocka_unit_test_teardown(test_rename_fails, scratch_clear),
        cmocka_unit_test_teardown(test_write_fails_half_way, scratch_clear),
        cmocka_unit_test_teardown(test_misuse_stops, scratch_clear),
        cmocka_unit_test_teardown(test_free_takes_null, scratch_clear),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
