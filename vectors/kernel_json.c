/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kernel_json.c - judged trials for programs; a part of kernel_report.h. */
#include "json_values.h"
#include "kernel_report.h"

static json_t *tensor_json(const Trial *t, const AnswerSet *s, Answer a, bool maps)
{
    const Verdict *v = &s->verdict[a];
    json_t *o = json_pack("{s:s, s:I, s:I, s:I}", "verdict", judgement_name(v->judgement), "judged",
                          (json_int_t)v->judged, "not_finite", (json_int_t)v->not_finite,
                          "past_bound", (json_int_t)v->past_bound);
    json_object_set_new(o, "suspect_above", number_json(v->thresholds.suspect));
    json_object_set_new(o, "wrong_above", number_json(v->thresholds.wrong));
    json_object_set_new(o, "error_over_bound", number_json(v->most_of_bound));
    if (!v->judged)
        return o;
    Place p = place_of(&t->given.task.size, a, v->worst);
    json_object_set_new(o, "z", number_json(v->worst_score.z));
    json_t *worst = json_pack("{s:I, s:I, s:I, s:I}", "batch", (json_int_t)p.batch, "head",
                              (json_int_t)p.head, "row", (json_int_t)p.row, "column",
                              (json_int_t)p.column);
    json_object_set_new(worst, "answer", number_json(s->answered[a]));
    json_object_set_new(worst, "truth", number_json(s->truth[a]));
    json_object_set_new(worst, "error", number_json(v->worst_score.error));
    json_object_set_new(o, "worst", worst);
    if (s->where[a])
        json_object_set_new(o, "pattern", pattern_json(&s->where[a]->pattern));
    if (s->where[a] && maps)
        json_object_set_new(o, "map", heat_map_json(&s->where[a]->map));
    return o;
}

static json_t *call_json(const Trial *t, const AnswerSet *s, bool maps)
{
    json_t *tensors = json_object();
    for (Answer a = 0; a < ANSWERS; a++)
        if (s->answer[a])
            json_object_set_new(tensors, answer_name(a), tensor_json(t, s, a, maps));
    json_t *call = json_pack("{s:s, s:o}", "call", s->part, "tensors", tensors);
    if (s->first.answer != ANSWERS)
        json_object_set_new(call, "first_wrong", first_wrong_json(&s->first));
    return call;
}

static json_t *trial_json(const Trial *t, bool maps)
{
    json_t *calls = json_array(), *faults = json_array();
    for (size_t k = 0; k < t->sets; k++)
        json_array_append_new(calls, call_json(t, &t->set[k], maps));
    for (size_t k = 0; k < t->faults; k++)
        json_array_append_new(faults, json_pack("{s:s, s:o}", "call", t->fault[k].part, "what",
                                                text_json(t->fault[k].text)));
    const Sizes *z = &t->given.task.size;
    return json_pack("{s:s, s:s, s:s, s:s, s:[I, I, I, I], s:I, s:o, s:o}", "id", t->id, "family",
                     case_family_name(t->family), "verdict",
                     trial_is_unsupported(t) ? "unsupported" : judgement_name(t->judgement),
                     "arithmetic", t->given.task.arithmetic.name, "shape", (json_int_t)z->batch,
                     (json_int_t)z->heads, (json_int_t)z->length, (json_int_t)z->dim,
                     "unsupported_calls", (json_int_t)t->unsupported, "calls", calls, "faults",
                     faults);
}

static json_t *guesses_json(const Trials *all)
{
    json_t *guesses = json_array();
    for (unsigned type = 0; type < NUMBER_TYPES; type++) {
        if (!all->guess[type].made)
            continue;
        json_t *g = guess_json(&all->guess[type]);
        json_object_set_new(g, "type", json_string(number_type_name((NumberType)type)));
        json_array_append_new(guesses, g);
    }
    return guesses;
}

json_t *trials_json(const Trials *all, const char *kernel, const TrialOptions *o, bool maps)
{
    TrialTally n = tally_of(all);
    json_t *cases = json_array();
    for (size_t k = 0; k < all->count; k++)
        json_array_append_new(cases, trial_json(&all->at[k], maps));
    json_t *document = json_pack("{s:o, s:o, s:I, s:I, s:I, s:I}", "kernel", text_json(kernel),
                                 "cases", cases, "right", (json_int_t)n.of[RIGHT], "suspect",
                                 (json_int_t)n.of[SUSPECT], "wrong", (json_int_t)n.of[WRONG],
                                 "unsupported", (json_int_t)n.unsupported);
    json_t *guesses = guesses_json(all);
    if (json_array_size(guesses))
        json_object_set(document, "guess", guesses);
    json_decref(guesses);
    if (o->fresh)
        json_object_set_new(document, "seed", json_integer((json_int_t)o->seed));
    return document;
}
