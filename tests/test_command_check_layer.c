/* SPDX-License-Identifier: GPL-3.0-or-later */
/* castle check on whole layers and on stages: which tensor is called wrong, and which right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"
#include "layer_kernel.h"
#include "task_support.h"

#include <math.h>

static const Sizes layer_size = {2, 2, 7, 4, 6}, head_size = {1, 2, 6, 3, 0};

static const char *verdict_of(const json_t *doc, Answer a)
{
    return json_string_value(json_object_get(tensor_in(doc, 0, a), "verdict"));
}

/* Exactly the answers of which `wrong` says so are wrong, and all others right. */
typedef bool IsWrong(Answer, const void *data);
static void assert_wrong_tensors(const char *what, const Task *t, const Answered *all,
                                 IsWrong *wrong, const void *data)
{
    run("check", "--json", dumped(t, all, "dump"));
    json_t *doc = document();
    bool any = false;
    for (Answer a = 0; a < ANSWERS; a++) {
        if (!all->of[a])
            continue;
        bool expected = wrong(a, data);
        any = any || expected;
        const char *verdict = verdict_of(doc, a);
        if (!verdict || strcmp(verdict, expected ? "wrong" : "right") != 0) {
            print_error("%s: %s\n", what, answer_name(a));
            complain("expected ", expected ? "wrong" : "right");
        }
    }
    assert_status(any ? WRONG_STATUS : RIGHT_STATUS);
    json_decref(doc);
}

static bool is_this(Answer a, const void *wrong) { return a == *(const Answer *)wrong; }
static bool is_any(Answer a, const void *data) { return (void)a, (void)data, true; }
static bool is_none(Answer a, const void *data) { return (void)a, (void)data, false; }

/* ---- layers --------------------------------------------------------------------------------- */

static bool is_touched(Answer a, const void *fault)
{
    return layer_fault_touches(*(const LayerFault *)fault, a);
}

static void a_fault_shows_in_the_tensors_that_it_touches(void **state)
{
    (void)state;
    for (LayerFault f = SOUND_LAYER; f < LAYER_FAULTS; f++) {
        Task t = random_task(&layer_size, "float32", 1 + f);
        Answered all = layer_kernel(&t, f);
        assert_wrong_tensors(layer_fault_name(f), &t, &all, is_touched, &f);
        answered_free(&all);
        task_free(&t);
    }
}

/* ref/layer.c itself, in every arithmetic, with windows and variants. */
static void played_layers_are_right(void **state)
{
    static const char *const names[] = {"float32", "bfloat16", "float16", "tf32", "float64"};
    (void)state;
    for (size_t k = 0; k < (in_short() ? 2 : 5); k++) {
        Task t = random_task(&layer_size, names[k % 5], k);
        t.window = k % 3 ? NO_WINDOW : k, t.variant = (Variant)(k % 3);
        Answered all = played(&t);
        assert_wrong_tensors(t.arithmetic.name, &t, &all, is_none, NULL);
        answered_free(&all);
        task_free(&t);
    }
}

static void another_window_or_variant_is_wrong(void **state)
{
    (void)state;
    Task t = random_task(&layer_size, "float32", 3);
    t.window = 2, t.variant = WITHOUT_SILU;
    Answered all = played(&t);
    const char *path = dumped(&t, &all, "dump");
    judges("right", path);
    assert_out("variant without-silu");
    assert_out(", a layer with dm 6; window 2, ");
    judges("wrong", "--window", "3", path);
    judges("wrong", "--variant", "castle", path);
    judges("wrong", "--variant=without-causal-keys", path);
    judges("right", "--variant=without-silu", path);
    judges("wrong", "--scale", "0.51", path);
    answered_free(&all);
    task_free(&t);
}

/* ---- answers that are none ------------------------------------------------------------------ */

typedef double Substitute(const double *answers, size_t k);
static double not_a_number(const double *x, size_t k) { return (void)x, (void)k, NAN; }
static double zero(const double *x, size_t k) { return (void)x, (void)k, 0; }
static double constant(const double *x, size_t k) { return (void)x, (void)k, 0.5; }
static double sign_changed(const double *x, size_t k) { return -x[k]; }
static double one_infinite(const double *x, size_t k) { return k ? x[k] : INFINITY; }

static void substitutes_are_wrong(const Task *t)
{
    static Substitute *const substitutes[] = {not_a_number, zero, constant, sign_changed,
                                              one_infinite};
    for (size_t n = 0; n < sizeof substitutes / sizeof *substitutes; n++) {
        Answered all = played(t);
        for (Answer a = 0; a < ANSWERS; a++)
            for (size_t k = 0, m = all.of[a] ? task_problems(t) * task_part(t, a) : 0; k < m; k++)
                all.of[a][k] = substitutes[n](all.of[a], k);
        assert_wrong_tensors("substitute", t, &all, is_any, NULL);
        answered_free(&all);
    }
}

static void answers_that_are_none_are_wrong(void **state)
{
    const Sizes small_layer = {2, 2, 3, 2, 3}, small_heads = {1, 2, 3, 2, 0};
    (void)state;
    Task t = random_task(&small_layer, "bfloat16", 4);
    substitutes_are_wrong(&t);
    task_free(&t);
    t = random_task(&small_heads, "float32", 4);
    t.stages = true;
    substitutes_are_wrong(&t);
    task_free(&t);
}

/* ---- stages --------------------------------------------------------------------------------- */

static Task stage_task(const char *arithmetic, unsigned long seed)
{
    Task t = random_task(&head_size, arithmetic, seed);
    t.stages = true;
    return t;
}

static void played_stages_are_right(void **state)
{
    static const char *const names[] = {"float32", "bfloat16", "float32,su=bfloat16,p=float16",
                                        "float64", "tf32"};
    (void)state;
    for (size_t k = 0; k < (in_short() ? 2 : 5); k++) {
        Task t = stage_task(names[k % 5], k);
        t.window = k % 4 ? NO_WINDOW : k, t.variant = (Variant)(k % 3);
        Answered all = played(&t);
        assert_wrong_tensors(t.arithmetic.name, &t, &all, is_none, NULL);
        answered_free(&all);
        task_free(&t);
    }
}

/* An entry of the second head in the last row (of g and dg, in the first). */
static size_t entry_inside(const Task *t, Answer a)
{
    size_t L = t->size.length;
    return L * L + (a == ANSWER_G || a == ANSWER_DG ? L - 1 : (L - 1) * L + 1);
}

static void one_wrong_stage_is_named(void **state)
{
    (void)state;
    Task t = stage_task("float32", 21);
    Answered all = played(&t);
    for (Answer a = ANSWER_SC; a <= ANSWER_DG; a++) {
        double *x = &all.of[a][entry_inside(&t, a)], right = *x;
        *x = (float)(right * 1.01);
        assert_wrong_tensors("1 % off", &t, &all, is_this, &a);
        if (a == ANSWER_DT1) {
            judges("wrong", scratch_path("dump"));
            assert_out("\n  dt1     wrong");
            assert_out("[0, 1, 5, 1]\n");
            assert_fits_page();
        }
        *x = right;
    }
    answered_free(&all);
    task_free(&t);
}

static bool is_masked_stage(Answer a, const void *data)
{
    (void)data;
    return answer_is_stage(a) && a != ANSWER_SC && a != ANSWER_DP;
}

/* What lies outside the masks of sc and dp is nobody's business; elsewhere a kernel reads it. */
static void garbage_outside_a_mask(void **state)
{
    static const double garbage[] = {1e30, -1, NAN, INFINITY};
    (void)state;
    Task t = stage_task("float32", 22);
    Answered all = played(&t);
    size_t L = t.size.length, above = L - 1, below = (L - 1) * L;
    for (size_t k = 0; k < 4; k++) {
        for (Answer a = ANSWER_SC; a <= ANSWER_DG; a++)
            all.of[a][a == ANSWER_G || a == ANSWER_DG ? below : above] = (float)garbage[k];
        assert_wrong_tensors("garbage", &t, &all, is_masked_stage, NULL);
    }
    answered_free(&all);
    task_free(&t);
}

static void the_first_wrong_stage_is_where_the_fault_is(void **state)
{
    (void)state;
    /* SiLU omitted: su is right still, p is the first to differ */
    Task t = stage_task("float32", 23);
    t.variant = WITHOUT_SILU;
    Answered all = played(&t);
    t.variant = CASTLE;
    run("check", "--json", dumped(&t, &all, "dump"));
    json_t *doc = document();
    for (Answer a = ANSWER_SC; a <= ANSWER_SU; a++)
        assert_string_equal(verdict_of(doc, a), "right");
    assert_string_equal(verdict_of(doc, ANSWER_DP), "right");
    for (Answer a = ANSWER_P; a <= ANSWER_DG; a++)
        if (a != ANSWER_DP)
            assert_string_equal(verdict_of(doc, a), "wrong");
    json_decref(doc);
    answered_free(&all);
    task_free(&t);
}

/* ---- oracle --------------------------------------------------------------------------------- */

static void oracle_writes_layers_and_stages(void **state)
{
    const Answered none = {{NULL}};
    (void)state;
    Task t = random_task(&layer_size, "bfloat16", 5);
    t.variant = WITHOUT_CAUSAL_KEYS;
    const char *inputs = dumped(&t, &none, "inputs"), *truth = scratch_path("truth");
    run_right("oracle", inputs, "-o", truth);
    assert_out("the answers y dx dwqu dwku dwvu dwqc dwkc dwvc dwo; 0 ties");
    judges("right", "--arithmetic", "float64", truth);
    assert_out("variant without-causal-keys");
    refuses("--stages is for heads; the file holds a layer", "oracle", "--stages", inputs, "-o",
            truth);
    task_free(&t);

    t = random_task(&head_size, "float32", 6);
    inputs = dumped(&t, &none, "inputs");
    run_right("oracle", "--variant", "without-silu", inputs, "-o", truth);
    assert_not_out(" sc");
    run_right("oracle", "--stages", "--variant", "without-silu", inputs, "-o", truth);
    assert_out(" dvc sc t1 g su p dp ds dsu dt1 dg; 0 ties");
    judges("right", "--arithmetic", "float64", truth);
    judges("wrong", "--arithmetic", "float64", "--variant", "castle", truth);
    task_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_fault_shows_in_the_tensors_that_it_touches),
        TEST(played_layers_are_right),
        TEST(another_window_or_variant_is_wrong),
        TEST(answers_that_are_none_are_wrong),
        TEST(played_stages_are_right),
        TEST(one_wrong_stage_is_named),
        TEST(garbage_outside_a_mask),
        TEST(the_first_wrong_stage_is_where_the_fault_is),
        TEST(oracle_writes_layers_and_stages),
    };
    return run_command_tests(tests);
}
