/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Products of balls by slices. No two terms of C_ij share an operand, so the values that C_ij takes
 * over all points of the operands' balls are an interval whose ends are sums of the ends of its
 * terms: both are computed here without error and must lie in the result's ball. A product by
 * arb_dot, entry by entry, says how wide the balls may be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ball_product.h"
#include "matrix_support.h"

#include <gsl/gsl_randist.h>
#include <omp.h>

/* ---- operands ------------------------------------------------------------------------------- */

/* What operands are made of. */
typedef struct Data {
    const char *name;
    int bits;         /* of a midpoint, at most */
    int spread;       /* exponents of midpoints lie in [-spread, spread] */
    int narrow, wide; /* radii are 2^-narrow to 2^-wide times the midpoint; wide = 0: none */
    int zeros;        /* one entry in so many is 0; 0: none */
} Data;

static const Data kinds_of_data[] = {
    {"doubles", 53, 3, 0, 0, 0},
    {"exact and far apart", 53, 150, 0, 0, 3},
    {"long", 300, 3, 0, 0, 4},
    {"narrow", 130, 4, 140, 100, 6},
    {"wide", 130, 4, 60, -80, 3},
    {"far apart", 130, 120, 200, 20, 4},
    {"tiny radii", 53, 2, 1500, 1400, 5},
    {"huge radii", 60, 10, -1400, -1500, 2},
};
enum { DATA = sizeof kinds_of_data / sizeof *kinds_of_data };

static void random_ball(gsl_rng *r, arb_ptr x, const Data *d)
{
    arf_t part;
    arb_zero(x);
    if (d->zeros && random_up_to(r, (size_t)d->zeros - 1) == 0)
        return;
    arf_init(part);
    int bits = 1 + (int)random_up_to(r, (size_t)d->bits - 1);
    for (int done = 0; done < bits; done += 32) {
        int more = bits - done < 32 ? bits - done : 32;
        arf_set_d(part, (double)gsl_rng_uniform_int(r, (unsigned long)ldexp(1, more) - 1) + 1);
        arf_mul_2exp_si(part, part, -done - more);
        arf_add(arb_midref(x), arb_midref(x), part, ARF_PREC_EXACT, ARF_RND_DOWN);
    }
    arf_clear(part);
    slong exponent = (slong)random_up_to(r, 2 * (size_t)d->spread) - d->spread;
    arf_mul_2exp_si(arb_midref(x), arb_midref(x), exponent);
    if (random_up_to(r, 1))
        arf_neg(arb_midref(x), arb_midref(x));
    if (d->wide != 0 && random_up_to(r, 4)) {
        slong below = d->wide + (slong)random_up_to(r, (size_t)(d->narrow - d->wide));
        mag_set_d(arb_radref(x), gsl_rng_uniform_pos(r));
        mag_mul_2exp_si(arb_radref(x), arb_radref(x), exponent - below);
    }
    if (d->wide != 0 && random_up_to(r, 9) == 0)
        arf_zero(arb_midref(x)); /* a radius alone */
}

/* A view of a larger matrix, with NaN wherever an entry is absent or outside the view. */
static Matrix random_operand(gsl_rng *r, System *in, size_t m, size_t n, Band band, const Data *d)
{
    size_t above = random_up_to(r, 2), left = random_up_to(r, 2), right = random_up_to(r, 2);
    Matrix whole = matrix(in, above + m, left + n + right);
    for (size_t i = 0; i < whole.rows; i++)
        for (size_t j = 0; j < whole.cols; j++)
            arb_indeterminate(ball_at(whole, i, j));
    Matrix A = columns(rows(whole, above, m), left, n);
    A.band = band;
    size_t zero_row = random_up_to(r, 3 * m), zero_column = random_up_to(r, 3 * n);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            if (allows(band, i, j)) {
                random_ball(r, ball_at(A, i, j), d);
                if (i == zero_row || j == zero_column)
                    arb_zero(ball_at(A, i, j));
            }
    return A;
}

/* ---- the true range ------------------------------------------------------------------------- */

/* The entries that row i of the left operand and column j of the right one share. */
typedef struct Factors {
    const Kind *kind;
    Matrix A, B;
    size_t inner;
} Factors;

static bool factors_at(const Factors *f, size_t i, size_t j, size_t k, arb_srcptr *x, arb_srcptr *y)
{
    size_t ai = f->kind->a_transposed ? k : i, aj = f->kind->a_transposed ? i : k;
    size_t bi = f->kind->b_transposed ? j : k, bj = f->kind->b_transposed ? k : j;
    if (!allows(f->A.band, ai, aj) || !allows(f->B.band, bi, bj))
        return false;
    *x = ball_at(f->A, ai, aj);
    *y = ball_at(f->B, bi, bj);
    return true;
}

static void ends_of(arf_t end[2], arb_srcptr x)
{
    arf_t radius;
    arf_init(radius);
    arf_set_mag(radius, arb_radref(x));
    arf_sub(end[0], arb_midref(x), radius, ARF_PREC_EXACT, ARF_RND_DOWN);
    arf_add(end[1], arb_midref(x), radius, ARF_PREC_EXACT, ARF_RND_DOWN);
    arf_clear(radius);
}

/* The least and the largest value of the entry, exactly. */
static void true_range(arf_t range[2], const Factors *f, size_t i, size_t j)
{
    arf_t x[2], y[2], at, least, most;
    arf_struct *all[] = {x[0], x[1], y[0], y[1], at, least, most};
    for (size_t n = 0; n < 7; n++)
        arf_init(all[n]);
    arf_zero(range[0]);
    arf_zero(range[1]);
    for (size_t k = 0; k < f->inner; k++) {
        arb_srcptr a, b;
        if (!factors_at(f, i, j, k, &a, &b))
            continue;
        ends_of(x, a);
        ends_of(y, b);
        for (int corner = 0; corner < 4; corner++) {
            arf_mul(at, x[corner % 2], y[corner / 2], ARF_PREC_EXACT, ARF_RND_DOWN);
            if (corner == 0 || arf_cmp(at, least) < 0)
                arf_set(least, at);
            if (corner == 0 || arf_cmp(at, most) > 0)
                arf_set(most, at);
        }
        arf_add(range[0], range[0], least, ARF_PREC_EXACT, ARF_RND_DOWN);
        arf_add(range[1], range[1], most, ARF_PREC_EXACT, ARF_RND_DOWN);
    }
    for (size_t n = 0; n < 7; n++)
        arf_clear(all[n]);
}

static double near(const arf_t x) { return arf_get_d(x, ARF_RND_NEAR); }

static void must_hold_its_range(Case here, const Factors *f, Matrix C, size_t i, size_t j)
{
    arb_srcptr ball = ball_at(C, i, j);
    arf_t range[2];
    arf_init(range[0]);
    arf_init(range[1]);
    true_range(range, f, i, j);
    for (int end = 0; end < 2; end++)
        if (!arb_contains_arf(ball, range[end])) {
            print_error("ball ");
            arb_fprintd(stderr, ball, 40);
            print_error(", %s end of the true range\n", end ? "upper" : "lower");
            entries_differ(here, i, j, near(arb_midref(ball)), near(range[end]),
                           mag_get_d(arb_radref(ball)));
        }
    arf_clear(range[0]);
    arf_clear(range[1]);
}

/* ---- containment ---------------------------------------------------------------------------- */

static Factors random_factors(gsl_rng *r, System *in, const Kind *kind, size_t m, size_t n,
                              size_t inner, bool banded, const Data *a, const Data *b)
{
    size_t am = kind->a_transposed ? inner : m, an = kind->a_transposed ? m : inner;
    size_t bm = kind->b_transposed ? n : inner, bn = kind->b_transposed ? inner : n;
    Band band_a = banded ? random_band(r, am, an) : EVERYWHERE;
    Band band_b = banded ? random_band(r, bm, bn) : EVERYWHERE;
    Factors f = {.kind = kind, .inner = inner};
    f.A = random_operand(r, in, am, an, band_a, a);
    f.B = random_operand(r, in, bm, bn, band_b, b);
    return f;
}

/* The slices take part: a product of this shape is not left to dot. */
static void slices_must_serve(const Factors *f, size_t m, size_t n, slong precision)
{
    assert_true(
        ball_product(matrix(f->A.in, m, n), f->A, f->B, (ProductKind)(f->kind - kinds), precision));
}

static const slong precisions[] = {64, 113, 192, 226, 384, 400};

static void check_containment(gsl_rng *r, Case here, const Kind *kind, size_t m, size_t n,
                              size_t inner, slong precision, size_t every)
{
    System *in = ball_system(precision);
    const Data *a = &kinds_of_data[random_up_to(r, DATA - 1)];
    const Data *b = &kinds_of_data[random_up_to(r, DATA - 1)];
    Factors f = random_factors(r, in, kind, m, n, inner, random_up_to(r, 1), a, b);
    Band mask = random_up_to(r, 1) ? random_band(r, m, n) : EVERYWHERE;
    slices_must_serve(&f, m, n, precision);
    Matrix C = kind->multiply(f.A, f.B, mask);
    here.what = kind->name;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            if (allows(C.band, i, j) ? (i * n + j) % every == 0 : !arb_is_zero(ball_at(C, i, j))) {
                assert_true(allows(C.band, i, j));
                must_hold_its_range(here, &f, C, i, j);
            }
    system_free(in);
}

static void balls_hold_the_whole_true_range(void **unused)
{
    (void)unused;
    const unsigned long seed = 1;
    gsl_rng *r = random_source(seed);
    for (long n = 0; n < repetitions(72); n++) {
        size_t rows = 16 + random_up_to(r, 20), cols = 16 + random_up_to(r, 20);
        check_containment(r, (Case){"", seed, n, rows, cols}, &kinds[n % KINDS], rows, cols,
                          16 + random_up_to(r, 20), precisions[n / KINDS % 6], 7);
    }
    gsl_rng_free(r);
}

/* More lines than a tile has, and more entries to a line than a block. */
static void tiles_and_blocks_may_be_ragged(void **unused)
{
    (void)unused;
    const unsigned long seed = 2;
    gsl_rng *r = random_source(seed);
    const size_t sizes[][3] = {{131, 20, 140}, {19, 257, 130}, {129, 128, 128}, {24, 24, 300}};
    for (long n = 0; n < repetitions(12); n++) {
        const size_t *size = sizes[n % 4];
        check_containment(r, (Case){"", seed, n, size[0], size[1]}, &kinds[n % KINDS], size[0],
                          size[1], size[2], precisions[n % 5], size[0] * size[1] / 50);
    }
    gsl_rng_free(r);
}

/* ---- exactness and width -------------------------------------------------------------------- */

/* Sums of up to three runs. */
static void products_of_integers_are_exact(void **unused)
{
    (void)unused;
    const unsigned long seed = 3;
    enum { M = 20, N = 24, LONGEST = 600 };
    const size_t lengths[] = {40, 257, LONGEST};
    static double a[M * LONGEST], b[LONGEST * N];
    gsl_rng *r = random_source(seed);
    for (long n = 0; n < repetitions(30); n++) {
        const size_t inner = lengths[n / 3 % 3];
        System *in = ball_system(64 + 49 * (n % 3));
        for (size_t k = 0; k < M * inner; k++)
            a[k] = (double)random_up_to(r, 1 << 27) - (1 << 26);
        for (size_t k = 0; k < inner * N; k++)
            b[k] = k / N % 3 == 0 ? 0 : (double)random_up_to(r, 1 << 27) - (1 << 26);
        Matrix A = matrix_from(in, M, inner, a), B = matrix_from(in, inner, N, b);
        Matrix C = product(A, B, EVERYWHERE);
        for (size_t i = 0; i < M; i++)
            for (size_t j = 0; j < N; j++) {
                int64_t sum = 0;
                for (size_t k = 0; k < inner; k++)
                    sum += (int64_t)a[i * inner + k] * (int64_t)b[k * N + j];
                arb_srcptr ball = ball_at(C, i, j);
                if (!arb_is_exact(ball) || arf_cmp_si(arb_midref(ball), sum) != 0)
                    entries_differ((Case){"integers", seed, n, M, N}, i, j, near(arb_midref(ball)),
                                   (double)sum, 0);
            }
        system_free(in);
    }
    gsl_rng_free(r);
}

/* Numbers of more bits than the slices take, of which the small ones lose many, times 1. */
static void what_is_cut_off_shows_in_the_radius(void **unused)
{
    (void)unused;
    enum { N = 32 };
    const Data long_ones = {"long and far apart", 300, 30, 0, 0, 0};
    gsl_rng *r = random_source(4);
    for (size_t n = 0; n < KINDS; n++) {
        System *in = ball_system(113);
        Matrix A = random_operand(r, in, N, N, EVERYWHERE, &long_ones), unit = matrix(in, N, N);
        for (size_t i = 0; i < N; i++)
            arb_one(ball_at(unit, i, i));
        Matrix C = kinds[n].multiply(A, unit, EVERYWHERE);
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < N; j++) {
                size_t k = kinds[n].a_transposed ? j : i, l = kinds[n].a_transposed ? i : j;
                assert_true(arb_contains(ball_at(C, i, j), ball_at(A, k, l)));
            }
        system_free(in);
    }
    gsl_rng_free(r);
}

/* A lone 1 in a line, among lines of many bits: the sum is the other factor itself. */
static void an_exact_line_keeps_its_products_exact(void **unused)
{
    (void)unused;
    enum { N = 32 };
    const Data long_ones = {"long", 300, 3, 0, 0, 0}, doubles = {"doubles", 53, 3, 0, 0, 0};
    gsl_rng *r = random_source(9);
    System *in = ball_system(113);
    Factors f = random_factors(r, in, &kinds[0], N, N, N, false, &long_ones, &doubles);
    f.A.band = CAUSAL;
    arb_one(ball_at(f.A, 0, 0));
    Matrix C = product(f.A, f.B, EVERYWHERE);
    for (size_t j = 0; j < N; j++)
        assert_true(arb_equal(ball_at(C, 0, j), ball_at(f.B, 0, j)));
    system_free(in);
    gsl_rng_free(r);
}

static void normal_balls(gsl_rng *r, Matrix A, slong precision, bool exact)
{
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++) {
            arb_ptr x = ball_at(A, i, j);
            arb_set_d(x, gsl_ran_gaussian(r, 1));
            if (!exact)
                arb_div_ui(x, x, 3, precision);
        }
}

/* The largest midpoint of each row. */
static void row_maxima(double *most, Matrix A)
{
    for (size_t i = 0; i < A.rows; i++) {
        most[i] = 0;
        for (size_t k = 0; k < A.cols; k++)
            most[i] = fmax(most[i], fabs(near(arb_midref(ball_at(A, i, k)))));
    }
}

/* What ball_product.h allows beyond the radii of the operands, which arb_dot's radius holds: a unit
 * in the last place, and for the bits below 2^-(beta W) <= 2^-(precision + 5) n^(-1/2), with
 * t_W <= W - 1 and two more for what is cut off of each factor,
 *
 *     n^(1/2) 2^(E_a + E_b) (W + 1) 2^-(precision + 5),   2^E <= twice the largest of the line.
 *
 * Up to 400 bits and in runs of 256, 256 (W + 1) 2^(2 beta - 2) <= 2^53 leaves beta >= 19, and so
 * W <= (precision + 9) / 19 + 1 <= precision / 16 + 1. */
static void most_radius(mag_t most, double a, double b, size_t n, const arb_t plain,
                        slong precision)
{
    mag_t ulp;
    mag_init(ulp);
    mag_set_d(most, sqrt((double)n) * 2 * a * 2 * b * ((double)precision / 16 + 2) / 32);
    mag_mul_2exp_si(most, most, -precision);
    arf_mag_set_ulp(ulp, arb_midref(plain), precision);
    mag_add(most, most, ulp);
    mag_add(most, most, arb_radref(plain));
    mag_clear(ulp);
}

static void radii_are_as_small_as_promised(void **unused)
{
    (void)unused;
    const unsigned long seed = 5;
    enum { LARGEST = 150 };
    gsl_rng *r = random_source(seed);
    arb_t plain;
    mag_t most;
    arb_init(plain);
    mag_init(most);
    for (long n = 0; n < repetitions(12); n++) {
        const size_t size = n % 4 == 3 ? LARGEST : 16 + 24 * ((size_t)n % 4);
        const slong precision = precisions[n % 6];
        double a[LARGEST] = {0}, b[LARGEST] = {0};
        System *in = ball_system(precision);
        Matrix A = matrix(in, size, size), B = matrix(in, size, size);
        normal_balls(r, A, precision, n % 3 == 0);
        normal_balls(r, B, precision, n % 3 != 2);
        row_maxima(a, A);
        row_maxima(b, B);
        Matrix C = product_nt(A, B, EVERYWHERE);
        for (size_t i = 0; i < size; i++)
            for (size_t j = 0; j < size; j++) {
                arb_srcptr ball = ball_at(C, i, j);
                in->op->dot(in, plain, entry(A, i, 0), 1, entry(B, j, 0), 1, size);
                most_radius(most, a[i], b[j], size, plain, precision);
                if (mag_cmp(arb_radref(ball), most) > 0 || !arb_overlaps(ball, plain))
                    entries_differ((Case){"log2 of radius", seed, n, size, size}, i, j,
                                   mag_get_d_log2_approx(arb_radref(ball)),
                                   mag_get_d_log2_approx(arb_radref(plain)),
                                   mag_get_d_log2_approx(most));
            }
        system_free(in);
    }
    arb_clear(plain);
    mag_clear(most);
    gsl_rng_free(r);
}

/* ---- what is left to Arb -------------------------------------------------------------------- */

static void small_products_are_left_to_dot(void **unused)
{
    (void)unused;
    gsl_rng *r = random_source(6);
    System *in = ball_system(113);
    for (size_t n = 1; n < 8; n++) {
        Factors f = random_factors(r, in, &kinds[0], n, 300, n, false, &kinds_of_data[0],
                                   &kinds_of_data[0]);
        Matrix C = matrix(in, n, 300);
        assert_false(ball_product(C, f.A, f.B, PRODUCT_NN, 113));
        for (size_t i = 0; i < n; i++)
            assert_true(arb_is_zero(ball_at(C, i, 299)));
    }
    system_free(in);
    gsl_rng_free(r);
}

/* arb_equal holds no NaN for equal to itself. */
static bool same_ball(arb_srcptr x, arb_srcptr y)
{
    return arf_equal(arb_midref(x), arb_midref(y)) && mag_equal(arb_radref(x), arb_radref(y));
}

/* Lines with an entry that is not finite or of an exponent beyond all measure are Arb's; the others
 * are cut as ever. */
static void a_strange_entry_spoils_its_own_lines_only(void **unused)
{
    (void)unused;
    enum { N = 30, ROW = 7, COLUMN = 11 };
    gsl_rng *r = random_source(7);
    for (int strange = 0; strange < 4; strange++) {
        System *in = ball_system(113);
        Factors f = random_factors(r, in, &kinds[0], N, N, N, false, &kinds_of_data[3],
                                   &kinds_of_data[3]);
        for (int side = 0; side < 2; side++) {
            arb_ptr x = side ? ball_at(f.B, 3, COLUMN) : ball_at(f.A, ROW, 5);
            arb_one(x);
            if (strange == 0)
                arb_indeterminate(x);
            if (strange == 1)
                arb_pos_inf(x);
            if (strange == 2)
                arb_mul_2exp_si(x, x, (slong)1 << 41);
            if (strange == 3)
                mag_inf(arb_radref(x));
        }
        Matrix C = product(f.A, f.B, EVERYWHERE);
        arb_t plain;
        arb_init(plain);
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < N; j++) {
                in->op->dot(in, plain, entry(f.A, i, 0), 1, entry(f.B, 0, j), f.B.stride, N);
                if (i == ROW || j == COLUMN)
                    assert_true(same_ball(plain, ball_at(C, i, j)));
                else
                    must_hold_its_range((Case){"strange", 7, strange, N, N}, &f, C, i, j);
            }
        arb_clear(plain);
        system_free(in);
    }
    gsl_rng_free(r);
}

/* ---- threads -------------------------------------------------------------------------------- */

/* Midpoints are the same; radii are sums of doubles in BLAS's order, and differ by the rounding
 * errors that the factor 1 + (2n + 20) 2^-52 allows for and by a mag's 2^-28. */
static void threads_change_no_midpoint(void **unused)
{
    (void)unused;
    enum { N = 200 };
    const int before = omp_get_max_threads();
    gsl_rng *r = random_source(8);
    for (long n = 0; n < KINDS; n++) {
        System *in = ball_system(113);
        Factors f = random_factors(r, in, &kinds[n], N, N, N, n > 0, &kinds_of_data[3],
                                   &kinds_of_data[5]);
        omp_set_num_threads(1);
        Matrix one = kinds[n].multiply(f.A, f.B, EVERYWHERE);
        omp_set_num_threads(2);
        Matrix two = kinds[n].multiply(f.A, f.B, EVERYWHERE);
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < N; j++) {
                arb_srcptr x = ball_at(one, i, j), y = ball_at(two, i, j);
                double apart = fabs(mag_get_d_log2_approx(arb_radref(x)) -
                                    mag_get_d_log2_approx(arb_radref(y)));
                if (!arf_equal(arb_midref(x), arb_midref(y)) || apart > 1e-6)
                    entries_differ((Case){"threads", 8, n, N, N}, i, j, near(arb_midref(x)),
                                   near(arb_midref(y)), 0);
            }
        system_free(in);
    }
    omp_set_num_threads(before);
    gsl_rng_free(r);
}

static int free_arb_s_caches(void **unused)
{
    (void)unused;
    flint_cleanup();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(balls_hold_the_whole_true_range),
        cmocka_unit_test(tiles_and_blocks_may_be_ragged),
        cmocka_unit_test(products_of_integers_are_exact),
        cmocka_unit_test(what_is_cut_off_shows_in_the_radius),
        cmocka_unit_test(an_exact_line_keeps_its_products_exact),
        cmocka_unit_test(radii_are_as_small_as_promised),
        cmocka_unit_test(small_products_are_left_to_dot),
        cmocka_unit_test(a_strange_entry_spoils_its_own_lines_only),
        cmocka_unit_test(threads_change_no_midpoint),
    };
    return cmocka_run_group_tests(tests, NULL, free_arb_s_caches);
}
