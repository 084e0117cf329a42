/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bug.h"
#include "failure.h"
#include "vectors_support.h"

static void test_sentence_is_formatted(void **state)
{
    Failure f;

    (void)state;
    assert_false((fail)(&f, "%s: %d of %d", "name", 1, 2));
    assert_string_equal(f.text, "name: 1 of 2");
}

static void test_hostile_bytes_are_escaped(void **state)
{
    Failure f;

    (void)state;
    (void)(fail)(&f, "a\x1b[31m\n\x7f\xc3\xa4\xff~ ");
    assert_string_equal(f.text, "a\\x1b[31m\\x0a\\x7f\\xc3\\xa4\\xff~ ");
}

static void test_long_sentence_is_cut(void **state)
{
    Failure f;
    char name[5000];

    (void)state;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    (void)(fail)(&f, "%s", name);
    assert_int_equal(strlen(f.text), sizeof f.text - 1);
    assert_string_equal(f.text + sizeof f.text - 5, "n...");

    memset(name, '\n', sizeof name - 1);
    (void)(fail)(&f, "%s", name);
    assert_true(strlen(f.text) < sizeof f.text);
    assert_string_equal(f.text + strlen(f.text) - 7, "\\x0a...");
}

static void test_arguments_may_alias(void **state)
{
    Failure f;

    (void)state;
    (void)(fail)(&f, "inner");
    (void)(fail)(&f, "outer: %s", f.text);
    assert_string_equal(f.text, "outer: inner");
}

static void test_quote_at_its_limits(void **state)
{
    char out[12];

    (void)state;
    failure_quote(out, sizeof out, "");
    assert_string_equal(out, "");
    failure_quote(out, sizeof out, "12345678");
    assert_string_equal(out, "12345678");
    failure_quote(out, sizeof out, "123456789");
    assert_string_equal(out, "12345678...");
    failure_quote(out, sizeof out, "12345\n");
    assert_string_equal(out, "12345...");
    failure_quote(out, sizeof out, "1234\n");
    assert_string_equal(out, "1234\\x0a");
    failure_quote(out, 8, "12345");
    assert_string_equal(out, "1234...");
}

static void test_quote_path_keeps_the_end(void **state)
{
    char out[12];

    (void)state;
    failure_quote_path(out, sizeof out, "12345678");
    assert_string_equal(out, "12345678");
    failure_quote_path(out, sizeof out, "folder/name");
    assert_string_equal(out, ".../name");
    failure_quote_path(out, sizeof out,
                       "folder/n\xff"
                       "me");
    assert_string_equal(out, ".../n...");
}

static void provoke_bug(void) { stop_on_bug("here", "%d is %s", 3, "odd"); }

static void test_bug_stops(void **state)
{
    (void)state;
    assert_stops(provoke_bug, "bug in here: 3 is odd\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentence_is_formatted),
        cmocka_unit_test(test_hostile_bytes_are_escaped),
        cmocka_unit_test(test_long_sentence_is_cut),
        cmocka_unit_test(test_arguments_may_alias),
        cmocka_unit_test(test_quote_at_its_limits),
        cmocka_unit_test(test_quote_path_keeps_the_end),
        cmocka_unit_test(test_bug_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
