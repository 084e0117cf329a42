/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "band.h"

/* A limit past half of infinity is infinite, and stays so under shifts and sums. */
static ptrdiff_t limit(ptrdiff_t x)
{
    if (x > BAND_FAR / 2)
        return BAND_FAR;
    return x < -BAND_FAR / 2 ? -BAND_FAR : x;
}

static ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static ptrdiff_t greatest(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }

Band lookahead(size_t window)
{
    return (Band){1, limit((ptrdiff_t)(window < NO_WINDOW ? window : NO_WINDOW))};
}

bool band_is_empty(Band b) { return b.lo > b.hi; }

Band band_intersection(Band a, Band b) { return (Band){greatest(a.lo, b.lo), least(a.hi, b.hi)}; }

Band band_hull(Band a, Band b)
{
    if (band_is_empty(a) || band_is_empty(b))
        return band_is_empty(a) ? b : a;
    return (Band){least(a.lo, b.lo), greatest(a.hi, b.hi)};
}

Band band_transposed(Band b) { return (Band){-b.hi, -b.lo}; }

Band band_of_product(Band a, Band b)
{
    if (band_is_empty(a) || band_is_empty(b))
        return NOWHERE;
    return (Band){limit(a.lo + b.lo), limit(a.hi + b.hi)};
}

Band band_shifted(Band b, ptrdiff_t by)
{
    return band_is_empty(b) ? b : (Band){limit(b.lo + by), limit(b.hi + by)};
}

Band seen_from(Band whole, size_t row, size_t column)
{
    return band_shifted(whole, (ptrdiff_t)row - (ptrdiff_t)column);
}

/* Differences j - i run from 1 - rows to cols - 1. */
bool band_meets(Band b, size_t rows, size_t cols)
{
    return !band_is_empty(b) && b.lo <= (ptrdiff_t)cols - 1 && b.hi >= 1 - (ptrdiff_t)rows;
}

Range band_range(ptrdiff_t origin, Band b, size_t size)
{
    ptrdiff_t first = greatest(origin + b.lo, 0);
    ptrdiff_t end = least(origin + b.hi + 1, (ptrdiff_t)size);
    if (end <= first)
        return (Range){0, 0};
    return (Range){(size_t)first, (size_t)end};
}

Range common(Range a, Range b)
{
    size_t first = a.first > b.first ? a.first : b.first, end = a.end < b.end ? a.end : b.end;
    return end > first ? (Range){first, end} : (Range){0, 0};
}

Range joined(Range a, Range b)
{
    if (a.end == a.first || b.end == b.first)
        return a.end == a.first ? b : a;
    return (Range){a.first < b.first ? a.first : b.first, a.end > b.end ? a.end : b.end};
}
