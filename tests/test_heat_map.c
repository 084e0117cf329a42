/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Maps of errors: every element falls into one cell, which has the largest; great ones are made small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heat_map.h"
#include "vectors_support.h"

#include <math.h>

/* By the definition, cell by cell. */
static void assert_cells(const HeatMap *m, const double *z, const Slab *s, size_t most)
{
    assert_int_equal(m->rows, s->rows < most ? s->rows : most);
    assert_int_equal(m->cols, s->cols < most ? s->cols : most);
    size_t elements = 0;
    for (size_t i = 0; i < m->rows; i++)
        for (size_t j = 0; j < m->cols; j++) {
            double largest = NAN;
            for (size_t r = heat_first(i, m->rows, s->rows);
                 r < heat_first(i + 1, m->rows, s->rows); r++)
                for (size_t c = heat_first(j, m->cols, s->cols);
                     c < heat_first(j + 1, m->cols, s->cols); c++) {
                    largest = fmax(largest, z[s->origin + r * s->row_step + c]);
                    elements++;
                }
            double cell = m->cell[i * m->cols + j];
            assert_true(cell == largest || (isnan(cell) && isnan(largest)));
        }
    assert_int_equal(elements, s->rows * s->cols);
}

static void every_element_is_in_one_cell(void **state)
{
    (void)state;
    uint64_t seed = 4;
    for (size_t L = 1; L <= 40; L += 3)
        for (size_t d = 1; d <= 9; d += 4)
            for (size_t most = 1; most <= 45; most += 11) {
                const Sizes heads = {2, 3, L, d, 0}, layer = {2, 3, L, d, 5};
                for (Answer a = 0; a < ANSWERS; a++) {
                    const Sizes *size = sizes_allow(&heads, a) ? &heads : &layer;
                    Layout l = answer_layout(size, a);
                    size_t n = layout_count(&l), index = next_random(&seed) % n;
                    double *z = calloc(n, sizeof *z);
                    for (size_t k = 0; k < n; k++)
                        z[k] = next_random(&seed) % 5 ? (double)(next_random(&seed) % 1000) : NAN;
                    HeatMap m = heat_map(size, a, z, index, most);
                    Slab s = slab_of(size, a, index);
                    Place at = place_of(size, a, index);
                    assert_int_equal(m.batch, at.batch);
                    assert_int_equal(m.head, at.head);
                    assert_cells(&m, z, &s, most);
                    heat_map_free(&m);
                    free(z);
                }
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_element_is_in_one_cell)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
