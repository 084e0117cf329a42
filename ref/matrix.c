/* SPDX-License-Identifier: GPL-3.0-or-later */
/* matrix.c - bands, views and the operations of matrix.h, for every number system alike. */
#include "system.h"

#include <string.h>

static void shapes_must_fit(bool fit, const char *function, Matrix A, Matrix B)
{
    if (A.in != B.in)
        stop_on_bug(function, "matrices of two number systems, %s and %s", A.in->op->name,
                    B.in->op->name);
    if (!fit)
        stop_on_bug(function, "shapes %zu x %zu and %zu x %zu do not fit", A.rows, A.cols, B.rows,
                    B.cols);
}

/* ---- which entries are present --------------------------------------------------------------- */

Range row_range(Matrix A, size_t i) { return band_range((ptrdiff_t)i, A.band, A.cols); }
Range column_range(Matrix A, size_t j)
{
    return band_range((ptrdiff_t)j, band_transposed(A.band), A.rows);
}

/* ---- making, viewing, leaving --------------------------------------------------------------- */

/* Whether the band leaves no entry of A absent. */
bool covers(Matrix A)
{
    return A.band.lo <= 1 - (ptrdiff_t)A.rows && A.band.hi >= (ptrdiff_t)A.cols - 1;
}

static Matrix make(System *in, size_t rows, size_t cols, Band band, bool unset)
{
    if (cols && (rows > SIZE_MAX / cols || rows * cols > SIZE_MAX / in->op->bytes))
        stop_on_bug("matrix", "%zu x %zu entries cannot be addressed", rows, cols);
    Matrix A = {in, rows, cols, cols, band, NULL};
    A.entries = system_entries(in, rows * cols, unset && covers(A));
    return A;
}

Matrix matrix(System *in, size_t rows, size_t cols)
{
    return make(in, rows, cols, EVERYWHERE, false);
}

/* As matrix(), with every entry outside the band absent. The caller writes every present entry. */
static Matrix banded(System *in, size_t rows, size_t cols, Band band)
{
    return make(in, rows, cols, band_is_empty(band) ? NOWHERE : band, true);
}

Matrix matrix_from(System *in, size_t rows, size_t cols, const double *v)
{
    Matrix A = matrix(in, rows, cols);
    in->op->set(in, A.entries, v, rows * cols);
    return A;
}

Matrix ones_like(Matrix A)
{
    Matrix C = banded(A.in, A.rows, A.cols, A.band);
    for (size_t i = 0; i < A.rows; i++) {
        Range k = row_range(A, i);
        for (size_t j = k.first; j < k.end; j++)
            A.in->op->set(A.in, entry(C, i, j), (const double[]){1}, 1);
    }
    return C;
}

void *entry(Matrix A, size_t i, size_t j)
{
    return (char *)A.entries + (i * A.stride + j) * A.in->op->bytes;
}

Matrix rows(Matrix A, size_t first, size_t count)
{
    if (first > A.rows || count > A.rows - first)
        stop_on_bug(__func__, "rows %zu + %zu of a %zu x %zu matrix", first, count, A.rows, A.cols);
    return (Matrix){
        A.in, count, A.cols, A.stride, band_shifted(A.band, (ptrdiff_t)first), entry(A, first, 0)};
}

Matrix row(Matrix A, size_t i) { return rows(A, i, 1); }

Matrix columns(Matrix A, size_t first, size_t count)
{
    if (first > A.cols || count > A.cols - first)
        stop_on_bug(__func__, "columns %zu + %zu of a %zu x %zu matrix", first, count, A.rows,
                    A.cols);
    return (Matrix){
        A.in, A.rows, count, A.stride, band_shifted(A.band, -(ptrdiff_t)first), entry(A, 0, first)};
}

/* Whether every present entry of B is present in A, of the same shape. */
static bool lies_within(Matrix B, Matrix A)
{
    for (size_t i = 0; i < A.rows; i++) {
        Range a = row_range(A, i), b = row_range(B, i);
        if (b.end > b.first && (b.first < a.first || b.end > a.end))
            return false;
    }
    return true;
}

static void target_must_hold(Matrix A, Matrix B, const char *function)
{
    shapes_must_fit(A.rows == B.rows && A.cols == B.cols, function, A, B);
    if (!lies_within(B, A))
        stop_on_bug(function, "entries absent from the target are present in the source");
}

void assign(Matrix A, Matrix B)
{
    target_must_hold(A, B, __func__);
    for (size_t i = 0; i < A.rows; i++)
        A.in->op->copy(A.in, entry(A, i, 0), entry(B, i, 0), A.cols);
}

/* ---- products ------------------------------------------------------------------------------- */

/* Rows are shared out to threads from this many multiply-adds on: below it, waking them costs more than
 * it saves. A matter of speed only; no result depends on it. */
enum { WORTH_THREADS = 1 << 15 };

/* Whether to share out the rows of a loop over all of A, with `work` multiply-adds' time to an entry. */
static bool in_parallel(Matrix A, size_t work)
{
    return A.in->rows_in_parallel && A.rows * A.cols * work > WORTH_THREADS;
}

/* One operand of a product as rows (of A) or columns (of B) along which the sum runs: line i begins at
 * entry(i, k) and goes on by `step` entries. */
typedef struct Lines {
    Matrix of;
    bool across; /* the lines are the matrix's rows; otherwise its columns */
} Lines;

static Range line_range(Lines l, size_t i)
{
    return l.across ? row_range(l.of, i) : column_range(l.of, i);
}

static const void *line_at(Lines l, size_t i, size_t k)
{
    return l.across ? entry(l.of, i, k) : entry(l.of, k, i);
}

static size_t line_step(Lines l) { return l.across ? 1 : l.of.stride; }

static Matrix multiply(Matrix A, Matrix B, Band mask, ProductKind kind)
{
    const Operations *op = A.in->op;
    Lines a = {A, kind != PRODUCT_TN}, b = {B, kind == PRODUCT_NT};
    size_t rows = a.across ? A.rows : A.cols, cols = b.across ? B.rows : B.cols;
    size_t inner = a.across ? A.cols : A.rows;
    Band band = band_of_product(a.across ? A.band : band_transposed(A.band),
                                b.across ? band_transposed(B.band) : B.band);
    Matrix C = banded(A.in, rows, cols, band_intersection(band, mask));
    if (op->product && op->product(A.in, C, A, B, kind))
        return C;
    if (system_is_plain(A.in))
        memset(C.entries, 0, rows * cols * op->bytes); /* the empty sums */
#pragma omp parallel for schedule(dynamic, 1) if (in_parallel(C, inner))
    for (size_t i = 0; i < rows; i++) {
        Range present = row_range(C, i);
        for (size_t j = present.first; j < present.end; j++) {
            Range k = common(line_range(a, i), line_range(b, j));
            if (k.end > k.first)
                op->dot(A.in, entry(C, i, j), line_at(a, i, k.first), line_step(a),
                        line_at(b, j, k.first), line_step(b), k.end - k.first);
        }
    }
    return C;
}

Matrix product(Matrix A, Matrix B, Band mask)
{
    shapes_must_fit(A.cols == B.rows, __func__, A, B);
    return multiply(A, B, mask, PRODUCT_NN);
}

Matrix product_nt(Matrix A, Matrix B, Band mask)
{
    shapes_must_fit(A.cols == B.cols, __func__, A, B);
    return multiply(A, B, mask, PRODUCT_NT);
}

Matrix product_tn(Matrix A, Matrix B, Band mask)
{
    shapes_must_fit(A.rows == B.rows, __func__, A, B);
    return multiply(A, B, mask, PRODUCT_TN);
}

/* ---- entry by entry ------------------------------------------------------------------------- */

typedef void Binary(System *, void *, const void *, const void *, size_t);

/* Where one operand is absent, its stored 0 stands in. */
static Matrix combine(Binary *f, const char *function, Matrix A, Matrix B, Band band)
{
    shapes_must_fit(A.rows == B.rows && A.cols == B.cols, function, A, B);
    Matrix C = banded(A.in, A.rows, A.cols, band);
#pragma omp parallel for schedule(dynamic, 1) if (in_parallel(A, 1))
    for (size_t i = 0; i < C.rows; i++) {
        Range k = row_range(C, i);
        f(A.in, entry(C, i, k.first), entry(A, i, k.first), entry(B, i, k.first), k.end - k.first);
    }
    return C;
}

Matrix add(Matrix A, Matrix B)
{
    return combine(A.in->op->add, __func__, A, B, band_hull(A.band, B.band));
}

Matrix subtract(Matrix A, Matrix B)
{
    return combine(A.in->op->subtract, __func__, A, B, band_hull(A.band, B.band));
}

void accumulate(Matrix A, Matrix B)
{
    target_must_hold(A, B, __func__);
    for (size_t i = 0; i < A.rows; i++) {
        Range k = row_range(A, i);
        A.in->op->add(A.in, entry(A, i, k.first), entry(A, i, k.first), entry(B, i, k.first),
                      k.end - k.first);
    }
}

/* 0 - A, entry by entry: exact in every system. */
Matrix negated(Matrix A)
{
    Matrix zero = matrix(A.in, A.rows, A.cols);
    zero.band = A.band;
    return subtract(zero, A);
}

Matrix hadamard(Matrix A, Matrix B)
{
    return combine(A.in->op->multiply, __func__, A, B, band_intersection(A.band, B.band));
}

/* Row i of C: f(row i of A, a number of that row or of all). */
static Matrix fill_with_scalar(Matrix C, Binary *f, Matrix A, Matrix c)
{
#pragma omp parallel for schedule(dynamic, 1) if (in_parallel(A, 1))
    for (size_t i = 0; i < A.rows; i++) {
        Range k = row_range(A, i);
        f(A.in, entry(C, i, k.first), entry(A, i, k.first), entry(c, c.rows > 1 ? i : 0, 0),
          k.end - k.first);
    }
    return C;
}

static Matrix with_scalar(Binary *f, Matrix A, Matrix c)
{
    return fill_with_scalar(banded(A.in, A.rows, A.cols, A.band), f, A, c);
}

Matrix scaled_in_place(Matrix c, Matrix A)
{
    shapes_must_fit(c.rows == 1 && c.cols == 1, __func__, c, A);
    return fill_with_scalar(A, A.in->op->scale, A, c);
}

Matrix scaled(Matrix c, Matrix A)
{
    shapes_must_fit(c.rows == 1 && c.cols == 1, __func__, c, A);
    return with_scalar(A.in->op->scale, A, c);
}

static Matrix fill_with_map(Matrix C, Function f, Matrix A)
{
#pragma omp parallel for schedule(dynamic, 1) if (in_parallel(A, 16))
    for (size_t i = 0; i < C.rows; i++) {
        Range k = row_range(C, i);
        A.in->op->map(A.in, f, entry(C, i, k.first), entry(A, i, k.first), k.end - k.first);
    }
    return C;
}

Matrix map(Function f, Matrix A)
{
    return fill_with_map(banded(A.in, A.rows, A.cols, A.band), f, A);
}

static void copy_present(Matrix C, Matrix A)
{
    for (size_t i = 0; i < A.rows; i++) {
        Range k = row_range(A, i);
        A.in->op->copy(A.in, entry(C, i, k.first), entry(A, i, k.first), k.end - k.first);
    }
}

Matrix stage(Stage name, Matrix A)
{
    Matrix kept = A;
    const Operations *op = A.in->op;
    if (op->stage && (!op->keeps || op->keeps(A.in, name))) {
        kept = banded(A.in, A.rows, A.cols, A.band);
        copy_present(kept, A);
        op->stage(A.in, name, kept);
    }
    if (A.in->observe)
        A.in->observe(A.in->observer, name, kept);
    return kept;
}

/* ---- rows ----------------------------------------------------------------------------------- */

Matrix row_sum(Matrix A)
{
    Matrix c = matrix(A.in, A.rows, 1);
#pragma omp parallel for schedule(dynamic, 1) if (in_parallel(A, 1))
    for (size_t i = 0; i < A.rows; i++) {
        Range k = row_range(A, i);
        A.in->op->sum(A.in, entry(c, i, 0), entry(A, i, k.first), k.end - k.first);
    }
    return c;
}

Matrix row_divide(Matrix A, Matrix c)
{
    shapes_must_fit(c.rows == A.rows && c.cols == 1, __func__, A, c);
    return with_scalar(A.in->op->divide, A, c);
}

Matrix row_shift(Matrix A, Matrix c)
{
    shapes_must_fit(c.rows == A.rows && c.cols == 1, __func__, A, c);
    return with_scalar(A.in->op->shift, A, c);
}

Matrix row_scale(Matrix A, Matrix c)
{
    shapes_must_fit(c.rows == A.rows && c.cols == 1, __func__, A, c);
    return with_scalar(A.in->op->scale, A, c);
}

Matrix row_dot(Matrix A, Matrix B)
{
    shapes_must_fit(A.rows == B.rows && A.cols == B.cols, __func__, A, B);
    Matrix c = matrix(A.in, A.rows, 1);
    for (size_t i = 0; i < A.rows; i++) {
        Range k = common(row_range(A, i), row_range(B, i));
        if (k.end > k.first)
            A.in->op->dot(A.in, entry(c, i, 0), entry(A, i, k.first), 1, entry(B, i, k.first), 1,
                          k.end - k.first);
    }
    return c;
}

Matrix row_reference(Matrix S, const Matrix *floor)
{
    const Operations *op = S.in->op;
    Matrix m = matrix(S.in, S.rows, 1), pair = matrix(S.in, 1, 2);
    for (size_t i = 0; i < S.rows; i++) {
        Range k = row_range(S, i);
        if (k.end == k.first)
            stop_on_bug(__func__, "row %zu of %zu x %zu has no allowed entry", i, S.rows, S.cols);
        op->reference(S.in, entry(m, i, 0), entry(S, i, k.first), k.end - k.first);
        if (floor) {
            op->copy(S.in, entry(pair, 0, 0), entry(m, i, 0), 1);
            op->copy(S.in, entry(pair, 0, 1), entry(*floor, i, 0), 1);
            op->reference(S.in, entry(m, i, 0), pair.entries, 2);
        }
    }
    return m;
}

/* Not NaN or infinite; in a system without real numbers, always. */
static bool is_number(System *in, const void *x)
{
    if (!in->op->get)
        return true;
    mpfr_t y;
    mpfr_init2(y, 53);
    in->op->get(in, y, x);
    bool number = mpfr_number_p(y);
    mpfr_clear(y);
    return number;
}

Matrix row_softmax(Matrix S, Matrix *lse)
{
    Matrix m = row_reference(S, NULL);
    Matrix E = row_shift(S, m); /* then what it becomes, in one place */
    fill_with_map(E, EXP, E);
    Matrix l = row_sum(E);
    if (lse)
        *lse = add(m, map(LOG, l));
    Matrix P = fill_with_scalar(E, S.in->op->divide, E, l);
    for (size_t i = 0; i < S.rows; i++) {
        Range k = row_range(S, i);
        /* a lone score has weight 1 exactly, even where e / e is inexact */
        if (k.end == k.first + 1 && is_number(S.in, entry(P, i, k.first)))
            S.in->op->set(S.in, entry(P, i, k.first), (const double[]){1}, 1);
    }
    return P;
}
