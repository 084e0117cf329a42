/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "trial.h"

#include "fresh_case.h"
#include "golden_index.h"
#include "isolated.h"
#include "shrink.h"
#include "system.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH = 4096 };

static bool wanted(const GoldenCase *c, const TrialOptions *o)
{
    return !(c->kinds & KIND_LAYER) && (o->types >> c->type & 1) &&
           selection_takes(&o->selection, c);
}

/* The file's inputs; its answers, which are the truth, stay with them. */
static bool open_golden(Trial *t, const GoldenCase *c, const json_t *index, const TrialOptions *o,
                        Failure *f)
{
    char path[PATH];
    GoldenCertificate certificate;
    golden_path(path, sizeof path, o->golden, c);
    t->of = c;
    if (!index_vouches(index, c, o->golden, f) || !golden_certificate(&certificate, c, path, f) ||
        !dump_open(&t->given, path, &(DumpOptions){.arithmetic = o->arithmetic}, f))
        return false;
    t->from_file = true;
    t->ties = certificate.ties > 0;
    return true;
}

static bool open_fresh(Trial *t, const GoldenCase *c, const TrialOptions *o, Failure *f)
{
    char why[300];
    if (!golden_task(&t->given.task, c, NULL, f))
        return false;
    if (!o->arithmetic ||
        arithmetic_parse(&t->given.task.arithmetic, o->arithmetic, why, sizeof why))
        return true;
    dump_close(&t->given);
    return fail(f, "option --arithmetic: %s", why);
}

static Trial *next_trial(Trials *all, const GoldenCase *c, const TrialOptions *o)
{
    Trial *t = &all->at[all->count];
    *t = (Trial){.family = c->family, .usual = !o->arithmetic};
    snprintf(t->id, sizeof t->id, "%s", c->id);
    return t;
}

static bool open_all_golden(Trials *all, const TrialOptions *o, const Cases *cases, Failure *f)
{
    bool ok = true;
    for (CaseTier tier = TIER_CORE; ok && tier <= TIER_PAPER; tier++) {
        json_t *index = NULL;
        for (size_t k = 0; ok && k < cases->count; k++) {
            const GoldenCase *c = &cases->at[k];
            if (c->tier != tier || !wanted(c, o))
                continue;
            if (!index)
                index = index_read(tier, o->golden, f);
            ok = index && open_golden(next_trial(all, c, o), c, index, o, f);
            all->count += ok;
        }
        json_decref(index);
    }
    return ok;
}

static bool open_all_fresh(Trials *all, const TrialOptions *o, const Cases *cases, Failure *f)
{
    for (size_t k = 0; k < o->fresh; k++) {
        FreshCase fresh;
        if (!fresh_case(&fresh, cases, o->types, o->seed, k))
            return fail(f, "--types leaves no case that fresh ones could be like");
        bool ok = open_fresh(next_trial(all, &fresh.c, o), &fresh.c, o, f);
        all->count += ok;
        if (!ok)
            return false;
    }
    return true;
}

static Trials room_for_trials(size_t count)
{
    return (Trials){.at = shared_room(count * sizeof(Trial)), .room = count};
}

Trials trials_of_one(const Trial *from, const Task *task)
{
    Trials one = room_for_trials(1);
    *one.at = (Trial){.family = from->family, .of = from->of, .usual = from->usual};
    snprintf(one.at->id, sizeof one.at->id, "%s", from->id);
    one.at->given.task = task_copy(task);
    one.count = 1;
    return one;
}

bool trials_open(Trials *all, const TrialOptions *o, const Cases *cases, Failure *f)
{
    *all = room_for_trials(cases->count + o->fresh);
    bool ok = (!o->golden || open_all_golden(all, o, cases, f)) && open_all_fresh(all, o, cases, f);
    if (ok && !all->count)
        ok = o->golden ? selection_is_empty(&o->selection, f)
                       : fail(f, "there is no case to run: neither --golden nor --fresh");
    if (!ok)
        trials_free(all);
    return ok;
}

void trials_free(Trials *all)
{
    for (size_t k = 0; k < all->count; k++) {
        Trial *t = &all->at[k];
        for (size_t s = 0; s < t->sets; s++)
            for (Answer a = 0; a < ANSWERS; a++) {
                free(t->set[s].answer[a]);
                where_free(t->set[s].where[a]);
            }
        dump_close(&t->given);
    }
    shared_free(all->at, all->room * sizeof(Trial));
    *all = (Trials){0};
}

AnswerSet *trial_set(Trial *t, const char *part)
{
    if (t->sets == MOST_SETS)
        stop_on_bug(__func__, "more than %d sets of answers", MOST_SETS);
    AnswerSet *s = &t->set[t->sets++];
    *s = (AnswerSet){.answer = {NULL}, .first.answer = ANSWERS};
    snprintf(s->part, sizeof s->part, "%s", part);
    return s;
}

void trial_fault(Trial *t, const char *part, const char *format, ...)
{
    if (t->faults == MOST_FAULTS) {
        t->not_reported++;
        return;
    }
    Fault *f = &t->fault[t->faults++];
    va_list arguments;
    snprintf(f->part, sizeof f->part, "%s", part);
    va_start(arguments, format);
    if (vsnprintf(f->text, sizeof f->text, format, arguments) < 0)
        f->text[0] = '\0';
    va_end(arguments);
}

size_t trial_count(const Trial *t, Answer a)
{
    Layout l = answer_layout(&t->given.task.size, a);
    return layout_count(&l);
}

size_t set_count(const Trial *t, const AnswerSet *s, Answer a)
{
    size_t all = trial_count(t, a);
    return s->tokens ? all / t->given.task.size.length * s->tokens : all;
}
