/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agreement.h - do the forms of CASTLE agree? One function per kind of number system, each of them
 * evidence of its own kind: identity of formulas (field), enclosure (balls), error that falls with
 * the precision as rounding error does (MPFR, f64, f32).
 */
#ifndef CASTLE_AGREEMENT_H
#define CASTLE_AGREEMENT_H

#include "pairs.h"
#include "systems.h"

/* Over random inputs and a random scale modulo 2^61 - 1, in the problem's shape, window and variant; D is
 * taken back by subtraction and recomputed. */
typedef struct FieldAgreement {
    size_t compared, different; /* entries */
    double chance;              /* that different formulas pass: Schwartz-Zippel, all entries */
} FieldAgreement;
FieldAgreement agree_in_field(Subject, const Problem *, uint64_t seed);

/* In balls: every pair of balls must overlap. */
typedef struct BallAgreement {
    size_t compared, disjoint;
    double log2_radius; /* of the widest ball of the forms compared with the first, relative
                                       to the largest entry of its tensor; -infinity: all exact */
} BallAgreement;
BallAgreement agree_in_balls(Subject, const Problem *, long bits);

/* In rounded arithmetic, where D is recomputed: (33) has no bound of this kind. */
typedef struct RoundedAgreement {
    size_t compared, past_bound; /* differences larger than the two forms' error bounds allow */
    double log2_difference;      /* the largest, relative to the largest entry of its tensor */
    bool in_range;               /* false: a score outgrew the system's exponent range */
} RoundedAgreement;
RoundedAgreement agree_in_mpfr(Subject, const Problem *, long bits);
RoundedAgreement agree_in_f64(Subject, const Problem *);
RoundedAgreement agree_in_f32(Subject, const Problem *);

#endif
