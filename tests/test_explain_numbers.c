/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The numbers of the explainer: what the oracle answers is the oracle's, of every prefix of the text for
 * U^t; the rest is what 300 bits of MPFR give, rounded once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "explain_support.h"
#include "oracle.h"
#include "parallel.h"
#include "rounding_bounds.h"
#include "solve.h"
#include "systems.h"

#include <math.h>
#include <stdlib.h>

#define TEXT "the old man the boat at night"

static const size_t windows[] = {NO_WINDOW, 0, 1, 2, 5, 9};
enum { WINDOWS = sizeof windows / sizeof *windows, BITS = 300 };

static Oracle *truth_of(const Problem *given, size_t length)
{
    Problem p = *given;
    p.length = length;
    return oracle(&p, false, false);
}

/* u_s^t with a window W is u_s^min(t, s + W) without one. */
static void lookahead_keys_of_every_step_are_the_oracles(void **state)
{
    (void)state;
    Explain e = explained(TEXT, 3, NO_WINDOW);
    ExplainInputs in = explain_inputs(&e, 0);
    size_t L = e.words.count, d = e.dim;
    Problem whole = explain_problem(&e, &in, 4, WITHOUT_SILU); /* neither matters */
    TextNumbers n = numbers_of_text(&whole);
    for (size_t w = 0; w < WINDOWS; w++)
        for (size_t t = 0; t < L; t++) {
            Problem p = explain_problem(&e, &in, windows[w], CASTLE);
            Oracle *o = truth_of(&p, t + 1);
            for (size_t s = 0; s <= t; s++)
                for (size_t k = 0; k < d; k++) {
                    size_t last = t - s > windows[w] ? s + windows[w] : t;
                    assert_same_number("U", s, k, n.U[(last * L + s) * d + k],
                                       o->truth[ANSWER_U].value[s * d + k]);
                }
            oracle_free(o);
        }
    text_numbers_free(&n);
    explain_inputs_free(&in);
}

static void assert_taken(const Oracle *o, Answer a, const double *got)
{
    const Truth *t = &o->truth[a];
    for (size_t k = 0; k < t->rows * t->cols; k++)
        if (t->certificate[k] != MASKED)
            assert_same_number(answer_name(a), k / t->cols, k % t->cols, got[k], t->value[k]);
}

static void answers_and_stages_are_the_oracles(void **state)
{
    (void)state;
    Explain e = explained(TEXT, 4, NO_WINDOW);
    ExplainInputs in = explain_inputs(&e, 0);
    for (size_t w = 0; w < WINDOWS; w++)
        for (Variant v = CASTLE; v <= WITHOUT_SILU; v++) {
            Problem p = explain_problem(&e, &in, windows[w], v);
            Oracle *o = truth_of(&p, p.length);
            TextNumbers text = numbers_of_text(&p);
            SettingNumbers n = numbers_of_setting(&p, 2, true);
            assert_true(n.naive_ran);
            assert_taken(o, ANSWER_G, text.G); /* absent ones beyond the window apart */
            assert_taken(o, ANSWER_T1, text.T1);
            if (v != WITHOUT_CAUSAL_KEYS)
                assert_taken(o, ANSWER_SC, text.SC);
            assert_taken(o, ANSWER_SU, n.SU);
            assert_taken(o, ANSWER_P, n.P);
            assert_taken(o, ANSWER_O, n.O);
            assert_taken(o, ANSWER_LSE, n.LSE);
            text_numbers_free(&text);
            setting_numbers_free(&n);
            oracle_free(o);
        }
    explain_inputs_free(&in);
}

static double number(Matrix A, size_t i, size_t j) { return mpfr_get_d(entry(A, i, j), MPFR_RNDN); }

/* m, l and O of row t over the keys first..t, from 300-bit scores. */
static void assert_online(const SettingNumbers *n, Matrix S, Matrix VC, size_t t, size_t v)
{
    size_t first = (t / n->block - v) * n->block, at = t * n->blocks + v;
    mpfr_t e, l, o, x;
    mpfr_inits2(BITS, e, l, o, x, (mpfr_ptr)0);
    mpfr_ptr m = entry(S, t, t);
    for (size_t s = first; s <= t; s++)
        m = mpfr_greater_p(entry(S, t, s), m) ? entry(S, t, s) : m;
    assert_same_number("M", t, v, n->M[at], mpfr_get_d(m, MPFR_RNDN));
    for (size_t k = 0; k <= n->dim; k++) { /* the last one is l */
        mpfr_set_zero(o, 1);
        for (size_t s = first; s <= t; s++) {
            mpfr_sub(e, entry(S, t, s), m, MPFR_RNDN);
            mpfr_exp(e, e, MPFR_RNDN);
            if (k < n->dim)
                mpfr_mul(e, e, entry(VC, s, k), MPFR_RNDN);
            mpfr_add(o, o, e, MPFR_RNDN);
        }
        if (k < n->dim)
            assert_same_number("PART", at, k, n->PART[at * n->dim + k], mpfr_get_d(o, MPFR_RNDN));
        else
            assert_same_number("SUM", t, v, n->SUM[at], mpfr_get_d(o, MPFR_RNDN));
    }
    mpfr_clears(e, l, o, x, (mpfr_ptr)0);
}

static void assert_between(const Problem *p, size_t block)
{
    System *in = mpfr_system(BITS);
    Head h = problem_head(p, in);
    Stages f = parallel_stages(&h);
    Matrix penalty = variant_penalty(&h, f.SU);
    Matrix Z = scaled(h.scale, product_nt(h.QU, h.KU, EVERYWHERE));
    TextNumbers text = numbers_of_text(p);
    SettingNumbers n = numbers_of_setting(p, block, false);
    size_t L = p->length;
    assert_int_equal(n.blocks, (L + block - 1) / block);
    for (size_t t = 0; t < L; t++) {
        for (size_t s = 0; s <= t; s++) {
            assert_same_number("S", t, s, n.S[t * L + s], number(f.S, t, s));
            if (s == t)
                continue;
            assert_same_number("SILU", t, s, n.SILU[t * L + s], number(penalty, t, s));
            assert_same_number("Z", s, t, text.Z[s * L + t], number(Z, s, t));
        }
        for (size_t v = 0; v <= t / block; v++)
            assert_online(&n, f.S, h.VC, t, v);
    }
    text_numbers_free(&text);
    setting_numbers_free(&n);
    system_free(in);
}

static void what_lies_between_is_what_mpfr_gives(void **state)
{
    (void)state;
    for (size_t words = 1; words <= 9; words += 4)
        for (size_t w = 0; w < WINDOWS; w++)
            for (Variant v = CASTLE; v <= WITHOUT_SILU; v++) {
                Explain e = explained(many_words(words), 2, NO_WINDOW);
                ExplainInputs in = explain_inputs(&e, 0);
                Problem p = explain_problem(&e, &in, windows[w], v);
                assert_between(&p, 1 + w);
                explain_inputs_free(&in);
            }
}

/* Two forms of one text in 53 bits: unequal somewhere, and each within the bound of such roundings. */
static void the_forms_differ_by_roundings_only(void **state)
{
    (void)state;
    double most = 0;
    for (size_t words = 1; words <= 33; words += 8) {
        Explain e = explained(many_words(words), 4, NO_WINDOW);
        ExplainHead h = explain_head(&e, 0);
        Problem p = explain_problem(&e, &h.inputs, e.window, CASTLE);
        RoundingBounds bounds = rounding_bounds(&p, 53);
        double bound = 0;
        for (size_t k = 0; k < words * e.dim; k++)
            bound = fmax(bound, exp2(log2_rounding_bound(&bounds, ANSWER_O, k / e.dim, k % e.dim)));
        if (!(h.setting.difference <= 2 * bound))
            fail_msg("%zu words: the forms differ by %g; expected at most %g", words,
                     h.setting.difference, 2 * bound);
        most = fmax(most, h.setting.difference);
        rounding_bounds_end(&bounds);
        explain_head_free(&h);
    }
    assert_true(most > 0);
}

static void blocks_are_two_to_five(void **state)
{
    (void)state;
    for (size_t length = 1; length <= EXPLAIN_MOST_WORDS; length++) {
        size_t block = explain_block(length), blocks = (length + block - 1) / block;
        assert_true(block >= 2 && blocks <= 5 && (blocks >= 2 || length <= 2));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lookahead_keys_of_every_step_are_the_oracles),
        cmocka_unit_test(answers_and_stages_are_the_oracles),
        cmocka_unit_test(what_lies_between_is_what_mpfr_gives),
        cmocka_unit_test(the_forms_differ_by_roundings_only),
        cmocka_unit_test(blocks_are_two_to_five),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
