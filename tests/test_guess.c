/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Arithmetics guessed from the errors that they make: played ones are found, wrong answers are not excused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bug.h"
#include "guess.h"
#include "task_support.h"
#include "vectors_support.h"

#include <math.h>

typedef struct Scene {
    Task task;
    Answered answered;
    Evidence evidence[4];
    size_t problems;
    Sites sites;
} Scene;

/* The inputs are exact in `inputs`, the answers those of `arithmetic`, kept in full. */
static void scene_begin(Scene *s, const Sizes *size, const char *inputs, const char *arithmetic,
                        unsigned long seed)
{
    char why[300];
    *s = (Scene){.task = random_task(size, inputs, seed)};
    bool present[ANSWERS];
    assert_true(arithmetic_parse(&s->task.arithmetic, arithmetic, why, sizeof why));
    s->answered = played(&s->task);
    s->problems = task_problems(&s->task);
    assert_true(s->problems <= 4);
    for (size_t k = 0; k < s->problems; k++) {
        Evidence *e = &s->evidence[k];
        *e = (Evidence){.what = "scene", .problem = task_problem(&s->task, k), .sets = 1};
        e->oracle = oracle(&e->problem, false, false);
        for (Answer a = 0; a < ANSWERS; a++) {
            size_t part = task_asks(&s->task, a) ? task_part(&s->task, a) : 0;
            present[a] = part > 0;
            e->answered[0][a] = part ? s->answered.of[a] + k * part : NULL;
            e->elements[a] = s->problems * part;
        }
    }
    s->sites = sites_for(present, size->width > 0);
}

static void scene_end(Scene *s)
{
    for (size_t k = 0; k < s->problems; k++)
        oracle_free((Oracle *)s->evidence[k].oracle);
    answered_free(&s->answered);
    task_free(&s->task);
}

static Guess guessed(Scene *s, NumberType type)
{
    return guess_arithmetic(s->evidence, s->problems, type, &s->sites, "scene");
}

typedef struct Play {
    const char *arithmetic, *words; /* what it is to be called */
} Play;

/* Named rightly, or beside what these inputs do not tell apart from it. */
static void assert_named(const Guess *g, const Play *p)
{
    bool named = g->found && strncmp(g->words, p->words, strlen(p->words)) == 0;
    for (size_t k = 0; k < g->others; k++)
        named = named || strncmp(g->other[k], p->words, strlen(p->words)) == 0;
    if (!named) {
        char text[400];
        guess_describe(g, text, sizeof text);
        fail_msg("%s is called \"%s\"; expected \"%s\"", p->arithmetic, text, p->words);
    }
}

static void single_roundings_are_named(void **state)
{
    static const Play plays[] = {
        {"float32", "explained by float32"},
        {"float32,p=bfloat16", "P rounded to bfloat16"},
        {"float32,g=bfloat16", "G rounded to bfloat16"},
        {"float32,t1=bfloat16", "T1 rounded to bfloat16"},
        {"float32,su=bfloat16", "SU kept in bfloat16"},
        {"float32,sc=bfloat16", "SC kept in bfloat16"},
        {"float32,lse=bfloat16", "lse kept in bfloat16"},
        {"float32,ds=bfloat16", "dS rounded to bfloat16"},
        {"float32,dsu=bfloat16", "dSU rounded to bfloat16"},
        {"float32,dt1=bfloat16", "dT1 rounded to bfloat16"},
        {"float32,dz=bfloat16", "dZ rounded to bfloat16"},
        {"float32,o=bfloat16", "O kept in bfloat16"},
        {"float32,p=tf32", "P rounded to 11 bits, as tf32 and float16 have"},
        {"float32,p=float16", "P rounded to 11 bits, as tf32 and float16 have"},
        {"tf32", "looks like TF32 products"},
    };
    const Sizes size = {1, 1, 16, 4, 0};
    (void)state;
    for (size_t k = 0; k < sizeof plays / sizeof *plays; k++) {
        Scene s;
        scene_begin(&s, &size, "float32", plays[k].arithmetic, 7 + k);
        Guess g = guessed(&s, TYPE_F32);
        assert_named(&g, &plays[k]);
        assert_int_equal(g.coarser, k > 0); /* float32 alone is what float32 answers suggest */
        scene_end(&s);
    }
}

/* A kernel whose answers are 16 bits wide: its preset, or less, is what they suggest; more is not. */
static void what_the_type_suggests_is_not_coarser(void **state)
{
    static const struct {
        const char *arithmetic;
        NumberType type;
        bool coarser;
    } plays[] = {{"bfloat16", TYPE_BF16, false},
                 {"float16", TYPE_F16, false},
                 {"bfloat16,accumulate=bfloat16", TYPE_BF16, true},
                 {"float64", TYPE_F64, false},
                 {"float32", TYPE_F64, true}};
    const Sizes size = {1, 1, 16, 4, 0};
    (void)state;
    for (size_t k = 0; k < sizeof plays / sizeof *plays; k++) {
        Scene s;
        scene_begin(&s, &size, plays[k].arithmetic, plays[k].arithmetic, 3);
        for (Answer a = 0; a < ANSWERS; a++)
            if (s.answered.of[a])
                s.sites.stored[answer_stage(a)] = s.task.arithmetic.site[answer_stage(a)];
        Guess g = guessed(&s, plays[k].type);
        assert_true(g.found);
        if (g.coarser != plays[k].coarser)
            fail_msg("%s: %s, coarser %d; expected %d", plays[k].arithmetic, g.words, g.coarser,
                     plays[k].coarser);
        scene_end(&s);
    }
}

/* Every error is as large as P in 11 bits could make it: bfloat16 explains them easily, and 11 bits still are
 * enough. */
static void of_two_that_explain_the_more_accurate_is_named(void **state)
{
    const Sizes size = {1, 1, 24, 4, 0};
    Arithmetic tf32;
    char why[300];
    (void)state;
    Scene s;
    scene_begin(&s, &size, "float32", "float32,p=tf32", 12);
    Evidence *e = &s.evidence[0];
    assert_true(arithmetic_parse(&tf32, "float32,p=tf32", why, sizeof why));
    Scales *scales = error_scales(&e->problem, &tf32, e->oracle, SCALE_SEED);
    double threshold = thresholds_for(e->elements[ANSWER_O]).suspect;
    for (size_t k = 0; k < e->elements[ANSWER_O]; k++)
        s.answered.of[ANSWER_O][k] = e->oracle->truth[ANSWER_O].value[k] +
                                     0.9 * fmin(threshold * scales->sigma[ANSWER_O][k],
                                                scales->bound[ANSWER_O][k]);
    scales_free(scales);
    for (Answer a = 0; a < ANSWERS; a++) /* o alone is evidence */
        if (a != ANSWER_O)
            e->answered[0][a] = NULL;
    Guess g = guessed(&s, TYPE_F32);
    assert_true(g.found);
    assert_null(strstr(g.words, "bfloat16"));
    assert_true(g.others > 0);
    for (size_t k = 0; k < g.others; k++)
        if (strstr(g.other[k], "bfloat16"))
            fail_msg("%s, where 11 bits are enough", g.other[k]);
    scene_end(&s);
}

static void a_wrong_answer_is_not_excused(void **state)
{
    const Sizes size = {1, 2, 12, 4, 0};
    char text[400];
    (void)state;
    Scene s;
    scene_begin(&s, &size, "float32", "float32", 5);
    s.answered.of[ANSWER_DKC][50] += 4;
    Guess g = guessed(&s, TYPE_F32);
    assert_true(g.made);
    assert_false(g.found);
    assert_string_equal(g.arithmetic.name, "float32");
    if (*g.closest.words) {
        assert_int_equal(g.closest.answer, ANSWER_DKC);
        assert_true(g.closest.z >= g.closest.threshold);
    }
    s.answered.of[ANSWER_DKC][50] = NAN;
    g = guessed(&s, TYPE_F32);
    assert_false(g.found);
    guess_describe(&g, text, sizeof text);
    assert_string_equal(text, "no arithmetic explains the errors: they pass the bound of each");
    scene_end(&s);
}

/* An error of twice the threshold under bfloat16 products: all is tried, and what comes closest is named. */
static void what_comes_closest_is_named(void **state)
{
    const Sizes size = {1, 1, 12, 4, 0};
    char text[400];
    (void)state;
    Scene s;
    scene_begin(&s, &size, "float32", "float32", 6);
    Arithmetic coarse;
    char why[300];
    assert_true(arithmetic_parse(&coarse, "float16,accumulate=float16", why, sizeof why));
    Scales *scales = error_sigmas(&s.evidence[0].problem, &coarse, s.evidence[0].oracle,
                                  SCALE_SEED);
    s.answered.of[ANSWER_U][3] += 20 * scales->sigma[ANSWER_U][3];
    scales_free(scales);
    Guess g = guessed(&s, TYPE_F32);
    guess_describe(&g, text, sizeof text);
    if (g.found) /* sums in bfloat16 are 8 times as coarse */
        assert_string_equal(g.words, "sums kept in bfloat16");
    else
        assert_contains(text, "no arithmetic explains the errors");
    scene_end(&s);
}

static void nothing_finite_is_no_evidence(void **state)
{
    const Sizes size = {1, 1, 3, 2, 0};
    (void)state;
    Scene s;
    scene_begin(&s, &size, "float32", "float32", 5);
    s.task.input[INPUT_KC][1] = NAN;
    Guess g = guessed(&s, TYPE_F32);
    assert_true(g.no_evidence);
    assert_false(g.found);
    assert_string_equal(g.arithmetic.name, "float32");
    scene_end(&s);
}

static void layers_are_guessed_too(void **state)
{
    const Sizes size = {1, 2, 9, 4, 6};
    (void)state;
    Scene s;
    scene_begin(&s, &size, "float32", "tf32", 8);
    Guess g = guessed(&s, TYPE_F32);
    assert_true(g.found);
    assert_true(g.coarser);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_roundings_are_named),
        cmocka_unit_test(what_the_type_suggests_is_not_coarser),
        cmocka_unit_test(of_two_that_explain_the_more_accurate_is_named),
        cmocka_unit_test(a_wrong_answer_is_not_excused),
        cmocka_unit_test(what_comes_closest_is_named),
        cmocka_unit_test(nothing_finite_is_no_evidence),
        cmocka_unit_test(layers_are_guessed_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
