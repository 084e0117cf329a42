/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * answers.h - a problem as plain numbers, one head's or a whole layer's, and the names of what is
 * answered. Here the files' names and the mathematics' symbols meet; layout.h says how files lay each
 * out.
 */
#ifndef CASTLE_VECTORS_ANSWERS_H
#define CASTLE_VECTORS_ANSWERS_H

#include "head.h"

#include <stdbool.h>

/* The inputs of one head, each length x dim, row by row, exact in binary64. */
typedef enum Input { INPUT_QU, INPUT_KU, INPUT_VU, INPUT_QC, INPUT_KC, INPUT_VC, INPUTS } Input;

/* The inputs of a layer: X, (batch length) x width; six projections, width x (heads dim), head h in
 * columns h dim ..; WO, (heads dim) x width. */
typedef enum LayerInput {
    LAYER_X,
    LAYER_WQU,
    LAYER_WKU,
    LAYER_WVU,
    LAYER_WQC,
    LAYER_WKC,
    LAYER_WVC,
    LAYER_WO,
    LAYER_INPUTS
} LayerInput;

typedef struct LayerProblem {
    size_t batch, heads, width; /* width: dm */
    const double *input[LAYER_INPUTS];
} LayerProblem;

typedef struct Problem {
    size_t length, dim;
    const double *input[INPUTS]; /* of a head; a layer makes its own */
    const double *cotangent;     /* dO, or a layer's dY; NULL: then there are no gradients */
    double scale;                /* 0 stands for 1/sqrt(dim), to any precision */
    size_t window;               /* or NO_WINDOW */
    Variant variant;
    bool stages;               /* a head's stages are asked for, too */
    const LayerProblem *layer; /* NULL: one head */
} Problem;

/* What is judged. */
typedef enum Answer {
    ANSWER_O, /* a head, forward */
    ANSWER_LSE,
    ANSWER_U,
    ANSWER_DQU, /* its gradients */
    ANSWER_DKU,
    ANSWER_DVU,
    ANSWER_DQC,
    ANSWER_DKC,
    ANSWER_DVC,
    ANSWER_SC, /* its stages, forward */
    ANSWER_T1,
    ANSWER_G,
    ANSWER_SU,
    ANSWER_P,
    ANSWER_DP, /* and backward */
    ANSWER_DS,
    ANSWER_DSU,
    ANSWER_DT1,
    ANSWER_DG,
    ANSWER_Y,  /* a layer, forward */
    ANSWER_DX, /* its gradients */
    ANSWER_DWQU,
    ANSWER_DWKU,
    ANSWER_DWVU,
    ANSWER_DWQC,
    ANSWER_DWKC,
    ANSWER_DWVC,
    ANSWER_DWO,
    ANSWERS,
    FORWARD_ANSWERS = ANSWER_DQU, /* how many answers a head has without a cotangent */
    HEAD_ANSWERS = ANSWER_SC,     /* and with one; its stages are extra */
    LAYER_ANSWERS_BEGIN = ANSWER_Y
} Answer;

const char *input_name(Input);            /* "qu" ... as in files */
const char *layer_input_name(LayerInput); /* "x" "wqu" ... */
const char *answer_name(Answer);          /* "o" "lse" "u" "dqu" ... */
bool answer_is_stage(Answer);
bool answer_is_gradient(Answer);               /* needs a cotangent */
Stage answer_stage(Answer);                    /* which site of a declared arithmetic stores it */
Matrix answer_matrix(const Answers *, Answer); /* o, lse or u */

const char *variant_name(Variant); /* "castle", "without-causal-keys", "without-silu" */
bool variant_named(Variant *, const char *name);

/* Whether the problem asks for that answer. */
bool problem_has(const Problem *, Answer);

/* Of one problem: its answer as a matrix. */
typedef struct MatrixShape {
    size_t rows, cols;
} MatrixShape;
MatrixShape answer_shape(const Problem *, Answer);
MatrixShape layer_input_shape(const Problem *, LayerInput);
size_t answer_columns(Answer, size_t dim); /* of o, lse, u, dqu .. dvc: dim, or 1 for lse */

/* So many neighbours in a row share one sigma (scales.h): a head's whole row; of a stage, one. */
size_t sigma_run(const Problem *, Answer);

/* Whether every input, and the cotangent if there is one, is finite. */
bool problem_is_finite(const Problem *);

#endif
