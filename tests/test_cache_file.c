/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cache_file.h"
#include "random_problem.h"
#include "systems.h"
#include "vectors_support.h"
#include "solve.h"

#include <string.h>

/* Decoding goes on from a file as if it had never stopped, bit for bit, wherever it was cut. */
static void decoding_continues_from_a_file(void **state)
{
    (void)state;
    enum { L = 9, D = 4 };
    RandomProblem r = random_problem(PLAIN, L, D, 5, &BINARY32, 3);
    System *(*const make[])(void) = {f64_system, f32_system};
    for (size_t s = 0; s < 2; s++)
        for (size_t cut = 1; cut < L; cut++) {
            System *in = make[s](), *later = make[s]();
            Head h = problem_head(&r.problem, in), again = problem_head(&r.problem, later);
            Answers whole = answers_for(&h), rest = answers_for(&again);
            decode(&h, &whole);
            Cache c = cache_empty(in, L, D), loaded;
            Matrix o = matrix(in, 1, D), lse = matrix(in, 1, 1);
            Failure f;
            for (size_t t = 0; t < cut; t++)
                decode_step(&c, &h, t, o, lse);
            assert_true(cache_save(&c, scratch_path("cache.safetensors"), &f));
            assert_true(cache_load(&loaded, later, L, scratch_path("cache.safetensors"), &f));
            assert_int_equal(loaded.length, cut);
            for (size_t t = cut; t < L; t++) {
                decode_step(&loaded, &again, t, row(rest.O, t), row(rest.lse, t));
                assert_memory_equal(entry(whole.O, t, 0), entry(rest.O, t, 0), D * in->op->bytes);
            }
            assert_memory_equal(whole.U.entries, loaded.U.entries, L * D * in->op->bytes);
            system_free(in);
            system_free(later);
        }
    random_problem_free(&r);
}

static void a_file_that_is_no_cache_is_refused(void **state)
{
    (void)state;
    System *in = f64_system();
    Cache c = cache_empty(in, 4, 2);
    Failure f;
    assert_false(cache_save(&c, scratch_path("empty.safetensors"), &f));
    assert_non_null(strstr(f.text, "empty"));
    assert_false(cache_load(&c, in, 4, scratch_path("absent.safetensors"), &f));
    assert_false(cache_load(&c, in, 4, "vectors/dumps/base.safetensors", &f));
    assert_non_null(strstr(f.text, "room for 4"));
    assert_true(cache_load(&c, in, 64, "vectors/dumps/base.safetensors", &f)); /* it has all four */
    assert_false(cache_load(&c, in, 256, "vectors/dumps/trained-layer1.safetensors", &f));
    assert_non_null(strstr(f.text, "no saved cache"));
    system_free(in);
}

/* 200-bit numbers do not fit a file of binary64 numbers, field elements are no numbers at all. */
static void what_binary64_cannot_hold_is_not_saved(void **state)
{
    (void)state;
    System *systems[] = {mpfr_system(200), field_system(1)};
    for (size_t k = 0; k < 2; k++) {
        System *in = systems[k];
        RandomProblem r = random_problem(PLAIN, 3, 2, NO_WINDOW, &BINARY32, 3);
        Head h = problem_head(&r.problem, in);
        Cache c = cache_empty(in, 3, 2);
        Matrix o = matrix(in, 1, 2), lse = matrix(in, 1, 1);
        Failure f;
        for (size_t t = 0; t < 2; t++)
            decode_step(&c, &h, t, o, lse);
        assert_false(cache_save(&c, scratch_path("none.safetensors"), &f));
        random_problem_free(&r);
        system_free(in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding_continues_from_a_file),
        cmocka_unit_test(a_file_that_is_no_cache_is_refused),
        cmocka_unit_test(what_binary64_cannot_hold_is_not_saved),
    };
    return cmocka_run_group_tests_name("cache_file", tests, scratch_make, scratch_remove);
}
