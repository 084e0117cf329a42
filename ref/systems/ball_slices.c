/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ball_slices.h"

#include "system.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Exponents past these are left to Arb, which knows no largest exponent. */
#define FAR ((slong)1 << 40)

/* ---- lines ---------------------------------------------------------------------------------- */

Range line_range(const Lines *l, size_t i)
{
    return l->across ? row_range(l->of, i) : column_range(l->of, i);
}

arb_srcptr line_at(const Lines *l, size_t i, size_t k)
{
    return l->across ? entry(l->of, i, k) : entry(l->of, k, i);
}

size_t line_step(const Lines *l) { return l->across ? 1 : l->of.stride; }

static bool is_near(slong exponent) { return exponent > -FAR && exponent < FAR; }

/* The exponent of the lowest bit that is set. */
static slong lowest(arf_srcptr x)
{
    mp_srcptr limb;
    mp_size_t n;
    ARF_GET_MPN_READONLY(limb, n, x);
    return ARF_EXP(x) - FLINT_BITS * n + __builtin_ctzl(limb[0]);
}

/* While lines are surveyed, `bits` is the lowest exponent and `error` the largest of a radius. */
static void survey_entry(Line *l, arb_srcptr x)
{
    arf_srcptr mid = arb_midref(x);
    mag_srcptr rad = arb_radref(x);
    if (arb_is_zero(x) || l->kind == LINE_UNFIT)
        return;
    if (!arb_is_finite(x) || !is_near(ARF_EXP(mid)) || !is_near(MAG_EXP(rad))) {
        l->kind = LINE_UNFIT;
        return;
    }
    if (l->kind == LINE_ZERO)
        *l = (Line){LINE_FIT, 0, NO_ERROR, WORD_MAX, NO_ERROR};
    l->entries++;
    if (!arf_is_zero(mid)) {
        slong low = lowest(mid);
        l->exponent = ARF_EXP(mid) > l->exponent ? ARF_EXP(mid) : l->exponent;
        l->bits = low < l->bits ? low : l->bits;
    }
    if (!mag_is_zero(rad))
        l->error = MAG_EXP(rad) > l->error ? MAG_EXP(rad) : l->error;
}

/* Where a radius dwarfs all midpoints, they need not be known to the last bit: E follows it. */
static void survey_end(Line *l)
{
    if (l->kind != LINE_FIT)
        return;
    if (l->error != NO_ERROR && l->error - 64 > l->exponent)
        l->exponent = l->error - 64;
    l->bits = l->bits < l->exponent ? l->exponent - l->bits : 0;
    l->error = l->error == NO_ERROR ? NO_ERROR : l->error - l->exponent;
}

/* In the order of memory. */
static void survey(Lines *l, size_t first, size_t count)
{
    for (size_t i = 0; l->across && i < count; i++) {
        Range r = line_range(l, first + i);
        for (size_t k = r.first; k < r.end; k++)
            survey_entry(&l->line[first + i], line_at(l, first + i, k));
    }
    for (size_t k = 0; !l->across && k < l->length; k++) {
        Range r = row_range(columns(l->of, first, count), k);
        for (size_t i = r.first; i < r.end; i++)
            survey_entry(&l->line[first + i], line_at(l, first + i, k));
    }
    for (size_t i = 0; i < count; i++)
        survey_end(&l->line[first + i]);
}

Lines lines_of(Matrix A, bool across, bool in_parallel)
{
    Lines l = {.of = A,
               .across = across,
               .count = across ? A.rows : A.cols,
               .length = across ? A.cols : A.rows,
               .error = NO_ERROR};
    l.line = calloc(l.count, sizeof *l.line);
    if (!l.line)
        stop_on_bug(__func__, "out of memory");
#pragma omp parallel for schedule(dynamic, 1) if (in_parallel)
    for (size_t i = 0; i < l.count; i += SLICE_TILE)
        survey(&l, i, l.count - i < SLICE_TILE ? l.count - i : SLICE_TILE);
    for (size_t i = 0; i < l.count; i++)
        if (l.line[i].kind == LINE_FIT) {
            l.bits = l.line[i].bits > l.bits ? l.line[i].bits : l.bits;
            l.error = l.line[i].error > l.error ? l.line[i].error : l.error;
        }
    return l;
}

void lines_end(Lines *l) { free(l->line); }

bool lines_err(const Lines *l, const Cut *cut)
{
    return l->error != NO_ERROR || l->bits > cut->beta * (slong)cut->slices - 1;
}

/* ---- one entry ------------------------------------------------------------------------------ */

/* 64 bits of the n limbs at x from bit `at` on, as if zeros stood on both sides. */
static mp_limb_t window(mp_srcptr x, mp_size_t n, slong at)
{
    if (at >= FLINT_BITS * n || at <= -FLINT_BITS)
        return 0;
    if (at < 0)
        return x[0] << -at;
    slong q = at / FLINT_BITS, r = at % FLINT_BITS;
    mp_limb_t low = x[q] >> r;
    return r && q + 1 < n ? low | x[q + 1] << (FLINT_BITS - r) : low;
}

/* The digits of x, `step` doubles apart, from the last at `at` on (`step` may be negative), and whether
 * bits of x are lost. */
static bool cut_midpoint(double *at, ptrdiff_t step, arf_srcptr x, slong exponent, const Cut *cut)
{
    mp_srcptr limb;
    mp_size_t n;
    ARF_GET_MPN_READONLY(limb, n, x);
    const slong half = (slong)1 << (cut->beta - 1), mask = 2 * half - 1;
    const double sign = ARF_SGNBIT(x) ? -1 : 1;
    /* the last digit's lowest bit among those of the mantissa, an integer of n limbs */
    slong low = FLINT_BITS * n - ARF_EXP(x) + exponent + 1 - cut->beta * (slong)cut->slices;
    slong carry = low > 0 ? (slong)(window(limb, n, low - 1) & 1) : 0;
    bool lost = low > __builtin_ctzl(limb[0]);
    for (size_t i = cut->slices; i-- > 1; at += step, low += cut->beta) {
        slong digit = ((slong)window(limb, n, low) & mask) + carry;
        carry = (digit + half) >> cut->beta; /* 1 from half on, else 0 */
        *at = sign * (double)(digit - (carry << cut->beta));
    }
    *at = sign * (double)(((slong)window(limb, n, low) & mask) + carry);
    return lost;
}

enum { LEAST = -500 };

/* c 2^n, or 2^LEAST where that is less than a number that is not 0 should be. */
static double bound(double c, slong n) { return ldexp(c, n > LEAST ? (int)n : LEAST); }

/* Writes |x| and rho, or rho and |x| + rho, `step` apart. */
static void bound_entry(double *at, size_t step, arb_srcptr x, bool lost, slong exponent,
                        const Cut *cut)
{
    arf_srcptr mid = arb_midref(x);
    mag_srcptr rad = arb_radref(x);
    double middle = 0, error = 0;
    if (!arf_is_zero(mid)) {
        mp_srcptr limb;
        mp_size_t n;
        ARF_GET_MPN_READONLY(limb, n, mid);
        middle = bound(0x1p-64 * (double)limb[n - 1], ARF_EXP(mid) - exponent);
    }
    if (!mag_is_zero(rad))
        error = bound(0x1p-30 * (double)MAG_MAN(rad), MAG_EXP(rad) - exponent - cut->error);
    if (lost)
        error += bound(1, -cut->beta * (slong)cut->slices - cut->error);
    at[0] = cut->descending ? error : middle;
    at[step] = cut->descending ? middle + (error > 0 ? bound(error, cut->error) : 0) : error;
}

/* ---- tiles ---------------------------------------------------------------------------------- */

size_t block_width(const Lines *l, size_t block)
{
    size_t left = l->length - block * SLICE_BLOCK;
    return left < SLICE_BLOCK ? left : SLICE_BLOCK;
}

Slab tile_slab(const Tile *t, const double *packed, size_t of, size_t block, size_t n)
{
    size_t width = block_width(t->from, block), step = t->from->across ? of * width : t->count;
    const double *base = packed + block * SLICE_BLOCK * of * t->count;
    return (Slab){base + n * width * (t->from->across ? 1 : t->count), step};
}

static void pack_entry(const Tile *t, const Cut *cut, size_t i, size_t k)
{
    arb_srcptr x = line_at(t->from, t->first + i, k);
    slong exponent = t->from->line[t->first + i].exponent;
    size_t block = k / SLICE_BLOCK, width = block_width(t->from, block);
    size_t s = cut->slices, base = block * SLICE_BLOCK * t->count, line, one;
    if (t->from->line[t->first + i].kind != LINE_FIT || arb_is_zero(x))
        return;
    bool lost = false;
    k -= block * SLICE_BLOCK;
    line = t->from->across ? width : 1;               /* from line to line, within one slice */
    one = t->from->across ? width : width * t->count; /* from slice to slice */
    if (!arf_is_zero(arb_midref(x))) {
        double *at = t->slices + base * s + (t->from->across ? i * line * s + k : k * t->count + i);
        lost = cut_midpoint(cut->descending ? at : at + (s - 1) * one,
                            cut->descending ? (ptrdiff_t)one : -(ptrdiff_t)one, arb_midref(x),
                            exponent, cut);
    }
    if (cut->bounded)
        bound_entry(t->bounds + base * 2 + (t->from->across ? i * line * 2 + k : k * t->count + i),
                    one, x, lost, exponent, cut);
}

void tile_pack(const Tile *t, const Cut *cut, Range range)
{
    const Lines *l = t->from;
    if (range.end == range.first)
        return;
    size_t first = range.first / SLICE_BLOCK * SLICE_BLOCK;
    size_t end = (range.end + SLICE_BLOCK - 1) / SLICE_BLOCK * SLICE_BLOCK;
    size_t entries = ((end < l->length ? end : l->length) - first) * t->count;
    memset(t->slices + first * t->count * cut->slices, 0, entries * cut->slices * sizeof(double));
    if (cut->bounded)
        memset(t->bounds + first * t->count * 2, 0, entries * 2 * sizeof(double));
    for (size_t i = 0; l->across && i < t->count; i++) {
        Range r = line_range(l, t->first + i);
        for (size_t k = r.first > range.first ? r.first : range.first; k < r.end && k < range.end;
             k++)
            pack_entry(t, cut, i, k);
    }
    for (size_t k = range.first; !l->across && k < range.end; k++) {
        Range r = row_range(columns(l->of, t->first, t->count), k);
        for (size_t i = r.first; i < r.end; i++)
            pack_entry(t, cut, i, k);
    }
}
