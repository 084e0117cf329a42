/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ball_slices.h"

#include "system.h"

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
        *l = (Line){LINE_FIT, 0, NO_ERROR, WORD_MAX, NO_ERROR, 0};
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
    Line *line = l->line + first;
    Matrix part = l->across ? rows(l->of, first, count) : columns(l->of, first, count);
    for (size_t i = 0; i < part.rows; i++) {
        Range r = row_range(part, i);
        arb_srcptr x = entry(part, i, 0);
        for (size_t j = r.first; j < r.end; j++)
            survey_entry(&line[l->across ? i : j], x + j);
    }
    for (size_t i = 0; i < count; i++)
        survey_end(&line[i]);
}

Lines lines_of(Matrix A, bool across, size_t tile, bool in_parallel)
{
    Lines l = {.of = A,
               .across = across,
               .count = across ? A.rows : A.cols,
               .length = across ? A.cols : A.rows,
               .tile = tile,
               .error = NO_ERROR};
    l.line = calloc(l.count, sizeof *l.line);
    if (!l.line)
        stop_on_bug(__func__, "out of memory");
#pragma omp parallel for schedule(dynamic, 1) if (in_parallel)
    for (size_t i = 0; i < l.count; i += tile)
        survey(&l, i, l.count - i < tile ? l.count - i : tile);
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

/* y = floor(x / 2^low) mod 2^(64 m), x of n limbs, y of m. */
static void shift_limbs(mp_limb_t *y, mp_size_t m, mp_srcptr x, mp_size_t n, slong low)
{
    const slong q = low >= 0 ? low / FLINT_BITS : -((FLINT_BITS - 1 - low) / FLINT_BITS);
    const int r = (int)(low - q * FLINT_BITS);
    for (slong i = 0; i < m; i++) {
        mp_limb_t here = i + q >= 0 && i + q < n ? x[i + q] : 0;
        mp_limb_t above = i + q + 1 >= 0 && i + q + 1 < n ? x[i + q + 1] : 0;
        y[i] = here >> r | above << 1 << (FLINT_BITS - 1 - r);
    }
}

/* The digits of x, `step` doubles apart, from the last at `at` on (`step` may be negative), and
 * whether bits of x are lost. */
static bool cut_midpoint(double *at, ptrdiff_t step, arf_srcptr x, slong exponent, const Cut *cut)
{
    mp_limb_t y[MOST_SLICES * MOST_BETA / FLINT_BITS + 2];
    mp_srcptr limb;
    mp_size_t n, m = (cut->beta * (slong)cut->slices - 1) / FLINT_BITS + 1, i = 0;
    ARF_GET_MPN_READONLY(limb, n, x);
    const slong half = (slong)1 << (cut->beta - 1), mask = 2 * half - 1;
    const double sign = ARF_SGNBIT(x) ? -1 : 1;
    /* the last digit's lowest bit among those of the mantissa, an integer of n limbs */
    slong low = FLINT_BITS * n - ARF_EXP(x) + exponent + 1 - cut->beta * (slong)cut->slices;
    bool lost = low > __builtin_ctzl(limb[0]);
    slong carry = 0;
    if (lost) { /* to nearest: the bit below, and the rest falls away */
        shift_limbs(y, 1, limb, n, low - 1);
        carry = (slong)(y[0] & 1);
    }
    shift_limbs(y, m, limb, n, low);
    mp_limb_t rest = y[0];
    int left = FLINT_BITS; /* bits of it */
    for (size_t k = cut->slices; k-- > 0; at += step) {
        mp_limb_t bits = rest;
        if (left < cut->beta && ++i < m) {
            bits |= y[i] << left;
            rest = y[i] >> (cut->beta - left);
            left += FLINT_BITS - cut->beta;
        } else {
            rest >>= cut->beta;
            left -= cut->beta;
        }
        slong digit = ((slong)bits & mask) + carry;
        carry = k > 0 ? (digit + half) >> cut->beta : 0; /* 1 from half on; the first keeps it */
        *at = sign * (double)(digit - (carry << cut->beta));
    }
    return lost;
}

enum { LEAST = -500 };

/* c 2^n, with n at most 64; or c 2^LEAST where n is less. */
static double bound(double c, slong n)
{
    uint64_t bits = (uint64_t)(1023 + (n > LEAST ? n : LEAST)) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return c * power;
}

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
    size_t left = l->length - block * l->tile;
    return left < l->tile ? left : l->tile;
}

Slab tile_slab(const Tile *t, double *packed, size_t of, size_t block, size_t n)
{
    size_t width = block_width(t->from, block), step = t->from->across ? of * width : t->count;
    double *base = packed + block * t->from->tile * of * t->count;
    return (Slab){base + n * width * (t->from->across ? 1 : t->count), step};
}

/* A block, to be filled. */
typedef struct Block {
    const Cut *cut;
    const Line *line; /* of the tile */
    Slab slices, bounds;
    size_t one; /* from one slice to the next */
    bool across;
} Block;

static void pack_entry(const Block *b, size_t line, size_t k, arb_srcptr x)
{
    const Cut *cut = b->cut;
    const slong exponent = b->line[line].exponent;
    const size_t along = b->across ? k : line, step = b->across ? line : k;
    bool lost = false;
    if (b->line[line].kind != LINE_FIT || arb_is_zero(x))
        return;
    if (!arf_is_zero(arb_midref(x))) {
        double *at = b->slices.at + step * b->slices.step + along;
        ptrdiff_t one = (ptrdiff_t)b->one;
        lost = cut_midpoint(cut->descending ? at : at + (ptrdiff_t)(cut->slices - 1) * one,
                            cut->descending ? one : -one, arb_midref(x), exponent, cut);
    }
    if (cut->bounded)
        bound_entry(b->bounds.at + step * b->bounds.step + along, b->one, x, lost, exponent, cut);
}

static void pack_block(const Tile *t, const Cut *cut, size_t block)
{
    const Lines *l = t->from;
    const size_t width = block_width(l, block), size = width * t->count, first = block * l->tile;
    Block b = {.cut = cut, .line = l->line + t->first, .across = l->across};
    b.slices = tile_slab(t, t->slices, cut->slices, block, 0);
    b.one = l->across ? width : size;
    memset(b.slices.at, 0, size * cut->slices * sizeof(double));
    if (cut->bounded) {
        b.bounds = tile_slab(t, t->bounds, 2, block, 0);
        memset(b.bounds.at, 0, size * 2 * sizeof(double));
    }
    Matrix part = l->across ? columns(rows(l->of, t->first, t->count), first, width)
                            : columns(rows(l->of, first, width), t->first, t->count);
    for (size_t i = 0; i < part.rows; i++) {
        Range r = row_range(part, i);
        arb_srcptr x = entry(part, i, 0);
        for (size_t j = r.first; j < r.end; j++)
            pack_entry(&b, l->across ? i : j, l->across ? j : i, x + j);
    }
}

void tile_pack(const Tile *t, const Cut *cut, Range range)
{
    for (size_t block = range.first / t->from->tile; block * t->from->tile < range.end; block++)
        pack_block(t, cut, block);
}
