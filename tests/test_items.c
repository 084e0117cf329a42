/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `castle verify` goes over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "items.h"
#include "task_support.h"
#include "vectors_support.h"

#include <math.h>

static void the_hard_set_is_what_it_says(void **state)
{
    (void)state;
    size_t variants[3] = {0}, layers = 0, sequences = 0;
    Items items = {0};
    add_hard_set(&items, 1);
    for (size_t k = 0; k < items.count; k++) {
        const Problem *p = &items.item[k].problem;
        assert_true(problem_is_finite(p) && p->cotangent && p->length <= 67);
        assert_true(strlen(items.item[k].name) > 0);
        variants[p->variant]++;
        layers += p->layer != NULL;
        sequences += p->layer && p->layer->batch > 1 && p->layer->heads > 1;
    }
    assert_true(items.count >= 17 && layers >= 5 && sequences >= 2);
    for (Variant v = CASTLE; v <= WITHOUT_SILU; v++)
        assert_true(variants[v] >= 2);
    items_free(&items);
    assert_true(!items.item && !items.count);
}

/* Another seed draws other numbers, the same seed the same; all are float32. */
static void seeds_draw_the_numbers(void **state)
{
    (void)state;
    const Drawn d = {"x", {1, 1, 5, 3, 0}, 2, 6, WITHOUT_SILU};
    Items items = {0};
    for (unsigned long k = 0; k < 3; k++)
        add_drawn(&items, &d, 7 + k / 2);
    const Problem *a = &items.item[0].problem, *b = &items.item[1].problem,
                  *c = &items.item[2].problem;
    for (size_t i = 0; i < 15; i++) {
        assert_true(a->input[INPUT_VC][i] == b->input[INPUT_VC][i]);
        assert_true(a->input[INPUT_VC][i] != c->input[INPUT_VC][i]);
        assert_true(a->input[INPUT_QU][i] == (double)(float)a->input[INPUT_QU][i]);
    }
    assert_true(a->window == 2 && a->variant == WITHOUT_SILU && a->dim == 3);
    items_free(&items);
}

static void dumps_give_their_problems(void **state)
{
    const Answered none = {{NULL}};
    const Sizes heads = {2, 3, 4, 2, 0}, layer = {2, 3, 4, 2, 5};
    (void)state;
    Items items = {0};
    Failure failure;
    Task a = random_task(&heads, "float32", 1), b = random_task(&layer, "float32", 2);
    assert_true(add_dump(&items, dumped(&a, &none, "heads.safetensors"), &failure));
    assert_true(add_dump(&items, dumped(&b, &none, "layer"), &failure));
    assert_int_equal(items.count, 7);
    for (size_t k = 0; k < 6; k++) {
        const Problem *p = &items.item[k].problem;
        assert_null(p->layer);
        assert_memory_equal(p->input[INPUT_KC], a.input[INPUT_KC] + 8 * k, 8 * sizeof(double));
        assert_memory_equal(p->cotangent, a.cotangent + 8 * k, 8 * sizeof(double));
    }
    assert_string_equal(items.item[5].name, "heads #5");
    const Problem *p = &items.item[6].problem;
    assert_true(p->layer && p->layer->batch == 2 && p->layer->heads == 3 && p->layer->width == 5);
    assert_memory_equal(p->layer->input[LAYER_WO], b.layer_input[LAYER_WO], 30 * sizeof(double));

    b.layer_input[LAYER_WKU][3] = NAN;
    assert_false(add_dump(&items, dumped(&b, &none, "layer"), &failure));
    assert_contains(failure.text,
                    "layer: the inputs hold NaN or infinity; verify needs finite ones");
    assert_false(add_dump(&items, scratch_path("none"), &failure));
    items_free(&items);
    task_free(&a);
    task_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hard_set_is_what_it_says),
        cmocka_unit_test(seeds_draw_the_numbers),
        cmocka_unit_test(dumps_give_their_problems),
    };
    return cmocka_run_group_tests_name("items", tests, scratch_make, scratch_remove);
}
