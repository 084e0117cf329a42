/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"

#include <errno.h>
#include <fcntl.h>

enum { PAGE_WIDTH = 100 };

static char program[512];
Run last;

/* $CASTLE, else the program beside this test's folder. */
static void find_program(void)
{
    const char *given = getenv("CASTLE"), *own_path = program_invocation_name;
    const char *slash = strrchr(own_path, '/');
    if (given && *given)
        (void)snprintf(program, sizeof program, "%s", given);
    else if (slash)
        (void)snprintf(program, sizeof program, "%.*s/../castle", (int)(slash - own_path),
                       own_path);
    if (access(program, X_OK) != 0)
        (void)snprintf(program, sizeof program, "build/castle");
}

int command_setup(void **state)
{
    find_program();
    return scratch_make(state);
}

static void forget_last(void)
{
    free(last.out);
    free(last.err);
    memset(&last, 0, sizeof last);
}

int command_teardown(void **state)
{
    forget_last();
    return scratch_remove(state);
}

const char *program_path(void) { return program; }

bool in_short(void) { return getenv("CASTLE_TEST_SHORT") != NULL; }

/* ---- running it ----------------------------------------------------------------------------- */

static void child(const char *const *words, const Setting *s, const char *out, const char *err)
{
    const struct rlimit none = {0, 0}, size = {s->largest_file, s->largest_file};
    const char *argv[32] = {program};
    const int flags = O_WRONLY | O_CREAT | O_TRUNC;
    int to = open(s->standard_output ? s->standard_output : out, flags, 0666);
    int errors = open(err, flags, 0666);
    for (size_t k = 0; words[k] && k < 30; k++)
        argv[k + 1] = words[k];
    if (to < 0 || errors < 0 || dup2(to, STDOUT_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0)
        _exit(125);
    (void)setrlimit(RLIMIT_CORE, &none);
    if (s->largest_file) {
        (void)signal(SIGXFSZ, SIG_IGN);
        (void)setrlimit(RLIMIT_FSIZE, &size);
    }
    if (s->threads)
        (void)setenv("OMP_NUM_THREADS", s->threads, 1);
    (void)alarm(300);
    execv(program, (char *const *)argv);
    _exit(126);
}

pid_t start(const char *const *words)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child(words, &(Setting){0}, "/dev/null", "/dev/null");
    return pid;
}

/* The text of a file, which is removed. */
static char *taken(const char *path)
{
    size_t size;
    char *text = (char *)read_whole_file(path, &size);
    assert_int_equal(remove(path), 0);
    return text;
}

void run_with(const Setting *s, const char *const *words)
{
    const char *out = scratch_path(".out"), *err = scratch_path(".err");
    int status;
    forget_last();
    size_t used = (size_t)snprintf(last.command, sizeof last.command, "%s", program);
    for (size_t k = 0; words[k] && used < sizeof last.command; k++)
        used += (size_t)snprintf(last.command + used, sizeof last.command - used, " %s", words[k]);
    write_file(out, "", 0);
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child(words, s, out, err);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    last.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    last.out = taken(out);
    last.err = taken(err);
}

/* ---- what it should have done ---------------------------------------------------------------- */

void complain(const char *what, const char *expected)
{
    (void)fprintf(stderr,
                  "$ %s\nexit status %d\n--- standard output\n%.4000s\n--- standard error\n"
                  "%.4000s\n---\n",
                  last.command, last.status, last.out, last.err);
    fail_msg("%s%s", what, expected);
}

void assert_status(int expected)
{
    char text[40];
    (void)snprintf(text, sizeof text, "%d", expected);
    if (last.status != expected)
        complain("expected exit status ", text);
}

void assert_out(const char *part)
{
    if (!strstr(last.out, part))
        complain("standard output lacks: ", part);
}

void assert_not_out(const char *part)
{
    if (strstr(last.out, part))
        complain("standard output has: ", part);
}

void assert_err(const char *part)
{
    if (!strstr(last.err, part))
        complain("standard error lacks: ", part);
}

void assert_silent_err(void)
{
    if (*last.err)
        complain("standard error is not empty", "");
}

void assert_same_out(const char *expected)
{
    if (strcmp(last.out, expected) != 0)
        complain("another run printed\n", expected);
}

void assert_fits_page(void)
{
    for (const char *line = last.out; *line; line += *line != '\0') {
        size_t length = strcspn(line, "\n");
        if (length > PAGE_WIDTH)
            complain("a line is too wide: ", line);
        line += length;
    }
}

void assert_refused(const char *part)
{
    assert_status(UNUSABLE_STATUS);
    assert_err(part);
    if (*last.out)
        complain("standard output is not empty", "");
    const char *end = strchr(last.err, '\n');
    if (!end || (end[1] && strncmp(end + 1, "Try `castle ", 12) != 0))
        complain("standard error is not one sentence", "");
}

void assert_verdict(const char *verdict)
{
    char line[40];
    assert_status(strcmp(verdict, "wrong") == 0 ? WRONG_STATUS : RIGHT_STATUS);
    (void)snprintf(line, sizeof line, ": %s\n", verdict);
    assert_out(line);
    (void)snprintf(line, sizeof line, "%d right, %d suspect, %d wrong\n", *verdict == 'r',
                   *verdict == 's', *verdict == 'w');
    assert_out(line);
}

json_t *document(void)
{
    json_error_t error;
    json_t *d = json_loads(last.out, JSON_REJECT_DUPLICATES, &error);
    if (!d)
        complain("not one JSON document: ", error.text);
    return d;
}

const json_t *tensor_in(const json_t *doc, size_t dump, Answer a)
{
    const json_t *d = json_array_get(json_object_get(doc, "dumps"), dump);
    return json_object_get(json_object_get(d, "tensors"), answer_name(a));
}

/* ---- cases ---------------------------------------------------------------------------------- */

size_t numbers_of(const Case *c, Answer a)
{
    return c->batch * c->heads * c->length * answer_columns(a, c->dim);
}

size_t numbers_in(const Case *c) { return numbers_of(c, ANSWER_O); }

void keep_only(Case *c, Answer a)
{
    for (Answer b = 0; b < CASE_ANSWERS; b++)
        c->absent[b] = b != a;
}

const char *saved(const Case *c, const char *name)
{
    const size_t shape[] = {c->batch, c->heads, c->length, c->dim};
    SafetensorsWriter *w = safetensors_writer_new();
    double rounded[MOST_NUMBERS];
    Failure failure;
    if (c->window)
        safetensors_add_metadata(w, "window", c->window);
    if (c->arithmetic)
        safetensors_add_metadata(w, "arithmetic", c->arithmetic);
    for (Input k = 0; k < INPUTS; k++)
        safetensors_add(w, input_name(k), c->input_type, 4, shape, c->input[k]);
    for (Answer a = 0; a < CASE_ANSWERS; a++) {
        if (c->absent[a])
            continue;
        for (size_t i = 0; i < numbers_of(c, a); i++)
            rounded[i] = format_round_double(c->answer[a][i], number_format(c->answer_type));
        safetensors_add(w, answer_name(a), c->answer_type, a == ANSWER_LSE ? 3 : 4, shape, rounded);
    }
    if (!safetensors_write(w, scratch_path(name), &failure))
        fail_msg("%s", failure.text);
    safetensors_writer_free(w);
    return scratch_path(name);
}

Dump opened(const char *path)
{
    Dump d;
    Failure failure;
    if (!dump_open(&d, path, &(DumpOptions){0}, &failure))
        fail_msg("%s", failure.text);
    return d;
}

void solve_case(Case *c)
{
    for (Answer a = 0; a < CASE_ANSWERS; a++)
        c->absent[a] = true;
    run_right("oracle", saved(c, "inputs"), "-o", scratch_path("truth"));
    Dump d = opened(scratch_path("truth"));
    for (Answer a = 0; a < CASE_ANSWERS; a++) {
        memcpy(c->answer[a], d.answer[a], numbers_of(c, a) * sizeof(double));
        c->absent[a] = false;
    }
    dump_close(&d);
}

Case *solved(size_t heads, size_t length, size_t dim, const char *window, uint64_t seed)
{
    Case *c = calloc(1, sizeof *c);
    assert_non_null(c);
    *c = (Case){.batch = 1,
                .heads = heads,
                .length = length,
                .dim = dim,
                .input_type = TYPE_F32,
                .answer_type = TYPE_F32,
                .window = window};
    assert_true(numbers_in(c) <= MOST_NUMBERS);
    for (size_t k = 0; k < INPUTS; k++)
        for (size_t i = 0; i < numbers_in(c); i++) {
            double sum = 0; /* of 12 uniform numbers: nearly normal */
            for (size_t r = 0; r < 12; r++)
                sum += (double)(next_random(&seed) >> 11) * 0x1p-53;
            c->input[k][i] = (float)(sum - 6);
        }
    solve_case(c);
    return c;
}
