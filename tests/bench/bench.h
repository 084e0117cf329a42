/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bench.h - what the sections of `make bench` share: options, where results go, how to give up.
 *
 * Each section measures, prints its table and adds its object to the report. A requirement that is not
 * met is printed as such and changes no exit status: a bench is not a test.
 */
#ifndef CASTLE_BENCH_H
#define CASTLE_BENCH_H

#include "growth.h"
#include "peer.h"
#include "solve.h"

#include <jansson.h>
#include <stdbool.h>

typedef enum PeerName { NUMPY, TORCH, MPMATH, PEERS } PeerName;
enum { MOST_THREADS = 2 };

typedef struct Bench {
    const char *folder, *scripts; /* of the results; of the peers' Python scripts */
    int rounds, threads;          /* threads: measured with one, and with so many */
    bool quick, full, paper;
    Peer *peer[PEERS][MOST_THREADS + 1]; /* by threads; NULL where it is not installed */
    Curve memory;                        /* from bench_memory() for bench_growth() */
    json_t *report;
} Bench;

/* Forks a child for each length, so it must come before anything that starts threads. */
void bench_memory(Bench *);
void bench_oracle(Bench *); /* the oracle against its limit */
void bench_mpmath(Bench *); /* mpmath against the oracle and the naive form in MPFR */
void bench_judge(Bench *);  /* castle_judge on the answers of numpy and torch */
void bench_forms(Bench *);  /* the forms in f64 and f32 against dgemm, attention, numpy, torch */
void bench_growth(Bench *); /* exponents, measured and counted; bench_memory's too; the plot */

void bench_paper(Bench *); /* with --paper: the paper's golden vectors, case by case */

/* Prints to standard output and to FOLDER/bench.txt. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_into(const char *folder);    /* opens it; give_up() where that fails */
void say_no_more(const char *folder); /* gives bench.txt its name */

/* "met" or "not met". */
const char *verdict(bool met);

/* Writes the object to FOLDER/NAME, whole or not at all, and drops it. */
void write_json(json_t *object, const char *folder, const char *name);

/* The path FOLDER/NAME, to be freed. */
char *path_in(const char *folder, const char *name);

/* One sentence on standard error, with errno's reason where there is one; exit status 2. */
_Noreturn void give_up(const char *what, const char *name);

#endif
