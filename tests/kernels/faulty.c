/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * faulty.c - the naive kernel with one fault, which the environment variable CASTLE_TEST_FAULT names. The
 * fault is in forward, but for those whose name says otherwise, and, where CASTLE_TEST_CASE holds a length,
 * in cases of that length only.
 */
#include "../../vectors/castle_kernel.h"

#ifdef OTHER_VERSION
#undef CASTLE_KERNEL_VERSION
#define CASTLE_KERNEL_VERSION 2
#endif

#define castle_kernel_forward right_forward
#define castle_kernel_backward right_backward
#define castle_kernel_prefill right_prefill
#define castle_kernel_decode right_decode
#include "../../vectors/examples/naive_kernel.c"
#undef castle_kernel_forward
#undef castle_kernel_backward
#undef castle_kernel_prefill
#undef castle_kernel_decode

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int castle_kernel_forward(const Call *);
int castle_kernel_backward(const Call *);
int castle_kernel_prefill(const Call *);
int castle_kernel_decode(const Call *);

static int is(const Call *c, const char *fault)
{
    const char *asked = getenv("CASTLE_TEST_FAULT"), *length = getenv("CASTLE_TEST_CASE");
    return asked && strcmp(asked, fault) == 0 && (!length || c->length == (size_t)atoi(length));
}

static float *first(const struct castle_kernel_tensor *x) { return x->data; }

/* Behind the last element. */
static float *end(const struct castle_kernel_tensor *x, const Call *c)
{
    return row(x, c->batch - 1, c->heads - 1, c->length - 1) + c->dim;
}

static void overflow_stack(volatile char *from)
{
    volatile char more[4096];
    more[0] = *from;
    overflow_stack(more);
    *from = more[0];
}

static int before(const Call *c)
{
    if (is(c, "segfault"))
        *(volatile int *)8 = 1;
    if (is(c, "stack"))
        overflow_stack(&(volatile char){0});
    if (is(c, "loop"))
        for (;;)
            (void)usleep(1000);
    if (is(c, "exit"))
        exit(3);
    if (is(c, "abort")) {
        fputs("first line\nassertion failed: x > 0\n", stderr);
        abort();
    }
    if (is(c, "kill"))
        (void)raise(SIGKILL);
    if (is(c, "memory"))
        for (;;) {
            char *p = malloc(64 << 20);
            if (!p)
                abort();
            memset(p, 1, 64 << 20);
        }
    return is(c, "silent") ? 0 : is(c, "unsupported");
}

static void spoil(const Call *c)
{
    float *o = first(&c->o);
    if (is(c, "write-before"))
        o[-1] = 1;
    if (is(c, "write-behind"))
        *end(&c->o, c) = 1;
    if (is(c, "write-far-behind"))
        for (size_t k = 0; k < 2048; k++)
            end(&c->o, c)[k] = 1;
    if (is(c, "write-gap") && c->o.row > c->dim)
        o[c->dim] = 1;
    if (is(c, "changes-input"))
        first(&c->qu)[0] += 1;
    if (is(c, "nan"))
        o[0] = NAN;
    if (is(c, "value"))
        o[0] += 1;
    if (is(c, "one-left"))
        memset(o + c->dim - 1, 0xFF, sizeof *o);
    if (is(c, "random")) {
        unsigned char bits[64];
        (void)getentropy(bits, sizeof bits);
        /* the first row is one of vc, and exact */
        for (size_t k = c->dim; k < c->length * c->dim && k < sizeof bits; k++)
            row(&c->o, 0, 0, k / c->dim)[k % c->dim] *= 1 + 0x1p-23f * (float)(bits[k] & 1);
    }
    for (size_t k = 0; is(c, "swallows") && k < c->length * c->dim; k++) {
        float *x = &row(&c->o, 0, 0, k / c->dim)[k % c->dim];
        *x = isnan(*x) ? 0 : *x;
    }
    if (is(c, "neighbours"))
        o[0] += 0 * *row(&c->vc, c->batch - 1, c->heads - 1, 0);
    if (is(c, "future"))
        o[0] += 0 * *row(&c->vc, 0, 0, c->length - 1);
}

int castle_kernel_forward(const Call *given)
{
    Call c = *given;
    int status = before(&c);
    if (status || is(&c, "silent"))
        return status;
    if (is(&c, "dense-only")) { /* takes all strides for those of dense tensors */
        struct castle_kernel_tensor *const all[] = {&c.qu, &c.ku, &c.vu, &c.qc, &c.kc, &c.vc};
        for (size_t k = 0; k < 6; k++) {
            all[k]->row = c.dim;
            all[k]->head = c.length * c.dim;
            all[k]->batch = c.heads * all[k]->head;
        }
    }
    status = right_forward(&c);
    if (!status)
        spoil(&c);
    return status;
}

int castle_kernel_backward(const Call *c)
{
    int status = right_backward(c);
    if (!status && is(c, "scaling")) /* a threshold that is not relative */
        for (size_t k = 0; k < c->dim; k++)
            if (fabsf(first(&c->dvc)[k]) < 1)
                first(&c->dvc)[k] *= 1 + 0x1p-21f;
    return status;
}

int castle_kernel_prefill(const Call *c)
{
    int status = right_prefill(c);
    if (!status && c->length == 7 && is(c, "prefill-of-seven"))
        *row(&c->u, 0, 0, 2) += 1;
    return status;
}

int castle_kernel_decode(const Call *c)
{
    if (c->position == 3 && is(c, "decode-segfault"))
        *(volatile int *)8 = 1;
    if (c->position == 6 && is(c, "decode-late")) /* what it owes the cache of six tokens */
        *row(&c->cache_u, 0, 0, 1) -= 1;
    int status = right_decode(c);
    if (!status && c->position == 5 && is(c, "decode-late"))
        *row(&c->cache_u, 0, 0, 1) += 1;
    if (!status && c->position == 2 && is(c, "decode-scales-kc"))
        *row(&c->cache_kc, 0, 0, 2) *= 2;
    if (!status && c->position == 3 && is(c, "decode-drops-u"))
        *row(&c->cache_u, 0, 0, 0) = 0;
    return status;
}
