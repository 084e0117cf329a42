/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The truths of whole tasks: every number against MPFR at 300 bits, every certificate counted, and the
 * tensors that are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "oracle.h"
#include "scales.h"
#include "solve.h"
#include "systems.h"
#include "task_support.h"
#include "truths.h"
#include "vectors_support.h"

#include <math.h>

static size_t tallied(const Truths *all, Certificate c)
{
    size_t n = 0;
    for (Answer a = 0; a < ANSWERS; a++)
        n += all->tally[a][c];
    return n;
}

/* ---- what the tests go over ------------------------------------------------------------------ */

/* (With neither causal keys nor a window all weights of a row are equal, and exact ties are common.) */
static const struct Draw {
    Sizes size;
    const char *arithmetic;
    size_t window;
    Variant variant;
    bool stages;
} draws[] = {
    {{2, 2, 5, 3, 0}, "bfloat16", NO_WINDOW, CASTLE, true},
    {{1, 1, 7, 2, 0}, "float32", 2, WITHOUT_SILU, true},
    {{1, 2, 4, 2, 0}, "float64", 0, CASTLE, true},
    {{1, 1, 1, 1, 0}, "float16", NO_WINDOW, CASTLE, true},
    {{2, 2, 5, 3, 4}, "bfloat16", NO_WINDOW, CASTLE, false},
    {{1, 3, 6, 2, 5}, "float32", 1, WITHOUT_CAUSAL_KEYS, false},
    {{3, 1, 1, 2, 2}, "float64", NO_WINDOW, WITHOUT_SILU, false},
};
enum { DRAWS = sizeof draws / sizeof *draws };

static Task drawn(size_t k)
{
    Task t = random_task(&draws[k].size, draws[k].arithmetic, 40 + k);
    t.window = draws[k].window, t.variant = draws[k].variant, t.stages = draws[k].stages;
    return t;
}

/* ---- values --------------------------------------------------------------------------------- */

/* 300 bits leave this much dust where a truth or a tail is 0. */
static double without_dust(double x) { return fabs(x) < 0x1p-240 ? 0 : x; }

static void assert_number(const Task *t, Answer a, size_t k, const char *what, double got,
                          double expected)
{
    if (got == expected)
        return;
    print_error("%s%s, element %zu: %a, expected %a; batch %zu heads %zu L %zu d %zu dm %zu\n",
                answer_name(a), what, k, got, expected, t->size.batch, t->size.heads,
                t->size.length, t->size.dim, t->size.width);
    fail();
}

/* x, to 300 bits, against element k. */
static void assert_truth(const Task *t, const Truths *all, Answer a, size_t k, mpfr_srcptr x)
{
    const Format *f = number_format(t->type);
    mpfr_t rest, rounded;
    mpfr_inits2(300, rest, (mpfr_ptr)0);
    mpfr_init2(rounded, f->precision);
    double value = without_dust(mpfr_get_d(x, MPFR_RNDN));
    mpfr_sub_d(rest, x, value, MPFR_RNDN);
    format_round(rounded, x, f);
    assert_number(t, a, k, "", all->value[a][k], value);
    assert_number(t, a, k, ".lo", all->tail[a][k], without_dust(mpfr_get_d(rest, MPFR_RNDN)));
    assert_number(t, a, k, " in its own type", all->typed[a][k],
                  without_dust(mpfr_get_d(rounded, MPFR_RNDN)));
    mpfr_clears(rest, rounded, (mpfr_ptr)0);
}

static bool present(Matrix A, size_t i, size_t j)
{
    Range k = row_range(A, i);
    return k.first <= j && j < k.end;
}

/* Returns how many entries of the answers a mask leaves out. */
static size_t assert_problem(const Task *t, size_t index, const Truths *all)
{
    Problem p = task_problem(t, index);
    System *in = mpfr_system(300);
    Solution s = solve(&p, in);
    size_t masked = 0;
    for (Answer a = 0; a < ANSWERS; a++)
        for (size_t k = 0, n = task_asks(t, a) ? task_part(t, a) : 0; k < n; k++) {
            Matrix A = s.of[a];
            masked += !present(A, k / A.cols, k % A.cols);
            assert_truth(t, all, a, index * n + k, entry(A, k / A.cols, k % A.cols));
        }
    system_free(in);
    return masked;
}

static void values_tails_and_types_are_those_of_mpfr(void **state)
{
    (void)state;
    for (size_t k = 0; k < DRAWS; k++) {
        Task t = drawn(k);
        Truths all = truths_of(&t, true, NULL);
        size_t masked = 0, numbers = 0;
        for (size_t index = 0; index < task_problems(&t); index++)
            masked += assert_problem(&t, index, &all);
        for (Answer a = 0; a < ANSWERS; a++) {
            assert_int_equal(all.value[a] != NULL, task_asks(&t, a));
            numbers += all.value[a] ? task_problems(&t) * task_part(&t, a) : 0;
        }
        assert_int_equal(tallied(&all, MASKED), masked);
        assert_int_equal(tallied(&all, CERTIFIED),
                         numbers - masked); /* random numbers tie with nothing */
        assert_int_equal(all.ties + tallied(&all, UNDEFINED) + all.outside, 0);
        assert_int_equal(all.naive, task_problems(&t));
        assert_true(all.bits >= ORACLE_TAIL_BITS);
        truths_free(&all);
        task_free(&t);
    }
}

/* ---- certificates --------------------------------------------------------------------------- */

/* L (L - 1) / 2 entries lie above the diagonal; g, su, dsu and dg lack the diagonal, too. */
static void masks_are_counted(void **state)
{
    (void)state;
    const Sizes size = {1, 2, 6, 2, 0};
    Task t = random_task(&size, "float32", 1);
    t.stages = true;
    Truths all = truths_of(&t, false, NULL);
    size_t tril = 6 * 5 / 2, strict = 6 * 7 / 2;
    /* sc t1 p dp ds dt1; su dsu; g and dg lack what lies below the diagonal */
    assert_int_equal(tallied(&all, MASKED), 2 * (6 * tril + 2 * strict + 2 * strict));
    assert_int_equal(all.naive, 0); /* nobody asked for the definition */
    truths_free(&all);
    task_free(&t);
}

/* Three equal keys and VU = 0: o_3 = (3 + 0 + 3 2^-53) / 3 lies halfway between two numbers; so
 * does the third row of y = o with weights of 1. */
static void ties_are_counted(void **state)
{
    (void)state;
    const Sizes heads = {1, 1, 3, 1, 0}, layer = {1, 1, 3, 1, 1};
    const double value[] = {3, 0, 0x1.8p-52};
    for (size_t k = 0; k < 2; k++) {
        Task t = random_task(k ? &layer : &heads, "float64", 2);
        free(t.cotangent);
        t.cotangent = NULL;
        for (size_t i = 0; i < 3; i++) {
            for (Input n = 0; !k && n < INPUTS; n++)
                t.input[n][i] = n == INPUT_VC ? value[i] : 0;
            if (k)
                t.layer_input[LAYER_X][i] = value[i];
        }
        for (LayerInput n = LAYER_WQU; k && n < LAYER_INPUTS; n++)
            t.layer_input[n][0] = n == LAYER_WVC || n == LAYER_WO;
        Truths all = truths_of(&t, true, NULL);
        assert_int_equal(all.ties, 1);
        assert_int_equal(tallied(&all, CERTIFIED), k ? 2 : 3 + 3 + 2);
        assert_int_equal(all.bits, ORACLE_MOST_BITS * 3 / 4); /* 192, 384, .. below 2048 */
        assert_int_equal(all.outside, 0);
        truths_free(&all);
        task_free(&t);
    }
}

/* NaN in one token of one sequence spoils that sequence's later rows and all of dW. */
static void what_not_a_number_reaches_is_counted(void **state)
{
    (void)state;
    const Sizes size = {2, 1, 4, 2, 3};
    Task t = random_task(&size, "float32", 3);
    t.layer_input[LAYER_X][1 * 3 + 2] = NAN; /* sequence 0, token 1 */
    Truths all = truths_of(&t, true, NULL);
    size_t weights = 6 * 3 * 2 + 2 * 3, undefined = 0;
    for (size_t i = 0; i < 24; i++)
        assert_int_equal(isnan(all.value[ANSWER_Y][i]), i >= 3 && i < 12);
    for (Answer a = 0; a < ANSWERS; a++)
        for (size_t i = 0, n = all.value[a] ? task_part(&t, a) : 0; i < n; i++)
            undefined += isnan(all.value[a][i]) != 0;
    for (size_t i = 0; i < task_part(&t, ANSWER_DWVC); i++)
        assert_true(isnan(all.value[ANSWER_DWVC][i]));
    assert_int_equal(tallied(&all, UNDEFINED), undefined);
    assert_int_equal(tallied(&all, CERTIFIED), 2 * 24 + weights - undefined);
    truths_free(&all);
    task_free(&t);
}

/* The definition is left out where it would take too long. */
static void the_definition_runs_up_to_64_tokens(void **state)
{
    (void)state;
    for (size_t k = 0; k < 4; k++) {
        const Sizes size = {1, 1, 64 + k % 2, 1, k / 2};
        Task t = random_task(&size, "float32", 4);
        free(t.cotangent);
        t.cotangent = NULL;
        Truths all = truths_of(&t, true, NULL);
        assert_int_equal(all.naive, k % 2 ? 0 : 1);
        assert_int_equal(all.outside, 0);
        truths_free(&all);
        task_free(&t);
    }
}

/* ---- files ---------------------------------------------------------------------------------- */

static void assert_tensor(const SafetensorsFile *file, const char *name, NumberType type, Layout l,
                          const double *numbers)
{
    const Tensor *t = safetensors_find(file, name);
    if (!t) {
        fail_msg("%s is missing", name);
        return;
    }
    assert_int_equal(t->type, type);
    assert_int_equal(t->dims, l.dims);
    assert_memory_equal(t->shape, l.shape, l.dims * sizeof *l.shape);
    for (size_t i = 0; i < t->count; i++)
        assert_true(tensor_value(t, i) == numbers[i]);
}

static void every_answer_is_written_with_its_tail_type_and_sigma(void **state)
{
    static const char *const suffix[] = {
        [TYPE_F64] = NULL, [TYPE_F32] = ".f32", [TYPE_F16] = ".f16", [TYPE_BF16] = ".bf16"};
    (void)state;
    for (size_t k = 0; k < DRAWS; k++) {
        Task t = drawn(k);
        Truths all = truths_of(&t, false, NULL);
        SafetensorsWriter *w = safetensors_writer_new();
        Failure failure;
        size_t count = 0;
        truths_write(&all, &t, w);
        assert_true(safetensors_write(w, scratch_path("truth"), &failure));
        safetensors_writer_free(w);
        SafetensorsFile *file = safetensors_open(scratch_path("truth"), &failure);
        assert_non_null(file);
        for (Answer a = 0; a < ANSWERS; a++) {
            if (!task_asks(&t, a))
                continue;
            char name[40];
            Layout l = answer_layout(&t.size, a);
            assert_tensor(file, answer_name(a), TYPE_F64, l, all.value[a]);
            (void)snprintf(name, sizeof name, "%s.lo", answer_name(a));
            assert_tensor(file, name, TYPE_F64, l, all.tail[a]);
            (void)snprintf(name, sizeof name, "%s.sigma", answer_name(a));
            assert_tensor(file, name, TYPE_F32, sigma_layout(&t.size, a), all.sigma[a]);
            count += 3;
            if (!suffix[t.type])
                continue;
            (void)snprintf(name, sizeof name, "%s%s", answer_name(a), suffix[t.type]);
            assert_tensor(file, name, t.type, l, all.typed[a]);
            count++;
        }
        assert_int_equal(safetensors_count(file), count);
        safetensors_close(file);
        truths_free(&all);
        task_free(&t);
    }
}

/* Those of error_scales(), problem after problem; no smaller in float32. */
static void sigmas_are_the_error_scales(void **state)
{
    (void)state;
    for (size_t k = 0; k < DRAWS; k++) {
        Task t = drawn(k);
        Truths all = truths_of(&t, false, NULL);
        for (size_t index = 0; index < task_problems(&t); index++) {
            Problem p = task_problem(&t, index);
            Oracle *o = oracle(&p, true, false);
            Scales *s = error_scales(&p, &t.arithmetic, o, SCALE_SEED);
            for (Answer a = 0; a < ANSWERS; a++)
                for (size_t i = 0, n = o->truth[a].rows * o->truth[a].cols; i < n; i++) {
                    size_t run = sigma_run(&p, a);
                    double sigma = all.sigma[a][index * (n / run) + i / run];
                    assert_true(sigma == (double)(float)sigma);
                    assert_true(sigma >= s->sigma[a][i] && sigma <= fmax(0x1p-149, s->sigma[a][i]));
                }
            scales_free(s);
            oracle_free(o);
        }
        truths_free(&all);
        task_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_tails_and_types_are_those_of_mpfr),
        cmocka_unit_test(masks_are_counted),
        cmocka_unit_test(ties_are_counted),
        cmocka_unit_test(what_not_a_number_reaches_is_counted),
        cmocka_unit_test(the_definition_runs_up_to_64_tokens),
        cmocka_unit_test(every_answer_is_written_with_its_tail_type_and_sigma),
        cmocka_unit_test(sigmas_are_the_error_scales),
    };
    return cmocka_run_group_tests_name("truths", tests, scratch_make, scratch_remove);
}
