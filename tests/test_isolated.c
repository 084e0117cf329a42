/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Foreign code in a child: whatever it does, the parent learns what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "isolated.h"
#include "vectors_support.h"

#include <errno.h>
#include <time.h>

static const Limits usual = {20, 0};

static void assert_said(Outcome o, const Limits *l, const char *expected)
{
    char text[200];
    outcome_describe(text, sizeof text, &o, l);
    assert_string_equal(text, expected);
}

static void write_there(void *argument) { *(int *)argument += 41; }
static void leave(void *argument) { _exit(*(int *)argument); }
static void speak(void *argument)
{
    (void)puts((const char *)argument);
    abort();
}

static void calls_share_memory_and_end(void **state)
{
    int *shared = shared_room(sizeof *shared);
    char stopped[] = "one\n\x1b[31mtwo\n\n";
    (void)state;
    *shared = 1;
    assert_said(isolated_call(write_there, shared, &usual), &usual, "ended with status 0");
    assert_int_equal(*shared, 42);
    assert_said(isolated_call(leave, shared, &usual), &usual, "ended with status 42");
    (void)signal(SIGABRT, SIG_IGN); /* the child begins with the defaults */
    assert_said(isolated_call(speak, stopped, &usual), &usual,
                "was ended by SIGABRT, saying \"\\x1b[31mtwo\"");
    (void)signal(SIGABRT, SIG_DFL);
    shared_free(shared, sizeof *shared);
}

static void commands_end_with_what_they_say(void **state)
{
    (void)state;
    assert_said(isolated_command("exit 3", &usual), &usual, "ended with status 3");
    assert_said(isolated_command("cat; echo out; echo err >&2", &usual), &usual,
                "ended with status 0, saying \"err\"");
    assert_said(isolated_command("kill -BUS $$", &usual), &usual, "was ended by SIGBUS");
    assert_int_equal(isolated_command("/nonesuch/program", &usual).number, 127);
}

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The sleeper that is left behind would keep the file's lock. */
static void what_is_left_behind_is_killed(void **state)
{
    const Limits brief = {0.2, 0};
    char command[300];
    const char *path = scratch_path("pid");
    size_t size;
    (void)state;
    double begun = seconds();
    (void)snprintf(command, sizeof command, "sleep 60 & echo $! > %s; wait", path);
    assert_said(isolated_command(command, &brief), &brief, "was stopped after 0.2 s");
    assert_true(seconds() - begun < 20);
    for (int again = 0; again < 2; again++) {
        char *text = (char *)read_whole_file(path, &size), state_of = 'R', file[60];
        long pid = strtol(text, NULL, 10);
        free(text);
        for (int wait = 0; wait < 500 && state_of && state_of != 'Z'; wait++) {
            (void)usleep(
                10000); /* until init has collected it, or it is a zombie for want of one */
            (void)snprintf(file, sizeof file, "/proc/%ld/stat", pid);
            FILE *f = fopen(file, "r");
            state_of = '\0';
            if (f) {
                (void)fscanf(f, "%*d %*s %c", &state_of);
                (void)fclose(f);
            }
        }
        if (state_of && state_of != 'Z')
            fail_msg("process %ld is there still", pid);
        (void)snprintf(command, sizeof command, "sleep 60 & echo $! > %s", path);
        assert_said(isolated_command(command, &usual), &usual, "ended with status 0");
    }
}

/* Ten times the limit's memory. */
static void eat(void *argument)
{
    bool *full = argument;
    for (int k = 0; k < 40 && !*full; k++) {
        static volatile char *kept; /* in vain, and on purpose */
        kept = malloc(16 << 20);
        *full = !kept;
        if (kept)
            *kept = 1;
    }
}

static void memory_is_limited(void **state)
{
    bool *full = shared_room(sizeof *full);
    (void)state;
    (void)isolated_call(eat, full, &(Limits){20, 64});
    assert_int_equal(*full, isolated_limits_memory());
    *full = false;
    (void)isolated_call(eat, full, &usual);
    assert_false(*full);
    shared_free(full, sizeof *full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_share_memory_and_end),
        cmocka_unit_test(commands_end_with_what_they_say),
        cmocka_unit_test(what_is_left_behind_is_killed),
        cmocka_unit_test(memory_is_limited),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
