/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "judge.h"

void score_problem(const Problem *p, const Arithmetic *arithmetic, const Oracle *o,
                   const double *const answered[ANSWERS], Score *const scores[ANSWERS])
{
    Scales *s = error_scales(p, arithmetic, o, SCALE_SEED);
    for (Answer a = 0; a < ANSWERS; a++) {
        const Truth *t = &o->truth[a];
        for (size_t k = 0; answered[a] && k < t->rows * t->cols; k++)
            scores[a][k] = score_element(t, k, s->sigma[a][k], s->bound[a][k], answered[a][k]);
    }
    scales_free(s);
}
