/* SPDX-License-Identifier: 0BSD */
/*
 * openmp_kernel.c - CASTLE attention on all processors, for tensors of all four types: Theorem 1 of arXiv
 * 2509.07301 and its gradients, row by row or key by key, so that no two threads write to one place and
 * the answer does not depend on how many there are. It computes in double and rounds once, at the end.
 */
#include "castle_kernel.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

const struct castle_kernel_info castle_kernel_info = {CASTLE_KERNEL_VERSION, 0, 0};

typedef struct castle_kernel_call Call;
typedef struct castle_kernel_tensor Tensor;

/* ---- numbers in memory ------------------------------------------------------------------------ */

static double number_at(const void *data, int type, size_t k)
{
    switch (type) {
    case CASTLE_KERNEL_F64:
        return ((const double *)data)[k];
    case CASTLE_KERNEL_F32:
        return ((const float *)data)[k];
    case CASTLE_KERNEL_F16:
        return (double)((const _Float16 *)data)[k];
    default: { /* bfloat16 is the upper half of a float */
        uint32_t bits = (uint32_t)((const uint16_t *)data)[k] << 16;
        float x;
        memcpy(&x, &bits, sizeof x);
        return x;
    }
    }
}

static uint16_t to_bfloat16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (isnan(x))
        return 0x7FC0;
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16); /* to nearest, ties to even */
}

static void put_number(void *data, int type, size_t k, double x)
{
    switch (type) {
    case CASTLE_KERNEL_F64:
        ((double *)data)[k] = x;
        break;
    case CASTLE_KERNEL_F32:
        ((float *)data)[k] = (float)x;
        break;
    case CASTLE_KERNEL_F16:
        ((_Float16 *)data)[k] = (_Float16)x;
        break;
    default:
        ((uint16_t *)data)[k] = to_bfloat16((float)x);
    }
}

/* lse and u are wide: float, or double with F64. */
static int wide(const Call *c)
{
    return c->type == CASTLE_KERNEL_F64 ? c->type : CASTLE_KERNEL_F32;
}

/* ---- one head, in double ---------------------------------------------------------------------- */

typedef struct Head {
    size_t length, dim;
    double scale, *memory;
    double *qu, *ku, *vu, *qc, *kc, *vc, *dout, *o, *u, *dqu, *dku, *dvu, *dqc, *dkc,
        *dvc;                                         /* L x d */
    double *gate, *t1, *su, *p, *ds, *dsu, *dt1, *dz; /* L x L */
    double *lse;
} Head;

static int head_begin(Head *m, const Call *c)
{
    size_t L = c->length, d = c->dim;
    double **const narrow[] = {&m->qu, &m->ku,  &m->vu,  &m->qc,  &m->kc,  &m->vc,  &m->dout, &m->o,
                               &m->u,  &m->dqu, &m->dku, &m->dvu, &m->dqc, &m->dkc, &m->dvc};
    double **const square[] = {&m->gate, &m->t1, &m->su, &m->p, &m->ds, &m->dsu, &m->dt1, &m->dz};
    *m = (Head){.length = L, .dim = d, .scale = c->scale};
    double *next = m->memory = malloc((15 * L * d + 8 * L * L + L) * sizeof *next);
    for (size_t k = 0; next && k < 15; k++, next += L * d)
        *narrow[k] = next;
    for (size_t k = 0; next && k < 8; k++, next += L * L)
        *square[k] = next;
    m->lse = next;
    return next != NULL;
}

static void load(double *to, const Call *c, const Tensor *x, size_t b, size_t h)
{
    for (size_t t = 0; t < c->length; t++)
        for (size_t k = 0; k < c->dim; k++)
            to[t * c->dim + k] = number_at(x->data, c->type,
                                           b * x->batch + h * x->head + t * x->row + k);
}

static void store(const double *from, const Call *c, const Tensor *x, size_t b, size_t h, int type,
                  size_t columns)
{
    for (size_t t = 0; x->data && t < c->length; t++)
        for (size_t k = 0; k < columns; k++)
            put_number(x->data, type, b * x->batch + h * x->head + t * x->row + k,
                       from[t * columns + k]);
}

static void load_inputs(Head *m, const Call *c, size_t b, size_t h)
{
    load(m->qu, c, &c->qu, b, h);
    load(m->ku, c, &c->ku, b, h);
    load(m->vu, c, &c->vu, b, h);
    load(m->qc, c, &c->qc, b, h);
    load(m->kc, c, &c->kc, b, h);
    load(m->vc, c, &c->vc, b, h);
}

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t k = 0; k < n; k++)
        sum += a[k] * b[k];
    return sum;
}

static void add_scaled(double *to, double c, const double *x, size_t n)
{
    for (size_t k = 0; k < n; k++)
        to[k] += c * x[k];
}

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

/* allowed(s, j): key s looks ahead at token j. A sum runs over allowed pairs only, so that a NaN at token
 * j reaches no row before j. */
static int allowed(const Call *c, size_t s, size_t j)
{
    return s < j && (c->window == CASTLE_KERNEL_NO_WINDOW || j - s <= c->window);
}

/* ---- forward ---------------------------------------------------------------------------------- */

static double score(const Call *c, double causal, double lookahead)
{
    double silu = c->variant == CASTLE_KERNEL_WITHOUT_SILU ? lookahead
                                                           : lookahead * sigmoid(lookahead);
    return c->variant == CASTLE_KERNEL_WITHOUT_CAUSAL_KEYS ? -silu : causal - silu;
}

/* Key s: its gates, and what it has seen at the end, U. */
static void open_gates(const Call *c, Head *m, size_t s)
{
    size_t L = m->length, d = m->dim;
    memset(m->u + s * d, 0, d * sizeof *m->u);
    for (size_t j = s + 1; j < L && allowed(c, s, j); j++) {
        m->gate[s * L + j] = sigmoid(m->scale * dot(m->qu + s * d, m->ku + j * d, d));
        add_scaled(m->u + s * d, m->gate[s * L + j], m->vu + j * d, d);
    }
}

/* Row t: lookahead scores, weights, o and lse. */
static void attend(const Call *c, Head *m, size_t t)
{
    size_t L = m->length, d = m->dim;
    double *t1 = m->t1 + t * L, *su = m->su + t * L, *p = m->p + t * L, *o = m->o + t * d;
    double most = -INFINITY, sum = 0;
    for (size_t j = 0; j <= t; j++)
        t1[j] = m->scale * dot(m->qc + t * d, m->vu + j * d, d);
    for (size_t s = 0; s <= t; s++) {
        su[s] = 0;
        for (size_t j = s + 1; j <= t && allowed(c, s, j); j++)
            su[s] += t1[j] * m->gate[s * L + j];
        p[s] = score(c, m->scale * dot(m->qc + t * d, m->kc + s * d, d), su[s]);
        most = p[s] > most ? p[s] : most;
    }
    for (size_t s = 0; s <= t; s++)
        sum += p[s] = exp(p[s] - most);
    memset(o, 0, d * sizeof *o);
    for (size_t s = 0; s <= t; s++)
        add_scaled(o, p[s] /= sum, m->vc + s * d, d);
    m->lse[t] = most + log(sum);
}

static void forward(const Call *c, Head *m)
{
#pragma omp parallel
    {
#pragma omp for schedule(dynamic, 4)
        for (size_t s = 0; s < m->length; s++)
            open_gates(c, m, s);
#pragma omp for schedule(dynamic, 4)
        for (size_t t = 0; t < m->length; t++)
            attend(c, m, t);
    }
}

/* prefill is forward that also answers u. */
int castle_kernel_forward(const Call *c)
{
    Head m;
    if (!head_begin(&m, c))
        return 1;
    for (size_t b = 0; b < c->batch; b++)
        for (size_t h = 0; h < c->heads; h++) {
            load_inputs(&m, c, b, h);
            forward(c, &m);
            store(m.o, c, &c->o, b, h, c->type, c->dim);
            store(m.lse, c, &c->lse, b, h, wide(c), 1);
            store(m.u, c, &c->u, b, h, wide(c), c->dim);
        }
    free(m.memory);
    return 0;
}

int castle_kernel_prefill(const Call *c) { return castle_kernel_forward(c); }

/* ---- backward --------------------------------------------------------------------------------- */

static double silu_slope(const Call *c, double x)
{
    double g = sigmoid(x);
    return c->variant == CASTLE_KERNEL_WITHOUT_SILU ? 1 : g * (1 + x * (1 - g));
}

/* Row t: dS, dSU, dT1, and dQC, which takes gradient from both scores. */
static void backward_query(const Call *c, Head *m, size_t t)
{
    size_t L = m->length, d = m->dim;
    double *ds = m->ds + t * L, *dsu = m->dsu + t * L, *dt1 = m->dt1 + t * L;
    double *dqc = m->dqc + t * d, delta = dot(m->dout + t * d, m->o + t * d, d);
    memset(dqc, 0, d * sizeof *dqc);
    memset(dt1, 0, L * sizeof *dt1);
    for (size_t s = 0; s <= t; s++) {
        ds[s] = m->p[t * L + s] * (dot(m->dout + t * d, m->vc + s * d, d) - delta);
        dsu[s] = -ds[s] * silu_slope(c, m->su[t * L + s]);
        if (c->variant != CASTLE_KERNEL_WITHOUT_CAUSAL_KEYS)
            add_scaled(dqc, m->scale * ds[s], m->kc + s * d, d);
        for (size_t j = s + 1; j <= t && allowed(c, s, j); j++)
            dt1[j] += dsu[s] * m->gate[s * L + j];
    }
    for (size_t j = 0; j <= t; j++)
        add_scaled(dqc, m->scale * dt1[j], m->vu + j * d, d);
}

/* Token s as a key and value: dKC, dVC, dVU; as one that looks ahead: dZ and dQU. */
static void backward_key(const Call *c, Head *m, size_t s)
{
    size_t L = m->length, d = m->dim;
    double *dkc = m->dkc + s * d, *dvc = m->dvc + s * d, *dvu = m->dvu + s * d,
           *dqu = m->dqu + s * d;
    memset(dkc, 0, d * sizeof *dkc);
    memset(dvc, 0, d * sizeof *dvc);
    memset(dvu, 0, d * sizeof *dvu);
    memset(dqu, 0, d * sizeof *dqu);
    for (size_t t = s; t < L; t++) {
        if (c->variant != CASTLE_KERNEL_WITHOUT_CAUSAL_KEYS)
            add_scaled(dkc, m->scale * m->ds[t * L + s], m->qc + t * d, d);
        add_scaled(dvc, m->p[t * L + s], m->dout + t * d, d);
        add_scaled(dvu, m->scale * m->dt1[t * L + s], m->qc + t * d, d);
    }
    for (size_t j = s + 1; j < L && allowed(c, s, j); j++) {
        double g = m->gate[s * L + j], dg = 0;
        for (size_t t = j; t < L; t++)
            dg += m->dsu[t * L + s] * m->t1[t * L + j];
        m->dz[s * L + j] = m->scale * dg * g * (1 - g);
        add_scaled(dqu, m->dz[s * L + j], m->ku + j * d, d);
    }
}

/* Token j as one that is looked at: dKU. */
static void backward_seen(const Call *c, Head *m, size_t j)
{
    memset(m->dku + j * m->dim, 0, m->dim * sizeof *m->dku);
    for (size_t s = 0; s < j; s++)
        if (allowed(c, s, j))
            add_scaled(m->dku + j * m->dim, m->dz[s * m->length + j], m->qu + s * m->dim, m->dim);
}

static void backward(const Call *c, Head *m)
{
#pragma omp parallel
    {
#pragma omp for schedule(dynamic, 4)
        for (size_t t = 0; t < m->length; t++)
            backward_query(c, m, t);
#pragma omp for schedule(dynamic, 4)
        for (size_t s = 0; s < m->length; s++)
            backward_key(c, m, s);
#pragma omp for schedule(dynamic, 4)
        for (size_t j = 0; j < m->length; j++)
            backward_seen(c, m, j);
    }
}

/* Makes the weights anew, to more bits than o and lse were given in. */
int castle_kernel_backward(const Call *c)
{
    Head m;
    if (!head_begin(&m, c))
        return 1;
    for (size_t b = 0; b < c->batch; b++)
        for (size_t h = 0; h < c->heads; h++) {
            load_inputs(&m, c, b, h);
            load(m.dout, c, &c->dout, b, h);
            forward(c, &m);
            backward(c, &m);
            store(m.dqu, c, &c->dqu, b, h, c->type, c->dim);
            store(m.dku, c, &c->dku, b, h, c->type, c->dim);
            store(m.dvu, c, &c->dvu, b, h, c->type, c->dim);
            store(m.dqc, c, &c->dqc, b, h, c->type, c->dim);
            store(m.dkc, c, &c->dkc, b, h, c->type, c->dim);
            store(m.dvc, c, &c->dvc, b, h, c->type, c->dim);
        }
    free(m.memory);
    return 0;
}
