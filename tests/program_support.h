/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What tests of other languages share: they run compilers and interpreters, where there are any.
 * Include it behind cmocka.h. */
#ifndef TESTS_PROGRAM_SUPPORT_H
#define TESTS_PROGRAM_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>

enum { PROGRAM_MISSING = 127 };

/* Runs a program of PATH with these words, its output and errors together in *text, which the
 * caller frees (or NULL). Returns its exit status, 128 + n when killed by signal n, PROGRAM_MISSING
 * if it is not there. */
int program_run(const char *const *words, char **text);
#define PROGRAM(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The first of $PYTHON, python3 and /usr/bin/python3 that has these modules ("numpy, torch"), or
 * NULL; valid until the program ends. */
const char *python_with(const char *modules);

/* Says why the test is skipped, and skips it. */
void skip_with(const char *reason, ...);

#endif
