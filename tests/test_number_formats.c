/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "number_formats.h"
#include "vectors_support.h"

static const NumberType types[] = {TYPE_F64, TYPE_F32, TYPE_F16, TYPE_BF16};

/* Not ==, which takes -0 for 0; every NaN is the same here. */
static bool same(double a, double b)
{
    return (isnan(a) && isnan(b)) || (a == b && signbit(a) == signbit(b));
}

static double decode_bits(NumberType type, uint64_t bits)
{
    unsigned char bytes[8];

    for (size_t i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(bits >> (8 * i) & 0xff);
    return number_decode(type, bytes);
}

static uint64_t encode_bits(NumberType type, double value)
{
    unsigned char bytes[8] = {0};
    uint64_t bits = 0;

    number_encode(type, value, bytes);
    for (size_t i = 0; i < 8; i++)
        bits |= (uint64_t)bytes[i] << (8 * i);
    return bits;
}

static void test_names(void **state)
{
    static const char *const names[] = {"F64", "F32", "F16", "BF16"};
    static const char *const wrong[] = {"", "F", "F8", "f32", "F32 ", "BF1", "BF166", "I64"};

    (void)state;
    for (size_t i = 0; i < NUMBER_TYPES; i++) {
        NumberType type = types[(i + 1) % NUMBER_TYPES];

        assert_string_equal(number_type_name(types[i]), names[i]);
        assert_true(number_type_from_name(names[i], &type));
        assert_int_equal(type, types[i]);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        NumberType type = TYPE_F16;

        assert_false(number_type_from_name(wrong[i], &type));
        assert_int_equal(type, TYPE_F16);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    assert_int_equal(number_type_bytes(TYPE_F64), 8);
    assert_int_equal(number_type_bytes(TYPE_F32), 4);
    assert_int_equal(number_type_bytes(TYPE_F16), 2);
    assert_int_equal(number_type_bytes(TYPE_BF16), 2);
}

static void test_format_constants(void **state)
{
    static const struct {
        int precision, emin, emax;
    } expected[] = {{53, -1022, 1023}, {24, -126, 127}, {11, -14, 15}, {8, -126, 127}};

    (void)state;
    for (size_t i = 0; i < NUMBER_TYPES; i++) {
        const Format *f = number_format(types[i]);

        assert_int_equal(f->precision, expected[i].precision);
        assert_int_equal(f->emin, expected[i].emin);
        assert_int_equal(f->emax, expected[i].emax);
        assert_true(format_largest(f) == ldexp(2 - ldexp(1, 1 - f->precision), f->emax));
        assert_true(format_smallest(f) == ldexp(1, f->emin - f->precision + 1));
        assert_true(encode_bits(types[i], format_smallest(f)) == 1);
    }
    assert_true(format_largest(number_format(TYPE_F64)) == DBL_MAX);
    assert_true(format_largest(number_format(TYPE_F32)) == (double)FLT_MAX);
    assert_true(format_largest(number_format(TYPE_F16)) == 65504);
    assert_true(format_largest(number_format(TYPE_BF16)) == 0x1.fep127);
}

static void test_known_patterns(void **state)
{
    static const struct {
        NumberType type;
        uint64_t bits;
        double value;
    } known[] = {
        {TYPE_F64, UINT64_C(0x3ff0000000000000), 1},
        {TYPE_F64, UINT64_C(0x8000000000000000), -0.0},
        {TYPE_F64, UINT64_C(0x7ff0000000000000), INFINITY},
        {TYPE_F64, UINT64_C(0x000fffffffffffff), 0x0.fffffffffffffp-1022},
        {TYPE_F64, UINT64_C(0x7fefffffffffffff), DBL_MAX},
        {TYPE_F32, 0x3fc00000, 1.5},
        {TYPE_F32, 0x80000000, -0.0},
        {TYPE_F32, 0xff800000, -INFINITY},
        {TYPE_F32, 0x00000001, 0x1p-149},
        {TYPE_F32, 0x007fffff, 0x0.fffffep-126},
        {TYPE_F16, 0x3c00, 1},
        {TYPE_F16, 0xc000, -2},
        {TYPE_F16, 0x3555, 0.333251953125},
        {TYPE_F16, 0x7bff, 65504},
        {TYPE_F16, 0x0001, 0x1p-24},
        {TYPE_F16, 0x03ff, 0x0.ffcp-14},
        {TYPE_F16, 0x0400, 0x1p-14},
        {TYPE_F16, 0x7c00, INFINITY},
        {TYPE_BF16, 0x3f80, 1},
        {TYPE_BF16, 0x4049, 3.140625},
        {TYPE_BF16, 0x8000, -0.0},
        {TYPE_BF16, 0x0001, 0x1p-133},
        {TYPE_BF16, 0x0080, 0x1p-126},
        {TYPE_BF16, 0x7f7f, 0x1.fep127},
        {TYPE_BF16, 0xff80, -INFINITY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_true(same(decode_bits(known[i].type, known[i].bits), known[i].value));
        assert_true(encode_bits(known[i].type, known[i].value) == known[i].bits);
    }
}

static void test_nan_becomes_canonical(void **state)
{
    (void)state;
    assert_true(encode_bits(TYPE_F64, -NAN) == UINT64_C(0x7ff8000000000000));
    assert_true(encode_bits(TYPE_F32, NAN) == 0x7fc00000);
    assert_true(encode_bits(TYPE_F16, -NAN) == 0x7e00);
    assert_true(encode_bits(TYPE_BF16, NAN) == 0x7fc0);
    assert_true(isnan(decode_bits(TYPE_F64, UINT64_C(0x7ff0000000000001))));
    assert_true(isnan(decode_bits(TYPE_F64, UINT64_C(0xffffffffffffffff))));
    assert_true(isnan(decode_bits(TYPE_F32, 0xff800001)));
}

static void test_bytes_are_little_endian_and_unaligned(void **state)
{
    static const unsigned char expected[8] = {0xaa, 0, 0, 0xc0, 0x3f, 0xaa, 0xaa, 0xaa};
    unsigned char bytes[8];

    (void)state;
    memset(bytes, 0xaa, sizeof bytes);
    number_encode(TYPE_F32, 1.5, bytes + 1);
    assert_memory_equal(bytes, expected, sizeof bytes);
    assert_true(number_decode(TYPE_F32, bytes + 1) == 1.5);
}

/* The value of a 16-bit pattern by the definition of the format, without the code under test. */
static double value_by_definition(NumberType type, unsigned pattern)
{
    unsigned sign = pattern >> 15;
    double value;

    if (type == TYPE_BF16) { /* the upper half of an F32 */
        uint32_t wide = (uint32_t)pattern << 16;
        float narrow;

        memcpy(&narrow, &wide, sizeof narrow);
        return (double)narrow;
    }
    unsigned exponent = pattern >> 10 & 31;
    double fraction = (double)(pattern & 1023) / 1024;

    if (exponent == 31)
        value = fraction == 0 ? INFINITY : NAN;
    else if (exponent == 0)
        value = fraction / 16384;
    else
        value = (1 + fraction) * pow(2, (double)exponent - 15);
    return sign != 0 ? -value : value;
}

static void check_all_patterns(NumberType type)
{
    for (unsigned pattern = 0; pattern < 65536; pattern++) {
        double value = decode_bits(type, pattern);

        if (!same(value, value_by_definition(type, pattern)))
            fail_msg("pattern 0x%04x decodes to %a", pattern, value);
        assert_true(number_is_representable(type, value));
        if (isnan(value))
            continue;
        if (encode_bits(type, value) != pattern)
            fail_msg("%a does not encode to 0x%04x", value, pattern);
        if (isinf(value))
            continue;
        /* The closest doubles and the middle to the next number are not numbers of the type. */
        if (value != 0) {
            assert_false(number_is_representable(type, nextafter(value, INFINITY)));
            assert_false(number_is_representable(type, nextafter(value, -INFINITY)));
        }
        if (isfinite(decode_bits(type, pattern + 1)) && (pattern & 0x7fff) != 0x7fff) {
            double next = decode_bits(type, pattern + 1);

            assert_false(number_is_representable(type, value / 2 + next / 2));
        }
    }
}

static void test_all_f16_patterns(void **state)
{
    (void)state;
    check_all_patterns(TYPE_F16);
}

static void test_all_bf16_patterns(void **state)
{
    (void)state;
    check_all_patterns(TYPE_BF16);
}

/* Random bits spread evenly over the exponents, and so over subnormals and NaN, too. */
static void test_f32_against_casts(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (int i = 0; i < 300000; i++) {
        uint32_t bits = (uint32_t)next_random(&seed);
        float narrow;

        if (i % 16 == 0)
            bits &= 0x807fffff; /* subnormal */
        memcpy(&narrow, &bits, sizeof narrow);
        if (!same(decode_bits(TYPE_F32, bits), (double)narrow))
            fail_msg("0x%08x decodes to %a", (unsigned)bits, decode_bits(TYPE_F32, bits));
        if (!isnan(narrow) && encode_bits(TYPE_F32, (double)narrow) != bits)
            fail_msg("%a does not encode to 0x%08x", (double)narrow, (unsigned)bits);
    }
}

/* Doubles around the range of F32 with so few significant bits that some fit and some do not. */
static void test_f32_representability_against_casts(void **state)
{
    uint64_t seed = 2;
    int fit = 0;
    int total = 300000;

    (void)state;
    for (int i = 0; i < total; i++) {
        uint64_t random = next_random(&seed);
        int bits = (int)(random % 30) + 1;
        int exponent = (int)(random >> 8 & 0xff) - 160;
        double value = ldexp((double)(next_random(&seed) >> (64 - bits)), exponent);
        bool expected = value <= (double)FLT_MAX && (double)(float)value == value;

        if ((random & 128) != 0)
            value = -value;
        if (number_is_representable(TYPE_F32, value) != expected)
            fail_msg("%a: expected %d", value, (int)expected);
        fit += expected;
    }
    assert_in_range(fit, total / 10, total - total / 10);
}

static void test_f64_round_trip(void **state)
{
    uint64_t seed = 3;

    (void)state;
    for (int i = 0; i < 300000; i++) {
        uint64_t bits = next_random(&seed);
        double expected;

        if (i % 16 == 0)
            bits &= UINT64_C(0x800fffffffffffff); /* subnormal */
        memcpy(&expected, &bits, sizeof expected);
        assert_true(same(decode_bits(TYPE_F64, bits), expected));
        assert_true(number_is_representable(TYPE_F64, expected));
        assert_true(isnan(expected) || encode_bits(TYPE_F64, expected) == bits);
    }
}

static void test_what_is_not_representable(void **state)
{
    static const struct {
        NumberType type;
        double value;
    } values[] = {
        {TYPE_F32, 0x1p128}, {TYPE_F32, 0.1},      {TYPE_F32, 0x1p-150},  {TYPE_F32, 0x1.8p-149},
        {TYPE_F16, 65536},   {TYPE_F16, 65520},    {TYPE_F16, 0x1p-25},   {TYPE_F16, DBL_MAX},
        {TYPE_BF16, 257},    {TYPE_BF16, 0x1p128}, {TYPE_BF16, 0x1p-134}, {TYPE_BF16, 0x1p-1074},
    };

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_false(number_is_representable(values[i].type, values[i].value));
        assert_false(number_is_representable(values[i].type, -values[i].value));
    }
}

static void encode_too_fine(void) { (void)encode_bits(TYPE_BF16, -257); }

static void encode_too_large(void) { (void)encode_bits(TYPE_F16, 65536); }

static void name_of_no_type(void) { (void)number_type_name((NumberType)NUMBER_TYPES); }

static void test_misuse_stops(void **state)
{
    (void)state;
    assert_stops(encode_too_fine, "number_encode: the value -0x1.01p+8 (-257) is not exactly "
                                  "representable in BF16");
    assert_stops(encode_too_large, "number_encode: the value 0x1p+16 (65536)");
    assert_stops(name_of_no_type, "number_type_name: 4 is no NumberType");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_format_constants),
        cmocka_unit_test(test_known_patterns),
        cmocka_unit_test(test_nan_becomes_canonical),
        cmocka_unit_test(test_bytes_are_little_endian_and_unaligned),
        cmocka_unit_test(test_all_f16_patterns),
        cmocka_unit_test(test_all_bf16_patterns),
        cmocka_unit_test(test_f32_against_casts),
        cmocka_unit_test(test_f32_representability_against_casts),
        cmocka_unit_test(test_f64_round_trip),
        cmocka_unit_test(test_what_is_not_representable),
        cmocka_unit_test(test_misuse_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
