/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "random_problem.h"
#include "sequential.h"
#include "systems.h"
#include "solve.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static Head plain_head(System *in, size_t L, size_t d)
{
    RandomProblem r = random_problem(PLAIN, L, d, NO_WINDOW, &BINARY32, 1);
    Head h = problem_head(&r.problem, in);
    random_problem_free(&r);
    return h;
}

/* Whether head_must_be_sound aborts, and names the function it was asked for. */
static bool is_refused(const Head *h)
{
    int ends[2];
    char text[400] = "";
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        head_must_be_sound(h, "the_caller");
        _exit(0);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    bool aborted = WIFSIGNALED(status);
    if (aborted)
        assert_true(n > 0 && strstr(text, "the_caller"));
    return aborted;
}

static void shapes_that_do_not_fit_are_a_bug(void **state)
{
    (void)state;
    System *in = f64_system(), *other = f64_system();
    Head h = plain_head(in, 4, 3), bad;
    assert_false(is_refused(&h));
    bad = h, bad.KU = matrix(in, 5, 3);
    assert_true(is_refused(&bad));
    bad = h, bad.VC = matrix(in, 4, 2);
    assert_true(is_refused(&bad));
    bad = h, bad.QC = matrix(other, 4, 3);
    assert_true(is_refused(&bad));
    bad = h, bad.scale = matrix(in, 2, 1);
    assert_true(is_refused(&bad));
    bad = h, bad.QU = bad.KU = bad.VU = bad.QC = bad.KC = bad.VC = matrix(in, 0, 3);
    assert_true(is_refused(&bad));
    system_free(in);
    system_free(other);
}

/* Dropping causal keys is the same as KC = 0, dropping SiLU is a penalty of SU itself. */
static void ablations_are_what_they_say(void **state)
{
    (void)state;
    System *in = field_system(2);
    Head h = plain_head(in, 6, 2), dropped = h, zero = h;
    Answers a = answers_for(&h), b = answers_for(&h), c = answers_for(&h);
    dropped.variant = WITHOUT_CAUSAL_KEYS;
    zero.KC = matrix(in, 6, 2);
    sequential(&h, &a);
    sequential(&dropped, &b);
    sequential(&zero, &c);
    assert_memory_equal(b.O.entries, c.O.entries, 12 * in->op->bytes);
    assert_memory_not_equal(b.O.entries, a.O.entries, 12 * in->op->bytes);

    Head linear = h;
    linear.variant = WITHOUT_SILU;
    assert_ptr_equal(variant_penalty(&linear, a.SU).entries, a.SU.entries);
    sequential(&linear, &b);
    assert_memory_not_equal(b.O.entries, a.O.entries, 12 * in->op->bytes);
    assert_memory_equal(b.SU.entries, a.SU.entries, 36 * in->op->bytes);
    system_free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_that_do_not_fit_are_a_bug),
        cmocka_unit_test(ablations_are_what_they_say),
    };
    return cmocka_run_group_tests_name("head", tests, NULL, NULL);
}
