/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "trial_truth.h"

#include "bug.h"

#include <math.h>
#include <stdio.h>

static bool is_answered(const Trial *t, Answer a)
{
    for (size_t s = 0; s < t->sets; s++)
        if (t->set[s].answer[a])
            return true;
    return false;
}

Problem trial_problem(const Trial *t, size_t index)
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

const Tensor *trial_tensor(const Trial *t, Answer a, size_t tokens, const char *suffix)
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

/* As the oracle would have found it; of a number of tokens u alone. */
static Oracle *stored_truth(const Trial *t, const Problem *p, size_t tokens, size_t index)
{
    Oracle *o = room_for(__func__, 1, sizeof *o);
    for (Answer a = 0; a < ANSWERS; a++) {
        if (!problem_has(p, a) || (tokens && a != ANSWER_U))
            continue;
        MatrixShape s = answer_shape(p, a);
        size_t n = s.rows * s.cols;
        const Tensor *value = trial_tensor(t, a, tokens, ""),
                     *tail = trial_tensor(t, a, tokens, ".lo");
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

bool trial_is_stored(const Trial *t, const Problem *p)
{
    return t->from_file && !t->ties && !p->stages;
}

Oracle *trial_truth(const Trial *t, const Problem *p, size_t tokens, size_t index)
{
    return trial_is_stored(t, p) ? stored_truth(t, p, tokens, index) : oracle(p, true, false);
}
