/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * check_tests.h - what castle check found as tests, for programs that run and show those: JUnit's XML
 * and TAP 14. All of it is read from the document that --json prints (docs/check-json.md).
 *
 * One test for each tensor of each file, "FILE/o"; of a kernel that is run, for each tensor of each call of
 * each case, "CASE/forward/o" (with --run, whose cases have one call, "CASE/o"), and for each case
 * "CASE/calls", which fails where a call crashed or broke a promise. With --arithmetic auto
 * "FILE/arithmetic" (of a kernel "F32/arithmetic") is whether one was found. These names do not depend on what
 * was found. A file that could not be judged is one failing test, "FILE".
 */
#ifndef CASTLE_CHECK_TESTS_H
#define CASTLE_CHECK_TESTS_H

#include "failure.h"

#include <jansson.h>
#include <stdio.h>

typedef enum Outcome {
    PASSED,
    FAILED,
    SKIPPED,
    NOT_RUN
} Outcome; /* NOT_RUN: the file is unusable */

typedef struct CheckTest {
    const char *suite; /* the file or case; lives in the document */
    char name[60];     /* "o", "forward/o", "calls"; empty: the suite itself */
    Outcome outcome;
    char *reason; /* one line; NULL where there is nothing to say */
} CheckTest;

typedef struct CheckTests {
    CheckTest *at;
    size_t count;
} CheckTests;

/* `strict`: a suspect tensor fails. */
CheckTests check_tests(const json_t *document, bool strict);
void check_tests_free(CheckTests *);

bool junit_write(const CheckTests *, const char *path, Failure *);
/* `summary`: the last line, a comment. */
void tap_print(FILE *, const CheckTests *, const char *summary);

#endif
