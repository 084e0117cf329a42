/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "noisy_sums.h"

#include <math.h>
#include <stdlib.h>

/* A tile of C and of the sums of absolute values, small enough to stay in the cache. */
enum { TILE_ROWS = 4, TILE_COLS = 64 };
typedef struct SumTile {
    double value[TILE_ROWS][TILE_COLS], size[TILE_ROWS][TILE_COLS];
} SumTile;

/* Adds a[i] b[j] to every entry: k by k upwards, the order of additions that dot has, in loops that
 * compilers vectorise. Absent operands are stored as 0, and what they add changes nothing. */
__attribute__((target_clones("avx512f", "avx2", "default"))) static void
add_outer_products(SumTile *t, const double *const a[TILE_ROWS], const double *b, size_t stride,
                   size_t first, size_t end)
{
    for (size_t k = first; k < end; k++)
        for (size_t i = 0; i < TILE_ROWS; i++) {
            double factor = a[i][k];
            for (size_t j = 0; j < TILE_COLS; j++) {
                double term = factor * b[k * stride + j];
                t->value[i][j] += term;
                t->size[i][j] += fabs(term);
            }
        }
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* By small squares, which stay in the cache where one side of the copy runs across lines. */
static Packed packed(Matrix A, bool transposed, size_t rows, size_t cols)
{
    enum { SQUARE = 16 };
    Packed p = {room_for("sums_begin", rows * cols, sizeof(double)), cols};
    for (size_t i = 0; i < A.rows; i += SQUARE)
        for (size_t j = 0; j < A.cols; j += SQUARE)
            for (size_t r = i; r < least(i + SQUARE, A.rows); r++) {
                const double *from = (const double *)A.entries + r * A.stride;
                double *to = transposed ? p.at + r : p.at + r * cols;
                for (size_t c = j; c < least(j + SQUARE, A.cols); c++)
                    to[transposed ? c * cols : c] = from[c];
            }
    return p;
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

static Range joined(Range a, Range b)
{
    if (a.end == a.first || b.end == b.first)
        return a.end == a.first ? b : a;
    return (Range){a.first < b.first ? a.first : b.first, a.end > b.end ? a.end : b.end};
}

static Range common(Range a, Range b)
{
    size_t first = a.first > b.first ? a.first : b.first, end = a.end < b.end ? a.end : b.end;
    return end > first ? (Range){first, end} : (Range){0, 0};
}

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
        lines[r] = t->a.at + (i + r) * t->a.stride;
    Range in_rows = any_of(t, row_terms, i, i + rows);
    for (size_t j = 0; j < cols; j += TILE_COLS) {
        size_t width = least(TILE_COLS, cols - j);
        Range k = common(in_rows, any_of(t, column_terms, j, j + width));
        if (!band_meets(seen_from(t->C.band, i, j), rows, width))
            continue;
        SumTile tile = {0};
        add_outer_products(&tile, lines, t->b.at + j, t->b.stride, k.first, k.end);
        for (size_t r = 0; r < rows; r++) {
            Range present = common(row_range(t->C, i + r), (Range){j, j + width});
            for (size_t c = present.first; c < present.end; c++) {
                *(double *)entry(t->C, i + r, c) = tile.value[r][c - j];
                t->sizes[r * cols + c] = tile.size[r][c - j];
            }
        }
    }
}

bool sums_begin(Sums *s, Matrix C, Matrix A, Matrix B, ProductKind kind)
{
    if (!all_finite(A) || !all_finite(B))
        return false;
    size_t inner = kind == PRODUCT_TN ? A.rows : A.cols;
    *s = (Sums){.C = C, .A = A, .B = B, .kind = kind};
    s->a = packed(A, kind == PRODUCT_TN, filled_up(C.rows, TILE_ROWS), inner);
    s->b = packed(B, kind == PRODUCT_NT, inner, filled_up(C.cols, TILE_COLS));
    s->sizes = room_for(__func__, TILE_ROWS * C.cols, sizeof *s->sizes);
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

void sums_end(Sums *s)
{
    free(s->a.at);
    free(s->b.at);
    free(s->sizes);
}
