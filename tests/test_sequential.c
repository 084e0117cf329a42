/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The definition against formulas written out by hand, in balls: for one, two and three tokens of
 * dimension 1 nothing is left to a loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ball.h"
#include "random_problem.h"
#include "sequential.h"
#include "solve.h"

#include <stdlib.h>

enum { BITS = 200 };

/* y = sigmoid(scale a b), a and b numbers of a problem. */
static void gate(arb_t y, arb_srcptr scale, double a, double b)
{
    arb_set_d(y, a);
    arb_t t;
    arb_init(t);
    arb_set_d(t, b);
    arb_mul(y, y, t, BITS);
    arb_mul(y, y, scale, BITS);
    arb_neg(y, y);
    arb_exp(y, y, BITS);
    arb_add_ui(y, y, 1, BITS);
    arb_inv(y, y, BITS);
    arb_clear(t);
}

/* e = exp(scale q k - SiLU(scale q u)): one weight of (7) before it is normalised. */
static void weight(arb_t e, arb_srcptr scale, double q, double k, arb_srcptr u)
{
    arb_t c, x, g;
    arb_init(c), arb_init(x), arb_init(g);
    arb_set_d(c, q);
    arb_mul(x, c, u, BITS);
    arb_mul(x, x, scale, BITS); /* sU */
    arb_neg(g, x);
    arb_exp(g, g, BITS);
    arb_add_ui(g, g, 1, BITS);
    arb_div(x, x, g, BITS); /* SiLU(sU) */
    arb_set_d(g, k);
    arb_mul(c, c, g, BITS);
    arb_mul(c, c, scale, BITS); /* sC */
    arb_sub(c, c, x, BITS);
    arb_exp(e, c, BITS);
    arb_clear(c), arb_clear(x), arb_clear(g);
}

/* Row t (0, 1 or 2) of O from (3) to (8) spelled out for d = 1 and no window. */
static void output_by_hand(arb_t o, const Problem *p, arb_srcptr scale, size_t t)
{
    const double *qu = p->input[INPUT_QU], *ku = p->input[INPUT_KU], *vu = p->input[INPUT_VU];
    const double *qc = p->input[INPUT_QC], *kc = p->input[INPUT_KC], *vc = p->input[INPUT_VC];
    arb_t u, g, v, e, l;
    arb_init(u), arb_init(g), arb_init(v), arb_init(e), arb_init(l);
    arb_zero(o);
    for (size_t s = 0; s <= t; s++) {
        arb_zero(u);
        if (s == 0 && t >= 1) { /* u_1 takes in token 2 ... */
            gate(g, scale, qu[0], ku[1]);
            arb_set_d(v, vu[1]);
            arb_addmul(u, g, v, BITS);
        }
        if (s == 0 && t == 2) { /* ... and token 3 */
            gate(g, scale, qu[0], ku[2]);
            arb_set_d(v, vu[2]);
            arb_addmul(u, g, v, BITS);
        }
        if (s == 1 && t == 2) { /* u_2 takes in token 3 */
            gate(g, scale, qu[1], ku[2]);
            arb_set_d(v, vu[2]);
            arb_addmul(u, g, v, BITS);
        }
        weight(e, scale, qc[t], kc[s], u);
        arb_add(l, l, e, BITS);
        arb_set_d(v, vc[s]);
        arb_addmul(o, e, v, BITS);
    }
    arb_div(o, o, l, BITS);
    arb_clear(u), arb_clear(g), arb_clear(v), arb_clear(e), arb_clear(l);
}

static void up_to_three_tokens_by_hand(void **state)
{
    (void)state;
    for (unsigned long seed = 0; seed < repetitions(50); seed++)
        for (size_t L = 1; L <= 3; L++) {
            RandomProblem r = random_problem(PLAIN, L, 1, NO_WINDOW, &BINARY32, seed);
            r.problem.scale = 0.75;
            System *in = ball_system(BITS);
            Head head = problem_head(&r.problem, in);
            Answers a = answers_for(&head);
            sequential(&head, &a);
            arb_t o;
            arb_init(o);
            for (size_t t = 0; t < L; t++) {
                output_by_hand(o, &r.problem, ball_at(head.scale, 0, 0), t);
                /* both enclose the same number, to nearly all of their bits */
                if (!arb_overlaps(o, ball_at(a.O, t, 0)) ||
                    arb_rel_accuracy_bits(ball_at(a.O, t, 0)) < BITS - 40) {
                    print_error("definition by hand: o differs, seed %lu L %zu row %zu\n", seed, L,
                                t);
                    fail();
                }
            }
            arb_clear(o);
            system_free(in);
            random_problem_free(&r);
        }
}

/* L = 1 gives O = VC and lse = the token's own causal score; in every number system. */
static void one_token_answers_its_value(void **state)
{
    (void)state;
    System *systems[] = {mpfr_system(53), ball_system(113), f64_system(), f32_system(),
                         field_system(1)};
    for (size_t k = 0; k < sizeof systems / sizeof *systems; k++) {
        System *in = systems[k];
        RandomProblem r = random_problem(PLAIN, 1, 5, NO_WINDOW, &BINARY32, 4);
        Head head = problem_head(&r.problem, in);
        Answers a = answers_for(&head);
        sequential(&head, &a);
        for (size_t j = 0; j < 5; j++) {
            mpfr_t o, v;
            mpfr_inits2(53, o, v, (mpfr_ptr)0);
            if (in->op->get) {
                in->op->get(in, o, entry(a.O, 0, j));
                in->op->get(in, v, entry(head.VC, 0, j));
                assert_true(mpfr_equal_p(o, v));
            } else {
                assert_memory_equal(entry(a.O, 0, j), entry(head.VC, 0, j), in->op->bytes);
            }
            mpfr_clears(o, v, (mpfr_ptr)0);
        }
        random_problem_free(&r);
        system_free(in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(up_to_three_tokens_by_hand),
        cmocka_unit_test(one_token_answers_its_value),
    };
    return cmocka_run_group_tests_name("sequential", tests, NULL, NULL);
}
