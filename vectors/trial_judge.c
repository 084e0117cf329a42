/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "trial_judge.h"

#include "bug.h"
#include "interruption.h"
#include "progress.h"
#include "scales.h"
#include "trial_truth.h"

#include <errno.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void use_stored_sigma(Scales *s, const Trial *t, const Problem *p, const Oracle *o,
                             size_t tokens, size_t index)
{
    for (Answer a = 0; a < ANSWERS; a++) {
        size_t n = o->truth[a].rows * o->truth[a].cols;
        if (!n)
            continue;
        size_t run = sigma_run(p, a), runs = n / run;
        const Tensor *sigma = trial_tensor(t, a, tokens, ".sigma");
        s->sigma[a] = room_for(__func__, n, sizeof(double));
        for (size_t k = 0; k < n; k++)
            s->sigma[a][k] = tensor_value(sigma, index * runs + k / run);
    }
}

/* How bad each element of each answer of a set is (score_badness). */
typedef double *Badness[ANSWERS];

static void score_set(const Trial *t, AnswerSet *set, const Oracle *o, const Scales *s,
                      size_t index, Badness badness)
{
    for (Answer a = 0; a < ANSWERS; a++) {
        const Truth *x = &o->truth[a];
        size_t n = x->rows * x->cols,
               at = set->answer[a] ? index * task_part(&t->given.task, a) : 0;
        Verdict *v = &set->verdict[a];
        for (size_t k = 0; set->answer[a] && k < n; k++) {
            double answered = set->answer[a][at + k];
            Score score = score_element(x, k, s->sigma[a][k], s->bound[a][k], answered);
            verdict_add(v, at + k, score, answered);
            badness[a][at + k] = score_badness(&score, &v->thresholds);
            if (score.judged && v->worst == at + k) {
                set->answered[a] = answered;
                set->truth[a] = x->value[k];
            }
        }
    }
}

/* The truth of one head, from the file if it has it, and its error scales; the sets that it is for. */
static void judge_problem(Trial *t, const Problem *p, size_t tokens, size_t index, Badness *badness)
{
    const Arithmetic *arithmetic = &t->given.task.arithmetic;
    Oracle *o = trial_truth(t, p, tokens, index);
    Scales *s;
    if (t->usual && trial_is_stored(t, p)) {
        s = error_bounds(p, arithmetic, o);
        use_stored_sigma(s, t, p, o, tokens, index);
    } else {
        s = error_scales(p, arithmetic, o, SCALE_SEED);
    }
    for (size_t k = 0; k < t->sets; k++)
        if (t->set[k].tokens == tokens)
            score_set(t, &t->set[k], o, s, index, badness[k]);
    scales_free(s);
    oracle_free(o);
}

/* u after so many tokens is that of a problem which ends there. */
static void judge_head(Trial *t, size_t index, Badness *badness)
{
    Problem p = trial_problem(t, index);
    judge_problem(t, &p, 0, index, badness);
    p.cotangent = NULL;
    p.stages = false;
    for (size_t k = 0; k < t->sets; k++) {
        p.length = t->set[k].tokens;
        bool done = p.length == 0;
        for (size_t i = 0; i < k; i++)
            done = done || t->set[i].tokens == p.length;
        if (!done)
            judge_problem(t, &p, p.length, index, badness);
    }
}

static bool has_finite_inputs(const Trial *t)
{
    bool finite = true;
    for (size_t k = 0; finite && k < task_problems(&t->given.task); k++) {
        Problem p = task_problem(&t->given.task, k);
        finite = problem_is_finite(&p);
    }
    return finite;
}

/* In a case with a NaN or an infinity some elements have no truth, or a truth without a scale: the case is
 * about the others, and no kernel is suspect for these. */
static void end_verdict(Verdict *v, bool finite)
{
    verdict_end(v);
    if (v->judgement == SUSPECT && !finite && v->worst_score.z < v->thresholds.suspect)
        v->judgement = RIGHT;
}

static void begin_set(const Trial *t, AnswerSet *set, Badness badness)
{
    for (Answer a = 0; a < ANSWERS; a++)
        if (set->answer[a]) {
            set->where[a] = NULL;
            set->verdict[a] = verdict_begin(set_count(t, set, a));
            badness[a] = room_for(__func__, trial_count(t, a), sizeof(double));
        }
}

static void end_set(const Trial *t, AnswerSet *set, Badness badness, bool finite)
{
    bool present[ANSWERS];
    for (Answer a = 0; a < ANSWERS; a++) {
        Verdict *v = &set->verdict[a];
        present[a] = set->answer[a] != NULL;
        if (!present[a])
            continue;
        end_verdict(v, finite);
        if (v->judgement == WRONG)
            set->where[a] = where_wrong(&t->given.task.size, a, v, badness[a]);
        free(badness[a]);
    }
    set->first = first_wrong(present, set->verdict);
}

static void judge(Trial *t)
{
    bool finite = has_finite_inputs(t);
    Badness badness[MOST_SETS];
    for (size_t s = 0; s < t->sets; s++)
        begin_set(t, &t->set[s], badness[s]);
    for (size_t k = 0; t->sets && k < task_problems(&t->given.task); k++)
        judge_head(t, k, badness);
    t->judgement = t->faults ? WRONG : t->coarser ? SUSPECT : RIGHT;
    for (size_t s = 0; s < t->sets; s++) {
        end_set(t, &t->set[s], badness[s], finite);
        for (Answer a = 0; a < ANSWERS; a++)
            if (t->set[s].answer[a] && t->set[s].verdict[a].judgement > t->judgement)
                t->judgement = t->set[s].verdict[a].judgement;
    }
}

void trials_judge(Trials *all, const char *what)
{
    Progress *progress = what ? progress_begin(what, "verdict", all->count) : NULL;
#pragma omp parallel for schedule(dynamic, 1)
    for (size_t k = 0; k < all->count; k++) {
        judge(&all->at[k]);
#pragma omp critical(trials)
        progress_step(progress);
    }
    progress_end(progress);
}

/* These are this process's alone. */
static void forget_where(Trials *all)
{
    for (size_t k = 0; k < all->count; k++)
        for (size_t s = 0; s < all->at[k].sets; s++)
            for (Answer a = 0; a < ANSWERS; a++)
                all->at[k].set[s].where[a] = NULL;
}

void trials_judge_apart(Trials *all, const char *what)
{
    int status = 0;
    (void)fflush(NULL); /* or the child would write it again */
    pid_t child = fork();
    if (child < 0)
        stop_on_bug(__func__, "fork: %s", strerror(errno));
    if (child == 0) {
        interruption_forget();
        if (all->count == 1)
            omp_set_num_threads(1); /* it would take longer to start others */
        trials_judge(all, what);
        forget_where(all);
        _exit(0);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        stop_on_bug(__func__, "the process that judges ended with wait status %d", status);
}
