/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * exp.h - exp for float and double without branch, table or call, so that compilers vectorise loops
 * of it: calls of the C library's would take a third of the time of all the products of a block.
 *
 * Method        exp(x) = 2^k exp(r), k the integer next to x / log(2), |r| <= log(2)/2 (Cody and Waite
 *               1980). log(2) comes in two parts; the first is short enough for k times it to be exact,
 *               and so is x less that. exp(r) = 1 + (r + r^2 q(r)) by Taylor's polynomial. Adding 1.5
 *               times 2^(bits - 1) rounds to an integer and leaves it in the sum's last bits, from
 *               where it is shifted into an exponent. 2^k is applied in two halves, neither of which
 *               overflows where the result does not.
 * Accuracy      less than 2u relative, u = 2^-53 or 2^-24. r is off by its last rounding, u |r| <=
 *               0.35u, which is that much of exp(r). r^2 q <= 0.07 is off by 4u relative: r^2, the
 *               product and q by u each, and q's other terms, at most a quarter of it, by u in all;
 *               0.28u. r + r^2 q < 1/2 is off by u/4 more, the sum with 1 by u/2 below 1 and by u
 *               above. The first term left out is below 0.07u. r < 0: 0.35 + (0.28 + 0.25 + 0.5 +
 *               0.07) / 0.707 < 1.91; r > 0: 0.35 + 0.28 + 0.25 + 1 + 0.07 = 1.95. Fusing a product
 *               with a sum only leaves out a rounding. A subnormal result is rounded to its last place.
 * Special cases NaN gives NaN. Arguments are cut to where exp is infinity or 0 in the format.
 */
#ifndef CASTLE_EXP_H
#define CASTLE_EXP_H

#include <stdint.h>
#include <string.h>

static inline double integer_as_power_f64(double integer_and_magic) /* 2^k of k + magic */
{
    uint64_t word;
    memcpy(&word, &integer_and_magic, sizeof word);
    word = (word + 1023) << 52;
    memcpy(&integer_and_magic, &word, sizeof word);
    return integer_and_magic;
}

static inline double exp_f64(double x)
{
    const double magic = 0x1.8p52;
    x = -746 > x ? -746 : x;
    x = 710 < x ? 710 : x;
    double k = (x * 0x1.71547652b82fep0 + magic) - magic;
    double half = (k * 0.5 + magic) - magic;
    double r = (x - k * 0x1.62e42feep-1) - k * 0x1.a39ef35793c76p-33;
    double q = 1. / 6227020800;
    q = q * r + 1. / 479001600;
    q = q * r + 1. / 39916800;
    q = q * r + 1. / 3628800;
    q = q * r + 1. / 362880;
    q = q * r + 1. / 40320;
    q = q * r + 1. / 5040;
    q = q * r + 1. / 720;
    q = q * r + 1. / 120;
    q = q * r + 1. / 24;
    q = q * r + 1. / 6;
    q = q * r + 1. / 2;
    double y = 1 + (r + r * r * q);
    return y * integer_as_power_f64(half + magic) * integer_as_power_f64(k - half + magic);
}

static inline float integer_as_power_f32(float integer_and_magic)
{
    uint32_t word;
    memcpy(&word, &integer_and_magic, sizeof word);
    word = (word + 127) << 23;
    memcpy(&integer_and_magic, &word, sizeof word);
    return integer_and_magic;
}

static inline float exp_f32(float x)
{
    const float magic = 0x1.8p23F;
    x = -104 > x ? -104 : x;
    x = 89 < x ? 89 : x;
    float k = (x * 0x1.715476p0F + magic) - magic;
    float half = (k * 0.5F + magic) - magic;
    float r = (x - k * 0x1.62e4p-1F) - k * 0x1.7f7d1cp-20F;
    float q = 1.F / 40320;
    q = q * r + 1.F / 5040;
    q = q * r + 1.F / 720;
    q = q * r + 1.F / 120;
    q = q * r + 1.F / 24;
    q = q * r + 1.F / 6;
    q = q * r + 1.F / 2;
    float y = 1 + (r + r * r * q);
    return y * integer_as_power_f32(half + magic) * integer_as_power_f32(k - half + magic);
}

#endif
