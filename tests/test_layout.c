/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which shape each tensor has in a file, and where its numbers are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "layout.h"

#include <string.h>

static const Sizes heads = {2, 3, 5, 4, 0}, layer = {2, 3, 5, 4, 7};

static const struct {
    const char *name, *text, *shape, *sigma;
} expected[ANSWERS] = {
    {"o", "[batch, heads, L, d]", "[2, 3, 5, 4]", "[2, 3, 5, 1]"},
    {"lse", "[batch, heads, L]", "[2, 3, 5]", "[2, 3, 5]"},
    {"u", "[batch, heads, L, d]", "[2, 3, 5, 4]", "[2, 3, 5, 1]"},
    {"dqu", "[batch, heads, L, d]", "[2, 3, 5, 4]", "[2, 3, 5, 1]"},
    {"dku", "[batch, heads, L, d]", "[2, 3, 5, 4]", "[2, 3, 5, 1]"},
    {"dvu", "[batch, heads, L, d]", "[2, 3, 5, 4]", "[2, 3, 5, 1]"},
    {"dqc", "[batch, heads, L, d]", "[2, 3, 5, 4]", "[2, 3, 5, 1]"},
    {"dkc", "[batch, heads, L, d]", "[2, 3, 5, 4]", "[2, 3, 5, 1]"},
    {"dvc", "[batch, heads, L, d]", "[2, 3, 5, 4]", "[2, 3, 5, 1]"},
    {"sc", "[batch, heads, L, L]", "[2, 3, 5, 5]", "[2, 3, 5, 5]"},
    {"t1", "[batch, heads, L, L]", "[2, 3, 5, 5]", "[2, 3, 5, 5]"},
    {"g", "[batch, heads, L, L]", "[2, 3, 5, 5]", "[2, 3, 5, 5]"},
    {"su", "[batch, heads, L, L]", "[2, 3, 5, 5]", "[2, 3, 5, 5]"},
    {"p", "[batch, heads, L, L]", "[2, 3, 5, 5]", "[2, 3, 5, 5]"},
    {"dp", "[batch, heads, L, L]", "[2, 3, 5, 5]", "[2, 3, 5, 5]"},
    {"ds", "[batch, heads, L, L]", "[2, 3, 5, 5]", "[2, 3, 5, 5]"},
    {"dsu", "[batch, heads, L, L]", "[2, 3, 5, 5]", "[2, 3, 5, 5]"},
    {"dt1", "[batch, heads, L, L]", "[2, 3, 5, 5]", "[2, 3, 5, 5]"},
    {"dg", "[batch, heads, L, L]", "[2, 3, 5, 5]", "[2, 3, 5, 5]"},
    {"y", "[batch, L, dm]", "[2, 5, 7]", "[2, 5, 1]"},
    {"dx", "[batch, L, dm]", "[2, 5, 7]", "[2, 5, 1]"},
    {"dwqu", "[dm, heads, d]", "[7, 3, 4]", "[7, 3, 1]"},
    {"dwku", "[dm, heads, d]", "[7, 3, 4]", "[7, 3, 1]"},
    {"dwvu", "[dm, heads, d]", "[7, 3, 4]", "[7, 3, 1]"},
    {"dwqc", "[dm, heads, d]", "[7, 3, 4]", "[7, 3, 1]"},
    {"dwkc", "[dm, heads, d]", "[7, 3, 4]", "[7, 3, 1]"},
    {"dwvc", "[dm, heads, d]", "[7, 3, 4]", "[7, 3, 1]"},
    {"dwo", "[heads, d, dm]", "[3, 4, 7]", "[3, 4, 1]"},
};

static const Sizes *sizes_of(Answer a) { return a < LAYER_ANSWERS_BEGIN ? &heads : &layer; }

static void assert_layout(Layout l, const char *text, const char *shape)
{
    char found[80];
    layout_describe(found, sizeof found, l.dims, l.shape);
    assert_string_equal(found, shape);
    if (text)
        assert_string_equal(l.text, text);
}

static void every_answer_has_its_shape(void **state)
{
    (void)state;
    for (Answer a = 0; a < ANSWERS; a++) {
        assert_string_equal(answer_name(a), expected[a].name);
        assert_layout(answer_layout(sizes_of(a), a), expected[a].text, expected[a].shape);
        assert_layout(sigma_layout(sizes_of(a), a), NULL, expected[a].sigma);
        assert_int_equal(sizes_allow(&heads, a), a < LAYER_ANSWERS_BEGIN);
        assert_int_equal(sizes_allow(&layer, a), a >= LAYER_ANSWERS_BEGIN);
    }
}

/* A gradient is laid out as what it is the gradient of. */
static void inputs_are_laid_out_as_their_gradients(void **state)
{
    (void)state;
    for (Input k = 0; k < INPUTS; k++)
        assert_layout(input_layout(&heads), expected[ANSWER_DQU + k].text,
                      expected[ANSWER_DQU + k].shape);
    for (LayerInput k = 0; k < LAYER_INPUTS; k++)
        assert_layout(layer_input_layout(&layer, k), expected[ANSWER_DX + k].text,
                      expected[ANSWER_DX + k].shape);
    assert_layout(cotangent_layout(&heads), expected[ANSWER_O].text, expected[ANSWER_O].shape);
    assert_layout(cotangent_layout(&layer), expected[ANSWER_Y].text, expected[ANSWER_Y].shape);
    assert_string_equal(cotangent_name(&heads), "do");
    assert_string_equal(cotangent_name(&layer), "dy");
}

/* The number of element (batch, head, row, column) in row-major order, written out per kind. */
static size_t number_at(Answer a, const Sizes *s, Place p)
{
    switch (answer_layout(s, a).text[1]) {
    case 'd': /* [dm, heads, d] */
        return (p.row * s->heads + p.head) * s->dim + p.column;
    case 'h': /* [heads, d, dm] */
        return (p.head * s->dim + p.row) * s->width + p.column;
    default:
        break;
    }
    if (a >= LAYER_ANSWERS_BEGIN) /* [batch, L, dm] */
        return (p.batch * s->length + p.row) * s->width + p.column;
    size_t columns = a == ANSWER_LSE ? 1 : answer_is_stage(a) ? s->length : s->dim;
    return ((p.batch * s->heads + p.head) * s->length + p.row) * columns + p.column;
}

static void every_number_has_its_place_and_slab(void **state)
{
    (void)state;
    for (Answer a = 0; a < ANSWERS; a++) {
        const Sizes *s = sizes_of(a);
        Layout l = answer_layout(s, a);
        for (size_t k = 0; k < layout_count(&l); k++) {
            Place p = place_of(s, a, k);
            Slab slab = slab_of(s, a, k);
            assert_int_equal(number_at(a, s, p), k);
            assert_true(p.batch < s->batch && p.head < s->heads);
            assert_true(p.row < slab.rows && p.column < slab.cols);
            assert_int_equal(slab.origin + p.row * slab.row_step + p.column, k);
            /* the slab's corners are of the same batch and head */
            Place first = place_of(s, a, slab.origin);
            Place last = place_of(s, a,
                                  slab.origin + (slab.rows - 1) * slab.row_step + slab.cols - 1);
            assert_true(first.batch == p.batch && last.batch == p.batch);
            assert_true(first.head == p.head && last.head == p.head);
            assert_true(first.row == 0 && first.column == 0);
            assert_true(last.row == slab.rows - 1 && last.column == slab.cols - 1);
        }
    }
}

static void a_description_is_cut_to_size(void **state)
{
    (void)state;
    const size_t shape[] = {12, 345};
    char text[12];
    layout_describe(text, sizeof text, 2, shape);
    assert_string_equal(text, "[12, 345]");
    for (size_t size = 1; size < sizeof text; size++) {
        memset(text, '#', sizeof text);
        layout_describe(text, size, 2, shape);
        assert_int_equal(strlen(text), size - 1 < 9 ? size - 1 : 9);
        assert_memory_equal(text, "[12, 345]", strlen(text));
    }
    layout_describe(text, sizeof text, 0, shape);
    assert_string_equal(text, "[]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_has_its_shape),
        cmocka_unit_test(inputs_are_laid_out_as_their_gradients),
        cmocka_unit_test(every_number_has_its_place_and_slab),
        cmocka_unit_test(a_description_is_cut_to_size),
    };
    return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
