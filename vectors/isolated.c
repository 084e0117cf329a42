/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "isolated.h"

#include "bug.h"
#include "failure.h"
#include "interruption.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CANNOT_START = 127, LARGEST_FILE = 1 << 30 };

/* ---- the child -------------------------------------------------------------------------------- */

/* What a child has of private memory when it begins: its parent's. From the 6th number of
 * /proc/self/statm, in pages. */
static rlim_t private_memory(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%*u %*u %*u %*u %*u %lu", &pages) != 1)
        pages = 0;
    if (f)
        (void)fclose(f); /* only read from */
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void limit(__rlimit_resource_t resource, rlim_t most)
{
    const struct rlimit l = {most, most};
    (void)setrlimit(resource, &l); /* a lower limit that is there already serves as well */
}

bool isolated_limits_memory(void)
{
#ifdef __SANITIZE_ADDRESS__
    return false; /* the sanitizer maps terabytes for itself, in commands that it is built into, too */
#else
    return true;
#endif
}

/* A process group of its own, killed with its parent; signals, output and limits. */
static void settle_in(int output, const Limits *l, bool keeps_memory)
{
    static const int signals[] = {SIGSEGV, SIGBUS,  SIGILL,  SIGFPE,  SIGABRT,
                                  SIGPIPE, SIGXFSZ, SIGXCPU, SIGTRAP, SIGSYS};
    sigset_t none;
    interruption_forget();
    int nothing = open("/dev/null", O_RDONLY);
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t k = 0; k < sizeof signals / sizeof *signals; k++)
        (void)signal(signals[k], SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0)
        _exit(CANNOT_START);
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* so that a crash does not take the last words */
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, LARGEST_FILE);
    if (l->mebibytes && isolated_limits_memory())
        limit(RLIMIT_DATA, (keeps_memory ? private_memory() : 0) + ((rlim_t)l->mebibytes << 20));
}

/* ---- the parent ------------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Waits for the child; false once its time is over. SIGCHLD is blocked, so that none is missed. */
static bool ends_in_time(pid_t child, int *status, double deadline)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    for (;;) {
        pid_t ended = waitpid(child, status, WNOHANG);
        if (ended == child)
            return true;
        if (ended < 0 && errno != EINTR)
            stop_on_bug(__func__, "waitpid: %s", strerror(errno));
        double left = deadline - now();
        if (left <= 0)
            return false;
        const struct timespec t = {(time_t)left, (long)((left - floor(left)) * 1e9)};
        (void)sigtimedwait(&set, NULL, &t);
    }
}

/* The last line with something on it. */
static void last_line(char *text, size_t size, int output)
{
    enum { TAIL = 4096 };
    char tail[TAIL + 1];
    off_t end = lseek(output, 0, SEEK_END), begin = end > TAIL ? end - TAIL : 0;
    ssize_t n = end > 0 ? pread(output, tail, TAIL, begin) : 0;
    while (n > 0 && strchr(" \t\r\n", tail[n - 1]))
        n--;
    tail[n > 0 ? n : 0] = '\0';
    const char *line = strrchr(tail, '\n');
    failure_quote(text, size, line ? line + 1 : tail);
}

static Outcome watch(pid_t child, int output, const Limits *l, const sigset_t *mask)
{
    Outcome o = {.ending = ENDING_TIME};
    int status = 0;
    bool in_time = ends_in_time(child, &status, now() + l->seconds);
    (void)kill(-child, SIGKILL); /* and what it left behind */
    if (!in_time) {
        (void)kill(child, SIGKILL); /* before it had a group */
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
    } else if (WIFSIGNALED(status)) {
        o.ending = ENDING_SIGNAL;
        o.number = WTERMSIG(status);
    } else {
        o.ending = ENDING_EXIT;
        o.number = WEXITSTATUS(status);
    }
    interruption_hold();
    interruption_child(0);
    interruption_release();
    (void)sigprocmask(SIG_SETMASK, mask, NULL);
    last_line(o.said, sizeof o.said, output);
    (void)close(output);
    return o;
}

static Outcome isolated(void (*body)(void *), void *argument, const char *command, const Limits *l)
{
    sigset_t wanted, before;
    int output = memfd_create("castle-output", MFD_CLOEXEC);
    if (output < 0)
        stop_on_bug(__func__, "memfd_create: %s", strerror(errno));
    (void)sigemptyset(&wanted);
    (void)sigaddset(&wanted, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &wanted, &before);
    (void)fflush(NULL); /* or the child would write it again */
    interruption_hold();
    pid_t child = fork();
    if (child < 0)
        stop_on_bug(__func__, "fork: %s", strerror(errno));
    if (child == 0) {
        settle_in(output, l, body != NULL);
        if (!body) {
            (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
            _exit(CANNOT_START);
        }
        body(argument);
        (void)fflush(NULL);
        _exit(0);
    }
    interruption_child(child);
    interruption_release();
    return watch(child, output, l, &before);
}

Outcome isolated_call(void (*body)(void *), void *argument, const Limits *l)
{
    return isolated(body, argument, NULL, l);
}

Outcome isolated_command(const char *command, const Limits *l)
{
    return isolated(NULL, NULL, command, l);
}

void outcome_describe(char *text, size_t size, const Outcome *o, const Limits *l)
{
    char what[60];
    const char *name = o->ending == ENDING_SIGNAL ? sigabbrev_np(o->number) : NULL;
    if (o->ending == ENDING_TIME)
        snprintf(what, sizeof what, "was stopped after %g s", l->seconds);
    else if (o->ending == ENDING_SIGNAL)
        snprintf(what, sizeof what, "was ended by SIG%s", name ? name : "?");
    else
        snprintf(what, sizeof what, "ended with status %d", o->number);
    snprintf(text, size, "%s%s%s%s", what, *o->said ? ", saying \"" : "", o->said,
             *o->said ? "\"" : "");
}

void *shared_room(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        stop_on_bug(__func__, "out of memory for %zu bytes", bytes);
    return p;
}

void shared_free(void *p, size_t bytes)
{
    if (munmap(p, bytes) != 0)
        stop_on_bug(__func__, "munmap: %s", strerror(errno));
}
