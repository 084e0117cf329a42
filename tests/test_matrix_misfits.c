/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The matrix interface misused: what does not fit stops the program with the function's name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "systems_support.h"

static Matrix made(size_t m, size_t n) { return matrix(field_system(1), m, n); }

static Matrix beside(Matrix A, size_t m, size_t n) { return matrix(A.in, m, n); }

#define MISFIT(name, A_rows, A_cols, B_rows, B_cols, call) \
    static void name(void) \
    { \
        Matrix A = made(A_rows, A_cols), B = beside(A, B_rows, B_cols); \
        call; \
    }
#define MIXED(name, A_rows, A_cols, B_rows, B_cols, call) \
    static void name(void) \
    { \
        Matrix A = made(A_rows, A_cols), B = made(B_rows, B_cols); \
        call; \
    }

MISFIT(misfit_product, 2, 3, 2, 3, (void)product(A, B, EVERYWHERE))
MISFIT(misfit_product_nt, 2, 3, 3, 2, (void)product_nt(A, B, EVERYWHERE))
MISFIT(misfit_product_tn, 2, 3, 3, 2, (void)product_tn(A, B, EVERYWHERE))
MISFIT(misfit_hadamard_rows, 2, 3, 3, 3, (void)hadamard(A, B))
MISFIT(misfit_hadamard_cols, 2, 3, 2, 2, (void)hadamard(A, B))
MISFIT(misfit_shift_rows, 2, 3, 3, 1, (void)row_shift(A, B))
MISFIT(misfit_shift_cols, 2, 3, 2, 3, (void)row_shift(A, B))
MISFIT(misfit_scale_rows, 2, 3, 3, 1, (void)row_scale(A, B))
MISFIT(misfit_scale_cols, 2, 3, 2, 3, (void)row_scale(A, B))
MISFIT(misfit_dot_rows, 2, 3, 3, 3, (void)row_dot(A, B))
MISFIT(misfit_dot_cols, 2, 3, 2, 2, (void)row_dot(A, B))
MISFIT(misfit_add_rows, 2, 3, 1, 3, (void)add(A, B))
MISFIT(misfit_add_cols, 2, 3, 2, 2, (void)add(A, B))
MISFIT(misfit_subtract_rows, 2, 3, 3, 3, (void)subtract(A, B))
MISFIT(misfit_subtract_cols, 2, 3, 2, 4, (void)subtract(A, B))
MISFIT(misfit_scaled_rows, 2, 1, 2, 3, (void)scaled(A, B))
MISFIT(misfit_scaled_cols, 1, 2, 2, 3, (void)scaled(A, B))
MISFIT(misfit_divide_rows, 2, 3, 3, 1, (void)row_divide(A, B))
MISFIT(misfit_divide_cols, 2, 3, 2, 3, (void)row_divide(A, B))
MISFIT(misfit_assign_rows, 2, 3, 3, 3, assign(A, B))
MISFIT(misfit_assign_cols, 2, 3, 2, 2, assign(A, B))
MISFIT(misfit_rows_first, 2, 3, 1, 1, ((void)B, (void)rows(A, 3, 0)))
MISFIT(misfit_rows_count, 2, 3, 1, 1, ((void)B, (void)rows(A, 1, 2)))
MISFIT(misfit_rows_wrap, 2, 3, 1, 1, ((void)B, (void)rows(A, 1, SIZE_MAX)))
MISFIT(misfit_row, 2, 3, 1, 1, ((void)B, (void)row(A, 2)))
MISFIT(misfit_columns_first, 2, 3, 1, 1, ((void)B, (void)columns(A, 4, 0)))
MISFIT(misfit_columns_count, 2, 3, 1, 1, ((void)B, (void)columns(A, 2, 2)))
MISFIT(misfit_columns_wrap, 2, 3, 1, 1, ((void)B, (void)columns(A, 1, SIZE_MAX)))
MISFIT(misfit_size, 2, 3, 1, 1, (void)beside(B, SIZE_MAX / 2, 3))
MISFIT(misfit_bytes, 2, 3, 1, 1, (void)beside(B, SIZE_MAX / 4, 1))
MIXED(mixed_product, 2, 2, 2, 2, (void)product(A, B, EVERYWHERE))
MIXED(mixed_product_nt, 2, 2, 2, 2, (void)product_nt(A, B, EVERYWHERE))
MIXED(mixed_product_tn, 2, 2, 2, 2, (void)product_tn(A, B, EVERYWHERE))
MIXED(mixed_hadamard, 2, 2, 2, 2, (void)hadamard(A, B))
MIXED(mixed_shift, 2, 2, 2, 1, (void)row_shift(A, B))
MIXED(mixed_scale, 2, 2, 2, 1, (void)row_scale(A, B))
MIXED(mixed_dot, 2, 2, 2, 2, (void)row_dot(A, B))
MIXED(mixed_add, 2, 2, 2, 2, (void)add(A, B))
MIXED(mixed_subtract, 2, 2, 2, 2, (void)subtract(A, B))
MIXED(mixed_scaled, 1, 1, 2, 2, (void)scaled(A, B))
MIXED(mixed_divide, 2, 2, 2, 1, (void)row_divide(A, B))
MIXED(mixed_assign, 2, 2, 2, 2, assign(A, B))

static void empty_reference_row(void)
{
    Matrix S = made(3, 3);
    S.band = lookahead(NO_WINDOW);
    (void)row_reference(S, NULL);
}

static void empty_softmax_row(void)
{
    Matrix S = made(3, 3);
    S.band = lookahead(NO_WINDOW);
    (void)row_softmax(S, NULL);
}

static void softmax_without_columns(void) { (void)row_softmax(made(2, 0), NULL); }

static void what_does_not_fit_stops_with_the_functions_name(void **unused)
{
    (void)unused;
    const struct {
        void (*function)(void);
        const char *text;
    } bugs[] = {
        {misfit_product, "bug in product: shapes 2 x 3 and 2 x 3 do not fit"},
        {misfit_product_nt, "bug in product_nt: shapes 2 x 3 and 3 x 2 do not fit"},
        {misfit_product_tn, "bug in product_tn: shapes 2 x 3 and 3 x 2 do not fit"},
        {misfit_hadamard_rows, "bug in hadamard: shapes 2 x 3 and 3 x 3 do not fit"},
        {misfit_hadamard_cols, "bug in hadamard: shapes 2 x 3 and 2 x 2 do not fit"},
        {misfit_shift_rows, "bug in row_shift: shapes 2 x 3 and 3 x 1 do not fit"},
        {misfit_shift_cols, "bug in row_shift: shapes 2 x 3 and 2 x 3 do not fit"},
        {misfit_dot_rows, "bug in row_dot: shapes 2 x 3 and 3 x 3 do not fit"},
        {misfit_dot_cols, "bug in row_dot: shapes 2 x 3 and 2 x 2 do not fit"},
        {mixed_product_tn, "bug in product_tn: matrices of two number systems"},
        {mixed_hadamard, "bug in hadamard: matrices of two number systems"},
        {mixed_shift, "bug in row_shift: matrices of two number systems"},
        {mixed_dot, "bug in row_dot: matrices of two number systems"},
        {misfit_add_rows, "bug in add: shapes 2 x 3 and 1 x 3 do not fit"},
        {misfit_add_cols, "bug in add: shapes 2 x 3 and 2 x 2 do not fit"},
        {misfit_subtract_rows, "bug in subtract: shapes 2 x 3 and 3 x 3 do not fit"},
        {misfit_subtract_cols, "bug in subtract: shapes 2 x 3 and 2 x 4 do not fit"},
        {misfit_scaled_rows, "bug in scaled: shapes 2 x 1 and 2 x 3 do not fit"},
        {misfit_scaled_cols, "bug in scaled: shapes 1 x 2 and 2 x 3 do not fit"},
        {misfit_divide_rows, "bug in row_divide: shapes 2 x 3 and 3 x 1 do not fit"},
        {misfit_divide_cols, "bug in row_divide: shapes 2 x 3 and 2 x 3 do not fit"},
        {misfit_assign_rows, "bug in assign: shapes 2 x 3 and 3 x 3 do not fit"},
        {misfit_assign_cols, "bug in assign: shapes 2 x 3 and 2 x 2 do not fit"},
        {misfit_rows_first, "bug in rows: "},
        {misfit_rows_count, "bug in rows: rows 1 + 2 of a 2 x 3 matrix"},
        {misfit_rows_wrap, "bug in rows: "},
        {misfit_row, "bug in rows: rows 2 + 1 of a 2 x 3 matrix"},
        {misfit_columns_first, "bug in columns: "},
        {misfit_columns_count, "bug in columns: columns 2 + 2 of a 2 x 3 matrix"},
        {misfit_columns_wrap, "bug in columns: "},
        {misfit_size, "bug in matrix: "},
        {misfit_bytes, "bug in matrix: "},
        {mixed_product, "bug in product: matrices of two number systems"},
        {mixed_product_nt, "bug in product_nt: matrices of two number systems"},
        {mixed_add, "bug in add: matrices of two number systems"},
        {mixed_subtract, "bug in subtract: matrices of two number systems"},
        {mixed_scaled, "bug in scaled: matrices of two number systems"},
        {mixed_divide, "bug in row_divide: matrices of two number systems"},
        {mixed_assign, "bug in assign: matrices of two number systems"},
        {misfit_scale_rows, "bug in row_scale: shapes 2 x 3 and 3 x 1 do not fit"},
        {misfit_scale_cols, "bug in row_scale: shapes 2 x 3 and 2 x 3 do not fit"},
        {mixed_scale, "bug in row_scale: matrices of two number systems"},
        {empty_reference_row, "bug in row_reference: row 2 of 3 x 3 has no allowed entry"},
        {empty_softmax_row, "row 2 of 3 x 3 has no allowed entry"},
        {softmax_without_columns, "row 0 of 2 x 0 has no allowed entry"},
    };
    for (size_t k = 0; k < sizeof bugs / sizeof *bugs; k++)
        assert_aborts(bugs[k].function, bugs[k].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_stops_with_the_functions_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
