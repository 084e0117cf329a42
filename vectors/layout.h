/* SPDX-License-Identifier: GPL-3.0-or-later */
/* layout.h - the shape that each tensor has in a file. */
#ifndef CASTLE_LAYOUT_H
#define CASTLE_LAYOUT_H

#include "answers.h"

#include <stdio.h>

/* How large the problems of a file are; width (dm) is 0 where they are heads and not a layer. */
typedef struct Sizes {
    size_t batch, heads, length, dim, width;
} Sizes;

typedef struct Layout {
    const char *text; /* "[batch, heads, L, d]" */
    size_t dims, shape[4];
} Layout;

Layout input_layout(const Sizes *);
Layout layer_input_layout(const Sizes *, LayerInput);
Layout cotangent_layout(const Sizes *); /* of do, or of a layer's dy */
const char *cotangent_name(const Sizes *);
Layout answer_layout(const Sizes *, Answer);
/* One number for each row of the answer's last dimension, which is 1 here: it broadcasts. For a stage one
 * for each element. */
Layout sigma_layout(const Sizes *, Answer);

/* Whether a file of these sizes can hold that answer. */
bool sizes_allow(const Sizes *, Answer);

size_t layout_count(const Layout *); /* how many numbers */

/* Where number `index` of an answer is: batch, head, row and column (0 where there is no such thing). */
typedef struct Place {
    size_t batch, head, row, column;
} Place;
Place place_of(const Sizes *, Answer, size_t index);

/* The rows and columns that share an element's batch and head: (i, j) is number
 * origin + i row_step + j of the answer. */
typedef struct Slab {
    size_t origin, rows, cols, row_step;
} Slab;
Slab slab_of(const Sizes *, Answer, size_t index);

/* "[1, 64, 16]", cut to size. */
void layout_describe(char *text, size_t size, size_t dims, const size_t *shape);

#endif
