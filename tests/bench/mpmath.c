/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mpmath.c - certified answers and the naive form in MPFR against the same algorithms in Python's mpmath,
 * and what the other uses of these precisions cost.
 */
#include "bench.h"
#include "decode.h"
#include "measure.h"
#include "oracle.h"
#include "parallel.h"
#include "sequential.h"
#include "systems.h"

#include "../random_problem.h"

#include <math.h>

enum { BITS = ORACLE_BITS, AGREED_BITS = 100, NOISY_RUNS = 32, SLOW_EVERY = 3 };

typedef void Text(const Head *, Answers *);

static void run_text(System *in, Text *text, const Problem *p)
{
    Head head = problem_head(p, in);
    Answers answers = answers_for(&head);
    text(&head, &answers);
    system_free(in);
}

static void certify(void *p) { oracle_free(oracle(p, false, false)); }
static void parallel_ball(void *p) { run_text(ball_system(BITS), parallel, p); }
static void naive_mpfr(void *p) { run_text(mpfr_system(BITS), sequential, p); }
static void parallel_mpfr(void *p) { run_text(mpfr_system(BITS), parallel, p); }
static void decode_mpfr(void *p) { run_text(mpfr_system(BITS), decode, p); }

static void noisy_runs(void *p)
{
    Arithmetic arithmetic;
    char why[200];
    if (!arithmetic_parse(&arithmetic, "bfloat16", why, sizeof why))
        stop_on_bug(__func__, "%s", why);
    for (uint64_t seed = 1; seed <= NOISY_RUNS; seed++)
        run_text(noisy_system(&arithmetic, seed, 1), parallel, p);
}

/* To how many bits, of the largest entry of each row, o of a form here and of the peer agree. */
static double agreement(const Problem *p, Text *text, System *in, Peer *peer, const char *form)
{
    Head head = problem_head(p, in);
    Answers answers = answers_for(&head);
    text(&head, &answers);
    json_t *o = peer_answer(peer, form);
    mpfr_t x, y;
    mpfr_inits2(2 * BITS, x, y, (mpfr_ptr)NULL);
    double worst = 0;
    for (size_t i = 0; i < p->length; i++) {
        double size = 0, difference = 0;
        for (size_t j = 0; j < p->dim; j++) {
            in->op->get(in, x, entry(answers.O, i, j));
            const char *hexadecimal = json_string_value(json_array_get(o, i * p->dim + j));
            if (!hexadecimal || mpfr_set_str(y, hexadecimal, 16, MPFR_RNDN) != 0)
                stop_on_bug(__func__, "the peer's o has no number %zu, %zu", i, j);
            mpfr_sub(y, x, y, MPFR_RNDN);
            size = fmax(size, fabs(mpfr_get_d(x, MPFR_RNDN)));
            difference = fmax(difference, fabs(mpfr_get_d(y, MPFR_RNDN)));
        }
        worst = fmax(worst, difference / size);
    }
    mpfr_clears(x, y, (mpfr_ptr)NULL);
    json_decref(o);
    system_free(in);
    return -log2(worst);
}

static json_t *say_peer_ratio(const Task *peer, const Task *ours, int at_least)
{
    double ratio = median(&peer->times, &ours->times);
    say("  %-23s %8.2f ms   %-19s %8.2f ms   ratio %6.2f >= %2d  %s\n", peer->name,
        median(&peer->times, NULL) * 1e3, ours->name, median(&ours->times, NULL) * 1e3, ratio,
        at_least, verdict(ratio >= at_least));
    return json_pack("{s:s, s:s, s:f, s:i, s:b}", "name", peer->name, "against", ours->name,
                     "ratio", ratio, "at_least", at_least, "met", ratio >= at_least);
}

static json_t *against_peer(const Bench *b, Problem *p)
{
    Peer *peer = b->peer[MPMATH][1];
    enum { ORACLE, PEER, NAIVE_MPFR, PEER_NAIVE, BALLS, MPFR, DECODE_MPFR, NOISY, TASKS };
    Task t[TASKS] = {
        [ORACLE] = {.name = "oracle", .work = certify, .what = p},
        [PEER] = {.name = "mpmath, parallel form", .peer = peer, .form = "parallel"},
        [NAIVE_MPFR] = {.name = "naive form in MPFR",
                        .work = naive_mpfr,
                        .what = p,
                        .every = SLOW_EVERY},
        [PEER_NAIVE] = {.name = "mpmath, naive form",
                        .peer = peer,
                        .form = "naive",
                        .every = SLOW_EVERY},
        [BALLS] = {.name = "parallel form in balls", .work = parallel_ball, .what = p},
        [MPFR] = {.name = "parallel form in MPFR", .work = parallel_mpfr, .what = p},
        [DECODE_MPFR] = {.name = "decoding in MPFR", .work = decode_mpfr, .what = p},
        [NOISY] = {.name = "32 noisy runs, bfloat16", .work = noisy_runs, .what = p},
    };
    set_threads(1);
    if (peer)
        peer_load(peer, p, b->folder);
    Progress *progress = progress_begin("mpmath", "run", (size_t)b->rounds * TASKS);
    for (int round = 0; round < b->rounds; round++)
        tasks_round(t, TASKS, round, progress);
    progress_end(progress);

    json_t *object = json_object(), *samples = json_object();
    say("\n%d bits, L = %zu, d = %zu, one thread\n", BITS, p->length, p->dim);
    if (peer) {
        json_t *ratios = json_array();
        json_array_append_new(ratios, say_peer_ratio(&t[PEER], &t[ORACLE], 15));
        json_array_append_new(ratios, say_peer_ratio(&t[PEER_NAIVE], &t[NAIVE_MPFR], 8));
        double bits[] = {agreement(p, parallel, ball_system(BITS), peer, "parallel"),
                         agreement(p, sequential, mpfr_system(BITS), peer, "naive")};
        bool met = fmin(bits[0], bits[1]) >= AGREED_BITS;
        say("  o agrees with mpmath's to %.1f bits (balls) and %.1f bits (naive form), %d needed: "
            "%s\n",
            bits[0], bits[1], AGREED_BITS, verdict(met));
        json_object_set_new(object, "ratios", ratios);
        json_object_set_new(
            object, "agreed_bits",
            json_pack("{s:f, s:f, s:b}", "parallel", bits[0], "naive", bits[1], "met", met));
    }
    for (int k = 0; k < TASKS; k++) {
        if (k >= BALLS)
            say("  %-24s %9.2f ms\n", t[k].name, median(&t[k].times, NULL) * 1e3);
        json_object_set_new(samples, t[k].name, samples_ms(&t[k].times, b->rounds));
    }
    json_object_set_new(object, "samples_ms", samples);
    return object;
}

void bench_mpmath(Bench *b)
{
    RandomProblem r = random_problem(PLAIN, 64, 16, NO_WINDOW, &BINARY64, 1);
    json_object_set_new(b->report, "mpmath", against_peer(b, &r.problem));
    random_problem_free(&r);
}
