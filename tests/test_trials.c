/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the sections of `make proofs` measure with: trials.c, directions.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "directions.h"
#include "rounding_bounds.h"
#include "trials.h"

#include <math.h>

static void one_different_entry_is_counted(void **state)
{
    (void)state;
    uint64_t at = 1;
    System *in = field_system(1);
    Matrix A = field_random_matrix(in, 4, 3, &at), B = matrix(in, 4, 3);
    assign(B, A);
    Tally t = {0};
    compare_bits(&t, A, B);
    assert_int_equal(t.compared, 12);
    assert_int_equal(t.different, 0);
    assign(columns(row(B, 2), 1, 1), field_random_matrix(in, 1, 1, &at));
    compare_bits(&t, A, B);
    assert_int_equal(t.compared, 24);
    assert_int_equal(t.different, 1);
    assert_true(tally_chance(&t, 2) == 48 / (double)FIELD_PRIME);
    system_free(in);
}

static void gaps_are_relative_to_the_largest_entry(void **state)
{
    (void)state;
    System *a = mpfr_system(200), *b = f64_system();
    Matrix x = matrix_from(a, 1, 3, (double[]){-8, 0.5, 1 + 0x1p-20});
    Matrix y = matrix_from(b, 1, 3, (double[]){-8, 0.5, 1});
    assert_true(log2_gap(x, x) == -INFINITY);
    assert_true(log2_gap(x, y) == -23);
    system_free(a);
    system_free(b);
}

/* The sizes of B's entries less their own errors, and both errors of a difference. */
static void a_bound_of_a_gap_adds_both_errors(void **state)
{
    (void)state;
    Format format;
    int shift;
    System *in = rounding_bounds_system(60, &format, &shift);
    Matrix A = matrix_from(in, 1, 2, (double[]){1, 2}), B = matrix_from(in, 1, 2, (double[]){1, 2});
    assert_true(log2_gap_bound(A, B, shift) == -INFINITY);
    ((Bounded *)entry(A, 0, 0))->error = 0.25;
    ((Bounded *)entry(B, 0, 0))->error = 0.75;
    assert_true(log2_gap_bound(A, B, shift) == -1 - 7); /* 1 of 2, for 2^(60 - 53) as narrow */
    ((Bounded *)entry(B, 0, 1))->error = 1;
    assert_true(log2_gap_bound(A, B, shift) == -7); /* of 2 only 1 is sure */
    system_free(in);
}

static void a_line_has_its_slope(void **state)
{
    (void)state;
    double error;
    assert_true(fabs(fitted_slope(3, (double[]){1, 2, 4}, (double[]){5, 3, -1}, &error) + 2) <
                1e-14);
    assert_true(error < 1e-14);
    (void)fitted_slope(3, (double[]){1, 2, 4}, (double[]){5, 3, 0}, &error);
    assert_true(error > 0.1);
}

/* x + h v is exact: the same numbers at 113 and at 1024 bits. */
static void points_of_a_line_are_exact(void **state)
{
    (void)state;
    Direction l = random_line(5, 4, 2, 3);
    System *narrow = mpfr_system(113), *wide = mpfr_system(1024);
    for (int k = 0; k <= 80; k += 8) {
        Matrix dO;
        Head a = head_on_line(narrow, &l, ldexp(1, -k), &dO);
        Head b = head_on_line(wide, &l, ldexp(1, -k), &dO);
        const Matrix x[] = {a.QU, a.KU, a.VU, a.QC, a.KC, a.VC, a.scale};
        const Matrix y[] = {b.QU, b.KU, b.VU, b.QC, b.KC, b.VC, b.scale};
        for (size_t i = 0; i < 7; i++)
            assert_true(log2_gap(x[i], y[i]) == -INFINITY);
    }
    system_free(narrow);
    system_free(wide);
    line_free(&l);
}

/* With one token O = VC: the tangent along a unit vector is dO's entry for VC, and 0 for the others. */
static void one_token_s_tangent_is_known(void **state)
{
    (void)state;
    Direction l = random_line(1, 4, NO_WINDOW, 8);
    mpfr_t y;
    mpfr_init2(y, 200);
    for (size_t k = 0; k < (size_t)INPUTS * 4; k++) {
        line_along(&l, k);
        tangent_of_definition(y, &l, 200);
        assert_true(mpfr_get_d(y, MPFR_RNDN) == (k / 4 == INPUT_VC ? l.x[INPUTS * 4 + k % 4] : 0));
        System *in = mpfr_system(200);
        Matrix dO;
        Head h = head_on_line(in, &l, 0, &dO);
        Gradients g = gradients_for(&h);
        backward(&h, dO, &g);
        mpfr_t z;
        mpfr_init2(z, 200);
        in->op->get(in, z, gradient_on_line(&g, &l).entries);
        assert_true(mpfr_equal_p(y, z));
        mpfr_clear(z);
        system_free(in);
    }
    mpfr_clear(y);
    line_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_different_entry_is_counted),
        cmocka_unit_test(gaps_are_relative_to_the_largest_entry),
        cmocka_unit_test(a_bound_of_a_gap_adds_both_errors),
        cmocka_unit_test(a_line_has_its_slope),
        cmocka_unit_test(points_of_a_line_are_exact),
        cmocka_unit_test(one_token_s_tangent_is_known),
    };
    return cmocka_run_group_tests_name("trials", tests, NULL, NULL);
}
