/* SPDX-License-Identifier: GPL-3.0-or-later */
/* judge.c - whether the peers compute CASTLE at all: the suite's own verdict on their o. */
#include "bench.h"
#include "castle.h"

#include "../random_problem.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* castle_judge on o, which is dropped. Gives up when it is wrong: then there is nothing to compare. */
static void judge_o(const Problem *p, json_t *o, const char *name, const char *arithmetic,
                    json_t *verdicts)
{
    static const char *const words[] = {"right", "suspect", "wrong"};
    size_t n = p->length * p->dim;
    double *answered = malloc(n * sizeof *answered);
    for (size_t k = 0; answered && k < n; k++) {
        const char *hexadecimal = json_string_value(json_array_get(o, k));
        answered[k] = hexadecimal ? strtod(hexadecimal, NULL) : NAN;
    }
    json_decref(o);
    if (!answered)
        give_up("out of memory for", "o");
    const struct castle_problem problem = {
        .length = p->length,
        .dim = p->dim,
        .qu = p->input[INPUT_QU],
        .ku = p->input[INPUT_KU],
        .vu = p->input[INPUT_VU],
        .qc = p->input[INPUT_QC],
        .kc = p->input[INPUT_KC],
        .vc = p->input[INPUT_VC],
        .window = CASTLE_NO_WINDOW,
    };
    struct castle_verdict v;
    char why[256];
    errno = 0;
    if (castle_judge(&problem, arithmetic, CASTLE_O, answered, &v, why, sizeof why) != 0)
        give_up("castle_judge refuses the answers of", name);
    free(answered);
    say("castle_judge, L = %zu, d = %zu, %s: the o of %s is %s (max z %.3g, wrong above %.3g)\n",
        p->length, p->dim, arithmetic, name, words[v.judgement], v.z, v.wrong_above);
    errno = 0;
    if (v.judgement == CASTLE_WRONG)
        give_up("nothing to compare with: it does not compute CASTLE, this", name);
    json_array_append_new(verdicts, json_pack("{s:s, s:s, s:s, s:f}", "peer", name, "arithmetic",
                                              arithmetic, "verdict", words[v.judgement], "z", v.z));
}

void bench_judge(Bench *b)
{
    static const char *const names[] = {[NUMPY] = "numpy", [TORCH] = "torch"};
    RandomProblem r = random_problem(PLAIN, 64, 16, NO_WINDOW, &BINARY32, 1);
    json_t *verdicts = json_array();
    for (PeerName k = NUMPY; k <= TORCH; k++) {
        Peer *peer = b->peer[k][1];
        if (!peer)
            continue;
        peer_load(peer, &r.problem, b->folder);
        judge_o(&r.problem, peer_answer(peer, "castle"), names[k], "float64", verdicts);
        judge_o(&r.problem, peer_answer(peer, "castle32"), names[k], "float32", verdicts);
    }
    json_object_set_new(b->report, "verdicts_on_peers", verdicts);
    random_problem_free(&r);
}
