/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The catalogue of known-wrong kernels: every bug of the golden cases has one, the text they
 * change is
 * right, and each is wrong only where it says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bug.h"
#include "case_support.h"
#include "golden.h"
#include "mutant_kernel.h"
#include "random_problem.h"
#include "verdict.h"
#include "vectors_support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void ids_and_names_are_unique_and_in_order(void **state)
{
    (void)state;
    assert_true(mutant_count() >= 80);
    for (size_t k = 0; k < mutant_count(); k++) {
        const Mutant *m = mutant_at(k);
        char id[24];
        (void)snprintf(id, sizeof id, "M%02zu", k + 1);
        assert_string_equal(m->id, id);
        assert_ptr_equal(mutant_named(m->id), m);
        assert_ptr_equal(mutant_named(m->name), m);
        assert_true(m->touches != 0);
    }
    assert_null(mutant_at(mutant_count()));
    assert_null(mutant_named("M00"));
}

/* Two rows with one change would be one mutant under two names. */
static void no_two_changes_are_the_same(void **state)
{
    (void)state;
    static const Change none = {0};
    for (size_t k = 0; k < mutant_count(); k++) {
        const Change *c = &mutant_at(k)->change;
        assert_memory_not_equal(c, &none, sizeof none);
        for (size_t i = 0; i < k; i++)
            if (memcmp(c, &mutant_at(i)->change, sizeof *c) == 0)
                fail_msg("%s is %s", mutant_at(k)->name, mutant_at(i)->name);
    }
}

static bool has_mutant(const char *bug)
{
    for (size_t k = 0; k < mutant_count(); k++)
        if (mutant_at(k)->bug && strcmp(mutant_at(k)->bug, bug) == 0)
            return true;
    return false;
}

static void every_bug_of_the_cases_has_a_mutant_or_a_reason(void **state)
{
    (void)state;
    for (size_t k = 0; k < built_in.bugs; k++) {
        const char *bug = built_in.bug[k].id;
        if (has_mutant(bug) == (bug_without_mutant(bug) != NULL))
            fail_msg("%s has a mutant and a reason why not, or neither", bug);
    }
    for (size_t k = 0; k < mutant_count(); k++) {
        bool known = mutant_at(k)->bug == NULL;
        for (size_t i = 0; i < built_in.bugs && !known; i++)
            known = strcmp(mutant_at(k)->bug, built_in.bug[i].id) == 0;
        if (!known)
            fail_msg("%s stands for %s, which is no bug", mutant_at(k)->name, mutant_at(k)->bug);
    }
}

/* ---- judged ---------------------------------------------------------------------------------- */

typedef struct Judged {
    Task task;
    Problem problem;
    Oracle *oracle;
    Scales *scales;
    Score *scores[ANSWERS];
} Judged;

static Judged judged_begin(const GoldenCase *c)
{
    Judged j;
    Failure f;
    if (!golden_task(&j.task, c, "vectors/dumps", &f))
        fail_msg("%s", f.text);
    j.problem = task_problem(&j.task, 0);
    j.oracle = oracle(&j.problem, false, false);
    j.scales = error_scales(&j.problem, &j.task.arithmetic, j.oracle, SCALE_SEED);
    for (Answer a = 0; a < ANSWERS; a++)
        j.scores[a] = room_for(__func__, j.oracle->truth[a].rows * j.oracle->truth[a].cols + 1,
                               sizeof(Score));
    return j;
}

static void judged_end(Judged *j)
{
    for (Answer a = 0; a < ANSWERS; a++)
        free(j->scores[a]);
    scales_free(j->scales);
    oracle_free(j->oracle);
    task_free(&j->task);
}

static Verdict verdict_of(Judged *j, const MutantAnswers *m, Answer a)
{
    size_t n = j->oracle->truth[a].rows * j->oracle->truth[a].cols;
    Verdict v = verdict_begin(n);
    for (size_t k = 0; k < n; k++)
        verdict_add(&v, k, j->scores[a][k], m->of[a][k]);
    verdict_end(&v);
    return v;
}

static void score(Judged *j, const MutantAnswers *m)
{
    for (Answer a = 0; a < ANSWERS; a++)
        for (size_t k = 0; m->of[a] && k < j->oracle->truth[a].rows * j->oracle->truth[a].cols; k++)
            j->scores[a][k] = score_element(&j->oracle->truth[a], k, j->scales->sigma[a][k],
                                            j->scales->bound[a][k], m->of[a][k]);
}

static void the_unchanged_kernel_is_right_on(const GoldenCase *c, MutantRounding how)
{
    Judged j = judged_begin(c);
    MutantAnswers m = mutant_kernel(&j.problem, &j.task.arithmetic, NULL, how, 1);
    score(&j, &m);
    for (Answer a = 0; a < ANSWERS; a++) {
        if (!m.of[a])
            continue;
        Verdict v = verdict_of(&j, &m, a);
        if (v.judged && v.judgement != RIGHT) /* a NaN in the first token leaves nothing to judge */
            fail_msg("%s: %s is %s, z %g at %zu: answered %.17g, truth %.17g", c->id,
                     answer_name(a), judgement_name(v.judgement), v.worst_score.z, v.worst,
                     m.of[a][v.worst], j.oracle->truth[a].value[v.worst]);
    }
    mutant_answers_free(&m);
    judged_end(&j);
}

/* The first short case of each family and type; `make mutants` has them all. */
static void the_unchanged_kernel_is_right_in_every_family_and_type(void **state)
{
    (void)state;
    bool seen[CASE_FAMILIES][NUMBER_TYPES] = {{false}};
    size_t checked = 0;
    size_t longest = repetitions(9) < 9 ? 8 : repetitions(9) > 9 ? 64 : 33;
    for (size_t k = 0; k < built_in.count; k++) {
        const GoldenCase *c = &built_in.at[k];
        if (c->tier != TIER_CORE || (c->kinds & KIND_LAYER) || c->length > longest ||
            seen[c->family][c->type])
            continue;
        seen[c->family][c->type] = true;
        the_unchanged_kernel_is_right_on(c, checked % 2 ? ROUND_EACH : ROUND_NOTHING);
        checked++;
    }
    assert_true(checked > 3);
}

/* What a mutant does not touch is right; and most mutants are wrong here. */
static void check_touched(const char *case_id)
{
    Judged j = judged_begin(find_case(case_id));
    size_t caught = 0, run = 0;
    for (size_t k = 0; k < mutant_count(); k += repetitions(7) < 7 ? 9 : 1) {
        const Mutant *mutant = mutant_at(k);
        MutantAnswers m = mutant_kernel(&j.problem, &j.task.arithmetic, mutant, ROUND_EACH, 0);
        score(&j, &m);
        bool wrong = false;
        for (Answer a = 0; a < HEAD_ANSWERS; a++) {
            Verdict v = verdict_of(&j, &m, a);
            bool touched = (mutant->touches >> a & 1) != 0;
            wrong = wrong || v.judgement == WRONG;
            if (!touched && v.judgement != RIGHT)
                fail_msg("%s: %s is not said to touch %s, which is %s, z %g", case_id, mutant->name,
                         answer_name(a), judgement_name(v.judgement), v.worst_score.z);
        }
        mutant_answers_free(&m);
        caught += wrong;
        run++;
    }
    judged_end(&j);
    assert_true(4 * caught > 3 * run);
}

static void mutants_are_wrong_only_in_what_they_touch(void **state)
{
    (void)state;
    check_touched("window-17-f32");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_and_names_are_unique_and_in_order),
        cmocka_unit_test(no_two_changes_are_the_same),
        cmocka_unit_test(every_bug_of_the_cases_has_a_mutant_or_a_reason),
        cmocka_unit_test(the_unchanged_kernel_is_right_in_every_family_and_type),
        cmocka_unit_test(mutants_are_wrong_only_in_what_they_touch),
    };
    return cmocka_run_group_tests(tests, built_in_cases, drop_cases);
}
