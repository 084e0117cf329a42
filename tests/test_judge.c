/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Kernels judged: the right one in every family and window, each broken one by a test named after its
 * fault, played arithmetics over many seeds, and single elements moved.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "judge.h"
#include "kernel.h"
#include "decode.h"
#include "random_problem.h"
#include "systems.h"
#include "solve.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Case {
    RandomProblem random;
    Arithmetic arithmetic;
    Oracle *oracle;
    double *answered[ANSWERS];
    Score *scores[ANSWERS];
    size_t answers;
    char what[120];
} Case;

static Case case_begin(Family family, size_t L, size_t d, size_t window, const char *arithmetic,
                       unsigned long seed, bool gradients)
{
    Case c = {0};
    char why[200];
    assert_true(arithmetic_parse(&c.arithmetic, arithmetic, why, sizeof why));
    c.random = random_problem(family, L, d, window, c.arithmetic.site[STAGE_INPUT], seed);
    if (gradients)
        with_cotangent(&c.random);
    c.answers = gradients ? HEAD_ANSWERS : FORWARD_ANSWERS;
    c.oracle = oracle(&c.random.problem, false, false);
    for (Answer a = 0; a < ANSWERS; a++) {
        size_t n = L * answer_columns(a, d);
        c.answered[a] = calloc(n, sizeof(double));
        c.scores[a] = calloc(n, sizeof(Score));
    }
    snprintf(c.what, sizeof c.what, "%s L=%zu d=%zu W=%zd %s seed=%lu", family_name(family), L, d,
             window == NO_WINDOW ? (ptrdiff_t)-1 : (ptrdiff_t)window, arithmetic, seed);
    return c;
}

static void case_end(Case *c)
{
    random_problem_free(&c->random);
    oracle_free(c->oracle);
    for (Answer a = 0; a < ANSWERS; a++) {
        free(c->answered[a]);
        free(c->scores[a]);
    }
}

static Verdict gather(const Case *c, Answer a)
{
    size_t n = c->random.problem.length * answer_columns(a, c->random.problem.dim);
    Verdict v = verdict_begin(n);
    for (size_t k = 0; k < n; k++)
        verdict_add(&v, k, c->scores[a][k], c->answered[a][k]);
    verdict_end(&v);
    return v;
}

static void judge(Case *c, Verdict v[ANSWERS])
{
    score_problem(&c->random.problem, &c->arithmetic, c->oracle, (const double *const *)c->answered,
                  c->scores);
    for (Answer a = 0; a < c->answers; a++)
        v[a] = gather(c, a);
}

static void show(const Case *c, Answer a, const Verdict *v)
{
    print_error("%s: %s is %s: z %g (suspect above %g, wrong above %g), err/bound %g, element %zu "
                "answered %.17g truth %.17g\n",
                c->what, answer_name(a), judgement_name(v->judgement), v->worst_score.z,
                v->thresholds.suspect, v->thresholds.wrong, v->most_of_bound, v->worst,
                c->answered[a][v->worst], c->oracle->truth[a].value[v->worst]);
}

/* ---- right kernels -------------------------------------------------------------------------- */

static void right_kernel_is_right_in_every_family_and_window(void **state)
{
    (void)state;
    static const size_t windows[] = {NO_WINDOW, 0, 1, 7, 16, 17, 33, 40};
    size_t count = repetitions(8) < 8 ? 2 : sizeof windows / sizeof *windows;
    for (size_t w = 0; w < count; w++)
        for (Family family = 0; family < FAMILIES; family++) {
            Case c = case_begin(family, 40, 8, windows[w], "float32", 100 * w + family, false);
            Verdict v[ANSWERS];
            kernel(&c.random.problem, NO_FAULT, c.answered[ANSWER_O], c.answered[ANSWER_LSE],
                   c.answered[ANSWER_U]);
            judge(&c, v);
            for (Answer a = 0; a < c.answers; a++)
                if (v[a].judgement != RIGHT) {
                    show(&c, a, &v[a]);
                    fail();
                }
            case_end(&c);
        }
}

/* A run of the declared arithmetic itself, every rounding played by MPFR: Theorem 1's form with its
 * gradients, or decoding. */
static void play(Case *c, bool decoding)
{
    System *in = played_system(&c->arithmetic);
    Solution s = {0};
    if (decoding) {
        Head head = problem_head(&c->random.problem, in);
        Answers answers = answers_for(&head);
        decode(&head, &answers);
        for (Answer a = 0; a < FORWARD_ANSWERS; a++)
            s.of[a] = answer_matrix(&answers, a);
    } else {
        s = solve(&c->random.problem, in);
    }
    mpfr_t x;
    mpfr_init2(x, 53);
    for (Answer a = 0; a < c->answers; a++) {
        Matrix M = s.of[a];
        for (size_t k = 0; k < M.rows * M.cols; k++) {
            in->op->get(in, x, entry(M, k / M.cols, k % M.cols));
            c->answered[a][k] = mpfr_get_d(x, MPFR_RNDN);
        }
    }
    mpfr_clear(x);
    system_free(in);
}

static void seeded_right_runs(const char *arithmetic, size_t runs)
{
    static const size_t lengths[] = {1, 2, 3, 9, 24, 33}, dims[] = {1, 4, 8};
    size_t counts[3] = {0}, verdicts = 0;
    double most = 0;
    for (size_t r = 0; r < runs; r++) {
        Case c = case_begin(r % FAMILIES, lengths[r % 6], dims[r % 3], r % 5 ? NO_WINDOW : r % 11,
                            arithmetic, 1000 + r, r % 2);
        Verdict v[ANSWERS];
        play(&c, r % 2 == 0);
        judge(&c, v);
        verdicts += c.answers;
        for (Answer a = 0; a < c.answers; a++) {
            counts[v[a].judgement]++;
            most = fmax(most, v[a].worst_score.z);
            if (v[a].judgement != RIGHT)
                show(&c, a, &v[a]);
        }
        case_end(&c);
    }
    print_message("%s: %zu right, %zu suspect, %zu wrong verdicts; largest z %.2f\n", arithmetic,
                  counts[RIGHT], counts[SUSPECT], counts[WRONG], most);
    assert_int_equal(counts[WRONG], 0);
    /* a suspect verdict is to be met once in 1 / CHANCE_SUSPECT tensors at most: no more than
     * a Poisson variable of that mean reaches with probability 1e-6 */
    double mean = CHANCE_SUSPECT * (double)verdicts;
    assert_true((double)counts[SUSPECT] <= mean + 6 + 5 * sqrt(mean));
}

static void seeded_float32_runs_are_never_wrong(void **state)
{
    (void)state;
    seeded_right_runs("float32", repetitions(200));
}

static void seeded_bfloat16_runs_are_never_wrong(void **state)
{
    (void)state;
    seeded_right_runs("bfloat16", repetitions(200));
}

static void seeded_float16_runs_are_never_wrong(void **state)
{
    (void)state;
    seeded_right_runs("float16", repetitions(40));
}

static void seeded_tf32_runs_are_never_wrong(void **state)
{
    (void)state;
    seeded_right_runs("tf32", repetitions(40));
}

/* The worst case is a worst case: no played run errs by more than the bound. */
static void no_right_run_passes_the_bound(void **state)
{
    (void)state;
    static const char *const names[] = {"float32", "tf32", "bfloat16", "float16"};
    for (size_t r = 0; r < repetitions(80); r++) {
        Case c = case_begin(r % FAMILIES, 1 + r % 17, 1 + r % 5, NO_WINDOW, names[r % 4], 7000 + r,
                            r % 3);
        Verdict v[ANSWERS];
        play(&c, r % 3 == 0);
        judge(&c, v);
        for (Answer a = 0; a < c.answers; a++)
            if (v[a].most_of_bound > 1) {
                show(&c, a, &v[a]);
                fail();
            }
        case_end(&c);
    }
}

/* ---- single elements ------------------------------------------------------------------------ */

static void an_element_moved_by_20_sigma_is_noticed_everywhere(void **state)
{
    (void)state;
    static const char *const names[] = {"float32", "bfloat16"};
    for (size_t n = 0; n < 2; n++) {
        Case c = case_begin(PLAIN, 33, 8, NO_WINDOW, names[n], 77, true);
        Verdict v[ANSWERS];
        play(&c, false);
        judge(&c, v);
        Scales *s = error_scales(&c.random.problem, &c.arithmetic, c.oracle, SCALE_SEED);
        for (Answer a = 0; a < c.answers; a++) {
            const Truth *t = &c.oracle->truth[a];
            for (size_t k = 0; k < t->rows * t->cols; k++) {
                double right = c.answered[a][k], sigma = s->sigma[a][k];
                Score kept = c.scores[a][k];
                for (int sign = -1; sign <= 1; sign += 2) {
                    /* a structural zero has sigma 0: there the smallest number counts */
                    c.answered[a][k] = sigma > 0 ? right + sign * 20 * sigma : sign * 0x1p-1074;
                    c.scores[a][k] = score_element(t, k, sigma, s->bound[a][k], c.answered[a][k]);
                    Verdict moved = gather(&c, a);
                    if (moved.judgement == RIGHT || moved.worst != k) {
                        print_error("moved element %zu by 20 sigma\n", k);
                        show(&c, a, &moved);
                        fail();
                    }
                }
                c.answered[a][k] = right;
                c.scores[a][k] = kept;
            }
        }
        scales_free(s);
        case_end(&c);
    }
}

/* ---- answers that are none ------------------------------------------------------------------ */

typedef double Substitute(const Case *, Answer, size_t);
static double not_a_number(const Case *c, Answer a, size_t k)
{
    return (void)c, (void)a, (void)k, NAN;
}
static double infinite(const Case *c, Answer a, size_t k)
{
    return (void)c, (void)a, (void)k, INFINITY;
}
static double zero(const Case *c, Answer a, size_t k) { return (void)c, (void)a, (void)k, 0; }
static double constant(const Case *c, Answer a, size_t k) { return (void)c, (void)a, (void)k, 0.5; }
static double sign_changed(const Case *c, Answer a, size_t k)
{
    return -c->oracle->truth[a].value[k];
}

static void answers_that_are_none_are_wrong(void **state)
{
    (void)state;
    static Substitute *const substitutes[] = {not_a_number, infinite, zero, constant, sign_changed};
    Case c = case_begin(PLAIN, 20, 4, NO_WINDOW, "bfloat16", 5, true);
    for (size_t n = 0; n < sizeof substitutes / sizeof *substitutes; n++) {
        Verdict v[ANSWERS];
        for (Answer a = 0; a < c.answers; a++)
            for (size_t k = 0; k < 20 * answer_columns(a, 4); k++)
                c.answered[a][k] = substitutes[n](&c, a, k);
        judge(&c, v);
        for (Answer a = 0; a < c.answers; a++)
            if (v[a].judgement != WRONG) {
                print_error("substitute %zu\n", n);
                show(&c, a, &v[a]);
                fail();
            }
    }
    case_end(&c);
}

static void one_missing_number_is_wrong_wherever_it_is(void **state)
{
    (void)state;
    Case c = case_begin(PLAIN, 9, 2, NO_WINDOW, "bfloat16", 6, true);
    Verdict v[ANSWERS];
    play(&c, false);
    judge(&c, v);
    Scales *s = error_scales(&c.random.problem, &c.arithmetic, c.oracle, SCALE_SEED);
    for (Answer a = 0; a < c.answers; a++) {
        const Truth *t = &c.oracle->truth[a];
        for (size_t k = 0; k < t->rows * t->cols; k++) {
            double kept = c.answered[a][k];
            Score right = c.scores[a][k];
            c.answered[a][k] = NAN;
            c.scores[a][k] = score_element(t, k, s->sigma[a][k], s->bound[a][k], c.answered[a][k]);
            Verdict missing = gather(&c, a);
            assert_int_equal(missing.judgement, WRONG);
            assert_int_equal(missing.not_finite, 1);
            c.answered[a][k] = kept;
            c.scores[a][k] = right;
        }
    }
    scales_free(s);
    case_end(&c);
}

static void another_problems_answers_are_wrong(void **state)
{
    (void)state;
    Case c = case_begin(PLAIN, 20, 4, NO_WINDOW, "bfloat16", 8, true);
    Case other = case_begin(PLAIN, 20, 4, NO_WINDOW, "bfloat16", 9, true);
    Verdict v[ANSWERS];
    play(&other, false);
    for (Answer a = 0; a < c.answers; a++)
        memcpy(c.answered[a], other.answered[a], 20 * answer_columns(a, 4) * sizeof(double));
    judge(&c, v);
    for (Answer a = 0; a < c.answers; a++)
        assert_int_equal(v[a].judgement, WRONG);
    case_end(&c);
    case_end(&other);
}

static void without_any_truth_nothing_is_right(void **state)
{
    (void)state;
    Case c = case_begin(PLAIN, 6, 2, NO_WINDOW, "float32", 10, true);
    Verdict v[ANSWERS];
    for (size_t i = 0; i < 6 * 2 * INPUTS; i++)
        c.random.numbers[i] = NAN;
    oracle_free(c.oracle);
    c.oracle = oracle(&c.random.problem, false, false);
    judge(&c, v);
    assert_int_equal(v[ANSWER_O].judgement, SUSPECT);
    assert_int_equal(v[ANSWER_LSE].judgement, SUSPECT);
    case_end(&c);
}

/* ---- broken kernels: one test each ---------------------------------------------------------- */

static void fault_is_wrong(void **state)
{
    const Fault *fault = *state;
    Case c = case_begin(PLAIN, 40, 8, 17, "float32", 3, false);
    Verdict v[ANSWERS];
    kernel(&c.random.problem, *fault, c.answered[ANSWER_O], c.answered[ANSWER_LSE],
           c.answered[ANSWER_U]);
    judge(&c, v);
    size_t wrong = 0;
    for (Answer a = 0; a < c.answers; a++)
        wrong += v[a].judgement == WRONG;
    if (!wrong)
        for (Answer a = 0; a < c.answers; a++)
            show(&c, a, &v[a]);
    case_end(&c);
    assert_true(wrong > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_kernel_is_right_in_every_family_and_window),
        cmocka_unit_test(seeded_float32_runs_are_never_wrong),
        cmocka_unit_test(seeded_bfloat16_runs_are_never_wrong),
        cmocka_unit_test(seeded_float16_runs_are_never_wrong),
        cmocka_unit_test(seeded_tf32_runs_are_never_wrong),
        cmocka_unit_test(no_right_run_passes_the_bound),
        cmocka_unit_test(an_element_moved_by_20_sigma_is_noticed_everywhere),
        cmocka_unit_test(answers_that_are_none_are_wrong),
        cmocka_unit_test(one_missing_number_is_wrong_wherever_it_is),
        cmocka_unit_test(another_problems_answers_are_wrong),
        cmocka_unit_test(without_any_truth_nothing_is_right),
    };
    static Fault faults[FAULTS];
    static char names[FAULTS][80];
    struct CMUnitTest broken[FAULTS - 1];
    for (Fault f = 1; f < FAULTS; f++) {
        faults[f] = f;
        snprintf(names[f], sizeof names[f], "%s_is_wrong", fault_name(f));
        broken[f - 1] = (struct CMUnitTest){names[f], fault_is_wrong, NULL, NULL, &faults[f]};
    }
    int failed = cmocka_run_group_tests_name("judge", tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("broken kernels", broken, NULL, NULL);
}
