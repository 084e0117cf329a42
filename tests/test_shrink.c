/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Shrinking: what is left fails still, and no step makes it smaller; and castle check --shrink finds the
 * smallest problem that shows a planted mistake (tests/kernels/planted.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"
#include "kernel_support.h"
#include "random_problem.h"
#include "shrink.h"
#include "shrink_steps.h"
#include "systems.h"
#include "task_support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- steps ------------------------------------------------------------------------------------ */

static double number_of(const Task *t, const double *x, size_t b, size_t h, size_t s, size_t k)
{
    const Sizes *z = &t->size;
    return x[((b * z->heads + h) * z->length + s) * z->dim + k];
}

/* All pieces of every axis of every small shape. */
static void what_is_cut_is_gone_and_the_rest_is_there(void **state)
{
    (void)state;
    for (size_t shape = 0; shape < 81; shape++) {
        const Sizes z = {1 + shape % 3, 1 + shape / 3 % 3, 1 + shape / 9 % 3, 1 + shape / 27, 0};
        Task t = random_task(&z, "float32", shape + 1);
        for (Axis axis = 0; axis < AXES; axis++)
            for (size_t first = 0; first < axis_length(&z, axis); first++)
                for (size_t end = first; end <= axis_length(&z, axis); end++) {
                    if (end - first == axis_length(&z, axis))
                        continue;
                    Task left = task_without(&t, axis, first, end);
                    assert_int_equal(axis_length(&left.size, axis),
                                     axis_length(&z, axis) - (end - first));
                    for (size_t b = 0; b < left.size.batch; b++)
                        for (size_t h = 0; h < left.size.heads; h++)
                            for (size_t s = 0; s < left.size.length; s++)
                                for (size_t k = 0; k < left.size.dim; k++) {
                                    size_t at[] = {b, h, s, k};
                                    at[axis] += at[axis] >= first ? end - first : 0;
                                    assert_true(number_of(&left, left.input[INPUT_KC], b, h, s,
                                                          k) == number_of(&t, t.input[INPUT_KC],
                                                                          at[0], at[1], at[2],
                                                                          at[3]));
                                    assert_true(
                                        number_of(&left, left.cotangent, b, h, s, k) ==
                                        number_of(&t, t.cotangent, at[0], at[1], at[2], at[3]));
                                }
                    task_free(&left);
                }
        task_free(&t);
    }
}

/* Random numbers of every type and every exponent, and the special ones. */
static void plainer_numbers_are_of_the_type_and_stay(void **state)
{
    (void)state;
    const double special[] = {0, -0.0, 1, -1, INFINITY, -INFINITY, NAN, 0x1p-149, 0x1p127};
    uint64_t at = 1;
    for (size_t n = 0; n < repetitions(20000); n++)
        for (unsigned type = 0; type < NUMBER_TYPES; type++) {
            double x = n < 9 ? special[n]
                             : format_round_double(ldexp((double)(int64_t)field_random(&at),
                                                         (int)(field_random(&at) % 300) - 210),
                                                   number_format((NumberType)type));
            for (size_t k = 0; k < PLAINER; k++) {
                double y = plainer[k](x);
                assert_true(number_is_representable((NumberType)type, y) ||
                            !number_is_representable((NumberType)type, x));
                assert_true(k == 0 ? y == 0 : isfinite(x) == isfinite(y));
                for (size_t i = 0; i < PLAINER && i <= k && k > 0 && i > 0; i++)
                    assert_true(plainer[k](plainer[i](x)) == plainer[i](x) || !isfinite(x));
            }
        }
}

/* ---- the search ------------------------------------------------------------------------------- */

/* Fails on what `rule` says, and counts. */
typedef struct Watch {
    bool (*rule)(const Task *);
    size_t runs;
} Watch;

static bool watched(const Task *t, void *context)
{
    Watch *w = context;
    w->runs++;
    return w->rule(t);
}

static bool long_one(const Task *t) { return t->size.length > 17; }
static bool second_head(const Task *t) { return t->size.heads > 1; }
static bool windowed(const Task *t) { return t->window != NO_WINDOW && t->window >= 6; }
static bool with_scale(const Task *t) { return t->scale != 0 && t->variant == WITHOUT_SILU; }
static bool wide(const Task *t) { return t->size.dim > 5; }
static bool always(const Task *t) { return t->size.length > 0; }

/* Three tokens, apart from each other, that only together do it. */
static bool three_marks(const Task *t)
{
    size_t seen = 0, n = t->size.batch * t->size.heads * t->size.length * t->size.dim;
    for (size_t k = 0; k < n; k++)
        seen += t->input[INPUT_VU][k] >= 2 && t->input[INPUT_VU][k] < 2.5;
    return seen >= 3;
}

static bool third_of(const Task *t) { return t->cotangent && t->cotangent[0] > 0.7; }

static const struct {
    bool (*rule)(const Task *);
    Sizes left;
    size_t window;
    double least; /* the number that remains in one place, or 0 */
} searches[] = {
    {always, {1, 1, 1, 1, 0}, NO_WINDOW, 0},    {wide, {1, 1, 1, 6, 0}, NO_WINDOW, 0},
    {long_one, {1, 1, 18, 1, 0}, NO_WINDOW, 0}, {second_head, {1, 2, 1, 1, 0}, NO_WINDOW, 0},
    {windowed, {1, 1, 1, 1, 0}, 6, 0},          {with_scale, {1, 1, 1, 1, 0}, NO_WINDOW, 0},
    {third_of, {1, 1, 1, 1, 0}, NO_WINDOW, 1},
};

static Task large_task(unsigned long seed)
{
    Task t = random_task(&(Sizes){2, 3, 53, 16, 0}, "bfloat16", seed);
    t.window = 17;
    t.scale = 0.3;
    t.variant = WITHOUT_SILU;
    if (t.cotangent[0] < 0.7)
        t.cotangent[0] = 0.75;
    return t;
}

static void each_search_ends_at_the_smallest(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof searches / sizeof *searches; k++) {
        Watch w = {searches[k].rule, 0};
        Task t = large_task(k + 1);
        ShrinkResult r = shrink(&t, &(Shrinking){watched, &w, SHRINK_MOST_RUNS, NULL});
        assert_int_equal(r.runs, w.runs);
        assert_in_range(r.runs, 1, SHRINK_MOST_RUNS - 1);
        assert_false(r.exhausted);
        assert_true(searches[k].rule(&t));
        if (memcmp(&t.size, &searches[k].left, sizeof t.size) != 0 ||
            t.window != searches[k].window)
            fail_msg("search %zu: batch %zu, heads %zu, L %zu, d %zu, window %zu", k, t.size.batch,
                     t.size.heads, t.size.length, t.size.dim, t.window);
        assert_true((t.scale == 0) == (searches[k].rule != with_scale));
        assert_true((t.cotangent == NULL) == (searches[k].rule != third_of));
        assert_true(!t.cotangent || t.cotangent[0] == searches[k].least);
        for (Input i = 0; i < INPUTS; i++)
            assert_true(t.input[i][0] == 0);
        task_free(&t);
    }
}

/* Of 40 tokens the three that matter stay, each number 2; without one of them nothing fails. */
static void what_lies_apart_is_found(void **state)
{
    (void)state;
    Watch w = {three_marks, 0};
    Task t = random_task(&(Sizes){1, 1, 40, 1, 0}, "float32", 5);
    for (size_t k = 0; k < 40; k++)
        t.input[INPUT_VU][k] = k == 3 || k == 18 || k == 37 ? 2.25 : -0.5;
    ShrinkResult r = shrink(&t, &(Shrinking){watched, &w, SHRINK_MOST_RUNS, NULL});
    assert_false(r.exhausted);
    assert_int_equal(t.size.length, 3);
    for (size_t k = 0; k < 3; k++)
        assert_true(t.input[INPUT_VU][k] == 2);
    task_free(&t);
}

static bool same_tasks(const Task *a, const Task *b) { return task_hash(a) == task_hash(b); }

/* Nothing that the search does is left to chance, and it keeps to its runs, whatever is left. */
static void the_runs_are_counted_and_repeat(void **state)
{
    (void)state;
    for (size_t most = 1; most < 60; most += 7) {
        Watch w = {three_marks, 0};
        Task a = large_task(3), b = task_copy(&a);
        const Shrinking how = {watched, &w, most, NULL};
        ShrinkResult first = shrink(&a, &how);
        assert_true(w.runs <= most);
        assert_int_equal(w.runs, first.runs);
        assert_true(first.exhausted);
        assert_true(three_marks(&a));
        (void)shrink(&b, &how);
        assert_true(same_tasks(&a, &b));
        b.input[INPUT_QU][0] += 1;
        assert_false(same_tasks(&a, &b));
        task_free(&a);
        task_free(&b);
    }
}

/* ---- castle check --shrink -------------------------------------------------------------------- */

#define HEADS "plain-batch-heads-f32"
#define ODD "plain-scale-odd-f32" /* 20 tokens, d = 16, scale 0.3 */
#define WINDOW "tiny-three-window-1-f32"

static char library[100], golden[100];

static int setup(void **state)
{
    static const char *const cases[] = {HEADS, ODD, WINDOW};
    if (command_setup(state))
        return -1;
    (void)snprintf(golden, sizeof golden, "%s", scratch_path("golden"));
    (void)snprintf(library, sizeof library, "%s", scratch_path("planted.so"));
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        run_right("emit", "--out", golden, "--case", cases[k]);
    return library_compiled(library, "tests/kernels/planted.c", "-DUNUSED") ? 0 : -1;
}

/* A name for what is left, where nothing is yet. */
static const char *free_path(void)
{
    static char path[150];
    (void)snprintf(path, sizeof path, "%s", scratch_path("left.safetensors"));
    (void)unlink(path);
    return path;
}

#define check(fault, ...) \
    ((void)setenv("CASTLE_TEST_FAULT", fault, 1), \
     run("check", "--kernel", library, "--golden", golden, "--time-limit", "5", __VA_ARGS__))

static const struct {
    const char *fault, *from, *said, *left;
} planted[] = {
    {"long", ODD, "forward: o is wrong\n",
     "batch 1, heads 1, L 18, d 1; window none, scale 1/sqrt(d)\n"},
    {"window", WINDOW, "forward: o is wrong\n",
     "batch 1, heads 1, L 1, d 1; window 0, scale 1/sqrt(d)\n"},
    {"batch", HEADS, "forward: o is wrong\n",
     "batch 2, heads 1, L 1, d 1; window none, scale 1/sqrt(d)\n"},
    {"diagonal", HEADS, "forward: o is wrong\n",
     "batch 1, heads 1, L 2, d 1; window none, scale 1/sqrt(d)\n"},
    {"backward", HEADS, "backward: dkc is wrong\n",
     "batch 1, heads 1, L 4, d 1; window none, scale 1/sqrt(d)\n"},
    {"crash", HEADS, "forward: castle_kernel_forward was ended by SIGSEGV\n",
     "batch 1, heads 1, L 5, d 1; window none, scale 1/sqrt(d)\n"},
};

static void each_planted_mistake_is_made_small(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof planted / sizeof *planted; k++) {
        char expected[200];
        const char *path = free_path();
        check(planted[k].fault, "--case", planted[k].from, "--shrink", path);
        assert_status(WRONG_STATUS);
        (void)snprintf(expected, sizeof expected, "\nshrunk from %s, %s", planted[k].from,
                       planted[k].said);
        assert_out(expected);
        (void)snprintf(expected, sizeof expected, "\n  to   %s", planted[k].left);
        assert_out(expected);
        assert_fits_page();
        assert_silent_err();
        assert_int_equal(access(path, F_OK), 0);
        run("check", path); /* the dump says the same */
        if (strcmp(planted[k].fault, "crash") == 0) {
            assert_refused("there is nothing to judge");
            continue;
        }
        assert_status(WRONG_STATUS);
        (void)snprintf(expected, sizeof expected, ": wrong\n  %s", planted[k].left);
        assert_out(expected);
    }
}

static void numbers_are_shown_as_they_are_left(void **state)
{
    (void)state;
    check("vu", "--case", HEADS, "--shrink", free_path());
    assert_out("\nvu F32 [1, 1, 1, 1]\n  [0,0,0,0]                         1                   "
               "0x1p+0\n");
    assert_out("\nall 0: qu ku qc kc vc\n");
    assert_out("\no, what is wrong in it: answered, truth, z\n"
               "  [0,0,0,0]                           1                        0       inf\n");
    assert_out("  no known mistake agrees with the whole case\n");
}

static void a_right_kernel_leaves_nothing_to_shrink(void **state)
{
    (void)state;
    const char *path = free_path();
    check("", "--case", HEADS, "--shrink", path);
    assert_status(RIGHT_STATUS);
    assert_out("\nnothing to shrink: no case is wrong\n");
    assert_int_not_equal(access(path, F_OK), 0);
}

static void what_is_right_again_is_not_shrunk(void **state)
{
    (void)state;
    (void)setenv("CASTLE_TEST_MARK", scratch_path("mark"), 1);
    check("once", "--case", HEADS, "--shrink", free_path());
    assert_status(WRONG_STATUS);
    assert_out("\n" HEADS ", forward: right when it runs again; nothing is shrunk\n");
}

static void a_hang_takes_few_runs(void **state)
{
    (void)state;
    (void)setenv("CASTLE_TEST_FAULT", "hang", 1);
    run("check", "--kernel", library, "--golden", golden, "--time-limit", "0.05", "--case", HEADS,
        "--shrink", free_path());
    assert_status(WRONG_STATUS);
    assert_out("forward: castle_kernel_forward was stopped after 0.05 s\n");
    assert_out("\n  to   batch 1, heads 1, L 5, d 1; window none");
}

static void nothing_is_overwritten(void **state)
{
    (void)state;
    const char *path = free_path();
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    check("vu", "--case", HEADS, "--shrink", path);
    assert_refused("is there already; --shrink overwrites nothing");
    run("check", "--shrink=x", L2D1);
    assert_refused("--shrink is for kernels that are run");
    check("vu", "--case", HEADS, "--shrink=x", L2D1);
    assert_refused("a kernel that is run takes none");
}

/* The whole case has the mistake's name, what is left of it agrees with more of them. */
static void a_window_that_a_program_ignores_is_shrunk(void **state)
{
    (void)state;
    char command[300];
    const char *path = free_path();
    (void)snprintf(command, sizeof command,
                   "%s oracle --window none {in} -o {out}.f64 && mv {out}.f64 {out}",
                   program_path());
    run("check", "--run", command, "--golden", golden, "--case", WINDOW, "--types", "f32",
        "--shrink", path);
    assert_status(WRONG_STATUS);
    assert_out("\nshrunk from " WINDOW ", run: o is wrong\n");
    assert_out("\n  the whole case agrees with M");
    assert_fits_page();
    run("check", path);
    assert_out(": wrong\n  batch 1, heads 1, L 2, d 1; window 0, scale 1/sqrt(d)\n");
}

static void programs_read_what_is_left(void **state)
{
    (void)state;
    char whole[200];
    const char *path = free_path();
    (void)snprintf(whole, sizeof whole, "--shrink=%s", path);
    check("head", "--case", HEADS, whole, "--json");
    assert_status(WRONG_STATUS);
    json_t *all = json_loads(last.out, 0, NULL), *shrunk = json_object_get(all, "shrunk");
    const char *id, *call, *what, *file, *window;
    json_int_t runs, batch, heads, length, dim;
    int exhausted;
    assert_int_equal(json_unpack(shrunk, "{s:s, s:s, s:s, s:s, s:I, s:b, s:[I, I, I, I], s:s!}",
                                 "case", &id, "call", &call, "what", &what, "file", &file, "runs",
                                 &runs, "exhausted", &exhausted, "shape", &batch, &heads, &length,
                                 &dim, "window", &window),
                     0);
    assert_string_equal(id, HEADS);
    assert_string_equal(call, "forward");
    assert_string_equal(what, "o is wrong");
    assert_string_equal(file, path);
    assert_string_equal(window, "none");
    assert_true(runs > 0 && !exhausted);
    assert_true(batch == 1 && heads == 2 && length == 1 && dim == 1);
    json_decref(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_cut_is_gone_and_the_rest_is_there),
        cmocka_unit_test(plainer_numbers_are_of_the_type_and_stay),
        cmocka_unit_test(each_search_ends_at_the_smallest),
        cmocka_unit_test(what_lies_apart_is_found),
        cmocka_unit_test(the_runs_are_counted_and_repeat),
        cmocka_unit_test(each_planted_mistake_is_made_small),
        cmocka_unit_test(numbers_are_shown_as_they_are_left),
        cmocka_unit_test(a_right_kernel_leaves_nothing_to_shrink),
        cmocka_unit_test(what_is_right_again_is_not_shrunk),
        cmocka_unit_test(a_hang_takes_few_runs),
        cmocka_unit_test(nothing_is_overwritten),
        cmocka_unit_test(a_window_that_a_program_ignores_is_shrunk),
        cmocka_unit_test(programs_read_what_is_left),
    };
    return cmocka_run_group_tests(tests, setup, command_teardown);
}
