/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tasks: which numbers are whose, and that a written task is read again as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dump.h"
#include "task_support.h"
#include "vectors_support.h"

static const Sizes some_heads = {2, 3, 5, 4, 0}, some_layer = {2, 3, 5, 4, 7};

static void heads_are_problems_of_their_own(void **state)
{
    (void)state;
    Task t = random_task(&some_heads, "float32", 1);
    t.window = 3, t.scale = 0.75, t.variant = WITHOUT_SILU, t.stages = true;
    assert_int_equal(task_problems(&t), 6);
    for (size_t k = 0; k < 6; k++) {
        Problem p = task_problem(&t, k);
        assert_true(p.length == 5 && p.dim == 4 && p.window == 3 && p.scale == 0.75);
        assert_true(p.variant == WITHOUT_SILU && p.stages && !p.layer);
        for (Input i = 0; i < INPUTS; i++)
            assert_ptr_equal(p.input[i], t.input[i] + 20 * k);
        assert_ptr_equal(p.cotangent, t.cotangent + 20 * k);
    }
    assert_int_equal(task_part(&t, ANSWER_O), 20);
    assert_int_equal(task_part(&t, ANSWER_LSE), 5);
    assert_int_equal(task_part(&t, ANSWER_DG), 25);
    task_free(&t);
    assert_true(!t.input[0] && !t.cotangent && t.size.batch == 0);
}

static void a_layer_is_one_problem(void **state)
{
    (void)state;
    Task t = random_task(&some_layer, "float32", 2);
    assert_int_equal(task_problems(&t), 1);
    Problem p = task_problem(&t, 0);
    assert_ptr_equal(p.layer, &t.layer);
    assert_ptr_equal(p.cotangent, t.cotangent);
    assert_true(p.layer->batch == 2 && p.layer->heads == 3 && p.layer->width == 7);
    for (Input i = 0; i < INPUTS; i++)
        assert_null(p.input[i]);
    for (LayerInput i = 0; i < LAYER_INPUTS; i++)
        assert_ptr_equal(p.layer->input[i], t.layer_input[i]);
    for (Answer a = LAYER_ANSWERS_BEGIN; a < ANSWERS; a++) {
        MatrixShape s = answer_shape(&p, a);
        assert_int_equal(task_part(&t, a), s.rows * s.cols);
    }
    task_free(&t);
}

static void what_is_asked_depends_on_cotangent_and_stages(void **state)
{
    (void)state;
    for (size_t k = 0; k < 8; k++) {
        bool layer = k & 1, gradients = k & 2, stages = k & 4;
        Task t = random_task(layer ? &some_layer : &some_heads, "float32", 3);
        double *cotangent = t.cotangent;
        t.cotangent = gradients ? cotangent : NULL;
        t.stages = stages;
        for (Answer a = 0; a < ANSWERS; a++) {
            bool of_layer = a >= LAYER_ANSWERS_BEGIN;
            bool asked = of_layer == layer && (gradients || !answer_is_gradient(a)) &&
                         (stages || !answer_is_stage(a));
            assert_int_equal(task_asks(&t, a), asked);
        }
        t.cotangent = cotangent;
        task_free(&t);
    }
}

static void assert_same_numbers(const double *a, const double *b, Layout l)
{
    assert_memory_equal(a, b, layout_count(&l) * sizeof *a);
}

static void assert_read_again(const Task *t)
{
    const Answered none = {{NULL}};
    Dump d;
    Failure failure;
    if (!dump_open(&d, dumped(t, &none, "task"), &(DumpOptions){0}, &failure))
        fail_msg("%s", failure.text);
    assert_memory_equal(&d.task.size, &t->size, sizeof t->size);
    assert_true(d.task.window == t->window && d.task.scale == t->scale);
    assert_true(d.task.variant == t->variant && d.task.type == t->type);
    assert_string_equal(d.task.arithmetic.name, t->arithmetic.name);
    for (Input k = 0; !t->size.width && k < INPUTS; k++)
        assert_same_numbers(d.task.input[k], t->input[k], input_layout(&t->size));
    for (LayerInput k = 0; t->size.width && k < LAYER_INPUTS; k++)
        assert_same_numbers(d.task.layer_input[k], t->layer_input[k],
                            layer_input_layout(&t->size, k));
    assert_int_equal(d.task.cotangent != NULL, t->cotangent != NULL);
    if (t->cotangent)
        assert_same_numbers(d.task.cotangent, t->cotangent, cotangent_layout(&t->size));
    assert_int_equal(d.not_judged_count, 0);
    dump_close(&d);
}

static void a_written_task_is_read_again(void **state)
{
    static const char *const names[] = {"float64", "float32,su=bfloat16", "bfloat16", "float16"};
    static const size_t windows[] = {NO_WINDOW, 0, 3};
    static const double scales[] = {0, 0.1, -2};
    (void)state;
    for (size_t k = 0; k < 24; k++) {
        Task t = random_task(k % 2 ? &some_layer : &some_heads, names[k / 2 % 4], k);
        t.window = windows[k % 3], t.scale = scales[k / 3 % 3], t.variant = (Variant)(k % 3);
        if (k % 5 == 4) {
            free(t.cotangent);
            t.cotangent = NULL;
        }
        assert_read_again(&t);
        task_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_problems_of_their_own),
        cmocka_unit_test(a_layer_is_one_problem),
        cmocka_unit_test(what_is_asked_depends_on_cotangent_and_stages),
        cmocka_unit_test(a_written_task_is_read_again),
    };
    return cmocka_run_group_tests_name("task", tests, scratch_make, scratch_remove);
}
