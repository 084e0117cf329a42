/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Pages of castle explain in a browser: tests/drive_explain.py works every control and holds the numbers on display
 * against castle oracle. It takes a minute or two, so only with CASTLE_TEST_LONG=1 (make check-explain).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"
#include "program_support.h"

#define SCRIPT "tests/drive_explain.py"

static void every_control_works_and_every_number_is_the_oracles(void **state)
{
    (void)state;
    if (!getenv("CASTLE_TEST_LONG"))
        skip_with("a browser takes long; make check-explain drives it");
    const char *python = python_with("selenium");
    if (!python)
        skip_with("no python3 with selenium; install python3-selenium");
    if (program_run(PROGRAM("sh", "-c", "command -v chromedriver && command -v chromium"), NULL))
        skip_with("no chromium with chromedriver; install chromium, chromium-driver");
    char *text;
    const char *pictures = getenv("CASTLE_SCREENSHOTS"); /* a folder, or not set */
    int status = program_run(PROGRAM(python, SCRIPT, program_path(), scratch, pictures), &text);
    if (status)
        fail_msg("%s", text);
    print_message("%s", text);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(every_control_works_and_every_number_is_the_oracles)};
    return run_command_tests(tests);
}
