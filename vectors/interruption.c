/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "interruption.h"

#include "bug.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIGNALS = 3, MOST_FILES = 4 };
static const int signals[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

/* Changed while the signals are held back only. */
static struct {
    const char *folder; /* NULL: nothing to remove */
    const char *file[MOST_FILES];
    size_t files;
    pid_t child;
    bool caught[SIGNALS];
    struct sigaction before[SIGNALS];
} now;

static sigset_t held(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t k = 0; k < SIGNALS; k++)
        (void)sigaddset(&set, signals[k]);
    return set;
}

void interruption_hold(void)
{
    sigset_t set = held();
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
}

void interruption_release(void)
{
    sigset_t set = held();
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* What the killed processes may still be writing when the files go is removed with them: the child is waited
 * for, and its own children have no more than a moment. */
static void tidy_up(int number)
{
    enum { ATTEMPTS = 100 };
    if (now.child > 0) {
        (void)kill(-now.child, SIGKILL);
        (void)kill(now.child, SIGKILL); /* before it had a group */
        while (waitpid(now.child, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        for (size_t k = 0; k < now.files; k++)
            (void)unlink(now.file[k]);
        if (rmdir(now.folder) == 0 || errno == ENOENT)
            break;
        (void)poll(NULL, 0, 1); /* a millisecond */
    }
    (void)signal(number, SIG_DFL);
    (void)raise(number); /* comes when this returns */
}

void interruption_begin(const char *folder, const char *const files[], size_t count)
{
    struct sigaction action = {.sa_handler = tidy_up};
    action.sa_mask = held();
    if (now.folder || count > MOST_FILES)
        stop_on_bug(__func__, "%zu files", count);
    interruption_hold();
    now.folder = folder;
    memcpy(now.file, files, count * sizeof *files);
    now.files = count;
    for (size_t k = 0; k < SIGNALS; k++) {
        (void)sigaction(signals[k], NULL, &now.before[k]);
        now.caught[k] = now.before[k].sa_handler != SIG_IGN;
        if (now.caught[k])
            (void)sigaction(signals[k], &action, NULL);
    }
    interruption_release();
}

static void restore(void)
{
    for (size_t k = 0; k < SIGNALS; k++)
        if (now.caught[k])
            (void)sigaction(signals[k], &now.before[k], NULL);
    memset(now.caught, 0, sizeof now.caught);
}

void interruption_end(void)
{
    interruption_hold();
    restore();
    now.folder = NULL;
    now.files = 0;
    interruption_release();
}

void interruption_forget(void)
{
    restore();
    interruption_release();
}

void interruption_child(pid_t child) { now.child = child; }
