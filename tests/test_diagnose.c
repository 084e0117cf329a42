/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mistakes named from answers alone: planted ones are, a right kernel and unknown errors are not.
 * */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"
#include "case_support.h"
#include "golden.h"
#include "diagnose.h"
#include "judge.h"
#include "mutant_kernel.h"

#include <stdlib.h>

typedef struct Scene {
    Task task;
    Problem problem;
    Oracle *oracle;
    Lineup *lineup;
    Score *scores[ANSWERS];
} Scene;

static Scene scene_begin(const char *id)
{
    Scene s;
    Failure f;
    if (!golden_task(&s.task, find_case(id), "vectors/dumps", &f))
        fail_msg("%s", f.text);
    s.problem = task_problem(&s.task, 0);
    s.oracle = oracle(&s.problem, false, false);
    for (Answer a = 0; a < ANSWERS; a++)
        s.scores[a] = room_for(__func__, s.oracle->truth[a].rows * s.oracle->truth[a].cols + 1,
                               sizeof(Score));
    return s;
}

static void scene_end(Scene *s)
{
    for (Answer a = 0; a < ANSWERS; a++)
        free(s->scores[a]);
    lineup_free(s->lineup);
    oracle_free(s->oracle);
    task_free(&s->task);
}

static Diagnosis diagnosed(Scene *s, const MutantAnswers *m)
{
    score_problem(&s->problem, &s->task.arithmetic, s->oracle, (const double *const *)m->of,
                  s->scores);
    return diagnose(s->lineup, (const double *const *)m->of, (const Score *const *)s->scores);
}

static MutantAnswers planted(const Scene *s, const char *name)
{
    const Mutant *m = name ? mutant_named(name) : NULL;
    assert_true(!name || m);
    return mutant_kernel(&s->problem, &s->task.arithmetic, m, ROUND_EACH, 0);
}

static void assert_named(Scene *s, const char *name)
{
    MutantAnswers m = planted(s, name);
    Diagnosis d = diagnosed(s, &m);
    mutant_answers_free(&m);
    if (!d.count)
        fail_msg("%s is not named", name);
    assert_string_equal(d.mutant[0]->name, name);
    assert_true(d.z[0] < 8);
}

static void planted_mistakes_are_named(void **state)
{
    (void)state;
    static const char *const cases[] = {"window-17-f32", "window-17-bf16"};
    static const char *const names[] = {
        "gate-includes-diagonal",   "window-one-too-wide", "silu-omitted",
        "silu-omitted-forward",     "delta-per-key-block", "dku-unscaled",
        "lookahead-score-unscaled", "u-lacks-last-block"};
    for (size_t c = 0; c < 2; c++) {
        Scene s = scene_begin(cases[c]);
        s.lineup = lineup(&s.problem, &s.task.arithmetic);
        for (size_t k = c; k < sizeof names / sizeof *names; k += in_short() ? 8 : 4)
            assert_named(&s, names[k]);
        scene_end(&s);
    }
}

/* A mutant that changes nothing here (there is no window) is the right kernel, and agrees with it.
 * One
 * with an effect does not. */
static void a_right_kernel_agrees_with_no_mistake_that_shows(void **state)
{
    (void)state;
    Scene s = scene_begin("plain-scale-odd-f32");
    s.lineup = lineup(&s.problem, &s.task.arithmetic);
    MutantAnswers m = planted(&s, NULL);
    Diagnosis d = diagnosed(&s, &m);
    mutant_answers_free(&m);
    for (size_t k = 0; k < d.count; k++) {
        MutantAnswers exact = mutant_kernel(&s.problem, &s.task.arithmetic, d.mutant[k],
                                            ROUND_NOTHING, 0);
        score_problem(&s.problem, &s.task.arithmetic, s.oracle, (const double *const *)exact.of,
                      s.scores);
        for (Answer a = 0; a < HEAD_ANSWERS; a++)
            for (size_t i = 0; i < s.oracle->truth[a].rows * s.oracle->truth[a].cols; i++)
                assert_true(s.scores[a][i].z < 8);
        mutant_answers_free(&exact);
    }
    scene_end(&s);
}

static void an_unknown_error_is_given_no_name(void **state)
{
    (void)state;
    Scene s = scene_begin("plain-scale-odd-f32");
    s.lineup = lineup(&s.problem, &s.task.arithmetic);
    MutantAnswers m = planted(&s, NULL);
    for (size_t k = 0; k < s.problem.length * s.problem.dim; k++)
        m.of[ANSWER_O][k] *= 1.01;
    assert_int_equal(diagnosed(&s, &m).count, 0);
    mutant_answers_free(&m);

    m = planted(&s, "delta-omitted"); /* a known mistake and an unknown one */
    m.of[ANSWER_O][5] += 0.01;
    assert_int_equal(diagnosed(&s, &m).count, 0);
    mutant_answers_free(&m);
    scene_end(&s);
}

/* ---- castle check ---------------------------------------------------------------------------- */

static void castle_names_the_mistakes_of_the_kernels_from_outside(void **state)
{
    (void)state;
    static const char *const files[][2] = {
        {DUMPS "wrong-gate-includes-diagonal.safetensors", "gate-includes-diagonal"},
        {DUMPS "wrong-silu-omitted.safetensors", "silu-omitted"},
        {DUMPS "wrong-window-one-too-wide-bf16.safetensors", "window-one-too-wide"},
        {DUMPS "wrong-delta-per-key-block.safetensors", "delta-per-key-block"}};
    for (size_t k = 0; k < (in_short() ? 0 : 4); k++) {
        run("check", "--json", files[k][0]);
        assert_status(WRONG_STATUS);
        json_t *doc = document();
        const json_t *named = json_object_get(json_array_get(json_object_get(doc, "dumps"), 0),
                                              "diagnosis");
        assert_int_equal(json_array_size(named), 1);
        assert_string_equal(json_string_value(json_object_get(json_array_get(named, 0), "name")),
                            files[k][1]);
        json_decref(doc);
    }
    judges("wrong", files[0][0]);
    assert_out("  agrees with M01 (gate-includes-diagonal):\n");
    assert_fits_page();
}

static void castle_names_nothing_where_it_has_no_name(void **state)
{
    Case *c = solved(1, 12, 4, NULL, 3);
    (void)state;
    judges("right", saved(c, "right"));
    assert_not_out("agrees");
    for (size_t k = 0; k < numbers_in(c); k++)
        c->answer[ANSWER_O][k] *= 1.5;
    judges("wrong", saved(c, "wrong"));
    assert_out("  no known mistake agrees with these answers\n");
    run("check", "--json", scratch_path("wrong"));
    json_t *doc = document();
    const json_t *dump = json_array_get(json_object_get(doc, "dumps"), 0);
    assert_int_equal(json_array_size(json_object_get(dump, "diagnosis")), 0);
    assert_true(json_is_array(json_object_get(dump, "diagnosis")));
    json_decref(doc);
    free(c);
}

static int setup(void **state) { return built_in_cases(state) || command_setup(state); }

static int teardown(void **state) { return drop_cases(state) || command_teardown(state); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(planted_mistakes_are_named),
        TEST(a_right_kernel_agrees_with_no_mistake_that_shows),
        TEST(an_unknown_error_is_given_no_name),
        TEST(castle_names_the_mistakes_of_the_kernels_from_outside),
        TEST(castle_names_nothing_where_it_has_no_name),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
