/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The laws of the matrix interface in real numbers: which entries NaN reaches, and the softmax. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ball.h"
#include "matrix_support.h"

/* ---- NaN ------------------------------------------------------------------------------------ */

static Matrix ones_with_nan(System *in, size_t rows, size_t cols, Band band, size_t i, size_t j)
{
    double v[64];
    for (size_t k = 0; k < rows * cols; k++)
        v[k] = allows(band, k / cols, k % cols) ? k == i * cols + j ? NAN : 1 : 0;
    Matrix A = matrix_from(in, rows, cols, v);
    A.band = band;
    return A;
}

/* One NaN in one operand: exactly the entries whose sum has it are NaN, whichever absent entries of
 * the other operand it meets (0 * NaN does not arise). */
static void nan_in_an_absent_entry_takes_no_part(void **unused)
{
    (void)unused;
    const unsigned long seed = 5;
    gsl_rng *r = random_source(seed);
    System *systems[REAL_SYSTEMS];
    for (size_t s = 0; s < REAL_SYSTEMS; s++)
        systems[s] = system_number(s);
    for (long n = 0; n < repetitions(20000); n++) {
        System *in = systems[n % REAL_SYSTEMS];
        Scope scope = scope_open(in);
        size_t m = 1 + random_up_to(r, 5), inner = 1 + random_up_to(r, 5);
        size_t cols = 1 + random_up_to(r, 5);
        const Kind *kind = &kinds[random_up_to(r, KINDS - 1)];
        bool in_a = random_up_to(r, 1), turned[] = {kind->a_transposed, kind->b_transposed};
        size_t a_rows = turned[0] ? inner : m, a_cols = turned[0] ? m : inner;
        size_t b_rows = turned[1] ? cols : inner, b_cols = turned[1] ? inner : cols;
        Band a = random_band(r, a_rows, a_cols), b = random_band(r, b_rows, b_cols);
        Band mask = random_band(r, m, cols);
        size_t i = random_up_to(r, (in_a ? a_rows : b_rows) - 1);
        size_t j = random_up_to(r, (in_a ? a_cols : b_cols) - 1), none = 1000;
        Matrix A = ones_with_nan(in, a_rows, a_cols, a, in_a ? i : none, j);
        Matrix B = ones_with_nan(in, b_rows, b_cols, b, in_a ? none : i, j);
        Matrix C = kind->multiply(A, B, mask);
        for (size_t x = 0; x < m; x++)
            for (size_t y = 0; y < cols; y++) {
                double count = 0;
                for (size_t k = 0; k < inner && allows(mask, x, y); k++) {
                    size_t ai = turned[0] ? k : x, aj = turned[0] ? x : k;
                    size_t bi = turned[1] ? y : k, bj = turned[1] ? k : y;
                    if (allows(a, ai, aj) && allows(b, bi, bj))
                        count += (in_a ? ai == i && aj == j : bi == i && bj == j) ? NAN : 1;
                }
                double got = number_at(C, x, y);
                bool right = isnan(count) ? isnan(got) : fabs(got - count) <= 6 * ldexp(6, -24);
                if (!right) /* noisy: rule N2, at most sqrt(n) u n, n <= 6 */
                    entries_differ((Case){in->op->name, seed, n, m, cols}, x, y, got, count, 0);
            }
        scope_close(in, scope);
    }
    for (size_t s = 0; s < REAL_SYSTEMS; s++)
        system_free(systems[s]);
    gsl_rng_free(r);
}

/* A NaN score spoils the weights of its row and no other row. */
static void nan_spoils_its_own_row_of_a_softmax_only(void **unused)
{
    (void)unused;
    for (size_t s = 0; s < REAL_SYSTEMS; s++)
        for (size_t i = 1; i < 5; i++)
            for (size_t j = 0; j <= i; j++) {
                System *in = system_number(s);
                Matrix S = ones_with_nan(in, 5, 5, CAUSAL, i, j), lse;
                Matrix weights = row_softmax(S, &lse), sums = row_sum(S);
                for (size_t x = 0; x < 5; x++) {
                    assert_int_equal(isnan(number_at(lse, x, 0)), x == i);
                    assert_int_equal(isnan(number_at(sums, x, 0)), x == i);
                    for (size_t y = 0; y < 5; y++)
                        if (isnan(number_at(weights, x, y)) != (x == i && y <= x))
                            entries_differ((Case){in->op->name, 0, 0, 5, 5}, x, y,
                                           number_at(weights, x, y), x == i ? NAN : 0, 0);
                }
                system_free(in);
            }
}

/* ---- softmax -------------------------------------------------------------------------------- */

/* p_i = (e_i / l)(1 + d_i), |d_i| <= u, plus an underflow of at most half the smallest
 * subnormal h; l = (sum e_i)(1 + t), |t| <= gamma_(n-1), as every e_i >= 0, in any order. So
 * the exact sum of the p_i is off 1 by at most (1 + u) / (1 - gamma_(n-1)) - 1 + n h, however
 * bad exp is. */
static double weight_sum_bound(double n, const Format *f)
{
    double u = format_roundoff(f), g = gamma_up(n - 1, u);
    return (u + g) / (1 - g) * (1 + ldexp(1, -50)) + n * format_smallest(f) / 2;
}

static void weights_sum_to_1(void **unused)
{
    (void)unused;
    const unsigned long seed = 6;
    gsl_rng *r = random_source(seed);
    Arithmetic a32 = arithmetic("float32"), a16 = arithmetic("float16,accumulate=float16");
    System *systems[] = {f64_system(), f32_system(), played_system(&a32), played_system(&a16),
                         ball_system(100)};
    const Format *formats[] = {&BINARY64, &BINARY32, &BINARY32, &BINARY16, NULL};
    mpfr_t sum, p;
    mpfr_init2(sum, 1200);
    mpfr_init2(p, 100);
    for (long n = 0; n < repetitions(300); n++)
        for (size_t s = 0; s < 5; s++) {
            Scope scope = scope_open(systems[s]);
            size_t L = 1 + random_up_to(r, 30);
            double v[31 * 31];
            random_fill(r, v, L * L, -8, (int)random_up_to(r, 6), &BINARY16);
            Matrix S = matrix_from(systems[s], L, L, v);
            S.band = CAUSAL;
            Matrix weights = row_softmax(S, NULL);
            for (size_t i = 0; i < L; i++) {
                if (!formats[s]) { /* balls: the enclosure of the sum holds 1 */
                    if (!arb_contains_si(ball_at(row_sum(weights), i, 0), 1))
                        entries_differ((Case){"ball", seed, n, L, L}, i, 0,
                                       number_at(row_sum(weights), i, 0), 1, 0);
                    continue;
                }
                mpfr_set_zero(sum, 1);
                for (size_t j = 0; j <= i; j++) {
                    entry_to(p, weights, i, j);
                    assert_true(mpfr_cmp_ui(p, 0) >= 0 && mpfr_cmp_ui(p, 1) <= 0);
                    mpfr_add(sum, sum, p, MPFR_RNDN);
                }
                mpfr_sub_ui(sum, sum, 1, MPFR_RNDN);
                double off = mpfr_get_d(sum, MPFR_RNDA);
                double bound = weight_sum_bound((double)i + 1, formats[s]);
                if (!(fabs(off) <= bound))
                    entries_differ((Case){systems[s]->op->name, seed, n, L, L}, i, 0, off, 0,
                                   bound);
            }
            scope_close(systems[s], scope);
        }
    mpfr_clear(sum);
    mpfr_clear(p);
    for (size_t s = 0; s < 5; s++)
        system_free(systems[s]);
    gsl_rng_free(r);
}

static void a_lone_score_has_weight_1_exactly(void **unused)
{
    (void)unused;
    const double scores[] = {0, 1, -1, 0.1, 1e4, -1e4, 0x1p-20, 60000};
    for (size_t s = 0; s < REAL_SYSTEMS; s++)
        for (size_t k = 0; k < sizeof scores / sizeof *scores; k++) {
            System *in = system_number(s);
            const double v[] = {scores[k], 0, 0, scores[k]};
            Matrix S = matrix_from(in, 2, 2, v), lse;
            S.band = (Band){0, 0};
            Matrix weights = row_softmax(S, &lse);
            for (size_t i = 0; i < 2; i++) {
                assert_true(number_at(weights, i, i) == 1 && number_at(weights, i, 1 - i) == 0);
                /* log(1) = 0: lse is the score itself, up to the noise of rules N1 */
                if (s != 5)
                    assert_true(number_at(lse, i, 0) == number_at(S, i, i));
            }
            if (s == 4)
                assert_true(arb_equal_si(ball_at(weights, 0, 0), 1));
            if (s == 6)
                assert_true(((Bounded *)entry(weights, 1, 1))->error == 0);
            system_free(in);
        }
}

/* ... but one that is no number has no weight. */
static void a_lone_nan_has_no_weight(void **unused)
{
    (void)unused;
    for (size_t s = 0; s < REAL_SYSTEMS; s++) {
        System *in = system_number(s);
        const double v[] = {NAN, 0, 0, 1};
        Matrix S = matrix_from(in, 2, 2, v), lse;
        S.band = (Band){0, 0};
        Matrix weights = row_softmax(S, &lse);
        assert_true(isnan(number_at(weights, 0, 0)) && isnan(number_at(lse, 0, 0)));
        assert_true(number_at(weights, 1, 1) == 1);
        system_free(in);
    }
}

/* Absent entries do not count, the floor does. Where entries are numbers of 32 bits every system
 * finds the largest itself; in the field there is no order and the point is 0. */
static void the_reference_is_the_largest_present_entry_or_the_floor(void **unused)
{
    (void)unused;
    const unsigned long seed = 11;
    gsl_rng *r = random_source(seed);
    for (long n = 0; n < repetitions(700); n++) {
        System *in = n % (REAL_SYSTEMS + 1) ? system_number((size_t)n % (REAL_SYSTEMS + 1) - 1)
                                            : field_system(1);
        size_t m = 1 + random_up_to(r, 5), cols = m;
        double v[36], lowest[6];
        random_fill(r, v, m * cols, -2, 6, &BFLOAT16);
        random_fill(r, lowest, m, -2, 6, &BFLOAT16);
        for (size_t k = 0; k < m * cols; k++)
            if (!allows(CAUSAL, k / cols, k % cols))
                v[k] = 0;
        Matrix S = matrix_from(in, m, cols, v), floor = matrix_from(in, m, 1, lowest);
        S.band = CAUSAL;
        Matrix plain = row_reference(S, NULL), above = row_reference(S, &floor);
        Case here = {in->op->name, seed, n, m, cols};
        for (size_t i = 0; i < m; i++) {
            double top = v[i * cols];
            for (size_t j = 1; j <= i; j++)
                top = fmax(top, v[i * cols + j]);
            if (!in->op->get) {
                assert_true(at(plain, i, 0) == 0 && at(above, i, 0) == 0);
                continue;
            }
            assert_same(here, i, 0, number_at(plain, i, 0), top);
            assert_same(here, i, 1, number_at(above, i, 0), fmax(top, lowest[i]));
        }
        system_free(in);
    }
    gsl_rng_free(r);
}

/* exp(x + c) / sum exp(x + c) = exp(x) / sum exp(x), and lse moves by c. Two enclosures of one
 * number overlap; and they are narrow, or the law would say nothing. */
static void a_shift_of_a_row_changes_no_weight(void **unused)
{
    (void)unused;
    const unsigned long seed = 7;
    gsl_rng *r = random_source(seed);
    System *in = ball_system(128);
    for (long n = 0; n < repetitions(200); n++) {
        Scope scope = scope_open(in);
        size_t rows_ = 1 + random_up_to(r, 5), cols = 1 + random_up_to(r, 9);
        double v[6 * 10], c[6], one[10];
        random_fill(r, v, rows_ * cols, -10, 7, &BINARY64);
        random_fill(r, c, rows_, -10, 10, &BINARY64);
        for (size_t j = 0; j < cols; j++)
            one[j] = 1;
        Matrix S = matrix_from(in, rows_, cols, v), C = matrix_from(in, rows_, 1, c);
        Matrix moved = add(S, product(C, matrix_from(in, 1, cols, one), EVERYWHERE));
        Matrix lse, lse_moved, P = row_softmax(S, &lse), Q = row_softmax(moved, &lse_moved);
        Matrix back = subtract(lse_moved, C);
        for (size_t i = 0; i < rows_; i++) {
            Case here = {"shifted softmax", seed, n, rows_, cols};
            if (!arb_overlaps(ball_at(lse, i, 0), ball_at(back, i, 0)))
                entries_differ(here, i, 0, number_at(back, i, 0), number_at(lse, i, 0), 0);
            for (size_t j = 0; j < cols; j++) {
                if (!arb_overlaps(ball_at(P, i, j), ball_at(Q, i, j)))
                    entries_differ(here, i, j, number_at(Q, i, j), number_at(P, i, j), 0);
                assert_true(arb_rel_accuracy_bits(ball_at(P, i, j)) > 80);
            }
        }
        scope_close(in, scope);
    }
    gsl_rng_free(r);
    system_free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nan_in_an_absent_entry_takes_no_part),
        cmocka_unit_test(nan_spoils_its_own_row_of_a_softmax_only),
        cmocka_unit_test(weights_sum_to_1),
        cmocka_unit_test(a_lone_score_has_weight_1_exactly),
        cmocka_unit_test(a_lone_nan_has_no_weight),
        cmocka_unit_test(the_reference_is_the_largest_present_entry_or_the_floor),
        cmocka_unit_test(a_shift_of_a_row_changes_no_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
