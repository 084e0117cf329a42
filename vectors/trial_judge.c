/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "trial_judge.h"

#include "bug.h"
#include "interruption.h"
#include "progress.h"
#include "scales.h"

#include <errno.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_answered(const Trial *t, Answer a)
{
    for (size_t s = 0; s < t->sets; s++)
        if (t->set[s].answer[a])
            return true;
    return false;
}

/* Without what nobody answered: stages, and gradients, which cost three forwards. */
static Problem problem_to_judge(const Trial *t, size_t index)
{
    Problem p = task_problem(&t->given.task, index);
    bool gradients = false, stages = false;
    for (Answer a = 0; a < ANSWERS; a++) {
        gradients = gradients || (answer_is_gradient(a) && is_answered(t, a));
        stages = stages || (answer_is_stage(a) && is_answered(t, a));
    }
    p.stages = stages;
    if (!gradients)
        p.cotangent = NULL;
    return p;
}

/* tokens: of u when so many are taken in, else 0. */
static const Tensor *stored(const Trial *t, Answer a, size_t tokens, const char *suffix)
{
    char name[40], at[24] = "";
    if (tokens)
        snprintf(at, sizeof at, "@%zu", tokens);
    snprintf(name, sizeof name, "%s%s%s", answer_name(a), at, suffix);
    const Tensor *found = safetensors_find(t->given.file, name);
    if (!found)
        stop_on_bug(__func__, "%s: the golden file lacks %s", t->id, name);
    return found;
}

/* What the file has of one head, as the oracle would have found it; of a number of tokens u alone. */
static Oracle *stored_truth(const Trial *t, const Problem *p, size_t tokens, size_t index)
{
    Oracle *o = room_for(__func__, 1, sizeof *o);
    for (Answer a = 0; a < ANSWERS; a++) {
        if (!problem_has(p, a) || (tokens && a != ANSWER_U))
            continue;
        MatrixShape s = answer_shape(p, a);
        size_t n = s.rows * s.cols;
        const Tensor *value = stored(t, a, tokens, ""), *tail = stored(t, a, tokens, ".lo");
        Truth *x = &o->truth[a];
        *x = (Truth){.rows = s.rows,
                     .cols = s.cols,
                     .value = room_for(__func__, n, sizeof(double)),
                     .tail = room_for(__func__, n, sizeof(double)),
                     .neighbour = room_for(__func__, n, sizeof(double)),
                     .certificate = room_for(__func__, n, 1)};
        for (size_t k = 0; k < n; k++) {
            x->value[k] = x->neighbour[k] = tensor_value(value, index * n + k);
            x->tail[k] = tensor_value(tail, index * n + k);
            x->certificate[k] = isnan(x->value[k]) ? UNDEFINED : CERTIFIED;
        }
    }
    return o;
}

static void use_stored_sigma(Scales *s, const Trial *t, const Problem *p, const Oracle *o,
                             size_t tokens, size_t index)
{
    for (Answer a = 0; a < ANSWERS; a++) {
        size_t n = o->truth[a].rows * o->truth[a].cols;
        if (!n)
            continue;
        size_t run = sigma_run(p, a), runs = n / run;
        const Tensor *sigma = stored(t, a, tokens, ".sigma");
        s->sigma[a] = room_for(__func__, n, sizeof(double));
        for (size_t k = 0; k < n; k++)
            s->sigma[a][k] = tensor_value(sigma, index * runs + k / run);
    }
}

static void score_set(const Trial *t, AnswerSet *set, const Oracle *o, const Scales *s,
                      size_t index)
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
            if (score.judged && v->worst == at + k) {
                set->answered[a] = answered;
                set->truth[a] = x->value[k];
            }
        }
    }
}

/* The truth of one head, from the file if it has it, and its error scales; the sets that it is for. */
static void judge_problem(Trial *t, const Problem *p, size_t tokens, size_t index)
{
    const Arithmetic *arithmetic = &t->given.task.arithmetic;
    bool from_file = t->from_file && !t->ties && !p->stages;
    Oracle *o = from_file ? stored_truth(t, p, tokens, index) : oracle(p, true, false);
    Scales *s;
    if (from_file && t->usual) {
        s = error_bounds(p, arithmetic, o);
        use_stored_sigma(s, t, p, o, tokens, index);
    } else {
        s = error_scales(p, arithmetic, o, SCALE_SEED);
    }
    for (size_t k = 0; k < t->sets; k++)
        if (t->set[k].tokens == tokens)
            score_set(t, &t->set[k], o, s, index);
    scales_free(s);
    oracle_free(o);
}

/* u after so many tokens is that of a problem which ends there. */
static void judge_head(Trial *t, size_t index)
{
    Problem p = problem_to_judge(t, index);
    judge_problem(t, &p, 0, index);
    p.cotangent = NULL;
    p.stages = false;
    for (size_t k = 0; k < t->sets; k++) {
        p.length = t->set[k].tokens;
        bool done = p.length == 0;
        for (size_t i = 0; i < k; i++)
            done = done || t->set[i].tokens == p.length;
        if (!done)
            judge_problem(t, &p, p.length, index);
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

static void judge(Trial *t)
{
    bool finite = has_finite_inputs(t);
    for (size_t s = 0; s < t->sets; s++)
        for (Answer a = 0; a < ANSWERS; a++)
            if (t->set[s].answer[a])
                t->set[s].verdict[a] = verdict_begin(set_count(t, &t->set[s], a));
    for (size_t k = 0; t->sets && k < task_problems(&t->given.task); k++)
        judge_head(t, k);
    t->judgement = t->faults ? WRONG : RIGHT;
    for (size_t s = 0; s < t->sets; s++)
        for (Answer a = 0; a < ANSWERS; a++)
            if (t->set[s].answer[a]) {
                Verdict *v = &t->set[s].verdict[a];
                end_verdict(v, finite);
                t->judgement = v->judgement > t->judgement ? v->judgement : t->judgement;
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
        _exit(0);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        stop_on_bug(__func__, "the process that judges ended with wait status %d", status);
}
