/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dumps of layers and of stages: what is read, and what is refused in one sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dump_support.h"
#include "vectors_support.h"

enum { DM = 4 };
static const Sizes size = {BATCH, HEADS, LENGTH, DIM, DM};

/* The tensors of a layer's dump: inputs, dy, answers. */
enum { TENSORS = LAYER_INPUTS + 1 + (ANSWERS - LAYER_ANSWERS_BEGIN) };

static const char *tensor_name(size_t k)
{
    if (k < LAYER_INPUTS)
        return layer_input_name((LayerInput)k);
    return k == LAYER_INPUTS ? "dy"
                             : answer_name((Answer)(LAYER_ANSWERS_BEGIN + k - LAYER_INPUTS - 1));
}

static Layout tensor_layout(size_t k)
{
    if (k < LAYER_INPUTS)
        return layer_input_layout(&size, (LayerInput)k);
    return k == LAYER_INPUTS
               ? cotangent_layout(&size)
               : answer_layout(&size, (Answer)(LAYER_ANSWERS_BEGIN + k - LAYER_INPUTS - 1));
}

static void add_laid_out(Draft *f, const char *name, NumberType type, Layout l, double first)
{
    draft_add(f, name, type, l.dims, first);
    memcpy(f->piece[f->count - 1].shape, l.shape, sizeof l.shape);
}

static Draft layer_draft(void)
{
    Draft f = {.count = 0};
    for (size_t k = 0; k < TENSORS; k++)
        add_laid_out(&f, tensor_name(k), TYPE_F32, tensor_layout(k), 100.0 * (double)k);
    return f;
}

static void refused(const char *test, const Draft *f, const char *expected)
{
    draft_write(f, scratch_path("dump"));
    draft_refused(test, scratch_path("dump"), &nothing, expected);
}

static void leave_out(Draft *f, const char *name)
{
    Piece *p = draft_find(f, name);
    *p = f->piece[--f->count];
}

/* ---- what is read --------------------------------------------------------------------------- */

static void a_layer_is_read_whole(void **state)
{
    (void)state;
    Draft f = layer_draft();
    f.window = "2";
    draft_add(&f, "o", TYPE_F32, 4, 0); /* of heads: a layer has none */
    draft_add(&f, "qu", TYPE_F32, 4, 0);
    Dump d = draft_opened(&f, &nothing);
    assert_memory_equal(&d.task.size, &size, sizeof size);
    assert_int_equal(d.task.type, TYPE_F32);
    assert_int_equal(d.task.window, 2);
    assert_int_equal(task_problems(&d.task), 1);
    for (size_t k = 0; k < TENSORS; k++) {
        Layout l = tensor_layout(k);
        const double *got = k < LAYER_INPUTS ? d.task.layer_input[k]
                            : k == LAYER_INPUTS
                                ? d.task.cotangent
                                : dump_answer(
                                      &d, LAYER_ANSWERS_BEGIN + (Answer)k - LAYER_INPUTS - 1, 0);
        for (size_t i = 0; i < layout_count(&l); i++)
            assert_true(got[i] == 100.0 * (double)k + (double)i);
    }
    Problem p = task_problem(&d.task, 0);
    assert_true(p.layer->heads == HEADS && p.layer->batch == BATCH && p.layer->width == DM);
    assert_ptr_equal(p.layer->input[LAYER_WO], d.task.layer_input[LAYER_WO]);
    assert_int_equal(d.not_judged_count, 2);
    assert_string_equal(d.not_judged[0], "o");
    assert_string_equal(d.not_judged[1], "qu");
    dump_close(&d);
    assert_true(dump_is_empty(&d));
}

static void a_layers_answers_give_the_arithmetic(void **state)
{
    (void)state;
    Draft f = layer_draft();
    draft_find(&f, "y")->type = TYPE_F16;
    draft_find(&f, "dwo")->type = TYPE_BF16;
    draft_find(&f, "dwo")->first = 0;
    draft_find(&f, "wku")->type = TYPE_F64;
    Dump d = draft_opened(&f, &nothing);
    assert_string_equal(d.task.arithmetic.name, "float16");
    assert_ptr_equal(d.task.arithmetic.site[STAGE_DW], &BFLOAT16);
    assert_int_equal(d.task.type, TYPE_F64); /* the widest of the inputs */
    dump_close(&d);
}

static void the_variant_is_read(void **state)
{
    static const char *const names[] = {"castle", "without-causal-keys", "without-silu"};
    (void)state;
    for (Variant v = CASTLE; v <= WITHOUT_SILU; v++) {
        const DumpOptions given = {.variant = names[v]};
        Draft f = layer_draft();
        Dump d = draft_opened(&f, &given);
        assert_int_equal(d.task.variant, v);
        assert_int_equal(task_problem(&d.task, 0).variant, v);
        dump_close(&d);
    }
    Draft f = layer_draft();
    draft_write(&f, scratch_path("dump"));
    draft_refused("variant", scratch_path("dump"), &(DumpOptions){.variant = "Castle"},
                  "option --variant: variant is \"Castle\"; expected \"castle\", "
                  "\"without-causal-keys\" or \"without-silu\"");
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void every_missing_input_is_named(void **state)
{
    char expected[300];
    (void)state;
    for (size_t k = 0; k < LAYER_INPUTS; k++) {
        Draft f = layer_draft();
        leave_out(&f, tensor_name(k));
        /* without x there is nothing that tells a layer */
        (void)snprintf(expected, sizeof expected,
                       "@: input tensor \"%s\" is missing; a dump holds all of qu ku vu qc kc vc, "
                       "each [batch, heads, L, d], or a layer's x wqu wku wvu wqc wkc wvc wo",
                       k == LAYER_X ? "qu" : tensor_name(k));
        refused(tensor_name(k), &f, expected);
    }
}

static void shape_sentence(char *text, size_t room, size_t k, const Piece *p)
{
    char found[80], wanted[80];
    Layout l = tensor_layout(k);
    layout_describe(found, sizeof found, p->dims, p->shape);
    layout_describe(wanted, sizeof wanted, l.dims, l.shape);
    (void)snprintf(text, room, "@: tensor \"%s\" has shape %s; expected %s = %s", tensor_name(k),
                   found, l.text, wanted);
}

/* Sizes are taken from x and wqu; every other tensor must fit them, in each of its dimensions. */
static void every_misshapen_tensor_is_named(void **state)
{
    char expected[300];
    (void)state;
    for (size_t k = 0; k < TENSORS; k++)
        for (size_t change = 0; k != LAYER_X && k != LAYER_WQU && change < 5; change++) {
            Draft f = layer_draft();
            Piece *p = draft_find(&f, tensor_name(k));
            if (change < 3)
                p->shape[change]++;
            else
                p->dims = change == 3 ? 2 : 4;
            if (change == 4)
                p->shape[3] = 1;
            shape_sentence(expected, sizeof expected, k, p);
            refused(tensor_name(k), &f, expected);
        }
}

static void x_and_the_first_projection_give_the_sizes(void **state)
{
    (void)state;
    Draft f = layer_draft();
    draft_find(&f, "x")->dims = 2;
    refused("x", &f, "@: tensor \"x\" has shape [2, 5]; expected [batch, L, dm]");
    f = layer_draft();
    draft_find(&f, "wqu")->dims = 2;
    refused("wqu", &f, "@: tensor \"wqu\" has shape [4, 3]; expected [dm, heads, d]");
    f = layer_draft();
    draft_find(&f, "x")->shape[2]++;
    refused("x", &f, "@: tensor \"wqu\" has shape [4, 3, 2]; expected [dm, heads, d] = [5, 3, 2]");
    f = layer_draft();
    draft_find(&f, "x")->shape[1]++;
    refused("x", &f, "@: tensor \"dy\" has shape [2, 5, 4]; expected [batch, L, dm] = [2, 6, 4]");
    f = layer_draft();
    draft_find(&f, "wqu")->shape[1]++;
    refused("wqu", &f,
            "@: tensor \"wku\" has shape [4, 3, 2]; expected [dm, heads, d] = [4, 4, 2]");
    f = (Draft){.count = 0};
    add_laid_out(&f, "x", TYPE_F32, (Layout){"", 3, {1, DUMP_MOST_TOKENS + 1, 1}}, 0);
    add_laid_out(&f, "wqu", TYPE_F32, (Layout){"", 3, {1, 1, 1}}, 0);
    Failure failure;
    SafetensorsWriter *w = safetensors_writer_new();
    double *tokens = calloc(DUMP_MOST_TOKENS + 1, sizeof *tokens);
    for (size_t k = 0; k < 2; k++)
        safetensors_add(w, f.piece[k].name, TYPE_F32, 3, f.piece[k].shape, tokens);
    assert_true(safetensors_write(w, scratch_path("dump"), &failure));
    safetensors_writer_free(w);
    free(tokens);
    draft_refused("long", scratch_path("dump"), &nothing,
                  "@: L is 4097; the dense oracle takes at most 4096 tokens");
}

static void a_layers_gradients_need_dy(void **state)
{
    char expected[300];
    (void)state;
    for (Answer a = ANSWER_DX; a < ANSWERS; a++) {
        Draft f = layer_draft();
        leave_out(&f, "dy");
        for (Answer b = ANSWER_DX; b < ANSWERS; b++)
            if (b != a)
                leave_out(&f, answer_name(b));
        (void)snprintf(expected, sizeof expected,
                       "@: gradient \"%s\" is there, but \"dy\" is not; gradients are judged for "
                       "the gradient of y that the kernel was given",
                       answer_name(a));
        refused(answer_name(a), &f, expected);
        leave_out(&f, answer_name(a));
        Dump d = draft_opened(&f, &nothing);
        assert_true(task_asks(&d.task, ANSWER_Y) && !task_asks(&d.task, a));
        dump_close(&d);
    }
}

/* ---- stages --------------------------------------------------------------------------------- */

static Draft stage_draft(Answer a, NumberType type)
{
    const Sizes heads = {BATCH, HEADS, LENGTH, DIM, 0};
    Draft f = full_draft();
    draft_add(&f, "do", TYPE_F32, 4, 0);
    add_laid_out(&f, answer_name(a), type, answer_layout(&heads, a), 0);
    f.piece[f.count - 1].shape[3] = LENGTH;
    return f;
}

static void stages_are_read(void **state)
{
    (void)state;
    for (Answer a = ANSWER_SC; a <= ANSWER_DG; a++) {
        Draft f = stage_draft(a, TYPE_F64);
        Dump d = draft_opened(&f, &nothing);
        assert_true(d.task.stages && d.not_judged_count == 0);
        for (size_t k = 0; k < BATCH * HEADS; k++)
            assert_true(dump_answer(&d, a, k)[0] == (double)(k * LENGTH * LENGTH));
        dump_close(&d);

        draft_find(&f, answer_name(a))->shape[3]--;
        char expected[200];
        (void)snprintf(expected, sizeof expected,
                       "@: tensor \"%s\" has shape [2, 3, 5, 4]; expected [batch, heads, L, L] = "
                       "[2, 3, 5, 5]",
                       answer_name(a));
        refused(answer_name(a), &f, expected);
    }
    Draft f = full_draft();
    Dump d = draft_opened(&f, &nothing);
    assert_false(d.task.stages);
    dump_close(&d);
}

/* A backward stage is a gradient of o, too. */
static void backward_stages_need_the_cotangent(void **state)
{
    char expected[300];
    (void)state;
    for (Answer a = ANSWER_SC; a <= ANSWER_DG; a++) {
        Draft f = stage_draft(a, TYPE_F64);
        leave_out(&f, "do");
        if (!answer_is_gradient(a)) {
            Dump d = draft_opened(&f, &nothing);
            dump_close(&d);
            continue;
        }
        (void)snprintf(expected, sizeof expected,
                       "@: gradient \"%s\" is there, but \"do\" is not; gradients are judged for "
                       "the gradient of o that the kernel was given",
                       answer_name(a));
        refused(answer_name(a), &f, expected);
    }
}

/* What follows from a stage was computed from all of its bits: cut in the file it would excuse errors. */
static void a_stage_must_keep_its_bits(void **state)
{
    char expected[300], declared[60];
    (void)state;
    for (Answer a = ANSWER_SC; a <= ANSWER_DG; a++) {
        Draft f = stage_draft(a, TYPE_BF16);
        const char *name = answer_name(a);
        (void)snprintf(expected, sizeof expected,
                       "@: stage \"%s\" is stored in bfloat16, the arithmetic keeps it in float32; "
                       "store all of its bits, or declare %s=bfloat16 if the kernel rounds it so",
                       name, name);
        refused(name, &f, expected);
        (void)snprintf(declared, sizeof declared, "float32,%s=bfloat16", name);
        f.arithmetic = declared;
        Dump d = draft_opened(&f, &nothing);
        assert_ptr_equal(d.task.arithmetic.site[answer_stage(a)], &BFLOAT16);
        dump_close(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_layer_is_read_whole),
        cmocka_unit_test(a_layers_answers_give_the_arithmetic),
        cmocka_unit_test(the_variant_is_read),
        cmocka_unit_test(every_missing_input_is_named),
        cmocka_unit_test(every_misshapen_tensor_is_named),
        cmocka_unit_test(x_and_the_first_projection_give_the_sizes),
        cmocka_unit_test(a_layers_gradients_need_dy),
        cmocka_unit_test(stages_are_read),
        cmocka_unit_test(backward_stages_need_the_cotangent),
        cmocka_unit_test(a_stage_must_keep_its_bits),
    };
    return cmocka_run_group_tests_name("dumps of layers", tests, scratch_make, scratch_remove);
}
