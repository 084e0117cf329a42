/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "right_kernels.h"

#include "backward_blockwise.h"
#include "blockwise.h"
#include "bug.h"
#include "prefill.h"
#include "solve.h"
#include "systems.h"

static const struct {
    const char *name;
    size_t block; /* 0: dense */
    bool fused;
} kernels[RIGHT_KERNELS] = {
    {"the mutants' text, unchanged", 0, false}, {"Theorem 1's form", 0, false},
    {"... with fused multiply-adds", 0, true},  {"blocks of 16", 16, false},
    {"... with fused multiply-adds", 16, true}, {"blocks of 7", 7, false},
    {"... with fused multiply-adds", 7, true},
};

const char *right_kernel_name(size_t k) { return kernels[k].name; }

bool right_kernel_is_dense(size_t k) { return kernels[k].block == 0; }

/* Absent entries are 0. */
static double *numbers_of(Matrix A)
{
    double *x = room_for("right_kernel", A.rows * A.cols, sizeof *x);
    mpfr_t y;
    mpfr_init2(y, 60);
    for (size_t i = 0; i < A.rows; i++) {
        Range present = row_range(A, i);
        for (size_t j = present.first; j < present.end; j++) {
            A.in->op->get(A.in, y, entry(A, i, j));
            x[i * A.cols + j] = mpfr_get_d(y, MPFR_RNDN);
        }
    }
    mpfr_clear(y);
    return x;
}

static MutantAnswers dense(const Problem *p, System *in)
{
    MutantAnswers all = {{NULL}};
    Solution s = solve(p, in);
    for (Answer a = 0; a < ANSWERS; a++)
        if (problem_has(p, a))
            all.of[a] = numbers_of(s.of[a]);
    return all;
}

/* U by prefilling, which is the forward pass once more; gradients from D's partial sums. */
static MutantAnswers by_blocks(const Problem *p, size_t block, System *in)
{
    MutantAnswers all = {{NULL}};
    Head h = problem_head(p, in);
    size_t L = p->length, B = block < L ? block : L;
    Answers forward = answers_for(&h), prefilled = answers_for(&h);
    Matrix D = matrix(in, L, p->dim);
    Cache cache = cache_empty(in, L, p->dim);
    blockwise(&h, B, &forward, D);
    prefill(&cache, &h, 0, L, B, prefilled.O, prefilled.lse);
    all.of[ANSWER_O] = numbers_of(forward.O);
    all.of[ANSWER_LSE] = numbers_of(forward.lse);
    all.of[ANSWER_U] = numbers_of(cache.U);
    if (!p->cotangent)
        return all;
    Matrix dO = stage(STAGE_INPUT, matrix_from(in, L, p->dim, p->cotangent));
    Gradients g = gradients_for(&h);
    backward_blockwise(&h, B, &forward, D, dO, BY_RECOMPUTATION, &g);
    const Matrix gradients[] = {g.dQU, g.dKU, g.dVU, g.dQC, g.dKC, g.dVC};
    for (Input k = 0; k < INPUTS; k++)
        all.of[ANSWER_DQU + k] = numbers_of(gradients[k]);
    return all;
}

MutantAnswers right_kernel(size_t k, const Problem *p, const Arithmetic *a)
{
    if (k == 0)
        return mutant_kernel(p, a, NULL, ROUND_EACH, 0);
    System *in = kernels[k].fused ? played_fused_system(a) : played_system(a);
    MutantAnswers all = kernels[k].block ? by_blocks(p, kernels[k].block, in) : dense(p, in);
    system_free(in);
    return all;
}
