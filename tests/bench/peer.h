/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * peer.h - a Python program that does the same work: a worker process, asked over a pipe.
 *
 * It stays alive between questions, so that its rounds can be taken in turn with ours. worker.py has the
 * other end of the conversation.
 */
#ifndef CASTLE_BENCH_PEER_H
#define CASTLE_BENCH_PEER_H

#include "answers.h"

#include <jansson.h>

typedef struct Peer Peer;

/* Starts SCRIPTS/peer_NAME.py, with so many threads for its libraries, under the first Python that has
 * what it imports. NULL: none has. */
Peer *peer_start(const char *scripts, const char *name, int threads);
void peer_end(Peer *); /* NULL is allowed */

/* What it runs on: {"numpy": "1.24.2", ...}. Belongs to the peer. */
const json_t *peer_versions(const Peer *);

/* The problem of all questions that follow; `folder` is where its numbers are left for the worker. */
void peer_load(Peer *, const Problem *, const char *folder);

/* Seconds of one run of a form. */
double peer_seconds(Peer *, const char *form);

/* o of a form: length x dim hexadecimal numbers with every bit, to be dropped by the caller. */
json_t *peer_answer(Peer *, const char *form);

#endif
