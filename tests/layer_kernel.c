/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "layer_kernel.h"

#include "backward.h"
#include "solve.h"
#include "systems.h"

#define EVERY_DW \
    (1 << ANSWER_DWQU | 1 << ANSWER_DWKU | 1 << ANSWER_DWVU | 1 << ANSWER_DWQC | \
     1 << ANSWER_DWKC | 1 << ANSWER_DWVC)

static const struct {
    const char *name;
    unsigned long touches;
} faults[LAYER_FAULTS] = {
    [SOUND_LAYER] = {"no fault", 0},
    [DX_LACKS_A_PROJECTION] = {"dx lacks a projection", 1 << ANSWER_DX},
    [DWO_TRANSPOSED] = {"dwo transposed", 1 << ANSWER_DWO},
    [HEADS_SWAPPED_FORWARD] = {"heads swapped forward", 1 << ANSWER_Y | 1 << ANSWER_DWO},
    [HEADS_SWAPPED_BACKWARD] = {"heads swapped backward", 1 << ANSWER_DX | EVERY_DW},
    [BATCH_NOT_SUMMED] = {"batch not summed", 1 << ANSWER_DWO | EVERY_DW},
    [SEQUENCES_RUN_TOGETHER] = {"sequences run together",
                                1 << ANSWER_Y | 1 << ANSWER_DX | 1 << ANSWER_DWO | EVERY_DW},
    [HEAD_GATE_HAS_DIAGONAL] = {"one head's gate has the diagonal",
                                1 << ANSWER_Y | 1 << ANSWER_DWO},
    [DQC_UNSCALED] = {"dqc unscaled", 1 << ANSWER_DX | 1 << ANSWER_DWQC},
};

const char *layer_fault_name(LayerFault f) { return faults[f].name; }
bool layer_fault_touches(LayerFault f, Answer a) { return faults[f].touches >> a & 1; }

/* O of one head: (11), (12). */
static Matrix output(const Head *h, bool diagonal)
{
    Matrix c = h->scale;
    Band gate = {diagonal ? 0 : 1, BAND_FAR};
    Matrix T1 = scaled(c, product_nt(h->QC, h->VU, CAUSAL));
    Matrix G = map(SIGMOID, scaled(c, product_nt(h->QU, h->KU, gate)));
    Matrix SU = product_nt(T1, G, EVERYWHERE);
    Matrix S = subtract(scaled(c, product_nt(h->QC, h->KC, CAUSAL)), map(SILU, SU));
    return product(row_softmax(S, NULL), h->VC, EVERYWHERE);
}

/* The six projections of all heads, their gradients, and what lies between. */
typedef struct Pass {
    Matrix in[INPUTS], gradient[INPUTS], O, dO;
} Pass;

static Head head_in(const Pass *p, const Layer *layer, size_t row, size_t tokens, size_t column,
                    size_t d)
{
    Matrix part[INPUTS];
    for (Input k = 0; k < INPUTS; k++)
        part[k] = columns(rows(p->in[k], row, tokens), column, d);
    return (Head){part[INPUT_QU], part[INPUT_KU], part[INPUT_VU], part[INPUT_QC], part[INPUT_KC],
                  part[INPUT_VC], layer->scale,   NO_WINDOW,      layer->variant};
}

static void run_head(const Pass *p, const Layer *layer, LayerFault f, size_t row, size_t tokens,
                     size_t h)
{
    size_t n = layer->heads, d = p->O.cols / n, other = (n - 1 - h) * d;
    Head head = head_in(p, layer, row, tokens, h * d, d);
    Matrix O = columns(rows(p->O, row, tokens), f == HEADS_SWAPPED_FORWARD ? other : h * d, d);
    Matrix dO = columns(rows(p->dO, row, tokens), f == HEADS_SWAPPED_BACKWARD ? other : h * d, d);
    assign(O, output(&head, f == HEAD_GATE_HAS_DIAGONAL && h + 1 == n));
    Gradients g = gradients_for(&head);
    backward(&head, dO, &g);
    const Matrix six[] = {g.dQU, g.dKU, g.dVU, g.dQC, g.dKC, g.dVC};
    for (Input k = 0; k < INPUTS; k++)
        assign(columns(rows(p->gradient[k], row, tokens), h * d, d), six[k]);
}

static Matrix six_of(const Weights *W, Input k)
{
    return ((const Matrix[]){W->WQU, W->WKU, W->WVU, W->WQC, W->WKC, W->WVC})[k];
}

/* A^T B over the sequences that count. */
static Matrix summed(Matrix A, Matrix B, LayerFault f, size_t length)
{
    size_t first = f == BATCH_NOT_SUMMED ? A.rows - length : 0;
    return product_tn(rows(A, first, A.rows - first), rows(B, first, B.rows - first), EVERYWHERE);
}

/* The numbers of A^T where those of A belong. */
static Matrix misread_transposed(Matrix A)
{
    Matrix B = matrix(A.in, A.rows, A.cols);
    for (size_t k = 0; k < A.rows * A.cols; k++)
        A.in->op->copy(A.in, entry(B, k / A.cols, k % A.cols), entry(A, k % A.rows, k / A.rows), 1);
    return B;
}

static void run_layer(const Problem *problem, const LayerMatrices *m, Matrix dY, LayerFault f,
                      Matrix answer[ANSWERS])
{
    System *in = dY.in;
    const Weights *W = &m->layer.W;
    size_t tokens = dY.rows, length = problem->length;
    size_t together = f == SEQUENCES_RUN_TOGETHER ? tokens : length;
    Pass p = {.O = matrix(in, tokens, W->WO.rows), .dO = product_nt(dY, W->WO, EVERYWHERE)};
    for (Input k = 0; k < INPUTS; k++) {
        p.in[k] = product(m->X, six_of(W, k), EVERYWHERE);
        p.gradient[k] = matrix(in, tokens, W->WO.rows);
    }
    for (size_t row = 0; row < tokens; row += together)
        for (size_t h = 0; h < m->layer.heads; h++)
            run_head(&p, &m->layer, f, row, together, h);
    if (f == DQC_UNSCALED)
        for (size_t i = 0; i < tokens; i++)
            in->op->divide(in, entry(p.gradient[INPUT_QC], i, 0), entry(p.gradient[INPUT_QC], i, 0),
                           m->layer.scale.entries, W->WO.rows);
    answer[ANSWER_Y] = product(p.O, W->WO, EVERYWHERE);
    answer[ANSWER_DX] = matrix(in, tokens, dY.cols);
    for (Input k = 0; k < INPUTS; k++) {
        if (f != DX_LACKS_A_PROJECTION || k != INPUT_KC)
            assign(answer[ANSWER_DX],
                   add(answer[ANSWER_DX], product_nt(p.gradient[k], six_of(W, k), EVERYWHERE)));
        answer[ANSWER_DWQU + k] = summed(m->X, p.gradient[k], f, length);
    }
    answer[ANSWER_DWO] = summed(p.O, dY, f, length);
    if (f == DWO_TRANSPOSED)
        answer[ANSWER_DWO] = misread_transposed(answer[ANSWER_DWO]);
}

Answered layer_kernel(const Task *t, LayerFault f)
{
    Answered all = {{NULL}};
    Problem p = task_problem(t, 0);
    MatrixShape s = answer_shape(&p, ANSWER_Y);
    System *in = played_system(&t->arithmetic);
    LayerMatrices m = problem_layer(&p, in);
    Matrix dY = matrix_from(in, s.rows, s.cols, t->cotangent), answer[ANSWERS];
    run_layer(&p, &m, dY, f, answer);
    for (Answer a = LAYER_ANSWERS_BEGIN; a < ANSWERS; a++)
        all.of[a] = numbers_in_matrix(answer[a]);
    system_free(in);
    return all;
}
