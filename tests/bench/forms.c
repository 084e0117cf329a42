/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * forms.c - every form in the machine's own arithmetic: against the rate of dgemm, against plain causal
 * attention (the floor that users know), and against Theorem 1's dense form in numpy and in PyTorch.
 *
 * Useful work   the multiply-adds that the counting system counts (proofs/complexity.md); exponentials and
 *               all else come on top and are not in the share of dgemm's rate.
 * Same work?    the peers' answers are held against ours here, and by castle_judge in judge.c.
 */
#include "bench.h"
#include "machine.h"
#include "measure.h"
#include "runs.h"

#include "../random_problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLOW_EVERY = 3 };

typedef struct Shape {
    size_t length, dim, block;
    bool naive; /* cubic times d: not for large shapes */
} Shape;

/* ---- the rate of dgemm ---------------------------------------------------------------------- */

enum { SIDE = 1024 };
static const double DGEMM_MULTIPLY_ADDS = (double)SIDE * SIDE * SIDE;

static void multiply_squares(void *squares)
{
    double *A = squares;
    dgemm(SIDE, A, A + SIDE * SIDE, A + 2 * SIDE * SIDE);
}

static double *squares(void)
{
    double *A = malloc(3 * sizeof *A * SIDE * SIDE);
    if (!A)
        give_up("out of memory for", "dgemm");
    for (size_t k = 0; k < (size_t)2 * SIDE * SIDE; k++)
        A[k] = (double)(k % 64) / 64 - 0.5;
    return A;
}

/* ---- what is measured ----------------------------------------------------------------------- */

/* Tasks in the order of a round: what is compared stands close together. */
enum {
    DGEMM,
    FLOOR,
    FLOOR_NUMPY,
    FLOOR_TORCH,
    BLOCKWISE_64,
    NUMPY_64,
    TORCH_64,
    PARALLEL_64,
    BLOCKWISE_32,
    NUMPY_32,
    TORCH_32,
    DECODE_64,
    NAIVE_64,
    TASKS
};

static const struct {
    const char *name;
    bool ours;
    FormName form;
    MakeSystem *system;
    PeerName peer;
    const char *peer_form;
} works[TASKS] = {
    [DGEMM] = {.name = "dgemm, 1024 x 1024 x 1024"},
    [FLOOR] = {"causal attention, f64", true, ATTENTION, f64_system, 0, NULL},
    [FLOOR_NUMPY] = {"causal attention, numpy f64", false, 0, NULL, NUMPY, "attention"},
    [FLOOR_TORCH] = {"causal attention, torch f64", false, 0, NULL, TORCH, "attention"},
    [BLOCKWISE_64] = {"blockwise, f64", true, BLOCKWISE, f64_system, 0, NULL},
    [NUMPY_64] = {"dense form, numpy f64", false, 0, NULL, NUMPY, "castle"},
    [TORCH_64] = {"dense form, torch f64", false, 0, NULL, TORCH, "castle"},
    [PARALLEL_64] = {"parallel, f64", true, PARALLEL, f64_system, 0, NULL},
    [BLOCKWISE_32] = {"blockwise, f32", true, BLOCKWISE, f32_system, 0, NULL},
    [NUMPY_32] = {"dense form, numpy f32", false, 0, NULL, NUMPY, "castle32"},
    [TORCH_32] = {"dense form, torch f32", false, 0, NULL, TORCH, "castle32"},
    [DECODE_64] = {"decode, f64, all tokens", true, DECODE, f64_system, 0, NULL},
    [NAIVE_64] = {"naive, f64", true, NAIVE, f64_system, 0, NULL},
};

static bool is_f32(int task) { return task >= BLOCKWISE_32 && task <= TORCH_32; }
static bool is_floor(int task) { return task >= FLOOR && task <= FLOOR_TORCH; }

/* The peers' task that does what this one of ours does. */
static int same_by(int task, PeerName peer)
{
    int numpy = is_floor(task) ? FLOOR_NUMPY : is_f32(task) ? NUMPY_32 : NUMPY_64;
    return peer == NUMPY ? numpy : numpy + 1;
}

/* ---- whether it is the same work ------------------------------------------------------------ */

/* The largest |x - y| over the largest |y| of its row. */
static double difference(const double *x, const double *y, const Problem *p)
{
    double worst = 0;
    for (size_t i = 0; i < p->length; i++) {
        double size = 0, off = 0;
        for (size_t k = i * p->dim; k < (i + 1) * p->dim; k++) {
            size = fmax(size, fabs(y[k]));
            off = isnan(x[k]) ? INFINITY : fmax(off, fabs(x[k] - y[k]));
        }
        worst = fmax(worst, off / size);
    }
    return worst;
}

static double *o_of(const Task *t, const Problem *p)
{
    if (t->work)
        return run_o(t->what);
    json_t *o = peer_answer(t->peer, t->form);
    double *v = malloc(p->length * p->dim * sizeof *v);
    for (size_t k = 0; v && k < p->length * p->dim; k++) {
        const char *hexadecimal = json_string_value(json_array_get(o, k));
        v[k] = hexadecimal ? strtod(hexadecimal, NULL) : NAN;
    }
    json_decref(o);
    if (!v)
        give_up("out of memory for", "o");
    return v;
}

/* By how much each differs from our parallel form in f64, or from our attention. */
static void differences(const Task t[TASKS], const Problem *p, double off[TASKS])
{
    double *dense = o_of(&t[PARALLEL_64], p), *plain = o_of(&t[FLOOR], p);
    for (int k = FLOOR; k < TASKS; k++) {
        off[k] = NAN;
        if (!t[k].work && !t[k].peer)
            continue;
        double *o = o_of(&t[k], p);
        off[k] = difference(o, is_floor(k) ? plain : dense, p);
        free(o);
    }
    free(dense);
    free(plain);
}

/* ---- one shape ------------------------------------------------------------------------------ */

static void number(char text[16], const char *format, double x)
{
    if (isnan(x))
        (void)snprintf(text, 16, "%s", "-");
    else
        (void)snprintf(text, 16, format, x); // NOLINT(clang-diagnostic-format-nonliteral)
}

static json_t *or_null(double x) { return isnan(x) ? json_null() : json_real(x); }

static json_t *say_row(const Task t[TASKS], int k, double multiply_adds, double off, int rounds)
{
    const Times *own = &t[k].times;
    double ms = median(own, NULL) * 1e3, floor = median(own, &t[FLOOR].times);
    double share = multiply_adds / DGEMM_MULTIPLY_ADDS * median(&t[DGEMM].times, own);
    double numpy = works[k].ours ? median(&t[same_by(k, NUMPY)].times, own) : NAN;
    double torch = works[k].ours ? median(&t[same_by(k, TORCH)].times, own) : NAN;
    char text[5][16];
    number(text[0], "%.1f%%", share * 100);
    number(text[1], "%.2f", floor);
    number(text[2], "%#.3g", numpy);
    number(text[3], "%#.3g", torch);
    number(text[4], "%.1e", k == DGEMM ? NAN : off);
    say("  %-30s %10.2f %9s %9s %9s %9s %9s\n", works[k].name, ms, text[0], text[1], text[2],
        text[3], text[4]);
    return json_pack("{s:s, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", works[k].name,
                     "milliseconds", ms, "multiply_adds", or_null(multiply_adds), "share_of_dgemm",
                     or_null(share), "over_attention", or_null(floor), "numpy_over_this",
                     or_null(numpy), "torch_over_this", or_null(torch), "difference_of_o",
                     or_null(k == DGEMM ? NAN : off), "samples_ms", samples_ms(own, rounds));
}

static json_t *say_shape(const Bench *b, Shape s, int threads, const Task t[TASKS],
                         const Problem *p, const double multiply_adds[TASKS])
{
    double off[TASKS] = {0};
    differences(t, p, off);
    double rate = 2 * DGEMM_MULTIPLY_ADDS / median(&t[DGEMM].times, NULL) * 1e-9;
    say("\nL = %zu, d = %zu, blocks of %zu; %s; dgemm %.1f GFlop/s\n"
        "  %-30s %10s %9s %9s %9s %9s %9s\n",
        s.length, s.dim, s.block, threads == 1 ? "one thread" : "two threads, wall clock", rate, "",
        "ms", "of dgemm", "x floor", "x numpy", "x torch", "o off by");
    json_t *rows = json_array();
    for (int k = DGEMM; k < TASKS; k++) {
        if (isnan(median(&t[k].times, NULL)))
            continue;
        json_array_append_new(rows, say_row(t, k, multiply_adds[k], off[k], b->rounds));
    }
    say("  decode, f64: %.4f ms a token on the average\n",
        median(&t[DECODE_64].times, NULL) * 1e3 / (double)s.length);
    return json_pack("{s:I, s:I, s:I, s:i, s:s, s:f, s:o}", "length", (json_int_t)s.length, "dim",
                     (json_int_t)s.dim, "block", (json_int_t)s.block, "threads", threads, "clock",
                     threads == 1 ? "processor" : "wall", "dgemm_gflops", rate, "rows", rows);
}

/* The useful work of each task; NAN where the task is a peer's. */
static void useful_work(Shape s, double multiply_adds[TASKS])
{
    RandomProblem r = random_problem(PLAIN, s.length, s.dim, NO_WINDOW, &BINARY64, 1);
    for (int k = 0; k < TASKS; k++) {
        multiply_adds[k] = k == DGEMM ? DGEMM_MULTIPLY_ADDS : NAN;
        if (works[k].ours && (k != NAIVE_64 || s.naive)) {
            Counts c = run_counts(works[k].form, &r.problem, s.block);
            multiply_adds[k] = (double)c.multiply_adds;
        }
    }
    random_problem_free(&r);
}

static json_t *measure_shape(const Bench *b, Shape s, int threads, double *dgemm_squares,
                             const double multiply_adds[TASKS])
{
    RandomProblem r = random_problem(PLAIN, s.length, s.dim, NO_WINDOW, &BINARY64, 1);
    Task t[TASKS] = {[DGEMM] = {.work = multiply_squares, .what = dgemm_squares}};
    Run runs[TASKS] = {{0}};
    set_threads(threads);
    for (int k = FLOOR; k < TASKS; k++) {
        if (works[k].ours && (k != NAIVE_64 || (s.naive && threads == 1))) {
            runs[k] = run_ready(works[k].form, works[k].system(), &r.problem, s.block);
            t[k] = (Task){.work = run_once, .what = &runs[k]};
        } else if (!works[k].ours && b->peer[works[k].peer][threads]) {
            t[k] = (Task){.peer = b->peer[works[k].peer][threads], .form = works[k].peer_form};
        }
        t[k].every = k >= DECODE_64 ? SLOW_EVERY : 0;
    }
    for (PeerName k = NUMPY; k <= TORCH; k++)
        if (b->peer[k][threads])
            peer_load(b->peer[k][threads], &r.problem, b->folder);
    char what[60];
    (void)snprintf(what, sizeof what, "forms, L = %zu, threads: %d", s.length, threads);
    Progress *progress = progress_begin(what, "run", (size_t)b->rounds * TASKS);
    for (int round = 0; round < b->rounds; round++)
        tasks_round(t, TASKS, round, progress);
    progress_end(progress);
    json_t *object = say_shape(b, s, threads, t, &r.problem, multiply_adds);
    for (int k = FLOOR; k < TASKS; k++)
        if (runs[k].in)
            run_end(&runs[k]);
    random_problem_free(&r);
    return object;
}

void bench_forms(Bench *b)
{
    static const Shape shapes[] = {{512, 64, 64, true}, {2048, 128, 128, false}};
    double *dgemm_squares = squares();
    json_t *all = json_array();
    say("\nThe forms in the machine's arithmetic\n"
        "  of dgemm: counted multiply-adds a second, over dgemm's    x floor: over causal "
        "attention, f64\n"
        "  x numpy, x torch: the peer's time over this one, same numbers    o off by: of a row's "
        "largest\n");
    for (size_t k = 0; k < (b->quick ? 1 : 2); k++) {
        double multiply_adds[TASKS];
        useful_work(shapes[k], multiply_adds);
        for (int threads = 1; threads <= b->threads; threads++)
            json_array_append_new(
                all, measure_shape(b, shapes[k], threads, dgemm_squares, multiply_adds));
    }
    json_object_set_new(b->report, "forms", all);
    free(dgemm_squares);
}
