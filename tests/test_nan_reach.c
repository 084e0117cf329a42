/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a token of NaN must spoil is what it spoils in right kernels, and `nan-swallowed` leaves it sound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mutant_kernel.h"
#include "nan_reach.h"
#include "random_problem.h"

#include <math.h>
#include <string.h>

static Arithmetic float32(void)
{
    Arithmetic a;
    char why[100];
    assert_true(arithmetic_parse(&a, "float32", why, sizeof why));
    return a;
}

/* NaN in all inputs of one token. */
static RandomProblem poisoned(size_t length, size_t dim, size_t window, Variant variant,
                              size_t token, unsigned long seed)
{
    RandomProblem r = random_problem(PLAIN, length, dim, window, &BINARY32, seed);
    r.problem.variant = variant;
    for (Input k = 0; k < INPUTS; k++)
        for (size_t i = 0; i < dim; i++)
            r.numbers[(k * length + token) * dim + i] = NAN;
    return r;
}

static size_t sound_where_not(const RandomProblem *r, const Mutant *mutant, size_t token)
{
    Arithmetic a = float32();
    MutantAnswers m = mutant_kernel(&r->problem, &a, mutant, ROUND_EACH, 0);
    size_t sound = 0;
    for (Answer k = ANSWER_O; k <= ANSWER_LSE; k++) {
        size_t columns = answer_columns(k, r->problem.dim);
        for (size_t i = 0; i < r->problem.length * columns; i++) {
            bool must = nan_must_reach(r->problem.variant, k, i / columns, token);
            sound += must && isfinite(m.of[k][i]);
            if (i / columns < token)
                assert_true(!must && (mutant || isfinite(m.of[k][i])));
        }
    }
    mutant_answers_free(&m);
    return sound;
}

/* All shapes to 5 tokens, all windows, all variants, all tokens. */
static void it_reaches_what_it_must_and_nothing_earlier(void **state)
{
    (void)state;
    const Mutant *swallows = mutant_named("nan-swallowed");
    for (size_t L = 1; L <= 5; L++)
        for (size_t window = 0; window <= L; window++)
            for (Variant v = CASTLE; v <= WITHOUT_SILU; v++)
                for (size_t token = 0; token < L; token++) {
                    size_t W = window == L ? NO_WINDOW : window;
                    RandomProblem r = poisoned(L, 2, W, v, token, L + token + 1);
                    if (sound_where_not(&r, NULL, token) != 0)
                        fail_msg("L %zu, window %zu, token %zu: a row is sound", L, window, token);
                    if (v != WITHOUT_CAUSAL_KEYS && sound_where_not(&r, swallows, token) == 0)
                        fail_msg("L %zu, window %zu, token %zu: swallowed, unseen", L, window,
                                 token);
                    random_problem_free(&r);
                }
}

static void only_o_and_lse_are_spoken_of(void **state)
{
    (void)state;
    for (Answer a = 0; a < ANSWERS; a++)
        assert_int_equal(nan_must_reach(CASTLE, a, 3, 3), a == ANSWER_O || a == ANSWER_LSE);
    assert_int_equal(nan_token(1), 0);
    assert_int_equal(nan_token(7), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_reaches_what_it_must_and_nothing_earlier),
        cmocka_unit_test(only_o_and_lse_are_spoken_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
