/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Theorem 2: the blockwise forms, forward and backward, are the dense ones, in the field and in balls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backward_blockwise.h"
#include "ball.h"
#include "blockwise.h"
#include "parallel.h"
#include "prefill.h"
#include "random_problem.h"
#include "rounding_bounds.h"
#include "solve.h"

#include <math.h>
#include <omp.h>
#include <string.h>

static Head field_head(System *in, size_t L, size_t d, size_t window, uint64_t seed, Matrix *dO)
{
    Head h = {.window = window};
    Matrix *inputs[] = {&h.QU, &h.KU, &h.VU, &h.QC, &h.KC, &h.VC, dO};
    for (size_t k = 0; k < sizeof inputs / sizeof inputs[0]; k++)
        *inputs[k] = field_random_matrix(in, L, d, &seed);
    h.scale = field_random_matrix(in, 1, 1, &seed);
    return h;
}

typedef struct Shape {
    size_t L, d, window, block;
} Shape;

static void must_equal(const char *what, Shape s, Matrix A, Matrix B)
{
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++) {
            bool same = A.in->op->get
                            ? arb_overlaps(ball_at(A, i, j), ball_at(B, i, j))
                            : memcmp(entry(A, i, j), entry(B, i, j), A.in->op->bytes) == 0;
            if (!same) {
                print_error(
                    "Theorem 2, blocks against dense: %s differs at (%zu, %zu), L %zu d %zu "
                    "W %zd (-1: none) B %zu in %s\n",
                    what, i, j, s.L, s.d, s.window < NO_WINDOW ? (ptrdiff_t)s.window : -1, s.block,
                    A.in->op->name);
                fail();
            }
        }
}

/* Forward answers, D, and the gradients by both ways of taking D back. */
static void must_be_dense(const Head *h, Matrix dO, Shape s)
{
    System *in = h->QC.in;
    Answers dense = answers_for(h), blocks = answers_for(h);
    Matrix D = matrix(in, s.L, s.d);
    parallel(h, &dense);
    blockwise(h, s.block, &blocks, D);
    must_equal("O", s, dense.O, blocks.O);
    must_equal("lse", s, dense.lse, blocks.lse);
    must_equal("SU", s, dense.SU, blocks.SU);

    /* D is U^{(N-1)B}: the lookahead keys of the tokens before the last block */
    size_t before = (s.L - 1) / s.block * s.block;
    if (before) {
        Head seen = *h;
        Matrix *inputs[] = {&seen.QU, &seen.KU, &seen.VU, &seen.QC, &seen.KC, &seen.VC};
        for (size_t k = 0; k < sizeof inputs / sizeof inputs[0]; k++)
            *inputs[k] = rows(*inputs[k], 0, before);
        Answers earlier = answers_for(&seen);
        parallel(&seen, &earlier);
        must_equal("D", s, earlier.U, rows(D, 0, before));
    }

    Gradients g = gradients_for(h), b = gradients_for(h);
    backward(h, dO, &g);
    const Matrix expected[] = {g.dQU, g.dKU, g.dVU, g.dQC, g.dKC, g.dVC};
    const Matrix found[] = {b.dQU, b.dKU, b.dVU, b.dQC, b.dKC, b.dVC};
    static const char *const names[] = {"dQU", "dKU", "dVU", "dQC", "dKC", "dVC"};
    for (TakeBack how = BY_SUBTRACTION; how <= BY_RECOMPUTATION; how++) {
        backward_blockwise(h, s.block, &blocks, D, dO, how, &b);
        for (size_t k = 0; k < 6; k++)
            must_equal(names[k], s, expected[k], found[k]);
    }
}

static void blockwise_is_dense_for_every_small_shape(void **state)
{
    (void)state;
    for (size_t L = 1; L <= 9; L++)
        for (size_t B = 1; B <= L; B++)
            for (size_t W = 0; W <= L + 1; W++) {
                System *in = field_system(5);
                Shape s = {L, 2, W <= L ? W : NO_WINDOW, B};
                Matrix dO;
                Head h = field_head(in, L, s.d, s.window, 1000 * L + 100 * B + W, &dO);
                must_be_dense(&h, dO, s);
                system_free(in);
            }
}

static void blockwise_is_dense_for_ragged_shapes_and_windows_at_block_edges(void **state)
{
    (void)state;
    static const size_t lengths[] = {13, 17, 22, 29}, blocks[] = {4, 5, 8};
    for (size_t l = 0; l < 4; l++)
        for (size_t k = 0; k < 3; k++) {
            size_t B = blocks[k];
            const size_t windows[] = {NO_WINDOW, 0, 1, B - 1, B, B + 1, 2 * B + 1};
            for (size_t w = 0; w < 7; w++) {
                System *in = field_system(6);
                Shape s = {lengths[l], 3, windows[w], B};
                Matrix dO;
                Head h = field_head(in, s.L, s.d, s.window, 31 * l + 7 * k + w, &dO);
                must_be_dense(&h, dO, s);
                system_free(in);
            }
        }
}

static void blockwise_is_dense_in_balls(void **state)
{
    (void)state;
    for (Family f = 0; f < FAMILIES; f++)
        for (size_t B = 1; B <= 11; B += 3) {
            RandomProblem r = random_problem(f, 11, 4, f == DRIFT ? 4 : NO_WINDOW, &BINARY32, f);
            RandomProblem c = random_problem(PLAIN, 11, 4, NO_WINDOW, &BINARY32, 99);
            System *in = ball_system(256);
            Head h = problem_head(&r.problem, in);
            Matrix dO = matrix_from(in, 11, 4, c.numbers);
            must_be_dense(&h, dO, (Shape){11, 4, r.problem.window, B});
            system_free(in);
            random_problem_free(&r);
            random_problem_free(&c);
        }
}

/* (33): in float the subtraction leaves about eps |D^(N-1)| / |D^(1)|. One value of 2^30 that comes after
 * takes all of float's 24 bits of what stood in D_1 before; only recomputation brings them back. */
static void taking_D_back_by_subtraction_is_exact_only_in_exact_arithmetic(void **state)
{
    (void)state;
    enum { L = 5 };
    static const double zero[L] = {0}, one[L] = {1, 1, 1, 1, 1}, value[L] = {3, 1, -2, 5, 4};
    static const double outlier[L] = {0, 0.5, 0, 0x1p30, 0}, cotangent[L] = {1, -2, 3, 1, 2};
    const Problem p = {.length = L,
                       .dim = 1,
                       .window = NO_WINDOW,
                       .scale = 1,
                       .cotangent = cotangent,
                       .input = {zero, zero, outlier, one, zero, value}};
    for (TakeBack how = BY_SUBTRACTION; how <= BY_RECOMPUTATION; how++) {
        System *in = f32_system();
        Head h = problem_head(&p, in);
        Answers forward = answers_for(&h);
        Matrix D = matrix(in, L, 1), dO = matrix_from(in, L, 1, cotangent);
        Gradients dense = gradients_for(&h), g = gradients_for(&h);
        backward(&h, dO, &dense);
        blockwise(&h, 1, &forward, D);
        assert_true(*(float *)entry(D, 0, 0) == 0x1p29F); /* 1/4 + 2^29 in real numbers */
        backward_blockwise(&h, 1, &forward, D, dO, how, &g);
        /* token 3 of 5 (row 2) reads u_1 = 1/4; taken back by subtraction it is 0 */
        float expected = *(float *)entry(dense.dQC, 2, 0), found = *(float *)entry(g.dQC, 2, 0);
        RoundingBounds bounds = rounding_bounds(&p, 24);
        double bound = exp2(log2_rounding_bound(&bounds, ANSWER_DQC, 2, 0));
        rounding_bounds_end(&bounds);
        bool close = fabs((double)found - (double)expected) <= 2 * bound;
        if (close != (how == BY_RECOMPUTATION)) {
            print_error("dQC of token 3: dense %.9g, blockwise %.9g\n", (double)expected,
                        (double)found);
            fail();
        }
        system_free(in);
    }
}

/* ---- threads -------------------------------------------------------------------------------- */

enum { KEPT = 26 };

/* All that the forms answer with so many threads, in a system of its own. */
static System *everything(System *(*make)(void), const Problem *p, size_t B, int threads,
                          Matrix kept[KEPT])
{
    omp_set_num_threads(threads);
    System *in = make();
    size_t L = p->length, d = p->dim, n = 0;
    Head h = problem_head(p, in);
    Matrix dO = h.VC, D = matrix(in, L, d);
    Answers dense = answers_for(&h), blocks = answers_for(&h), later = answers_for(&h);
    Gradients g[3] = {gradients_for(&h), gradients_for(&h), gradients_for(&h)};
    Cache cache = cache_empty(in, L, d);
    parallel(&h, &dense);
    blockwise(&h, B, &blocks, D);
    prefill(&cache, &h, 0, L / 3, B, rows(later.O, 0, L / 3), rows(later.lse, 0, L / 3));
    prefill(&cache, &h, L / 3, L - L / 3, B, rows(later.O, L / 3, L - L / 3),
            rows(later.lse, L / 3, L - L / 3));
    backward(&h, dO, &g[0]);
    backward_blockwise(&h, B, &blocks, D, dO, BY_SUBTRACTION, &g[1]);
    backward_blockwise(&h, B, &blocks, D, dO, BY_RECOMPUTATION, &g[2]);
    const Matrix answers[] = {dense.O,   dense.SU, blocks.O, blocks.lse,
                              blocks.SU, D,        later.O,  cache.U};
    for (size_t k = 0; k < 8; k++)
        kept[n++] = answers[k];
    for (size_t k = 0; k < 3; k++) {
        const Matrix six[] = {g[k].dQU, g[k].dKU, g[k].dVU, g[k].dQC, g[k].dKC, g[k].dVC};
        for (size_t q = 0; q < 6; q++)
            kept[n++] = six[q];
    }
    assert_int_equal(n, KEPT);
    return in;
}

static void must_be_the_same(int threads, size_t k, Shape s, Matrix A, Matrix B)
{
    for (size_t i = 0; i < A.rows; i++)
        if (memcmp(entry(A, i, 0), entry(B, i, 0), A.cols * A.in->op->bytes) != 0) {
            print_error("answer %zu differs in row %zu with %d threads, L %zu d %zu W %zd B %zu in "
                        "%s\n",
                        k, i, threads, s.L, s.d, (ptrdiff_t)s.window, s.block, A.in->op->name);
            fail();
        }
}

/* Bit for bit, in products that BLAS would share out to threads by itself too. */
static void no_result_depends_on_the_number_of_threads(void **state)
{
    (void)state;
    static const Shape shapes[] = {
        {150, 24, NO_WINDOW, 16}, {217, 40, NO_WINDOW, 65}, {120, 16, 37, 25}};
    System *(*const make[])(void) = {f64_system, f32_system};
    const int before = omp_get_max_threads();
    for (size_t s = 0; s < 3; s++)
        for (size_t m = 0; m < 2; m++) {
            Shape shape = shapes[s];
            RandomProblem r = random_problem(PLAIN, shape.L, shape.d, shape.window, &BINARY32,
                                             40 + s);
            Matrix one[KEPT], more[KEPT];
            System *in = everything(make[m], &r.problem, shape.block, 1, one);
            for (int threads = 2; threads <= 6; threads += 4) {
                System *other = everything(make[m], &r.problem, shape.block, threads, more);
                for (size_t k = 0; k < KEPT; k++)
                    must_be_the_same(threads, k, shape, one[k], more[k]);
                system_free(other);
            }
            system_free(in);
            random_problem_free(&r);
        }
    omp_set_num_threads(before);
}

/* A kernel that declares bfloat16 operands rounds the weights that enter the product with VC, and sums
 * l from what they were before: summing rounded ones takes lse past its bound. */
static void played_roundings_stay_within_their_bounds(void **state)
{
    (void)state;
    static const char *const names[] = {"float32", "bfloat16"};
    for (unsigned long seed = 0; seed < repetitions(240); seed++) {
        Arithmetic a;
        char why[200];
        assert_true(arithmetic_parse(&a, names[seed % 8 > 0], why, sizeof why));
        size_t L = 1 + seed * 7 % 24, d = 1 + seed % 3, B = 1 + L / 3;
        RandomProblem r = random_problem(PLAIN, L, d, seed % 3 ? seed % L : NO_WINDOW, &BINARY32,
                                         seed);
        System *played = played_system(&a), *exact = mpfr_system(256), *bounds = bounded_system(&a);
        Solution truth = solve(&r.problem, exact), bound = solve(&r.problem, bounds);
        Head h = problem_head(&r.problem, played);
        Answers got = answers_for(&h);
        blockwise(&h, B, &got, matrix(played, L, d));
        for (Answer k = ANSWER_O; k <= ANSWER_LSE; k++) {
            Matrix A = answer_matrix(&got, k);
            for (size_t i = 0; i < A.rows; i++)
                for (size_t j = 0; j < A.cols; j++) {
                    mpfr_t x, y;
                    mpfr_inits2(512, x, y, (mpfr_ptr)0);
                    played->op->get(played, x, entry(A, i, j));
                    exact->op->get(exact, y, entry(truth.of[k], i, j));
                    mpfr_sub(x, x, y, MPFR_RNDN);
                    double error = fabs(mpfr_get_d(x, MPFR_RNDN));
                    mpfr_clears(x, y, (mpfr_ptr)0);
                    const Bounded *b = entry(bound.of[k], i, j);
                    if (error > b->error) {
                        print_error("%s, seed %lu, L %zu d %zu B %zu, %s (%zu, %zu): off by %g, "
                                    "bound %g\n",
                                    names[seed % 8 > 0], seed, L, d, B, answer_name(k), i, j, error,
                                    b->error);
                        fail();
                    }
                }
        }
        system_free(played);
        system_free(exact);
        system_free(bounds);
        random_problem_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blockwise_is_dense_for_every_small_shape),
        cmocka_unit_test(blockwise_is_dense_for_ragged_shapes_and_windows_at_block_edges),
        cmocka_unit_test(blockwise_is_dense_in_balls),
        cmocka_unit_test(taking_D_back_by_subtraction_is_exact_only_in_exact_arithmetic),
        cmocka_unit_test(no_result_depends_on_the_number_of_threads),
        cmocka_unit_test(played_roundings_stay_within_their_bounds),
    };
    return cmocka_run_group_tests_name("blockwise", tests, NULL, NULL);
}
