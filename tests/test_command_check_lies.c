/* SPDX-License-Identifier: GPL-3.0-or-later */
/* castle check: no lie passes as right, and NaN in the inputs spoils what it reaches, no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"

#include <math.h>

/* ---- answers that lie ----------------------------------------------------------------------- */

typedef void Lie(double *x, size_t n, size_t cols, const double *other);

static void all_nan(double *x, size_t n, size_t cols, const double *other)
{
    (void)cols, (void)other;
    for (size_t i = 0; i < n; i++)
        x[i] = NAN;
}

static void one_nan(double *x, size_t n, size_t cols, const double *other)
{
    (void)cols, (void)other;
    x[n / 2] = NAN;
}

static void last_row_infinite(double *x, size_t n, size_t cols, const double *other)
{
    (void)other;
    for (size_t i = n - cols; i < n; i++)
        x[i] = INFINITY;
}

static void all_zero(double *x, size_t n, size_t cols, const double *other)
{
    (void)cols, (void)other;
    memset(x, 0, n * sizeof *x);
}

static void all_one(double *x, size_t n, size_t cols, const double *other)
{
    (void)cols, (void)other;
    for (size_t i = 0; i < n; i++)
        x[i] = 1;
}

static void huge(double *x, size_t n, size_t cols, const double *other)
{
    (void)n, (void)cols, (void)other;
    x[0] = -0x1p127;
}

static void of_another_case(double *x, size_t n, size_t cols, const double *other)
{
    (void)cols;
    memcpy(x, other, n * sizeof *x);
}

static void last_row_of_another_case(double *x, size_t n, size_t cols, const double *other)
{
    /* The row before the last: the last row of u is zero in every case. */
    memcpy(x + n - 2 * cols, other + n - 2 * cols, cols * sizeof *x);
}

static void heads_swapped(double *x, size_t n, size_t cols, const double *other)
{
    (void)cols, (void)other;
    for (size_t i = 0; i < n / 2; i++) {
        double y = x[i];
        x[i] = x[n / 2 + i];
        x[n / 2 + i] = y;
    }
}

static void one_row_late(double *x, size_t n, size_t cols, const double *other)
{
    (void)other;
    memmove(x + cols, x, (n - cols) * sizeof *x);
}

static void all_negated(double *x, size_t n, size_t cols, const double *other)
{
    (void)cols, (void)other;
    for (size_t i = 0; i < n; i++)
        x[i] = -x[i];
}

static void off_by_a_thousandth(double *x, size_t n, size_t cols, const double *other)
{
    (void)cols, (void)other;
    for (size_t i = 0; i < n; i++)
        x[i] *= 1.001;
}

static void one_element_off(double *x, size_t n, size_t cols, const double *other)
{
    (void)other;
    x[n - 2 * cols] += 0x1p-10;
}

static const struct {
    const char *name;
    Lie *lie;
} lies[] = {
    {"all NaN", all_nan},
    {"one NaN", one_nan},
    {"last row infinite", last_row_infinite},
    {"all zero", all_zero},
    {"all one", all_one},
    {"one huge", huge},
    {"of another case", of_another_case},
    {"one row of another case", last_row_of_another_case},
    {"heads swapped", heads_swapped},
    {"one row late", one_row_late},
    {"negated", all_negated},
    {"off by a thousandth", off_by_a_thousandth},
    {"one element off", one_element_off},
};

/* Each lie in each answer alone, beside two true ones; and once in a file of its own. */
static void lies_are_wrong(void **state)
{
    Case *c = solved(2, 10, 4, NULL, 1), *other = solved(2, 10, 4, NULL, 2);
    Case *liar = malloc(sizeof *liar);
    char label[80];
    (void)state;
    assert_non_null(liar);
    for (size_t k = 0; k < sizeof lies / sizeof *lies; k++)
        for (Answer a = 0; a < CASE_ANSWERS; a++) {
            *liar = *c;
            lies[k].lie(liar->answer[a], numbers_of(c, a), answer_columns(a, c->dim),
                        other->answer[a]);
            if (k % CASE_ANSWERS == a)
                keep_only(liar, a);
            (void)snprintf(label, sizeof label, "%s, %s.safetensors", answer_name(a), lies[k].name);
            judges("wrong", saved(liar, label));
            (void)scratch_clear(NULL);
        }
    free(liar);
    free(other);
    free(c);
}

static void the_truth_is_right(void **state)
{
    Case *c = solved(2, 10, 4, NULL, 1);
    (void)state;
    judges("right", "--strict", saved(c, "dump"));
    for (Answer a = 0; a < CASE_ANSWERS; a++) {
        keep_only(c, a);
        judges("right", "--strict", saved(c, "dump"));
    }
    free(c);
}

/* The first `length` tokens of one head of a dump, answers included. */
static Case *cut(const char *path, size_t head, size_t length)
{
    Dump d = opened(path);
    Case *c = calloc(1, sizeof *c);
    assert_non_null(c);
    *c = (Case){.batch = 1,
                .heads = 1,
                .length = length,
                .dim = d.task.size.dim,
                .input_type = d.task.type,
                .answer_type = d.answer_type[ANSWER_O]};
    assert_true(length <= d.task.size.length && numbers_in(c) <= MOST_NUMBERS);
    for (size_t k = 0; k < INPUTS; k++)
        memcpy(c->input[k], task_problem(&d.task, head).input[k], numbers_in(c) * sizeof(double));
    for (Answer a = 0; a < CASE_ANSWERS; a++) {
        const double *answer = dump_answer(&d, a, head);
        c->absent[a] = answer == NULL;
        if (answer)
            memcpy(c->answer[a], answer, numbers_of(c, a) * sizeof(double));
    }
    dump_close(&d);
    return c;
}

static void answers_of_another_head_are_wrong(void **state)
{
    Case *c = cut(DUMPS "trained-layer1.safetensors", 0, 32);
    Case *other = cut(DUMPS "trained-layer1.safetensors", 1, 32);
    (void)state;
    /* o is causal: that of the first tokens does not depend on the others */
    judges("right", saved(c, "dump"));
    memcpy(c->answer[ANSWER_O], other->answer[ANSWER_O], numbers_in(c) * sizeof(double));
    judges("wrong", saved(c, "dump"));
    free(other);
    free(c);
}

static void answers_of_another_dump_are_wrong(void **state)
{
    Case *c = cut(DUMPS "big4.safetensors", 0, 40), *other = cut(DUMPS "base.safetensors", 0, 40);
    (void)state;
    for (Answer a = 0; a < CASE_ANSWERS; a++)
        if (!c->absent[a])
            memcpy(c->answer[a], other->answer[a], numbers_of(c, a) * sizeof(double));
    judges("wrong", saved(c, "dump"));
    free(other);
    free(c);
}

/* ---- inputs that are not finite ------------------------------------------------------------- */

static json_int_t judged_in(const json_t *doc, Answer a)
{
    return json_integer_value(json_object_get(tensor_in(doc, 0, a), "judged"));
}

/*
 * Whether row `row` of answer `a` has a true value when input `k` of token `n` of L is NaN.
 *
 *   QC_n   is used by its own row of o and lse only.
 *   KC_n   by its own and all later rows; VC_n the same, but not by lse.
 *   KU_n, VU_n   enter u_s^t for s < n <= t: all rows of u before n, and by them the rows of o and
 *          lse from n on. Those of the first token enter nothing.
 *   QU_n   gates u_n^t for t > n: row n of u, and the rows of o and lse behind n. That of the last
 *          token gates nothing.
 */
static bool has_truth(Answer a, Input k, size_t n, size_t row, size_t L)
{
    if (((k == INPUT_KU || k == INPUT_VU) && n == 0) || (k == INPUT_QU && n == L - 1))
        return true;
    if (a == ANSWER_U)
        return k == INPUT_QU ? row != n : k == INPUT_KU || k == INPUT_VU ? row >= n : true;
    if (a == ANSWER_LSE && k == INPUT_VC)
        return true;
    return k == INPUT_QC ? row != n : k == INPUT_QU ? row <= n : row < n;
}

/* The first element of an answer that has a true value, or -1. */
static int first_truth(const Case *c, Answer a, Input k, size_t n)
{
    for (size_t row = 0; row < c->length; row++)
        if (has_truth(a, k, n, row, c->length))
            return (int)(row * answer_columns(a, c->dim));
    return -1;
}

/* c: a case with NaN in input k of token n, solved; clean: the same without. */
static void assert_truth_is_kept(const Case *c, const Case *clean, Input k, size_t n)
{
    run_right("check", "--json", saved(c, "dump"));
    json_t *doc = document();
    for (Answer a = 0; a < CASE_ANSWERS; a++) {
        size_t cols = answer_columns(a, c->dim), rows = 0;
        for (size_t i = 0; i < numbers_of(c, a); i++) {
            bool truth = has_truth(a, k, n, i / cols, c->length);
            rows += truth && i % cols == 0;
            if (truth ? c->answer[a][i] != clean->answer[a][i] : !isnan(c->answer[a][i]))
                fail_msg("NaN in %s of token %zu: %s[%zu] = %g, without NaN %g", input_name(k), n,
                         answer_name(a), i, c->answer[a][i], clean->answer[a][i]);
        }
        assert_int_equal(judged_in(doc, a), rows * cols);
    }
    json_decref(doc);
}

static void nan_spoils_no_earlier_row(void **state)
{
    enum { L = 7 };
    static const size_t tokens[] = {0, 3, L - 1};
    Case *clean = solved(1, L, 4, NULL, 4), *c = malloc(sizeof *c), *liar = malloc(sizeof *liar);
    (void)state;
    assert_non_null(c);
    assert_non_null(liar);
    for (size_t n = 0; n < 3 * (size_t)INPUTS; n++) {
        Input k = (Input)(n / 3);
        size_t token = tokens[n % 3];
        *c = *clean;
        for (size_t j = 0; j < c->dim; j++)
            c->input[k][token * c->dim + j] = NAN;
        solve_case(c);
        assert_truth_is_kept(c, clean, k, token);

        /* a kernel that lets NaN leak into one row that has a truth, or is off there, is wrong */
        bool all_have_truth = true;
        for (Answer a = 0; a < CASE_ANSWERS; a++) {
            int at = first_truth(c, a, k, token);
            /* a u of which only the last row, 0 in every problem, has a truth is not right yet */
            bool told = at >= 0 && !(a == ANSWER_U && at == (int)((L - 1) * c->dim));
            all_have_truth = all_have_truth && told;
            if (at < 0)
                continue;
            *liar = *c;
            liar->answer[a][at] = NAN;
            judges("wrong", saved(liar, "leak"));
            assert_out("not finite");
            liar->answer[a][at] = c->answer[a][at] + 1;
            judges("wrong", saved(liar, "off"));
        }
        /*
         * Finite numbers in all rows. "right: every finite truth is met" (verdict.h): rows that NaN
         * reaches have no truth, so any answer will do there; the report says how many they are.
         */
        *liar = *c;
        size_t replaced = 0;
        for (Answer a = 0; a < CASE_ANSWERS; a++)
            for (size_t i = 0; i < numbers_of(c, a); i++)
                if (isnan(liar->answer[a][i])) {
                    liar->answer[a][i] = 12345;
                    replaced++;
                }
        judges(all_have_truth ? "right" : "suspect", saved(liar, "finite"));
        if (replaced)
            assert_out(" without a finite value");
    }
    free(liar);
    free(c);
    free(clean);
}

/* Judged wrong, or refused; never a word of right for the file as a whole. */
static void assert_never_right(void)
{
    if (last.status != WRONG_STATUS && last.status != UNUSABLE_STATUS)
        complain("expected exit status 1 or 2", "");
    assert_not_out(": right");
    assert_not_out("1 right");
}

/* o and lse of NaN inputs have no true element at all: nothing can be judged, nothing is right. */
static void nothing_to_judge_is_never_right(void **state)
{
    Case *c = solved(2, 5, 3, NULL, 5);
    (void)state;
    for (size_t k = 0; k < INPUTS; k++)
        for (size_t i = 0; i < numbers_in(c); i++)
            c->input[k][i] = NAN;
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < numbers_in(c); i++)
            c->answer[ANSWER_O][i] = round ? NAN : 0;
        c->absent[ANSWER_U] = round == 1;
        c->absent[ANSWER_LSE] = round == 2;
        judges("suspect", saved(c, "dump"));
        run("check", "--strict", saved(c, "dump"));
        assert_never_right();
    }
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_truth_is_right),
        TEST(lies_are_wrong),
        TEST(answers_of_another_head_are_wrong),
        TEST(answers_of_another_dump_are_wrong),
        TEST(nan_spoils_no_earlier_row),
        TEST(nothing_to_judge_is_never_right),
    };
    return run_command_tests(tests);
}
