/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "safetensors.h"
#include "vectors_support.h"

/* A file with this header text, as many zero bytes of data, and the given length in front. */
typedef struct Refusal {
    const char *test;
    const char *header;
    size_t data_size;
    const char *expected; /* a part of the sentence */
} Refusal;

#define ENTRY(begin, end) "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[" #begin "," #end "]}"

static const Refusal refusals[] = {
    {"header of spaces", "  ", 0, "the header begins with byte 0x20, expected the '{'"},
    {"header is a word", "hello", 0, "the header begins with byte 0x68, expected the '{'"},
    {"header is an array", "[]", 0, "the header begins with byte 0x5b, expected the '{'"},
    {"header is a number", "1", 0, "the header begins with byte 0x31, expected the '{'"},
    {"header behind a byte order mark", "\xef\xbb\xbf{}", 0, "the header begins with byte 0xef"},
    {"header is broken JSON", "{\"q\" 1}", 0, "the header is not JSON"},
    {"header is not closed", "{\"q\":" ENTRY(0, 8), 8, "the header is not JSON"},
    {"header with more behind", "{\"q\":" ENTRY(0, 8) "}{}", 8, "the header is not JSON"},
    {"header with a comma too many", "{\"q\":" ENTRY(0, 8) ",}", 8, "the header is not JSON"},
    {"header with a NUL in a name", "{\"q\\u0000\":" ENTRY(0, 8) "}", 8, "the header is not JSON"},
    {"header not UTF-8", "{\"q\xff\":" ENTRY(0, 8) "}", 8, "the header is not UTF-8"},
    {"header with an overlong UTF-8", "{\"\xc0\xaf\":" ENTRY(0, 8) "}", 8,
     "the header is not UTF-8"},
    {"header with a number too large",
     "{\"q\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,8]}}", 8,
     "the header has a number that is too large"},
    {"tensor twice", "{\"q\":" ENTRY(0, 8) ",\"q\":" ENTRY(8, 16) "}", 16,
     "the header has a duplicate key"},
    {"tensor twice in other letters", "{\"q\":" ENTRY(0, 8) ",\"\\u0071\":" ENTRY(8, 16) "}", 16,
     "the header has a duplicate key"},
    {"shape twice",
     "{\"q\":{\"dtype\":\"F32\",\"shape\":[2],\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
     "the header has a duplicate key"},
    {"metadata twice", "{\"__metadata__\":{},\"__metadata__\":{},\"q\":" ENTRY(0, 8) "}", 8,
     "the header has a duplicate key"},
    {"metadata key twice", "{\"__metadata__\":{\"a\":\"\",\"a\":\"\"},\"q\":" ENTRY(0, 8) "}", 8,
     "the header has a duplicate key"},
    {"metadata a string", "{\"__metadata__\":\"x\",\"q\":" ENTRY(0, 8) "}", 8,
     "__metadata__ is not an object"},
    {"metadata null", "{\"__metadata__\":null,\"q\":" ENTRY(0, 8) "}", 8,
     "__metadata__ is not an object"},
    {"metadata with a number", "{\"__metadata__\":{\"a\":\"\",\"b\":1},\"q\":" ENTRY(0, 8) "}", 8,
     "__metadata__: the value of \"b\" is not a string"},
    {"metadata with an object", "{\"__metadata__\":{\"a\":{}},\"q\":" ENTRY(0, 8) "}", 8,
     "__metadata__: the value of \"a\" is not a string"},
    {"no tensor", "{}", 0, "the header names no tensor"},
    {"metadata only", "{\"__metadata__\":{\"a\":\"b\"}}", 0, "the header names no tensor"},
    {"bad entry", "{\"q\":" ENTRY(0, 8) ",\"k\":3}", 8, "tensor \"k\": the entry is not an object"},
    {"overlap", "{\"q\":" ENTRY(0, 8) ",\"k\":" ENTRY(7, 15) "}", 15,
     "tensor \"k\": its data begin at byte 7 and overlap those of \"q\", expected byte 8 or later"},
    {"overlap, other order", "{\"k\":" ENTRY(7, 15) ",\"q\":" ENTRY(0, 8) "}", 15,
     "tensor \"k\": its data begin at byte 7 and overlap those of \"q\""},
    {"same place", "{\"q\":" ENTRY(0, 8) ",\"k\":" ENTRY(0, 8) "}", 8, "overlap those of"},
    {"overlap hides a gap", "{\"q\":" ENTRY(0, 8) ",\"k\":" ENTRY(0, 8) "}", 16,
     "overlap those of"},
    {"gap at the start", "{\"q\":" ENTRY(1, 9) "}", 9,
     "tensor \"q\": there is a gap in front of its data, as bytes 0 to 0 belong to no tensor"},
    {"gap inside", "{\"k\":" ENTRY(10, 18) ",\"q\":" ENTRY(0, 8) "}", 18,
     "tensor \"k\": there is a gap in front of its data, as bytes 8 to 9 belong to no tensor"},
    {"trailing byte", "{\"q\":" ENTRY(0, 8) "}", 9, "1 trailing bytes behind the last tensor"},
    {"trailing bytes", "{\"q\":" ENTRY(0, 8) "}", 16, "8 trailing bytes behind the last tensor"},
    {"data missing", "{\"q\":" ENTRY(0, 8) "}", 0,
     "tensor \"q\": data_offsets end at 8, past the end of the data, expected at most 0"},
};

enum { REFUSALS = sizeof refusals / sizeof refusals[0] };

/* Puts the file together, with header_length as its first eight bytes; the caller frees it. */
static unsigned char *container(uint64_t header_length, const char *header, size_t data_size,
                                size_t *size)
{
    size_t length = strlen(header);
    unsigned char *bytes = calloc(1, 8 + length + data_size);

    assert_non_null(bytes);
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(header_length >> (8 * i) & 0xff);
    memcpy(bytes + 8, header, length);
    *size = 8 + length + data_size;
    return bytes;
}

static SafetensorsFile *open_container(uint64_t header_length, const char *header, size_t data_size,
                                       Failure *failure)
{
    size_t size;
    unsigned char *bytes = container(header_length, header, data_size, &size);

    write_file(scratch_path("crafted"), bytes, size);
    free(bytes);
    return safetensors_open(scratch_path("crafted"), failure);
}

/* The sentence must begin with the path and contain what is expected. */
static void assert_refused(const char *path, const char *expected)
{
    Failure failure = {""};

    assert_null(safetensors_open(path, &failure));
    assert_int_equal(strncmp(failure.text, path, strlen(path)), 0);
    assert_contains(failure.text, expected);
}

static void test_refusal(void **state)
{
    const Refusal *refusal = *state;
    Failure failure;

    assert_null(
        open_container(strlen(refusal->header), refusal->header, refusal->data_size, &failure));
    assert_refused(scratch_path("crafted"), refusal->expected);
}

static void test_absent(void **state)
{
    (void)state;
    assert_refused(scratch_path("absent"), "cannot be opened for reading: No such file");
}

static void test_directory(void **state)
{
    (void)state;
    assert_refused(scratch, "is a directory, expected a safetensors file");
}

static void test_named_pipe(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(scratch_path("pipe"), 0600), 0);
    assert_refused(scratch_path("pipe"), "is not a regular file");
}

static void test_empty_file(void **state)
{
    (void)state;
    write_file(scratch_path("crafted"), "", 0);
    assert_refused(scratch_path("crafted"), "is empty, expected a safetensors file");
}

static void test_seven_bytes(void **state)
{
    (void)state;
    write_file(scratch_path("crafted"), "1234567", 7);
    assert_refused(scratch_path("crafted"),
                   "ends after 7 bytes, expected 8 bytes of header length");
}

static void test_header_length_zero(void **state)
{
    Failure failure;

    (void)state;
    assert_null(open_container(0, "", 0, &failure));
    assert_contains(failure.text, "the header length is 0");
    assert_null(open_container(0, "{\"q\":" ENTRY(0, 8) "}", 8, &failure));
    assert_contains(failure.text, "the header length is 0");
}

static void test_header_longer_than_file(void **state)
{
    Failure failure;

    (void)state;
    assert_null(open_container(3, "{}", 0, &failure));
    assert_contains(failure.text, "the header length is 3, expected at most the 2 bytes behind it");
    assert_null(open_container(UINT64_MAX, "{}", 0, &failure));
    assert_contains(failure.text, "the header length is 18446744073709551615, expected at most");
    assert_null(open_container(UINT64_MAX - 7, "{}", 0, &failure));
    assert_contains(failure.text, "expected at most the 2 bytes");
}

/* The file has a hole for a header, so it takes no room on the disk. */
static void test_header_longer_than_limit(void **state)
{
    static const unsigned char length[8] = {0x01, 0xe1, 0xf5, 0x05}; /* 100000001 */

    (void)state;
    write_file(scratch_path("crafted"), length, sizeof length);
    assert_int_equal(truncate(scratch_path("crafted"), 8 + 100000001), 0);
    assert_refused(scratch_path("crafted"),
                   "the header length is 100000001, expected at most 100000000");
}

static void test_messages_are_printable(void **state)
{
    Failure failure;

    (void)state;
    write_file(scratch_path("\x1b[2J"), "", 0);
    assert_null(safetensors_open(scratch_path("\x1b[2J"), &failure));
    assert_contains(failure.text, "/\\x1b[2J: is empty");
    assert_null(open_container(10, "{\"\x1b[31m\": ", 0, &failure));
    for (const char *c = failure.text; *c != '\0'; c++)
        assert_in_range(*c, 0x20, 0x7e);
}

static void test_good_file(void **state)
{
    static const char header[] =
        "{\"b\":{\"shape\":[1,2],\"data_offsets\":[2,6],\"dtype\":\"BF16\"},"
        "\"__metadata__\":{\"window\":\"none\",\"a\":\"\"},"
        "\"a\\u00e4\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[0,2]}}  \n ";
    static const unsigned char data[6] = {0x00, 0x3c, 0x80, 0x3f, 0x80, 0xff};
    size_t size;
    Failure failure;
    unsigned char *bytes = container(strlen(header), header, sizeof data, &size);

    (void)state;
    memcpy(bytes + size - sizeof data, data, sizeof data);
    write_file(scratch_path("good"), bytes, size);
    free(bytes);

    SafetensorsFile *file = safetensors_open(scratch_path("good"), &failure);

    assert_non_null(file);
    assert_int_equal(safetensors_count(file), 2);
    assert_string_equal(safetensors_at(file, 0)->name, "b");
    assert_string_equal(safetensors_at(file, 1)->name, "a\xc3\xa4");
    assert_ptr_equal(safetensors_find(file, "b"), safetensors_at(file, 0));
    assert_ptr_equal(safetensors_find(file, "a\xc3\xa4"), safetensors_at(file, 1));
    assert_null(safetensors_find(file, "a"));
    assert_null(safetensors_find(file, "__metadata__"));
    assert_true(tensor_value(safetensors_at(file, 0), 0) == 1);
    assert_true(tensor_value(safetensors_at(file, 0), 1) < -1e300);
    assert_true(tensor_value(safetensors_at(file, 1), 0) == 1);
    assert_int_equal(safetensors_metadata_count(file), 2);
    assert_string_equal(safetensors_metadata_key(file, 0), "window");
    assert_string_equal(safetensors_metadata_key(file, 1), "a");
    assert_string_equal(safetensors_metadata(file, "window"), "none");
    assert_string_equal(safetensors_metadata(file, "a"), "");
    assert_null(safetensors_metadata(file, "b"));
    safetensors_close(file);
}

static void test_no_metadata(void **state)
{
    Failure failure;
    const char *header = "{\"q\":" ENTRY(0, 8) "}";
    SafetensorsFile *file = open_container(strlen(header), header, 8, &failure);

    (void)state;
    assert_non_null(file);
    assert_int_equal(safetensors_metadata_count(file), 0);
    assert_null(safetensors_metadata(file, "a"));
    safetensors_close(file);
    safetensors_close(NULL);
}

static void index_past_the_end(int which)
{
    Failure failure;
    const char *header = "{\"q\":" ENTRY(0, 8) "}";
    SafetensorsFile *file = open_container(strlen(header), header, 8, &failure);

    if (which == 0)
        (void)safetensors_at(file, 1);
    else if (which == 1)
        (void)tensor_value(safetensors_at(file, 0), 2);
    else
        (void)safetensors_metadata_key(file, 0);
}

static void tensor_past_the_end(void) { index_past_the_end(0); }

static void value_past_the_end(void) { index_past_the_end(1); }

static void key_past_the_end(void) { index_past_the_end(2); }

static void test_indices_past_the_end_stop(void **state)
{
    (void)state;
    assert_stops(tensor_past_the_end, "safetensors_at: index 1 of 1");
    assert_stops(value_past_the_end, "tensor_value: index 2 of a tensor of 2 elements");
    assert_stops(key_past_the_end, "safetensors_metadata_key: index 0 of 0");
}

/* What every file that opens must keep, whatever its bytes: checked without the reader's help. */
static void assert_consistent(const SafetensorsFile *file, const unsigned char *bytes, size_t size)
{
    uint64_t length = 0;
    size_t covered = 0;
    const unsigned char *first = NULL;
    const unsigned char *end = NULL;

    for (size_t i = 0; i < 8; i++)
        length |= (uint64_t)bytes[i] << (8 * i);
    assert_true(length <= size - 8);
    assert_true(safetensors_count(file) > 0);
    for (size_t i = 0; i < safetensors_count(file); i++) {
        const Tensor *t = safetensors_at(file, i);
        size_t product = 1;
        size_t tensor_size = t->count * number_type_bytes(t->type);

        assert_true(t->dims <= SAFETENSORS_MAX_DIMS);
        for (size_t d = 0; d < t->dims; d++)
            product *= t->shape[d];
        assert_int_equal(t->count, product);
        assert_true(t->count > 0);
        for (size_t k = 0; k < t->count; k++)
            (void)tensor_value(t, k);
        assert_ptr_equal(safetensors_find(file, t->name), t);
        for (size_t j = 0; j < i; j++) {
            const Tensor *other = safetensors_at(file, j);

            assert_true(t->bytes + tensor_size <= other->bytes ||
                        other->bytes + other->count * number_type_bytes(other->type) <= t->bytes);
        }
        covered += tensor_size;
        if (first == NULL || t->bytes < first)
            first = t->bytes;
        if (end == NULL || t->bytes + tensor_size > end)
            end = t->bytes + tensor_size;
    }
    assert_int_equal(covered, size - 8 - length);
    assert_int_equal(end - first, covered);
    for (size_t i = 0; i < safetensors_metadata_count(file); i++)
        assert_non_null(safetensors_metadata(file, safetensors_metadata_key(file, i)));
}

/* A small file with all that the format has; the caller frees it. */
static unsigned char *sample(size_t *size)
{
    static const char header[] =
        "{\"__metadata__\":{\"k\":\"v\"},"
        "\"q\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[4,12]},"
        "\"k\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]},"
        "\"s\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[12,20]}}   ";

    return container(strlen(header), header, 20, size);
}

static void test_every_truncation_is_refused(void **state)
{
    size_t size;
    unsigned char *bytes = sample(&size);
    Failure failure;

    (void)state;
    for (size_t length = 0; length <= size; length++) {
        write_file(scratch_path("crafted"), bytes, length);

        SafetensorsFile *file = safetensors_open(scratch_path("crafted"), &failure);

        if ((file != NULL) != (length == size))
            fail_msg("cut to %zu of %zu bytes: opened %d", length, size, file != NULL);
        safetensors_close(file);
    }
    free(bytes);
}

static void test_every_flipped_bit_is_survived(void **state)
{
    size_t size;
    unsigned char *bytes = sample(&size);
    size_t opened = 0;

    (void)state;
    for (size_t bit = 0; bit < 8 * (size - 20); bit++) {
        Failure failure = {""};

        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
        write_file(scratch_path("crafted"), bytes, size);

        SafetensorsFile *file = safetensors_open(scratch_path("crafted"), &failure);

        if (file != NULL) {
            assert_consistent(file, bytes, size);
            opened++;
        } else {
            assert_int_equal(strncmp(failure.text, scratch, strlen(scratch)), 0);
        }
        safetensors_close(file);
        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
    free(bytes);
    assert_true(opened > 0); /* such as a flip in a name */
}

/* Files that another program wrote. */
static void test_real_dumps_open(void **state)
{
    static const char *const names[] = {
        "L100",
        "L2d1",
        "base",
        "big4",
        "dneB",
        "right-bf16-base",
        "right-bf16-window17",
        "trained-layer1",
        "trained-layer2",
        "wrong-delta-per-key-block",
        "wrong-gate-includes-diagonal",
        "wrong-silu-omitted",
        "wrong-window-one-too-wide-bf16",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        size_t size;
        Failure failure = {""};

        (void)snprintf(path, sizeof path, "vectors/dumps/%s.safetensors", names[i]);

        SafetensorsFile *file = safetensors_open(path, &failure);

        assert_string_equal(failure.text, "");
        assert_non_null(file);

        unsigned char *bytes = read_whole_file(path, &size);

        assert_consistent(file, bytes, size);
        free(bytes);
        assert_non_null(safetensors_find(file, "qu"));
        assert_int_equal(safetensors_find(file, "qu")->dims, 4);
        assert_int_equal(safetensors_find(file, "qu")->type,
                         strstr(names[i], "bf16") != NULL ? TYPE_BF16 : TYPE_F32);
        assert_non_null(safetensors_metadata(file, "window"));
        safetensors_close(file);
    }
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test_teardown(test_absent, scratch_clear),
        cmocka_unit_test_teardown(test_directory, scratch_clear),
        cmocka_unit_test_teardown(test_named_pipe, scratch_clear),
        cmocka_unit_test_teardown(test_empty_file, scratch_clear),
        cmocka_unit_test_teardown(test_seven_bytes, scratch_clear),
        cmocka_unit_test_teardown(test_header_length_zero, scratch_clear),
        cmocka_unit_test_teardown(test_header_longer_than_file, scratch_clear),
        cmocka_unit_test_teardown(test_header_longer_than_limit, scratch_clear),
        cmocka_unit_test_teardown(test_messages_are_printable, scratch_clear),
        cmocka_unit_test_teardown(test_good_file, scratch_clear),
        cmocka_unit_test_teardown(test_no_metadata, scratch_clear),
        cmocka_unit_test_teardown(test_indices_past_the_end_stop, scratch_clear),
        cmocka_unit_test_teardown(test_every_truncation_is_refused, scratch_clear),
        cmocka_unit_test_teardown(test_every_flipped_bit_is_survived, scratch_clear),
        cmocka_unit_test_teardown(test_real_dumps_open, scratch_clear),
    };
    enum { OTHERS = sizeof others / sizeof others[0] };
    struct CMUnitTest tests[OTHERS + REFUSALS];

    memcpy(tests, others, sizeof others);
    for (size_t i = 0; i < REFUSALS; i++) {
        tests[OTHERS + i] = (struct CMUnitTest){refusals[i].test, test_refusal, NULL, scratch_clear,
                                                (void *)&refusals[i]};
    }
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
