/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Progress is seen on a terminal only, and there only by those who wait over two seconds. The
 * clock is the test's own, so nobody waits here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "progress.h"

static time_t jump; /* seconds that the clock is ahead */

/* In the place of the C library's, for the code under test. */
int clock_gettime(clockid_t __clock_id, struct timespec *__tp)
{
    int result = (int)syscall(SYS_clock_gettime, __clock_id, __tp);
    __tp->tv_sec += jump;
    return result;
}

/* Ten steps, `seconds` apart, with stderr sent to `fd`. */
static void ten_steps(int fd, time_t seconds)
{
    (void)fflush(stderr);
    int kept = dup(STDERR_FILENO);
    assert_true(kept >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    jump = 0;
    Progress *p = progress_begin("row", "step", 10);
    for (int k = 0; k < 10; k++) {
        jump += seconds;
        progress_step(p);
    }
    progress_end(p);
    (void)fflush(stderr);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    (void)close(kept);
}

/* What has arrived at fd so far. */
static void arrived(int fd, char *text, size_t size)
{
    size_t used = 0;
    struct pollfd ready = {fd, POLLIN, 0};
    while (used < size - 1 && poll(&ready, 1, 50) > 0 && (ready.revents & POLLIN)) {
        ssize_t got = read(fd, text + used, size - 1 - used);
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    text[used] = '\0';
}

static void nothing_is_printed_where_no_terminal_is(void **unused)
{
    (void)unused;
    int ends[2];
    char text[4096];
    assert_int_equal(pipe(ends), 0);
    ten_steps(ends[1], 0);
    ten_steps(ends[1], 5);
    arrived(ends[0], text, sizeof text);
    assert_string_equal(text, "");
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* A pseudo-terminal; skips the test where there is none. */
static int terminal(int *slave)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    *slave = -1;
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 ||
        (*slave = open(ptsname(master), O_RDWR | O_NOCTTY)) < 0) {
        print_message("no pseudo-terminal: %s\n", strerror(errno));
        skip();
    }
    return master;
}

static void a_terminal_is_told_after_two_seconds(void **unused)
{
    (void)unused;
    int slave = -1, master = terminal(&slave);
    char text[4096];
    ten_steps(slave, 0);
    arrived(master, text, sizeof text);
    assert_string_equal(text, "");
    ten_steps(slave, 1); /* steps 2 to 10 come at 2 s or later, and then the end */
    arrived(master, text, sizeof text);
    assert_null(strstr(text, "step 1 of 10"));
    assert_non_null(strstr(text, "\r\033[Krow: step 2 of 10, about 8 s left"));
    assert_non_null(strstr(text, "\r\033[Krow: step 5 of 10, about 5 s left"));
    assert_non_null(strstr(text, "\r\033[Krow: step 10 of 10, about 0 s left\r\033[K"));
    assert_string_equal(text + strlen(text) - 4, "\r\033[K");
    (void)close(slave);
    (void)close(master);
}

static void progress_without_steps_prints_nothing(void **unused)
{
    (void)unused;
    int slave = -1, master = terminal(&slave);
    char text[100];
    int kept = dup(STDERR_FILENO);
    assert_true(dup2(slave, STDERR_FILENO) >= 0);
    progress_end(progress_begin("row", "step", 0));
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    arrived(master, text, sizeof text);
    assert_string_equal(text, "");
    (void)close(kept);
    (void)close(slave);
    (void)close(master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_printed_where_no_terminal_is),
        cmocka_unit_test(a_terminal_is_told_after_two_seconds),
        cmocka_unit_test(progress_without_steps_prints_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
