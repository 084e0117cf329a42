/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `castle verify` compares: the right things, all of them, and with bounds that a coarser arithmetic
 * does not keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agreement.h"
#include "rounding_bounds.h"
#include "solve.h"
#include "task_support.h"

#include <math.h>
#include <string.h>

static const Sizes head = {1, 1, 7, 2, 0}, layer = {2, 3, 5, 2, 4};

static void a_subject_fits_what_it_compares(void **state)
{
    (void)state;
    const LayerProblem l = {1, 1, 1, {NULL}};
    const double dO[] = {1};
    Problem p = {.length = 1, .dim = 1};
    assert_true(subject_fits(FORWARD, &p) && !subject_fits(GRADIENTS, &p));
    assert_false(subject_fits(LAYERS, &p));
    p.cotangent = dO;
    assert_true(subject_fits(FORWARD, &p) && subject_fits(GRADIENTS, &p));
    p.layer = &l;
    assert_true(subject_fits(LAYERS, &p));
    assert_false(subject_fits(FORWARD, &p) || subject_fits(GRADIENTS, &p));
}

/* How often each answer is compared; SU stands behind all others. */
static const unsigned times[SUBJECTS][ANSWERS + 1] = {
    [FORWARD] = {[ANSWER_O] = 4, [ANSWER_LSE] = 4, [ANSWER_U] = 3, [ANSWERS] = 2},
    [GRADIENTS] = {[ANSWER_DQU] = 2,
                   [ANSWER_DKU] = 2,
                   [ANSWER_DVU] = 2,
                   [ANSWER_DQC] = 2,
                   [ANSWER_DKC] = 2,
                   [ANSWER_DVC] = 2},
    [LAYERS] = {[ANSWER_Y] = 2,
                [ANSWER_DX] = 1,
                [ANSWER_DWQU] = 1,
                [ANSWER_DWKU] = 1,
                [ANSWER_DWVU] = 1,
                [ANSWER_DWQC] = 1,
                [ANSWER_DWKC] = 1,
                [ANSWER_DWVC] = 1,
                [ANSWER_DWO] = 1},
};

/* Within 2^-150 of each other at 200 bits; nothing is compared with itself. */
static void assert_close(Answer a, Matrix A, Matrix B)
{
    mpfr_t difference;
    mpfr_init2(difference, 200);
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++) {
            mpfr_sub(difference, entry(A, i, j), entry(B, i, j), MPFR_RNDN);
            if (fabs(mpfr_get_d(difference, MPFR_RNDN)) > 0x1p-150)
                fail_msg("answer %d at (%zu, %zu)", a, i, j);
        }
    mpfr_clear(difference);
}

static void both_sides_of_a_pair_are_the_answer_that_it_names(void **state)
{
    (void)state;
    for (Subject s = 0; s < SUBJECTS; s++) {
        unsigned found[ANSWERS + 1] = {0};
        Task t = random_task(s == LAYERS ? &layer : &head, "float32", s);
        t.window = 3;
        Problem p = task_problem(&t, 0);
        System *in = mpfr_system(200);
        Solution truth = solve(&p, in);
        Pairs pairs = pairs_of(s, &p, in, true);
        for (size_t k = 0; k < pairs.count; k++) {
            const Pair *q = &pairs.pair[k];
            found[q->answer]++;
            assert_ptr_not_equal(q->A.entries, q->B.entries);
            assert_true(q->A.rows == q->B.rows && q->A.cols == q->B.cols);
            if (q->answer == ANSWERS)
                continue;
            assert_close(q->answer, q->A, truth.of[q->answer]);
            assert_close(q->answer, q->B, truth.of[q->answer]);
        }
        assert_memory_equal(found, times[s], sizeof found);
        system_free(in);
        task_free(&t);
    }
}

/* Bits of the same values at 40 bits are past what 53 bits allow, and those at 53 bits are not. */
static size_t past(const Pairs *coarse, const Pairs *fine, const Pairs *bounds)
{
    size_t count = 0;
    mpfr_t difference;
    mpfr_init2(difference, 200);
    for (size_t k = 0; k < fine->count; k++)
        for (size_t i = 0; i < fine->pair[k].B.rows; i++)
            for (size_t j = 0; j < fine->pair[k].B.cols; j++) {
                const Bounded *b = entry(bounds->pair[k].B, i, j);
                mpfr_sub(difference, entry(coarse->pair[k].B, i, j), entry(fine->pair[k].B, i, j),
                         MPFR_RNDN);
                assert_true(isfinite(b->error));
                count += fabs(mpfr_get_d(difference, MPFR_RNDN)) > b->error;
            }
    mpfr_clear(difference);
    return count;
}

static void layers_have_bounds_that_tell_precisions_apart(void **state)
{
    (void)state;
    Task t = random_task(&layer, "float32", 9);
    Problem p = task_problem(&t, 0);
    Format format;
    int shift;
    System *in = rounding_bounds_system(53, &format, &shift);
    System *fine = mpfr_system(200), *usual = mpfr_system(53), *coarse = mpfr_system(40);
    assert_int_equal(shift, 0);
    Pairs bounds = pairs_of(LAYERS, &p, in, false), truth = pairs_of(LAYERS, &p, fine, false);
    Pairs x = pairs_of(LAYERS, &p, usual, false), y = pairs_of(LAYERS, &p, coarse, false);
    assert_int_equal(past(&x, &truth, &bounds), 0);
    assert_true(past(&y, &truth, &bounds) > 0);
    system_free(in);
    system_free(fine);
    system_free(usual);
    system_free(coarse);
    task_free(&t);
}

static void layers_agree_in_every_system(void **state)
{
    (void)state;
    for (Variant v = CASTLE; v <= WITHOUT_SILU; v++) {
        Task t = random_task(&layer, "float32", 30 + v);
        t.variant = v, t.window = v == CASTLE ? NO_WINDOW : v;
        Problem p = task_problem(&t, 0);
        RoundedAgreement r[] = {agree_in_f32(LAYERS, &p), agree_in_f64(LAYERS, &p),
                                agree_in_mpfr(LAYERS, &p, 24), agree_in_mpfr(LAYERS, &p, 300)};
        for (size_t k = 0; k < 4; k++) {
            assert_int_equal(r[k].past_bound, 0);
            assert_true(r[k].in_range);
            assert_int_equal(r[k].compared, 3 * 40 + 7 * 24);
        }
        assert_true(r[3].log2_difference < r[2].log2_difference - 200);
        assert_int_equal(agree_in_balls(LAYERS, &p, 128).disjoint, 0);
        assert_int_equal(agree_in_field(LAYERS, &p, v).different, 0);
        task_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subject_fits_what_it_compares),
        cmocka_unit_test(both_sides_of_a_pair_are_the_answer_that_it_names),
        cmocka_unit_test(layers_have_bounds_that_tell_precisions_apart),
        cmocka_unit_test(layers_agree_in_every_system),
    };
    return cmocka_run_group_tests_name("pairs", tests, NULL, NULL);
}
