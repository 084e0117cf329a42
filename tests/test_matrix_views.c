/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The laws of the matrix interface: views share entries, stages copy them, scopes free them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "matrix_support.h"

typedef struct Traced {
    Matrix view;
    size_t first_row, first_col;
} Traced;

static Traced random_view(gsl_rng *r, Matrix A)
{
    Traced t = {A, 0, 0};
    for (size_t steps = random_up_to(r, 3); steps > 0; steps--) {
        size_t first, count;
        switch (random_up_to(r, 2)) {
        case 0:
            first = random_up_to(r, t.view.rows);
            count = random_up_to(r, t.view.rows - first);
            t.view = rows(t.view, first, count);
            t.first_row += first;
            break;
        case 1:
            first = random_up_to(r, t.view.cols);
            count = random_up_to(r, t.view.cols - first);
            t.view = columns(t.view, first, count);
            t.first_col += first;
            break;
        default:
            if (t.view.rows) {
                first = random_up_to(r, t.view.rows - 1);
                t.view = row(t.view, first);
                t.first_row += first;
            }
        }
    }
    return t;
}

static void a_view_shares_entries_and_band(void **unused)
{
    (void)unused;
    System *in = field_system(1);
    gsl_rng *r = random_source(8);
    uint64_t state = 8;
    for (long k = repetitions(4000); k > 0; k--) {
        Scope scope = scope_open(in);
        size_t m = 1 + random_up_to(r, 6), n = 1 + random_up_to(r, 6);
        Matrix A = random_banded(in, m, n, random_band(r, m, n), &state);
        Traced t = random_view(r, A);
        for (size_t i = 0; i < t.view.rows; i++)
            for (size_t j = 0; j < t.view.cols; j++) {
                size_t x = t.first_row + i, y = t.first_col + j;
                assert_ptr_equal(entry(t.view, i, j), entry(A, x, y));
                assert_int_equal(in_range(row_range(t.view, i), j), in_range(row_range(A, x), y));
                assert_int_equal(in_range(column_range(t.view, j), i),
                                 in_range(row_range(A, x), y));
            }
        scope_close(in, scope);
    }
    gsl_rng_free(r);
    system_free(in);
}

/* A matrix of its own with the entries and the presence of A. */
static Matrix copied(Matrix A)
{
    Matrix B = matrix(A.in, A.rows, A.cols);
    assign(B, A);
    B.band = A.band;
    return B;
}

static void must_be_equal(const char *what, Matrix A, Matrix B)
{
    assert_int_equal(A.rows, B.rows);
    assert_int_equal(A.cols, B.cols);
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++)
            if (at(A, i, j) != at(B, i, j))
                words_differ(what, A, B, EVERYWHERE, i, j, at(A, i, j), at(B, i, j));
}

static void an_operation_on_a_view_is_the_operation_on_its_copy(void **unused)
{
    (void)unused;
    System *in = field_system(1);
    gsl_rng *r = random_source(9);
    uint64_t state = 9;
    for (long k = repetitions(3000); k > 0; k--) {
        Scope scope = scope_open(in);
        Matrix A = random_view(r, random_banded(in, 6, 7, random_band(r, 6, 7), &state)).view;
        Matrix big = random_banded(in, 9, 9, random_band(r, 9, 9), &state);
        size_t x = random_up_to(r, 2), y = random_up_to(r, 2);
        Matrix B = columns(rows(big, x, A.cols), y, 5), D = columns(rows(big, x, 5), y, A.cols);
        Matrix E = columns(rows(big, x, A.rows), y, A.cols);
        Band mask = random_band(r, A.rows, 5);
        Matrix c = columns(row(big, 1), 1, 1);
        must_be_equal("product", product(A, B, mask), product(copied(A), copied(B), mask));
        must_be_equal("product_nt", product_nt(A, D, mask), product_nt(copied(A), copied(D), mask));
        Matrix T = columns(rows(big, x, A.rows), y, 5);
        must_be_equal("product_tn", product_tn(A, T, EVERYWHERE),
                      product_tn(copied(A), copied(T), EVERYWHERE));
        must_be_equal("hadamard", hadamard(A, E), hadamard(copied(A), copied(E)));
        must_be_equal("row_dot", row_dot(A, E), row_dot(copied(A), copied(E)));
        must_be_equal("add", add(A, E), add(copied(A), copied(E)));
        must_be_equal("subtract", subtract(A, E), subtract(copied(A), copied(E)));
        must_be_equal("scaled", scaled(c, A), scaled(copied(c), copied(A)));
        must_be_equal("map", map(SILU, A), map(SILU, copied(A)));
        must_be_equal("row_sum", row_sum(A), row_sum(copied(A)));
        if (every_row_has_an_entry(A))
            must_be_equal("row_softmax", row_softmax(A, NULL), row_softmax(copied(A), NULL));
        scope_close(in, scope);
    }
    gsl_rng_free(r);
    system_free(in);
}

/* What is staged is not what was given: other uses of the given matrix see it unrounded. */
static void a_stage_leaves_its_operand_alone(void **unused)
{
    (void)unused;
    const double v[] = {1.01, 2.01, 3.01, 4.01};
    for (size_t s = 0; s < REAL_SYSTEMS; s++)
        for (int name = 0; name < STAGES; name++) {
            System *in = system_number(s);
            Matrix A = matrix_from(in, 2, 2, v), before = matrix_from(in, 2, 2, v);
            A.band = CAUSAL;
            Matrix B = stage((Stage)name, A);
            assert_true(B.rows == 2 && B.cols == 2 && same_band(A, B));
            for (size_t k = 0; k < 4; k++)
                assert_true(number_at(A, k / 2, k % 2) == number_at(before, k / 2, k % 2));
            system_free(in);
        }
}

static void assign_writes_through_a_view_and_nowhere_else(void **unused)
{
    (void)unused;
    System *in = field_system(1);
    uint64_t state = 10;
    Matrix A = field_random_matrix(in, 5, 6, &state), before = copied(A);
    Matrix B = field_random_matrix(in, 4, 4, &state);
    assign(columns(rows(A, 1, 3), 2, 2), columns(rows(B, 1, 3), 1, 2));
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 6; j++) {
            bool inside = i >= 1 && i < 4 && j >= 2 && j < 4;
            assert_true(at(A, i, j) == (inside ? at(B, i, j - 1) : at(before, i, j)));
        }
    system_free(in);
}

static void matrix_from_reads_row_by_row(void **unused)
{
    (void)unused;
    const double v[] = {1, 2, 3, 4, 5, 6};
    for (size_t s = 0; s < REAL_SYSTEMS; s++) {
        System *in = system_number(s);
        Matrix A = matrix_from(in, 2, 3, v), Z = matrix(in, 2, 3);
        for (size_t k = 0; k < 6; k++) {
            assert_true(number_at(A, k / 3, k % 3) == v[k]);
            assert_true(same(number_at(Z, k / 3, k % 3), 0));
        }
        system_free(in);
    }
}

/* What was made outside stays, what was made inside is gone; a sanitizer sees what is kept too
 * long. */
static void a_scope_frees_what_was_made_in_it(void **unused)
{
    (void)unused;
    for (size_t s = 0; s < REAL_SYSTEMS; s++) {
        System *in = system_number(s);
        const double v[] = {1.5, 2.5};
        Scope empty = scope_open(in);
        Matrix outside = matrix_from(in, 1, 2, v);
        for (int round = 0; round < 3; round++) {
            Scope outer = scope_open(in);
            for (int k = 0; k < 200; k++) /* more than the first table of matrices holds */
                (void)matrix_from(in, 1, 2, v);
            Scope inner = scope_open(in);
            Matrix sum = add(outside, outside);
            assert_true(fabs(number_at(sum, 0, 1) - 5) <= 5 * ldexp(1, -24)); /* N1 */
            scope_close(in, inner);
            assert_int_equal(scope_open(in), inner);
            scope_close(in, outer);
            assert_int_equal(scope_open(in), outer);
            assert_true(number_at(outside, 0, 0) == 1.5 && number_at(outside, 0, 1) == 2.5);
        }
        scope_close(in, empty);
        assert_int_equal(scope_open(in), empty);
        (void)matrix(in, 3, 3); /* left to system_free */
        (void)matrix(in, 0, 3);
        system_free(in);
    }
    system_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_shares_entries_and_band),
        cmocka_unit_test(an_operation_on_a_view_is_the_operation_on_its_copy),
        cmocka_unit_test(a_stage_leaves_its_operand_alone),
        cmocka_unit_test(assign_writes_through_a_view_and_nowhere_else),
        cmocka_unit_test(matrix_from_reads_row_by_row),
        cmocka_unit_test(a_scope_frees_what_was_made_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
