/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "noisy_sums.h"

#include <stdint.h>
#include <string.h>

/* A tile of C and of the sums of absolute values, small enough for a processor's registers. */
enum { TILE_ROWS = 4, LANES = 8, VECTORS = 2, TILE_COLS = LANES * VECTORS };
typedef double Vector __attribute__((vector_size(LANES * sizeof(double))));
typedef int64_t Words __attribute__((vector_size(LANES * sizeof(double))));

typedef struct SumTile {
    Vector value[TILE_ROWS][VECTORS], size[TILE_ROWS][VECTORS];
} SumTile;

/* Adds a[i] b[j] to every entry: k by k upwards, the order of additions that dot has. Absent operands are
 * stored as 0, and what they add changes nothing. */
__attribute__((target_clones("avx512f", "avx2", "default"))) static void
add_outer_products(SumTile *t, const double *const a[TILE_ROWS], const Vector *b, size_t first,
                   size_t end)
{
    SumTile sums = *t;
    for (size_t k = first; k < end; k++)
        for (size_t i = 0; i < TILE_ROWS; i++)
            for (size_t v = 0; v < VECTORS; v++) {
                Vector term = a[i][k] * b[k * VECTORS + v];
                sums.value[i][v] += term;
                sums.size[i][v] += (Vector)((Words)term & INT64_MAX); /* |term| */
            }
    *t = sums;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* The rows (or columns) of A one after the other, and zeros after them up to `lines`. By small squares,
 * which stay in the cache where one side of the copy runs across lines. */
static double *lines_of(Matrix A, bool transposed, size_t lines)
{
    enum { SQUARE = 16 };
    size_t length = transposed ? A.rows : A.cols, count = transposed ? A.cols : A.rows;
    double *p = system_entries(A.in, lines * length, true);
    memset(p + count * length, 0, (lines - count) * length * sizeof *p);
    for (size_t i = 0; i < A.rows; i += SQUARE)
        for (size_t j = 0; j < A.cols; j += SQUARE)
            for (size_t r = i; r < least(i + SQUARE, A.rows); r++) {
                const double *from = (const double *)A.entries + r * A.stride;
                for (size_t c = j; c < least(j + SQUARE, A.cols); c++)
                    p[transposed ? c * length + r : r * length + c] = from[c];
            }
    return p;
}

/* The columns (or rows) of B in panels of TILE_COLS, each panel row by row: as a tile reads them. */
static Vector *panels_of(Matrix B, bool transposed, size_t cols)
{
    size_t length = transposed ? B.cols : B.rows, count = transposed ? B.rows : B.cols;
    double *p = system_entries(B.in, cols * length, true), *to = p;
    const double *from = B.entries;
    for (size_t j = 0; j < cols; j += TILE_COLS)
        for (size_t k = 0; k < length; k++)
            for (size_t c = j; c < j + TILE_COLS; c++)
                *to++ = c >= count ? 0 : from[transposed ? c * B.stride + k : k * B.stride + c];
    return (Vector *)p;
}

/* x - x is 0 for a number, NaN otherwise; no branch, so that compilers vectorise the loop. */
static bool all_finite(Matrix A)
{
    int strange = 0;
    for (size_t i = 0; i < A.rows; i++) {
        const double *x = (const double *)A.entries + i * A.stride;
        for (size_t j = 0; j < A.cols; j++)
            strange |= !(x[j] - x[j] == 0);
    }
    return !strange;
}

static size_t filled_up(size_t n, size_t tile) { return (n + tile - 1) / tile * tile; }

static Range row_terms(const Sums *t, size_t i)
{
    return t->kind == PRODUCT_TN ? column_range(t->A, i) : row_range(t->A, i);
}

static Range column_terms(const Sums *t, size_t j)
{
    return t->kind == PRODUCT_NT ? row_range(t->B, j) : column_range(t->B, j);
}

static Range any_of(const Sums *t, Range (*terms)(const Sums *, size_t), size_t first, size_t end)
{
    Range all = {0, 0};
    for (size_t i = first; i < end; i++)
        all = joined(all, terms(t, i));
    return all;
}

/* Rows i .. i + TILE_ROWS - 1 of C, and the sums of absolute values. */
static void sum_rows(const Sums *t, size_t i)
{
    size_t rows = least(TILE_ROWS, t->C.rows - i), cols = t->C.cols;
    const double *lines[TILE_ROWS];
    for (size_t r = 0; r < TILE_ROWS; r++)
        lines[r] = t->a + (i + r) * t->inner;
    Range in_rows = any_of(t, row_terms, i, i + rows);
    for (size_t j = 0; j < cols; j += TILE_COLS) {
        size_t width = least(TILE_COLS, cols - j);
        Range k = common(in_rows, any_of(t, column_terms, j, j + width));
        if (!band_meets(seen_from(t->C.band, i, j), rows, width))
            continue;
        SumTile tile = {0};
        add_outer_products(&tile, lines, (const Vector *)t->b + j / LANES * t->inner, k.first,
                           k.end);
        for (size_t r = 0; r < rows; r++) {
            Range present = common(row_range(t->C, i + r), (Range){j, j + width});
            for (size_t c = present.first; c < present.end; c++) {
                size_t v = (c - j) / LANES, lane = (c - j) % LANES;
                *(double *)entry(t->C, i + r, c) = tile.value[r][v][lane];
                t->sizes[r * cols + c] = tile.size[r][v][lane];
            }
        }
    }
}

bool sums_begin(Sums *s, Matrix C, Matrix A, Matrix B, ProductKind kind)
{
    if (!all_finite(A) || !all_finite(B))
        return false;
    *s = (Sums){.C = C, .A = A, .B = B, .kind = kind, .scope = scope_open(C.in)};
    s->inner = kind == PRODUCT_TN ? A.rows : A.cols;
    s->a = lines_of(A, kind == PRODUCT_TN, filled_up(C.rows, TILE_ROWS));
    s->b = panels_of(B, kind == PRODUCT_NT, filled_up(C.cols, TILE_COLS));
    s->sizes = system_entries(C.in, TILE_ROWS * C.cols, false);
    return true;
}

const double *sums_row(const Sums *s, size_t i)
{
    if (i % TILE_ROWS == 0)
        sum_rows(s, i);
    return s->sizes + i % TILE_ROWS * s->C.cols;
}

size_t sums_terms(const Sums *s, size_t i, size_t j)
{
    Range k = common(row_terms(s, i), column_terms(s, j));
    return k.end - k.first;
}

void sums_end(Sums *s) { scope_close(s->C.in, s->scope); }
