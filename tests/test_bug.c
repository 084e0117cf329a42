/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bug.h"
#include "systems_support.h"

static void with_arguments(void)
{
    stop_on_bug("there", "%zu x %zu of %s", (size_t)2, (size_t)3, "A");
}

static void without_arguments(void) { stop_on_bug(__func__, "100%% wrong"); }

static void long_message(void)
{
    static char text[3000];
    memset(text, 'n', sizeof text - 1);
    stop_on_bug("there", "%s!", text);
}

static void a_bug_names_the_function_and_aborts(void **unused)
{
    (void)unused;
    assert_aborts(with_arguments, "castle: bug in there: 2 x 3 of A\n");
    assert_aborts(without_arguments, "castle: bug in without_arguments: 100% wrong\n");
}

static void no_message_is_too_long(void **unused)
{
    (void)unused;
    assert_aborts(long_message, "nnnn!\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bug_names_the_function_and_aborts),
        cmocka_unit_test(no_message_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
