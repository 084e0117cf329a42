/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "safetensors_entry.h"
#include "vectors_support.h"

/* Entries are read against 64 bytes of data. */
static const unsigned char data[64];

typedef struct Refusal {
    const char *test;
    const char *entry;
    const char *expected; /* a part of the sentence */
} Refusal;

#define PLACE "\"data_offsets\":[0,8]"
#define SHAPE "\"shape\":[2]"
#define DTYPE "\"dtype\":\"F32\""

static const Refusal refusals[] = {
    {"entry is a string", "\"F32\"", "the entry is not an object"},
    {"entry is an array", "[1]", "the entry is not an object"},
    {"entry is null", "null", "the entry is not an object"},
    {"dtype missing", "{" SHAPE "," PLACE "}", "dtype is missing"},
    {"shape missing", "{" DTYPE "," PLACE "}", "shape is missing"},
    {"offsets missing", "{" DTYPE "," SHAPE "}", "data_offsets is missing"},
    {"all missing", "{}", "dtype is missing"},
    {"unknown key", "{" DTYPE "," SHAPE ",\"strides\":[1]," PLACE "}",
     "the key \"strides\" is unknown, expected dtype, shape and data_offsets only"},
    {"hostile key", "{" DTYPE "," SHAPE ",\"\\u001b[2J\":[1]," PLACE "}",
     "the key \"\\x1b[2J\" is unknown"},
    {"dtype is a number", "{\"dtype\":32," SHAPE "," PLACE "}", "dtype is not a string"},
    {"dtype is null", "{\"dtype\":null," SHAPE "," PLACE "}", "dtype is not a string"},
    {"dtype unknown", "{\"dtype\":\"F33\"," SHAPE "," PLACE "}",
     "dtype \"F33\" is unknown, expected F64, F32, F16 or BF16"},
    {"dtype lower case", "{\"dtype\":\"f32\"," SHAPE "," PLACE "}", "dtype \"f32\" is unknown"},
    {"dtype empty", "{\"dtype\":\"\"," SHAPE "," PLACE "}", "dtype \"\" is unknown"},
    {"dtype I64", "{\"dtype\":\"I64\"," SHAPE "," PLACE "}",
     "dtype I64 is not read here, only F64, F32, F16 and BF16 are"},
    {"dtype BOOL", "{\"dtype\":\"BOOL\"," SHAPE "," PLACE "}", "dtype BOOL is not read here"},
    {"dtype F8_E4M3", "{\"dtype\":\"F8_E4M3\"," SHAPE "," PLACE "}",
     "dtype F8_E4M3 is not read here"},
    {"shape is a number", "{" DTYPE ",\"shape\":2," PLACE "}", "shape is not an array"},
    {"shape is an object", "{" DTYPE ",\"shape\":{}," PLACE "}", "shape is not an array"},
    {"shape negative", "{" DTYPE ",\"shape\":[1,-2]," PLACE "}",
     "shape[1] is negative (-2), expected 1 or more"},
    {"shape two negatives", "{" DTYPE ",\"shape\":[-1,-2]," PLACE "}", "shape[0] is negative (-1)"},
    {"shape fractional", "{" DTYPE ",\"shape\":[2.5]," PLACE "}", "shape[0] is not an integer"},
    {"shape real", "{" DTYPE ",\"shape\":[2.0]," PLACE "}", "shape[0] is not an integer"},
    {"shape of strings", "{" DTYPE ",\"shape\":[\"2\"]," PLACE "}", "shape[0] is not an integer"},
    {"shape of booleans", "{" DTYPE ",\"shape\":[true]," PLACE "}", "shape[0] is not an integer"},
    {"shape huge", "{" DTYPE ",\"shape\":[9223372036854775807]," PLACE "}",
     "the size overflows at shape[0] = 9223372036854775807"},
    {"shape product overflows", "{" DTYPE ",\"shape\":[4294967296,4294967296]," PLACE "}",
     "the size overflows at shape[1]"},
    /* 2^32 * 2^32 = 2^64 and a further 2 would wrap round to the 2 elements that the place holds */
    {"shape product wraps", "{" DTYPE ",\"shape\":[4294967297,4294967296,2]," PLACE "}",
     "the size overflows at shape[1]"},
    /* 2^62 + 2 elements fit into 64 bits, and 4 times that wraps round to 8 bytes */
    {"shape size wraps", "{" DTYPE ",\"shape\":[4611686018427387906]," PLACE "}",
     "the size overflows at shape[0]"},
    {"nine dimensions", "{" DTYPE ",\"shape\":[1,1,1,1,1,1,1,1,2]," PLACE "}",
     "shape has 9 dimensions, expected at most 8"},
    {"no elements", "{" DTYPE ",\"shape\":[0],\"data_offsets\":[0,0]}",
     "shape[0] is 0, so there are no elements"},
    {"no elements inside", "{" DTYPE ",\"shape\":[2,0,2],\"data_offsets\":[0,0]}",
     "shape[1] is 0, so there are no elements"},
    {"offsets an object", "{" DTYPE "," SHAPE ",\"data_offsets\":{}}",
     "data_offsets is not an array of two"},
    {"offsets a number", "{" DTYPE "," SHAPE ",\"data_offsets\":8}",
     "data_offsets is not an array of two"},
    {"one offset", "{" DTYPE "," SHAPE ",\"data_offsets\":[8]}",
     "data_offsets is not an array of two"},
    {"three offsets", "{" DTYPE "," SHAPE ",\"data_offsets\":[0,8,16]}",
     "data_offsets is not an array of two"},
    {"offset a string", "{" DTYPE "," SHAPE ",\"data_offsets\":[0,\"8\"]}",
     "data_offsets[1] is not an integer"},
    {"offset fractional", "{" DTYPE "," SHAPE ",\"data_offsets\":[0.5,8]}",
     "data_offsets[0] is not an integer"},
    {"begin negative", "{" DTYPE "," SHAPE ",\"data_offsets\":[-8,0]}",
     "data_offsets[0] is negative (-8), expected 0 or more"},
    {"end negative", "{" DTYPE "," SHAPE ",\"data_offsets\":[0,-8]}",
     "data_offsets[1] is negative (-8)"},
    {"begin behind end", "{" DTYPE "," SHAPE ",\"data_offsets\":[16,8]}",
     "data_offsets begin at 16, behind their end at 8"},
    {"end behind data", "{" DTYPE "," SHAPE ",\"data_offsets\":[57,65]}",
     "data_offsets end at 65, past the end of the data, expected at most 64"},
    {"end far behind data",
     "{" DTYPE "," SHAPE ",\"data_offsets\":[9223372036854775799,9223372036854775807]}",
     "data_offsets end at 9223372036854775807, past the end"},
    {"span too short", "{" DTYPE "," SHAPE ",\"data_offsets\":[0,7]}",
     "data_offsets span 7 bytes, expected 8"},
    {"span too long", "{" DTYPE "," SHAPE ",\"data_offsets\":[0,12]}",
     "data_offsets span 12 bytes, expected 8"},
    {"span empty", "{" DTYPE "," SHAPE ",\"data_offsets\":[8,8]}",
     "data_offsets span 0 bytes, expected 8"},
    {"span of another dtype", "{\"dtype\":\"BF16\"," SHAPE "," PLACE "}",
     "data_offsets span 8 bytes, expected 4"},
};

enum { REFUSALS = sizeof refusals / sizeof refusals[0] };

static bool read_text(Tensor *t, const char *name, const char *text, Failure *failure)
{
    json_t *entry = json_loads(text, JSON_DECODE_ANY, NULL);

    assert_non_null(entry);
    bool ok = safetensors_read_entry(t, name, entry, data, sizeof data, failure);

    json_decref(entry);
    return ok;
}

static void test_refusal(void **state)
{
    const Refusal *refusal = *state;
    Failure failure = {""};
    Tensor t;

    assert_false(read_text(&t, "q", refusal->entry, &failure));
    assert_int_equal(strncmp(failure.text, "tensor \"q\": ", 12), 0);
    assert_contains(failure.text, refusal->expected);
}

static void test_good_entry(void **state)
{
    static const char name[] = "q";
    Failure failure = {""};
    Tensor t;

    (void)state;
    assert_true(
        read_text(&t, name, "{" DTYPE ",\"shape\":[2,3],\"data_offsets\":[40,64]}", &failure));
    assert_ptr_equal(t.name, name);
    assert_int_equal(t.type, TYPE_F32);
    assert_int_equal(t.dims, 2);
    assert_int_equal(t.shape[0], 2);
    assert_int_equal(t.shape[1], 3);
    assert_int_equal(t.shape[2], 0);
    assert_int_equal(t.count, 6);
    assert_ptr_equal(t.bytes, data + 40);
}

static void test_scalar(void **state)
{
    Failure failure;
    Tensor t;

    (void)state;
    assert_true(
        read_text(&t, "s", "{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[7,9]}", &failure));
    assert_int_equal(t.dims, 0);
    assert_int_equal(t.count, 1);
    assert_ptr_equal(t.bytes, data + 7);
}

static void test_eight_dimensions(void **state)
{
    Failure failure;
    Tensor t;

    (void)state;
    assert_true(read_text(&t, "s",
                          "{\"dtype\":\"F16\",\"shape\":[1,2,1,2,1,2,1,2],"
                          "\"data_offsets\":[0,32]}",
                          &failure));
    assert_int_equal(t.dims, 8);
    assert_int_equal(t.count, 16);
}

static void test_long_name_leaves_the_fault(void **state)
{
    char name[3000];
    Failure failure;
    Tensor t;

    (void)state;
    memset(name, '\x1b', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_false(read_text(&t, name, "{}", &failure));
    assert_contains(failure.text, "\\x1b...\": dtype is missing");
}

int main(void)
{
    struct CMUnitTest tests[REFUSALS + 4] = {
        cmocka_unit_test(test_good_entry),
        cmocka_unit_test(test_scalar),
        cmocka_unit_test(test_eight_dimensions),
        cmocka_unit_test(test_long_name_leaves_the_fault),
    };

    for (size_t i = 0; i < REFUSALS; i++) {
        tests[4 + i] = (struct CMUnitTest)cmocka_unit_test_prestate(test_refusal,
                                                                    (void *)&refusals[i]);
        tests[4 + i].name = refusals[i].test;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
