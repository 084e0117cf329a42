/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * command_support.h - what the tests of the castle program share: they run it as its users do, on
 * dumps that they make, and look at its exit status and at what it prints. Include it behind
 * cmocka.h.
 *
 * The program is that named in the environment variable CASTLE, else the one that was built with
 * the test (build/castle). CASTLE_TEST_SHORT=1 leaves out what takes long.
 */
#ifndef TESTS_COMMAND_SUPPORT_H
#define TESTS_COMMAND_SUPPORT_H

#include "dump.h"
#include "vectors_support.h"

#include <jansson.h>

enum { RIGHT_STATUS = 0, WRONG_STATUS = 1, UNUSABLE_STATUS = 2 };

#define DUMPS "vectors/dumps/"
#define L2D1 "vectors/dumps/L2d1.safetensors"
#define L100 "vectors/dumps/L100.safetensors"

/* main() of such a test: return run_command_tests(tests). */
#define TEST(name) cmocka_unit_test_teardown(name, scratch_clear)
#define run_command_tests(tests) cmocka_run_group_tests(tests, command_setup, command_teardown)
int command_setup(void **state);
int command_teardown(void **state);

bool in_short(void);
const char *program_path(void);

/* ---- running it ----------------------------------------------------------------------------- */

/* What a run may differ in from a plain one. */
typedef struct Setting {
    const char *standard_output; /* a file to write to, or NULL */
    const char *threads;         /* OMP_NUM_THREADS, or NULL */
    rlim_t largest_file;         /* bytes, or 0 */
} Setting;

/* The last run. */
typedef struct Run {
    int status; /* 128 + n when killed by signal n */
    char *out, *err;
    char command[1200];
} Run;
extern Run last;

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define run(...) run_with(&(Setting){0}, WORDS(__VA_ARGS__))
void run_with(const Setting *, const char *const *words);

/* Starts it beside the test, silent; the caller waits for it. */
pid_t start(const char *const *words);

/* ---- what it should have done ---------------------------------------------------------------- */

/* Says all about the last run, then fails. */
void complain(const char *what, const char *expected);

void assert_status(int expected);
void assert_out(const char *part);
void assert_not_out(const char *part);
void assert_err(const char *part);
void assert_silent_err(void);
void assert_same_out(const char *expected);
void assert_fits_page(void); /* no line of standard output is wider than 100 columns */

/* A refusal: status 2, silence on standard output, and one line that names what is refused; argp
 * adds a second that points to --help. */
void assert_refused(const char *part);

/* Exactly this verdict, and no word of another one for the whole file. */
void assert_verdict(const char *verdict);

/* Run and assert in one: run_right(...) exits with 0, refuses(part, ...) is refused, and
 * judges(verdict, option or file ...) is castle check. */
#define run_right(...) (run(__VA_ARGS__), assert_status(RIGHT_STATUS))
#define refuses(part, ...) (run(__VA_ARGS__), assert_refused(part))
#define judges(verdict, ...) (run("check", __VA_ARGS__), assert_verdict(verdict))

/* What --json printed; the caller gives it back. Within it, a tensor's report. */
json_t *document(void);
const json_t *tensor_in(const json_t *doc, size_t dump, Answer);

/* ---- cases ---------------------------------------------------------------------------------- */

enum { MOST_NUMBERS = 4096 };

#define CASE_ANSWERS (ANSWER_U + 1) /* o, lse, u: what needs nothing but the inputs */

/* A dump in the making. */
typedef struct Case {
    size_t batch, heads, length, dim;
    double input[INPUTS][MOST_NUMBERS], answer[CASE_ANSWERS][MOST_NUMBERS];
    bool absent[CASE_ANSWERS];
    NumberType input_type, answer_type;
    const char *window, *arithmetic; /* metadata or NULL */
} Case;

size_t numbers_of(const Case *, Answer);
size_t numbers_in(const Case *); /* of an input */
void keep_only(Case *, Answer);

/* Random inputs of standard deviation 1 in float32 and their true answers; the caller frees it. */
Case *solved(size_t heads, size_t length, size_t dim, const char *window, uint64_t seed);

/* Fills in the true answers, by castle oracle. */
void solve_case(Case *);

/* Writes the case as a file of the scratch folder, and returns its path. */
const char *saved(const Case *, const char *name);

/* A dump that must be in order; to be closed. */
Dump opened(const char *path);

#endif
