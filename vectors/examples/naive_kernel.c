/* SPDX-License-Identifier: 0BSD */
/*
 * naive_kernel.c - CASTLE attention in plain C and float, as Theorem 1 of arXiv 2509.07301 has it: the
 * smallest thing that `castle check --kernel` takes. Replace the loops by calls of your own kernel.
 *
 *     cc -O2 -shared -fPIC -I vectors vectors/examples/naive_kernel.c -o naive.so -lm
 *     build/castle check --kernel ./naive.so
 */
#include "castle_kernel.h"

#include <math.h>
#include <stdlib.h>

const struct castle_kernel_info castle_kernel_info = {CASTLE_KERNEL_VERSION, 0,
                                                      1u << CASTLE_KERNEL_F32};

typedef struct castle_kernel_call Call;

/* Row t of head (b, h). */
static float *row(const struct castle_kernel_tensor *x, size_t b, size_t h, size_t t)
{
    return (float *)x->data + b * x->batch + h * x->head + t * x->row;
}

static float dot(const float *a, const float *b, size_t n)
{
    float sum = 0;
    for (size_t k = 0; k < n; k++)
        sum += a[k] * b[k];
    return sum;
}

static void add_scaled(float *to, float c, const float *x, size_t n)
{
    for (size_t k = 0; k < n; k++)
        to[k] += c * x[k];
}

static void clear(float *x, size_t n)
{
    for (size_t k = 0; k < n; k++)
        x[k] = 0;
}

static float sigmoid(float x) { return 1 / (1 + expf(-x)); }

/* allowed(s, j): key s looks ahead at token j. */
static int allowed(const Call *c, size_t s, size_t j)
{
    return s < j && (c->window == CASTLE_KERNEL_NO_WINDOW || j - s <= c->window);
}

static float silu_slope(const Call *c, float x)
{
    float g = sigmoid(x);
    return c->variant == CASTLE_KERNEL_WITHOUT_SILU ? 1 : g * (1 + x * (1 - g));
}

/* The score of one key from its causal and its lookahead score. */
static float score(const Call *c, float causal, float lookahead)
{
    float silu = c->variant == CASTLE_KERNEL_WITHOUT_SILU ? lookahead
                                                          : lookahead * sigmoid(lookahead);
    return c->variant == CASTLE_KERNEL_WITHOUT_CAUSAL_KEYS ? -silu : causal - silu;
}

/* What one head needs, L x L each. */
typedef struct Head {
    float *memory, *gate, *t1, *su, *p;
} Head;

static int head_begin(Head *m, size_t length)
{
    size_t n = length * length;
    m->memory = malloc(4 * n * sizeof(float));
    m->gate = m->memory;
    m->t1 = m->gate + n;
    m->su = m->t1 + n;
    m->p = m->su + n;
    return m->memory != NULL;
}

/* Gates, lookahead scores and weights of head (b, h). The sums run over allowed pairs only: what is
 * masked, NaN or not, is never read. */
static void weigh(const Call *c, size_t b, size_t h, Head *m)
{
    size_t L = c->length, d = c->dim;
    float scale = (float)c->scale;
    for (size_t s = 0; s < L; s++)
        for (size_t j = s + 1; j < L && allowed(c, s, j); j++)
            m->gate[s * L + j] = sigmoid(scale *
                                         dot(row(&c->qu, b, h, s), row(&c->ku, b, h, j), d));
    for (size_t t = 0; t < L; t++) {
        const float *q = row(&c->qc, b, h, t);
        float most = -INFINITY, sum = 0;
        for (size_t j = 0; j <= t; j++)
            m->t1[t * L + j] = scale * dot(q, row(&c->vu, b, h, j), d);
        for (size_t s = 0; s <= t; s++) {
            float su = 0;
            for (size_t j = s + 1; j <= t && allowed(c, s, j); j++)
                su += m->t1[t * L + j] * m->gate[s * L + j];
            m->su[t * L + s] = su;
            m->p[t * L + s] = score(c, scale * dot(q, row(&c->kc, b, h, s), d), su);
            most = m->p[t * L + s] > most ? m->p[t * L + s] : most;
        }
        for (size_t s = 0; s <= t; s++)
            sum += m->p[t * L + s] = expf(m->p[t * L + s] - most);
        for (size_t s = 0; s <= t; s++)
            m->p[t * L + s] /= sum;
        if (c->lse.data)
            *row(&c->lse, b, h, t) = most + logf(sum);
    }
}

int castle_kernel_forward(const Call *c)
{
    Head m;
    if (c->type != CASTLE_KERNEL_F32 || !head_begin(&m, c->length))
        return 1;
    for (size_t b = 0; b < c->batch; b++)
        for (size_t h = 0; h < c->heads; h++) {
            weigh(c, b, h, &m);
            for (size_t t = 0; t < c->length; t++) {
                clear(row(&c->o, b, h, t), c->dim);
                for (size_t s = 0; s <= t; s++)
                    add_scaled(row(&c->o, b, h, t), m.p[t * c->length + s], row(&c->vc, b, h, s),
                               c->dim);
            }
        }
    free(m.memory);
    return 0;
}

/* Row t's share of dQC, dKC, dVC, dVU; the gradients of the gates are added up in dgate. */
static void backward_row(const Call *c, size_t b, size_t h, size_t t, const Head *m, float *dgate,
                         float *dt1)
{
    size_t L = c->length, d = c->dim;
    float scale = (float)c->scale, delta = 0;
    const float *dout = row(&c->dout, b, h, t), *q = row(&c->qc, b, h, t);
    float *dq = row(&c->dqc, b, h, t);
    for (size_t s = 0; s <= t; s++)
        delta += m->p[t * L + s] * dot(dout, row(&c->vc, b, h, s), d);
    clear(dt1, L);
    for (size_t s = 0; s <= t; s++) {
        float p = m->p[t * L + s], ds = p * (dot(dout, row(&c->vc, b, h, s), d) - delta);
        float dsu = -ds * silu_slope(c, m->su[t * L + s]);
        add_scaled(row(&c->dvc, b, h, s), p, dout, d);
        if (c->variant != CASTLE_KERNEL_WITHOUT_CAUSAL_KEYS) {
            add_scaled(dq, scale * ds, row(&c->kc, b, h, s), d);
            add_scaled(row(&c->dkc, b, h, s), scale * ds, q, d);
        }
        for (size_t j = s + 1; j <= t && allowed(c, s, j); j++) {
            dt1[j] += dsu * m->gate[s * L + j];
            dgate[s * L + j] += dsu * m->t1[t * L + j];
        }
    }
    for (size_t j = 1; j <= t; j++) {
        add_scaled(dq, scale * dt1[j], row(&c->vu, b, h, j), d);
        add_scaled(row(&c->dvu, b, h, j), scale * dt1[j], q, d);
    }
}

static void backward_head(const Call *c, size_t b, size_t h, Head *m, float *dgate, float *dt1)
{
    const struct castle_kernel_tensor *const gradients[] = {&c->dqu, &c->dku, &c->dvu,
                                                            &c->dqc, &c->dkc, &c->dvc};
    size_t L = c->length, d = c->dim;
    for (size_t k = 0; k < 6; k++)
        for (size_t t = 0; t < L; t++)
            clear(row(gradients[k], b, h, t), d);
    clear(dgate, L * L);
    weigh(c, b, h, m);
    for (size_t t = 0; t < L; t++)
        backward_row(c, b, h, t, m, dgate, dt1);
    for (size_t s = 0; s < L; s++)
        for (size_t j = s + 1; j < L && allowed(c, s, j); j++) {
            float g = m->gate[s * L + j], dz = (float)c->scale * dgate[s * L + j] * g * (1 - g);
            add_scaled(row(&c->dqu, b, h, s), dz, row(&c->ku, b, h, j), d);
            add_scaled(row(&c->dku, b, h, j), dz, row(&c->qu, b, h, s), d);
        }
}

int castle_kernel_backward(const Call *given)
{
    Call c = *given;
    Head m = {NULL, NULL, NULL, NULL, NULL};
    float *dgate = malloc((c.length + 1) * c.length * sizeof *dgate);
    int possible = c.type == CASTLE_KERNEL_F32 && dgate && head_begin(&m, c.length);
    c.lse.data = NULL; /* given, and not needed: P is made anew */
    for (size_t b = 0; possible && b < c.batch; b++)
        for (size_t h = 0; h < c.heads; h++)
            backward_head(&c, b, h, &m, dgate, dgate + c.length * c.length);
    free(m.memory);
    free(dgate);
    return !possible;
}

int castle_kernel_prefill(const Call *c)
{
    if (castle_kernel_forward(c) != 0)
        return 1;
    for (size_t b = 0; b < c->batch; b++)
        for (size_t h = 0; h < c->heads; h++)
            for (size_t s = 0; s < c->length; s++) {
                float *u = row(&c->u, b, h, s);
                clear(u, c->dim);
                for (size_t j = s + 1; j < c->length && allowed(c, s, j); j++)
                    add_scaled(u,
                               sigmoid((float)c->scale *
                                       dot(row(&c->qu, b, h, s), row(&c->ku, b, h, j), c->dim)),
                               row(&c->vu, b, h, j), c->dim);
            }
    return 0;
}

/* One token of one head: `weight` has room for position + 1. */
static void decode_head(const Call *c, size_t b, size_t h, float *weight)
{
    size_t t = c->position, d = c->dim;
    float scale = (float)c->scale, most = -INFINITY, sum = 0, *o = row(&c->o, b, h, 0);
    const float *q = row(&c->qc, b, h, 0), *k = row(&c->ku, b, h, 0), *v = row(&c->vu, b, h, 0);
    for (size_t s = 0; s < t; s++)
        if (allowed(c, s, t))
            add_scaled(row(&c->cache_u, b, h, s),
                       sigmoid(scale * dot(row(&c->cache_qu, b, h, s), k, d)), v, d);
    clear(row(&c->cache_u, b, h, t), d);
    for (size_t i = 0; i < d; i++) {
        row(&c->cache_qu, b, h, t)[i] = row(&c->qu, b, h, 0)[i];
        row(&c->cache_kc, b, h, t)[i] = row(&c->kc, b, h, 0)[i];
        row(&c->cache_vc, b, h, t)[i] = row(&c->vc, b, h, 0)[i];
    }
    for (size_t s = 0; s <= t; s++) {
        weight[s] = score(c, scale * dot(q, row(&c->cache_kc, b, h, s), d),
                          scale * dot(q, row(&c->cache_u, b, h, s), d));
        most = weight[s] > most ? weight[s] : most;
    }
    clear(o, d);
    for (size_t s = 0; s <= t; s++)
        sum += weight[s] = expf(weight[s] - most);
    for (size_t s = 0; s <= t; s++)
        add_scaled(o, weight[s] / sum, row(&c->cache_vc, b, h, s), d);
}

int castle_kernel_decode(const Call *c)
{
    float *weight = malloc((c->position + 1) * sizeof *weight);
    if (c->type != CASTLE_KERNEL_F32 || !weight) {
        free(weight);
        return 1;
    }
    for (size_t b = 0; b < c->batch; b++)
        for (size_t h = 0; h < c->heads; h++)
            decode_head(c, b, h, weight);
    free(weight);
    return 0;
}
