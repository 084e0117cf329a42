/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trial_guess.c - the arithmetic of a kernel that declares none, one for all cases of a type; a part of
 * trial_judge.h. */
#include "bug.h"
#include "number_formats.h"
#include "trial_judge.h"
#include "trial_truth.h"

#include <stdlib.h>
#include <string.h>

_Static_assert((int)MOST_SETS <= (int)EVIDENCE_SETS, "all calls of a case are evidence");

static Evidence evidence_of(const Trial *t, size_t index)
{
    Evidence e = {.what = t->id, .problem = trial_problem(t, index), .sets = t->sets};
    e.oracle = trial_truth(t, &e.problem, 0, index);
    for (Answer a = 0; a < ANSWERS; a++) {
        if (!problem_has(&e.problem, a))
            continue;
        e.elements[a] = trial_count(t, a);
        for (size_t s = 0; s < t->sets; s++)
            if (t->set[s].answer[a] && !t->set[s].tokens)
                e.answered[s][a] = t->set[s].answer[a] + index * task_part(&t->given.task, a);
    }
    return e;
}

/* A kernel stores its answers as the type's preset does. */
static Sites sites_of(const bool answered[ANSWERS], NumberType type)
{
    Sites sites = sites_for(answered, false);
    Arithmetic preset;
    char why[300];
    if (!arithmetic_parse(&preset, number_format(type)->name, why, sizeof why))
        stop_on_bug(__func__, "%s", why);
    for (Answer a = 0; a < HEAD_ANSWERS; a++)
        sites.stored[answer_stage(a)] = preset.site[answer_stage(a)];
    return sites;
}

static void guess_type(Trials *all, NumberType type, const char *what)
{
    bool answered[ANSWERS] = {false};
    size_t count = 0, most = 0;
    for (size_t k = 0; k < all->count; k++)
        most += task_problems(&all->at[k].given.task);
    Evidence *evidence = room_for(__func__, most, sizeof *evidence);
    for (size_t k = 0; k < all->count; k++) {
        const Trial *t = &all->at[k];
        if (t->given.task.type != type || !t->sets)
            continue;
        for (size_t i = 0; i < task_problems(&t->given.task); i++)
            evidence[count++] = evidence_of(t, i);
        for (size_t s = 0; s < t->sets; s++)
            for (Answer a = 0; a < ANSWERS; a++)
                answered[a] = answered[a] || t->set[s].answer[a];
    }
    Sites sites = sites_of(answered, type);
    if (count)
        all->guess[type] = guess_arithmetic(evidence, count, type, &sites, what);
    for (size_t k = 0; k < count; k++)
        oracle_free((Oracle *)evidence[k].oracle);
    free(evidence);
}

void trials_guess(Trials *all, const char *what)
{
    for (unsigned type = 0; type < NUMBER_TYPES; type++)
        guess_type(all, (NumberType)type, what);
    for (size_t k = 0; k < all->count; k++) {
        Trial *t = &all->at[k];
        const Guess *g = &all->guess[t->given.task.type];
        Arithmetic *declared = &t->given.task.arithmetic;
        if (!g->made || strcmp(g->arithmetic.name, declared->name) == 0)
            continue;
        *declared = g->arithmetic;
        t->usual = false;
        t->coarser = g->coarser;
    }
}
