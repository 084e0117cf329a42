/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ball.h"
#include "matrix_support.h"

const Kind kinds[KINDS] = {
    {"product", product, false, false},
    {"product_nt", product_nt, false, true},
    {"product_tn", product_tn, true, false},
};

Band random_band(gsl_rng *r, size_t rows, size_t cols)
{
    ptrdiff_t ends[2];
    for (int e = 0; e < 2; e++)
        ends[e] = (ptrdiff_t)random_up_to(r, rows + cols + 1) - (ptrdiff_t)rows - 1;
    Band b = {ends[0] < ends[1] ? ends[0] : ends[1], ends[0] < ends[1] ? ends[1] : ends[0]};
    if (random_up_to(r, 3) == 0)
        b.lo = -BAND_FAR;
    if (random_up_to(r, 3) == 0)
        b.hi = BAND_FAR;
    return b;
}

bool same_band(Matrix A, Matrix B)
{
    for (size_t i = 0; i < A.rows; i++) {
        Range a = row_range(A, i), b = row_range(B, i);
        if (a.first != b.first || a.end != b.end)
            return false;
    }
    return true;
}

bool every_row_has_an_entry(Matrix A)
{
    for (size_t i = 0; i < A.rows; i++)
        if (row_range(A, i).end == 0)
            return false;
    return true;
}

Matrix random_banded(System *in, size_t rows, size_t cols, Band band, uint64_t *state)
{
    Matrix A = field_random_matrix(in, rows, cols, state);
    A.band = band;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            if (!allows(band, i, j))
                *(uint64_t *)entry(A, i, j) = 0;
    return A;
}

void words_differ(const char *what, Matrix A, Matrix B, Band mask, size_t i, size_t j, uint64_t got,
                  uint64_t expected)
{
    print_error("%s of %zu x %zu, band %td..%td, and %zu x %zu, band %td..%td, mask %td..%td: "
                "entry (%zu, %zu) is %llu, expected %llu\n",
                what, A.rows, A.cols, A.band.lo, A.band.hi, B.rows, B.cols, B.band.lo, B.band.hi,
                mask.lo, mask.hi, i, j, (unsigned long long)got, (unsigned long long)expected);
    fail();
}

System *system_number(size_t k)
{
    Arithmetic a = arithmetic("bfloat16"), plain = arithmetic("float32");
    switch (k) {
    case 0:
        return f64_system();
    case 1:
        return f32_system();
    case 2:
        return mpfr_system(80);
    case 3:
        return played_system(&a);
    case 4:
        return ball_system(80);
    case 5:
        return noisy_system(&plain, 1, 1);
    default:
        return bounded_system(&plain);
    }
}
