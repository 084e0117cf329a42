/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The block generator of xi against GSL's mt19937, number by number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "draws.h"
#include "matrix_support.h"

#include <gsl/gsl_rng.h>

static void draws_are_those_of_mt19937(void **unused)
{
    (void)unused;
    const uint64_t seeds[] = {0, 1, 4357, 20261122, UINT32_MAX, (uint64_t)1 << 40 | 7};
    enum { MANY = 5 * DRAWS + 1 };
    gsl_rng *r = gsl_rng_alloc(gsl_rng_mt19937);
    for (size_t k = 0; k < sizeof seeds / sizeof *seeds; k++) {
        static Draws d;
        double xi[MANY];
        gsl_rng_set(r, seeds[k]);
        draws_begin(&d, seeds[k]);
        draws_take(&d, xi, MANY);
        for (size_t n = 0; n < MANY; n++) {
            double expected = 2 * gsl_rng_uniform(r) - 1;
            if (xi[n] != expected)
                fail_msg("seed %ju, number %zu: %a, GSL has %a", (uintmax_t)seeds[k], n, xi[n],
                         expected);
        }
    }
    gsl_rng_free(r);
}

/* The next numbers are the same however many are taken at once. */
static void draws_do_not_depend_on_how_many_are_taken(void **unused)
{
    (void)unused;
    enum { ALL = 3 * DRAWS };
    static Draws whole, parts;
    double at_once[ALL], piecewise[ALL];
    draws_begin(&whole, 11);
    draws_take(&whole, at_once, ALL);
    for (size_t step = 1; step < 2 * DRAWS; step = 3 * step + 1) {
        draws_begin(&parts, 11);
        for (size_t n = 0; n < ALL; n += step) {
            draws_take(&parts, piecewise + n, n + step < ALL ? step : ALL - n);
            draws_take(&parts, NULL, 0);
        }
        for (size_t n = 0; n < ALL; n++)
            if (piecewise[n] != at_once[n])
                fail_msg("taken %zu at a time, number %zu: %a, not %a", step, n, piecewise[n],
                         at_once[n]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_are_those_of_mt19937),
        cmocka_unit_test(draws_do_not_depend_on_how_many_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
