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
    REFUSED(castle_judge(&p, NULL, CASTLE_O, x, &v, why, sizeof why), "NULL");
#undef REFUSED
    assert_int_equal(castle_truth(&p, CASTLE_O, NULL, NULL, NULL, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_truth_is_right_and_a_changed_truth_is_not),
        cmocka_unit_test(arguments_that_cannot_be_used_get_a_sentence),
    };
    return cmocka_run_group_tests_name("castle", tests, NULL, NULL);
}
