/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Algorithm 5 against the definition, and its cache as a value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "decode.h"
#include "sequential.h"
#include "systems.h"

#include <stdlib.h>
#include <string.h>

static Head random_head(System *in, size_t L, size_t d, size_t window, uint64_t seed)
{
    uint64_t state = seed;
    Head h = {.window = window};
    Matrix *inputs[] = {&h.QU, &h.KU, &h.VU, &h.QC, &h.KC, &h.VC};
    for (size_t k = 0; k < sizeof inputs / sizeof *inputs; k++)
        *inputs[k] = field_random_matrix(in, L, d, &state);
    h.scale = field_random_matrix(in, 1, 1, &state);
    return h;
}

static void must_equal(const char *what, Matrix A, Matrix B)
{
    for (size_t i = 0; i < A.rows; i++)
        if (memcmp(entry(A, i, 0), entry(B, i, 0), A.cols * A.in->op->bytes) != 0) {
            print_error("Theorem 3, decoding: %s differs in row %zu of %zu x %zu\n", what, i,
                        A.rows, A.cols);
            fail();
        }
}

static void decode_is_sequential(void **state)
{
    (void)state;
    for (size_t L = 1; L <= 9; L++)
        for (size_t W = 0; W <= 10; W++) {
            System *in = field_system(3);
            Head h = random_head(in, L, 3, W < 10 ? W : NO_WINDOW, 20 * L + W);
            Answers a = answers_for(&h), b = answers_for(&h);
            sequential(&h, &a);
            decode(&h, &b);
            must_equal("O", a.O, b.O);
            must_equal("lse", a.lse, b.lse);
            must_equal("U", a.U, b.U);
            system_free(in);
        }
}

/* After every step the cache holds U^t, and QU, KC, VC up to t: 4 t d numbers, nothing beyond. */
static void cache_is_U_QU_KC_VC_after_every_step(void **state)
{
    (void)state;
    enum { L = 7, D = 2 };
    System *in = field_system(3);
    Head h = random_head(in, L, D, 3, 5);
    Cache cache = cache_empty(in, L, D);
    Matrix o = matrix(in, 1, D), lse = matrix(in, 1, 1);
    for (size_t t = 0; t < L; t++) {
        decode_step(&cache, &h, t, o, lse);
        Head seen = {.QU = rows(h.QU, 0, t + 1),
                     .KU = rows(h.KU, 0, t + 1),
                     .VU = rows(h.VU, 0, t + 1),
                     .QC = rows(h.QC, 0, t + 1),
                     .KC = rows(h.KC, 0, t + 1),
                     .VC = rows(h.VC, 0, t + 1),
                     .scale = h.scale,
                     .window = h.window};
        Answers a = answers_for(&seen);
        sequential(&seen, &a);
        assert_int_equal(cache.length, t + 1);
        must_equal("U^t", a.U, rows(cache.U, 0, t + 1));
        must_equal("QU", seen.QU, rows(cache.QU, 0, t + 1));
        must_equal("KC", seen.KC, rows(cache.KC, 0, t + 1));
        must_equal("VC", seen.VC, rows(cache.VC, 0, t + 1));
        must_equal("U past t", matrix(in, L - t - 1, D), rows(cache.U, t + 1, L - t - 1));
        must_equal("o_t", row(a.O, t), o);
    }
    system_free(in);
}

/* With a window, row s of U stops changing after step s + W, and QU_s is needed no longer. */
static void windowed_rows_come_to_rest(void **state)
{
    (void)state;
    enum { L = 9, D = 2, W = 3 };
    System *in = field_system(3);
    Head h = random_head(in, L, D, W, 6);
    Cache cache = cache_empty(in, L, D);
    Matrix o = matrix(in, 1, D), lse = matrix(in, 1, 1), before = matrix(in, L, D);
    for (size_t t = 0; t < L; t++) {
        assign(before, cache.U);
        decode_step(&cache, &h, t, o, lse);
        if (t > W) { /* rows s with s + W < t */
            must_equal("rows at rest", rows(before, 0, t - W), rows(cache.U, 0, t - W));
            assign(rows(cache.QU, 0, t - W), matrix(in, t - W, D)); /* forget them */
        }
        if (t > 0)
            assert_true(
                memcmp(entry(before, t - 1, 0), entry(cache.U, t - 1, 0), D * in->op->bytes) != 0);
    }
    Answers a = answers_for(&h);
    sequential(&h, &a);
    must_equal("U", a.U, cache.U);
    system_free(in);
}

/* A cache saved after any step and loaded into another system continues to the same answers. */
static void a_saved_cache_continues_to_the_same_answers(void **state)
{
    (void)state;
    enum { L = 6, D = 3 };
    for (size_t cut = 0; cut <= L; cut++) {
        System *in = field_system(3), *later = field_system(3);
        Head h = random_head(in, L, D, NO_WINDOW, 7),
             again = random_head(later, L, D, NO_WINDOW, 7);
        Answers whole = answers_for(&h);
        decode(&h, &whole);

        Cache first = cache_empty(in, L, D), loaded = cache_empty(later, L, D);
        Matrix o = matrix(in, 1, D), lse = matrix(in, 1, 1);
        for (size_t t = 0; t < cut; t++)
            decode_step(&first, &h, t, o, lse);
        const Matrix from[] = {first.U, first.QU, first.KC, first.VC};
        const Matrix to[] = {loaded.U, loaded.QU, loaded.KC, loaded.VC};
        for (size_t k = 0; k < 4; k++) /* saved as bytes, loaded as bytes */
            memcpy(to[k].entries, from[k].entries, L * D * in->op->bytes);
        loaded.length = first.length;

        Matrix o2 = matrix(later, 1, D), lse2 = matrix(later, 1, 1);
        for (size_t t = cut; t < L; t++) {
            decode_step(&loaded, &again, t, o2, lse2);
            must_equal("o after loading", row(whole.O, t), o2);
            must_equal("lse after loading", row(whole.lse, t), lse2);
        }
        must_equal("U after loading", whole.U, loaded.U);
        system_free(in);
        system_free(later);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decode_is_sequential),
        cmocka_unit_test(cache_is_U_QU_KC_VC_after_every_step),
        cmocka_unit_test(windowed_rows_come_to_rest),
        cmocka_unit_test(a_saved_cache_continues_to_the_same_answers),
    };
    return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
