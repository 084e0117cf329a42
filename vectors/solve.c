/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "solve.h"

#include "backward.h"
#include "parallel.h"
#include "sequential.h"
#include "system.h"

static Matrix given(const double *numbers, MatrixShape s, System *in)
{
    return stage(STAGE_INPUT, matrix_from(in, s.rows, s.cols, numbers));
}

static Matrix problem_scale(const Problem *p, System *in)
{
    Matrix scale = matrix(in, 1, 1);
    if (p->scale == 0) {
        in->op->inverse_root(in, scale.entries, p->dim);
        return scale;
    }
    in->op->set(in, scale.entries, &p->scale, 1);
    return stage(STAGE_SCALE, scale);
}

Head problem_head(const Problem *p, System *in)
{
    Matrix M[INPUTS];
    for (Input k = 0; k < INPUTS; k++)
        M[k] = given(p->input[k], (MatrixShape){p->length, p->dim}, in);
    return (Head){.QU = M[INPUT_QU],
                  .KU = M[INPUT_KU],
                  .VU = M[INPUT_VU],
                  .QC = M[INPUT_QC],
                  .KC = M[INPUT_KC],
                  .VC = M[INPUT_VC],
                  .scale = problem_scale(p, in),
                  .window = p->window,
                  .variant = p->variant};
}

LayerMatrices problem_layer(const Problem *p, System *in)
{
    Matrix M[LAYER_INPUTS];
    for (LayerInput k = 0; k < LAYER_INPUTS; k++)
        M[k] = given(p->layer->input[k], layer_input_shape(p, k), in);
    return (LayerMatrices){{.W = {.WQU = M[LAYER_WQU],
                                  .WKU = M[LAYER_WKU],
                                  .WVU = M[LAYER_WVU],
                                  .WQC = M[LAYER_WQC],
                                  .WKC = M[LAYER_WKC],
                                  .WVC = M[LAYER_WVC],
                                  .WO = M[LAYER_WO]},
                            .heads = p->layer->heads,
                            .scale = problem_scale(p, in),
                            .window = p->window,
                            .variant = p->variant},
                           M[LAYER_X]};
}

/* ---- stages --------------------------------------------------------------------------------- */

typedef struct StageWatch {
    Solution *solution;
    bool seen[STAGES];
} StageWatch;

/* Keeps each stage at its first appearance: the backward pass shows P again, as rebuilt from lse. */
static void keep_stage(void *watch, Stage stage, Matrix A)
{
    StageWatch *w = watch;
    if (w->seen[stage])
        return;
    w->seen[stage] = true;
    for (Answer k = ANSWER_SC; k <= ANSWER_DG; k++) {
        Matrix *kept = &w->solution->of[k];
        if (answer_stage(k) != stage || !kept->entries)
            continue;
        assign(*kept, A);
        kept->band = A.band;
    }
}

static void watch_stages(const Problem *p, System *in, StageWatch *w)
{
    for (Answer k = ANSWER_SC; k <= ANSWER_DG; k++)
        if (problem_has(p, k))
            w->solution->of[k] = matrix(in, p->length, p->length);
    in->observe = keep_stage;
    in->observer = w;
}

/* ---- heads and layers ----------------------------------------------------------------------- */

/* Theorem 1's form and, from the same forward pass, the gradients: as a kernel's backward pass finds in its
 * operands the roundings of its forward pass. */
static void solve_head(const Problem *p, const Head *head, Solution *s)
{
    Answers forward = answers_without_SU(head);
    Stages f = parallel_stages(head);
    answer_from_stages(head, &f, &forward);
    for (Answer a = 0; a < FORWARD_ANSWERS; a++)
        s->of[a] = answer_matrix(&forward, a);
    if (!p->cotangent)
        return;
    Matrix dO = given(p->cotangent, (MatrixShape){p->length, p->dim}, head->QC.in);
    Gradients g = gradients_for(head);
    backward_from_stages(head, &f, dO, &g);
    const Matrix gradients[] = {g.dQU, g.dKU, g.dVU, g.dQC, g.dKC, g.dVC};
    for (Input k = 0; k < INPUTS; k++)
        s->of[ANSWER_DQU + k] = gradients[k];
}

static void solve_layer(const Problem *p, const LayerMatrices *m, Form *form, Solution *s)
{
    s->of[ANSWER_Y] = matrix(m->X.in, m->X.rows, m->X.cols);
    layer_forward(&m->layer, m->X, p->layer->batch, form, s->of[ANSWER_Y]);
    if (!p->cotangent || form != parallel)
        return;
    Matrix dY = given(p->cotangent, answer_shape(p, ANSWER_Y), m->X.in);
    LayerGradients g = layer_gradients_for(&m->layer, m->X);
    layer_backward(&m->layer, m->X, p->layer->batch, dY, &g);
    const Matrix gradients[] = {g.dX,     g.dW.WQU, g.dW.WKU, g.dW.WVU,
                                g.dW.WQC, g.dW.WKC, g.dW.WVC, g.dW.WO};
    for (LayerInput k = 0; k < LAYER_INPUTS; k++)
        s->of[ANSWER_DX + k] = gradients[k];
}

Solution solve(const Problem *p, System *in)
{
    Solution s = {0};
    if (p->layer) {
        LayerMatrices layer = problem_layer(p, in);
        solve_layer(p, &layer, parallel, &s);
        return s;
    }
    Head head = problem_head(p, in);
    StageWatch watch = {.solution = &s};
    if (p->stages)
        watch_stages(p, in, &watch);
    solve_head(p, &head, &s);
    in->observe = NULL;
    in->observer = NULL;
    return s;
}

/* Without gradients, of which the definition has none of its own. */
Solution solve_sequentially(const Problem *p, System *in)
{
    Solution s = {0};
    if (p->layer) {
        LayerMatrices layer = problem_layer(p, in);
        solve_layer(p, &layer, sequential, &s);
        return s;
    }
    Head head = problem_head(p, in);
    Answers forward = answers_for(&head);
    sequential(&head, &forward);
    for (Answer a = 0; a < FORWARD_ANSWERS; a++)
        s.of[a] = answer_matrix(&forward, a);
    return s;
}
