/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * heat_map.h - the z of one head of a tensor in a grid of at most HEAT_MOST x HEAT_MOST cells, each the
 * largest of the elements that fall into it.
 */
#ifndef CASTLE_HEAT_MAP_H
#define CASTLE_HEAT_MAP_H

#include "layout.h"

enum { HEAT_MOST = 128 };

typedef struct HeatMap {
    size_t batch, head;              /* whose */
    size_t tensor_rows, tensor_cols; /* elements */
    size_t rows, cols; /* cells: cell i holds the elements [i R / rows, (i + 1) R / rows) */
    double *cell;      /* NaN: nothing is judged there */
} HeatMap;

/* Of the head that holds element `index`. z is NaN where nothing is judged. At most `most` cells a side. */
HeatMap heat_map(const Sizes *, Answer, const double *z, size_t index, size_t most);
void heat_map_free(HeatMap *);

/* The first of n elements that falls into cell k of `cells`. */
size_t heat_first(size_t k, size_t cells, size_t n);

#endif
