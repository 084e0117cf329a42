/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "program_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 600 };

static void child(const char *const *words, int to)
{
    if (dup2(to, STDOUT_FILENO) < 0 || dup2(to, STDERR_FILENO) < 0)
        _exit(125);
    (void)alarm(SECONDS);
    execvp(words[0], (char *const *)words);
    _exit(PROGRAM_MISSING);
}

/* All that comes out of a pipe, and a 0 behind it. */
static char *drained(int from)
{
    char part[4096];
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    for (ssize_t n; (n = read(from, part, sizeof part)) > 0;)
        assert_int_equal(fwrite(part, 1, (size_t)n, stream), n);
    assert_int_equal(fclose(stream), 0);
    return text;
}

int program_run(const char *const *words, char **text)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(ends[0]);
        child(words, ends[1]);
    }
    (void)close(ends[1]);
    char *all = drained(ends[0]);
    (void)close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (text)
        *text = all;
    else
        free(all);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

const char *python_with(const char *modules)
{
    const char *candidates[] = {getenv("PYTHON"), "python3", "/usr/bin/python3"};
    static const char found[] = "import importlib.util as u, sys; "
                                "sys.exit(not all(map(u.find_spec, sys.argv[1].split(', '))))";
    for (size_t k = 0; k < sizeof candidates / sizeof *candidates; k++)
        if (candidates[k] && *candidates[k] &&
            program_run(PROGRAM(candidates[k], "-c", found, modules), NULL) == 0)
            return candidates[k];
    return NULL;
}

void skip_with(const char *reason, ...)
{
    va_list arguments;
    va_start(arguments, reason);
    (void)fputs("skipped: ", stdout);
    (void)vprintf(reason, arguments);
    (void)putchar('\n');
    va_end(arguments);
    skip();
}
