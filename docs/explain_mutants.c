/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "explain_mutants.h"

#include "bug.h"
#include "cases.h"
#include "explain_json.h"
#include "mutant_kernel.h"
#include "verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    bool of_window; /* a mistake that only a window shows */
} chosen[] = {{"gate-includes-diagonal", false}, {"gate-transposed", false},
              {"t1-without-tril", false},        {"own-key-left-out", false},
              {"gate-unscaled", false},          {"lookahead-score-scaled-twice", false},
              {"silu-omitted", false},           {"penalty-added", false},
              {"window-one-too-wide", true},     {"window-on-causal-score", true},
              {"u-lacks-last-block", false},     {"carry-once", false}};

size_t explain_mutant_count(void) { return sizeof chosen / sizeof *chosen; }
const char *explain_mutant_name(size_t k) { return chosen[k].name; }

/* ---- the court -------------------------------------------------------------------------------- */

/* One window's truth. */
typedef struct Bench {
    Problem problem;
    Arithmetic arithmetic;
    Oracle *truth;
    Scales *scales;
} Bench;

struct Court {
    const Explain *e;
    const ExplainHead *h;
    Cases cases;
    Bench bench[2]; /* as asked for; for mistakes about windows. truth NULL: not needed yet */
};

Court *court_open(const Explain *e, const ExplainHead *h)
{
    Court *c = room_for(__func__, 1, sizeof *c);
    Failure f;
    c->e = e;
    c->h = h;
    if (!cases_read(&c->cases, NULL, &f))
        stop_on_bug(__func__, "%s", f.text);
    return c;
}

void court_close(Court *c)
{
    for (size_t k = 0; k < 2; k++)
        if (c->bench[k].truth) {
            oracle_free(c->bench[k].truth);
            scales_free(c->bench[k].scales);
        }
    cases_free(&c->cases);
    free(c);
}

static const Bench *bench_for(Court *c, size_t window)
{
    char why[100];
    Bench *b = &c->bench[window != c->e->window];
    if (b->truth)
        return b;
    b->problem = explain_problem(c->e, &c->h->inputs, window, CASTLE);
    if (!arithmetic_parse(&b->arithmetic, "float32", why, sizeof why))
        stop_on_bug(__func__, "%s", why);
    Problem answers = b->problem;
    answers.stages = false;
    b->truth = oracle(&answers, true, false);
    b->scales = error_scales(&answers, &b->arithmetic, b->truth, SCALE_SEED);
    return b;
}

/* ---- the test that notices -------------------------------------------------------------------- */

static bool is_after(const GoldenCase *c, const char *bug)
{
    for (size_t k = 0; k < c->bugs; k++)
        if (strcmp(c->bug[k], bug) == 0)
            return c->tier == TIER_CORE && !(c->kinds & KIND_LAYER);
    return false;
}

/* The first core case of heads that says it is after the bug, and what it is for. */
static json_t *json_bug(const Cases *cases, const char *bug)
{
    const char *meaning = "";
    for (size_t k = 0; k < cases->bugs; k++)
        if (strcmp(cases->bug[k].id, bug) == 0)
            meaning = cases->bug[k].meaning;
    for (size_t k = 0; k < cases->count; k++)
        if (is_after(&cases->at[k], bug))
            return json_pack("{s:s, s:s, s:s, s:s}", "id", bug, "meaning", meaning, "case",
                             cases->at[k].id, "purpose", cases->at[k].purpose);
    stop_on_bug(__func__, "no golden case is after %s", bug);
}

static json_t *json_verdict(const Bench *b, Answer a, const double *answered)
{
    const Truth *t = &b->truth->truth[a];
    const double *sigma = b->scales->sigma[a], *bound = b->scales->bound[a];
    char z[20];
    Verdict v = verdict_begin(t->rows * t->cols);
    for (size_t k = 0; k < t->rows * t->cols; k++)
        verdict_add(&v, k, score_element(t, k, sigma[k], bound[k], answered[k]), answered[k]);
    verdict_end(&v);
    (void)snprintf(z, sizeof z, "%.1e", v.worst_score.z);
    return json_pack("{s:s, s:s, s:s}", "tensor", answer_name(a), "verdict",
                     judgement_name(v.judgement), "z", z);
}

/* ---- its answers ------------------------------------------------------------------------------ */

static json_t *json_answers(const Bench *b, const Mutant *m, json_t *to)
{
    const Problem *p = &b->problem;
    size_t L = p->length;
    MutantAnswers wrong = mutant_kernel(p, &b->arithmetic, m, ROUND_NOTHING, 0);
    json_t *verdicts = json_array();
    for (Answer a = ANSWER_O; a <= ANSWER_U; a++)
        json_array_append_new(verdicts, json_verdict(b, a, wrong.of[a]));
    json_object_set_new(to, "verdicts", verdicts);
    if (L <= EXPLAIN_SHORT_TEXT)
        json_object_set_new(to, "su", json_triangle(wrong.of[ANSWER_SU], L, 0, true));
    json_object_set_new(to, "p", json_triangle(wrong.of[ANSWER_P], L, 0, false));
    json_object_set_new(to, "o", json_rows(wrong.of[ANSWER_O], 0, L, p->dim));
    json_object_set_new(to, "lse", json_rows(wrong.of[ANSWER_LSE], 0, L, 1));
    json_object_set_new(to, "u", json_rows(wrong.of[ANSWER_U], 0, L, p->dim));
    mutant_answers_free(&wrong);
    return to;
}

json_t *json_mutant(Court *c, size_t k)
{
    const Mutant *m = mutant_named(chosen[k].name);
    if (!m || !m->bug)
        stop_on_bug(__func__, "mutant %s has no bug in the table of cases", chosen[k].name);
    size_t window = c->e->window;
    if (chosen[k].of_window && window == NO_WINDOW)
        window = EXPLAIN_DEMO_WINDOW;
    if (chosen[k].of_window && window + 1 >= c->e->words.count)
        return NULL;
    json_t *to = json_pack("{s:s, s:s, s:s, s:o, s:o}", "id", m->id, "name", m->name, "what",
                           m->what, "window", json_window(window), "bug",
                           json_bug(&c->cases, m->bug));
    return json_answers(bench_for(c, window), m, to);
}
