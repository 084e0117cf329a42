/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "random_problem.h"
#include "systems.h"
#include "solve.h"

#include <math.h>
#include <string.h>

/* An answer's name is that of the site that stores it (all weights have one), and a gradient's is d
 * and its input's. */
static void names_of_files_are_names_of_stages(void **state)
{
    (void)state;
    for (Answer a = 0; a < ANSWERS; a++)
        assert_int_equal(
            strncmp(answer_name(a), stage_name(answer_stage(a)), a < ANSWER_DWQU ? 20 : 2), 0);
    for (Input k = 0; k < INPUTS; k++) {
        assert_int_equal(answer_name((Answer)(ANSWER_DQU + k))[0], 'd');
        assert_string_equal(answer_name((Answer)(ANSWER_DQU + k)) + 1, input_name(k));
    }
    for (LayerInput k = 0; k < LAYER_INPUTS; k++) {
        assert_int_equal(answer_name((Answer)(ANSWER_DX + k))[0], 'd');
        assert_string_equal(answer_name((Answer)(ANSWER_DX + k)) + 1, layer_input_name(k));
    }
}

static void a_solution_has_the_shapes_that_files_have(void **state)
{
    (void)state;
    RandomProblem r = random_problem(PLAIN, 5, 3, NO_WINDOW, &BINARY32, 1);
    System *in = f64_system();
    for (Answer a = 0; a < ANSWERS; a++)
        assert_int_equal(problem_has(&r.problem, a), a < FORWARD_ANSWERS);
    with_cotangent(&r);
    for (Answer a = 0; a < ANSWERS; a++)
        assert_int_equal(problem_has(&r.problem, a), a < HEAD_ANSWERS);
    Solution s = solve(&r.problem, in);
    for (Answer a = 0; a < HEAD_ANSWERS; a++) {
        assert_int_equal(s.of[a].rows, 5);
        assert_int_equal(s.of[a].cols, answer_columns(a, 3));
    }
    system_free(in);
    random_problem_free(&r);
}

static void every_input_and_the_cotangent_are_looked_at(void **state)
{
    (void)state;
    RandomProblem r = random_problem(PLAIN, 2, 2, NO_WINDOW, &BINARY32, 1);
    with_cotangent(&r);
    assert_true(problem_is_finite(&r.problem));
    for (size_t i = 0; i < 4 * (INPUTS + 1); i++) {
        double kept = r.numbers[i];
        r.numbers[i] = i % 2 ? NAN : -INFINITY;
        assert_false(problem_is_finite(&r.problem));
        r.numbers[i] = kept;
    }
    random_problem_free(&r);
}

/* 0 stands for 1/sqrt(d), to the system's own precision; any other number is taken as it is. */
static void scale_is_the_root_or_the_number_given(void **state)
{
    (void)state;
    RandomProblem r = random_problem(PLAIN, 1, 3, NO_WINDOW, &BINARY32, 1);
    System *in = mpfr_system(300);
    mpfr_ptr root = problem_head(&r.problem, in).scale.entries;
    mpfr_t expected;
    mpfr_init2(expected, 300);
    mpfr_set_ui(expected, 3, MPFR_RNDN);
    mpfr_rec_sqrt(expected, expected, MPFR_RNDN);
    assert_true(mpfr_equal_p(root, expected));
    r.problem.scale = -0.1;
    assert_true(mpfr_cmp_d(problem_head(&r.problem, in).scale.entries, -0.1) == 0);
    mpfr_clear(expected);
    system_free(in);
    random_problem_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_files_are_names_of_stages),
        cmocka_unit_test(a_solution_has_the_shapes_that_files_have),
        cmocka_unit_test(every_input_and_the_cotangent_are_looked_at),
        cmocka_unit_test(scale_is_the_root_or_the_number_given),
    };
    return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
