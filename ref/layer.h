/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * layer.h - the multi-head layer (section 2.5, appendix C), and its gradients.
 *
 * Equations     for every head, QU = X WQU, and so on for KU, VU, QC, KC, VC; O_h by Theorem 1;
 *                 Y = [O_1 | .. | O_n] WO.
 *               Given dY:  dWO = O^T dY,  dO = dY WO^T;  per head and projection, from dQU etc.,
 *                 dWQU = X^T dQU,  dX = sum over heads and projections of dQU WQU^T.
 * Shapes        X, Y (batch L) x dm: `batch` sequences of L tokens, one under the other, that know
 *               nothing of each other. The six projections are dm x (n d); head h's, dm x d, are
 *               columns h d .. (h + 1) d - 1. WO is (n d) x dm; head h's are those rows of it.
 * Rows read     row t of Y: rows of X from its own sequence's first to t.
 * Cost          7 n d dm multiply-adds per token, and n heads per sequence. The gradients take the
 *               projections again, twice 7 n d dm more, and every head forwards and backwards.
 * Accuracy      that of the heads; the projections and WO are plain products.
 * Special cases n = 1, d = dm and identities for weights: the layer is the head.
 * Proved        layer_parallel_is_sequential, layer_decode_is_sequential,
 *               layer_blockwise_is_sequential, layer_causality (Layer.v),
 *               layer_gradient_is_derivative (LayerGradient.v); of one sequence.
 * Aliasing      Y and the gradients share no entries with the layer, X or dY.
 */
#ifndef CASTLE_LAYER_H
#define CASTLE_LAYER_H

#include "head.h"

/* A layer's weights, or the gradients with respect to them. */
typedef struct Weights {
    Matrix WQU, WKU, WVU; /* dm x (n d), lookahead side */
    Matrix WQC, WKC, WVC; /* dm x (n d), causal side */
    Matrix WO;            /* (n d) x dm */
} Weights;

/* New matrices, all zero. */
Weights weights_for(System *in, size_t dm, size_t heads, size_t d);

typedef struct Layer {
    Weights W;
    size_t heads;
    Matrix scale;    /* of every head, 1 x 1 */
    size_t window;   /* of every head, or NO_WINDOW */
    Variant variant; /* of every head */
} Layer;

/* A form of one head: sequential, parallel or decode. */
typedef void Form(const Head *, Answers *);

/* Y, from the heads' answers O by the form given. */
void layer_forward(const Layer *layer, Matrix X, size_t batch, Form *form, Matrix Y);

typedef struct LayerGradients {
    Matrix dX;  /* (batch L) x dm */
    Weights dW; /* summed over the batch */
} LayerGradients;

/* New matrices of the shapes that the layer and X call for, all zero. */
LayerGradients layer_gradients_for(const Layer *layer, Matrix X);

/* Given dY, of Y's shape; heads by parallel.h and backward.h. */
void layer_backward(const Layer *layer, Matrix X, size_t batch, Matrix dY,
                    LayerGradients *gradients);

#endif
