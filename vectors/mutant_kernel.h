/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mutant_kernel.h - one head's answers by a plain kernel with one mutant's change in it
 * (mutants.h); with
 * none it is right.
 *
 * Equations     (11), (12) and the dense gradients, in loops over binary64 numbers.
 * Rounding      as `how` says. ROUND_EACH plays the declared arithmetic: sums one term after the
 * other in
 *               the accumulators' format, and every site that keeps fewer bits. An operation is
 *               done in
 *               binary64 and rounded again: for 24 bits or fewer that errs by at most 1/2 + 2^-29
 *               of the
 *               last place, and binary64 itself is rounded once. exp and log are the C library's.
 *               ROUND_AT_RANDOM puts a perturbation in the place of each rounding, by the rules N1
 *               to N4
 *               of proofs/rounding.md. In all three a mutant that keeps fewer bits rounds there.
 * Cost          O(L^3 + L^2 d) operations, some 14 L^2 numbers of memory.
 * Masks         an absent entry takes part in nothing, as in ref/matrix.h.
 */
#ifndef CASTLE_MUTANT_KERNEL_H
#define CASTLE_MUTANT_KERNEL_H

#include "mutants.h"

typedef enum MutantRounding { ROUND_NOTHING, ROUND_EACH, ROUND_AT_RANDOM } MutantRounding;

typedef struct MutantAnswers {
    double *of[ANSWERS]; /* those that the problem asks for, others NULL */
} MutantAnswers;

/* The problem must be a head. `mutant` may be NULL: none. The seed matters to ROUND_AT_RANDOM
 * only. */
MutantAnswers mutant_kernel(const Problem *, const Arithmetic *, const Mutant *mutant,
                            MutantRounding how, uint64_t seed);
void mutant_answers_free(MutantAnswers *);

#endif
