/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Two kinds of error, kept apart on purpose:
 *
 *   - an outside error (a file, an option) is the user's to mend: it travels up as one sentence in
 *     a Failure, and the program prints it and exits with status 2;
 *   - a broken precondition is ours to mend: stop_on_bug() says so and aborts.
 */
#ifndef VECTORS_FAILURE_H
#define VECTORS_FAILURE_H

#include <stdbool.h>
#include <stddef.h>

/* One sentence without a newline, printable ASCII only, always terminated. */
typedef struct Failure {
    char text[512];
} Failure;

/*
 * Formats one sentence into *f, which must not be NULL, and returns false, so that a function can
 * say `return fail(f, ...)`.  Every byte outside printable ASCII comes out as \xNN, because file
 * and tensor names come from strangers and must not steer the reader's terminal.  A sentence that
 * does not fit ends in "...".  The arguments may point into f->text.
 *
 * The parentheses keep away cmocka's macro fail(); where that is defined, call (fail)(f, ...).
 */
bool(fail)(Failure *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Copies text to out (size bytes, at least 8), escaped as fail() does it and cut to end in "..."
 * when longer than size - 4 characters.  Quote each foreign name with this before it goes into a
 * sentence: an endless name then cannot push the rest of the sentence out.  out and text must not
 * overlap.
 */
void failure_quote(char *out, size_t size, const char *text);

/* The same for a path, of which the end tells more: a long one begins with "..." instead. */
void failure_quote_path(char *out, size_t size, const char *path);

#endif
