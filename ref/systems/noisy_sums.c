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

static Range row_terms(const Sums *t, size_t i)
{
    return t->kind == PRODUCT_TN ? column_range(t->A, i) : row_range(t->A, i);
}

static Range column_terms(const Sums *t, size_t j)
{
    return t->kind == PRODUCT_NT ? row_range(t->B, j) : column_range(t->B, j);
}

/* The columns of A side by side; of absent entries nothing. By small squares, which stay in the cache where
 * one side of the copy runs across lines. */
static double *transposed_lines(Matrix A)
{
    enum { SQUARE = 16 };
    double *lines = system_entries(A.in, A.rows * A.cols, true);
    for (size_t i = 0; i < A.rows; i += SQUARE)
        for (size_t j = 0; j < A.cols; j += SQUARE) {
            if (!band_meets(seen_from(A.band, i, j), SQUARE, SQUARE))
                continue;
            for (size_t r = i; r < least(i + SQUARE, A.rows); r++)
                for (size_t c = j; c < least(j + SQUARE, A.cols); c++)
                    lines[c * A.rows + r] = ((const double *)A.entries)[r * A.stride + c];
        }
    return lines;
}

/* Where a panel has terms at all. */
static Range panel_range(const Sums *t, size_t first)
{
    Range all = {0, 0};
    for (size_t j = first; j < least(first + TILE_COLS, t->C.cols); j++)
        all = joined(all, t->columns[j]);
    return all;
}

/* The columns of the sums in panels of TILE_COLS, each panel term by term: as a tile reads them. Outside of
 * panel_range nothing is written. */
static double *panels_of(const Sums *t, Matrix B)
{
    size_t count = t->C.cols, panels = (count + TILE_COLS - 1) / TILE_COLS;
    size_t next_column = t->kind == PRODUCT_NT ? B.stride : 1;
    size_t next_term = t->kind == PRODUCT_NT ? 1 : B.stride;
    double *all = system_entries(B.in, panels * TILE_COLS * t->inner, true);
    for (size_t j = 0; j < count; j += TILE_COLS) {
        Range terms = panel_range(t, j);
        size_t width = least(TILE_COLS, count - j);
        for (size_t k = terms.first; k < terms.end; k++) {
            const double *from = (const double *)B.entries + j * next_column + k * next_term;
            double *to = all + j * t->inner + k * TILE_COLS;
            for (size_t c = 0; c < TILE_COLS; c++)
                to[c] = c < width ? from[c * next_column] : 0;
        }
    }
    return all;
}

/* x - x is 0 for a number, NaN otherwise; no branch, so that compilers vectorise the loop. */
static bool all_finite(Matrix A)
{
    int strange = 0;
    for (size_t i = 0; i < A.rows; i++) {
        const double *x = (const double *)A.entries + i * A.stride;
        Range present = row_range(A, i);
        for (size_t j = present.first; j < present.end; j++)
            strange |= !(x[j] - x[j] == 0);
    }
    return !strange;
}

/* Rows i .. i + TILE_ROWS - 1 of C, and the sums of absolute values. */
static void sum_rows(const Sums *t, size_t i)
{
    size_t rows = least(TILE_ROWS, t->C.rows - i), cols = t->C.cols;
    const double *lines[TILE_ROWS];
    Range in_rows = {0, 0};
    for (size_t r = 0; r < TILE_ROWS; r++) {
        size_t line = least(i + r, t->C.rows - 1); /* past the end: any, its sums are not used */
        lines[r] = t->a.first + line * t->a.step;
        in_rows = joined(in_rows, row_terms(t, line));
    }
    for (size_t j = 0; j < cols; j += TILE_COLS) {
        size_t width = least(TILE_COLS, cols - j);
        if (!band_meets(seen_from(t->C.band, i, j), rows, width))
            continue;
        Range k = common(in_rows, panel_range(t, j));
        SumTile tile = {0};
        add_outer_products(&tile, lines, (const Vector *)(t->panels + j * t->inner), k.first,
                           k.end);
        for (size_t r = 0; r < rows; r++) {
            Range present = common(row_range(t->C, i + r), (Range){j, j + width});
            if (present.end == present.first)
                continue;
            size_t n = (present.end - present.first) * sizeof(double), at = present.first - j;
            memcpy(entry(t->C, i + r, present.first), (double *)tile.value[r] + at, n);
            memcpy(t->sizes + r * cols + present.first, (double *)tile.size[r] + at, n);
        }
    }
}

bool sums_begin(Sums *s, Matrix C, Matrix A, Matrix B, ProductKind kind)
{
    if (!all_finite(A) || !all_finite(B))
        return false;
    bool across = kind != PRODUCT_TN;
    *s = (Sums){.C = C, .A = A, .B = B, .kind = kind, .scope = scope_open(C.in)};
    s->inner = across ? A.cols : A.rows;
    s->a.first = across ? A.entries : transposed_lines(A);
    s->a.step = across ? A.stride : A.rows;
    s->columns = system_entries(C.in, C.cols * (sizeof(Range) / sizeof(double)), true);
    for (size_t j = 0; j < C.cols; j++)
        s->columns[j] = column_terms(s, j);
    s->panels = panels_of(s, B);
    s->sizes = system_entries(C.in, TILE_ROWS * C.cols, false);
    s->terms = system_entries(C.in, C.cols, false);
    return true;
}

SumsRow sums_row(const Sums *s, size_t i)
{
    if (i % TILE_ROWS == 0)
        sum_rows(s, i);
    Range present = row_range(s->C, i), row = row_terms(s, i);
    for (size_t j = present.first; j < present.end; j++) {
        Range k = common(row, s->columns[j]);
        s->terms[j] = k.end - k.first;
    }
    return (SumsRow){entry(s->C, i, present.first),
                     s->sizes + i % TILE_ROWS * s->C.cols + present.first, s->terms + present.first,
                     present.end - present.first};
}

void sums_end(Sums *s) { scope_close(s->C.in, s->scope); }
