/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Theorem 1 and the laws of CASTLE, on the parallel form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agreement.h"
#include "ball.h"
#include "parallel.h"
#include "random_problem.h"
#include "sequential.h"
#include "solve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- a head in the field, and bitwise comparison -------------------------------------------- */

static System *field;

static Head field_head(size_t L, size_t d, size_t window, uint64_t seed)
{
    uint64_t state = seed;
    Head h = {.window = window};
    Matrix *inputs[] = {&h.QU, &h.KU, &h.VU, &h.QC, &h.KC, &h.VC};
    for (Input k = 0; k < INPUTS; k++)
        *inputs[k] = field_random_matrix(field, L, d, &state);
    h.scale = field_random_matrix(field, 1, 1, &state);
    return h;
}

static Answers answers_of(const Head *h)
{
    Answers a = answers_for(h);
    parallel(h, &a);
    return a;
}

static void must_equal(const char *what, Matrix A, Matrix B)
{
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++)
            if (memcmp(entry(A, i, j), entry(B, i, j), A.in->op->bytes) != 0) {
                print_error("%s differs at (%zu, %zu) of %zu x %zu\n", what, i, j, A.rows, A.cols);
                fail();
            }
}

static int open_field(void **state)
{
    (void)state;
    field = field_system(11);
    return 0;
}

static int close_field(void **state)
{
    (void)state;
    system_free(field);
    return 0;
}

/* ---- Theorem 1 ------------------------------------------------------------------------------ */

static void must_agree(size_t L, size_t d, size_t window, uint64_t seed)
{
    const Problem shape = {.length = L, .dim = d, .window = window};
    FieldAgreement r = agree_in_field(FORWARD, &shape, seed);
    if (r.different || !r.compared) {
        print_error("Theorems 1 to 3 in the field: of some form %zu of %zu entries are not the "
                    "definition's, L %zu d %zu W %zd (-1: none) seed %llu\n",
                    r.different, r.compared, L, d, window < NO_WINDOW ? (ptrdiff_t)window : -1,
                    (unsigned long long)seed);
        fail();
    }
}

static void parallel_is_sequential_for_every_small_shape(void **state)
{
    (void)state;
    for (size_t L = 1; L <= 8; L++)
        for (size_t d = 1; d <= 3; d++) {
            must_agree(L, d, NO_WINDOW, 100 * L + d);
            for (size_t W = 0; W <= 8; W++)
                must_agree(L, d, W, 1000 * L + 10 * W + d);
        }
}

static void parallel_is_sequential_for_larger_shapes(void **state)
{
    (void)state;
    uint64_t at = 42;
    for (size_t r = 0; r < repetitions(20); r++) {
        size_t L = 9 + field_random(&at) % 40, d = 1 + field_random(&at) % 20;
        must_agree(L, d, r % 3 ? field_random(&at) % (L + 2) : NO_WINDOW, r);
    }
}

static void parallel_is_sequential_in_balls(void **state)
{
    (void)state;
    RandomProblem r = random_problem(PLAIN, repetitions(64) >= 64 ? 64 : 20, 16, NO_WINDOW,
                                     &BINARY32, 3);
    double before = INFINITY;
    for (long bits = 64; bits <= 256; bits *= 2) {
        BallAgreement b = agree_in_balls(FORWARD, &r.problem, bits);
        if (b.disjoint)
            fail_msg("Theorems 1 to 3 in balls of %ld bits: of some form %zu of %zu are apart from "
                     "the definition's",
                     bits, b.disjoint, b.compared);
        assert_true(b.log2_radius < before); /* radii go to 0 */
        before = b.log2_radius;
    }
    random_problem_free(&r);
}

static void differences_stay_within_the_rounding_bounds_of_every_precision(void **state)
{
    (void)state;
    static const long bits[] = {11, 24, 53, 113, 256, 1024};
    for (Family f = 0; f < FAMILIES; f++) {
        RandomProblem r = random_problem(f, 12, 4, f == DRIFT ? 5 : NO_WINDOW, &BFLOAT16, f);
        for (size_t k = 0; k < sizeof bits / sizeof *bits; k++) {
            RoundedAgreement a = agree_in_mpfr(FORWARD, &r.problem, bits[k]);
            assert_true(a.in_range);
            if (a.past_bound)
                fail_msg("Theorems 1 to 3 at %ld bits, %s: of some form %zu of %zu numbers are "
                         "farther from the definition's than rounding takes them",
                         bits[k], family_name(f), a.past_bound, a.compared);
        }
        assert_int_equal(agree_in_f64(FORWARD, &r.problem).past_bound, 0);
        assert_int_equal(agree_in_f32(FORWARD, &r.problem).past_bound, 0);
        random_problem_free(&r);
    }
}

/* ---- masks ---------------------------------------------------------------------------------- */

/* softmax(scale QC KC^T over s <= t) VC with no lookahead in the text at all. */
static Matrix causal_attention(const Head *h)
{
    return product(row_softmax(scaled(h->scale, product_nt(h->QC, h->KC, CAUSAL)), NULL), h->VC,
                   EVERYWHERE);
}

static void window_zero_is_causal_attention(void **state)
{
    (void)state;
    for (size_t L = 1; L <= 9; L++) {
        Head h = field_head(L, 3, 0, L);
        must_equal("O", answers_of(&h).O, causal_attention(&h));
    }
}

static void zero_lookahead_values_are_causal_attention(void **state)
{
    (void)state;
    for (size_t L = 1; L <= 9; L++) {
        Head h = field_head(L, 3, NO_WINDOW, L);
        h.VU = matrix(field, L, 3);
        must_equal("O", answers_of(&h).O, causal_attention(&h));
    }
}

static void wide_window_is_castle(void **state)
{
    (void)state;
    for (size_t L = 1; L <= 9; L++)
        for (size_t W = L - 1; W <= L + 2; W++) {
            Head h = field_head(L, 2, NO_WINDOW, L), wide = h;
            wide.window = W;
            Answers a = answers_of(&h), b = answers_of(&wide);
            must_equal("O", a.O, b.O);
            must_equal("lse", a.lse, b.lse);
            must_equal("U", a.U, b.U);
            must_equal("SU", a.SU, b.SU);
        }
}

static void last_lookahead_key_is_zero(void **state)
{
    (void)state;
    for (size_t L = 1; L <= 9; L++) {
        Head h = field_head(L, 3, L % 2 ? NO_WINDOW : 2, L);
        must_equal("U's last row", row(answers_of(&h).U, L - 1), matrix(field, 1, 3));
    }
}

static void own_score_is_purely_causal(void **state)
{
    (void)state;
    Head h = field_head(7, 3, NO_WINDOW, 5);
    Matrix SU = answers_of(&h).SU;
    for (size_t t = 0; t < 7; t++)
        for (size_t s = t; s < 7; s++)
            must_equal("SU at s >= t", columns(row(SU, t), s, 1), matrix(field, 1, 1));
}

/* ---- causality ------------------------------------------------------------------------------ */

static void future_token_changes_nothing(void **state)
{
    (void)state;
    enum { L = 8, D = 3 };
    for (size_t k = 0; k < L; k++) {
        Head h = field_head(L, D, k % 2 ? NO_WINDOW : 3, k), changed = h;
        Head other = field_head(L, D, NO_WINDOW, 99);
        Matrix *to[] = {&changed.QU, &changed.KU, &changed.VU,
                        &changed.QC, &changed.KC, &changed.VC};
        const Matrix from[] = {other.QU, other.KU, other.VU, other.QC, other.KC, other.VC};
        for (size_t m = 0; m < INPUTS; m++) {
            Matrix copy = matrix(field, L, D);
            assign(copy, *to[m]);
            assign(row(copy, k), row(from[m], k));
            *to[m] = copy;
        }
        Answers a = answers_of(&h), b = answers_of(&changed);
        must_equal("O before the token", rows(a.O, 0, k), rows(b.O, 0, k));
        must_equal("lse before the token", rows(a.lse, 0, k), rows(b.lse, 0, k));
        must_equal("SU before the token", rows(a.SU, 0, k), rows(b.SU, 0, k));
        /* and the token itself is noticed: the test can fail */
        assert_true(memcmp(entry(a.O, k, 0), entry(b.O, k, 0), sizeof(uint64_t)) != 0);
    }
}

/* A NaN or infinity in one token spoils its own row and later ones at most. */
static void not_a_number_reaches_no_earlier_row(void **state)
{
    (void)state;
    static const double strange[] = {NAN, INFINITY, -INFINITY};
    enum { L = 70, D = 4 }; /* past one BLAS tile */
    System *(*const make[])(void) = {f64_system, f32_system};
    for (size_t m = 0; m < 3; m++)
        for (Input which = 0; which < INPUTS; which++)
            for (size_t k = 0; k < L; k += 23) {
                RandomProblem r = random_problem(PLAIN, L, D, NO_WINDOW, &BINARY32, k);
                r.numbers[which * L * D + k * D] = strange[m];
                for (size_t s = 0; s < 3; s++) {
                    System *in = s < 2 ? make[s]() : ball_system(64);
                    Head head = problem_head(&r.problem, in);
                    Answers a = answers_of(&head);
                    mpfr_t x;
                    mpfr_init2(x, 64);
                    for (size_t i = 0; i < k; i++)
                        for (size_t j = 0; j < D; j++) {
                            in->op->get(in, x, entry(a.O, i, j));
                            if (!mpfr_number_p(x) ||
                                (s == 2 && !arb_is_finite(ball_at(a.O, i, j)))) {
                                print_error("%g in %s of token %zu reached O(%zu, %zu) in %s\n",
                                            strange[m], input_name(which), k, i, j, in->op->name);
                                fail();
                            }
                        }
                    mpfr_clear(x);
                    system_free(in);
                }
                random_problem_free(&r);
            }
}

/* u_s^t depends on x_s, through QU_s, as well as on later tokens: O moves with QU_s alone. */
static void lookahead_keys_depend_on_their_own_token(void **state)
{
    (void)state;
    Head h = field_head(5, 2, NO_WINDOW, 8), changed = h;
    changed.QU = matrix(field, 5, 2);
    assign(changed.QU, h.QU);
    assign(row(changed.QU, 1), row(h.QU, 2));
    Answers a = answers_of(&h), b = answers_of(&changed);
    must_equal("O up to token 1", rows(a.O, 0, 2), rows(b.O, 0, 2));
    assert_true(memcmp(entry(a.U, 1, 0), entry(b.U, 1, 0), sizeof(uint64_t)) != 0);
    assert_true(memcmp(entry(a.O, 2, 0), entry(b.O, 2, 0), sizeof(uint64_t)) != 0);
}

/* ---- linearity and shifts ------------------------------------------------------------------- */

static void values_enter_linearly(void **state)
{
    (void)state;
    Head h = field_head(8, 3, NO_WINDOW, 12), other = h, sum = h;
    Matrix c = field_head(1, 1, NO_WINDOW, 77).scale;
    other.VC = field_head(8, 3, NO_WINDOW, 13).VC;
    sum.VC = add(h.VC, scaled(c, other.VC));
    must_equal("O", answers_of(&sum).O, add(answers_of(&h).O, scaled(c, answers_of(&other).O)));
}

static void lookahead_scores_are_linear_in_VU_and_in_QC(void **state)
{
    (void)state;
    Matrix c = field_head(1, 1, NO_WINDOW, 78).scale;
    Head h = field_head(8, 3, 4, 12), other = h, sum = h;
    other.VU = field_head(8, 3, 4, 14).VU;
    sum.VU = add(h.VU, scaled(c, other.VU));
    must_equal("SU of VU", answers_of(&sum).SU,
               add(answers_of(&h).SU, scaled(c, answers_of(&other).SU)));
    other = sum = h;
    other.QC = field_head(8, 3, 4, 15).QC;
    sum.QC = add(h.QC, scaled(c, other.QC));
    must_equal("SU of QC", answers_of(&sum).SU,
               add(answers_of(&h).SU, scaled(c, answers_of(&other).SU)));
}

/* Adding c to every KC row shifts each row's scores by scale QC_t . c: O stays, lse moves by it. */
static void key_shift_moves_lse_only(void **state)
{
    (void)state;
    enum { L = 9, D = 4 };
    RandomProblem r = random_problem(PLAIN, L, D, NO_WINDOW, &BFLOAT16, 21);
    System *in = ball_system(200);
    static const double c[D] = {0.5, -1.25, 3, 0.375};
    Head h = problem_head(&r.problem, in), moved = h;
    Matrix shift = matrix_from(in, 1, D, c);
    moved.KC = matrix(in, L, D);
    for (size_t s = 0; s < L; s++)
        assign(row(moved.KC, s), add(row(h.KC, s), shift));
    Answers a = answers_of(&h), b = answers_of(&moved);
    Matrix by = add(a.lse, scaled(h.scale, product_nt(h.QC, shift, EVERYWHERE)));
    for (size_t t = 0; t < L; t++) {
        assert_true(arb_overlaps(ball_at(by, t, 0), ball_at(b.lse, t, 0)));
        assert_false(arb_overlaps(ball_at(a.lse, t, 0), ball_at(b.lse, t, 0)));
        for (size_t j = 0; j < D; j++) {
            assert_true(arb_overlaps(ball_at(a.O, t, j), ball_at(b.O, t, j)));
            assert_true(arb_rel_accuracy_bits(ball_at(b.O, t, j)) > 150);
        }
    }
    system_free(in);
    random_problem_free(&r);
}

/* -SiLU(x) <= 0.27846454...: lookahead raises a logit by at most that, and lowers it without bound. */
static void lookahead_raises_a_logit_by_at_most_0_2784645(void **state)
{
    (void)state;
    enum { N = 4001 };
    double x[N];
    for (size_t k = 0; k < N; k++)
        x[k] = ((double)k - 2000) / 64;
    System *in = ball_system(100);
    Matrix y = map(SILU, matrix_from(in, 1, N, x));
    arb_t most, least;
    arb_init(most), arb_init(least);
    arb_set_d(most, -0.2784645428); /* the minimum is -0.27846454276107379... */
    arb_set_d(least, -0.2784);
    int reached = 0;
    for (size_t k = 0; k < N; k++) {
        assert_true(arb_gt(ball_at(y, 0, k), most));
        reached |= arb_lt(ball_at(y, 0, k), least);
    }
    assert_true(reached);
    arb_set_si(most, 31);
    assert_true(arb_gt(ball_at(y, 0, N - 1), most));
    arb_clear(most), arb_clear(least);
    system_free(in);
}

/* sU is an unnormalised sum of up to L terms: with gates of 1/2 and values of 1 it grows as L does, so an
 * absolute tolerance cannot be right for it. */
static void lookahead_scores_grow_with_the_length(void **state)
{
    (void)state;
    for (size_t L = 2; L <= 64; L *= 2) {
        double zero[64] = {0}, one[64];
        for (size_t k = 0; k < L; k++)
            one[k] = 1;
        const Problem p = {.length = L,
                           .dim = 1,
                           .window = NO_WINDOW,
                           .scale = 1,
                           .input = {zero, zero, one, one, zero, zero}};
        System *in = f64_system();
        Head head = problem_head(&p, in);
        /* sU of key 1 at step L: L - 1 terms of sigmoid(0) */
        assert_true(*(double *)entry(answers_of(&head).SU, L - 1, 0) == (double)(L - 1) / 2);
        system_free(in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parallel_is_sequential_for_every_small_shape),
        cmocka_unit_test(parallel_is_sequential_for_larger_shapes),
        cmocka_unit_test(parallel_is_sequential_in_balls),
        cmocka_unit_test(differences_stay_within_the_rounding_bounds_of_every_precision),
        cmocka_unit_test(window_zero_is_causal_attention),
        cmocka_unit_test(zero_lookahead_values_are_causal_attention),
        cmocka_unit_test(wide_window_is_castle),
        cmocka_unit_test(last_lookahead_key_is_zero),
        cmocka_unit_test(own_score_is_purely_causal),
        cmocka_unit_test(future_token_changes_nothing),
        cmocka_unit_test(not_a_number_reaches_no_earlier_row),
        cmocka_unit_test(lookahead_keys_depend_on_their_own_token),
        cmocka_unit_test(values_enter_linearly),
        cmocka_unit_test(lookahead_scores_are_linear_in_VU_and_in_QC),
        cmocka_unit_test(key_shift_moves_lse_only),
        cmocka_unit_test(lookahead_scores_grow_with_the_length),
        cmocka_unit_test(lookahead_raises_a_logit_by_at_most_0_2784645),
    };
    return cmocka_run_group_tests_name("parallel", tests, open_field, close_field);
}
