/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tensors between guard pages: every byte that is no element is watched, in all small shapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guarded.h"
#include "isolated.h"
#include "vectors_support.h"

#include <math.h>

enum { MOST = 18 };
static double numbers[MOST];

static void for_all_shapes(void (*check)(const GuardedShape *))
{
    static const size_t cols[] = {1, 2, 8, 9};
    for (NumberType type = TYPE_F64; type <= TYPE_BF16; type++)
        for (size_t k = 0; k < (size_t)3 * 3 * 3 * 4 * 2; k++)
            check(&(GuardedShape){type, 1 + k % 3, 1 + k / 3 % 3, 1 + k / 9 % 3, cols[k / 27 % 4],
                                  k >= 108});
    for (NumberType type = TYPE_F64; type <= TYPE_BF16; type++) /* over a page, and a whole one */
        for (size_t rows = 500; rows < 520; rows += 12)
            check(&(GuardedShape){type, 1, 1, rows, 8, false});
}

/* Each number comes back, at the strides that are told, and the last one ends at the guard. */
static void numbers_keep(const GuardedShape *s)
{
    Guarded g = guarded_new("x", s, NULL);
    size_t n = guarded_count(&g), width = number_type_bytes(s->type), k = 0;
    char text[60];
    assert_int_equal(guarded_untouched(&g), n);
    assert_int_equal((uintptr_t)g.data % 64, 0);
    for (size_t i = 0; i < n; i++)
        guarded_put(&g, i, (double)(i % 250));
    for (size_t b = 0; b < s->batch; b++)
        for (size_t h = 0; h < s->heads; h++)
            for (size_t t = 0; t < s->rows; t++)
                for (size_t c = 0; c < s->cols; c++, k++) {
                    size_t at = b * g.stride[0] + h * g.stride[1] + t * g.stride[2] + c;
                    assert_true(number_decode(s->type, g.data + at * width) == (double)(k % 250));
                    assert_true(guarded_get(&g, k) == (double)(k % 250));
                }
    assert_int_equal(guarded_untouched(&g), 0);
    assert_true(guarded_is_sound(&g, text, sizeof text));
    const unsigned char *guard = g.map + g.mapped - (size_t)sysconf(_SC_PAGESIZE);
    assert_true(guard >= g.end && guard - g.end < 64);
    assert_true(guarded_explains(&g, guard, text, sizeof text));
    assert_string_equal(text, "just behind x");
    assert_true(guarded_explains(&g, g.map, text, sizeof text));
    assert_string_equal(text, "just before x");
    assert_false(guarded_explains(&g, g.data, text, sizeof text));
    guarded_free(&g);
}

static void every_number_has_its_place(void **state)
{
    (void)state;
    for_all_shapes(numbers_keep);
}

/* Changes each byte from 70 before the data to the guard, one at a time. */
static void bytes_are_watched(const GuardedShape *s)
{
    char text[60];
    if (s->type != TYPE_F32 || s->cols == 2 || s->heads == 2 ||
        s->batch * s->heads * s->rows * s->cols > MOST)
        return; /* every byte is compared for every byte that is changed */
    for (int input = 0; input < 2; input++) {
        Guarded g = guarded_new("x", s, input ? numbers : NULL);
        unsigned char *guard = g.map + g.mapped - (size_t)sysconf(_SC_PAGESIZE);
        unsigned char *page = g.map + (size_t)sysconf(_SC_PAGESIZE);
        for (unsigned char *p = g.data - 70 > page ? g.data - 70 : page; p < guard; p++) {
            bool owned = g.owned[p - page];
            const char *expected = owned        ? "changed the input x"
                                   : p < g.data ? "wrote before x"
                                   : p >= g.end ? "wrote behind x"
                                                : "wrote between the rows of x";
            *p ^= 1;
            if (owned && !input) {
                assert_true(guarded_is_sound(&g, text, sizeof text));
            } else {
                assert_false(guarded_is_sound(&g, text, sizeof text));
                assert_string_equal(text, expected);
            }
            *p ^= 1;
        }
        assert_true(guarded_is_sound(&g, text, sizeof text));
        guarded_free(&g);
    }
}

static void every_other_byte_is_watched(void **state)
{
    (void)state;
    for (size_t k = 0; k < MOST; k++)
        numbers[k] = (double)(k % 100);
    for_all_shapes(bytes_are_watched);
}

static void touch(void *argument) { *(volatile unsigned char *)argument = 1; }

static void the_pages_around_cannot_be_touched(void **state)
{
    const Limits l = {20, 0};
    (void)state;
    for (int padded = 0; padded < 2; padded++) {
        Guarded g = guarded_new("x", &(GuardedShape){TYPE_F32, 2, 2, 5, 3, padded}, NULL);
        unsigned char *guard = g.map + g.mapped - (size_t)sysconf(_SC_PAGESIZE);
        unsigned char *page = g.map + (size_t)sysconf(_SC_PAGESIZE);
        assert_int_equal(isolated_call(touch, guard, &l).number, SIGSEGV);
        assert_int_equal(isolated_call(touch, page - 1, &l).number, SIGSEGV);
        Outcome inside = isolated_call(touch, guard - 1, &l);
        assert_int_equal(inside.ending, ENDING_EXIT);
        assert_int_equal(guard[-1], 1); /* what the child wrote */
        guarded_free(&g);
    }
}

static void padding_is_nan(void **state)
{
    const unsigned char bytes[8] = {255, 255, 255, 255, 255, 255, 255, 255};
    (void)state;
    for (NumberType type = TYPE_F64; type <= TYPE_BF16; type++)
        assert_true(isnan(number_decode(type, bytes)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_has_its_place),
        cmocka_unit_test(every_other_byte_is_watched),
        cmocka_unit_test(the_pages_around_cannot_be_touched),
        cmocka_unit_test(padding_is_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
