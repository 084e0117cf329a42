/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * progress.h - a line on standard error for work that takes over two seconds, on a terminal only.
 */
#ifndef CASTLE_PROGRESS_H
#define CASTLE_PROGRESS_H

#include <stddef.h>

typedef struct Progress Progress;

/* `what` and `unit` must outlive the progress. */
Progress *progress_begin(const char *what, const char *unit, size_t steps);
void progress_step(Progress *); /* by one thread at a time; NULL: nothing is shown */
void progress_end(Progress *);  /* wipes the line; NULL is ignored */

#endif
