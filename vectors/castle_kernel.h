/* SPDX-License-Identifier: 0BSD */
/*
 * castle_kernel.h - what a shared library offers to be judged by `castle check --kernel ./libmine.so`.
 *
 * Define any of the four functions below; what a library lacks is not judged. Each returns 0 when it has
 * written all that it was asked for, and anything else for "not supported" (that type, variant, window or
 * stride), which is counted and is no fault.
 *
 * Copy this header freely. Plain C99; nothing has to be linked.
 */
#ifndef CASTLE_KERNEL_H
#define CASTLE_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CASTLE_KERNEL_VERSION 1
#define CASTLE_KERNEL_NO_WINDOW SIZE_MAX

/* How numbers are stored: IEEE 754 binary64, binary32, binary16, and bfloat16. */
enum castle_kernel_type {
    CASTLE_KERNEL_F64,
    CASTLE_KERNEL_F32,
    CASTLE_KERNEL_F16,
    CASTLE_KERNEL_BF16
};

enum castle_kernel_variant {
    CASTLE_KERNEL_CASTLE,
    CASTLE_KERNEL_WITHOUT_CAUSAL_KEYS, /* score -SiLU(sU) */
    CASTLE_KERNEL_WITHOUT_SILU         /* score sC - sU */
};

/* Element [b, h, t, k] is number b batch + h head + t row + k of data: strides are in elements, and the
 * last dimension is contiguous. data is aligned to 64 bytes but for the rows handed to decode; strides are
 * multiples of 8 or those of a dense [batch, heads, length, dim]. NULL: not part of this call. */
struct castle_kernel_tensor {
    void *data;
    size_t batch, head, row;
};

struct castle_kernel_call {
    uint32_t version; /* CASTLE_KERNEL_VERSION of the caller */
    uint32_t size;    /* of this struct in bytes: later versions only add to its end */
    int32_t type;     /* enum castle_kernel_type: of all tensors but those said to be wide */
    int32_t variant;  /* enum castle_kernel_variant */
    size_t batch, heads, length, dim;
    size_t window; /* W, or CASTLE_KERNEL_NO_WINDOW */
    double scale;  /* as a number; usually 1/sqrt(dim) */

    /* Given, and not to be changed. */
    struct castle_kernel_tensor qu, ku, vu, qc, kc, vc; /* [batch, heads, length, dim] */
    struct castle_kernel_tensor dout;                   /* backward: the gradient of o */

    /* Wide tensors hold float, or double where the type is F64. */
    struct castle_kernel_tensor o;   /* forward, prefill, decode; given to backward */
    struct castle_kernel_tensor lse; /* forward, prefill; given to backward. Wide; k is 0 */
    struct castle_kernel_tensor u;   /* prefill: the lookahead keys after the last token. Wide */
    struct castle_kernel_tensor dqu, dku, dvu, dqc, dkc, dvc; /* backward */

    /* decode: the cache {U, QU, KC, VC}, room for the whole sequence, of which `position` rows are there.
     * The call's inputs and o are the one row of the new token, length is 1. cache_u is wide. */
    struct castle_kernel_tensor cache_u, cache_qu, cache_kc, cache_vc;
    size_t position;
};

/* o and lse. */
int castle_kernel_forward(const struct castle_kernel_call *);

/* dqu .. dvc, from the inputs and dout; o and lse are what castle_kernel_forward answered (NULL where the
 * library has none). */
int castle_kernel_backward(const struct castle_kernel_call *);

/* o, lse and u. */
int castle_kernel_prefill(const struct castle_kernel_call *);

/* Takes one token in: rows 0 .. position - 1 of cache_u move on, row `position` of all four is written (the
 * token's qu, kc and vc as they are), and o is answered. The caller counts position up. */
int castle_kernel_decode(const struct castle_kernel_call *);

/* Optional: what the library says of itself. */
enum castle_kernel_flag {
    CASTLE_KERNEL_NONDETERMINISTIC = 1, /* two runs may differ in the last bits */
    CASTLE_KERNEL_NO_LSE = 2            /* lse is never written (and is NULL) */
};
struct castle_kernel_info {
    uint32_t version; /* CASTLE_KERNEL_VERSION */
    uint32_t flags;   /* enum castle_kernel_flag bits */
    uint32_t types;   /* bits 1 << enum castle_kernel_type; 0: all */
};
extern const struct castle_kernel_info castle_kernel_info;

#ifdef __cplusplus
}
#endif
#endif
