/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check.h"

#include "judge.h"
#include "progress.h"
#include "system.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double unit_in_last_place(double x, const Format *f)
{
    int e = x == 0 || !isfinite(x) ? f->emin : ilogb(x);
    return ldexp(1, (e < f->emin ? f->emin : e) - f->precision + 1);
}

static void begin_tensor(TensorReport *r, const Dump *d, Answer a)
{
    *r = (TensorReport){.present = d->answer[a] != NULL, .answered = d->answer[a]};
    if (!r->present)
        return;
    Problem p = task_problem(&d->task, 0);
    MatrixShape s = answer_shape(&p, a);
    r->rows = s.rows;
    r->cols = s.cols;
    size_t n = task_problems(&d->task) * r->rows * r->cols;
    r->scores = calloc(n, sizeof *r->scores);
    r->truth = calloc(n, sizeof *r->truth);
    if (!r->scores || !r->truth)
        stop_on_bug("check_dump", "out of memory for %zu scores", n);
    r->verdict = verdict_begin(n);
}

/* Gradients cost three forwards: left out where the dump answers none. */
static Problem problem_to_judge(const Dump *d, size_t index)
{
    Problem p = task_problem(&d->task, index);
    bool asked = false;
    for (Answer a = 0; a < ANSWERS; a++)
        asked = asked || (d->answer[a] && answer_is_gradient(a));
    if (!asked)
        p.cotangent = NULL;
    return p;
}

/* One head, or a layer: the truth, its scales, and every element's score. */
static void score(CheckReport *report, const Dump *d, size_t index, const Oracle *o)
{
    Problem p = problem_to_judge(d, index);
    const double *answered[ANSWERS];
    Score *scores[ANSWERS];
    for (Answer a = 0; a < ANSWERS; a++) {
        TensorReport *r = &report->tensor[a];
        size_t n = r->rows * r->cols;
        answered[a] = dump_answer(d, a, index);
        scores[a] = r->present ? r->scores + index * n : NULL;
        if (r->present)
            memcpy(r->truth + index * n, o->truth[a].value, n * sizeof *r->truth);
    }
    score_problem(&p, &d->task.arithmetic, o, answered, scores);
}

static size_t certified(const Truth *t)
{
    size_t n = 0;
    for (size_t k = 0; k < t->rows * t->cols; k++)
        n += t->certificate[k] == CERTIFIED;
    return n;
}

static void find_where(TensorReport *r, const Dump *d, Answer a)
{
    double *badness = room_for("check_dump", r->verdict.elements, sizeof *badness);
    for (size_t k = 0; k < r->verdict.elements; k++)
        badness[k] = score_badness(&r->scores[k], &r->verdict.thresholds);
    r->where = where_wrong(&d->task.size, a, &r->verdict, badness);
    free(badness);
}

static void end_tensor(TensorReport *r, const Dump *d, Answer a)
{
    for (size_t k = 0; k < r->verdict.elements; k++)
        verdict_add(&r->verdict, k, r->scores[k], r->answered[k]);
    verdict_end(&r->verdict);
    if (r->verdict.judgement == WRONG)
        find_where(r, d, a);
    double truth = r->truth[r->verdict.worst];
    r->worst_ulps = r->verdict.judged
                        ? r->verdict.worst_score.error /
                              unit_in_last_place(truth, d->task.arithmetic.site[answer_stage(a)])
                        : NAN;
}

static FirstWrong first_of(const CheckReport *report)
{
    bool present[ANSWERS];
    Verdict verdict[ANSWERS];
    for (Answer a = 0; a < ANSWERS; a++) {
        present[a] = report->tensor[a].present;
        verdict[a] = report->tensor[a].verdict;
    }
    return first_wrong(present, verdict);
}

/* The wrong tensor with the largest z; ANSWERS: there is none. */
static Answer worst_tensor(const CheckReport *report)
{
    Answer worst = ANSWERS;
    double z = -1;
    for (Answer a = 0; a < ANSWERS; a++) {
        const Verdict *v = &report->tensor[a].verdict;
        if (report->tensor[a].present && v->judgement == WRONG && v->worst_score.z > z) {
            worst = a;
            z = v->worst_score.z;
        }
    }
    return worst;
}

/* Names the mistake of the head with the worst element. */
static void name_mistake(CheckReport *report, const Dump *d)
{
    Answer worst = worst_tensor(report);
    if (worst == ANSWERS || d->task.size.width || d->task.size.length > DIAGNOSIS_MOST_TOKENS)
        return;
    const TensorReport *r = &report->tensor[worst];
    report->diagnosed = r->verdict.worst / (r->rows * r->cols);
    Problem p = problem_to_judge(d, report->diagnosed);
    const double *answered[ANSWERS];
    const Score *scores[ANSWERS];
    for (Answer a = 0; a < ANSWERS; a++) {
        r = &report->tensor[a];
        answered[a] = dump_answer(d, a, report->diagnosed);
        scores[a] = r->present ? r->scores + report->diagnosed * r->rows * r->cols : NULL;
    }
    Lineup *l = lineup(&p, &d->task.arithmetic);
    report->diagnosis = diagnose(l, answered, scores);
    lineup_free(l);
}

static void count_truth(CheckReport *report, const Oracle *o, size_t heads)
{
    report->bits = o->bits > report->bits ? o->bits : report->bits;
    report->ties += o->ties;
    report->undefined += o->undefined;
    report->naive_heads += o->naive_ran ? heads : 0;
    for (Answer a = 0; a < ANSWERS; a++)
        report->certified += certified(&o->truth[a]);
}

/* Finds all truths, and scores the answers unless they are to be kept: kept[k] is problem k's. Returns
 * how many values of the sequential form lie outside their balls. */
static size_t find_truths(CheckReport *report, const Dump *d, Oracle **kept, const char *name)
{
    size_t problems = task_problems(&d->task), outside = 0;
    size_t heads = d->task.size.batch * d->task.size.heads / problems; /* of one problem */
    Progress *progress = progress_begin(name, d->task.size.width ? "layer" : "head", problems);
    /* heads are independent; a lone head leaves the threads to its rows and runs */
#pragma omp parallel for schedule(dynamic, 1) if (problems > 1)
    for (size_t k = 0; k < problems; k++) {
        Problem p = problem_to_judge(d, k);
        Oracle *o = oracle(&p, false, true);
        if (!kept)
            score(report, d, k, o);
#pragma omp critical
        {
            count_truth(report, o, heads);
            outside += o->naive_outside;
            progress_step(progress);
        }
        if (kept)
            kept[k] = o;
        else
            oracle_free(o);
    }
    progress_end(progress);
    return outside;
}

static Guess guess_for(const Dump *d, Oracle *const *truths, const char *name)
{
    bool answered[ANSWERS];
    for (Answer a = 0; a < ANSWERS; a++)
        answered[a] = d->answer[a] != NULL;
    Sites sites = sites_for(answered, d->task.size.width > 0);
    for (Answer a = 0; a < ANSWERS; a++) {
        const Format **at = &sites.stored[answer_stage(a)];
        const Format *f = answered[a] ? number_format(d->answer_type[a]) : NULL;
        if (f && (!*at || f->precision < (*at)->precision))
            *at = f;
    }
    size_t problems = task_problems(&d->task);
    Evidence *all = room_for(__func__, problems, sizeof *all);
    for (size_t k = 0; k < problems; k++) {
        all[k] = (Evidence){
            .what = name, .problem = problem_to_judge(d, k), .oracle = truths[k], .sets = 1};
        for (Answer a = 0; a < ANSWERS; a++) {
            all[k].answered[0][a] = dump_answer(d, a, k);
            all[k].elements[a] = problems * task_part(&d->task, a);
        }
    }
    Guess g = guess_arithmetic(all, problems, dump_answer_type(d), &sites, name);
    free(all);
    return g;
}

/* The truths are needed twice: for the arithmetic, then for the scores that it gives. */
static size_t score_by_guess(CheckReport *report, Dump *d, const char *name)
{
    size_t problems = task_problems(&d->task);
    Oracle **truths = room_for(__func__, problems, sizeof(Oracle *));
    size_t outside = find_truths(report, d, truths, name);
    report->guess = guess_for(d, truths, name);
    if (report->guess.made)
        d->task.arithmetic = report->guess.arithmetic;
    for (size_t k = 0; k < problems; k++) {
        score(report, d, k, truths[k]);
        oracle_free(truths[k]);
    }
    free(truths);
    return outside;
}

bool check_dump(CheckReport *report, Dump *d, bool guess, const char *what, Failure *f)
{
    char name[80];
    *report = (CheckReport){.judgement = RIGHT};
    for (Answer a = 0; a < ANSWERS; a++)
        begin_tensor(&report->tensor[a], d, a);
    failure_quote_path(name, sizeof name, what);
    size_t outside = guess ? score_by_guess(report, d, name) : find_truths(report, d, NULL, name);
    if (report->guess.coarser)
        report->judgement = SUSPECT;
    for (Answer a = 0; a < ANSWERS; a++)
        if (report->tensor[a].present) {
            end_tensor(&report->tensor[a], d, a);
            if (report->tensor[a].verdict.judgement > report->judgement)
                report->judgement = report->tensor[a].verdict.judgement;
        }
    report->first = first_of(report);
    name_mistake(report, d);
    if (outside) {
        check_free(report);
        return fail(f,
                    "%s: castle contradicts itself: %zu values of the sequential form lie outside "
                    "the balls of the parallel form; please report this with the file",
                    what, outside);
    }
    return true;
}

void check_free(CheckReport *report)
{
    for (Answer a = 0; a < ANSWERS; a++) {
        free(report->tensor[a].scores);
        free(report->tensor[a].truth);
        where_free(report->tensor[a].where);
    }
    *report = (CheckReport){0};
}
