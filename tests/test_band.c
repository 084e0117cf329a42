/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bands against the sets of pairs that they stand for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "band.h"

enum { FAR = 7 };

/* All bands with limits from -3 to 3, with one-sided ones and empty ones among them. */
static size_t all_bands(Band bands[])
{
    size_t n = 0;
    for (ptrdiff_t lo = -4; lo <= 3; lo++)
        for (ptrdiff_t hi = -3; hi <= 4; hi++)
            bands[n++] = (Band){lo < -3 ? -BAND_FAR : lo, hi > 3 ? BAND_FAR : hi};
    return n;
}

static bool holds(Band b, ptrdiff_t difference) { return b.lo <= difference && difference <= b.hi; }

static void must(bool right, const char *what, Band a, Band b, ptrdiff_t at)
{
    if (!right)
        fail_msg("%s of %td..%td and %td..%td, j - i = %td", what, a.lo, a.hi, b.lo, b.hi, at);
}

static void bands_combine_as_sets_of_pairs(void **unused)
{
    (void)unused;
    Band bands[64];
    size_t n = all_bands(bands);
    for (size_t k = 0; k < n * n; k++) {
        Band a = bands[k / n], b = bands[k % n], both = band_intersection(a, b);
        Band hull = band_hull(a, b), sums = band_of_product(a, b);
        bool product[4 * FAR + 1] = {false};
        for (ptrdiff_t x = -2 * FAR; x <= 2 * FAR; x++)
            for (ptrdiff_t y = -2 * FAR; y <= 2 * FAR; y++)
                if (x + y >= -2 * FAR && x + y <= 2 * FAR && holds(a, x) && holds(b, y))
                    product[x + y + 2 * FAR] = true;
        for (ptrdiff_t d = -FAR; d <= FAR; d++) {
            must(holds(both, d) == (holds(a, d) && holds(b, d)), "intersection", a, b, d);
            must(holds(hull, d) || (!holds(a, d) && !holds(b, d)), "hull", a, b, d);
            must(holds(sums, d) == product[d + 2 * FAR], "product", a, b, d);
            must(holds(band_transposed(a), -d) == holds(a, d), "transpose", a, a, d);
            must(holds(band_shifted(a, 2), d + 2) == holds(a, d), "shift", a, a, d);
        }
        /* no smaller band would do: the hull's limits are those of a or b */
        if (!band_is_empty(hull)) {
            must(hull.lo == a.lo || hull.lo == b.lo, "hull's lower limit", a, b, hull.lo);
            must(hull.hi == a.hi || hull.hi == b.hi, "hull's upper limit", a, b, hull.hi);
        }
    }
}

static void blocks_see_the_whole_s_band(void **unused)
{
    (void)unused;
    Band bands[64];
    size_t n = all_bands(bands);
    for (size_t k = 0; k < n; k++)
        for (size_t row = 0; row < 4; row++)
            for (size_t column = 0; column < 4; column++) {
                Band seen = seen_from(bands[k], row, column);
                bool meets = false;
                for (size_t i = 0; i < 3; i++) {
                    Range r = band_range((ptrdiff_t)i, seen, 2);
                    for (size_t j = 0; j < 2; j++) {
                        ptrdiff_t d = (ptrdiff_t)(column + j) - (ptrdiff_t)(row + i);
                        bool present = j >= r.first && j < r.end;
                        must(present == holds(bands[k], d), "block", bands[k], seen, d);
                        meets |= present;
                    }
                }
                must(band_meets(seen, 3, 2) == meets, "meeting", bands[k], seen, 0);
            }
}

static void windows_are_the_paper_s(void **unused)
{
    (void)unused;
    const size_t windows[] = {0, 1, 3, NO_WINDOW};
    for (size_t w = 0; w < 4; w++)
        for (ptrdiff_t s = 0; s < FAR; s++)
            for (ptrdiff_t j = 0; j < FAR; j++) {
                bool allowed = s < j && (windows[w] == NO_WINDOW || j <= s + (ptrdiff_t)windows[w]);
                must(holds(lookahead(windows[w]), j - s) == allowed, "window",
                     lookahead(windows[w]), CAUSAL, j - s);
                must(holds(CAUSAL, j - s) == (j <= s), "tril", CAUSAL, CAUSAL, j - s);
            }
    assert_true(band_is_empty(NOWHERE) && band_is_empty(lookahead(0)));
}

static void ranges_combine_as_sets(void **unused)
{
    (void)unused;
    for (size_t k = 0; k < 5 * 5 * 5 * 5; k++) {
        Range a = {k % 5, k / 5 % 5}, b = {k / 25 % 5, k / 125};
        if (a.end < a.first || b.end < b.first)
            continue;
        Range both = common(a, b), all = joined(a, b);
        bool none = a.first == a.end || b.first == b.end;
        for (size_t x = 0; x < 5; x++) {
            bool in_a = x >= a.first && x < a.end, in_b = x >= b.first && x < b.end;
            assert_int_equal(x >= both.first && x < both.end, in_a && in_b);
            if (in_a || in_b)
                assert_true(x >= all.first && x < all.end);
        }
        if (!none)
            assert_true((all.first == a.first || all.first == b.first) &&
                        (all.end == a.end || all.end == b.end));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bands_combine_as_sets_of_pairs),
        cmocka_unit_test(blocks_see_the_whole_s_band),
        cmocka_unit_test(windows_are_the_paper_s),
        cmocka_unit_test(ranges_combine_as_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
