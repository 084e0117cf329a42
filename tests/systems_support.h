/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of the matrix interface and of the number systems share. Include it behind
 * cmocka.h.
 *
 * Tests run with fixed seeds, so a pass or a failure repeats. CASTLE_TEST_LONG=1 draws 20 times
 * as many random cases, CASTLE_TEST_SHORT=1 (under valgrind) a twentieth. */
#ifndef TESTS_SYSTEMS_SUPPORT_H
#define TESTS_SYSTEMS_SUPPORT_H

#include <gsl/gsl_rng.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "systems.h"

static inline bool asked_for(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value && strcmp(value, "0") != 0;
}

static inline long repetitions(long n)
{
    if (asked_for("CASTLE_TEST_LONG"))
        return 20 * n;
    return asked_for("CASTLE_TEST_SHORT") ? (n + 19) / 20 : n;
}

/* ---- random numbers ------------------------------------------------------------------------- */

static inline gsl_rng *random_source(unsigned long seed)
{
    gsl_rng *r = gsl_rng_alloc(gsl_rng_mt19937);
    if (!r)
        abort();
    gsl_rng_set(r, seed);
    return r;
}

static inline size_t random_up_to(gsl_rng *r, size_t most) /* 0 .. most */
{
    return gsl_rng_uniform_int(r, most + 1);
}

static inline uint64_t random_word(gsl_rng *r)
{
    return (uint64_t)gsl_rng_get(r) << 32 | gsl_rng_get(r);
}

/* 53 random bits, either sign, lowest <= exponent <= highest. */
static inline double random_double(gsl_rng *r, int lowest, int highest)
{
    uint64_t word = random_word(r);
    double significand = 1 + ldexp((double)(word >> 12), -52);
    double sign = word & 1 ? -1 : 1;
    return sign * ldexp(significand, lowest + (int)random_up_to(r, (size_t)(highest - lowest)));
}

/* A matrix of such numbers, rounded to f. */
static inline void random_fill(gsl_rng *r, double *v, size_t n, int lowest, int highest,
                               const Format *f)
{
    for (size_t k = 0; k < n; k++)
        v[k] = format_round_double(random_double(r, lowest, highest), f);
}

/* ---- entries -------------------------------------------------------------------------------- */

static inline void entry_to(mpfr_t y, Matrix A, size_t i, size_t j)
{
    A.in->op->get(A.in, y, entry(A, i, j));
}

static inline double number_at(Matrix A, size_t i, size_t j)
{
    mpfr_t y;
    mpfr_init2(y, 53);
    entry_to(y, A, i, j);
    double x = mpfr_get_d(y, MPFR_RNDN);
    mpfr_clear(y);
    return x;
}

/* Bit for bit, but every NaN is the same. */
static inline bool same(double a, double b)
{
    return (isnan(a) && isnan(b)) || (a == b && signbit(a) == signbit(b));
}

static inline bool allows(Band b, size_t i, size_t j)
{
    ptrdiff_t offset = (ptrdiff_t)j - (ptrdiff_t)i;
    return b.lo <= offset && offset <= b.hi;
}

static inline bool in_range(Range r, size_t k) { return r.first <= k && k < r.end; }

static inline Arithmetic arithmetic(const char *text)
{
    Arithmetic a;
    char why[400];
    if (!arithmetic_parse(&a, text, why, sizeof why)) {
        print_error("%s: %s\n", text, why);
        fail();
    }
    return a;
}

/* gamma_n = n u / (1 - n u), rounded up. */
static inline double gamma_up(double n, double u)
{
    return nextafter(nextafter(n * u / (1 - n * u), INFINITY), INFINITY);
}

/* ---- failures ------------------------------------------------------------------------------- */

/* Where a random case stands: printed when it fails. */
typedef struct Case {
    const char *what;
    unsigned long seed;
    long number; /* of the case drawn from that seed */
    size_t rows, cols;
} Case;

static inline void entries_differ(Case c, size_t i, size_t j, double got, double expected,
                                  double bound)
{
    print_error("%s: seed %lu, case %ld, shape %zu x %zu, entry (%zu, %zu): %.17g (%a), expected "
                "%.17g (%a), bound %g\n",
                c.what, c.seed, c.number, c.rows, c.cols, i, j, got, got, expected, expected,
                bound);
    fail();
}

static inline void assert_same(Case c, size_t i, size_t j, double got, double expected)
{
    if (!same(got, expected))
        entries_differ(c, i, j, got, expected, 0);
}

/* ---- functions that must abort -------------------------------------------------------------- */

/* Runs function in a child; asserts that it aborts with `expected` in what it writes to stderr. */
static inline void assert_aborts(void (*function)(void), const char *expected)
{
    char text[4096], surplus[512];
    size_t used = 0;
    ssize_t got;
    int ends[2], status;

    assert_int_equal(pipe(ends), 0);
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)dup2(ends[1], STDERR_FILENO);
        function();
        _exit(0);
    }
    (void)close(ends[1]);
    while (used < sizeof text - 1 && (got = read(ends[0], text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)got;
    while (read(ends[0], surplus, sizeof surplus) > 0)
        continue; /* a child under valgrind says more */
    text[used] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT) {
        print_error("expected \"%s\" and SIGABRT; status %#x, stderr \"%s\"\n", expected,
                    (unsigned)status, text);
        fail();
    }
    if (!strstr(text, expected)) {
        print_error("stderr \"%s\" lacks \"%s\"\n", text, expected);
        fail();
    }
}

#endif
