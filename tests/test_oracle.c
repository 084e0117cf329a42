/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The oracle's promises: correctly rounded, certified, tails, ties, and what has no truth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "oracle.h"
#include "random_problem.h"
#include "sequential.h"
#include "systems.h"
#include "solve.h"
#include "task_support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Against the definition at 1200 bits: X is that value rounded to 53 bits, X.lo the rest rounded. */
static void values_and_tails_are_correctly_rounded(void **state)
{
    (void)state;
    for (size_t run = 0; run < repetitions(12); run++) {
        RandomProblem r = random_problem(run % FAMILIES, 1 + run % 9, 1 + run % 4,
                                         run % 2 ? NO_WINDOW : run % 5, &BINARY32, run);
        Oracle *o = oracle(&r.problem, true, true);
        assert_true(o->naive_ran);
        assert_int_equal(o->naive_outside, 0);
        assert_int_equal(o->ties + o->undefined, 0);
        System *in = mpfr_system(1200);
        Head head = problem_head(&r.problem, in);
        Answers a = answers_for(&head);
        sequential(&head, &a);
        mpfr_t rest;
        mpfr_init2(rest, 1300);
        for (Answer k = 0; k < FORWARD_ANSWERS; k++) {
            const Truth *t = &o->truth[k];
            for (size_t i = 0; i < t->rows * t->cols; i++) {
                mpfr_srcptr x = entry(answer_matrix(&a, k), i / t->cols, i % t->cols);
                double value = mpfr_get_d(x, MPFR_RNDN);
                mpfr_sub_d(rest, x, value, MPFR_RNDN);
                double tail = mpfr_get_d(rest, MPFR_RNDN);
                /* exact values have tail 0; 1200 bits leave dust of 2^-1100 there */
                if (fabs(tail) < 0x1p-1000)
                    tail = 0;
                if (t->value[i] != value || t->tail[i] != tail || t->certificate[i] != CERTIFIED) {
                    print_error("seed %zu %s element %zu: %a + %a, expected %a + %a\n", run,
                                answer_name(k), i, t->value[i], t->tail[i], value, tail);
                    fail();
                }
            }
        }
        mpfr_clear(rest);
        system_free(in);
        random_problem_free(&r);
        oracle_free(o);
    }
}

/* Three equal keys and VU = 0: o_3 = (3 + 0 + 3 2^-53) / 3 lies halfway between two numbers, and as 1/3
 * is no exact ball, no precision settles it. */
static void an_exact_tie_is_recorded_with_both_neighbours(void **state)
{
    (void)state;
    const double zero[] = {0, 0, 0}, value[] = {3, 0, 0x1.8p-52};
    Problem p = {
        .length = 3, .dim = 1, .window = NO_WINDOW, .input = {zero, zero, zero, zero, zero, value}};
    Oracle *o = oracle(&p, false, true);
    const Truth *t = &o->truth[ANSWER_O];
    assert_int_equal(o->ties, 1);
    assert_int_equal(t->certificate[2], TIE);
    double low = fmin(t->value[2], t->neighbour[2]), high = fmax(t->value[2], t->neighbour[2]);
    assert_true(low == 1 && high == 1 + 0x1p-52);
    assert_true(t->value[0] == 3 && t->tail[0] == 0);
    assert_int_equal(o->naive_outside, 0);
    oracle_free(o);
}

/* With two equal keys the weights are 1/2, the ball is an exact point: its tie goes to even, certified. */
static void a_tie_that_is_an_exact_point_goes_to_even(void **state)
{
    (void)state;
    const double zero[] = {0, 0}, value[] = {1, 1 + 0x1p-52};
    Problem p = {
        .length = 2, .dim = 1, .window = NO_WINDOW, .input = {zero, zero, zero, zero, zero, value}};
    Oracle *o = oracle(&p, true, true);
    assert_int_equal(o->ties, 0);
    assert_true(o->truth[ANSWER_O].value[1] == 1 && o->truth[ANSWER_O].tail[1] == 0x1p-53);
    oracle_free(o);
}

/* An exact 0 made by cancellation is certified: the ball shrinks below half the smallest number. */
static void a_cancelled_sum_is_a_certified_zero(void **state)
{
    (void)state;
    const double zero[] = {0, 0, 0}, value[] = {0, 3, -3}, query[] = {0, 0, 0};
    Problem p = {.length = 3,
                 .dim = 1,
                 .window = NO_WINDOW,
                 .input = {query, zero, value, zero, zero, value}};
    Oracle *o = oracle(&p, false, false);
    assert_true(o->truth[ANSWER_U].value[0] == 0); /* 3 sigmoid(0) - 3 sigmoid(0) */
    assert_int_equal(o->truth[ANSWER_U].certificate[0], CERTIFIED);
    oracle_free(o);
}

static void what_not_a_number_reaches_is_undefined_and_no_more(void **state)
{
    (void)state;
    RandomProblem r = random_problem(PLAIN, 6, 2, NO_WINDOW, &BINARY32, 3);
    r.numbers[INPUT_KC * 12 + 3 * 2] = NAN; /* KC of token 3 */
    Oracle *o = oracle(&r.problem, false, true);
    for (size_t t = 0; t < 6; t++)
        for (size_t k = 0; k < 2; k++)
            assert_int_equal(o->truth[ANSWER_O].certificate[2 * t + k],
                             t < 3 ? CERTIFIED : UNDEFINED);
    for (size_t k = 0; k < 12; k++)
        assert_int_equal(o->truth[ANSWER_U].certificate[k], CERTIFIED);
    oracle_free(o);
    random_problem_free(&r);
}

/* Scores of 1e300 need far more than 113 bits; the truth is found all the same. */
static void huge_scores_raise_the_precision(void **state)
{
    (void)state;
    const double q[] = {1e20, -1e20}, v[] = {1, 2};
    Problem p = {
        .length = 2, .dim = 1, .window = NO_WINDOW, .scale = 1, .input = {v, v, v, q, q, v}};
    Oracle *o = oracle(&p, false, true);
    assert_int_equal(o->ties + o->undefined, 0);
    assert_true(o->truth[ANSWER_O].value[0] == 1);
    assert_true(o->truth[ANSWER_O].value[1] ==
                2); /* its own key's score is 1e40, the other -1e40 */
    oracle_free(o);
}

/* X.<type> is rounded once from X + X.lo: rounding X again would go wrong at a double rounding. */
static void typed_values_are_rounded_once(void **state)
{
    (void)state;
    double value[] = {1 + 0x1p-24, 1 + 0x1p-24, 1 + 0x1p-24}, tail[] = {0, 0x1p-60, -0x1p-60};
    const double expected[] = {1, 1 + 0x1p-23, 1};
    Truth t = {.rows = 3, .cols = 1, .value = value, .tail = tail};
    for (size_t k = 0; k < 3; k++)
        assert_true(truth_in_format(&t, k, &BINARY32) == expected[k]);
    value[0] = 0x1p-150, tail[0] = 0; /* half the smallest subnormal: to even, 0 */
    value[1] = 0x1p-150, tail[1] = 0x1p-210;
    value[2] = 1e300, tail[2] = 0;
    assert_true(truth_in_format(&t, 0, &BINARY32) == 0);
    assert_true(truth_in_format(&t, 1, &BINARY32) == 0x1p-149);
    assert_true(isinf(truth_in_format(&t, 2, &BINARY32)));
}

/* ---- layers and stages ---------------------------------------------------------------------- */

/* N(0, 1) numbers tie with nothing, and the definition, head by head, lies inside y's balls. */
static void layers_are_certified_and_hold_the_definition(void **state)
{
    static const Sizes sizes[] = {
        {1, 1, 1, 1, 1}, {2, 2, 5, 3, 4}, {1, 3, 9, 2, 6}, {3, 1, 4, 4, 2}};
    (void)state;
    for (size_t run = 0; run < repetitions(12); run++) {
        Task t = random_task(&sizes[run % 4], "float32", run);
        t.window = run % 3 ? NO_WINDOW : run % 5, t.variant = (Variant)(run % 3);
        Problem p = task_problem(&t, 0);
        Oracle *o = oracle(&p, run % 2, true);
        assert_true(o->naive_ran);
        assert_int_equal(o->naive_outside, 0);
        assert_int_equal(o->ties + o->undefined, 0);
        for (Answer a = 0; a < ANSWERS; a++) {
            const Truth *x = &o->truth[a];
            assert_int_equal(x->rows > 0, a >= LAYER_ANSWERS_BEGIN);
            for (size_t k = 0; k < x->rows * x->cols; k++)
                assert_int_equal(x->certificate[k], CERTIFIED);
        }
        oracle_free(o);
        task_free(&t);
    }
}

static void assert_zero(const Oracle *o, Answer a, size_t k)
{
    const Truth *x = &o->truth[a];
    if (x->certificate[k] != CERTIFIED || x->value[k] != 0 || x->tail[k] != 0 ||
        x->neighbour[k] != 0)
        fail_msg("%s[%zu] is %a + %a, certificate %d", answer_name(a), k, x->value[k], x->tail[k],
                 x->certificate[k]);
}

/* A lone score's weight is 1 whatever the score: dS_11 = 0, and with one token all that comes from it.
 * The precision need not be raised to see that. */
static void zeros_of_a_lone_score_are_known(void **state)
{
    const Sizes lone = {3, 2, 1, 2, 4}, heads = {1, 2, 1, 40, 0}, longer = {1, 1, 4, 40, 0};
    (void)state;
    for (Variant v = CASTLE; v <= WITHOUT_SILU; v++) {
        Task t = random_task(&lone, "float64", 5 + v); /* 53 bits: dP - delta is no exact 0 */
        t.variant = v;
        Problem p = task_problem(&t, 0);
        Oracle *o = oracle(&p, true, false);
        for (size_t k = 0; k < task_part(&t, ANSWER_DWQU); k++)
            for (Answer a = ANSWER_DWQU; a < ANSWER_DWVC; a++) /* all but dwvc and dwo */
                assert_zero(o, a, k);
        assert_int_equal(o->bits, ORACLE_TAIL_BITS);
        oracle_free(o);
        task_free(&t);

        for (size_t n = 0; n < 2; n++) {
            t = random_task(n ? &heads : &longer, "float64", 5 + v);
            t.stages = true, t.variant = v;
            p = task_problem(&t, 0);
            o = oracle(&p, false, false);
            assert_zero(o, ANSWER_DS, 0);
            for (size_t j = 0; j < p.dim; j++) {
                assert_zero(o, ANSWER_DQC, j);
                if (p.length == 1)
                    assert_zero(o, ANSWER_DKC, j);
            }
            assert_true(o->truth[ANSWER_P].value[0] == 1 && o->truth[ANSWER_P].tail[0] == 0);
            assert_true(o->truth[ANSWER_DVC].value[0] != 0);
            assert_int_equal(o->bits, ORACLE_BITS);
            assert_int_equal(o->ties, 0);
            oracle_free(o);
            task_free(&t);
        }
    }
}

/* Where all values up to token t are one number, o_t is that number: no ball is that narrow. */
static void means_of_equal_values_are_known(void **state)
{
    enum { L = 9, D = 3, EQUAL = 4, COLUMN = 1 };
    (void)state;
    for (Variant v = CASTLE; v <= WITHOUT_SILU; v++) {
        RandomProblem r = random_problem(PLAIN, L, D, NO_WINDOW, &BINARY64, 31 + v);
        double VC[L * D];
        memcpy(VC, r.problem.input[INPUT_VC], sizeof VC);
        for (size_t t = 0; t < EQUAL; t++)
            VC[t * D + COLUMN] = -0x1.8p-3;
        r.problem.input[INPUT_VC] = VC;
        r.problem.variant = v;
        Oracle *o = oracle(&r.problem, true, true);
        const Truth *x = &o->truth[ANSWER_O];
        for (size_t t = 0; t < L; t++) {
            size_t k = t * D + COLUMN;
            bool exact = x->value[k] == -0x1.8p-3 && x->tail[k] == 0;
            if (exact != (t < EQUAL) || x->certificate[k] != CERTIFIED)
                fail_msg("variant %d, o of token %zu is %a + %a", v, t, x->value[k], x->tail[k]);
        }
        assert_int_equal(o->bits, ORACLE_TAIL_BITS);
        assert_int_equal(o->naive_outside + o->ties, 0);
        oracle_free(o);
        random_problem_free(&r);
    }
}

/* Outside its mask a stage is 0 and has no certificate; the masks are those of the paper. */
static void stages_are_masked(void **state)
{
    enum { L = 6, W = 2 };
    const Sizes size = {1, 1, L, 2, 0};
    (void)state;
    Task t = random_task(&size, "float32", 9);
    t.stages = true, t.window = W;
    Problem p = task_problem(&t, 0);
    Oracle *o = oracle(&p, false, true);
    assert_int_equal(o->naive_outside + o->ties + o->undefined, 0);
    for (Answer a = ANSWER_SC; a <= ANSWER_DG; a++)
        for (size_t i = 0; i < L; i++)
            for (size_t j = 0; j < L; j++) {
                bool gate = a == ANSWER_G || a == ANSWER_DG,
                     strict = a == ANSWER_SU || a == ANSWER_DSU;
                bool inside = gate ? i < j && j <= i + W : strict ? j < i : j <= i;
                const Truth *x = &o->truth[a];
                assert_int_equal(x->certificate[i * L + j], inside ? CERTIFIED : MASKED);
                if (!inside)
                    assert_true(x->value[i * L + j] == 0 && x->tail[i * L + j] == 0);
                assert_int_equal(x->mask_is_free, a == ANSWER_SC || a == ANSWER_DP);
            }
    oracle_free(o);
    task_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_tails_are_correctly_rounded),
        cmocka_unit_test(an_exact_tie_is_recorded_with_both_neighbours),
        cmocka_unit_test(a_tie_that_is_an_exact_point_goes_to_even),
        cmocka_unit_test(a_cancelled_sum_is_a_certified_zero),
        cmocka_unit_test(what_not_a_number_reaches_is_undefined_and_no_more),
        cmocka_unit_test(huge_scores_raise_the_precision),
        cmocka_unit_test(typed_values_are_rounded_once),
        cmocka_unit_test(layers_are_certified_and_hold_the_definition),
        cmocka_unit_test(zeros_of_a_lone_score_are_known),
        cmocka_unit_test(means_of_equal_values_are_known),
        cmocka_unit_test(stages_are_masked),
    };
    return cmocka_run_group_tests_name("oracle", tests, NULL, NULL);
}
