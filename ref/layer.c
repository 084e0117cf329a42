/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "layer.h"

#include "backward.h"
#include "parallel.h"
#include "system.h"

Weights weights_for(System *in, size_t dm, size_t heads, size_t d)
{
    size_t nd = heads * d;
    Weights W;
    Matrix *projection[] = {&W.WQU, &W.WKU, &W.WVU, &W.WQC, &W.WKC, &W.WVC};
    for (size_t k = 0; k < sizeof projection / sizeof projection[0]; k++)
        *projection[k] = matrix(in, dm, nd);
    W.WO = matrix(in, nd, dm);
    return W;
}

LayerGradients layer_gradients_for(const Layer *layer, Matrix X)
{
    const Matrix *WO = &layer->W.WO;
    return (LayerGradients){matrix(X.in, X.rows, X.cols),
                            weights_for(X.in, WO->cols, layer->heads, WO->rows / layer->heads)};
}

static void layer_must_be_sound(const Layer *layer, Matrix X, size_t batch, Matrix Y,
                                const char *function)
{
    const Weights *W = &layer->W;
    const Matrix *projection[] = {&W->WQU, &W->WKU, &W->WVU, &W->WQC, &W->WKC, &W->WVC};
    for (size_t k = 0; k < sizeof projection / sizeof projection[0]; k++)
        if (projection[k]->rows != W->WO.cols || projection[k]->cols != W->WO.rows)
            stop_on_bug(function, "projection %zu of QU KU VU QC KC VC is %zu x %zu, WO %zu x %zu",
                        k, projection[k]->rows, projection[k]->cols, W->WO.rows, W->WO.cols);
    if (!layer->heads || W->WO.rows % layer->heads)
        stop_on_bug(function, "%zu heads share %zu columns", layer->heads, W->WO.rows);
    if (!batch || X.rows % batch)
        stop_on_bug(function, "%zu sequences share %zu rows", batch, X.rows);
    if (X.cols != W->WO.cols || Y.rows != X.rows || Y.cols != X.cols)
        stop_on_bug(function, "X is %zu x %zu, Y or dY %zu x %zu, dm is %zu", X.rows, X.cols,
                    Y.rows, Y.cols, W->WO.cols);
}

/* Sequence b of `batch`. */
static Matrix sequence(Matrix X, size_t batch, size_t b)
{
    size_t L = X.rows / batch;
    return rows(X, b * L, L);
}

/* Head h's columns of a projection, of [O_1 | .. | O_n] or of its gradient. */
static Matrix part(const Layer *layer, Matrix A, size_t h)
{
    size_t d = A.cols / layer->heads;
    return columns(A, h * d, d);
}

static Matrix projected(const Layer *layer, Matrix X, Matrix W, size_t h)
{
    return stage(STAGE_INPUT, product(X, part(layer, W, h), EVERYWHERE));
}

/* Head h of one sequence: QU = X WQU and so on. */
static Head head_of(const Layer *layer, Matrix X, size_t h)
{
    const Weights *W = &layer->W;
    return (Head){.QU = projected(layer, X, W->WQU, h),
                  .KU = projected(layer, X, W->WKU, h),
                  .VU = projected(layer, X, W->WVU, h),
                  .QC = projected(layer, X, W->WQC, h),
                  .KC = projected(layer, X, W->WKC, h),
                  .VC = projected(layer, X, W->WVC, h),
                  .scale = layer->scale,
                  .window = layer->window,
                  .variant = layer->variant};
}

/* O_h of one sequence, written to its columns of O = [O_1 | .. | O_n]. */
static void attend(const Layer *layer, const Head *head, size_t h, Form *form, Matrix O)
{
    Answers answers = answers_for(head);
    answers.O = part(layer, O, h);
    form(head, &answers);
}

void layer_forward(const Layer *layer, Matrix X, size_t batch, Form *form, Matrix Y)
{
    layer_must_be_sound(layer, X, batch, Y, __func__);
    for (size_t b = 0; b < batch; b++) {
        Scope outer = scope_open(X.in);
        Matrix Xb = sequence(X, batch, b), O = matrix(X.in, Xb.rows, layer->W.WO.rows);
        for (size_t h = 0; h < layer->heads; h++) {
            Scope scope = scope_open(X.in);
            Head head = head_of(layer, Xb, h);
            attend(layer, &head, h, form, O);
            scope_close(X.in, scope);
        }
        assign(sequence(Y, batch, b), stage(STAGE_Y, product(O, layer->W.WO, EVERYWHERE)));
        scope_close(X.in, outer);
    }
}

/* QU = X W, or any other of the six, given dQU: on to dX and dW. */
static void through_projection(const Layer *layer, Matrix X, Matrix W, size_t h, Matrix dQU,
                               Matrix dX, Matrix dW)
{
    accumulate(dX, product_nt(dQU, part(layer, W, h), EVERYWHERE));
    accumulate(part(layer, dW, h), product_tn(X, dQU, EVERYWHERE));
}

/* Head h of one sequence, given dO_h: on to dX and the six dW. Writes O_h on the way. */
static void through_head(const Layer *layer, Matrix X, size_t h, Matrix O, Matrix dO, Matrix dX,
                         Weights *dW)
{
    const Weights *W = &layer->W;
    Head head = head_of(layer, X, h);
    Stages forward = parallel_stages(&head);
    assign(part(layer, O, h), forward.O);
    Gradients g = gradients_for(&head);
    backward_from_stages(&head, &forward, part(layer, dO, h), &g);
    through_projection(layer, X, W->WQU, h, g.dQU, dX, dW->WQU);
    through_projection(layer, X, W->WKU, h, g.dKU, dX, dW->WKU);
    through_projection(layer, X, W->WVU, h, g.dVU, dX, dW->WVU);
    through_projection(layer, X, W->WQC, h, g.dQC, dX, dW->WQC);
    through_projection(layer, X, W->WKC, h, g.dKC, dX, dW->WKC);
    through_projection(layer, X, W->WVC, h, g.dVC, dX, dW->WVC);
}

/* dX, then the gradients of the weights. */
typedef struct GradientList {
    Matrix of[8];
} GradientList;

static GradientList all_of(const LayerGradients *g)
{
    const Weights *W = &g->dW;
    return (GradientList){{g->dX, W->WQU, W->WKU, W->WVU, W->WQC, W->WKC, W->WVC, W->WO}};
}

static void clear(const LayerGradients *g)
{
    GradientList all = all_of(g);
    Scope scope = scope_open(g->dX.in);
    for (size_t k = 0; k < sizeof all.of / sizeof *all.of; k++)
        assign(all.of[k], matrix(g->dX.in, all.of[k].rows, all.of[k].cols));
    scope_close(g->dX.in, scope);
}

/* The sums over heads and sequences, as a kernel stores them. */
static void store(const LayerGradients *g)
{
    GradientList all = all_of(g);
    Scope scope = scope_open(g->dX.in);
    for (size_t k = 0; k < sizeof all.of / sizeof *all.of; k++)
        assign(all.of[k], stage(k == 0 ? STAGE_DX : STAGE_DW, all.of[k]));
    scope_close(g->dX.in, scope);
}

void layer_backward(const Layer *layer, Matrix X, size_t batch, Matrix dY, LayerGradients *g)
{
    layer_must_be_sound(layer, X, batch, dY, __func__);
    clear(g);
    for (size_t b = 0; b < batch; b++) {
        Scope outer = scope_open(X.in);
        Matrix Xb = sequence(X, batch, b), dYb = sequence(dY, batch, b);
        Matrix O = matrix(X.in, Xb.rows, layer->W.WO.rows);

        /* Y = O WO */
        Matrix dO = stage(STAGE_INPUT, product_nt(dYb, layer->W.WO, EVERYWHERE));
        for (size_t h = 0; h < layer->heads; h++) {
            Scope scope = scope_open(X.in);
            through_head(layer, Xb, h, O, dO, sequence(g->dX, batch, b), &g->dW);
            scope_close(X.in, scope);
        }
        accumulate(g->dW.WO, product_tn(O, dYb, EVERYWHERE));
        scope_close(X.in, outer);
    }
    store(g);
}
