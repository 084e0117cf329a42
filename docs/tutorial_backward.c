/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutorial_backward.c - the gradients, and the same by differences. */
#include "tutorial.h"

#include "sequential.h"
#include "system.h"

#include <math.h>
#include <string.h>

enum { L = EXAMPLE_TOKENS, d = EXAMPLE_DIM, PARTS = 6 };

/* Prints those stages that are asked for, as backward() keeps them. */
typedef struct Show {
    FILE *out;
    Stage first, last;
    bool backward; /* P is kept twice: now it is rebuilt from lse */
} Show;

static const char *title(Stage s)
{
    switch (s) {
    case STAGE_P:
        return "P";
    case STAGE_DP:
        return "dP";
    case STAGE_DS:
        return "dS";
    case STAGE_DSU:
        return "dSU";
    case STAGE_DT1:
        return "dT1";
    case STAGE_DG:
        return "dG";
    case STAGE_DZ:
        return "dZ";
    default:
        return NULL;
    }
}

static void show_stage(void *observer, Stage s, Matrix A)
{
    Show *show = observer;
    if (s == STAGE_LSE)
        show->backward = true;
    if (show->backward && title(s) && s >= show->first && s <= show->last)
        print_matrix(show->out, title(s), A);
}

static Gradients gradients(FILE *out, System *in, Stage first, Stage last)
{
    Head h = example_head(in, NO_WINDOW);
    Gradients g = gradients_for(&h);
    Matrix dO = example_cotangent(in);
    Show show = {out, first, last, false};
    if (out) {
        in->observe = show_stage;
        in->observer = &show;
    }
    backward(&h, dO, &g);
    in->observe = NULL;
    return g;
}

void print_softmax_gradients(FILE *out, System *in)
{
    Head h = example_head(in, NO_WINDOW);
    Matrix dO = example_cotangent(in);
    print_matrix(out, "dO", dO);
    print_matrix(out, "delta", row_dot(dO, parallel_stages(&h).O));
    (void)gradients(out, in, STAGE_DP, STAGE_DS);
}

void print_lookahead_gradients(FILE *out, System *in)
{
    (void)gradients(out, in, STAGE_DSU, STAGE_DZ);
}

static const char *const part_name[PARTS] = {"dQU", "dKU", "dVU", "dQC", "dKC", "dVC"};

void print_gradients(FILE *out, System *in)
{
    Gradients g = gradients(NULL, in, STAGE_DP, STAGE_DP);
    const Matrix part[PARTS] = {g.dQU, g.dKU, g.dVU, g.dQC, g.dKC, g.dVC};
    for (size_t k = 0; k < PARTS; k++)
        print_matrix(out, part_name[k], part[k]);
}

/* ---- by differences -------------------------------------------------------------------------------- */

#define STEP 0x1p-30 /* the difference's own error is of the order of its square */

/* f = sum of dO o O by the definition, 1 x 1, with `step` added to entry (i, k) of input `which`. */
static Matrix scalar(System *in, size_t which, size_t i, size_t k, double step)
{
    Head h = example_head(in, NO_WINDOW);
    Matrix *const part[PARTS] = {&h.QU, &h.KU, &h.VU, &h.QC, &h.KC, &h.VC};
    Matrix moved = columns(row(*part[which], i), k, 1), by = matrix_from(in, 1, 1, &step);
    assign(moved, add(moved, by));
    Answers a = answers_for(&h);
    sequential(&h, &a);
    Matrix dO = example_cotangent(in), f = matrix(in, 1, 1);
    for (size_t t = 0; t < L; t++)
        accumulate(f, row_dot(row(dO, t), row(a.O, t)));
    return f;
}

static Matrix difference(System *in, size_t which, size_t i, size_t k)
{
    const double half = 0.5 / STEP;
    Matrix up = scalar(in, which, i, k, STEP), down = scalar(in, which, i, k, -STEP);
    return scaled(matrix_from(in, 1, 1, &half), subtract(up, down));
}

void print_differences(FILE *out, System *in)
{
    static const size_t shown[PARTS][2] = {{0, 0}, {2, 1}, {1, 0}, {2, 0}, {0, 1}, {1, 1}};
    Gradients g = gradients(NULL, in, STAGE_DP, STAGE_DP);
    const Matrix part[PARTS] = {g.dQU, g.dKU, g.dVU, g.dQC, g.dKC, g.dVC};
    double most = 0;
    fprintf(out, "entry           formula    difference\n");
    for (size_t which = 0; which < PARTS; which++)
        for (size_t i = 0; i < L; i++)
            for (size_t k = 0; k < d; k++) {
                Matrix by_difference = difference(in, which, i, k);
                Matrix formula = columns(row(part[which], i), k, 1);
                most = fmax(most, fabs(value(subtract(formula, by_difference), 0, 0)));
                if (i == shown[which][0] && k == shown[which][1])
                    fprintf(out, "%s_%zu, %zu %13.10f %13.10f\n", part_name[which], i + 1, k + 1,
                            value(formula, 0, 0), value(by_difference, 0, 0));
            }
    fprintf(out, "largest difference of the two, over all %d entries: %.1e\n", PARTS * L * d, most);
}
