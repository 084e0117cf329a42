/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin_checks.h"

#include "bug.h"
#include "nan_reach.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static PluginCall plain_call(const Trial *t, PluginFunction function)
{
    const Task *task = &t->given.task;
    PluginCall c = {
        .function = function, .task = task, .size = task->size, .cotangent = task->cotangent};
    for (Input k = 0; k < INPUTS; k++)
        c.input[k] = task->input[k];
    return c;
}

static bool is_asked(const Trial *t, const char *part)
{
    return !t->only || strcmp(t->only, part) == 0;
}

/* Calls, and reports what is faulty. False where there are no answers. */
static bool answers_to(const Plugin *p, Trial *t, const PluginCall *c, const char *part,
                       double *answer[ANSWERS])
{
    char text[180];
    memset(answer, 0, ANSWERS * sizeof *answer);
    CallResult result = plugin_call(p, c, answer, text, sizeof text);
    t->unsupported += result == CALL_UNSUPPORTED;
    if (result == CALL_FAULTY)
        trial_fault(t, part, "%s %s", plugin_function_name(c->function), text);
    return result == CALL_ANSWERED;
}

static void drop(double *answer[ANSWERS])
{
    for (Answer a = 0; a < ANSWERS; a++)
        free(answer[a]);
}

/* ---- promises --------------------------------------------------------------------------------- */

/* Whether an element that must not move did: by a bit, or where that is allowed, to NaN. */
static bool moved(const Plugin *p, double before, double after)
{
    if (p->nondeterministic)
        return isnan(after) && !isnan(before);
    uint64_t a, b;
    memcpy(&a, &before, sizeof a);
    memcpy(&b, &after, sizeof b);
    return a != b;
}

typedef struct Compared {
    const char *part, *what;     /* for the report */
    const double *const *before; /* answers */
    bool (*counts)(const Sizes *, Answer, size_t index, size_t parity);
    size_t parity;
} Compared;

/* Reports the first element that counts and has moved. */
static void compare(const Plugin *p, Trial *t, const Compared *c, double *const after[ANSWERS])
{
    const Sizes *size = &t->given.task.size;
    for (Answer a = 0; a < ANSWERS; a++)
        for (size_t k = 0; c->before[a] && after[a] && k < trial_count(t, a); k++) {
            if ((c->counts && !c->counts(size, a, k, c->parity)) ||
                !moved(p, c->before[a][k], after[a][k]))
                continue;
            Place at = place_of(size, a, k);
            trial_fault(t, c->part, "%s: %s [%zu, %zu, %zu, %zu] was %.9g and becomes %.9g",
                        c->what, answer_name(a), at.batch, at.head, at.row, at.column,
                        c->before[a][k], after[a][k]);
            return;
        }
}

/* A copy of a [batch, heads, L, d] tensor in which some rows are NaN. */
static double *with_nan(const Sizes *s, const double *from,
                        bool (*poisoned)(Place, const Sizes *, size_t parity), size_t parity)
{
    size_t n = s->batch * s->heads * s->length * s->dim;
    double *copy = room_for(__func__, n, sizeof *copy);
    for (size_t k = 0; k < n; k++)
        copy[k] = poisoned(place_of(s, ANSWER_O, k), s, parity) ? NAN : from[k];
    return copy;
}

static bool is_last_token(Place at, const Sizes *s, size_t parity)
{
    (void)parity;
    return at.row == s->length - 1;
}

static bool is_middle_token(Place at, const Sizes *s, size_t parity)
{
    (void)parity;
    return at.row == nan_token(s->length);
}

static bool is_neighbour(Place at, const Sizes *s, size_t parity)
{
    return (at.batch * s->heads + at.head) % 2 != parity;
}

static bool counts_for_future(const Sizes *s, Answer a, size_t index, size_t parity)
{
    (void)parity;
    return (a == ANSWER_O || a == ANSWER_LSE) && place_of(s, a, index).row < s->length - 1;
}

static bool counts_for_neighbours(const Sizes *s, Answer a, size_t index, size_t parity)
{
    return !is_neighbour(place_of(s, a, index), s, parity);
}

/* Answers to NaN in the rows that `poisoned` names. False where there are none. */
static bool answers_to_poison(const Plugin *p, Trial *t, const PluginCall *plain, const char *part,
                              bool (*poisoned)(Place, const Sizes *, size_t), size_t parity,
                              double *answer[ANSWERS])
{
    PluginCall call = *plain;
    double *copies[INPUTS + 1] = {NULL};
    for (Input k = 0; k < INPUTS; k++)
        call.input[k] = copies[k] = with_nan(&call.size, plain->input[k], poisoned, parity);
    if (plain->cotangent)
        call.cotangent = copies[INPUTS] = with_nan(&call.size, plain->cotangent, poisoned, parity);
    bool answered = answers_to(p, t, &call, part, answer);
    for (size_t k = 0; k <= INPUTS; k++)
        free(copies[k]);
    return answered;
}

static void check_poisoned(const Plugin *p, Trial *t, const PluginCall *plain, const Compared *c,
                           bool (*poisoned)(Place, const Sizes *, size_t))
{
    double *answer[ANSWERS];
    if (!is_asked(t, c->part) ||
        !answers_to_poison(p, t, plain, c->part, poisoned, c->parity, answer))
        return;
    compare(p, t, c, answer);
    drop(answer);
}

static void check_repeat(const Plugin *p, Trial *t, const PluginCall *plain, const AnswerSet *first)
{
    double *again[ANSWERS];
    if (p->nondeterministic || !is_asked(t, "repeat") || !answers_to(p, t, plain, "repeat", again))
        return;
    compare(p, t,
            &(Compared){"repeat", "two runs differ", (const double *const *)first->answer, NULL, 0},
            again);
    drop(again);
}

static void check_neighbours(const Plugin *p, Trial *t, const PluginCall *plain,
                             const AnswerSet *first)
{
    for (size_t parity = 0; parity < 2 && task_problems(&t->given.task) > 1; parity++)
        check_poisoned(p, t, plain,
                       &(Compared){"neighbours", "NaN in another head or batch moves",
                                   (const double *const *)first->answer, counts_for_neighbours,
                                   parity},
                       is_neighbour);
}

static void check_future(const Plugin *p, Trial *t, const PluginCall *plain, const AnswerSet *first)
{
    if (plain->size.length > 1)
        check_poisoned(p, t, plain,
                       &(Compared){"future", "NaN in the last token moves",
                                   (const double *const *)first->answer, counts_for_future, 0},
                       is_last_token);
}

/* Reports the first element of o and lse that is finite although the NaN reaches it. */
static void check_swallowed(const Plugin *p, Trial *t, const PluginCall *plain)
{
    const Sizes *size = &t->given.task.size;
    size_t token = nan_token(size->length);
    double *answer[ANSWERS];
    if (!is_asked(t, "swallowed") ||
        !answers_to_poison(p, t, plain, "swallowed", is_middle_token, 0, answer))
        return;
    bool found = false;
    for (Answer a = ANSWER_O; a <= ANSWER_LSE; a++)
        for (size_t k = 0; answer[a] && !found && k < trial_count(t, a); k++) {
            Place at = place_of(size, a, k);
            if (!nan_must_reach(plain->task->variant, a, at.row, token) || !isfinite(answer[a][k]))
                continue;
            found = true;
            trial_fault(t, "swallowed", "NaN in token %zu leaves %s [%zu, %zu, %zu, %zu] at %.9g",
                        token, answer_name(a), at.batch, at.head, at.row, at.column, answer[a][k]);
        }
    drop(answer);
}

/* 8 dO scales every quantity of the backward pass by 8 and rounds none otherwise, unless it is below the
 * type's normal range, where the roundings are 2^-149 in float and bfloat16 and do not scale. Such a one
 * reaches a gradient over at most two sums of L and one of d terms, with factors below 2^6 in the families
 * that are asked: below 2^-149 L^2 d 2^18. */
static bool scaled_exactly(double before, double after, const Sizes *s, NumberType type)
{
    double lost = ldexp((double)s->length * (double)s->length * (double)s->dim,
                        type == TYPE_F64 ? -1074 + 18 : -149 + 18);
    return after == 8 * before || isnan(before) || fabs(after - 8 * before) <= 9 * lost;
}

static bool asks_for_scaling(const Trial *t)
{
    switch (t->family) {
    case FAMILY_PLAIN:
    case FAMILY_TINY:
    case FAMILY_RAGGED:
    case FAMILY_DIM:
    case FAMILY_WINDOW:
    case FAMILY_ALIVE:
    case FAMILY_INTEGERS:
        return t->given.task.type != TYPE_F16; /* whose range dO leaves too easily */
    default:
        return false;
    }
}

static void check_scaling(const Plugin *p, Trial *t, const PluginCall *plain,
                          const AnswerSet *first)
{
    PluginCall call = *plain;
    const Sizes *size = &call.size;
    size_t n = trial_count(t, ANSWER_O);
    double *answer[ANSWERS], *cotangent;
    if (p->nondeterministic || !is_asked(t, "scaling") || !asks_for_scaling(t))
        return;
    call.cotangent = cotangent = room_for(__func__, n, sizeof *cotangent);
    for (size_t k = 0; k < n; k++)
        cotangent[k] = 8 * plain->cotangent[k];
    bool answered = answers_to(p, t, &call, "scaling", answer), exact = true;
    for (Answer a = ANSWER_DQU; answered && a <= ANSWER_DVC; a++)
        for (size_t k = 0; exact && k < n; k++) {
            double before = first->answer[a][k], after = answer[a][k];
            exact = scaled_exactly(before, after, size, call.task->type);
            Place at = place_of(size, a, k);
            if (!exact)
                trial_fault(t, "scaling",
                            "8 dO does not give 8 %s: at [%zu, %zu, %zu, %zu] %.9g becomes %.9g",
                            answer_name(a), at.batch, at.head, at.row, at.column, before, after);
        }
    if (answered)
        drop(answer);
    free(cotangent);
}

/* ---- values ----------------------------------------------------------------------------------- */

/* Answers that will be judged, or NULL. */
static AnswerSet *judged_call(const Plugin *p, Trial *t, const PluginCall *c, const char *part)
{
    double *answer[ANSWERS];
    if (!answers_to(p, t, c, part, answer))
        return NULL;
    AnswerSet *set = trial_set(t, part);
    memcpy(set->answer, answer, sizeof answer);
    return set;
}

static const AnswerSet *call_both_layouts(const Plugin *p, Trial *t, const PluginCall *plain,
                                          const char *part, const char *padded_part)
{
    PluginCall padded = *plain;
    const AnswerSet *first = judged_call(p, t, plain, part);
    padded.padded = true;
    if (first && is_asked(t, padded_part))
        (void)judged_call(p, t, &padded, padded_part);
    return first;
}

/* The first `rows` tokens of every head. */
static double *beginning(const Sizes *s, const double *from, size_t rows)
{
    size_t heads = s->batch * s->heads, part = rows * s->dim;
    double *first = room_for(__func__, heads * part, sizeof *first);
    for (size_t h = 0; h < heads; h++)
        memcpy(first + h * part, from + h * s->length * s->dim, part * sizeof *first);
    return first;
}

/* Prefill takes the first tokens in, decode the rest: o of both, and U after the last token. */
static void decode_after_prefill(const Plugin *p, Trial *t, size_t first, const char *part)
{
    PluginCall begin = plain_call(t, PLUGIN_PREFILL), rest = plain_call(t, PLUGIN_DECODE);
    const Sizes *s = &rest.size;
    double *begun[ANSWERS];
    begin.size.length = rest.prefilled = first;
    if (!first || !is_asked(t, part))
        return;
    for (Input k = 0; k < INPUTS; k++)
        begin.input[k] = beginning(s, rest.input[k], first);
    if (answers_to(p, t, &begin, part, begun)) {
        rest.u = begun[ANSWER_U];
        AnswerSet *set = judged_call(p, t, &rest, part);
        size_t rows = first * s->dim;
        for (size_t h = 0; set && h < s->batch * s->heads; h++)
            memcpy(set->answer[ANSWER_O] + h * s->length * s->dim, begun[ANSWER_O] + h * rows,
                   rows * sizeof(double));
        drop(begun);
    }
    for (Input k = 0; k < INPUTS; k++)
        free((void *)begin.input[k]);
}

/* The golden case's splits, or halves. A plug-in's prefill begins a cache and does not go on with one, so of a
 * split its first chunk is prefilled, and the tokens of the others are taken one by one. */
static void try_splits(const Plugin *p, Trial *t)
{
    size_t L = t->given.task.size.length, splits = t->of ? t->of->splits : 0;
    if (!splits)
        decode_after_prefill(p, t, L / 2, "prefill, decode");
    for (size_t k = 0; k < splits; k++) {
        size_t first = t->of->split[k].chunk[0];
        char part[24];
        snprintf(part, sizeof part, "split %zu", first);
        if (first > 1 && first < L) /* the others are prefill alone, decode alone */
            decode_after_prefill(p, t, first, part);
    }
}

/* U when so many tokens are taken in, of a decoding that has noted it. */
static void add_noted(Trial *t, const PluginCall *c, size_t step)
{
    char part[24];
    const Sizes *s = &c->size;
    size_t n = trial_count(t, ANSWER_U), tokens = c->step[step];
    snprintf(part, sizeof part, "decode, u@%zu", tokens);
    if (tokens >= s->length || !is_asked(t, part))
        return;
    AnswerSet *set = trial_set(t, part);
    set->tokens = tokens;
    set->answer[ANSWER_U] = room_for(__func__, n, sizeof(double));
    for (size_t k = 0; k < n; k++)
        set->answer[ANSWER_U][k] = place_of(s, ANSWER_U, k).row < tokens ? c->noted[step * n + k]
                                                                         : NAN;
}

static void try_decode(const Plugin *p, Trial *t)
{
    PluginCall c = plain_call(t, PLUGIN_DECODE);
    c.step = t->of ? t->of->step : NULL;
    c.steps = t->of ? t->of->steps : 0;
    size_t bytes = c.steps * trial_count(t, ANSWER_U) * sizeof(double);
    c.noted = bytes ? shared_room(bytes) : NULL;
    const AnswerSet *decode = judged_call(p, t, &c, "decode");
    for (size_t k = 0; decode && k < c.steps; k++)
        add_noted(t, &c, k);
    if (bytes)
        shared_free(c.noted, bytes);
    if (decode && p->has[PLUGIN_PREFILL])
        try_splits(p, t);
}

void plugin_try(const Plugin *p, Trial *t)
{
    const AnswerSet *forward = NULL;
    if (p->has[PLUGIN_FORWARD]) {
        PluginCall c = plain_call(t, PLUGIN_FORWARD);
        forward = call_both_layouts(p, t, &c, "forward", "padded forward");
        if (forward) {
            check_repeat(p, t, &c, forward);
            check_neighbours(p, t, &c, forward);
            check_future(p, t, &c, forward);
            check_swallowed(p, t, &c);
        }
    }
    /* a forward that is there and fails leaves nothing to go back from */
    if (p->has[PLUGIN_BACKWARD] && t->given.task.cotangent &&
        (forward || !p->has[PLUGIN_FORWARD])) {
        PluginCall c = plain_call(t, PLUGIN_BACKWARD);
        c.o = forward ? forward->answer[ANSWER_O] : NULL;
        c.lse = forward ? forward->answer[ANSWER_LSE] : NULL;
        const AnswerSet *backward = call_both_layouts(p, t, &c, "backward", "padded backward");
        if (backward) {
            check_repeat(p, t, &c, backward);
            check_neighbours(p, t, &c, backward);
            check_scaling(p, t, &c, backward);
        }
    }
    if (p->has[PLUGIN_PREFILL]) {
        PluginCall c = plain_call(t, PLUGIN_PREFILL);
        (void)call_both_layouts(p, t, &c, "prefill", "padded prefill");
    }
    if (p->has[PLUGIN_DECODE])
        try_decode(p, t);
}
