/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Layers, and the stages of heads, in arithmetics played by MPFR over many seeds: sigma must explain every
 * error, so no rounding that a layer's kernel makes may be missing in ref/layer.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "judge.h"
#include "random_problem.h"
#include "task_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const Sizes layers[] = {{2, 2, 9, 4, 6}, {1, 3, 8, 4, 6}, {3, 1, 5, 2, 3}, {2, 2, 1, 3, 4}},
                   heads[] = {{1, 1, 9, 4, 0}, {1, 1, 20, 4, 0}, {1, 1, 1, 2, 0}, {1, 1, 5, 1, 0}};

typedef struct Tally {
    size_t count[3];
    double z;
    Answer worst;
} Tally;

static Verdict verdict_on(const Truth *t, const Score *scores, const double *answered)
{
    size_t n = t->rows * t->cols;
    Verdict v = verdict_begin(n);
    for (size_t k = 0; k < n; k++)
        verdict_add(&v, k, scores[k], answered[k]);
    verdict_end(&v);
    return v;
}

/* Judges a played answer to a task of one problem; no error may pass its bound. */
static void judge(const Task *t, const Answered *y, unsigned long seed, Tally *tally)
{
    Problem p = task_problem(t, 0);
    Oracle *o = oracle(&p, false, false);
    Score *scores[ANSWERS];
    for (Answer a = 0; a < ANSWERS; a++)
        scores[a] = calloc(o->truth[a].rows * o->truth[a].cols + 1, sizeof **scores);
    score_problem(&p, &t->arithmetic, o, (const double *const *)y->of, scores);
    for (Answer a = 0; a < ANSWERS; a++) {
        if (y->of[a]) {
            Verdict v = verdict_on(&o->truth[a], scores[a], y->of[a]);
            tally->count[v.judgement]++;
            if (v.worst_score.z > tally->z)
                tally->z = v.worst_score.z, tally->worst = a;
            if (v.judgement != RIGHT)
                print_error("%s, seed %lu, L %zu: %s is %s, z %g, err/bound %g\n",
                            t->arithmetic.name, seed, p.length, answer_name(a),
                            judgement_name(v.judgement), v.worst_score.z, v.most_of_bound);
            assert_true(v.most_of_bound <= 1);
        }
        free(scores[a]);
    }
    oracle_free(o);
}

/* Scores in the tens, of which one decides the row: p is one weight and many specks. */
static void sharpen(Task *t)
{
    for (size_t k = 0; k < t->size.length * t->size.dim; k++) {
        t->input[INPUT_QC][k] *= 4;
        t->input[INPUT_KC][k] *= 4;
    }
}

/* The rate of false alarms is what is promised: as in test_judge.c. */
static void sigma_explains(const Sizes *sizes, const char *arithmetic, size_t runs)
{
    Tally tally = {{0}, 0, 0};
    for (size_t r = 0; r < runs; r++) {
        Task t = random_task(&sizes[r % 4], arithmetic, 100 + r);
        t.window = r % 4 == 3 ? r % 5 : NO_WINDOW;
        t.variant = r % 7 == 6 ? WITHOUT_SILU : r % 7 == 5 ? WITHOUT_CAUSAL_KEYS : CASTLE;
        t.stages = !sizes->width;
        if (t.stages && r % 2)
            sharpen(&t);
        Answered y = played(&t);
        judge(&t, &y, 100 + r, &tally);
        answered_free(&y);
        task_free(&t);
    }
    double mean = CHANCE_SUSPECT * (double)(tally.count[0] + tally.count[1] + tally.count[2]);
    print_message("%s %s: %zu right, %zu suspect, %zu wrong verdicts; largest z %.2f (%s)\n",
                  sizes->width ? "layers" : "heads with stages", arithmetic, tally.count[RIGHT],
                  tally.count[SUSPECT], tally.count[WRONG], tally.z, answer_name(tally.worst));
    assert_int_equal(tally.count[WRONG], 0);
    assert_true((double)tally.count[SUSPECT] <= mean + 6 + 5 * sqrt(mean));
}

static void layers_in_float32(void **state)
{
    (void)state;
    sigma_explains(layers, "float32", repetitions(12));
}

static void layers_in_bfloat16(void **state)
{
    (void)state;
    sigma_explains(layers, "bfloat16", repetitions(28));
}

static void stages_in_float32(void **state)
{
    (void)state;
    sigma_explains(heads, "float32", repetitions(8));
}

static void stages_in_bfloat16(void **state)
{
    (void)state;
    sigma_explains(heads, "bfloat16", repetitions(20));
}

/* Stages that a declaration keeps in fewer bits are judged by those. */
static void stages_in_bits_of_their_own(void **state)
{
    (void)state;
    sigma_explains(heads, "tf32,su=bfloat16,sc=float16,dp=bfloat16", repetitions(8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_in_float32),           cmocka_unit_test(layers_in_bfloat16),
        cmocka_unit_test(stages_in_float32),           cmocka_unit_test(stages_in_bfloat16),
        cmocka_unit_test(stages_in_bits_of_their_own),
    };
    return cmocka_run_group_tests_name("judge layers", tests, NULL, NULL);
}
