/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stages against the formulas of Theorem 1 and of its gradients, written here entry by entry modulo a
 * prime, where equal means equal; layers against ref/layer.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "parallel.h"
#include "random_problem.h"
#include "sequential.h"
#include "solve.h"
#include "systems.h"
#include "task_support.h"

#include <string.h>

/* ---- the field, entry by entry -------------------------------------------------------------- */

__extension__ typedef unsigned __int128 Wide;

static uint64_t plus(uint64_t a, uint64_t b) { return (uint64_t)(((Wide)a + b) % FIELD_PRIME); }
static uint64_t minus(uint64_t a, uint64_t b) { return plus(a, FIELD_PRIME - b); }
static uint64_t times(uint64_t a, uint64_t b) { return (uint64_t)((Wide)a * b % FIELD_PRIME); }

static uint64_t over(uint64_t a, uint64_t b)
{
    uint64_t power = b;
    for (uint64_t n = FIELD_PRIME - 2; n; n >>= 1, power = times(power, power))
        if (n & 1)
            a = times(a, power);
    return a;
}

static uint64_t apply(System *in, Function f, uint64_t x)
{
    uint64_t y;
    in->op->map(in, f, &y, &x, 1);
    return y;
}

enum { MOST = 6 };
typedef uint64_t Square[MOST][MOST];

/* A problem's numbers in the field. */
typedef struct Numbers {
    System *in;
    size_t L, d, window;
    Variant variant;
    uint64_t scale, input[INPUTS][MOST * MOST], cotangent[MOST * MOST];
} Numbers;

static uint64_t dot(const Numbers *n, const uint64_t *a, size_t i, const uint64_t *b, size_t j)
{
    uint64_t sum = 0;
    for (size_t k = 0; k < n->d; k++)
        sum = plus(sum, times(a[i * n->d + k], b[j * n->d + k]));
    return sum;
}

/* s < j <= s + W */
static bool allowed(const Numbers *n, size_t s, size_t j)
{
    return s < j && (n->window == NO_WINDOW || j - s <= n->window);
}

/* Where a stage has a value: row t (s of g and dg), column s or j. */
static bool has_value(const Numbers *n, Answer a, size_t i, size_t j)
{
    switch (a) {
    case ANSWER_G:
    case ANSWER_DG:
        return allowed(n, i, j);
    case ANSWER_SU:
    case ANSWER_DSU:
        return j < i && n->window > 0;
    case ANSWER_DT1:
        return j <= i && n->window > 0;
    default:
        return j <= i;
    }
}

typedef struct Expected {
    Square of[ANSWERS];
} Expected;

static void expect_forward(const Numbers *n, Expected *e)
{
    const uint64_t *const *in = (const uint64_t *[]){n->input[INPUT_QU], n->input[INPUT_KU],
                                                     n->input[INPUT_VU], n->input[INPUT_QC],
                                                     n->input[INPUT_KC], n->input[INPUT_VC]};
    for (size_t i = 0; i < n->L; i++)
        for (size_t j = 0; j < n->L; j++) {
            uint64_t sc = times(n->scale, dot(n, in[INPUT_QC], i, in[INPUT_KC], j));
            e->of[ANSWER_SC][i][j] = n->variant == WITHOUT_CAUSAL_KEYS ? 0 : sc;
            e->of[ANSWER_T1][i][j] = times(n->scale, dot(n, in[INPUT_QC], i, in[INPUT_VU], j));
            uint64_t z = times(n->scale, dot(n, in[INPUT_QU], i, in[INPUT_KU], j));
            e->of[ANSWER_G][i][j] = allowed(n, i, j) ? apply(n->in, SIGMOID, z) : 0;
        }
    for (size_t t = 0; t < n->L; t++)
        for (size_t s = 0; s < t; s++)
            for (size_t j = s + 1; j <= t; j++)
                e->of[ANSWER_SU][t][s] = plus(e->of[ANSWER_SU][t][s],
                                              times(e->of[ANSWER_T1][t][j], e->of[ANSWER_G][s][j]));
}

static uint64_t penalty(const Numbers *n, uint64_t su)
{
    return n->variant == WITHOUT_SILU ? su : apply(n->in, SILU, su);
}

/* (7). In the field log is the identity, so lse is the denominator, and P as gradients rebuild it,
 * exp(score - lse), is another number than (7)'s. */
static void expect_weights(const Numbers *n, size_t t, Expected *e, uint64_t rebuilt[MOST])
{
    uint64_t score[MOST], sum = 0;
    for (size_t s = 0; s <= t; s++) {
        score[s] = e->of[ANSWER_SC][t][s];
        if (s < t)
            score[s] = minus(score[s], penalty(n, e->of[ANSWER_SU][t][s]));
        sum = plus(sum, apply(n->in, EXP, score[s]));
    }
    for (size_t s = 0; s <= t; s++) {
        e->of[ANSWER_P][t][s] = over(apply(n->in, EXP, score[s]), sum);
        rebuilt[s] = apply(n->in, EXP, minus(score[s], sum));
    }
}

static void expect_scores(const Numbers *n, Expected *e)
{
    for (size_t t = 0; t < n->L; t++) {
        uint64_t rebuilt[MOST], delta = 0;
        expect_weights(n, t, e, rebuilt);
        for (size_t s = 0; s <= t; s++) {
            uint64_t dp = dot(n, n->cotangent, t, n->input[INPUT_VC], s);
            e->of[ANSWER_DP][t][s] = dp;
            delta = plus(delta, times(e->of[ANSWER_P][t][s], dp)); /* dO . O */
        }
        for (size_t s = 0; s <= t; s++) {
            uint64_t ds = times(rebuilt[s], minus(e->of[ANSWER_DP][t][s], delta));
            uint64_t slope = n->variant == WITHOUT_SILU
                                 ? 1
                                 : apply(n->in, SILU_SLOPE, e->of[ANSWER_SU][t][s]);
            e->of[ANSWER_DS][t][s] = ds;
            e->of[ANSWER_DSU][t][s] = minus(0, times(ds, slope));
        }
    }
}

static void expect_gates(const Numbers *n, Expected *e)
{
    for (size_t t = 0; t < n->L; t++)
        for (size_t s = 0; s < t; s++)
            for (size_t j = s + 1; j <= t; j++) {
                uint64_t dsu = e->of[ANSWER_DSU][t][s], *dt1 = &e->of[ANSWER_DT1][t][j],
                         *dg = &e->of[ANSWER_DG][s][j];
                *dt1 = plus(*dt1, times(dsu, e->of[ANSWER_G][s][j]));
                *dg = plus(*dg, times(dsu, e->of[ANSWER_T1][t][j]));
            }
}

static bool present(Matrix A, size_t i, size_t j)
{
    Range k = row_range(A, i);
    return k.first <= j && j < k.end;
}

static void assert_stage(const Numbers *n, const Solution *s, const Expected *e, Answer a)
{
    Matrix A = s->of[a];
    for (size_t i = 0; i < n->L; i++)
        for (size_t j = 0; j < n->L; j++) {
            bool there = has_value(n, a, i, j);
            uint64_t expected = there ? e->of[a][i][j] : 0, got = *(uint64_t *)entry(A, i, j);
            if (present(A, i, j) == there && got == expected)
                continue;
            print_error("%s at (%zu, %zu), L %zu d %zu W %zd variant %s: %s %llu, expected %s "
                        "%llu\n",
                        answer_name(a), i, j, n->L, n->d, (ptrdiff_t)n->window,
                        variant_name(n->variant), present(A, i, j) ? "present" : "absent",
                        (unsigned long long)got, there ? "present" : "absent",
                        (unsigned long long)expected);
            fail();
        }
}

static void stages_are_the_formulas(size_t L, size_t d, size_t window, Variant variant)
{
    RandomProblem r = random_problem(PLAIN, L, d, window, &BFLOAT16, 100 * L + d);
    Numbers n = {
        .in = field_system(7 * L + d), .L = L, .d = d, .window = window, .variant = variant};
    with_cotangent(&r);
    r.problem.stages = true, r.problem.scale = 0.375, r.problem.variant = variant;
    n.in->op->set(n.in, &n.scale, &r.problem.scale, 1);
    for (Input k = 0; k < INPUTS; k++)
        n.in->op->set(n.in, n.input[k], r.problem.input[k], L * d);
    n.in->op->set(n.in, n.cotangent, r.problem.cotangent, L * d);
    Expected e = {0};
    expect_forward(&n, &e);
    expect_scores(&n, &e);
    expect_gates(&n, &e);
    Solution s = solve(&r.problem, n.in);
    for (Answer a = ANSWER_SC; a <= ANSWER_DG; a++)
        assert_stage(&n, &s, &e, a);
    system_free(n.in);
    random_problem_free(&r);
}

static void stages_are_the_formulas_at_all_small_shapes(void **state)
{
    (void)state;
    for (size_t L = 1; L <= MOST; L++)
        for (size_t d = 1; d <= 3; d++)
            for (size_t window = 0; window <= L + 1; window++)
                for (Variant v = CASTLE; v <= WITHOUT_SILU; v++)
                    stages_are_the_formulas(L, d, window > L ? NO_WINDOW : window, v);
}

/* ---- what is there, and what is left behind ------------------------------------------------- */

/* Stages change no other answer; without a cotangent there are the forward ones alone; a system is
 * watched no longer than a solution takes. */
static void watching_leaves_no_trace(void **state)
{
    (void)state;
    RandomProblem r = random_problem(PLAIN, 5, 2, 3, &BINARY32, 4);
    System *in = f64_system();
    for (size_t k = 0; k < 4; k++) {
        if (k & 1)
            with_cotangent(&r);
        else
            r.problem.cotangent = NULL;
        r.problem.stages = k & 2;
        Solution s = solve(&r.problem, in), plain;
        for (Answer a = 0; a < ANSWERS; a++)
            assert_int_equal(s.of[a].entries != NULL, problem_has(&r.problem, a));
        assert_true(!in->observe && !in->observer);
        r.problem.stages = false;
        plain = solve(&r.problem, in);
        for (Answer a = 0; a < HEAD_ANSWERS; a++)
            if (plain.of[a].entries)
                assert_memory_equal(plain.of[a].entries, s.of[a].entries,
                                    s.of[a].rows * s.of[a].cols * sizeof(double));
        r.problem.stages = true;
        plain = solve_sequentially(&r.problem, in);
        for (Answer a = 0; a < ANSWERS; a++)
            assert_int_equal(plain.of[a].entries != NULL, a < FORWARD_ANSWERS);
        assert_true(!in->observe && !in->observer);
    }
    system_free(in);
    random_problem_free(&r);
}

/* ---- layers --------------------------------------------------------------------------------- */

static void assert_same(const char *what, Matrix A, Matrix B)
{
    assert_true(A.rows == B.rows && A.cols == B.cols && A.rows > 0);
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++)
            if (*(double *)entry(A, i, j) != *(double *)entry(B, i, j)) {
                print_error("%s differs at (%zu, %zu)\n", what, i, j);
                fail();
            }
}

static void a_layer_is_that_of_ref(void **state)
{
    static const Sizes sizes[] = {{1, 1, 1, 1, 1}, {2, 3, 4, 2, 5}, {3, 2, 5, 1, 4}};
    (void)state;
    for (size_t k = 0; k < 9; k++) {
        const Sizes *z = &sizes[k / 3];
        Task t = random_task(z, "float32", k);
        t.variant = (Variant)(k % 3), t.window = k % 3 ? k : NO_WINDOW, t.scale = 0.25;
        Problem p = task_problem(&t, 0);
        System *in = f64_system();
        size_t rows = z->batch * z->length, nd = z->heads * z->dim, dm = z->width;
        double *const *from = t.layer_input;
        Layer layer = {.W = {.WQU = matrix_from(in, dm, nd, from[LAYER_WQU]),
                             .WKU = matrix_from(in, dm, nd, from[LAYER_WKU]),
                             .WVU = matrix_from(in, dm, nd, from[LAYER_WVU]),
                             .WQC = matrix_from(in, dm, nd, from[LAYER_WQC]),
                             .WKC = matrix_from(in, dm, nd, from[LAYER_WKC]),
                             .WVC = matrix_from(in, dm, nd, from[LAYER_WVC]),
                             .WO = matrix_from(in, nd, dm, from[LAYER_WO])},
                       .heads = z->heads,
                       .scale = matrix_from(in, 1, 1, &t.scale),
                       .window = t.window,
                       .variant = t.variant};
        Matrix X = matrix_from(in, rows, dm, from[LAYER_X]);
        Matrix dY = matrix_from(in, rows, dm, t.cotangent), Y = matrix(in, rows, dm);
        LayerGradients g = layer_gradients_for(&layer, X);
        layer_forward(&layer, X, z->batch, parallel, Y);
        layer_backward(&layer, X, z->batch, dY, &g);
        const Matrix expected[] = {Y,        g.dX,     g.dW.WQU, g.dW.WKU, g.dW.WVU,
                                   g.dW.WQC, g.dW.WKC, g.dW.WVC, g.dW.WO};

        Solution s = solve(&p, in);
        for (Answer a = 0; a < ANSWERS; a++)
            if (a < LAYER_ANSWERS_BEGIN)
                assert_null(s.of[a].entries);
            else
                assert_same(answer_name(a), s.of[a], expected[a - LAYER_ANSWERS_BEGIN]);
        layer_forward(&layer, X, z->batch, sequential, Y);
        s = solve_sequentially(&p, in);
        assert_same("y, sequentially", s.of[ANSWER_Y], Y);
        for (Answer a = 0; a < ANSWERS; a++)
            assert_int_equal(s.of[a].entries != NULL, a == ANSWER_Y);
        system_free(in);
        task_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_are_the_formulas_at_all_small_shapes),
        cmocka_unit_test(watching_leaves_no_trace),
        cmocka_unit_test(a_layer_is_that_of_ref),
    };
    return cmocka_run_group_tests_name("solve", tests, NULL, NULL);
}
