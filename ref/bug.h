/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bug.h - a broken precondition is ours to mend: it says so and aborts. (What users can mend, a file or
 * an option, travels up as a Failure instead.)
 */
#ifndef CASTLE_BUG_H
#define CASTLE_BUG_H

#include <stddef.h>

/* n zeroed things of `size` bytes, for the caller to free; never NULL: without memory there is nothing to
 * go on with, so the program says which function wanted it and aborts. n may be 0. */
void *room_for(const char *function, size_t n, size_t size);

/* Writes "castle: bug in FUNCTION: ..." to standard error and aborts. */
_Noreturn void stop_on_bug(const char *function, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
