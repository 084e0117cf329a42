/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ways.c: the ways of ref/ to a gradient along a line stay within the bounds that are derived for them; what
 * is not that gradient does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "random_problem.h"
#include "sequential.h"
#include "trials.h"
#include "ways.h"

#include <math.h>

enum { WIDE = 1024 };

/* log2 |x - truth| */
static double log2_off(mpfr_t x, const mpfr_t truth)
{
    mpfr_sub(x, x, truth, MPFR_RNDN);
    return log2_of(x);
}

static void every_way_is_within_its_bound(void **state)
{
    (void)state;
    static const long bits[] = {24, 53, 113};
    mpfr_t found, truth;
    mpfr_inits2(WIDE, found, truth, (mpfr_ptr)0);
    for (unsigned long seed = 0; seed < (unsigned long)repetitions(12); seed++) {
        size_t L = 1 + seed % 7, B = 1 + seed % L, window = seed % 3 ? seed % (L + 1) : NO_WINDOW;
        Direction l = random_line(L, 4, window, seed);
        tangent_of_definition(truth, &l, WIDE);
        for (size_t k = 0; k < 3; k++)
            for (Way way = DENSE; way < WAYS; way++) {
                way_gradient(found, way, &l, B, bits[k]);
                double off = log2_off(found, truth);
                double bound = log2_way_bound(way, &l, B, bits[k]);
                if (off > bound)
                    fail_msg("seed %lu L %zu B %zu W %zd, %ld bits, way %d: off by 2^%.1f, bound "
                             "2^%.1f",
                             seed, L, B, window == NO_WINDOW ? -1 : (ptrdiff_t)window, bits[k],
                             (int)way, off, bound);
            }
        line_free(&l);
    }
    mpfr_clears(found, truth, (mpfr_ptr)0);
}

static void another_lines_gradient_is_past_it(void **state)
{
    (void)state;
    mpfr_t found, truth;
    mpfr_inits2(WIDE, found, truth, (mpfr_ptr)0);
    Direction l = random_line(5, 4, 2, 1), other = random_line(5, 4, 2, 1);
    other.v[7] += 0x1p-12; /* the last bit of one number */
    tangent_of_definition(truth, &other, WIDE);
    way_gradient(found, DENSE, &l, 2, 53);
    assert_true(log2_off(found, truth) > log2_way_bound(DENSE, &l, 2, 53));
    line_free(&l);
    line_free(&other);
    mpfr_clears(found, truth, (mpfr_ptr)0);
}

static void values_are_within_their_bounds(void **state)
{
    (void)state;
    mpfr_t found, truth;
    mpfr_inits2(WIDE, found, truth, (mpfr_ptr)0);
    for (unsigned long seed = 0; seed < (unsigned long)repetitions(12); seed++) {
        Direction l = random_line(1 + seed % 7, 4, seed % 2 ? seed % 4 : NO_WINDOW, seed);
        double h = ldexp(seed % 2 ? 1 : -1, -(int)(seed % 8));
        value_of_definition(truth, &l, h, WIDE);
        value_of_definition(found, &l, h, 53);
        assert_true(log2_off(found, truth) <= log2_value_bound(&l, h, 53));
        line_free(&l);
    }
    mpfr_clears(found, truth, (mpfr_ptr)0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_is_within_its_bound),
        cmocka_unit_test(another_lines_gradient_is_past_it),
        cmocka_unit_test(values_are_within_their_bounds),
    };
    return cmocka_run_group_tests_name("ways", tests, NULL, NULL);
}
