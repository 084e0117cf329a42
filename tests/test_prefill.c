/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Algorithm 4, also onto a cache that is not empty: however a sequence is cut into prefills and
 * single steps, answers and cache are those of the definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ball.h"
#include "parallel.h"
#include "prefill.h"
#include "random_problem.h"
#include "sequential.h"
#include "solve.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEP = 0, MOST_PARTS = 64 };

/* How a sequence is taken in: parts of `count` tokens, by prefill in blocks of `block`, or by a
 * STEP of decoding. */
typedef struct Part {
    size_t count, block;
} Part;

typedef struct Plan {
    Part part[MOST_PARTS];
    size_t parts;
} Plan;

typedef struct Shape {
    size_t L, d, window;
    uint64_t seed;
    Variant variant;
} Shape;

enum { VARIANTS = WITHOUT_SILU + 1 };

static void complain(const char *what, const Shape *s, const Plan *p, size_t i, size_t j)
{
    print_error(
        "Theorem 3, prefilling: %s differs at (%zu, %zu), seed %llu, L %zu d %zu W %zd (-1: "
        "none) variant %d, parts",
        what, i, j, (unsigned long long)s->seed, s->L, s->d,
        s->window < NO_WINDOW ? (ptrdiff_t)s->window : -1, s->variant);
    for (size_t k = 0; k < p->parts; k++)
        print_error(p->part[k].block == STEP ? " step" : " %zu/B%zu", p->part[k].count,
                    p->part[k].block);
    print_error("\n");
    fail();
}

/* Answers and cache of one run. Room for more tokens than come. */
typedef struct Run {
    Matrix O, lse;
    Cache cache;
} Run;

/* Token 0 stands in row `first` of the head. */
static Run take_in(const Head *h, size_t first, const Shape *s, const Plan *p)
{
    System *in = h->QC.in;
    Run r = {matrix(in, s->L, s->d), matrix(in, s->L, 1), cache_empty(in, s->L + 2, s->d)};
    size_t t = 0;
    for (size_t k = 0; k < p->parts; t += p->part[k].count, k++) {
        Part part = p->part[k];
        if (part.block == STEP)
            decode_step(&r.cache, h, first + t, row(r.O, t), row(r.lse, t));
        else
            prefill(&r.cache, h, first + t, part.count, part.block, rows(r.O, t, part.count),
                    rows(r.lse, t, part.count));
    }
    assert_int_equal(t, s->L);
    assert_int_equal(r.cache.length, s->L);
    return r;
}

/* Equal in the field, overlapping in balls. */
static void must_agree(const char *what, const Shape *s, const Plan *p, Matrix A, Matrix B)
{
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++) {
            bool same = A.in->op->get ? arb_overlaps(ball_at(A, i, j), ball_at(B, i, j))
                                      : *(uint64_t *)entry(A, i, j) == *(uint64_t *)entry(B, i, j);
            if (!same)
                complain(what, s, p, i, j);
        }
}

static void must_be(const Answers *expected, const Head *h, const Shape *s, const Plan *p, Run r)
{
    System *in = h->QC.in;
    must_agree("O", s, p, expected->O, r.O);
    must_agree("lse", s, p, expected->lse, r.lse);
    must_agree("U", s, p, expected->U, rows(r.cache.U, 0, s->L));
    must_agree("cached QU", s, p, h->QU, rows(r.cache.QU, 0, s->L));
    must_agree("cached KC", s, p, h->KC, rows(r.cache.KC, 0, s->L));
    must_agree("cached VC", s, p, h->VC, rows(r.cache.VC, 0, s->L));
    const Matrix of_cache[] = {r.cache.U, r.cache.QU, r.cache.KC, r.cache.VC};
    for (size_t k = 0; k < 4; k++)
        must_agree("cache past its length", s, p, matrix(in, 2, s->d), rows(of_cache[k], s->L, 2));
}

/* ---- the field ------------------------------------------------------------------------------ */

static Head field_head(System *in, const Shape *s, size_t length)
{
    uint64_t state = s->seed;
    Head h = {.window = s->window, .variant = s->variant};
    Matrix *inputs[] = {&h.QU, &h.KU, &h.VU, &h.QC, &h.KC, &h.VC};
    for (size_t k = 0; k < sizeof inputs / sizeof inputs[0]; k++)
        *inputs[k] = field_random_matrix(in, length, s->d, &state);
    h.scale = field_random_matrix(in, 1, 1, &state);
    return h;
}

/* Rows first .. first + count - 1 as a head of their own. */
static Head part_of(const Head *h, size_t first, size_t count)
{
    Head part = *h;
    Matrix *inputs[] = {&part.QU, &part.KU, &part.VU, &part.QC, &part.KC, &part.VC};
    for (size_t k = 0; k < sizeof inputs / sizeof inputs[0]; k++)
        *inputs[k] = rows(*inputs[k], first, count);
    return part;
}

/* Every continuation of a plan that has taken in t tokens, by parts and block sizes. How many. */
static size_t every_plan(const Head *h, const Answers *expected, const Shape *s, Plan *p, size_t t)
{
    if (t == s->L) {
        Scope scope = scope_open(h->QC.in);
        must_be(expected, h, s, p, take_in(h, 0, s, p));
        scope_close(h->QC.in, scope);
        return 1;
    }
    size_t plans = 0;
    for (size_t count = 1; t + count <= s->L; count++)
        for (size_t block = count == 1 ? STEP : 1; block <= count; block++) {
            p->part[p->parts++] = (Part){count, block};
            plans += every_plan(h, expected, s, p, t + count);
            p->parts--;
        }
    return plans;
}

/* The plans of L tokens, counted another way: a(L) = 2 a(L-1) + sum over c >= 2 of c a(L-c). */
static size_t plans_of(size_t L)
{
    size_t a = L ? 2 * plans_of(L - 1) : 1;
    for (size_t c = 2; c <= L; c++)
        a += c * plans_of(L - c);
    return a;
}

static void every_way_to_take_in_six_tokens_is_the_definition(void **state)
{
    (void)state;
    size_t most = repetitions(10) < 10 ? 4 : 6;
    for (size_t L = 1; L <= most; L++) {
        const size_t windows[] = {NO_WINDOW, 0, 1, 2, L};
        unsigned variants = L < 6 ? VARIANTS : 1;
        for (unsigned w = 0; w < variants * sizeof windows / sizeof *windows; w++) {
            System *in = field_system(3);
            Shape s = {L, 2, windows[w / variants], 100 * L + w, w % variants};
            Head h = field_head(in, &s, L);
            Answers expected = answers_for(&h);
            sequential(&h, &expected);
            Plan p = {.parts = 0};
            assert_int_equal(every_plan(&h, &expected, &s, &p, 0), plans_of(L));
            system_free(in);
        }
    }
}

static size_t up_to(uint64_t *state, size_t most) { return field_random(state) % (most + 1); }

/* Parts of 0 (a prefill of nothing) to `most` tokens; blocks that may be larger than the part. */
static Plan random_plan(uint64_t *state, size_t L, size_t most)
{
    Plan p = {.parts = 0};
    for (size_t t = 0; t < L; t += p.part[p.parts++].count) {
        size_t count = p.parts + 1 == MOST_PARTS ? L - t : up_to(state, most);
        count = count < L - t ? count : L - t;
        size_t block = count == 1 ? up_to(state, 3) : 1 + up_to(state, most + 2);
        p.part[p.parts] = (Part){count, block};
    }
    return p;
}

/* Longer ones; the tokens stand somewhere within a longer head. */
static void seeded_ways_to_take_in_longer_sequences_are_the_definition(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < repetitions(200); seed++) {
        uint64_t draw = 1000 * seed;
        System *in = field_system(4);
        Shape s = {7 + up_to(&draw, 33), 1 + up_to(&draw, 3), 0, seed, seed % VARIANTS};
        s.window = up_to(&draw, 2) ? up_to(&draw, s.L) : NO_WINDOW;
        size_t first = up_to(&draw, 4);
        Plan p = random_plan(&draw, s.L, 1 + up_to(&draw, s.L - 1));
        Head longer = field_head(in, &s, s.L + 5), h = part_of(&longer, first, s.L);
        Answers expected = answers_for(&h);
        sequential(&h, &expected);
        must_be(&expected, &h, &s, &p, take_in(&longer, first, &s, &p));
        system_free(in);
    }
}

/* ---- numbers -------------------------------------------------------------------------------- */

static void in_balls_all_ways_overlap(void **state)
{
    (void)state;
    for (Family f = 0; f < FAMILIES; f++)
        for (uint64_t seed = 0; seed < repetitions(10); seed++) {
            uint64_t draw = 100 * seed + f;
            System *in = ball_system(256);
            Shape s = {13, 4, seed % 2 ? up_to(&draw, 13) : NO_WINDOW, seed, seed % VARIANTS};
            RandomProblem r = random_problem(f, s.L, s.d, s.window, &BINARY32, seed);
            Head h = problem_head(&r.problem, in);
            h.variant = s.variant;
            Answers expected = answers_for(&h);
            parallel(&h, &expected);
            Plan p = random_plan(&draw, s.L, 6);
            must_be(&expected, &h, &s, &p, take_in(&h, 0, &s, &p));
            system_free(in);
            random_problem_free(&r);
        }
}

/* The truth in balls, and next to it how far binary64 may be from it, whatever the order of its
 * sums: proofs/rounding.md, section 3. */
typedef struct Judge {
    System *ball, *bounded;
    Answers truth, bound;
} Judge;

static Judge judge_of(const Problem *problem, Variant variant)
{
    Arithmetic binary64;
    char why[400];
    assert_true(arithmetic_parse(&binary64, "float64", why, sizeof why));
    Judge j = {.ball = ball_system(200), .bounded = bounded_system(&binary64)};
    Head exact = problem_head(problem, j.ball), rough = problem_head(problem, j.bounded);
    exact.variant = rough.variant = variant;
    j.truth = answers_for(&exact);
    j.bound = answers_for(&rough);
    parallel(&exact, &j.truth);
    parallel(&rough, &j.bound);
    return j;
}

/* The largest error as a part of its bound. */
static double worst(const char *what, const Shape *s, const Plan *p, Matrix got, Matrix truth,
                    Matrix bound)
{
    double most = 0;
    arb_t off;
    mag_t size;
    arb_init(off);
    mag_init(size);
    for (size_t i = 0; i < got.rows; i++)
        for (size_t j = 0; j < got.cols; j++) {
            arb_set_d(off, *(double *)entry(got, i, j));
            arb_sub(off, off, ball_at(truth, i, j), 200);
            arb_get_mag(size, off); /* an upper bound of |off| */
            double error = mag_get_d(size), allowed = ((Bounded *)entry(bound, i, j))->error;
            if (!(error <= allowed) || !isfinite(allowed))
                complain(what, s, p, i, j);
            most = allowed > 0 ? fmax(most, error / allowed) : most;
        }
    arb_clear(off);
    mag_clear(size);
    return most;
}

/* 48 tokens of 16 numbers, so that products are large enough to go to BLAS. */
static void in_binary64_all_ways_are_within_its_bounds(void **state)
{
    (void)state;
    double most = 0;
    for (Family f = 0; f < FAMILIES; f++)
        for (uint64_t seed = 0; seed < repetitions(VARIANTS); seed++) {
            uint64_t draw = 100 * seed + f;
            size_t window = (seed + f) % 2 ? up_to(&draw, 20) : NO_WINDOW;
            Shape s = {48, 16, window, seed, seed % VARIANTS};
            RandomProblem r = random_problem(f, s.L, s.d, s.window, &BINARY64, seed);
            Judge judge = judge_of(&r.problem, s.variant);
            System *in = f64_system();
            Head h = problem_head(&r.problem, in);
            h.variant = s.variant;
            for (size_t n = 0; n < 6; n++) {
                Plan p = random_plan(&draw, s.L, n ? 1 + up_to(&draw, s.L - 1) : 1);
                Run run = take_in(&h, 0, &s, &p);
                most = fmax(most, worst("O", &s, &p, run.O, judge.truth.O, judge.bound.O));
                most = fmax(most, worst("lse", &s, &p, run.lse, judge.truth.lse, judge.bound.lse));
                most = fmax(most, worst("U", &s, &p, rows(run.cache.U, 0, s.L), judge.truth.U,
                                        judge.bound.U));
            }
            system_free(in);
            system_free(judge.ball);
            system_free(judge.bounded);
            random_problem_free(&r);
        }
    print_message("  largest error in binary64: %.2g of its bound\n", most);
}

/* A kernel that keeps its cache in bfloat16 has every row of U in it, those that came to rest with this part too:
 * with a window, row t - W takes in token t, the first of the new ones, and is rounded after it. */
static void a_cache_in_fewer_bits_holds_no_more(void **state)
{
    (void)state;
    enum { L = 11, D = 3 };
    Arithmetic a;
    char why[200];
    assert_true(arithmetic_parse(&a, "float32,cache=bfloat16", why, sizeof why));
    for (size_t window = 1; window <= L; window++)
        for (size_t first = 1; first < L; first++) {
            RandomProblem r = random_problem(PLAIN, L, D, window, &BINARY32, window * L + first);
            System *in = played_system(&a);
            Head h = problem_head(&r.problem, in);
            Matrix O = matrix(in, L, D), lse = matrix(in, L, 1);
            Cache cache = cache_empty(in, L, D);
            prefill(&cache, &h, 0, first, 3, rows(O, 0, first), rows(lse, 0, first));
            prefill(&cache, &h, first, L - first, 3, rows(O, first, L - first),
                    rows(lse, first, L - first));
            for (size_t s = 0; s < L; s++)
                for (size_t k = 0; k < D; k++) {
                    mpfr_srcptr u = entry(cache.U, s, k);
                    double kept = mpfr_get_d(u, MPFR_RNDN);
                    if (format_round_double(kept, &BFLOAT16) != kept)
                        fail_msg("Theorem 3, prefilling: U(%zu, %zu) = %a is no bfloat16, W %zu, "
                                 "parts %zu and %zu",
                                 s, k, kept, window, first, L - first);
                }
            system_free(in);
            random_problem_free(&r);
        }
}

/* A token of NaNs reaches no row of O before it and no key out of its reach. */
static void a_token_of_nan_spoils_nothing_out_of_its_reach(void **state)
{
    (void)state;
    enum { L = 17, BAD = 9 };
    const size_t windows[] = {NO_WINDOW, 0, 3};
    for (size_t w = 0; w < sizeof windows / sizeof *windows; w++)
        for (uint64_t seed = 0; seed < 20; seed++) {
            uint64_t draw = 300 + seed;
            Shape s = {L, 3, windows[w], seed, CASTLE};
            RandomProblem r = random_problem(PLAIN, L, s.d, s.window, &BINARY64, seed);
            for (size_t k = 0; k < INPUTS; k++)
                for (size_t j = 0; j < s.d; j++)
                    r.numbers[(k * L + BAD) * s.d + j] = NAN;
            System *in = f64_system();
            Head h = problem_head(&r.problem, in);
            Plan p = random_plan(&draw, L, L);
            Run run = take_in(&h, 0, &s, &p);
            for (size_t t = 0; t < L; t++) {
                /* key BAD too, once a later token is let in: its own gates are NaN */
                bool reached = t < BAD ? BAD - t <= s.window : t == BAD && s.window > 0;
                if (isnan(*(double *)entry(run.O, t, 0)) != (t >= BAD))
                    complain("NaN in O", &s, &p, t, 0);
                if (isnan(*(double *)entry(run.cache.U, t, 0)) != reached)
                    complain("NaN in U", &s, &p, t, 0);
            }
            system_free(in);
            random_problem_free(&r);
        }
}

/* ---- misuse --------------------------------------------------------------------------------- */

static void prefill_into(size_t room, size_t count, size_t block)
{
    System *in = field_system(3);
    Shape s = {4, 2, NO_WINDOW, 1, CASTLE};
    Head h = field_head(in, &s, s.L);
    Cache cache = cache_empty(in, room, s.d);
    prefill(&cache, &h, 0, count, block, matrix(in, count, s.d), matrix(in, count, 1));
    system_free(in);
}

static bool aborts(size_t room, size_t count, size_t block)
{
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)freopen("/dev/null", "w", stderr);
        prefill_into(room, count, block);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void a_full_cache_and_empty_blocks_are_bugs(void **state)
{
    (void)state;
    assert_false(aborts(4, 4, 1));
    assert_false(aborts(4, 4, SIZE_MAX));
    assert_false(aborts(0, 0, 1));
    assert_true(aborts(3, 4, 1));
    assert_true(aborts(4, 4, 0));
    assert_true(aborts(9, 5, 1)); /* more tokens than the head has */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_to_take_in_six_tokens_is_the_definition),
        cmocka_unit_test(seeded_ways_to_take_in_longer_sequences_are_the_definition),
        cmocka_unit_test(in_balls_all_ways_overlap),
        cmocka_unit_test(in_binary64_all_ways_are_within_its_bounds),
        cmocka_unit_test(a_cache_in_fewer_bits_holds_no_more),
        cmocka_unit_test(a_token_of_nan_spoils_nothing_out_of_its_reach),
        cmocka_unit_test(a_full_cache_and_empty_blocks_are_bugs),
    };
    return cmocka_run_group_tests_name("prefill", tests, NULL, NULL);
}
