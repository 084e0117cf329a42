/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bug.h - a broken precondition is ours to mend: it says so and aborts. (What users can mend, a file or
 * an option, travels up as a Failure instead.)
 */
#ifndef CASTLE_BUG_H
#define CASTLE_BUG_H

/* Writes "castle: bug in FUNCTION: ..." to standard error and aborts. */
_Noreturn void stop_on_bug(const char *function, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
