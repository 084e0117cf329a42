/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of docs/ share: documents and sources as texts, and searches in them. Include it behind
 * cmocka.h. */
#ifndef TESTS_DOCS_SUPPORT_H
#define TESTS_DOCS_SUPPORT_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

/* The whole file, or a failed test; the caller frees it. */
char *text_of(const char *path);

/* All files of the pattern ("ref/[a-z]*.[ch]"), one after the other. At least one; the caller frees it. */
char *texts_of(const char *pattern);

/* The text with only its boxes (between ``` and ```) left, or only what is around them, blanks in the place of
 * the rest; the caller frees it. */
char *half_of(const char *text, bool boxes);

/* Whether the text has the word, with no letter, digit or _ on either side. */
bool has_word(const char *text, const char *word);

/* Calls `use` for every match of an extended regular expression, in order, with its parts cut out: part[0] is the
 * whole. Returns how many there were. */
enum { MOST_PARTS = 3 };
typedef char Part[300];
size_t each_match(const char *text, const char *expression,
                  void (*use)(void *context, Part part[MOST_PARTS]), void *context);

#endif
