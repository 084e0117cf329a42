/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "castle.h"

#include "judge.h"
#include "system.h"
#include "version.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *castle_version(void) { return CASTLE_VERSION; }

static int refuse(char *why, size_t size, const char *sentence)
{
    if (why && size)
        snprintf(why, size, "%s", sentence);
    return -1;
}

static int take_problem(Problem *p, const struct castle_problem *given, int answer, char *why,
                        size_t why_size)
{
    static const Variant variants[] = {CASTLE, WITHOUT_CAUSAL_KEYS, WITHOUT_SILU};
    const double *inputs[INPUTS] = {given->qu, given->ku, given->vu,
                                    given->qc, given->kc, given->vc};
    *p = (Problem){.length = given->length,
                   .dim = given->dim,
                   .scale = given->scale,
                   .window = given->window < NO_WINDOW ? given->window : NO_WINDOW};
    for (Input k = 0; k < INPUTS; k++) {
        if (!inputs[k])
            return refuse(why, why_size, "an input is NULL; expected all of qu ku vu qc kc vc");
        p->input[k] = inputs[k];
    }
    if (!p->length || !p->dim)
        return refuse(why, why_size, "length or dim is 0; expected at least 1");
    if (!isfinite(p->scale))
        return refuse(why, why_size, "scale is not finite; expected a number, 0 for 1/sqrt(dim)");
    if ((int)given->variant < 0 || given->variant > CASTLE_VARIANT_WITHOUT_SILU)
        return refuse(why, why_size, "no such variant; expected a member of enum castle_variant");
    p->variant = variants[given->variant];
    if (answer < 0 || answer >= HEAD_ANSWERS)
        return refuse(why, why_size, "no such answer; expected one of CASTLE_O to CASTLE_DVC");
    if (answer >= FORWARD_ANSWERS && !given->dout)
        return refuse(why, why_size, "dout is NULL; gradients need the gradient of o");
    p->cotangent = answer >= FORWARD_ANSWERS ? given->dout : NULL;
    return 0;
}

int castle_truth(const struct castle_problem *given, enum castle_answer answer, double *value,
                 double *tail, char *why, size_t why_size)
{
    Problem p;
    if (take_problem(&p, given, (int)answer, why, why_size) != 0)
        return -1;
    if (!value)
        return refuse(why, why_size, "value is NULL; expected room for the answer");
    Oracle *o = oracle(&p, tail != NULL, false);
    const Truth *t = &o->truth[answer];
    memcpy(value, t->value, t->rows * t->cols * sizeof *value);
    if (tail)
        memcpy(tail, t->tail, t->rows * t->cols * sizeof *tail);
    oracle_free(o);
    return 0;
}

int castle_judge(const struct castle_problem *given, const char *arithmetic,
                 enum castle_answer answer, const double *answered, struct castle_verdict *verdict,
                 char *why, size_t why_size)
{
    Problem p;
    Arithmetic a;
    char sentence[300];
    if (take_problem(&p, given, (int)answer, why, why_size) != 0)
        return -1;
    if (!arithmetic || !answered || !verdict)
        return refuse(why, why_size, "arithmetic, answered or verdict is NULL");
    if (!arithmetic_parse(&a, arithmetic, sentence, sizeof sentence))
        return refuse(why, why_size, sentence);

    const double *answers[ANSWERS] = {0};
    Score *scores[ANSWERS] = {0};
    size_t n = p.length * answer_columns((Answer)answer, p.dim);
    answers[answer] = answered;
    scores[answer] = calloc(n, sizeof(Score));
    if (!scores[answer])
        stop_on_bug(__func__, "out of memory for %zu scores", n);
    Oracle *o = oracle(&p, false, false);
    score_problem(&p, &a, o, answers, scores);
    Verdict v = verdict_begin(n);
    for (size_t k = 0; k < n; k++)
        verdict_add(&v, k, scores[answer][k], answered[k]);
    verdict_end(&v);
    *verdict = (struct castle_verdict){.judgement = (enum castle_judgement)v.judgement,
                                       .z = v.worst_score.z,
                                       .suspect_above = v.thresholds.suspect,
                                       .wrong_above = v.thresholds.wrong,
                                       .error_over_bound = v.most_of_bound,
                                       .worst = v.worst,
                                       .error = v.worst_score.error,
                                       .truth = o->truth[answer].value[v.worst],
                                       .judged = v.judged,
                                       .not_finite = v.not_finite};
    oracle_free(o);
    free(scores[answer]);
    return 0;
}

static void copy(double *to, const double *from, size_t n)
{
    if (to)
        memcpy(to, from, n * sizeof *to);
}

/* The last answer that is wanted decides whether gradients are: these come last. -1: none is. */
static int last_wanted(const struct castle_reference *wanted)
{
    int last = -1;
    for (int a = 0; a < HEAD_ANSWERS; a++)
        if (wanted[a].value || wanted[a].tail || wanted[a].sigma || wanted[a].bound)
            last = a;
    return last;
}

int castle_references(const struct castle_problem *given, const char *arithmetic,
                      const struct castle_reference wanted[CASTLE_ANSWERS], char *why,
                      size_t why_size)
{
    Problem p;
    Arithmetic declared;
    char sentence[300];
    if (!arithmetic || !wanted)
        return refuse(why, why_size, "arithmetic or wanted is NULL");
    int last = last_wanted(wanted);
    if (last < 0)
        return refuse(why, why_size, "wanted is all NULL; expected room for some answer");
    if (take_problem(&p, given, last, why, why_size) != 0)
        return -1;
    if (!arithmetic_parse(&declared, arithmetic, sentence, sizeof sentence))
        return refuse(why, why_size, sentence);
    Oracle *o = oracle(&p, true, false);
    Scales *s = error_scales(&p, &declared, o, SCALE_SEED);
    for (int a = 0; a <= last; a++) {
        const Truth *t = &o->truth[a];
        size_t n = t->rows * t->cols;
        copy(wanted[a].value, t->value, n);
        copy(wanted[a].tail, t->tail, n);
        copy(wanted[a].sigma, s->sigma[a], n);
        copy(wanted[a].bound, s->bound[a], n);
    }
    scales_free(s);
    oracle_free(o);
    return 0;
}
