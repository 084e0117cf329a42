/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "dump_support.h"
#include "vectors_support.h"

/* ---- defaults and overrides ----------------------------------------------------------------- */

static void assert_described(const Dump *d, const char *window, const char *scale)
{
    char text[60];
    task_describe_window(&d->task, text, sizeof text);
    assert_string_equal(text, window);
    task_describe_scale(&d->task, text, sizeof text);
    assert_string_equal(text, scale);
}

static void what_is_not_stated_has_a_default(void **state)
{
    Draft f = full_draft();
    Dump d = draft_opened(&f, &nothing);
    (void)state;
    assert_false(d.window_stated || d.scale_stated || d.arithmetic_stated);
    assert_int_equal(d.task.window, NO_WINDOW);
    assert_true(d.task.scale == 0);
    assert_string_equal(d.task.arithmetic.name, "float32");
    assert_described(&d, "none", "1/sqrt(d)");
    dump_close(&d);
}

static void metadata_are_read(void **state)
{
    Draft f = full_draft();
    (void)state;
    f.window = "17", f.scale = "-0.1", f.arithmetic = "bfloat16,p=float32";
    Dump d = draft_opened(&f, &nothing);
    assert_true(d.window_stated && d.scale_stated && d.arithmetic_stated);
    assert_int_equal(d.task.window, 17);
    assert_true(d.task.scale == -0.1);
    assert_string_equal(d.task.arithmetic.name, "bfloat16,p=float32");
    assert_ptr_equal(d.task.arithmetic.site[STAGE_P], &BINARY32);
    assert_ptr_equal(d.task.arithmetic.site[STAGE_G], &BFLOAT16);
    assert_described(&d, "17", "-0.10000000000000001");
    dump_close(&d);

    f.window = "none", f.scale = "1/sqrt(d)";
    d = draft_opened(&f, &nothing);
    assert_true(d.window_stated && d.scale_stated);
    assert_described(&d, "none", "1/sqrt(d)");
    dump_close(&d);

    f.window = "0";
    d = draft_opened(&f, &nothing);
    assert_int_equal(d.task.window, 0);
    assert_described(&d, "0", "1/sqrt(d)");
    dump_close(&d);
}

static void the_command_line_overrides_metadata(void **state)
{
    const DumpOptions given = {.arithmetic = "tf32", .window = "5", .scale = "0.25"},
                      defaults = {.window = "none", .scale = "1/sqrt(d)"};
    Draft f = full_draft();
    (void)state;
    f.window = "17", f.scale = "2", f.arithmetic = "bfloat16";
    Dump d = draft_opened(&f, &given);
    assert_described(&d, "5", "0.25");
    assert_string_equal(d.task.arithmetic.name, "tf32");
    assert_true(d.window_stated && d.scale_stated && d.arithmetic_stated);
    dump_close(&d);

    d = draft_opened(&f, &defaults);
    assert_described(&d, "none", "1/sqrt(d)");
    assert_string_equal(d.task.arithmetic.name, "bfloat16");
    dump_close(&d);

    /* ... also where the metadata are unusable */
    f.window = f.scale = f.arithmetic = "garbage";
    d = draft_opened(&f, &given);
    assert_described(&d, "5", "0.25");
    dump_close(&d);
}

/* ---- types ---------------------------------------------------------------------------------- */

static void arithmetic_defaults_to_the_type_of_the_answers(void **state)
{
    static const struct {
        NumberType inputs, o, lse, u;
        bool has_o, has_lse, has_u;
        const char *expected;
    } cases[] = {
        {TYPE_F32, TYPE_BF16, TYPE_F32, TYPE_F64, true, true, true, "bfloat16"},
        {TYPE_F32, TYPE_BF16, TYPE_F32, TYPE_F16, false, true, true, "float16"},
        {TYPE_F64, TYPE_BF16, TYPE_F32, TYPE_F16, false, true, false, "float64"},
        {TYPE_BF16, TYPE_F32, TYPE_F32, TYPE_F16, false, false, false, "bfloat16"},
    };
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        Draft f = {.count = 0};
        for (Input i = 0; i < INPUTS; i++)
            draft_add(&f, input_name(i), cases[k].inputs, 4, 0);
        if (cases[k].has_o)
            draft_add(&f, "o", cases[k].o, 4, 0);
        if (cases[k].has_lse)
            draft_add(&f, "lse", cases[k].lse, 3, 0);
        if (cases[k].has_u)
            draft_add(&f, "u", cases[k].u, 4, 0);
        Dump d = draft_opened(&f, &nothing);
        assert_string_equal(d.task.arithmetic.name, cases[k].expected);
        assert_int_equal(d.answer[ANSWER_O] != NULL, cases[k].has_o);
        assert_int_equal(d.answer[ANSWER_LSE] != NULL, cases[k].has_lse);
        assert_int_equal(d.answer[ANSWER_U] != NULL, cases[k].has_u);
        dump_close(&d);
    }
}

/* An answer in a file is rounded to the file's type; no declared rounding is ever taken back. */
static void stored_types_only_coarsen_the_declaration(void **state)
{
    Draft f = full_draft();
    (void)state;
    f.arithmetic = "float64";
    draft_find(&f, "u")->type = TYPE_F64;
    Dump d = draft_opened(&f, &nothing);
    assert_ptr_equal(d.task.arithmetic.site[STAGE_O], &BINARY32);
    assert_ptr_equal(d.task.arithmetic.site[STAGE_LSE], &BINARY32);
    assert_ptr_equal(d.task.arithmetic.site[STAGE_U], &BINARY64);
    assert_ptr_equal(d.task.arithmetic.accumulate, &BINARY64);
    dump_close(&d);

    f.arithmetic = "bfloat16";
    d = draft_opened(&f, &nothing);
    assert_ptr_equal(d.task.arithmetic.site[STAGE_O], &BFLOAT16);
    assert_ptr_equal(d.task.arithmetic.site[STAGE_U], &BFLOAT16);
    dump_close(&d);
}

static void the_type_holds_all_inputs(void **state)
{
    static const struct {
        NumberType first, second, expected;
    } cases[] = {
        {TYPE_F32, TYPE_F32, TYPE_F32},
        {TYPE_F32, TYPE_F64, TYPE_F64},
        {TYPE_F64, TYPE_F16, TYPE_F64},
        {TYPE_F16, TYPE_F16, TYPE_F16},
        {TYPE_BF16, TYPE_F32, TYPE_F32},
        /* neither of the two holds the other */
        {TYPE_F16, TYPE_BF16, TYPE_F32},
        {TYPE_BF16, TYPE_F16, TYPE_F32},
    };
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (size_t changed = 1; changed < INPUTS; changed++) {
            Draft f = {.count = 0};
            for (Input i = 0; i < INPUTS; i++)
                draft_add(&f, input_name(i), i == changed ? cases[k].second : cases[k].first, 4, 0);
            Dump d = draft_opened(&f, &nothing);
            assert_int_equal(d.task.type, cases[k].expected);
            dump_close(&d);
        }
}

/* ---- indexing ------------------------------------------------------------------------------- */

static void heads_lie_behind_one_another_in_their_batch(void **state)
{
    Draft f = full_draft();
    (void)state;
    f.window = "2", f.scale = "0.5";
    Dump d = draft_opened(&f, &nothing);
    assert_int_equal(d.task.size.batch, BATCH);
    assert_int_equal(d.task.size.heads, HEADS);
    assert_int_equal(d.task.size.length, LENGTH);
    assert_int_equal(d.task.size.dim, DIM);
    assert_int_equal(task_problems(&d.task), BATCH * HEADS);
    for (size_t b = 0; b < BATCH; b++)
        for (size_t h = 0; h < HEADS; h++) {
            size_t index = b * HEADS + h;
            Problem p = task_problem(&d.task, index);
            assert_int_equal(p.length, LENGTH);
            assert_int_equal(p.dim, DIM);
            assert_int_equal(p.window, 2);
            assert_true(p.scale == 0.5);
            for (size_t t = 0; t < LENGTH; t++) {
                size_t token = index * LENGTH + t;
                assert_true(dump_answer(&d, ANSWER_LSE, index)[t] == 2000 + (double)token);
                for (size_t j = 0; j < DIM; j++) {
                    double at = (double)(token * DIM + j);
                    for (size_t k = 0; k < INPUTS; k++)
                        assert_true(p.input[k][t * DIM + j] == 100 * (double)k + at);
                    assert_true(dump_answer(&d, ANSWER_O, index)[t * DIM + j] == 1000 + at);
                    assert_true(dump_answer(&d, ANSWER_U, index)[t * DIM + j] == 3000 + at);
                }
            }
        }
    dump_close(&d);
}

static void a_missing_answer_is_null(void **state)
{
    Draft f = full_draft();
    (void)state;
    f.count = INPUTS;
    Dump d = draft_opened(&f, &nothing);
    for (Answer a = 0; a < ANSWERS; a++)
        for (size_t index = 0; index < task_problems(&d.task); index++)
            assert_null(dump_answer(&d, a, index));
    dump_close(&d);
}

static void the_order_of_tensors_does_not_matter(void **state)
{
    Draft f = full_draft();
    (void)state;
    for (size_t k = 0; k < f.count / 2; k++) {
        Piece p = f.piece[k];
        f.piece[k] = f.piece[f.count - 1 - k];
        f.piece[f.count - 1 - k] = p;
    }
    Dump d = draft_opened(&f, &nothing);
    for (size_t k = 0; k < INPUTS; k++)
        assert_true(d.task.input[k][0] == 100 * (double)k);
    assert_true(d.answer[ANSWER_LSE][0] == 2000);
    dump_close(&d);
}

/* ---- what is not judged --------------------------------------------------------------------- */

static void all_else_is_listed_as_not_judged(void **state)
{
    Draft f = full_draft();
    (void)state;
    draft_add(&f, "dx", TYPE_F32, 4, 0);
    draft_add(&f, "do", TYPE_F32, 4, 0);
    draft_add(&f, "O", TYPE_F32, 4, 0);
    draft_add(&f, "", TYPE_F32, 1, 0);
    draft_add(&f, "o.lo", TYPE_F64, 4, 0);
    Dump d = draft_opened(&f, &nothing);
    assert_int_equal(d.not_judged_count, 4);
    assert_string_equal(d.not_judged[0], "o.lo"); /* files have wide numbers first */
    assert_string_equal(d.not_judged[1], "dx");
    assert_string_equal(d.not_judged[2], "O");
    assert_string_equal(d.not_judged[3], "");
    dump_close(&d);
}

static void the_list_of_what_is_not_judged_ends(void **state)
{
    char names[80][8];
    Draft f = full_draft();
    (void)state;
    for (size_t k = 0; k < 80; k++) {
        (void)snprintf(names[k], sizeof names[k], "x%zu", k);
        draft_add(&f, names[k], TYPE_F32, 1, 0);
    }
    Dump d = draft_opened(&f, &nothing);
    assert_int_equal(d.not_judged_count, 64);
    assert_string_equal(d.not_judged[63], "x63");
    dump_close(&d);
}

static void closing_leaves_nothing(void **state)
{
    Draft f = full_draft();
    Dump d = draft_opened(&f, &nothing);
    (void)state;
    dump_close(&d);
    assert_true(dump_is_empty(&d));
    dump_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_stated_has_a_default),
        cmocka_unit_test(metadata_are_read),
        cmocka_unit_test(the_command_line_overrides_metadata),
        cmocka_unit_test(arithmetic_defaults_to_the_type_of_the_answers),
        cmocka_unit_test(stored_types_only_coarsen_the_declaration),
        cmocka_unit_test(the_type_holds_all_inputs),
        cmocka_unit_test(heads_lie_behind_one_another_in_their_batch),
        cmocka_unit_test(a_missing_answer_is_null),
        cmocka_unit_test(the_order_of_tensors_does_not_matter),
        cmocka_unit_test(all_else_is_listed_as_not_judged),
        cmocka_unit_test(the_list_of_what_is_not_judged_ends),
        cmocka_unit_test(closing_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
