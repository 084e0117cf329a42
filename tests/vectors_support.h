/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of vectors/ and of the program share: a scratch folder, raw files, and functions
 * that must stop. Include it behind cmocka.h. */
#ifndef TESTS_VECTORS_SUPPORT_H
#define TESTS_VECTORS_SUPPORT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The only folder that a test program writes to. */
extern char scratch[64];

int scratch_make(void **state);
int scratch_clear(void **state); /* removes what is in it */
int scratch_remove(void **state);

/* The path of a file in the scratch folder; valid until the program ends. */
const char *scratch_path(const char *name);

/* Number of files and folders in the scratch folder; removes them if asked to. */
size_t scratch_files(bool and_remove);

void remove_tree(const char *path); /* a file, or a folder and all that is in it */

void write_file(const char *path, const void *bytes, size_t size);

/* The whole file and a 0 behind it; the caller frees it. */
unsigned char *read_whole_file(const char *path, size_t *size);

/* Asserts that function aborts, with a message on standard error that contains expected. */
void assert_stops(void (*function)(void), const char *expected);

void assert_contains(const char *text, const char *part);

/* splitmix64: the same numbers on every machine. */
uint64_t next_random(uint64_t *seed);

#endif
