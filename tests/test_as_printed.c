/* SPDX-License-Identifier: GPL-3.0-or-later */
/* as_printed.c: without a misprint it is ref/, bit for bit; with one it differs where that misprint is, and
 * nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "as_printed.h"
#include "trials.h"

enum { BLOCK = 3 };

static void without_a_misprint_it_is_the_reference(void **state)
{
    (void)state;
    for (size_t L = 1; L <= 7; L++)
        for (size_t W = 0; W <= L + 1; W++) {
            uint64_t seed = 10 * L + W;
            System *in = field_system(5);
            Head h = field_head(in, L, 2, W <= L ? W : NO_WINDOW, &seed);
            Matrix dO = field_random_matrix(in, L, 2, &seed);
            Answers a = answers_for(&h);
            Gradients g = gradients_for(&h);
            Tally t = {0};
            parallel(&h, &a);
            backward(&h, dO, &g);
            Forward f = forward_as_printed(&h, PRINTED_RIGHT);
            Gradients again = backward_as_printed(&h, dO, BLOCK, PRINTED_RIGHT);
            compare_bits(&t, f.O, a.O);
            compare_bits(&t, f.U, a.U);
            compare_gradient_bits(&t, &again, &g);
            if (t.different) {
                print_error("L %zu W %zu: %zu of %zu entries differ\n", L, W, t.different,
                            t.compared);
                fail();
            }
            system_free(in);
        }
}

/* Which of dQU dKU dVU dQC dKC dVC a misprint may touch. */
static void a_misprint_touches_its_gradients_only(void **state)
{
    (void)state;
    static const struct {
        Misprint misprint;
        const char *touches;
    } all[] = {
        {PRINTED_V_GRADIENT, "111110"},     {PRINTED_DELTA_OUTSIDE, "111110"},
        {PRINTED_DELTA_BY_BLOCK, "111110"}, {PRINTED_DIAGONAL_KC, "000010"},
        {PRINTED_DIAGONAL_QC, "000100"},    {PRINTED_LINE_13, "010000"},
        {PRINTED_MERGE, "011000"},
    };
    assert_int_equal(sizeof all / sizeof *all, MISPRINTS - PRINTED_V_GRADIENT);
    uint64_t seed = 9;
    System *in = field_system(5);
    Head h = field_head(in, 8, 3, NO_WINDOW, &seed);
    Matrix dO = field_random_matrix(in, 8, 3, &seed);
    Gradients g = gradients_for(&h);
    backward(&h, dO, &g);
    const Matrix right[] = {g.dQU, g.dKU, g.dVU, g.dQC, g.dKC, g.dVC};
    for (size_t m = 0; m < sizeof all / sizeof *all; m++) {
        Gradients p = backward_as_printed(&h, dO, BLOCK, all[m].misprint);
        const Matrix printed[] = {p.dQU, p.dKU, p.dVU, p.dQC, p.dKC, p.dVC};
        for (size_t k = 0; k < INPUTS; k++) {
            Tally t = {0};
            compare_bits(&t, printed[k], right[k]);
            if ((t.different > 0) != (all[m].touches[k] == '1')) {
                print_error("misprint %d, gradient %zu: %zu entries differ\n", all[m].misprint, k,
                            t.different);
                fail();
            }
        }
    }
    system_free(in);
}

/* A block as long as the sequence, or longer, makes the per-block delta the whole row's. */
static void one_block_has_no_delta_of_its_own(void **state)
{
    (void)state;
    uint64_t seed = 9;
    System *in = field_system(5);
    Head h = field_head(in, 6, 2, 2, &seed);
    Matrix dO = field_random_matrix(in, 6, 2, &seed);
    Gradients g = gradients_for(&h);
    backward(&h, dO, &g);
    for (size_t B = 6; B <= 7; B++) {
        Gradients p = backward_as_printed(&h, dO, B, PRINTED_DELTA_BY_BLOCK);
        Tally t = {0};
        compare_gradient_bits(&t, &p, &g);
        assert_int_equal(t.different, 0);
    }
    system_free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_misprint_it_is_the_reference),
        cmocka_unit_test(a_misprint_touches_its_gradients_only),
        cmocka_unit_test(one_block_has_no_delta_of_its_own),
    };
    return cmocka_run_group_tests_name("as printed", tests, NULL, NULL);
}
