/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * planted.c - the naive kernel with one mistake that shows only under a condition, which the environment
 * variable CASTLE_TEST_FAULT names: what `castle check --shrink` is to find. The mistake is in forward, but for
 * "backward".
 *
 *   long        o is wrong where L > 17
 *   window      o is wrong where there is a window
 *   head        o is wrong in head 1
 *   batch       o is wrong in batch entry 1
 *   diagonal    a token's own key enters its lookahead key
 *   vu          o is wrong where VU's first number is above 1/2
 *   backward    dkc is wrong where L > 3
 *   crash       it crashes where L > 4
 *   hang        it hangs where L > 4
 *   once        o is wrong, but not when it is asked again
 */
#include "../../vectors/castle_kernel.h"

#define castle_kernel_forward right_forward
#define castle_kernel_backward right_backward
#include "../../vectors/examples/naive_kernel.c"
#undef castle_kernel_forward
#undef castle_kernel_backward

#include <string.h>
#include <unistd.h>

int castle_kernel_forward(const Call *);
int castle_kernel_backward(const Call *);

static int is(const char *fault)
{
    const char *asked = getenv("CASTLE_TEST_FAULT");
    return asked && strcmp(asked, fault) == 0;
}

/* Whether this is the first call of all: the second finds the file that it leaves. */
static int is_first(void)
{
    const char *file = getenv("CASTLE_TEST_MARK");
    return file && access(file, F_OK) != 0 && fopen(file, "w");
}

/* The scores with u_s + g(s, s) VU_s in the place of u_s. */
static void include_diagonal(const Call *c, size_t b, size_t h)
{
    for (size_t t = 0; t < c->length; t++) {
        float *o = row(&c->o, b, h, t), *qc = row(&c->qc, b, h, t), sum = 0;
        clear(o, c->dim);
        for (size_t s = 0; s <= t; s++) {
            float lookahead = 0, scale = (float)c->scale;
            for (size_t j = s; j <= t; j++)
                if (s == j || allowed(c, s, j))
                    lookahead += scale * dot(qc, row(&c->vu, b, h, j), c->dim) *
                                 sigmoid(scale *
                                         dot(row(&c->qu, b, h, s), row(&c->ku, b, h, j), c->dim));
            float w = expf(score(c, scale * dot(qc, row(&c->kc, b, h, s), c->dim), lookahead));
            add_scaled(o, w, row(&c->vc, b, h, s), c->dim);
            sum += w;
        }
        for (size_t k = 0; k < c->dim; k++)
            o[k] /= sum;
    }
}

static int spoils(const Call *c, size_t b, size_t h)
{
    return (is("long") && c->length > 17) ||
           (is("window") && c->window != CASTLE_KERNEL_NO_WINDOW) || (is("head") && h == 1) ||
           (is("batch") && b == 1) || (is("vu") && *row(&c->vu, b, h, 0) > 0.5f) ||
           (is("once") && is_first());
}

int castle_kernel_forward(const Call *c)
{
    if (is("crash") && c->length > 4)
        *(volatile int *)8 = 1;
    if (is("hang") && c->length > 4)
        for (;;)
            (void)usleep(1000);
    int status = right_forward(c);
    for (size_t b = 0; !status && b < c->batch; b++)
        for (size_t h = 0; h < c->heads; h++) {
            if (is("diagonal"))
                include_diagonal(c, b, h);
            if (spoils(c, b, h))
                *row(&c->o, b, h, c->length - 1) += 1;
        }
    return status;
}

int castle_kernel_backward(const Call *c)
{
    int status = right_backward(c);
    if (!status && is("backward") && c->length > 3)
        *row(&c->dkc, 0, 0, 0) += 1;
    return status;
}
