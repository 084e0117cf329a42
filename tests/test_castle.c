/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The library as a stranger meets it: castle.h alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "castle.h"

#include <math.h>
#include <string.h>

enum { L = 5, D = 2 };
static double numbers[6][L * D];

static struct castle_problem problem(void)
{
    for (size_t k = 0; k < 6; k++)
        for (size_t i = 0; i < (size_t)L * D; i++)
            numbers[k][i] = (double)((7 * k + 3 * i) % 11) / 8 - 0.5;
    return (struct castle_problem){.length = L,
                                   .dim = D,
                                   .qu = numbers[0],
                                   .ku = numbers[1],
                                   .vu = numbers[2],
                                   .qc = numbers[3],
                                   .kc = numbers[4],
                                   .vc = numbers[5],
                                   .window = CASTLE_NO_WINDOW};
}

static void the_truth_is_right_and_a_changed_truth_is_not(void **state)
{
    (void)state;
    struct castle_problem p = problem();
    char why[256] = "";
    static const size_t columns[] = {D, 1, D};
    for (enum castle_answer a = CASTLE_O; a <= CASTLE_U; a++) {
        double x[L * D], lo[L * D];
        struct castle_verdict v;
        assert_int_equal(castle_truth(&p, a, x, lo, why, sizeof why), 0);
        assert_int_equal(castle_judge(&p, "float64", a, x, &v, why, sizeof why), 0);
        assert_int_equal(v.judgement, CASTLE_RIGHT);
        assert_int_equal(v.judged, L * columns[a]);
        for (size_t i = 0; i < L * columns[a]; i++) {
            assert_true(fabs(lo[i]) <= fabs(x[i]) * 0x1p-53);
            double kept = x[i];
            x[i] += 0.01;
            assert_int_equal(castle_judge(&p, "float32", a, x, &v, why, sizeof why), 0);
            assert_int_equal(v.judgement, CASTLE_WRONG);
            assert_int_equal(v.worst, i);
            x[i] = kept;
        }
    }
}

/* z from the references is the verdict's z, for every answer and variant. */
static void references_are_what_verdicts_are_made_of(void **state)
{
    (void)state;
    struct castle_problem p = problem();
    static double dout[L * D];
    char why[256] = "";
    for (size_t i = 0; i < (size_t)L * D; i++)
        dout[i] = (double)((5 * i) % 7) / 4 - 0.75;
    p.dout = dout;
    for (int variant = 0; variant <= CASTLE_VARIANT_WITHOUT_SILU; variant++) {
        static double value[CASTLE_ANSWERS][L * D], tail[CASTLE_ANSWERS][L * D],
            sigma[CASTLE_ANSWERS][L * D], bound[CASTLE_ANSWERS][L * D];
        struct castle_reference wanted[CASTLE_ANSWERS];
        p.variant = (enum castle_variant)variant;
        for (size_t a = 0; a < CASTLE_ANSWERS; a++)
            wanted[a] = (struct castle_reference){value[a], tail[a], sigma[a], bound[a]};
        assert_int_equal(castle_references(&p, "float32", wanted, why, sizeof why), 0);
        for (int a = 0; a < CASTLE_ANSWERS; a++) {
            double x[L * D], answered[L * D], z = 0, of_bound = 0, slack = 0;
            struct castle_verdict v;
            size_t n = (size_t)L * (a == CASTLE_LSE ? 1 : D);
            assert_int_equal(castle_truth(&p, (enum castle_answer)a, x, NULL, why, sizeof why), 0);
            assert_memory_equal(x, value[a], n * sizeof *x);
            for (size_t i = 0; i < n; i++) {
                answered[i] = (float)x[i];
                double error = fabs((answered[i] - x[i]) - tail[a][i]);
                if (error > 0) {
                    z = fmax(z, error / sigma[a][i]);
                    of_bound = fmax(of_bound, error / bound[a][i]);
                    slack = fmax(slack, fabs(tail[a][i]) / sigma[a][i]);
                }
            }
            assert_int_equal(
                castle_judge(&p, "float32", (enum castle_answer)a, answered, &v, why, sizeof why),
                0);
            assert_int_equal(v.judgement, CASTLE_RIGHT);
            assert_true(z > 0 || variant == CASTLE_VARIANT_WITHOUT_CAUSAL_KEYS);
            /* castle_judge takes no tail; three roundings more */
            assert_true(fabs(v.z - z) <= slack + z * 0x1p-50);
            assert_true(fabs(v.error_over_bound - of_bound) <= slack + of_bound * 0x1p-50);
        }
    }
}

static void a_variant_is_another_kernel(void **state)
{
    (void)state;
    struct castle_problem p = problem();
    double o[3][L * D];
    for (int variant = 0; variant < 3; variant++) {
        p.variant = (enum castle_variant)variant;
        assert_int_equal(castle_truth(&p, CASTLE_O, o[variant], NULL, NULL, 0), 0);
    }
    assert_memory_not_equal(o[0], o[1], sizeof o[0]);
    assert_memory_not_equal(o[0], o[2], sizeof o[0]);
    assert_memory_not_equal(o[1], o[2], sizeof o[0]);
}

static void arguments_that_cannot_be_used_get_a_sentence(void **state)
{
    (void)state;
    struct castle_problem p = problem(), q;
    double x[L * D] = {0};
    struct castle_verdict v;
    char why[256];
#define REFUSED(call, word) \
    why[0] = 0; \
    assert_int_equal(call, -1); \
    assert_non_null(strstr(why, word))
    q = p, q.kc = NULL;
    REFUSED(castle_truth(&q, CASTLE_O, x, NULL, why, sizeof why), "NULL");
    q = p, q.length = 0;
    REFUSED(castle_truth(&q, CASTLE_O, x, NULL, why, sizeof why), "length");
    q = p, q.scale = NAN;
    REFUSED(castle_truth(&q, CASTLE_O, x, NULL, why, sizeof why), "scale");
    REFUSED(castle_truth(&p, (enum castle_answer)9, x, NULL, why, sizeof why), "no such answer");
    REFUSED(castle_judge(&p, "float33", CASTLE_O, x, &v, why, sizeof why), "float33");
    q = p, q.variant = (enum castle_variant)3;
    REFUSED(castle_truth(&q, CASTLE_O, x, NULL, why, sizeof why), "no such variant");
    struct castle_reference wanted[CASTLE_ANSWERS] = {{0}};
    REFUSED(castle_references(&p, "float32", wanted, why, sizeof why), "all NULL");
    wanted[CASTLE_DQU].sigma = x;
    REFUSED(castle_references(&p, "float32", wanted, why, sizeof why), "dout is NULL");
    wanted[CASTLE_DQU].sigma = NULL, wanted[CASTLE_O].bound = x;
    REFUSED(castle_references(&p, "float33", wanted, why, sizeof why), "float33");
    REFUSED(castle_references(&p, NULL, wanted, why, sizeof why), "NULL");
    REFUSED(castle_judge(&p, NULL, CASTLE_O, x, &v, why, sizeof why), "NULL");
#undef REFUSED
    assert_int_equal(castle_truth(&p, CASTLE_O, NULL, NULL, NULL, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_truth_is_right_and_a_changed_truth_is_not),
        cmocka_unit_test(references_are_what_verdicts_are_made_of),
        cmocka_unit_test(a_variant_is_another_kernel),
        cmocka_unit_test(arguments_that_cannot_be_used_get_a_sentence),
    };
    return cmocka_run_group_tests_name("castle", tests, NULL, NULL);
}
