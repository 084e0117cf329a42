/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_commands.c - the castle program as its users meet it: what it prints, and its exit status.
 *
 * The program is that named in the environment variable CASTLE, else the one that was built with
 * this test (build/castle). CASTLE_TEST_SHORT=1 leaves out what takes long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <sys/stat.h>

#include "dump.h"
#include "vectors_support.h"

enum { RIGHT_STATUS = 0, WRONG_STATUS = 1, UNUSABLE_STATUS = 2, PAGE_WIDTH = 100 };

#define DUMPS "vectors/dumps/"
#define L2D1 "vectors/dumps/L2d1.safetensors"
#define L100 "vectors/dumps/L100.safetensors"
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static char program[512];
static bool in_short;

/* ---- running it ----------------------------------------------------------------------------- */

/* What a run may differ in from a plain one. */
typedef struct Setting {
    const char *standard_output;        /* a file to write to, or NULL */
    const char *threads;                /* OMP_NUM_THREADS, or NULL */
    rlim_t largest_file;                /* bytes, or 0 */
} Setting;

/* The last run. */
static struct Run {
    int status;                         /* 128 + n when killed by signal n */
    char *out, *err;
    char command[1200];
} last;

static void forget_last(void)
{
    free(last.out);
    free(last.err);
    memset(&last, 0, sizeof last);
}

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

static void run_with(const Setting *s, const char *const *words)
{
    char out[128], err[128];
    size_t size;
    int status;
    forget_last();
    (void)snprintf(out, sizeof out, "%s/.out", scratch);
    (void)snprintf(err, sizeof err, "%s/.err", scratch);
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
    last.out = (char *)read_whole_file(out, &size);
    last.out[size] = '\0';
    last.err = (char *)read_whole_file(err, &size);
    last.err[size] = '\0';
    assert_int_equal(remove(out), 0);
    assert_int_equal(remove(err), 0);
}

#define run(...) run_with(&(Setting){0}, WORDS(__VA_ARGS__))

/* Says all about the last run, then fails. */
static void complain(const char *what, const char *expected)
{
    (void)fprintf(stderr, "$ %s\nexit status %d\n--- standard output\n%.4000s\n--- standard error\n"
                  "%.4000s\n---\n", last.command, last.status, last.out, last.err);
    fail_msg("%s%s", what, expected);
}

static void assert_status(int expected)
{
    char text[40];
    (void)snprintf(text, sizeof text, "%d", expected);
    if (last.status != expected)
        complain("expected exit status ", text);
}

static void assert_out(const char *part)
{
    if (!strstr(last.out, part))
        complain("standard output lacks: ", part);
}

static void assert_not_out(const char *part)
{
    if (strstr(last.out, part))
        complain("standard output has: ", part);
}

static void assert_err(const char *part)
{
    if (!strstr(last.err, part))
        complain("standard error lacks: ", part);
}

/* A refusal: status 2, silence on standard output, and one line that names what is refused; argp
 * adds a second that points to --help. */
static void assert_refused(const char *part)
{
    assert_status(UNUSABLE_STATUS);
    assert_err(part);
    if (*last.out)
        complain("standard output is not empty", "");
    const char *end = strchr(last.err, '\n');
    if (!end || (end[1] && strncmp(end + 1, "Try `castle ", 12) != 0))
        complain("standard error is not one sentence", "");
}

static void assert_fits_page(void)
{
    for (const char *line = last.out; *line; line += *line != '\0') {
        size_t length = strcspn(line, "\n");
        if (length > PAGE_WIDTH)
            complain("a line is too wide: ", line);
        line += length;
    }
}

/* ---- cases ---------------------------------------------------------------------------------- */

enum { MOST_NUMBERS = 4096 };

/* A dump in the making. */
typedef struct Case {
    size_t batch, heads, length, dim;
    double input[INPUTS][MOST_NUMBERS], answer[ANSWERS][MOST_NUMBERS];
    bool absent[ANSWERS];
    NumberType input_type, answer_type;
    const char *window, *arithmetic;            /* metadata or NULL */
} Case;

static size_t numbers_of(const Case *c, Answer a)
{
    return c->batch * c->heads * c->length * answer_columns(a, c->dim);
}

static size_t numbers_in(const Case *c) { return numbers_of(c, ANSWER_O); }

/* Writes the case as a file of the scratch folder; the path is valid until the next call. */
static const char *saved(const Case *c, const char *name)
{
    static char path[128];
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
    for (Answer a = 0; a < ANSWERS; a++) {
        if (c->absent[a])
            continue;
        for (size_t i = 0; i < numbers_of(c, a); i++)
            rounded[i] = format_round_double(c->answer[a][i], number_format(c->answer_type));
        safetensors_add(w, answer_name(a), c->answer_type, a == ANSWER_LSE ? 3 : 4, shape, rounded);
    }
    (void)snprintf(path, sizeof path, "%s/%s", scratch, name);
    if (!safetensors_write(w, path, &failure))
        fail_msg("%s", failure.text);
    safetensors_writer_free(w);
    return path;
}

static Dump opened(const char *path)
{
    Dump d;
    Failure failure;
    if (!dump_open(&d, path, &(DumpOptions){0}, &failure))
        fail_msg("%s", failure.text);
    return d;
}

/* Fills in the true answers, by castle oracle. */
static void solve(Case *c)
{
    char in[128], out[128];
    for (Answer a = 0; a < ANSWERS; a++)
        c->absent[a] = true;
    (void)snprintf(in, sizeof in, "%s", saved(c, "inputs"));
    (void)snprintf(out, sizeof out, "%s/truth", scratch);
    run("oracle", in, "-o", out);
    assert_status(RIGHT_STATUS);
    Dump d = opened(out);
    for (Answer a = 0; a < ANSWERS; a++) {
        memcpy(c->answer[a], d.answer[a], numbers_of(c, a) * sizeof(double));
        c->absent[a] = false;
    }
    dump_close(&d);
}

/* Random inputs of standard deviation 1 in float32 and their true answers. */
static Case *solved(size_t heads, size_t length, size_t dim, const char *window, uint64_t seed)
{
    Case *c = calloc(1, sizeof *c);
    assert_non_null(c);
    *c = (Case){.batch = 1, .heads = heads, .length = length, .dim = dim, .input_type = TYPE_F32,
                .answer_type = TYPE_F32, .window = window};
    assert_true(numbers_in(c) <= MOST_NUMBERS);
    for (size_t k = 0; k < INPUTS; k++)
        for (size_t i = 0; i < numbers_in(c); i++) {
            double sum = 0;             /* of 12 uniform numbers: nearly normal */
            for (size_t r = 0; r < 12; r++)
                sum += (double)(next_random(&seed) >> 11) * 0x1p-53;
            c->input[k][i] = (float)(sum - 6);
        }
    solve(c);
    return c;
}

/* The first `length` tokens of one head of a dump, answers included. */
static Case *cut(const char *path, size_t head, size_t length)
{
    Dump d = opened(path);
    Case *c = calloc(1, sizeof *c);
    assert_non_null(c);
    *c = (Case){.batch = 1, .heads = 1, .length = length, .dim = d.dim, .input_type = d.type,
                .answer_type = d.answer_type[ANSWER_O]};
    assert_true(length <= d.length && numbers_in(c) <= MOST_NUMBERS);
    for (size_t k = 0; k < INPUTS; k++)
        memcpy(c->input[k], dump_problem(&d, head).input[k], numbers_in(c) * sizeof(double));
    for (Answer a = 0; a < ANSWERS; a++) {
        const double *answer = dump_answer(&d, a, head);
        c->absent[a] = answer == NULL;
        if (answer)
            memcpy(c->answer[a], answer, numbers_of(c, a) * sizeof(double));
    }
    dump_close(&d);
    return c;
}

/* Exactly this verdict, and no word of another one for the whole file. */
static void assert_verdict(const char *verdict)
{
    char line[40];
    assert_status(strcmp(verdict, "wrong") == 0 ? WRONG_STATUS : RIGHT_STATUS);
    (void)snprintf(line, sizeof line, ": %s\n", verdict);
    assert_out(line);
    (void)snprintf(line, sizeof line, "%d right, %d suspect, %d wrong\n", *verdict == 'r',
                   *verdict == 's', *verdict == 'w');
    assert_out(line);
}

/* Judged wrong, or refused; never a word of right for the file as a whole. */
static void assert_never_right(void)
{
    if (last.status != WRONG_STATUS && last.status != UNUSABLE_STATUS)
        complain("expected exit status 1 or 2", "");
    assert_not_out(": right");
    assert_not_out("1 right");
}

/* ---- the dumps in the sources --------------------------------------------------------------- */

static const struct {
    const char *file;
    bool quick;
} right_dumps[] = {
    {"L2d1", true}, {"L100", true}, {"big4", true}, {"right-bf16-window17", false}, {"base", false},
    {"right-bf16-base", false}, {"dneB", false}, {"trained-layer1", false},
    {"trained-layer2", false},
}, wrong_dumps[] = {
    {"wrong-window-one-too-wide-bf16", true}, {"wrong-gate-includes-diagonal", false},
    {"wrong-silu-omitted", false},
};

static const char *dump_path(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, DUMPS "%s.safetensors", name);
    return path;
}

static void right_kernels_are_right(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof right_dumps / sizeof *right_dumps; k++) {
        if (in_short && !right_dumps[k].quick)
            continue;
        run("check", dump_path(right_dumps[k].file));
        assert_verdict("right");
        assert_fits_page();
        if (*last.err)
            complain("standard error is not empty", "");
    }
}

static void wrong_kernels_are_wrong(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof wrong_dumps / sizeof *wrong_dumps; k++) {
        if (in_short && !wrong_dumps[k].quick)
            continue;
        run("check", dump_path(wrong_dumps[k].file));
        assert_verdict("wrong");
        assert_out("answered ");
        assert_fits_page();
    }
}

/* This kernel is wrong in its gradients alone: that they were not looked at must be said. */
static void gradients_are_listed_as_not_judged(void **state)
{
    (void)state;
    if (in_short)
        skip();
    run("check", DUMPS "wrong-delta-per-key-block.safetensors");
    assert_verdict("right");
    assert_out("\n  o       right");
    assert_out("\n  u       right");
    assert_out("\n  not judged: dqu dku dvu dqc dkc dvc\n");
    assert_fits_page();
}

/* ---- answers that lie ----------------------------------------------------------------------- */

typedef void Lie(double *x, size_t n, size_t cols, const double *other);

static void all_nan(double *x, size_t n, size_t cols, const double *other)
{
    (void)cols, (void)other;
    for (size_t i = 0; i < n; i++)
        x[i] = NAN;
}

static void one_nan(double *x, size_t n, size_t cols, const double *other)
{
    (void)cols, (void)other;
    x[n / 2] = NAN;
}

static void last_row_infinite(double *x, size_t n, size_t cols, const double *other)
{
    (void)other;
    for (size_t i = n - cols; i < n; i++)
        x[i] = INFINITY;
}

static void all_zero(double *x, size_t n, size_t cols, const double *other)
{
    (void)cols, (void)other;
    memset(x, 0, n * sizeof *x);
}

static void all_one(double *x, size_t n, size_t cols, const double *other)
{
    (void)cols, (void)other;
    for (size_t i = 0; i < n; i++)
        x[i] = 1;
}

static void huge(double *x, size_t n, size_t cols, const double *other)
{
    (void)n, (void)cols, (void)other;
    x[0] = -0x1p127;
}

static void of_another_case(double *x, size_t n, size_t cols, const double *other)
{
    (void)cols;
    memcpy(x, other, n * sizeof *x);
}

static void last_row_of_another_case(double *x, size_t n, size_t cols, const double *other)
{
    /* The row before the last: the last row of u is zero in every case. */
    memcpy(x + n - 2 * cols, other + n - 2 * cols, cols * sizeof *x);
}

static void heads_swapped(double *x, size_t n, size_t cols, const double *other)
{
    (void)cols, (void)other;
    for (size_t i = 0; i < n / 2; i++) {
        double y = x[i];
        x[i] = x[n / 2 + i];
        x[n / 2 + i] = y;
    }
}

static void one_row_late(double *x, size_t n, size_t cols, const double *other)
{
    (void)other;
    memmove(x + cols, x, (n - cols) * sizeof *x);
}

static void negated(double *x, size_t n, size_t cols, const double *other)
{
    (void)cols, (void)other;
    for (size_t i = 0; i < n; i++)
        x[i] = -x[i];
}

static void off_by_a_thousandth(double *x, size_t n, size_t cols, const double *other)
{
    (void)cols, (void)other;
    for (size_t i = 0; i < n; i++)
        x[i] *= 1.001;
}

static void one_element_off(double *x, size_t n, size_t cols, const double *other)
{
    (void)other;
    x[n - 2 * cols] += 0x1p-10;
}

static const struct {
    const char *name;
    Lie *lie;
} lies[] = {
    {"all NaN", all_nan}, {"one NaN", one_nan}, {"last row infinite", last_row_infinite},
    {"all zero", all_zero}, {"all one", all_one}, {"one huge", huge},
    {"of another case", of_another_case}, {"one row of another case", last_row_of_another_case},
    {"heads swapped", heads_swapped}, {"one row late", one_row_late}, {"negated", negated},
    {"off by a thousandth", off_by_a_thousandth}, {"one element off", one_element_off},
};

/* Each lie in each answer alone, beside two true ones; and once in a file of its own. */
static void lies_are_wrong(void **state)
{
    Case *c = solved(2, 10, 4, NULL, 1), *other = solved(2, 10, 4, NULL, 2);
    Case *liar = malloc(sizeof *liar);
    char label[80];
    (void)state;
    assert_non_null(liar);
    for (size_t k = 0; k < sizeof lies / sizeof *lies; k++)
        for (Answer a = 0; a < ANSWERS; a++) {
            *liar = *c;
            lies[k].lie(liar->answer[a], numbers_of(c, a), answer_columns(a, c->dim),
                        other->answer[a]);
            if (k % ANSWERS == a)
                for (Answer b = 0; b < ANSWERS; b++)
                    liar->absent[b] = b != a;
            (void)snprintf(label, sizeof label, "%s, %s.safetensors", answer_name(a), lies[k].name);
            run("check", saved(liar, label));
            assert_verdict("wrong");
            (void)scratch_clear(NULL);
        }
    free(liar);
    free(other);
    free(c);
}

static void the_truth_is_right(void **state)
{
    Case *c = solved(2, 10, 4, NULL, 1);
    (void)state;
    run("check", "--strict", saved(c, "dump"));
    assert_verdict("right");
    for (Answer a = 0; a < ANSWERS; a++) {
        for (Answer b = 0; b < ANSWERS; b++)
            c->absent[b] = b != a;
        run("check", "--strict", saved(c, "dump"));
        assert_verdict("right");
    }
    free(c);
}

static void answers_of_another_head_are_wrong(void **state)
{
    Case *c = cut(DUMPS "trained-layer1.safetensors", 0, 32);
    Case *other = cut(DUMPS "trained-layer1.safetensors", 1, 32);
    (void)state;
    /* o is causal: that of the first tokens does not depend on the others */
    run("check", saved(c, "dump"));
    assert_verdict("right");
    memcpy(c->answer[ANSWER_O], other->answer[ANSWER_O], numbers_in(c) * sizeof(double));
    run("check", saved(c, "dump"));
    assert_verdict("wrong");
    free(other);
    free(c);
}

static void answers_of_another_dump_are_wrong(void **state)
{
    Case *c = cut(DUMPS "big4.safetensors", 0, 40), *other = cut(DUMPS "base.safetensors", 0, 40);
    (void)state;
    for (Answer a = 0; a < ANSWERS; a++)
        if (!c->absent[a])
            memcpy(c->answer[a], other->answer[a], numbers_of(c, a) * sizeof(double));
    run("check", saved(c, "dump"));
    assert_verdict("wrong");
    free(other);
    free(c);
}

/* ---- what is no dump ------------------------------------------------------------------------ */

static void no_dump_is_ever_right(void **state)
{
    size_t size;
    uint64_t seed = 5;
    unsigned char noise[4000];
    char path[128], target[160];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/file", scratch);

    run("check", path);
    assert_refused("cannot be opened for reading: No such file or directory");
    run("check", scratch);
    assert_refused("is a directory");
    run("check", "/dev/null");
    assert_refused("is not a regular file");
    run("check", "");
    assert_refused("cannot be opened");
    assert_int_equal(mkfifo(path, 0666), 0);
    run("check", path);
    assert_refused("is not a regular file");
    assert_int_equal(remove(path), 0);

    write_file(path, "", 0);
    run("check", path);
    assert_refused("is empty");
    for (size_t k = 0; k < 8; k++) {
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (unsigned char)next_random(&seed);
        if (k >= 4)                     /* a header length that fits */
            memset(noise + 2, 0, 6), noise[1] &= 7;
        write_file(path, noise, sizeof noise >> k);
        run("check", path);
        assert_refused(path);
    }

    unsigned char *whole = read_whole_file(L2D1, &size);
    const size_t lengths[] = {1, 7, 8, 9, 200, size / 2, size - 2, size - 1};
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        write_file(path, whole, lengths[k]);
        run("check", path);
        assert_refused(path);
    }
    free(whole);

    (void)snprintf(target, sizeof target, "%s/no-such-folder/file", scratch);
    run("check", target);
    assert_refused(target);
}

static void a_dump_without_answers_is_an_error(void **state)
{
    Case *c = solved(1, 3, 2, NULL, 3);
    (void)state;
    for (Answer a = 0; a < ANSWERS; a++)
        c->absent[a] = true;
    run("check", saved(c, "dump"));
    assert_refused("there is nothing to judge");
    run("check", "--json", saved(c, "dump"));
    assert_status(UNUSABLE_STATUS);
    assert_not_out("right");
    free(c);
}

/* One token less in one answer. */
static void a_missing_element_is_an_error(void **state)
{
    Case *c = solved(1, 4, 2, NULL, 3);
    (void)state;
    for (Answer a = 0; a < ANSWERS; a++) {
        SafetensorsWriter *w = safetensors_writer_new();
        Failure failure;
        const size_t whole[] = {1, 1, c->length, c->dim}, part[] = {1, 1, c->length - 1, c->dim};
        for (Input k = 0; k < INPUTS; k++)
            safetensors_add(w, input_name(k), TYPE_F64, 4, whole, c->input[k]);
        for (Answer b = 0; b < ANSWERS; b++)
            safetensors_add(w, answer_name(b), TYPE_F64, b == ANSWER_LSE ? 3 : 4,
                            a == b ? part : whole, c->answer[b]);
        assert_true(safetensors_write(w, scratch_path("short"), &failure));
        safetensors_writer_free(w);
        run("check", scratch_path("short"));
        assert_refused("; expected [batch, heads, L");
    }
    free(c);
}

/* ---- inputs that are not finite ------------------------------------------------------------- */

/* The program's JSON; the caller gives it back. */
static json_t *document(void)
{
    json_error_t error;
    json_t *d = json_loads(last.out, JSON_REJECT_DUPLICATES, &error);
    if (!d)
        complain("not one JSON document: ", error.text);
    return d;
}

static json_int_t judged_in(const json_t *doc, Answer a)
{
    const json_t *dump = json_array_get(json_object_get(doc, "dumps"), 0);
    const json_t *t = json_object_get(json_object_get(dump, "tensors"), answer_name(a));
    return json_integer_value(json_object_get(t, "judged"));
}

/*
 * Whether row `row` of answer `a` has a true value when input `k` of token `n` of L is NaN.
 *
 *   QC_n   is used by its own row of o and lse only.
 *   KC_n   by its own and all later rows; VC_n the same, but not by lse.
 *   KU_n, VU_n   enter u_s^t for s < n <= t: all rows of u before n, and by them the rows of o and
 *          lse from n on. Those of the first token enter nothing.
 *   QU_n   gates u_n^t for t > n: row n of u, and the rows of o and lse behind n. That of the last
 *          token gates nothing.
 */
static bool has_truth(Answer a, Input k, size_t n, size_t row, size_t L)
{
    if (((k == INPUT_KU || k == INPUT_VU) && n == 0) || (k == INPUT_QU && n == L - 1))
        return true;
    if (a == ANSWER_U)
        return k == INPUT_QU ? row != n : k == INPUT_KU || k == INPUT_VU ? row >= n : true;
    if (a == ANSWER_LSE && k == INPUT_VC)
        return true;
    return k == INPUT_QC ? row != n : k == INPUT_QU ? row <= n : row < n;
}

/* The first element of an answer that has a true value, or -1. */
static int first_truth(const Case *c, Answer a, Input k, size_t n)
{
    for (size_t row = 0; row < c->length; row++)
        if (has_truth(a, k, n, row, c->length))
            return (int)(row * answer_columns(a, c->dim));
    return -1;
}

/* c: a case with NaN in input k of token n, solved; clean: the same without. */
static void assert_truth_is_kept(const Case *c, const Case *clean, Input k, size_t n)
{
    run("check", "--json", saved(c, "dump"));
    assert_status(RIGHT_STATUS);
    json_t *doc = document();
    for (Answer a = 0; a < ANSWERS; a++) {
        size_t cols = answer_columns(a, c->dim), rows = 0;
        for (size_t i = 0; i < numbers_of(c, a); i++) {
            bool truth = has_truth(a, k, n, i / cols, c->length);
            rows += truth && i % cols == 0;
            if (truth ? c->answer[a][i] != clean->answer[a][i] : !isnan(c->answer[a][i]))
                fail_msg("NaN in %s of token %zu: %s[%zu] = %g, without NaN %g", input_name(k), n,
                         answer_name(a), i, c->answer[a][i], clean->answer[a][i]);
        }
        assert_int_equal(judged_in(doc, a), rows * cols);
    }
    json_decref(doc);
}

static void nan_spoils_no_earlier_row(void **state)
{
    enum { L = 7 };
    static const size_t tokens[] = {0, 3, L - 1};
    Case *clean = solved(1, L, 4, NULL, 4), *c = malloc(sizeof *c), *liar = malloc(sizeof *liar);
    (void)state;
    assert_non_null(c);
    assert_non_null(liar);
    for (size_t n = 0; n < 3 * (size_t)INPUTS; n++) {
        Input k = n / 3;
        size_t token = tokens[n % 3];
        *c = *clean;
        for (size_t j = 0; j < c->dim; j++)
            c->input[k][token * c->dim + j] = NAN;
        solve(c);
        assert_truth_is_kept(c, clean, k, token);

        /* a kernel that lets NaN leak into one row that has a truth, or is off there, is wrong */
        bool all_have_truth = true;
        for (Answer a = 0; a < ANSWERS; a++) {
            int at = first_truth(c, a, k, token);
            all_have_truth = all_have_truth && at >= 0;
            if (at < 0)
                continue;
            *liar = *c;
            liar->answer[a][at] = NAN;
            run("check", saved(liar, "leak"));
            assert_verdict("wrong");
            assert_out("not finite");
            liar->answer[a][at] = c->answer[a][at] + 1;
            run("check", saved(liar, "off"));
            assert_verdict("wrong");
        }
        /*
         * Finite numbers in all rows. "right: every finite truth is met" (verdict.h): rows that NaN
         * reaches have no truth, so any answer will do there; the report says how many they are.
         */
        *liar = *c;
        size_t replaced = 0;
        for (Answer a = 0; a < ANSWERS; a++)
            for (size_t i = 0; i < numbers_of(c, a); i++)
                if (isnan(liar->answer[a][i])) {
                    liar->answer[a][i] = 12345;
                    replaced++;
                }
        run("check", saved(liar, "finite"));
        assert_verdict(all_have_truth ? "right" : "suspect");
        if (replaced)
            assert_out(" without a finite value");
    }
    free(liar);
    free(c);
    free(clean);
}

/* o and lse of NaN inputs have no true element at all: nothing can be judged, nothing is right. */
static void nothing_to_judge_is_never_right(void **state)
{
    Case *c = solved(2, 5, 3, NULL, 5);
    (void)state;
    for (size_t k = 0; k < INPUTS; k++)
        for (size_t i = 0; i < numbers_in(c); i++)
            c->input[k][i] = NAN;
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < numbers_in(c); i++)
            c->answer[ANSWER_O][i] = round ? NAN : 0;
        c->absent[ANSWER_U] = round == 1;
        c->absent[ANSWER_LSE] = round == 2;
        run("check", saved(c, "dump"));
        assert_verdict("suspect");
        run("check", "--strict", saved(c, "dump"));
        assert_never_right();
    }
    free(c);
}

static void strict_makes_suspect_a_failure(void **state)
{
    Case *c = solved(2, 5, 3, NULL, 5);
    (void)state;
    c->absent[ANSWER_U] = true;
    for (size_t i = 0; i < numbers_in(c); i++)
        c->input[INPUT_QC][i] = NAN;
    run("check", saved(c, "dump"));
    assert_verdict("suspect");
    assert_err("warning");
    assert_out("nothing to judge");
    assert_fits_page();
    run("check", "--strict", saved(c, "dump"));
    assert_status(WRONG_STATUS);
    assert_out("0 right, 1 suspect, 0 wrong\n");
    run("check", "--strict", L2D1);
    assert_verdict("right");
    free(c);
}

/* ---- options of check ----------------------------------------------------------------------- */

static void the_window_option_is_judged_by(void **state)
{
    Case *c = solved(1, 9, 4, "3", 6);
    char path[128];
    (void)state;
    (void)snprintf(path, sizeof path, "%s", saved(c, "dump"));
    run("check", path);
    assert_verdict("right");
    assert_out("window 3, ");
    run("check", "--window", "3", path);
    assert_verdict("right");
    run("check", "--window=none", path);
    assert_verdict("wrong");
    run("check", "-W4", path);
    assert_verdict("wrong");
    run("check", "-W", "0", path);
    assert_verdict("wrong");

    static const char *const garbage[] = {"garbage", "", "-1", "3.5", "3 ", "None",
                                          "99999999999999999999"};
    for (size_t k = 0; k < sizeof garbage / sizeof *garbage; k++) {
        run("check", "--window", garbage[k], path);
        assert_refused("option --window: window is \"");
    }
    free(c);
    c = solved(1, 9, 4, NULL, 6);
    /* no window, and every window that reaches the end, are one */
    run("check", saved(c, "dump"));
    assert_verdict("right");
    assert_out("window none (not stated)");
    run("check", "--window", "8", path);
    assert_verdict("right");
    run("check", "--window", "1152921504606846974", path);
    assert_verdict("right");
    run("check", "--window", "7", path);
    assert_verdict("wrong");
    free(c);
}

static void the_scale_option_is_judged_by(void **state)
{
    Case *c = solved(1, 9, 4, NULL, 7);
    char path[128];
    (void)state;
    (void)snprintf(path, sizeof path, "%s", saved(c, "dump"));
    run("check", "--scale", "0.5", path);       /* 1/sqrt(4) */
    assert_verdict("right");
    assert_out("scale 0.5\n");
    run("check", "--scale=1/sqrt(d)", path);
    assert_verdict("right");
    run("check", "-c", "0.51", path);
    assert_verdict("wrong");
    run("check", "-c", "-0.5", path);
    assert_verdict("wrong");
    static const char *const garbage[] = {"0", "nan", "inf", "x", "", "1e999", "0.5x"};
    for (size_t k = 0; k < sizeof garbage / sizeof *garbage; k++) {
        run("check", "--scale", garbage[k], path);
        assert_refused("option --scale: scale is \"");
    }
    free(c);
}

static void the_arithmetic_option_is_judged_by(void **state)
{
    static const char *const names[] = {"float64", "float32", "tf32", "bfloat16", "float16",
                                        "bfloat16,p=float32",
                                        "float32,operands=tf32,cache=bfloat16"};
    Case *c = solved(1, 9, 4, NULL, 8);
    char path[128];
    (void)state;
    (void)snprintf(path, sizeof path, "%s", saved(c, "dump"));
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        run("check", "--arithmetic", names[k], path);
        assert_verdict("right");
        assert_out(names[k]);
        assert_not_out("arithmetic not stated");
    }
    run("check", "-a", "float8", path);
    assert_refused("option --arithmetic: unknown arithmetic \"float8\"");
    run("check", "-a", "float32,x=float64", path);
    assert_refused("unknown item \"x\"");
    run("check", "-a", "float32,o", path);
    assert_refused("unknown item \"o\"");
    run("check", "-a", "", path);
    assert_refused("option --arithmetic");

    /* an error that bfloat16 makes, and float32 does not */
    for (size_t i = 0; i < numbers_in(c); i++)
        c->answer[ANSWER_O][i] = format_round_double(c->answer[ANSWER_O][i], &BFLOAT16);
    (void)saved(c, "dump");
    run("check", path);
    assert_verdict("wrong");
    run("check", "-a", "bfloat16", path);
    assert_verdict("right");
    c->arithmetic = "bfloat16";
    (void)saved(c, "dump");
    run("check", path);
    assert_verdict("right");
    free(c);
}

static void one_unusable_file_leaves_the_others_judged(void **state)
{
    Case *c = solved(1, 4, 2, NULL, 9);
    char right[128], wrong[128];
    (void)state;
    (void)snprintf(right, sizeof right, "%s", saved(c, "good"));
    c->answer[ANSWER_O][3] += 1;
    (void)snprintf(wrong, sizeof wrong, "%s", saved(c, "bad"));
    run("check", right, "no-such-file", wrong);
    assert_status(UNUSABLE_STATUS);
    assert_err("castle check: no-such-file: ");
    assert_out("good: right\n");
    assert_out("bad: wrong\n");
    assert_out("\n1 right, 0 suspect, 1 wrong, 1 unusable\n");
    assert_fits_page();
    run("check", "no-such-file", right);
    assert_status(UNUSABLE_STATUS);
    assert_out("\n1 right, 0 suspect, 0 wrong, 1 unusable\n");
    run("check", right, right);
    assert_status(RIGHT_STATUS);
    assert_out("\n2 right, 0 suspect, 0 wrong\n");
    run("check", right, wrong);
    assert_status(WRONG_STATUS);
    run("check", wrong, right);
    assert_status(WRONG_STATUS);
    run("check", right, "--strict", "--", wrong);
    assert_status(WRONG_STATUS);
    assert_out("\n1 right, 0 suspect, 1 wrong\n");
    run("check", "--", "--strict");
    assert_refused("--strict: cannot be opened");
    free(c);
}

static void hostile_names_do_not_reach_the_terminal(void **state)
{
    Case *c = solved(1, 2, 1, NULL, 9);
    (void)state;
    run("check", saved(c, "\x1b[31mred\nright"));
    assert_verdict("right");
    assert_out("\\x1b[31mred\\x0aright: right\n");
    assert_not_out("\x1b");
    run("check", "\x1b[31m");
    assert_refused("\\x1b[31m");
    free(c);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

enum { MOST_FIELDS = 100 };
typedef struct Field {
    char path[100], type[40];
    bool always;
} Field;
static Field fields[MOST_FIELDS];
static size_t field_count;

/* The table of docs/check-json.md: | `path` | type | there | meaning | */
static void read_documented_fields(void)
{
    char line[1000], there[40];
    FILE *doc = fopen("docs/check-json.md", "r");
    field_count = 0;
    while (doc && fgets(line, sizeof line, doc)) {
        Field f;
        if (sscanf(line, "| `%99[^`]` | %39[^|] | %39[^|]", f.path, f.type, there) != 3)
            continue;
        f.type[strlen(f.type) - 1] = '\0';      /* a space */
        f.always = strncmp(there, "always", 6) == 0;
        assert_true(field_count < MOST_FIELDS);
        fields[field_count++] = f;
    }
    if (doc)
        (void)fclose(doc);      /* only read from */
    assert_true(field_count > 30);
}

static const Field *documented(const char *path)
{
    for (size_t k = 0; k < field_count; k++)
        if (strcmp(fields[k].path, path) == 0)
            return &fields[k];
    return NULL;
}

static bool of_type(const json_t *v, const char *type)
{
    const char *s = json_string_value(v);
    if (strcmp(type, "number or string") == 0)
        return json_is_number(v) || (s && (strcmp(s, "inf") == 0 || strcmp(s, "-inf") == 0 ||
                                           strcmp(s, "nan") == 0));
    return strcmp(type, "string") == 0 ? json_is_string(v)
         : strcmp(type, "integer") == 0 ? json_is_integer(v)
         : strcmp(type, "number") == 0 ? json_is_number(v)
         : strcmp(type, "object") == 0 ? json_is_object(v)
         : strcmp(type, "array") == 0 && json_is_array(v);
}

/* Everything below v is documented, of its type, and complete. */
static void assert_documented(json_t *v, const char *path)
{
    char below[200];
    const char *key;
    json_t *member;
    size_t index;
    bool named = strlen(path) > 8 && strcmp(path + strlen(path) - 8, ".tensors") == 0;
    if (*path) {
        const Field *f = documented(path);
        if (!f)
            complain("not documented: ", path);
        if (f && !of_type(v, f->type))
            complain("not of the documented type: ", path);
    }
    if (json_is_array(v)) {
        (void)snprintf(below, sizeof below, "%s[]", path);
        json_array_foreach(v, index, member)
            assert_documented(member, below);
    }
    if (!json_is_object(v))
        return;
    json_object_foreach(v, key, member) {
        (void)snprintf(below, sizeof below, "%s%s%s", path, *path ? "." : "", named ? "NAME" : key);
        assert_documented(member, below);
    }
    for (size_t k = 0; k < field_count && !named; k++) {
        size_t length = strlen(path);
        const char *rest = fields[k].path + length + (length > 0);
        if (strncmp(fields[k].path, path, length) != 0 ||
            (length && fields[k].path[length] != '.') || strpbrk(rest, ".[") || !fields[k].always)
            continue;
        if (!json_object_get(v, rest))
            complain("documented, but not there: ", fields[k].path);
    }
}

static const json_t *tensor_in(const json_t *doc, size_t dump, const char *name)
{
    const json_t *d = json_array_get(json_object_get(doc, "dumps"), dump);
    return json_object_get(json_object_get(d, "tensors"), name);
}

static void documented_fields_are_those_of_the_output(void **state)
{
    Case *c = solved(2, 5, 3, "2", 10);
    char right[128], wrong[128], suspect[128];
    (void)state;
    read_documented_fields();
    (void)snprintf(right, sizeof right, "%s", saved(c, "right"));
    c->answer[ANSWER_U][numbers_in(c) - 1] = 1;
    c->answer[ANSWER_O][0] = NAN;
    c->answer[ANSWER_LSE][9] = 3;
    (void)snprintf(wrong, sizeof wrong, "%s", saved(c, "wrong\xff"));
    for (size_t i = 0; i < numbers_in(c); i++)
        c->input[INPUT_VC][i] = INFINITY;
    c->absent[ANSWER_LSE] = c->absent[ANSWER_U] = true;
    (void)snprintf(suspect, sizeof suspect, "%s", saved(c, "suspect"));

    run("check", "--json", right, wrong, "no-such-file", suspect, L2D1);
    assert_status(UNUSABLE_STATUS);
    json_t *doc = document();
    assert_documented(doc, "");
    assert_int_equal(json_array_size(json_object_get(doc, "dumps")), 4);
    assert_int_equal(json_integer_value(json_object_get(doc, "unusable")), 1);

    static const char *const verdicts[] = {"right", "wrong", "suspect", "right"};
    for (size_t k = 0; k < 4; k++)
        assert_string_equal(verdicts[k], json_string_value(json_object_get(
            json_array_get(json_object_get(doc, "dumps"), k), "verdict")));
    const json_t *u = tensor_in(doc, 1, "u"), *o = tensor_in(doc, 1, "o");
    const json_t *lse = json_object_get(tensor_in(doc, 1, "lse"), "worst");
    assert_string_equal(json_string_value(json_object_get(u, "z")), "inf");
    assert_int_equal(json_integer_value(json_object_get(o, "not_finite")), 1);
    assert_string_equal(json_string_value(json_object_get(json_object_get(o, "worst"), "answer")),
                        "nan");
    assert_int_equal(json_integer_value(json_object_get(lse, "batch")), 0);
    assert_int_equal(json_integer_value(json_object_get(lse, "head")), 1);
    assert_int_equal(json_integer_value(json_object_get(lse, "row")), 4);
    assert_int_equal(json_integer_value(json_object_get(lse, "column")), 0);
    assert_null(json_object_get(tensor_in(doc, 2, "o"), "worst"));
    assert_int_equal(json_integer_value(json_object_get(tensor_in(doc, 2, "o"), "judged")), 0);
    json_decref(doc);

    run("check", "--json", "no-such-file");
    assert_status(UNUSABLE_STATUS);
    doc = document();
    assert_documented(doc, "");
    json_decref(doc);
    free(c);
}

/* The same but for real numbers, whose last digits may depend on the machine. */
static bool alike(json_t *a, json_t *b)
{
    const char *key;
    json_t *member;
    size_t index;
    if (json_is_real(a) || json_is_real(b))
        return json_is_real(a) && json_is_real(b);
    if (json_is_array(a) && json_is_array(b) && json_array_size(a) == json_array_size(b)) {
        json_array_foreach(a, index, member)
            if (!alike(member, json_array_get(b, index)))
                return false;
        return true;
    }
    if (json_is_object(a) && json_is_object(b) && json_object_size(a) == json_object_size(b)) {
        json_object_foreach(a, key, member)
            if (!alike(member, json_object_get(b, key)))
                return false;
        return true;
    }
    return json_equal(a, b);
}

static void the_documented_example_is_real(void **state)
{
    size_t size;
    char *text = (char *)read_whole_file("docs/check-json.md", &size);
    json_error_t error;
    (void)state;
    text[size] = '\0';
    char *begin = strstr(text, "```json\n"), *end = begin ? strstr(begin, "\n```\n") : NULL;
    assert_non_null(end);
    if (end)
        *end = '\0';
    json_t *example = json_loads(begin + 8, 0, &error);
    assert_non_null(example);
    free(text);
    run("check", "--json", L2D1);
    assert_status(RIGHT_STATUS);
    json_t *doc = document();
    if (!alike(example, doc))
        complain("not what docs/check-json.md shows", "");
    json_decref(doc);
    json_decref(example);
}

/* ---- castle oracle -------------------------------------------------------------------------- */

static double z_of(const json_t *doc, Answer a)
{
    return json_number_value(json_object_get(tensor_in(doc, 0, answer_name(a)), "z"));
}

/* Its own values and its values in float32 are answers of a right kernel, with an error near 0. */
static void the_oracle_agrees_with_the_checker(void **state)
{
    Case *c = solved(2, 9, 4, "5", 11);
    char truth[128];
    (void)state;
    (void)snprintf(truth, sizeof truth, "%s/truth", scratch);
    run("oracle", saved(c, "inputs"), "-o", truth);
    assert_status(RIGHT_STATUS);
    assert_out("truth: answers o, lse, u of 2 heads, 0 ties\n");
    run("check", "--strict", "--json", "--arithmetic", "float64", truth);
    assert_status(RIGHT_STATUS);
    json_t *doc = document();
    for (Answer a = 0; a < ANSWERS; a++)
        if (!(z_of(doc, a) < 3))
            complain("z is not small for ", answer_name(a));
    json_decref(doc);

    Failure failure;
    SafetensorsFile *file = safetensors_open(truth, &failure);
    assert_non_null(file);
    assert_string_equal(safetensors_metadata(file, "window"), "5");
    assert_string_equal(safetensors_metadata(file, "scale"), "1/sqrt(d)");
    assert_string_equal(safetensors_metadata(file, "arithmetic"), "float32");
    assert_string_equal(safetensors_metadata(file, "ties"), "0");
    for (Answer a = 0; a < ANSWERS; a++) {
        const Tensor *part[4];
        static const char *const tails[] = {"", ".lo", ".f32", ".sigma"};
        static const NumberType types[] = {TYPE_F64, TYPE_F64, TYPE_F32, TYPE_F32};
        for (size_t k = 0; k < 4; k++) {
            char name[20];
            (void)snprintf(name, sizeof name, "%s%s", answer_name(a), tails[k]);
            part[k] = safetensors_find(file, name);
            assert_non_null(part[k]);
            assert_int_equal(part[k]->type, types[k]);
            assert_int_equal(part[k]->count, numbers_of(c, a));
        }
        for (size_t i = 0; i < numbers_of(c, a); i++) {
            double x = tensor_value(part[0], i), tail = tensor_value(part[1], i);
            double sigma = tensor_value(part[3], i);
            c->answer[a][i] = tensor_value(part[2], i);
            /* both correctly rounded: neither can be moved by what is left */
            assert_true(x + tail == x);
            assert_true(c->answer[a][i] == (double)(float)x);
            /* exact only where nothing is computed: the last row of u */
            assert_true(x == 0 ? sigma == 0 : sigma > 0 && sigma < 1e-4);
        }
    }
    for (Input k = 0; k < INPUTS; k++)
        for (size_t i = 0; i < numbers_in(c); i++)
            assert_true(tensor_value(safetensors_find(file, input_name(k)), i) == c->input[k][i]);
    safetensors_close(file);
    c->answer_type = TYPE_F32;
    run("check", "--strict", saved(c, "dump"));
    assert_verdict("right");
    free(c);
}

static void answers_come_in_the_type_of_the_inputs(void **state)
{
    static const struct {
        NumberType type;
        const char *name;
    } types[] = {{TYPE_BF16, "o.bf16"}, {TYPE_F16, "o.f16"}, {TYPE_F32, "o.f32"},
                 {TYPE_F64, "o.f64"}};
    Case *c = solved(1, 3, 2, NULL, 12);
    (void)state;
    for (size_t k = 0; k < INPUTS; k++)
        for (size_t i = 0; i < numbers_in(c); i++)      /* exact in all four */
            c->input[k][i] = nearbyint(8 * c->input[k][i]) / 8;
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        Failure failure;
        c->input_type = types[k].type;
        run("oracle", saved(c, "inputs"), "--output", scratch_path("truth"));
        assert_status(RIGHT_STATUS);
        SafetensorsFile *file = safetensors_open(scratch_path("truth"), &failure);
        assert_non_null(file);
        for (size_t other = 0; other < sizeof types / sizeof *types; other++) {
            const Tensor *t = safetensors_find(file, types[other].name);
            assert_int_equal(t != NULL, other == k && types[k].type != TYPE_F64);
            assert_true(!t || t->type == types[k].type);
        }
        safetensors_close(file);
    }
    free(c);
}

/* Neither of bfloat16 and float16 holds the other's numbers. */
static void inputs_of_mixed_types_are_kept_exactly(void **state)
{
    const size_t shape[] = {1, 1, 1, 1};
    const double small = 0x1p-100, fine = 1 + 0x1p-10;
    SafetensorsWriter *w = safetensors_writer_new();
    Failure failure;
    (void)state;
    for (Input k = 0; k < INPUTS; k++)
        safetensors_add(w, input_name(k), k == INPUT_QC ? TYPE_BF16 : TYPE_F16, 4, shape,
                        k == INPUT_QC ? &small : &fine);
    assert_true(safetensors_write(w, scratch_path("mixed"), &failure));
    safetensors_writer_free(w);
    char in[128];
    (void)snprintf(in, sizeof in, "%s/mixed", scratch);
    run("oracle", in, "-o", scratch_path("truth"));
    assert_status(RIGHT_STATUS);
    Dump d = opened(scratch_path("truth"));
    assert_int_equal(d.type, TYPE_F32);
    assert_true(d.input[INPUT_QC][0] == small && d.input[INPUT_QU][0] == fine);
    dump_close(&d);
}

static void assert_same_bytes(const char *one, const char *two)
{
    size_t size, other_size;
    unsigned char *bytes = read_whole_file(one, &size), *other = read_whole_file(two, &other_size);
    if (size != other_size || memcmp(bytes, other, size) != 0)
        complain("the bytes differ from those of ", one);
    free(other);
    free(bytes);
}

static void the_bytes_do_not_depend_on_threads(void **state)
{
    static const char *const threads[] = {"1", "2", "2", "5"};
    char in[128], first[128], again[128];
    (void)state;
    (void)snprintf(first, sizeof first, "%s/first", scratch);
    (void)snprintf(again, sizeof again, "%s/again", scratch);
    for (size_t heads = 1; heads <= 3; heads += 2) {
        Case *c = solved(heads, 13, 4, NULL, 13);
        (void)snprintf(in, sizeof in, "%s", saved(c, "inputs"));
        for (size_t k = 0; k < sizeof threads / sizeof *threads; k++) {
            run_with(&(Setting){.threads = threads[k]},
                     WORDS("oracle", in, "-o", k ? again : first));
            assert_status(RIGHT_STATUS);
            if (k)
                assert_same_bytes(first, again);
        }
        free(c);
    }
}

static void verdicts_do_not_depend_on_threads(void **state)
{
    Case *c = solved(3, 13, 4, NULL, 14);
    char path[128];
    (void)state;
    (void)snprintf(path, sizeof path, "%s", saved(c, "dump"));
    run_with(&(Setting){.threads = "1"}, WORDS("check", "--json", path));
    assert_status(RIGHT_STATUS);
    char *first = strdup(last.out);
    assert_non_null(first);
    run_with(&(Setting){.threads = "3"}, WORDS("check", "--json", path));
    if (strcmp(first, last.out) != 0)
        complain("with one thread it is\n", first);
    free(first);
    free(c);
}

static void oracle_needs_one_file_and_an_output(void **state)
{
    (void)state;
    run("oracle", L2D1);
    assert_refused("option -o OUT is missing");
    run("oracle", "-o", scratch_path("out"));
    assert_refused("no file given");
    run("oracle", L2D1, L100, "-o", scratch_path("out"));
    assert_refused("more than one file given");
    run("oracle", "-o");
    assert_refused("option requires an argument");
    run("oracle", "no-such-file", "-o", scratch_path("out"));
    assert_refused("no-such-file: cannot be opened");
    run("oracle", L2D1, "-o", scratch_path("out"), "-a", "x");
    assert_refused("option --arithmetic: ");
    run("oracle", L2D1, "-o", scratch_path("out"), "-W", "x");
    assert_refused("option --window: ");
    run("oracle", L2D1, "-o", scratch_path("out"), "-c", "x");
    assert_refused("option --scale: ");
    assert_int_equal(scratch_files(false), 0);
}

static void a_failed_output_leaves_all_as_it_was(void **state)
{
    static const char before[] = "what was here before";
    char out[128], link_path[128], missing[160];
    struct stat status;
    (void)state;
    (void)snprintf(out, sizeof out, "%s/out", scratch);
    (void)snprintf(missing, sizeof missing, "%s/no-such-folder/out", scratch);
    run("oracle", L2D1, "-o", missing);
    assert_refused("cannot create a file in its folder: No such file or directory");
    assert_int_equal(scratch_files(false), 0);
    run("oracle", L2D1, "-o", scratch);
    assert_refused("is not a regular file");
    run("oracle", L2D1, "-o", "/dev/full");
    assert_refused("is not a regular file");
    run("oracle", L2D1, "-o", "");
    assert_status(UNUSABLE_STATUS);

    write_file(out, before, sizeof before);
    (void)snprintf(link_path, sizeof link_path, "%s/link", scratch);
    assert_int_equal(symlink("out", link_path), 0);
    run("oracle", L2D1, "-o", link_path);
    assert_refused("is not a regular file");
    assert_int_equal(remove(link_path), 0);
    run("oracle", "no-such-file", "-o", out);
    assert_refused("no-such-file");
    run_with(&(Setting){.largest_file = 400}, WORDS("oracle", L2D1, "-o", out));
    assert_refused("cannot be written: File too large");
    assert_int_equal(scratch_files(false), 1);
    assert_int_equal(stat(out, &status), 0);
    assert_int_equal(status.st_size, sizeof before);
}

static void an_existing_output_is_replaced_at_once(void **state)
{
    static const char before[] = "what was here before";
    char out[128], kept[128];
    size_t size;
    (void)state;
    (void)snprintf(out, sizeof out, "%s/out", scratch);
    (void)snprintf(kept, sizeof kept, "%s/kept", scratch);
    write_file(out, before, sizeof before);
    assert_int_equal(link(out, kept), 0);
    run("oracle", L2D1, "-o", out);
    assert_status(RIGHT_STATUS);
    /* the old file was not written into: its other name still has the old bytes */
    char *bytes = (char *)read_whole_file(kept, &size);
    assert_int_equal(size, sizeof before);
    assert_memory_equal(bytes, before, size);
    free(bytes);
    assert_int_equal(scratch_files(false), 2);
    run("check", out);
    assert_verdict("right");

    /* the input itself may be replaced */
    assert_int_equal(rename(out, kept), 0);
    run("oracle", kept, "-o", out);
    assert_status(RIGHT_STATUS);
    run("oracle", kept, "-o", kept);
    assert_status(RIGHT_STATUS);
    assert_same_bytes(out, kept);
}

/* ---- castle verify -------------------------------------------------------------------------- */

static void the_forms_agree(void **state)
{
    (void)state;
    run("verify", "--length", "5", "--dim", "2");
    assert_status(RIGHT_STATUS);
    assert_out("all forms agree\n");
    assert_fits_page();
    run("verify", "--length", "5", "--dim", "2", "--window", "0");
    assert_status(RIGHT_STATUS);
    assert_out("all forms agree\n");
    run("verify", "-L5", "-d2", "-W2", "-s7", "-p24");
    assert_status(RIGHT_STATUS);
    assert_out("seed 7");
    run("verify", L2D1, "--bits", "24");
    assert_status(RIGHT_STATUS);
    assert_out("L2d1");
    run("verify", "-L5", "-d2", "-s7", "-p24");
    char *first = strdup(last.out);
    assert_non_null(first);
    run_with(&(Setting){.threads = "1"}, WORDS("verify", "-L5", "-d2", "-s7", "-p24"));
    if (strcmp(first, last.out) != 0)
        complain("another run printed\n", first);
    free(first);
}

static void verify_refuses_what_it_cannot_use(void **state)
{
    static const char *const options[][3] = {
        {"--length", "0", "4096"}, {"--length", "4097", "4096"}, {"--length", "x", "4096"},
        {"--length", "", "4096"}, {"--length", "5.5", "4096"}, {"--dim", "0", "1024"},
        {"--dim", "-1", "1024"}, {"--window", "-1", "whole number"},
        {"--window", "none", "whole number"}, {"--bits", "7", "8"}, {"--bits", "1025", "1024"},
        {"--bits", "abc", "8"}, {"--bits", "", "--bits"}, {"--seed", "-1", "0"},
        {"--seed", "99999999999999999999", "0"},
    };
    Case *c = solved(1, 3, 2, NULL, 15);
    (void)state;
    for (size_t k = 0; k < sizeof options / sizeof *options; k++) {
        run("verify", options[k][0], options[k][1]);
        assert_refused(options[k][0]);
        assert_err(options[k][2]);
    }
    run("verify", "no-such-file");
    assert_refused("castle verify: no-such-file: cannot be opened");
    c->input[INPUT_KC][1] = NAN;
    run("verify", saved(c, "dump"));
    assert_refused("NaN or infinity");
    free(c);
}

/* ---- help, manual, output ------------------------------------------------------------------- */

enum { MOST_COMMANDS = 16 };
static char command_names[MOST_COMMANDS][20];
static size_t command_count;

static void read_command_names(void)
{
    run("--help");
    assert_status(RIGHT_STATUS);
    command_count = 0;
    const char *end = strstr(last.out, "\nExample");
    assert_non_null(end);
    for (const char *at = last.out; (at = strstr(at, "\n  castle ")) && at < end; at++)
        if (sscanf(at, " castle %19[a-z]", command_names[command_count]) == 1)
            assert_true(++command_count < MOST_COMMANDS);
    assert_true(command_count >= 3);
}

static void every_help_has_examples_and_fits(void **state)
{
    (void)state;
    read_command_names();
    assert_fits_page();
    for (size_t k = 0; k < command_count; k++) {
        run(command_names[k], "--help");
        assert_status(RIGHT_STATUS);
        assert_out("Example");
        assert_out("Exit status: ");
        assert_fits_page();
        if (*last.err)
            complain("standard error is not empty", "");
        run(command_names[k], "--usage");
        assert_status(RIGHT_STATUS);
        run(command_names[k], "--no-such-option");
        assert_refused("unrecognized option");
    }
}

static void there_must_be_a_command(void **state)
{
    (void)state;
    run(NULL);
    assert_status(UNUSABLE_STATUS);
    assert_err("Usage: castle COMMAND");
    assert_int_equal(strlen(last.out), 0);
    run("frobnicate");
    assert_refused("castle: unknown command \"frobnicate\"; expected ");
    run("");
    assert_refused("castle: unknown command \"\"");
    run("\x1b[31m");
    assert_refused("\\x1b[31m");
    run("check");
    assert_refused("no file given");
    run("--version");
    assert_status(RIGHT_STATUS);
    unsigned version[3];
    char end;
    assert_int_equal(sscanf(last.out, "castle %u.%u.%u%c", &version[0], &version[1], &version[2],
                            &end), 4);
    assert_int_equal(end, '\n');
}

/* Whether the manual has the line ".It Fl x ... , Fl -name ..." (without x: ".It Fl -name ..."). */
static bool in_manual(const char *manual, char letter, const char *name)
{
    char wanted[80];
    size_t length = (size_t)snprintf(wanted, sizeof wanted, "Fl -%s", name);
    for (const char *at = manual; (at = strstr(at, "\n.It Fl ")); at++) {
        const char *line = at + 8, *end = strchr(line, '\n');
        const char *found = strstr(at + 5, wanted);
        if (strncmp(line, "\\&", 2) == 0)
            line += 2;
        if (found && found < end && strchr(" \n", found[length]) &&
            (letter ? line[0] == letter && line[1] == ' ' : line[0] == '-'))
            return true;
    }
    return false;
}

/* Each option of each --help is in the manual, and the manual has no other. */
static void the_manual_and_the_help_have_the_same_options(void **state)
{
    static char all_help[50000];
    char letter, name[40], wanted[400];
    size_t size, seen = 0;
    char *manual = (char *)read_whole_file("docs/castle.1", &size);
    (void)state;
    manual[size] = '\0';
    read_command_names();
    strcpy(all_help, "  --version ");
    for (size_t k = 0; k < command_count; k++) {
        (void)snprintf(wanted, sizeof wanted, "\n.Ss castle %s\n", command_names[k]);
        if (!strstr(manual, wanted))
            complain("the manual has no section on castle ", command_names[k]);
        run(command_names[k], "--help");
        assert_true(strlen(all_help) + strlen(last.out) < sizeof all_help);
        strcat(all_help, last.out);
        for (const char *line = last.out; line; line = strchr(line, '\n'), line += line != NULL) {
            letter = '\0';
            if (sscanf(line, "  -%c, --%39[a-z-]", &letter, name) != 2 &&
                (letter = '\0', sscanf(line, "      --%39[a-z-]", name) != 1))
                continue;
            seen++;
            if (!in_manual(manual, letter, name))
                complain("docs/castle.1 does not explain --", name);
        }
    }
    assert_true(seen >= 14);
    for (const char *at = manual; (at = strstr(at, "Fl -")); at++) {
        if (sscanf(at, "Fl -%39[a-z-]", name) != 1 || strcmp(name, "-") == 0)
            continue;
        bool known = false;
        for (const char *h = all_help; !known && (h = strstr(h, "--")); h++)
            known = strncmp(h + 2, name, strlen(name)) == 0 &&
                    strchr("= [,\n", h[2 + strlen(name)]) != NULL;
        if (!known)
            fail_msg("docs/castle.1 has --%s, which no --help has", name);
    }
    free(manual);
}

static void output_to_a_full_device_is_an_error(void **state)
{
    static const char *const commands[][6] = {
        {"check", L2D1},
        {"check", "--json", L2D1},
        {"verify", "-L2", "-d1", "-p24"},
        {"--help"}, {"--version"}, {"check", "--help"}, {"oracle", "--help"}, {"verify", "--usage"},
    };
    (void)state;
    if (access("/dev/full", W_OK) != 0)
        skip();
    for (size_t k = 0; k < sizeof commands / sizeof *commands; k++) {
        run_with(&(Setting){.standard_output = "/dev/full"}, commands[k]);
        assert_status(UNUSABLE_STATUS);
        assert_err("cannot write to standard output: No space left on device");
    }
    run_with(&(Setting){.standard_output = "/dev/full"},
             WORDS("oracle", L2D1, "-o", scratch_path("out")));
    assert_status(UNUSABLE_STATUS);
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* $CASTLE, else the program beside this test's folder. */
static void find_program(const char *own_path)
{
    const char *given = getenv("CASTLE"), *slash = strrchr(own_path, '/');
    if (given && *given)
        (void)snprintf(program, sizeof program, "%s", given);
    else if (slash)
        (void)snprintf(program, sizeof program, "%.*s/../castle", (int)(slash - own_path),
                       own_path);
    if (access(program, X_OK) != 0)
        (void)snprintf(program, sizeof program, "build/castle");
    in_short = getenv("CASTLE_TEST_SHORT") != NULL;
}

static int finish(void **state)
{
    forget_last();
    return scratch_remove(state);
}

#define TEST(name) cmocka_unit_test_teardown(name, scratch_clear)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(right_kernels_are_right),
        TEST(wrong_kernels_are_wrong),
        TEST(gradients_are_listed_as_not_judged),
        TEST(the_truth_is_right),
        TEST(lies_are_wrong),
        TEST(answers_of_another_head_are_wrong),
        TEST(answers_of_another_dump_are_wrong),
        TEST(no_dump_is_ever_right),
        TEST(a_dump_without_answers_is_an_error),
        TEST(a_missing_element_is_an_error),
        TEST(nan_spoils_no_earlier_row),
        TEST(nothing_to_judge_is_never_right),
        TEST(strict_makes_suspect_a_failure),
        TEST(the_window_option_is_judged_by),
        TEST(the_scale_option_is_judged_by),
        TEST(the_arithmetic_option_is_judged_by),
        TEST(one_unusable_file_leaves_the_others_judged),
        TEST(hostile_names_do_not_reach_the_terminal),
        TEST(documented_fields_are_those_of_the_output),
        TEST(the_documented_example_is_real),
        TEST(the_oracle_agrees_with_the_checker),
        TEST(answers_come_in_the_type_of_the_inputs),
        TEST(inputs_of_mixed_types_are_kept_exactly),
        TEST(the_bytes_do_not_depend_on_threads),
        TEST(verdicts_do_not_depend_on_threads),
        TEST(oracle_needs_one_file_and_an_output),
        TEST(a_failed_output_leaves_all_as_it_was),
        TEST(an_existing_output_is_replaced_at_once),
        TEST(the_forms_agree),
        TEST(verify_refuses_what_it_cannot_use),
        TEST(every_help_has_examples_and_fits),
        TEST(there_must_be_a_command),
        TEST(the_manual_and_the_help_have_the_same_options),
        TEST(output_to_a_full_device_is_an_error),
    };
    (void)argc;
    find_program(argv[0]);
    return cmocka_run_group_tests(tests, scratch_make, finish);
}
