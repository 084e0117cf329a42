/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heat_map.h"

#include "bug.h"

#include <math.h>
#include <stdlib.h>

size_t heat_first(size_t k, size_t cells, size_t n) { return (k * n + cells - 1) / cells; }

HeatMap heat_map(const Sizes *size, Answer a, const double *z, size_t index, size_t most)
{
    Slab s = slab_of(size, a, index);
    Place at = place_of(size, a, index);
    HeatMap m = {.batch = at.batch,
                 .head = at.head,
                 .tensor_rows = s.rows,
                 .tensor_cols = s.cols,
                 .rows = s.rows < most ? s.rows : most,
                 .cols = s.cols < most ? s.cols : most};
    m.cell = room_for(__func__, m.rows * m.cols, sizeof *m.cell);
    for (size_t k = 0; k < m.rows * m.cols; k++)
        m.cell[k] = NAN;
    for (size_t i = 0; i < s.rows; i++)
        for (size_t j = 0; j < s.cols; j++) {
            double *cell = &m.cell[i * m.rows / s.rows * m.cols + j * m.cols / s.cols];
            *cell = fmax(*cell, z[s.origin + i * s.row_step + j]); /* fmax passes NaN over */
        }
    return m;
}

void heat_map_free(HeatMap *m)
{
    free(m->cell);
    *m = (HeatMap){0};
}
