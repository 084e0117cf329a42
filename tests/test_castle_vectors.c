/* SPDX-License-Identifier: GPL-3.0-or-later */
/* vectors/python/castle_vectors.py, by tests/test_castle_vectors.py: it judges as castle does, to the last
 * bit, takes every kind of array, and says what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"
#include "program_support.h"

#define SCRIPT "tests/test_castle_vectors.py"

/* `part` of the script, in a Python with these modules. */
static void assert_holds(const char *part, const char *modules)
{
    char *text;
    const char *python = python_with(modules);
    if (!python)
        skip_with("no python3 with %s", modules);
    if (program_run(PROGRAM(python, "-B", SCRIPT, part, program_path(), scratch), &text))
        fail_msg("%s", text);
    free(text);
}

#define WITH(name, modules) \
    static void name(void **state) \
    { \
        (void)state; \
        assert_holds(#name, modules); \
    }

WITH(verdicts_are_those_of_castle, "numpy")
WITH(messages_say_what_is_wrong, "numpy")
WITH(unusable_folders_get_a_sentence, "numpy")
WITH(a_missing_library_gets_a_sentence, "numpy")
WITH(without_ml_dtypes, "numpy")
WITH(every_file_is_read, "numpy, ml_dtypes")
WITH(pytest, "numpy, pytest")

/* What takes a library that is built for no sanitizer. */
static void assert_holds_with_library(const char *part)
{
    if (getenv("CASTLE_LIBRARY") || access("build/libcastle.so", R_OK) == 0)
        assert_holds(part, "numpy");
    else
        skip_with("no build/libcastle.so; make builds it");
}

static void any_inputs_are_judged(void **state)
{
    (void)state;
    assert_holds_with_library("any_inputs_are_judged");
}

static void libcastle_has_their_bounds(void **state)
{
    (void)state;
    assert_holds_with_library("libcastle_has_their_bounds");
}

/* Their imports take seconds. */
static void assert_holds_in_time(const char *part, const char *modules)
{
    if (!getenv("CASTLE_TEST_LONG"))
        skip_with("it takes seconds to import %s; CASTLE_TEST_LONG=1 does", part);
    assert_holds(part, modules);
}

static void torch(void **state)
{
    (void)state;
    assert_holds_in_time("torch", "numpy, torch");
}

static void jax(void **state)
{
    (void)state;
    assert_holds_in_time("jax", "numpy, jax");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(verdicts_are_those_of_castle),
        TEST(libcastle_has_their_bounds),
        TEST(any_inputs_are_judged),
        TEST(messages_say_what_is_wrong),
        TEST(unusable_folders_get_a_sentence),
        TEST(a_missing_library_gets_a_sentence),
        TEST(every_file_is_read),
        TEST(without_ml_dtypes),
        TEST(torch),
        TEST(jax),
        TEST(pytest),
    };
    return run_command_tests(tests);
}
