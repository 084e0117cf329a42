/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * kill_matrix_main.c - every known-wrong kernel on every short golden case of a head, and right kernels on
 * all of them: prints docs/kill-matrix.md. Exit status 1 where the suite does not do what the page promises.
 *
 * A mutant answers the first head of each case in the case's arithmetic, every rounding played, and is judged
 * as `castle check` judges. One that no case of a type catches is asked to pass a NaN on (the check
 * `swallowed` of plug-ins), and is run again without roundings of its own, to see how large its effect is at
 * most.
 */
#include "kill_matrix.h"

#include "bug.h"
#include "diagnose.h"
#include "golden.h"
#include "nan_reach.h"
#include "progress.h"
#include "scales.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A case with its truth. */
typedef struct Subject {
    const GoldenCase *of;
    Task task;
    Problem problem; /* its first head */
    Oracle *oracle;
    Scales *scales;
    size_t elements[ANSWERS];
} Subject;

/* ---- judging --------------------------------------------------------------------------------- */

static void subject_begin(Subject *s, const GoldenCase *c, size_t head)
{
    Failure f;
    *s = (Subject){.of = c};
    if (!golden_task(&s->task, c, "vectors/dumps", &f)) {
        (void)fprintf(stderr, "kill_matrix: %s\n", f.text);
        exit(2);
    }
    s->problem = task_problem(&s->task, head);
    s->oracle = oracle(&s->problem, false, false);
    s->scales = error_scales(&s->problem, &s->task.arithmetic, s->oracle, SCALE_SEED);
    for (Answer a = 0; a < ANSWERS; a++)
        if (problem_has(&s->problem, a))
            s->elements[a] = s->oracle->truth[a].rows * s->oracle->truth[a].cols;
}

static void subject_end(Subject *s)
{
    scales_free(s->scales);
    oracle_free(s->oracle);
    task_free(&s->task);
    *s = (Subject){0};
}

static Score score_of(const Subject *s, const MutantAnswers *m, Answer a, size_t k)
{
    return score_element(&s->oracle->truth[a], k, s->scales->sigma[a][k], s->scales->bound[a][k],
                         m->of[a][k]);
}

typedef struct Outcome {
    Judgement judgement;
    double z;
    Answer answer; /* that has it */
} Outcome;

static Outcome judged(const Subject *s, const MutantAnswers *m)
{
    Outcome worst = {RIGHT, 0, ANSWER_O};
    for (Answer a = 0; a < ANSWERS; a++) {
        if (!m->of[a])
            continue;
        Verdict v = verdict_begin(s->elements[a]);
        for (size_t k = 0; k < s->elements[a]; k++)
            verdict_add(&v, k, score_of(s, m, a, k), m->of[a][k]);
        verdict_end(&v);
        /* suspect for want of anything to judge, beside a NaN, says nothing of the kernel */
        bool said = v.judgement == WRONG || v.worst_score.z >= v.thresholds.suspect;
        if (said && v.judgement > worst.judgement)
            worst.judgement = v.judgement;
        if (v.worst_score.z > worst.z) {
            worst.z = v.worst_score.z;
            worst.answer = a;
        }
    }
    return worst;
}

/* Answers to the subject with NaN in all inputs of one token: whether a row is sound that should not be. */
static bool swallows(const Subject *s, MutantAnswers answers(size_t, const Subject *), size_t which)
{
    Subject nan = *s;
    size_t token = nan_token(s->problem.length), n = s->problem.length * s->problem.dim;
    double *copies[INPUTS];
    bool swallowed = false;
    for (Input k = 0; k < INPUTS; k++) {
        copies[k] = room_for(__func__, n, sizeof(double));
        memcpy(copies[k], s->problem.input[k], n * sizeof(double));
        for (size_t i = 0; i < s->problem.dim; i++)
            copies[k][token * s->problem.dim + i] = NAN;
        nan.problem.input[k] = copies[k];
    }
    nan.problem.cotangent = NULL;
    nan.problem.stages = false;
    MutantAnswers m = answers(which, &nan);
    for (Answer a = ANSWER_O; a <= ANSWER_LSE; a++) {
        size_t columns = answer_columns(a, s->problem.dim);
        for (size_t k = 0; k < s->problem.length * columns; k++)
            if (nan_must_reach(s->problem.variant, a, k / columns, token) && isfinite(m.of[a][k]))
                swallowed = true;
    }
    mutant_answers_free(&m);
    for (Input k = 0; k < INPUTS; k++)
        free(copies[k]);
    return swallowed;
}

/* ---- mutants --------------------------------------------------------------------------------- */

static MutantAnswers mutant_answers(size_t k, const Subject *s)
{
    return mutant_kernel(&s->problem, &s->task.arithmetic, mutant_at(k), ROUND_EACH, 0);
}

/* Whether the first mistake named is mutant k, or one that nothing tells from it. */
static bool named_rightly(Lineup *l, const Subject *s, const MutantAnswers *m, size_t k)
{
    Score *scores[ANSWERS] = {NULL};
    for (Answer a = 0; a < ANSWERS; a++)
        if (m->of[a]) {
            scores[a] = room_for(__func__, s->elements[a], sizeof(Score));
            for (size_t i = 0; i < s->elements[a]; i++)
                scores[a][i] = score_of(s, m, a, i);
        }
    Diagnosis d = diagnose(l, (const double *const *)m->of, (const Score *const *)scores);
    size_t first = 0;
    while (d.count && mutant_at(first) != d.mutant[0])
        first++;
    bool rightly = d.count &&
                   (first == k || mutants_alike(l, first, k, (const Score *const *)scores));
    for (Answer a = 0; a < ANSWERS; a++)
        free(scores[a]);
    return rightly;
}

static void name_mistakes(KillMatrix *matrix, const Subject *s, const MutantAnswers *answers,
                          const Outcome *outcomes)
{
    Lineup *l = lineup(&s->problem, &s->task.arithmetic);
    for (size_t k = 0; k < mutant_count(); k++) {
        if (outcomes[k].judgement != WRONG)
            continue;
        Tally *t = tally_at(matrix, k, s->of->type);
        bool named = named_rightly(l, s, &answers[k], k);
        t->named_of++;
        t->named += named;
        if (!named && getenv("CASTLE_TEST_LONG"))
            (void)fprintf(stderr, "%s: %s is not named\n", s->of->id, mutant_at(k)->name);
    }
    lineup_free(l);
}

static void try_mutants(KillMatrix *matrix, const Subject *s)
{
    size_t count = mutant_count();
    MutantAnswers *answers = room_for(__func__, count, sizeof *answers);
    Outcome *outcomes = room_for(__func__, count, sizeof *outcomes);
#pragma omp parallel for schedule(dynamic, 1)
    for (size_t k = 0; k < count; k++) {
        answers[k] = mutant_answers(k, s);
        outcomes[k] = judged(s, &answers[k]);
    }
    for (size_t k = 0; k < count; k++) {
        Tally *t = tally_at(matrix, k, s->of->type);
        t->z = fmax(t->z, outcomes[k].z);
        if (outcomes[k].judgement == WRONG && !t->caught++)
            t->first = s->of->id;
    }
    if (is_naming_case(s->of))
        name_mistakes(matrix, s, answers, outcomes);
    for (size_t k = 0; k < count; k++)
        mutant_answers_free(&answers[k]);
    free(answers);
    free(outcomes);
    matrix->cases[s->of->type]++;
}

/* What else there is to say of a mutant that no value catches. */
static void try_escaped(KillMatrix *matrix, const Subject *s)
{
    for (size_t k = 0; k < mutant_count(); k++) {
        Tally *t = tally_at(matrix, k, s->of->type);
        if (t->caught || t->by_check)
            continue;
        if (swallows(s, mutant_answers, k)) {
            t->by_check = true;
            t->first = s->of->id;
            continue;
        }
        MutantAnswers m = mutant_kernel(&s->problem, &s->task.arithmetic, mutant_at(k),
                                        ROUND_NOTHING, 0);
        Outcome o = judged(s, &m);
        mutant_answers_free(&m);
        if (o.z > t->effect || !t->effect_case) {
            t->effect = o.z;
            t->effect_case = s->of->id;
            t->effect_answer = o.answer;
        }
    }
}

/* ---- right kernels --------------------------------------------------------------------------- */

static MutantAnswers right_answers(size_t k, const Subject *s)
{
    return right_kernel(k, &s->problem, &s->task.arithmetic);
}

static void try_right_kernels(KillMatrix *matrix, const Subject *s)
{
#pragma omp parallel for schedule(dynamic, 1)
    for (size_t k = 0; k < RIGHT_KERNELS; k++) {
        RightTally *t = &matrix->right[k];
        if (right_kernel_is_dense(k) && s->problem.length > MOST_TOKENS)
            continue;
        MutantAnswers m = right_answers(k, s);
        Outcome o = judged(s, &m);
        mutant_answers_free(&m);
        t->cases++;
        t->suspect += o.judgement == SUSPECT;
        t->wrong += o.judgement == WRONG;
        t->swallowed += swallows(s, right_answers, k);
        t->z = fmax(t->z, o.z);
        if (o.judgement != RIGHT && !t->first)
            t->first = s->of->id;
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool is_head(const GoldenCase *c)
{
    return c->tier == TIER_CORE && !(c->kinds & KIND_LAYER);
}

static bool is_for_mutants(const GoldenCase *c) { return is_head(c) && c->length <= MOST_TOKENS; }

static void measure(KillMatrix *matrix, const Cases *all)
{
    Subject *subjects = room_for(__func__, all->count, sizeof *subjects);
    Progress *progress = progress_begin("mutants", "case", all->count);
    for (size_t k = 0; k < all->count; k++) {
        const GoldenCase *c = &all->at[k];
        if (is_head(c)) {
            subject_begin(&subjects[k], c, 0);
            try_right_kernels(matrix, &subjects[k]);
        }
        if (is_for_mutants(c))
            try_mutants(matrix, &subjects[k]);
        progress_step(progress);
    }
    progress_end(progress);
    for (size_t k = 0; k < all->count; k++) {
        if (is_for_mutants(&all->at[k]))
            try_escaped(matrix, &subjects[k]);
        if (subjects[k].of)
            subject_end(&subjects[k]);
    }
    free(subjects);
}

int main(void)
{
    Cases all;
    Failure f;
    if (!cases_read(&all, NULL, &f)) {
        (void)fprintf(stderr, "kill_matrix: %s\n", f.text);
        return 2;
    }
    KillMatrix matrix = {.tally = room_for(__func__, mutant_count() * NUMBER_TYPES, sizeof(Tally))};
    measure(&matrix, &all);
    bool good = kill_matrix_page(&matrix);
    free(matrix.tally);
    cases_free(&all);
    return good ? 0 : 1;
}
