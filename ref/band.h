/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * band.h - masks. Every mask of CASTLE is a band: the index pairs (i, j) with lo <= j - i <= hi. Limits past
 * half of BAND_FAR are infinite and stay so.
 */
#ifndef CASTLE_BAND_H
#define CASTLE_BAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Band {
    ptrdiff_t lo, hi;
} Band;

#define BAND_FAR (PTRDIFF_MAX / 8)               /* stands for infinity */
#define EVERYWHERE ((Band){-BAND_FAR, BAND_FAR}) /* no mask */
#define CAUSAL ((Band){-BAND_FAR, 0})            /* tril: key j <= query t */
#define NOWHERE ((Band){1, 0})
#define NO_WINDOW ((size_t)BAND_FAR) /* CASTLE without a sliding window */

/* allowed(s, j) of (4) and (9): s < j (CASTLE), s < j <= s + W (CASTLE-SWL).
 * Proved        castle_mask_ahead, swl_mask_ahead (Definitions.v), wide_window_is_castle,
 *               no_window_is_causal, no_values_is_causal (Facts.v). */
Band lookahead(size_t window);

bool band_is_empty(Band);
Band band_intersection(Band, Band);
Band band_hull(Band, Band); /* the smallest that holds both */
Band band_transposed(Band);
Band band_shifted(Band, ptrdiff_t by);

/* Where a product of matrices with these bands can be other than an empty sum. */
Band band_of_product(Band, Band);

/* The band as a block sees it whose entry (0, 0) is entry (row, column) of the whole. */
Band seen_from(Band whole, size_t row, size_t column);

/* Whether a rows x cols block has an entry in the band. */
bool band_meets(Band, size_t rows, size_t cols);

/* The indices first .. end - 1. */
typedef struct Range {
    size_t first, end;
} Range;

/* The integers of [origin + lo, origin + hi] that lie in [0, size). */
Range band_range(ptrdiff_t origin, Band, size_t size);

Range common(Range, Range); /* what both hold */
Range joined(Range, Range); /* the smallest that holds both */

#endif
