/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory of a number system: what a scope frees, keeps and gives to threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "counting.h"
#include "systems_support.h"

#include <omp.h>

static const double three[] = {1, 2, 3};

/* In every kind of system: entries that are bytes, that are made, that are cleared. */
static void a_kept_matrix_outlives_its_scope_and_no_other_does(void **unused)
{
    (void)unused;
    System *systems[] = {f64_system(), mpfr_system(60), ball_system(60), dual_system(60)};
    for (size_t s = 0; s < 4; s++)
        for (size_t which = 0; which < 5; which++) {
            System *in = systems[s];
            Scope outer = scope_open(in);
            Matrix before = matrix_from(in, 1, 3, three);
            Scope scope = scope_open(in);
            Matrix made[5];
            for (size_t k = 0; k < 5; k++)
                made[k] = add(k ? made[k - 1] : before, before);
            Matrix kept = scope_keep(in, scope, columns(made[which], 1, 2)); /* or a view of it */
            assert_int_equal(scope_open(in), scope + 1);
            for (size_t n = 0; n < 20; n++)
                (void)add(before, before); /* where others have been */
            assert_true(number_at(kept, 0, 0) == 2 * (double)(which + 2));
            assert_true(number_at(kept, 0, 1) == 3 * (double)(which + 2));
            scope_close(in, outer);
        }
    for (size_t s = 0; s < 4; s++)
        system_free(systems[s]);
}

static void a_matrix_of_before_is_kept_anyway(void **unused)
{
    (void)unused;
    System *in = counting_system();
    Matrix before = matrix(in, 4, 5);
    Scope scope = scope_open(in);
    (void)matrix(in, 7, 7);
    assert_ptr_equal(scope_keep(in, scope, before).entries, before.entries);
    assert_int_equal(scope_open(in), scope);
    assert_int_equal(counting_read(in).alive, 20);
    assert_int_equal(counting_read(in).peak, 69);
    Matrix inner = matrix(in, 2, 3);
    (void)matrix(in, 9, 9);
    (void)scope_keep(in, scope, inner);
    assert_int_equal(counting_read(in).alive, 26);
    system_free(in);
}

/* Threads of a team make and leave matrices without a look at each other. */
static void threads_of_a_team_have_scopes_of_their_own(void **unused)
{
    (void)unused;
    const int before = omp_get_max_threads();
    omp_set_num_threads(4);
    System *in = f64_system();
    Matrix shared = matrix_from(in, 1, 3, three);
    Scope scope = scope_open(in);
    int threads = team_begin(in), wrong = 0;
    assert_int_equal(threads, 4);
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) reduction(+ : wrong)
    for (int n = 0; n < 4000; n++) {
        Scope own = scope_open(in);
        Matrix sum = shared;
        for (int k = 0; k < n % 50; k++)
            sum = add(sum, shared);
        wrong += number_at(sum, 0, 2) != 3. * (n % 50 + 1);
        scope_close(in, own);
    }
    team_end(in);
    assert_int_equal(wrong, 0);
    assert_int_equal(scope_open(in), scope);
    assert_true(number_at(shared, 0, 0) == 1);
    system_free(in);
    omp_set_num_threads(before);
}

static void remember_nothing(void *observer, Stage name, Matrix A)
{
    (void)observer, (void)name, (void)A;
}

static void a_system_with_state_or_an_observer_has_no_team(void **unused)
{
    (void)unused;
    const int before = omp_get_max_threads();
    omp_set_num_threads(4);
    System *counting = counting_system(), *in = f64_system();
    assert_int_equal(team_begin(counting), 1);
    team_end(counting);
    in->observe = remember_nothing;
    assert_int_equal(team_begin(in), 1);
    team_end(in);
    in->observe = NULL;
    int inside = 0;
#pragma omp parallel num_threads(2)
#pragma omp single
    {
        inside = team_begin(in); /* the threads are taken */
        team_end(in);
    }
    assert_int_equal(inside, 1);
    system_free(in);
    system_free(counting);
    omp_set_num_threads(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kept_matrix_outlives_its_scope_and_no_other_does),
        cmocka_unit_test(a_matrix_of_before_is_kept_anyway),
        cmocka_unit_test(threads_of_a_team_have_scopes_of_their_own),
        cmocka_unit_test(a_system_with_state_or_an_observer_has_no_team),
    };
    return cmocka_run_group_tests_name("system", tests, NULL, NULL);
}
