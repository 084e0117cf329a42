/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "shrink_trial.h"

#include "bug.h"
#include "plugin_checks.h"
#include "trial_judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is wrong ---------------------------------------------------------------------------- */

static bool is_wrong_in(const AnswerSet *s, Answer a)
{
    return s->answer[a] && s->verdict[a].judgement == WRONG;
}

/* Wrong by a large z, or not finite; else by its bound alone, which a last place can pass. */
static bool is_far_off(const AnswerSet *s, Answer a)
{
    const Verdict *v = &s->verdict[a];
    return v->not_finite || v->worst_score.z > v->thresholds.wrong;
}

/* False: nothing is wrong in it. */
static bool find_target(ShrunkTrial *s, const Trial *t)
{
    *s = (ShrunkTrial){.from = t, .answer = ANSWERS};
    for (size_t k = 0; k < t->sets; k++)
        for (Answer a = 0; a < ANSWERS; a++)
            if (is_wrong_in(&t->set[k], a)) {
                snprintf(s->part, sizeof s->part, "%s", t->set[k].part);
                s->answer = a;
                s->from_set = k;
                s->far_off = is_far_off(&t->set[k], a);
                return true;
            }
    if (!t->faults)
        return false;
    snprintf(s->part, sizeof s->part, "%s", t->fault[0].part);
    snprintf(s->fault, sizeof s->fault, "%s", t->fault[0].text);
    return true;
}

/* Up to the first figure: what comes behind depends on the shape. */
static bool same_words(const char *a, const char *b)
{
    size_t n = strcspn(a, "0123456789");
    return strncmp(a, b, n) == 0 && n == strcspn(b, "0123456789");
}

/* Takes over what the trial says of the target; false where it is not wrong in that way. */
static bool take_failure(ShrunkTrial *s, Trial *t)
{
    for (size_t k = 0; s->answer < ANSWERS && k < t->sets; k++)
        if (strcmp(t->set[k].part, s->part) == 0 && is_wrong_in(&t->set[k], s->answer) &&
            (!s->far_off || is_far_off(&t->set[k], s->answer))) {
            for (Answer a = 0; a < ANSWERS; a++)
                free(s->set.answer[a]);
            s->set = t->set[k];
            memset(t->set[k].answer, 0, sizeof t->set[k].answer); /* they are ours now */
            return true;
        }
    for (size_t k = 0; s->answer == ANSWERS && k < t->faults; k++)
        if (strcmp(t->fault[k].part, s->part) == 0 && same_words(t->fault[k].text, s->fault)) {
            snprintf(s->fault, sizeof s->fault, "%s", t->fault[k].text);
            return true;
        }
    return false;
}

/* ---- one run ---------------------------------------------------------------------------------- */

typedef struct Run {
    ShrunkTrial *shrunk;
    Plugin plugin; /* with the functions that are needed */
    const TrialRunner *runner;
    Failure *failure;
    bool failed;
} Run;

/* Parts as plugin_checks.c calls them. */
static void leave_out_functions(Plugin *p, const char *part)
{
    bool split = strncmp(part, "split", 5) == 0;
    bool decode = split || strstr(part, "decode"), prefill = split || strstr(part, "prefill");
    bool forward = !decode && !prefill;
    bool backward = strstr(part, "backward") || strcmp(part, "scaling") == 0 ||
                    strcmp(part, "repeat") == 0 || strcmp(part, "neighbours") == 0;
    p->has[PLUGIN_FORWARD] = p->has[PLUGIN_FORWARD] && forward;
    p->has[PLUGIN_BACKWARD] = p->has[PLUGIN_BACKWARD] && backward;
    p->has[PLUGIN_PREFILL] = p->has[PLUGIN_PREFILL] && prefill;
    p->has[PLUGIN_DECODE] = p->has[PLUGIN_DECODE] && decode;
}

static bool fails_on(const Task *task, void *context)
{
    Run *r = context;
    if (r->failed)
        return false;
    const Trial *from = r->shrunk->from;
    Trials one = trials_of_one(from, task);
    one.at->only = r->shrunk->part;
    if (r->runner->plugin)
        plugin_try(&r->plugin, one.at);
    else
        r->failed = !program_try(r->runner->program, one.at, r->failure);
    trials_judge_apart(&one, NULL);
    bool fails = !r->failed && take_failure(r->shrunk, one.at);
    trials_free(&one);
    return fails;
}

/* ---- all of it -------------------------------------------------------------------------------- */

bool shrink_first_wrong(ShrunkTrial *s, const Trials *all, const TrialRunner *runner, Failure *f)
{
    size_t k = 0;
    while (k < all->count && !(all->at[k].judgement == WRONG && find_target(s, &all->at[k])))
        k++;
    if (k == all->count) {
        *s = (ShrunkTrial){.from = NULL};
        return true;
    }
    s->task = task_copy(&s->from->given.task);
    Run r = {.shrunk = s, .runner = runner, .failure = f};
    if (runner->plugin) {
        r.plugin = *runner->plugin;
        leave_out_functions(&r.plugin, s->part);
    }
    bool hangs = strstr(s->fault, "was stopped after") != NULL;
    s->most_runs = hangs ? SHRINK_MOST_HANGS : SHRINK_MOST_RUNS;
    const Shrinking how = {fails_on, &r, s->most_runs, "shrinking"};
    s->flaky = !fails_on(&s->task, &r); /* which keeps the answers, should nothing be shrunk */
    if (!s->flaky)
        s->result = shrink(&s->task, &how);
    if (r.failed)
        shrunk_free(s);
    return !r.failed;
}

void shrunk_free(ShrunkTrial *s)
{
    for (Answer a = 0; a < ANSWERS; a++)
        free(s->set.answer[a]);
    task_free(&s->task);
    *s = (ShrunkTrial){.from = NULL};
}
