/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ways.h"

#include "backward_blockwise.h"
#include "blockwise.h"
#include "rounding_bounds.h"
#include "sequential.h"

#include <math.h>

Gradients gradients_by(Way way, const Head *h, Matrix dO, size_t block)
{
    Gradients g = gradients_for(h);
    if (way == DENSE) {
        backward(h, dO, &g);
        return g;
    }
    Answers a = answers_for(h);
    Matrix D = matrix(dO.in, dO.rows, dO.cols);
    blockwise(h, block, &a, D);
    backward_blockwise(h, block, &a, D, dO,
                       way == BLOCKS_SUBTRACTED ? BY_SUBTRACTION : BY_RECOMPUTATION, &g);
    return g;
}

static Matrix along(System *in, Way way, const Direction *l, size_t block)
{
    Matrix dO;
    Head h = head_on_line(in, l, 0, &dO);
    Gradients g = gradients_by(way, &h, dO, block);
    return gradient_on_line(&g, l);
}

void way_gradient(mpfr_t y, Way way, const Direction *l, size_t block, long bits)
{
    System *in = mpfr_system(bits);
    in->op->get(in, y, along(in, way, l, block).entries);
    system_free(in);
}

double log2_way_bound(Way way, const Direction *l, size_t block, long bits)
{
    Format format;
    int shift;
    System *in = rounding_bounds_system(bits, &format, &shift);
    const Bounded *x = along(in, way, l, block).entries;
    double bound = log2(x->error) + shift;
    system_free(in);
    return bound;
}

double log2_value_bound(const Direction *l, double h, long bits)
{
    Format format;
    int shift;
    System *in = rounding_bounds_system(bits, &format, &shift);
    Matrix dO;
    Head head = head_on_line(in, l, h, &dO);
    Answers a = answers_for(&head);
    sequential(&head, &a);
    const Bounded *x = inner_product_of(dO, a.O).entries;
    double bound = log2(x->error) + shift;
    system_free(in);
    return bound;
}
