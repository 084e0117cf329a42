/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agreement.h - do the forms of CASTLE agree? One function per kind of number system, each of them
 * evidence of its own kind: identity of formulas (field), enclosure (balls), error that falls with
 * the precision as rounding error does (MPFR, f64, f32).
 */
#ifndef CASTLE_AGREEMENT_H
#define CASTLE_AGREEMENT_H

#include "answers.h"
#include "systems.h"

/* Sequential, parallel and decode over random inputs and a random scale modulo 2^61 - 1. */
typedef struct FieldAgreement {
    size_t compared, different;     /* entries of O, lse, U (both pairs) and SU */
    double chance;                  /* that different formulas pass: Schwartz-Zippel, all entries */
} FieldAgreement;
FieldAgreement agree_in_field(size_t length, size_t dim, size_t window, uint64_t seed);

/* The three forms in balls: every pair of balls must overlap. */
typedef struct BallAgreement {
    size_t compared, disjoint;
    double log2_radius;             /* of the widest ball of the parallel form, relative to the
                                       largest entry of its tensor; -infinity if all are exact */
} BallAgreement;
BallAgreement agree_in_balls(const Problem *, long bits);

/* The three forms in rounded arithmetic. */
typedef struct RoundedAgreement {
    size_t compared, past_bound;    /* differences larger than the two forms' error bounds allow */
    double log2_difference;         /* the largest, relative to the largest entry of its tensor */
    bool in_range;                  /* false: a score outgrew the system's exponent range */
} RoundedAgreement;
RoundedAgreement agree_in_mpfr(const Problem *, long bits);
RoundedAgreement agree_in_f64(const Problem *);
RoundedAgreement agree_in_f32(const Problem *);

#endif
