/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "answers.h"

#include "system.h"

#include <math.h>
#include <string.h>

const char *input_name(Input k)
{
    static const char *const names[INPUTS] = {"qu", "ku", "vu", "qc", "kc", "vc"};
    return names[k];
}

const char *layer_input_name(LayerInput k)
{
    static const char *const names[LAYER_INPUTS] = {"x",   "wqu", "wku", "wvu",
                                                    "wqc", "wkc", "wvc", "wo"};
    return names[k];
}

/* Every answer: its name in files, and the site of an arithmetic at which a kernel stores it. */
static const struct {
    const char *name;
    Stage stage;
} answers[ANSWERS] = {
    [ANSWER_O] = {"o", STAGE_O},        [ANSWER_LSE] = {"lse", STAGE_LSE},
    [ANSWER_U] = {"u", STAGE_U},        [ANSWER_DQU] = {"dqu", STAGE_DQU},
    [ANSWER_DKU] = {"dku", STAGE_DKU},  [ANSWER_DVU] = {"dvu", STAGE_DVU},
    [ANSWER_DQC] = {"dqc", STAGE_DQC},  [ANSWER_DKC] = {"dkc", STAGE_DKC},
    [ANSWER_DVC] = {"dvc", STAGE_DVC},  [ANSWER_SC] = {"sc", STAGE_SC},
    [ANSWER_T1] = {"t1", STAGE_T1},     [ANSWER_G] = {"g", STAGE_G},
    [ANSWER_SU] = {"su", STAGE_SU},     [ANSWER_P] = {"p", STAGE_P},
    [ANSWER_DP] = {"dp", STAGE_DP},     [ANSWER_DS] = {"ds", STAGE_DS},
    [ANSWER_DSU] = {"dsu", STAGE_DSU},  [ANSWER_DT1] = {"dt1", STAGE_DT1},
    [ANSWER_DG] = {"dg", STAGE_DG},     [ANSWER_Y] = {"y", STAGE_Y},
    [ANSWER_DX] = {"dx", STAGE_DX},     [ANSWER_DWQU] = {"dwqu", STAGE_DW},
    [ANSWER_DWKU] = {"dwku", STAGE_DW}, [ANSWER_DWVU] = {"dwvu", STAGE_DW},
    [ANSWER_DWQC] = {"dwqc", STAGE_DW}, [ANSWER_DWKC] = {"dwkc", STAGE_DW},
    [ANSWER_DWVC] = {"dwvc", STAGE_DW}, [ANSWER_DWO] = {"dwo", STAGE_DW},
};

const char *answer_name(Answer k) { return answers[k].name; }
Stage answer_stage(Answer k) { return answers[k].stage; }
bool answer_is_stage(Answer k) { return k >= ANSWER_SC && k <= ANSWER_DG; }

bool answer_is_gradient(Answer k)
{
    return (k >= ANSWER_DQU && k <= ANSWER_DVC) || (k >= ANSWER_DP && k <= ANSWER_DG) ||
           k >= ANSWER_DX;
}

Matrix answer_matrix(const Answers *a, Answer k)
{
    const Matrix forward[FORWARD_ANSWERS] = {a->O, a->lse, a->U};
    if (k >= FORWARD_ANSWERS)
        stop_on_bug(__func__, "%s is no forward answer", answer_name(k));
    return forward[k];
}

static const char *const variants[] = {"castle", "without-causal-keys", "without-silu"};

const char *variant_name(Variant v) { return variants[v]; }

bool variant_named(Variant *v, const char *name)
{
    for (size_t k = 0; k < sizeof variants / sizeof *variants; k++)
        if (strcmp(name, variants[k]) == 0) {
            *v = (Variant)k;
            return true;
        }
    return false;
}

bool problem_has(const Problem *p, Answer k)
{
    if (answer_is_gradient(k) && !p->cotangent)
        return false;
    if (p->layer)
        return k >= LAYER_ANSWERS_BEGIN;
    return k < HEAD_ANSWERS || (answer_is_stage(k) && p->stages);
}

size_t answer_columns(Answer k, size_t dim) { return k == ANSWER_LSE ? 1 : dim; }

MatrixShape layer_input_shape(const Problem *p, LayerInput k)
{
    const LayerProblem *l = p->layer;
    if (k == LAYER_X)
        return (MatrixShape){l->batch * p->length, l->width};
    return k == LAYER_WO ? (MatrixShape){l->heads * p->dim, l->width}
                         : (MatrixShape){l->width, l->heads * p->dim};
}

MatrixShape answer_shape(const Problem *p, Answer k)
{
    if (answer_is_stage(k))
        return (MatrixShape){p->length, p->length};
    if (k == ANSWER_Y)
        return layer_input_shape(p, LAYER_X);
    if (k >= ANSWER_DX) /* in the inputs' order */
        return layer_input_shape(p, LAYER_X + (k - ANSWER_DX));
    return (MatrixShape){p->length, answer_columns(k, p->dim)};
}

size_t sigma_run(const Problem *p, Answer k)
{
    if (answer_is_stage(k))
        return 1;
    return k >= ANSWER_DWQU && k < ANSWER_DWO ? p->dim : answer_shape(p, k).cols;
}

static bool all_finite(const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

bool problem_is_finite(const Problem *p)
{
    MatrixShape answer = answer_shape(p, p->layer ? ANSWER_Y : ANSWER_O);
    bool finite = !p->cotangent || all_finite(p->cotangent, answer.rows * answer.cols);
    for (LayerInput k = 0; p->layer && k < LAYER_INPUTS; k++) {
        MatrixShape s = layer_input_shape(p, k);
        finite = finite && all_finite(p->layer->input[k], s.rows * s.cols);
    }
    for (Input k = 0; !p->layer && k < INPUTS; k++)
        finite = finite && all_finite(p->input[k], p->length * p->dim);
    return finite;
}
