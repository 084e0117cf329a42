/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main.c - the program behind `make bench`.
 *
 * Exit status 0 whatever the ratios are: a bench is not a test. 2 when it could not measure, or when a
 * peer computes something else.
 */
#include "bench.h"
#include "bug.h"
#include "machine.h"
#include "measure.h"
#include "version.h"

#include <argp.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const struct argp_option options[] = {
    {"quick", 'q', NULL, 0, "small shapes, three rounds: under a minute, for a first look", 0},
    {"full", 'f', NULL, 0, "also what takes minutes: the oracle at L = 2048", 0},
    {"paper", 'p', NULL, 0, "also the golden vectors of the paper's shapes: half an hour", 0},
    {"rounds", 'r', "N", 0, "rounds to take medians over, 1 to 99 (default 5, 3 with --quick)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    Bench *b = state->input;
    char *end;
    switch (key) {
    case 'q':
        b->quick = true;
        return 0;
    case 'f':
        b->full = true;
        return 0;
    case 'p':
        b->paper = true;
        return 0;
    case 'r':
        b->rounds = (int)strtol(arg, &end, 10);
        if (end == arg || *end || b->rounds < 1 || b->rounds > MOST_ROUNDS)
            argp_error(state, "--rounds is \"%s\"; expected a whole number from 1 to %d", arg,
                       MOST_ROUNDS);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1)
            argp_error(state, "\"%s\" is one argument too many; expected FOLDER SCRIPTS", arg);
        *(state->arg_num ? &b->scripts : &b->folder) = arg;
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num < 2)
            argp_error(state, "expected FOLDER SCRIPTS");
        if (b->quick && b->full)
            argp_error(state, "--quick and --full exclude each other");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
    options,
    parse,
    "FOLDER SCRIPTS",
    "Measures the forms and the oracle, side by side with dgemm, numpy, PyTorch and mpmath. Writes "
    "the table it prints, bench.json and growth.svg to FOLDER; SCRIPTS is where the peers' Python "
    "programs are (tests/bench)."
    "\vmake bench OPTIONS='--quick' passes options. A peer that is not installed is left out.",
    NULL,
    NULL,
    NULL};

static const char *const peer_names[PEERS] = {
    [NUMPY] = "numpy", [TORCH] = "torch", [MPMATH] = "mpmath"};

static void start_peers(Bench *b)
{
    json_t *peers = json_object();
    for (PeerName k = 0; k < PEERS; k++) {
        for (int threads = 1; threads <= (k == MPMATH ? 1 : b->threads); threads++)
            b->peer[k][threads] = peer_start(b->scripts, peer_names[k], threads);
        if (!b->peer[k][1]) {
            say("%s is not installed (make deps-bench installs it): its figures are left out.\n",
                peer_names[k]);
            continue;
        }
        json_t *versions = json_deep_copy(peer_versions(b->peer[k][1]));
        const char *blas = json_string_value(json_object_get(versions, "blas"));
        say("peer: %s %s%s%s\n", peer_names[k],
            json_string_value(json_object_get(versions, peer_names[k])), blas ? "; BLAS: " : "",
            blas ? blas : "");
        json_object_set_new(peers, peer_names[k], versions);
    }
    json_object_set_new(b->report, "peers", peers);
}

static void end_peers(Bench *b)
{
    for (PeerName k = 0; k < PEERS; k++)
        for (int threads = 1; threads <= MOST_THREADS; threads++)
            peer_end(b->peer[k][threads]);
}

static void say_machine(Bench *b, double load)
{
    json_t *facts = machine_facts();
    Times cycle = {{0}};
    set_threads(1);
    for (int round = 0; round < b->rounds; round++)
        cycle.sample[round] = seconds_of(additions, NULL) / ADDITIONS;
    double ghz = 1e-9 / median(&cycle, NULL);
    json_object_set_new(facts, "clock_ghz", json_real(ghz));
    say("castle %s, %s\n%s, %d cores, %.2f GHz by a chain of additions\nBLAS kernels: %s%s\n",
        CASTLE_VERSION, json_string_value(json_object_get(facts, "compiler")),
        json_string_value(json_object_get(facts, "cpu")), cores(), ghz,
        json_string_value(json_object_get(facts, "blas_kernels")),
        json_object_get(facts, "OPENBLAS_CORETYPE") ? ", as OPENBLAS_CORETYPE demands" : "");
    if (load > 0.5)
        say("The load average was %.1f at the start: wall-clock times (two threads) are of little "
            "use.\n",
            load);
    json_object_set_new(facts, "load_average", json_real(load));
    json_object_set_new(b->report, "machine", facts);
}

int main(int argc, char **argv)
{
    /* As the castle program does: matrices come and go. */
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    argp_err_exit_status = 2;
    Bench b = {.report = json_object(), .threads = cores() < MOST_THREADS ? 1 : MOST_THREADS};
    argp_parse(&argp, argc, argv, 0, NULL, &b);
    if (b.rounds == 0)
        b.rounds = b.quick ? 3 : 5;
    (void)signal(SIGPIPE, SIG_IGN); /* a peer that died is noticed where its answer is read */
    if (mkdir(b.folder, 0777) != 0 && errno != EEXIST)
        give_up("cannot make", b.folder);
    double load = 0;
    if (getloadavg(&load, 1) < 1)
        load = 0;
    bench_memory(&b);
    say_into(b.folder);
    say_machine(&b, load);
    start_peers(&b);
    if (b.threads < MOST_THREADS)
        say("This machine has one core: nothing is measured with two threads.\n");
    bench_judge(&b);
    bench_oracle(&b);
    bench_mpmath(&b);
    bench_forms(&b);
    bench_growth(&b);
    bench_paper(&b);
    end_peers(&b);
    say_no_more(b.folder);
    write_json(b.report, b.folder, "bench.json");
    return 0;
}
