/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * systems.h - the number systems. Each maker returns a system of its own, used by one thread at a
 * time (but for the teams of system.h) and ended by system_free().
 */
#ifndef CASTLE_SYSTEMS_H
#define CASTLE_SYSTEMS_H

#include "arithmetic.h"
#include "system.h"

#include <stdint.h>

/* MPFR: one correct rounding per operation, at a precision chosen here; exponents are unbounded. */
System *mpfr_system(long bits);

/* MPFR playing a kernel: every operation is rounded once to arithmetic->accumulate, subnormals and
 * overflow included, and every stage to its declared format. The arithmetic is copied. */
System *played_system(const Arithmetic *arithmetic);

/* The same, but that the products of a sum enter it by fused multiply-add: rounded with it, once. */
System *played_fused_system(const Arithmetic *arithmetic);

/* Dual numbers, an MPFR value with a tangent: a text that runs over them differentiates itself. dual.h
 * sets and reads tangents. */
System *dual_system(long bits);

/* Arb's balls: every entry encloses the real value. */
System *ball_system(long bits);

/* Integers modulo 2^61 - 1. sigmoid and exp are arbitrary fixed functions chosen by `key`, log is the
 * identity: in a commutative ring the algorithms must agree whatever these functions are. */
#define FIELD_PRIME ((UINT64_C(1) << 61) - 1)
System *field_system(uint64_t key);
/* Uniform in the field, for tests that draw inputs there. State is the caller's, any value to begin. */
uint64_t field_random(uint64_t *state);
Matrix field_random_matrix(System *in, size_t rows, size_t cols, uint64_t *state);

/* The machine's own arithmetic, products by BLAS through GSL. Blocks of a sweep may run in several
 * threads; no result depends on how many. */
System *f64_system(void);
System *f32_system(void);

/* Binary64 with a seeded random perturbation at every rounding that the arithmetic declares: Monte
 * Carlo arithmetic. The perturbations are `amplify` times as large as the roundings they stand for. */
System *noisy_system(const Arithmetic *arithmetic, uint64_t seed, double amplify);
void noisy_begin_again(System *, uint64_t seed); /* as if made with this seed */

/* Binary64 values that carry a bound on the error of the declared arithmetic (running error analysis). */
typedef struct Bounded {
    double x;     /* the value, to binary64 */
    double size;  /* at least |x|: the same sums with absolute values */
    double error; /* at least |computed - exact| for any order of the sums */
} Bounded;
System *bounded_system(const Arithmetic *arithmetic);

/* Numbers without a value; every operation on them is counted, exactly: counting.h reads the counts. */
System *counting_system(void);

#endif
