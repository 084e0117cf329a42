/* SPDX-License-Identifier: 0BSD */
/*
 * cuda_kernel.cu - CASTLE attention in CUDA and float, as a library for `castle check --kernel`: Theorem 1
 * of arXiv 2509.07301 and its gradients. A thread is a row t of the answer, or a token s, and writes to no
 * other's place; all heads run at once, one in each blockIdx.y. float32 only.
 */
#include "castle_kernel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

extern "C" const struct castle_kernel_info castle_kernel_info = {CASTLE_KERNEL_VERSION, 0,
                                                                 1u << CASTLE_KERNEL_F32};

typedef struct castle_kernel_call Call;
typedef struct castle_kernel_tensor Tensor;

enum { QU, KU, VU, QC, KC, VC, DOUT, INPUTS, O = INPUTS, U, DQU, DKU, DVU, DQC, DKC, DVC, NARROW };
enum { GATE, T1, SU, P, DS, DSU, DT1, DZ, WIDE };

/* All heads in the device's memory: of each the L x d matrices, the L x L ones, and lse. */
struct Heads {
    float *memory;
    size_t count, length, dim, window;
    float scale;
    int variant;
};

/* ---- on the device ---------------------------------------------------------------------------- */

static __host__ __device__ size_t head_size(Heads m)
{
    return NARROW * m.length * m.dim + WIDE * m.length * m.length + m.length;
}

/* Row t of an L x d matrix of this thread's head. */
static __device__ float *narrow(Heads m, int matrix, size_t t)
{
    return m.memory + blockIdx.y * head_size(m) + (matrix * m.length + t) * m.dim;
}

/* Row t of an L x L matrix; behind the last of them is lse. */
static __device__ float *wide(Heads m, int matrix, size_t t)
{
    return narrow(m, NARROW, 0) + (matrix * m.length + t) * m.length;
}

static __device__ size_t token() { return blockIdx.x * blockDim.x + threadIdx.x; }

static __device__ float dot(const float *a, const float *b, size_t n)
{
    float sum = 0;
    for (size_t k = 0; k < n; k++)
        sum += a[k] * b[k];
    return sum;
}

static __device__ void clear(float *to, size_t n)
{
    for (size_t k = 0; k < n; k++)
        to[k] = 0;
}

static __device__ void add_scaled(float *to, float c, const float *x, size_t n)
{
    for (size_t k = 0; k < n; k++)
        to[k] += c * x[k];
}

static __device__ float sigmoid(float x) { return 1 / (1 + expf(-x)); }

/* allowed(s, j): key s looks ahead at token j. Sums run over allowed pairs only: what is masked, NaN or
 * not, is never read. */
static __device__ bool allowed(Heads m, size_t s, size_t j) { return s < j && j - s <= m.window; }

static __device__ float score(Heads m, float causal, float lookahead)
{
    float silu = m.variant == CASTLE_KERNEL_WITHOUT_SILU ? lookahead
                                                         : lookahead * sigmoid(lookahead);
    return m.variant == CASTLE_KERNEL_WITHOUT_CAUSAL_KEYS ? -silu : causal - silu;
}

static __device__ float silu_slope(Heads m, float x)
{
    float g = sigmoid(x);
    return m.variant == CASTLE_KERNEL_WITHOUT_SILU ? 1 : g * (1 + x * (1 - g));
}

/* Key s: its gates, and what it has seen at the end, U. */
static __global__ void open_gates(Heads m)
{
    size_t s = token();
    if (s >= m.length)
        return;
    clear(narrow(m, U, s), m.dim);
    for (size_t j = s + 1; j < m.length && allowed(m, s, j); j++) {
        float gate = sigmoid(m.scale * dot(narrow(m, QU, s), narrow(m, KU, j), m.dim));
        wide(m, GATE, s)[j] = gate;
        add_scaled(narrow(m, U, s), gate, narrow(m, VU, j), m.dim);
    }
}

/* Row t: lookahead scores, weights, o and lse. */
static __global__ void attend(Heads m)
{
    size_t t = token();
    if (t >= m.length)
        return;
    float *t1 = wide(m, T1, t), *su = wide(m, SU, t), *p = wide(m, P, t), *o = narrow(m, O, t);
    const float *q = narrow(m, QC, t);
    float most = -INFINITY, sum = 0;
    for (size_t j = 0; j <= t; j++)
        t1[j] = m.scale * dot(q, narrow(m, VU, j), m.dim);
    for (size_t s = 0; s <= t; s++) {
        su[s] = 0;
        for (size_t j = s + 1; j <= t && allowed(m, s, j); j++)
            su[s] += t1[j] * wide(m, GATE, s)[j];
        p[s] = score(m, m.scale * dot(q, narrow(m, KC, s), m.dim), su[s]);
        most = p[s] > most ? p[s] : most;
    }
    for (size_t s = 0; s <= t; s++)
        sum += p[s] = expf(p[s] - most);
    clear(o, m.dim);
    for (size_t s = 0; s <= t; s++)
        add_scaled(o, p[s] /= sum, narrow(m, VC, s), m.dim);
    wide(m, WIDE, 0)[t] = most + logf(sum); /* lse */
}

/* Row t: dS, dSU, dT1, and dQC, which takes gradient from both scores. */
static __global__ void backward_query(Heads m)
{
    size_t t = token();
    if (t >= m.length)
        return;
    float *p = wide(m, P, t), *ds = wide(m, DS, t), *dsu = wide(m, DSU, t), *dt1 = wide(m, DT1, t);
    float *dqc = narrow(m, DQC, t), *dout = narrow(m, DOUT, t), delta = 0;
    for (size_t s = 0; s <= t; s++)
        delta += p[s] * dot(dout, narrow(m, VC, s), m.dim);
    clear(dqc, m.dim);
    clear(dt1, m.length);
    for (size_t s = 0; s <= t; s++) {
        ds[s] = p[s] * (dot(dout, narrow(m, VC, s), m.dim) - delta);
        dsu[s] = -ds[s] * silu_slope(m, wide(m, SU, t)[s]);
        if (m.variant != CASTLE_KERNEL_WITHOUT_CAUSAL_KEYS)
            add_scaled(dqc, m.scale * ds[s], narrow(m, KC, s), m.dim);
        for (size_t j = s + 1; j <= t && allowed(m, s, j); j++)
            dt1[j] += dsu[s] * wide(m, GATE, s)[j];
    }
    for (size_t j = 0; j <= t; j++)
        add_scaled(dqc, m.scale * dt1[j], narrow(m, VU, j), m.dim);
}

/* Token s as a key and value: dKC, dVC, dVU; as one that looks ahead: dZ and dQU. */
static __global__ void backward_key(Heads m)
{
    size_t s = token();
    if (s >= m.length)
        return;
    const int cleared[] = {DKC, DVC, DVU, DQU};
    for (int k = 0; k < 4; k++)
        clear(narrow(m, cleared[k], s), m.dim);
    for (size_t t = s; t < m.length; t++) {
        if (m.variant != CASTLE_KERNEL_WITHOUT_CAUSAL_KEYS)
            add_scaled(narrow(m, DKC, s), m.scale * wide(m, DS, t)[s], narrow(m, QC, t), m.dim);
        add_scaled(narrow(m, DVC, s), wide(m, P, t)[s], narrow(m, DOUT, t), m.dim);
        add_scaled(narrow(m, DVU, s), m.scale * wide(m, DT1, t)[s], narrow(m, QC, t), m.dim);
    }
    for (size_t j = s + 1; j < m.length && allowed(m, s, j); j++) {
        float g = wide(m, GATE, s)[j], dg = 0;
        for (size_t t = j; t < m.length; t++)
            dg += wide(m, DSU, t)[s] * wide(m, T1, t)[j];
        wide(m, DZ, s)[j] = m.scale * dg * g * (1 - g);
        add_scaled(narrow(m, DQU, s), wide(m, DZ, s)[j], narrow(m, KU, j), m.dim);
    }
}

/* Token j as one that is looked at: dKU. */
static __global__ void backward_seen(Heads m)
{
    size_t j = token();
    if (j >= m.length)
        return;
    clear(narrow(m, DKU, j), m.dim);
    for (size_t s = 0; s < j; s++)
        if (allowed(m, s, j))
            add_scaled(narrow(m, DKU, j), wide(m, DZ, s)[j], narrow(m, QU, s), m.dim);
}

/* ---- on the host ------------------------------------------------------------------------------ */

static void must(cudaError_t status)
{
    if (status == cudaSuccess)
        return;
    fprintf(stderr, "CUDA: %s\n", cudaGetErrorString(status));
    exit(1);
}

/* Rows of matrix k of every head, to the device or back from it. */
static void copy_rows(Heads m, const Call *c, int k, const Tensor *x, cudaMemcpyKind way)
{
    for (size_t b = 0; x->data && b < c->batch; b++)
        for (size_t h = 0; h < c->heads; h++)
            for (size_t t = 0; t < m.length; t++) {
                float *there = m.memory + (b * c->heads + h) * head_size(m) +
                               (k * m.length + t) * m.dim;
                float *here = (float *)x->data + b * x->batch + h * x->head + t * x->row;
                bool back = way == cudaMemcpyDeviceToHost;
                must(cudaMemcpy(back ? here : there, back ? there : here, m.dim * sizeof(float),
                                way));
            }
}

static Heads begin(const Call *c)
{
    Heads m = {NULL,      c->batch * c->heads, c->length, c->dim,
               c->window, (float)c->scale,     c->variant};
    const Tensor *const given[] = {&c->qu, &c->ku, &c->vu, &c->qc, &c->kc, &c->vc, &c->dout};
    must(cudaMalloc((void **)&m.memory, m.count * head_size(m) * sizeof(float)));
    for (int k = 0; k < INPUTS; k++)
        copy_rows(m, c, k, given[k], cudaMemcpyHostToDevice);
    return m;
}

static void forward(Heads m)
{
    dim3 threads(64), blocks((unsigned)((m.length + 63) / 64), (unsigned)m.count);
    open_gates<<<blocks, threads>>>(m);
    attend<<<blocks, threads>>>(m);
    must(cudaGetLastError());
}

static void backward(Heads m)
{
    dim3 threads(64), blocks((unsigned)((m.length + 63) / 64), (unsigned)m.count);
    backward_query<<<blocks, threads>>>(m);
    backward_key<<<blocks, threads>>>(m);
    backward_seen<<<blocks, threads>>>(m);
    must(cudaGetLastError());
}

static void take_lse(Heads m, const Call *c)
{
    for (size_t b = 0; b < c->batch; b++)
        for (size_t h = 0; h < c->heads; h++)
            for (size_t t = 0; t < m.length; t++)
                must(cudaMemcpy((float *)c->lse.data + b * c->lse.batch + h * c->lse.head +
                                    t * c->lse.row,
                                m.memory + (b * c->heads + h + 1) * head_size(m) - m.length + t,
                                sizeof(float), cudaMemcpyDeviceToHost));
}

/* prefill is forward that also answers u. */
extern "C" int castle_kernel_forward(const Call *c)
{
    if (c->type != CASTLE_KERNEL_F32)
        return 1;
    Heads m = begin(c);
    forward(m);
    copy_rows(m, c, O, &c->o, cudaMemcpyDeviceToHost);
    copy_rows(m, c, U, &c->u, cudaMemcpyDeviceToHost);
    take_lse(m, c);
    must(cudaFree(m.memory));
    return 0;
}

extern "C" int castle_kernel_prefill(const Call *c) { return castle_kernel_forward(c); }

extern "C" int castle_kernel_backward(const Call *c)
{
    const Tensor *const gradients[] = {&c->dqu, &c->dku, &c->dvu, &c->dqc, &c->dkc, &c->dvc};
    if (c->type != CASTLE_KERNEL_F32)
        return 1;
    Heads m = begin(c);
    forward(m);
    backward(m);
    for (int k = 0; k < 6; k++)
        copy_rows(m, c, DQU + k, gradients[k], cudaMemcpyDeviceToHost);
    must(cudaFree(m.memory));
    return 0;
}
