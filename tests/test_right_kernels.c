/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernels that no case may call wrong: they are right, and no two of them do the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "random_problem.h"
#include "right_kernels.h"
#include "verdict.h"

#include <string.h>

static Arithmetic arithmetic_of(const char *name)
{
    Arithmetic a;
    char why[100];
    assert_true(arithmetic_parse(&a, name, why, sizeof why));
    return a;
}

static const char *const names[] = {"float64", "float32", "bfloat16", "float16"};
static const Format *const formats[] = {&BINARY64, &BINARY32, &BFLOAT16, &BINARY16};

static void assert_right(size_t kernel, const RandomProblem *r, const Arithmetic *a,
                         const Oracle *o, const Scales *s)
{
    MutantAnswers m = right_kernel(kernel, &r->problem, a);
    for (Answer k = 0; k < HEAD_ANSWERS; k++) {
        size_t n = o->truth[k].rows * o->truth[k].cols;
        Verdict v = verdict_begin(n);
        for (size_t i = 0; i < n; i++)
            verdict_add(&v, i,
                        score_element(&o->truth[k], i, s->sigma[k][i], s->bound[k][i], m.of[k][i]),
                        m.of[k][i]);
        verdict_end(&v);
        if (v.judgement != RIGHT)
            fail_msg("%s, %s: %s is %s, z %g at %zu", right_kernel_name(kernel), a->name,
                     answer_name(k), judgement_name(v.judgement), v.worst_score.z, v.worst);
    }
    mutant_answers_free(&m);
}

/* `make mutants` plays them in all cases. */
static void all_are_right_in_every_type(void **state)
{
    (void)state;
    for (size_t type = 0; type < 4; type++) {
        RandomProblem r = random_problem(PLAIN, 19, 3, type == 1 ? 5 : NO_WINDOW, formats[type],
                                         type + 1);
        with_cotangent(&r);
        Oracle *o = oracle(&r.problem, false, false);
        Arithmetic a = arithmetic_of(names[type]);
        Scales *s = error_scales(&r.problem, &a, o, SCALE_SEED);
        for (size_t k = 0; k < RIGHT_KERNELS; k++)
            assert_right(k, &r, &a, o, s);
        scales_free(s);
        oracle_free(o);
        random_problem_free(&r);
    }
}

/* But for the first two, which are one order of one text's operations up to how exp is rounded. */
static void no_two_do_the_same(void **state)
{
    (void)state;
    RandomProblem r = random_problem(PLAIN, 19, 3, NO_WINDOW, &BINARY32, 9);
    with_cotangent(&r);
    Arithmetic a = arithmetic_of("float32");
    MutantAnswers m[RIGHT_KERNELS];
    for (size_t k = 0; k < RIGHT_KERNELS; k++)
        m[k] = right_kernel(k, &r.problem, &a);
    for (size_t k = 1; k < RIGHT_KERNELS; k++)
        for (size_t i = 1; i < k; i++) {
            bool same = true;
            for (Answer x = ANSWER_O; x < HEAD_ANSWERS; x++)
                same = same && memcmp(m[k].of[x], m[i].of[x],
                                      19 * answer_columns(x, 3) * sizeof(double)) == 0;
            if (same)
                fail_msg("%s (%zu) and %s (%zu)", right_kernel_name(k), k, right_kernel_name(i), i);
        }
    for (size_t k = 0; k < RIGHT_KERNELS; k++)
        mutant_answers_free(&m[k]);
    random_problem_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_right_in_every_type),
        cmocka_unit_test(no_two_do_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
