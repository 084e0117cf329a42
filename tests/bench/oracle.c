/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * oracle.c - what certified answers cost, against a limit.
 *
 * The limit     what the masks leave of Theorem 1's multiply-adds, at 0.30 ns each, and exponentials, at
 *               150 ns each, shared out to the threads. 0.30 ns: 113 bits are 3 limbs of 52 bits, 18
 *               instructions for 8 products at once, two a cycle, at 3.8 GHz. 150 ns: arb_exp at 113
 *               bits, measured there.
 * Limit here    the same with this core's clock and this machine's own arb_exp, both measured beside it.
 */
#include "ball.h"
#include "bench.h"
#include "measure.h"
#include "oracle.h"
#include "parallel.h"
#include "runs.h"

#include "../random_problem.h"

#include <math.h>

enum { BITS = ORACLE_BITS };

static const double LIMIT_MULTIPLY_ADD = 0.30e-9, LIMIT_EXP = 150e-9;
static const double LIMIT_MULTIPLY_ADD_CYCLES = 18.0 / 8 / 2;

/* ---- what is needed ------------------------------------------------------------------------- */

static void certify(void *p) { oracle_free(oracle(p, false, false)); }

/* What the masks leave of Theorem 1. */
typedef struct Needs {
    double multiply_adds, exps;
} Needs;

/* scale QC VU^T, scale QC KC^T and P VC keep s <= t, QU KU^T and G VU keep s < j: d for each pair.
 * Entry (t, s) of SU sums over s < j <= t. Exponentials: gate and SiLU over s < j, softmax over s <= t. */
static Needs needs(const Problem *p)
{
    double L = (double)p->length, d = (double)p->dim;
    double with_diagonal = L * (L + 1) / 2, without = L * (L - 1) / 2;
    return (Needs){3 * d * with_diagonal + 2 * d * without + L * (L * L - 1) / 6,
                   2 * without + with_diagonal};
}

/* The arguments that Theorem 1 hands to exp, as balls. */
typedef struct Arguments {
    arb_ptr x;
    slong count;
} Arguments;

static void take(Arguments *a, Matrix A, bool negated)
{
    for (size_t i = 0; i < A.rows; i++) {
        Range k = row_range(A, i);
        for (size_t j = k.first; j < k.end; j++) {
            arb_ptr x = a->x + a->count++;
            arb_set(x, ball_at(A, i, j));
            if (negated)
                arb_neg(x, x);
        }
    }
}

static Arguments exp_arguments(const Problem *p)
{
    Arguments a = {_arb_vec_init((slong)needs(p).exps), 0};
    System *in = ball_system(BITS);
    Head h = problem_head(p, in);
    Stages f = parallel_stages(&h);
    take(&a, scaled(h.scale, product_nt(h.QU, h.KU, lookahead(h.window))), true);
    take(&a, f.SU, true);
    take(&a, row_shift(f.S, row_reference(f.S, NULL)), false);
    if ((double)a.count != needs(p).exps)
        stop_on_bug(__func__, "%ld exponentials, where %.0f were counted", (long)a.count,
                    needs(p).exps);
    system_free(in);
    return a;
}

static void exponentials(void *arguments)
{
    const Arguments *a = arguments;
    arb_t y;
    arb_init(y);
    for (slong k = 0; k < a->count; k++)
        arb_exp(y, a->x + k, BITS);
    arb_clear(y);
}

/* ---- the limit ------------------------------------------------------------------------------ */

enum { CYCLE, EXPS, FORWARD, GRADIENTS, MEASURED };

/* What the oracle may take for these needs, in every round: the clock and arb_exp are the round's own. */
static Times limit_here(const Task t[MEASURED], Needs n, double arguments, int threads)
{
    Times limit = {0};
    for (int r = 0; r < MOST_ROUNDS; r++) {
        double cycle = t[CYCLE].times.sample[r] / ADDITIONS;
        double one_exp = t[EXPS].times.sample[r] / arguments;
        limit.sample[r] = (n.multiply_adds * LIMIT_MULTIPLY_ADD_CYCLES * cycle + n.exps * one_exp) /
                          threads;
    }
    return limit;
}

static json_t *say_limit(const char *what, const Task t[MEASURED], Needs n, double arguments,
                         int threads, int at_most)
{
    double ms = median(&t[FORWARD].times, NULL) * 1e3;
    double limit = (n.multiply_adds * LIMIT_MULTIPLY_ADD + n.exps * LIMIT_EXP) / threads * 1e3;
    Times here = limit_here(t, n, arguments, threads);
    double ratio = ms / limit, ratio_here = median(&t[FORWARD].times, &here);
    say("  %-28s %10.3e %9.3e %9.2f %6.2f  %-7s  %9.2f %6.2f\n", what, n.multiply_adds, n.exps,
        limit, ratio, verdict(ratio <= at_most), median(&here, NULL) * 1e3, ratio_here);
    return json_pack("{s:s, s:f, s:f, s:f, s:f, s:i, s:b, s:f, s:f}", "counted_as", what,
                     "multiply_adds", n.multiply_adds, "exponentials", n.exps, "limit_ms", limit,
                     "ratio", ratio, "at_most", at_most, "met", ratio <= at_most, "limit_here_ms",
                     median(&here, NULL) * 1e3, "ratio_here", ratio_here);
}

static void say_gradients(const Task t[MEASURED], json_t *object)
{
    double ratio = median(&t[GRADIENTS].times, &t[FORWARD].times);
    if (isnan(ratio))
        return;
    say("  with gradients %.2f ms, %.2f times the forward alone; at most 4: %s\n",
        median(&t[GRADIENTS].times, NULL) * 1e3, ratio, verdict(ratio <= 4));
    json_object_set_new(object, "with_gradients",
                        json_pack("{s:f, s:f, s:i, s:b}", "milliseconds",
                                  median(&t[GRADIENTS].times, NULL) * 1e3, "over_forward", ratio,
                                  "at_most", 4, "met", ratio <= 4));
}

/* The oracle on one problem, with a cotangent, measured `rounds` times; `at_most`: limits. */
static json_t *against_limit(RandomProblem *r, Arguments *arguments, int threads, int rounds,
                             int at_most)
{
    size_t block = r->problem.length < 128 ? r->problem.length : 128;
    Problem forward = r->problem, gradients = r->problem;
    with_cotangent(r);
    gradients.cotangent = r->problem.cotangent;
    Task t[MEASURED] = {
        [CYCLE] = {.name = "additions", .work = additions},
        [EXPS] = {.name = "arb_exp alone", .work = exponentials, .what = arguments},
        [FORWARD] = {.name = "oracle", .work = certify, .what = &forward},
        [GRADIENTS] = {.name = "oracle with gradients",
                       .work = certify,
                       .what = &gradients,
                       .every = 2},
    };
    Progress *progress = progress_begin("oracle", "run", (size_t)rounds * MEASURED);
    for (int round = 0; round < rounds; round++) {
        set_threads(1); /* the pace of one core is a matter of processor time */
        tasks_round(t, FORWARD, round, progress);
        set_threads(threads);
        tasks_round(t + FORWARD, MEASURED - FORWARD, round, progress);
    }
    progress_end(progress);

    double cycle = median(&t[CYCLE].times, NULL) / ADDITIONS;
    double one_exp = median(&t[EXPS].times, NULL) / (double)arguments->count;
    say("L = %zu, d = %zu, %d thread%s: %.2f ms; clock %.2f GHz, arb_exp %.0f ns (medians of %d)\n",
        forward.length, forward.dim, threads, threads > 1 ? "s" : "",
        median(&t[FORWARD].times, NULL) * 1e3, 1e-9 / cycle, one_exp * 1e9, rounds);
    Counts counted = run_counts(BLOCKWISE, &forward, block);
    Needs swept = {(double)counted.multiply_adds, exponentials_in(&counted)};
    double count = (double)arguments->count;
    json_t *limits = json_array();
    json_array_append_new(limits,
                          say_limit("Theorem 1", t, needs(&forward), count, threads, at_most));
    if (block < forward.length)
        json_array_append_new(limits,
                              say_limit("blocks of 128", t, swept, count, threads, at_most));
    json_t *object = json_pack("{s:I, s:I, s:i, s:f, s:f, s:f, s:o}", "length",
                               (json_int_t)forward.length, "dim", (json_int_t)forward.dim,
                               "threads", threads, "forward_ms",
                               median(&t[FORWARD].times, NULL) * 1e3, "clock_ghz", 1e-9 / cycle,
                               "arb_exp_ns", one_exp * 1e9, "limits", limits);
    say_gradients(t, object);
    json_t *samples = json_object();
    for (int k = 0; k < MEASURED; k++)
        json_object_set_new(samples, t[k].name, samples_ms(&t[k].times, rounds));
    json_object_set_new(object, "samples_ms", samples);
    return object;
}

/* ---- the section ---------------------------------------------------------------------------- */

void bench_oracle(Bench *b)
{
    RandomProblem small = random_problem(PLAIN, 64, 16, NO_WINDOW, &BINARY64, 1);
    RandomProblem large = random_problem(PLAIN,
                                         b->full    ? 2048
                                         : b->quick ? 256
                                                    : 512,
                                         128, NO_WINDOW, &BINARY64, 1);
    Problem forward = small.problem;
    Arguments arguments = exp_arguments(&forward);

    say("\nThe oracle (balls, %d bits, rounded to binary64) against its limit\n"
        "  limit: 0.30 ns a multiply-add, 150 ns an exponential, over the threads\n"
        "  limit here: 18 instructions for 8 multiply-adds, two a cycle of this clock; this "
        "arb_exp\n\n"
        "  %-28s %10s %9s %9s %6s  %-7s  %9s %6s\n",
        BITS, "counted as", "mult.-adds", "exps", "limit, ms", "ratio", "<= 5/10", "here, ms",
        "ratio");
    json_t *shapes = json_array();
    json_array_append_new(shapes, against_limit(&small, &arguments, 1, b->rounds, 5));
    json_array_append_new(shapes,
                          against_limit(&large, &arguments, b->threads, b->quick ? 1 : 2, 10));
    json_object_set_new(b->report, "oracle", shapes);
    _arb_vec_clear(arguments.x, arguments.count);
    random_problem_free(&small);
    random_problem_free(&large);
}
