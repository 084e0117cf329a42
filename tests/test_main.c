/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The castle program as a whole: its commands, their help, and its output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"

enum { MOST_COMMANDS = 16 };
static char command_names[MOST_COMMANDS][20];
static size_t command_count;

static void read_command_names(void)
{
    run_right("--help");
    command_count = 0;
    const char *end = strstr(last.out, "\nExample");
    assert_non_null(end);
    for (const char *at = last.out; (at = strstr(at, "\n  castle ")) && at < end; at++)
        if (sscanf(at, " castle %19[a-z]", command_names[command_count]) == 1)
            assert_true(++command_count < MOST_COMMANDS);
    assert_true(command_count >= 3);
}

static void every_help_has_examples_and_fits(void **state)
{
    (void)state;
    read_command_names();
    assert_fits_page();
    for (size_t k = 0; k < command_count; k++) {
        run_right(command_names[k], "--help");
        assert_out("Example");
        assert_out("Exit status: ");
        assert_fits_page();
        assert_silent_err();
        run_right(command_names[k], "--usage");
        refuses("unrecognized option", command_names[k], "--no-such-option");
    }
}

static void there_must_be_a_command(void **state)
{
    (void)state;
    run(NULL);
    assert_status(UNUSABLE_STATUS);
    assert_err("Usage: castle COMMAND");
    assert_int_equal(strlen(last.out), 0);
    refuses("castle: unknown command \"frobnicate\"; expected ", "frobnicate");
    refuses("castle: unknown command \"\"", "");
    refuses("\\x1b[31m", "\x1b[31m");
    refuses("no file given", "check");
    run_right("--version");
    unsigned version[3];
    char end;
    assert_int_equal(
        sscanf(last.out, "castle %u.%u.%u%c", &version[0], &version[1], &version[2], &end), 4);
    assert_int_equal(end, '\n');
}

static void output_to_a_full_device_is_an_error(void **state)
{
    static const char *const commands[][6] = {
        {"check", L2D1},
        {"check", "--json", L2D1},
        {"verify", "-L2", "-d1", "-p24"},
        {"--help"},
        {"--version"},
        {"check", "--help"},
        {"oracle", "--help"},
        {"verify", "--usage"},
    };
    (void)state;
    if (access("/dev/full", W_OK) != 0)
        skip();
    for (size_t k = 0; k < sizeof commands / sizeof *commands; k++) {
        run_with(&(Setting){.standard_output = "/dev/full"}, commands[k]);
        assert_status(UNUSABLE_STATUS);
        assert_err("cannot write to standard output: No space left on device");
    }
    run_with(&(Setting){.standard_output = "/dev/full"},
             WORDS("oracle", L2D1, "-o", scratch_path("out")));
    assert_status(UNUSABLE_STATUS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_help_has_examples_and_fits),
        TEST(there_must_be_a_command),
        TEST(output_to_a_full_device_is_an_error),
    };
    return run_command_tests(tests);
}
