/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kernel_json.c - judged trials for programs; a part of kernel_report.h. */
#include "failure.h"
#include "kernel_report.h"

#include <math.h>

/* JSON has no infinities and no NaN: they become strings. */
static json_t *number(double x)
{
    if (isfinite(x))
        return json_real(x);
    return json_string(isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
}

static json_t *text_of(const char *text)
{
    json_t *s = json_string(text);
    char quoted[400];
    if (s)
        return s;
    failure_quote(quoted, sizeof quoted, text);
    return json_string(quoted);
}

static json_t *tensor_json(const Trial *t, const AnswerSet *s, Answer a)
{
    const Verdict *v = &s->verdict[a];
    json_t *o = json_pack("{s:s, s:I, s:I, s:I}", "verdict", judgement_name(v->judgement), "judged",
                          (json_int_t)v->judged, "not_finite", (json_int_t)v->not_finite,
                          "past_bound", (json_int_t)v->past_bound);
    json_object_set_new(o, "suspect_above", number(v->thresholds.suspect));
    json_object_set_new(o, "wrong_above", number(v->thresholds.wrong));
    json_object_set_new(o, "error_over_bound", number(v->most_of_bound));
    if (!v->judged)
        return o;
    Place p = place_of(&t->given.task.size, a, v->worst);
    json_object_set_new(o, "z", number(v->worst_score.z));
    json_t *worst = json_pack("{s:I, s:I, s:I, s:I}", "batch", (json_int_t)p.batch, "head",
                              (json_int_t)p.head, "row", (json_int_t)p.row, "column",
                              (json_int_t)p.column);
    json_object_set_new(worst, "answer", number(s->answered[a]));
    json_object_set_new(worst, "truth", number(s->truth[a]));
    json_object_set_new(worst, "error", number(v->worst_score.error));
    json_object_set_new(o, "worst", worst);
    return o;
}

static json_t *call_json(const Trial *t, const AnswerSet *s)
{
    json_t *tensors = json_object();
    for (Answer a = 0; a < ANSWERS; a++)
        if (s->answer[a])
            json_object_set_new(tensors, answer_name(a), tensor_json(t, s, a));
    return json_pack("{s:s, s:o}", "call", s->part, "tensors", tensors);
}

static json_t *trial_json(const Trial *t)
{
    json_t *calls = json_array(), *faults = json_array();
    for (size_t k = 0; k < t->sets; k++)
        json_array_append_new(calls, call_json(t, &t->set[k]));
    for (size_t k = 0; k < t->faults; k++)
        json_array_append_new(faults, json_pack("{s:s, s:o}", "call", t->fault[k].part, "what",
                                                text_of(t->fault[k].text)));
    const Sizes *z = &t->given.task.size;
    return json_pack("{s:s, s:s, s:s, s:s, s:[I, I, I, I], s:I, s:o, s:o}", "id", t->id, "family",
                     case_family_name(t->family), "verdict",
                     trial_is_unsupported(t) ? "unsupported" : judgement_name(t->judgement),
                     "arithmetic", t->given.task.arithmetic.name, "shape", (json_int_t)z->batch,
                     (json_int_t)z->heads, (json_int_t)z->length, (json_int_t)z->dim,
                     "unsupported_calls", (json_int_t)t->unsupported, "calls", calls, "faults",
                     faults);
}

json_t *trials_json(const Trials *all, const char *kernel, const TrialOptions *o)
{
    TrialTally n = tally_of(all);
    json_t *cases = json_array();
    for (size_t k = 0; k < all->count; k++)
        json_array_append_new(cases, trial_json(&all->at[k]));
    json_t *document = json_pack("{s:o, s:o, s:I, s:I, s:I, s:I}", "kernel", text_of(kernel),
                                 "cases", cases, "right", (json_int_t)n.of[RIGHT], "suspect",
                                 (json_int_t)n.of[SUSPECT], "wrong", (json_int_t)n.of[WRONG],
                                 "unsupported", (json_int_t)n.unsupported);
    if (o->fresh)
        json_object_set_new(document, "seed", json_integer((json_int_t)o->seed));
    return document;
}
