/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How big layers are, counted on their own weights, and the paper's models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "layer.h"
#include "models.h"
#include "systems.h"

static size_t entries(Matrix A) { return A.rows * A.cols; }

/* Every matrix of Weights, each counted by its own shape. */
static void parameters_are_the_entries_of_the_weights(void **state)
{
    (void)state;
    assert_int_equal(sizeof(Weights), 7 * sizeof(Matrix)); /* none forgotten here */
    static const Model others[] = {{"", 1, 1, 1, 0, 0}, {"", 7, 3, 5, 0, 0}, {"", 9, 14, 2, 0, 0}};
    for (size_t k = 0; k < MODELS + 3; k++) {
        const Model *m = k < MODELS ? &models[k] : &others[k - MODELS];
        size_t n = m->heads, d = m->d, dm = m->dm;
        System *in = f32_system();
        Weights W = weights_for(in, dm, n, d);
        size_t lookahead_side = entries(W.WQU) + entries(W.WKU) + entries(W.WVU);
        size_t causal_side = entries(W.WQC) + entries(W.WKC) + entries(W.WVC);
        assert_int_equal(castle_parameters(n, d, dm), lookahead_side + causal_side + entries(W.WO));
        /* without the lookahead side it is standard attention */
        assert_int_equal(attention_parameters(n, d, dm), causal_side + entries(W.WO));
        system_free(in);
    }
}

/* n_CASTLE = 4/7 n_standard: exactly where 7 divides n, else the most heads that are no bigger. */
static void four_sevenths_of_the_heads_make_equal_size(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 200; n++)
        for (size_t d = 1; d <= 3; d++) {
            size_t dm = n * d, m = castle_heads(n);
            if (n % 7 == 0)
                assert_int_equal(castle_parameters(m, d, dm), attention_parameters(n, d, dm));
            assert_true(castle_parameters(m, d, dm) <= attention_parameters(n, d, dm));
            assert_true(castle_parameters(m + 1, d, dm) > attention_parameters(n, d, dm));
        }
}

static void presets_are_the_paper_s(void **state)
{
    (void)state;
    static const Model table[MODELS] = {
        {"896/8/64", 896, 8, 64, 2048, 128},
        {"1024/9/64", 1024, 9, 64, 2048, 512},
        {"1536/9/96", 1536, 9, 96, 2048, 512},
        {"2048/9/128", 2048, 9, 128, 2048, 512},
    };
    for (size_t k = 0; k < MODELS; k++) {
        const Model *m = model_named(table[k].name);
        assert_non_null(m);
        assert_ptr_equal(m, &models[k]);
        assert_int_equal(m->dm, table[k].dm);
        assert_int_equal(m->heads, table[k].heads);
        assert_int_equal(m->d, table[k].d);
        assert_int_equal(m->length, table[k].length);
        assert_int_equal(m->window, table[k].window);
        /* the heads of a standard layer that fills the width, n d = dm, by the 4/7 rule */
        assert_int_equal(m->dm % m->d, 0);
        assert_int_equal(m->heads, castle_heads(m->dm / m->d));
    }
    assert_null(model_named("castle"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_the_entries_of_the_weights),
        cmocka_unit_test(four_sevenths_of_the_heads_make_equal_size),
        cmocka_unit_test(presets_are_the_paper_s),
    };
    return cmocka_run_group_tests_name("models", tests, NULL, NULL);
}
