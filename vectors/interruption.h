/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * interruption.h - what is tidied up when the user stops the program: SIGINT, SIGTERM and SIGHUP.
 *
 * The handler calls only what a handler may: it kills the child that runs, waits for it, removes the files and
 * then the folder, and lets the signal end the program as it would have. Signals that the program was started
 * to ignore stay ignored.
 */
#ifndef CASTLE_INTERRUPTION_H
#define CASTLE_INTERRUPTION_H

#include <sys/types.h>

/* From here on. The strings must live until interruption_end(); one set at a time. */
void interruption_begin(const char *folder, const char *const files[], size_t count);
void interruption_end(void);

/* The child that runs, the leader of its process group, or 0 for none; and whether signals are held back, so
 * that none comes between a fork and this. */
void interruption_child(pid_t);
void interruption_hold(void);
void interruption_release(void);

/* In a child process: the signals are its own affair again. */
void interruption_forget(void);

#endif
