/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pairs.h"

#include "backward_blockwise.h"
#include "blockwise.h"
#include "decode.h"
#include "parallel.h"
#include "prefill.h"
#include "sequential.h"
#include "solve.h"
#include "systems.h"

bool subject_fits(Subject s, const Problem *p)
{
    if (s == LAYERS)
        return p->layer;
    return !p->layer && (s == FORWARD || p->cotangent);
}

static void pair_up(Pairs *p, Matrix A, Matrix B, Answer answer)
{
    p->pair[p->count++] = (Pair){A, B, answer};
}

static size_t third(size_t length) { return (length + 2) / 3; }

/* ---- heads ---------------------------------------------------------------------------------- */

/* Two chunks into an empty cache, the rest token by token. */
static void prefill_and_decode(const Head *h, Answers *a)
{
    size_t L = h->QC.rows, d = h->QC.cols, first = third(L), second = (L - first) / 2;
    Cache cache = cache_empty(h->QC.in, L, d);
    prefill(&cache, h, 0, first, third(first), rows(a->O, 0, first), rows(a->lse, 0, first));
    prefill(&cache, h, first, second, second / 2 + 1, rows(a->O, first, second),
            rows(a->lse, first, second));
    for (size_t t = first + second; t < L; t++)
        decode_step(&cache, h, t, row(a->O, t), row(a->lse, t));
    assign(a->U, cache.U);
}

static Pairs forward_pairs(const Head *h)
{
    Pairs p = {.count = 0};
    Answers a = answers_for(h), b = answers_for(h), c = answers_for(h), d = answers_for(h),
            e = answers_for(h);
    sequential(h, &a);
    parallel(h, &b);
    decode(h, &c);
    blockwise(h, third(h->QC.rows), &d, matrix(h->QC.in, h->QC.rows, h->QC.cols));
    prefill_and_decode(h, &e);
    for (Answer k = 0; k < FORWARD_ANSWERS; k++) {
        pair_up(&p, answer_matrix(&a, k), answer_matrix(&b, k), k);
        pair_up(&p, answer_matrix(&a, k), answer_matrix(&c, k), k);
        pair_up(&p, answer_matrix(&a, k), answer_matrix(&e, k), k);
        if (k != ANSWER_U) /* the blockwise form keeps D, not U */
            pair_up(&p, answer_matrix(&a, k), answer_matrix(&d, k), k);
    }
    pair_up(&p, a.SU, b.SU, ANSWERS);
    pair_up(&p, a.SU, d.SU, ANSWERS);
    return p;
}

static void pair_gradients(Pairs *p, const Gradients *a, const Gradients *b)
{
    const Matrix x[] = {a->dQU, a->dKU, a->dVU, a->dQC, a->dKC, a->dVC};
    const Matrix y[] = {b->dQU, b->dKU, b->dVU, b->dQC, b->dKC, b->dVC};
    for (Input k = 0; k < INPUTS; k++)
        pair_up(p, x[k], y[k], ANSWER_DQU + k);
}

static Pairs gradient_pairs(const Head *h, Matrix dO, bool subtraction)
{
    Pairs p = {.count = 0};
    System *in = h->QC.in;
    size_t B = third(h->QC.rows);
    Gradients dense = gradients_for(h), blocks = gradients_for(h), subtracted = gradients_for(h);
    Answers forward = answers_for(h);
    Matrix D = matrix(in, h->QC.rows, h->QC.cols);
    backward(h, dO, &dense);
    blockwise(h, B, &forward, D);
    backward_blockwise(h, B, &forward, D, dO, BY_RECOMPUTATION, &blocks);
    pair_gradients(&p, &dense, &blocks);
    if (subtraction) {
        backward_blockwise(h, B, &forward, D, dO, BY_SUBTRACTION, &subtracted);
        pair_gradients(&p, &dense, &subtracted);
    }
    return p;
}

/* ---- layers --------------------------------------------------------------------------------- */

enum { SEVEN = 7 }; /* QU KU VU QC KC VC, and O */

static void list_weights(const Weights *W, Matrix list[SEVEN])
{
    const Matrix all[SEVEN] = {W->WQU, W->WKU, W->WVU, W->WQC, W->WKC, W->WVC, W->WO};
    for (size_t k = 0; k < SEVEN; k++)
        list[k] = all[k];
}

/* All heads of all sequences side by side: tokens x (n d). */
typedef struct Wide {
    Matrix input[INPUTS], gradient[INPUTS], O, dO;
} Wide;

static void blockwise_head(const Wide *w, const Layer *layer, size_t first, size_t length,
                           size_t column, size_t d)
{
    System *in = w->O.in;
    Scope scope = scope_open(in);
    Matrix part[INPUTS];
    for (Input k = 0; k < INPUTS; k++)
        part[k] = columns(rows(w->input[k], first, length), column, d);
    Head h = {part[INPUT_QU], part[INPUT_KU], part[INPUT_VU], part[INPUT_QC], part[INPUT_KC],
              part[INPUT_VC], layer->scale,   layer->window,  layer->variant};
    Answers forward = answers_for(&h);
    Gradients g = gradients_for(&h);
    Matrix D = matrix(in, length, d), dO = columns(rows(w->dO, first, length), column, d);
    blockwise(&h, third(length), &forward, D);
    backward_blockwise(&h, third(length), &forward, D, dO, BY_RECOMPUTATION, &g);
    assign(columns(rows(w->O, first, length), column, d), forward.O);
    const Matrix six[INPUTS] = {g.dQU, g.dKU, g.dVU, g.dQC, g.dKC, g.dVC};
    for (Input k = 0; k < INPUTS; k++)
        assign(columns(rows(w->gradient[k], first, length), column, d), six[k]);
    scope_close(in, scope);
}

/* dX, then the seven dW. */
static void wide_gradients(const Problem *p, const LayerMatrices *m, Matrix dY, Matrix dX,
                           Matrix dW[SEVEN])
{
    Matrix W[SEVEN];
    list_weights(&m->layer.W, W);
    size_t tokens = m->X.rows, nd = W[INPUTS].rows, d = nd / m->layer.heads;
    Wide w = {.O = matrix(dY.in, tokens, nd), .dO = product_nt(dY, W[INPUTS], EVERYWHERE)};
    for (Input k = 0; k < INPUTS; k++) {
        w.input[k] = product(m->X, W[k], EVERYWHERE);
        w.gradient[k] = matrix(dY.in, tokens, nd);
    }
    for (size_t first = 0; first < tokens; first += p->length)
        for (size_t column = 0; column < nd; column += d)
            blockwise_head(&w, &m->layer, first, p->length, column, d);
    for (Input k = 0; k < INPUTS; k++) {
        assign(dX, add(dX, product_nt(w.gradient[k], W[k], EVERYWHERE)));
        dW[k] = product_tn(m->X, w.gradient[k], EVERYWHERE);
    }
    dW[INPUTS] = product_tn(w.O, dY, EVERYWHERE);
}

static Pairs layer_pairs(const Problem *p, const LayerMatrices *m, const Matrix *dY)
{
    Form *const forms[] = {parallel, sequential, decode};
    Pairs pairs = {.count = 0};
    System *in = m->X.in;
    Matrix Y[3];
    for (size_t k = 0; k < 3; k++) {
        Y[k] = matrix(in, m->X.rows, m->X.cols);
        layer_forward(&m->layer, m->X, p->layer->batch, forms[k], Y[k]);
        if (k > 0)
            pair_up(&pairs, Y[0], Y[k], ANSWER_Y);
    }
    if (!dY)
        return pairs;
    LayerGradients g = layer_gradients_for(&m->layer, m->X);
    Matrix dX = matrix(in, m->X.rows, m->X.cols), dW[SEVEN], byheads[SEVEN];
    layer_backward(&m->layer, m->X, p->layer->batch, *dY, &g);
    wide_gradients(p, m, *dY, dX, dW);
    list_weights(&g.dW, byheads);
    pair_up(&pairs, g.dX, dX, ANSWER_DX);
    for (size_t k = 0; k < SEVEN; k++)
        pair_up(&pairs, byheads[k], dW[k], ANSWER_DWQU + (Answer)k);
    return pairs;
}

/* ---- from numbers, and in a field ----------------------------------------------------------- */

Pairs pairs_of(Subject subject, const Problem *p, System *in, bool subtraction)
{
    Matrix cotangent = {0};
    if (p->cotangent) {
        MatrixShape s = answer_shape(p, p->layer ? ANSWER_Y : ANSWER_O);
        cotangent = matrix_from(in, s.rows, s.cols, p->cotangent);
    }
    if (subject == LAYERS) {
        LayerMatrices m = problem_layer(p, in);
        return layer_pairs(p, &m, p->cotangent ? &cotangent : NULL);
    }
    Head head = problem_head(p, in);
    return subject == FORWARD ? forward_pairs(&head)
                              : gradient_pairs(&head, cotangent, subtraction);
}

static Pairs field_layer_pairs(const Problem *p, System *in, uint64_t *state)
{
    const LayerProblem *l = p->layer;
    LayerMatrices m = {.layer = {.W = weights_for(in, l->width, l->heads, p->dim),
                                 .heads = l->heads,
                                 .window = p->window,
                                 .variant = p->variant}};
    Matrix W[SEVEN];
    list_weights(&m.layer.W, W);
    for (size_t k = 0; k < SEVEN; k++)
        assign(W[k], field_random_matrix(in, W[k].rows, W[k].cols, state));
    m.layer.scale = field_random_matrix(in, 1, 1, state);
    m.X = field_random_matrix(in, l->batch * p->length, l->width, state);
    Matrix dY = field_random_matrix(in, l->batch * p->length, l->width, state);
    return layer_pairs(p, &m, &dY);
}

Pairs field_pairs(Subject subject, const Problem *p, System *in, uint64_t *state)
{
    if (subject == LAYERS)
        return field_layer_pairs(p, in, state);
    Head head = {.window = p->window, .variant = p->variant};
    Matrix dO, *inputs[] = {&head.QU, &head.KU, &head.VU, &head.QC, &head.KC, &head.VC, &dO};
    for (size_t k = 0; k < sizeof inputs / sizeof inputs[0]; k++)
        *inputs[k] = field_random_matrix(in, p->length, p->dim, state);
    head.scale = field_random_matrix(in, 1, 1, state);
    return subject == FORWARD ? forward_pairs(&head) : gradient_pairs(&head, dO, true);
}

/* SU has degree 4 (scale, QC, gate, VU); the highest gradient is dQU: scale, dSU (P, dP - delta of degree 4,
 * slope), scale, QC, VU, gate slope of degree 2, KU, at most 14. In a layer each of these factors is itself
 * a product of two at most, and one weight or X comes on top: 29. Gates, slopes and weights are functions of
 * values that agree as polynomials, and different values meet the same image as rarely. */
unsigned pairs_degree(Subject subject)
{
    static const unsigned degrees[SUBJECTS] = {[FORWARD] = 4, [GRADIENTS] = 14, [LAYERS] = 29};
    return degrees[subject];
}
