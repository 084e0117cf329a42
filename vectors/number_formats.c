/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "number_formats.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "bug.h"
#include "failure.h"

typedef struct Description {
    const char *name;
    size_t bytes;
    const Format *format;
} Description;

static const Description descriptions[NUMBER_TYPES] = {
    [TYPE_F64] = {"F64", 8, &BINARY64},
    [TYPE_F32] = {"F32", 4, &BINARY32},
    [TYPE_F16] = {"F16", 2, &BINARY16},
    [TYPE_BF16] = {"BF16", 2, &BFLOAT16},
};

/* What a finite magnitude looks like in a format: significand * 2^(exponent - precision + 1). */
typedef struct Parts {
    uint64_t significand;
    int exponent; /* emin to emax; emin for zero and subnormal numbers */
} Parts;

static const Description *describe(const char *function, NumberType type)
{
    /* The comparison as unsigned catches negative values where the enum is signed. */
    if ((unsigned)type >= NUMBER_TYPES)
        stop_on_bug(function, "%d is no NumberType", (int)type);
    return &descriptions[type];
}

const Format *number_format(NumberType type) { return describe(__func__, type)->format; }

const char *number_type_name(NumberType type) { return describe(__func__, type)->name; }

bool number_type_from_name(const char *name, NumberType *type)
{
    for (int i = 0; i < NUMBER_TYPES; i++) {
        if (strcmp(name, descriptions[i].name) == 0) {
            *type = (NumberType)i;
            return true;
        }
    }
    return false;
}

size_t number_type_bytes(NumberType type) { return describe(__func__, type)->bytes; }

double number_decode(NumberType type, const void *bytes)
{
    const Description *d = describe(__func__, type);
    const unsigned char *source = bytes;
    int fraction_bits = d->format->precision - 1;
    uint64_t bits = 0;

    for (size_t i = 0; i < d->bytes; i++)
        bits |= (uint64_t)source[i] << (8 * i);

    uint64_t hidden = UINT64_C(1) << fraction_bits;
    uint64_t fraction = bits & (hidden - 1);
    uint64_t top_exponent = 2 * (uint64_t)d->format->emax + 1;
    uint64_t biased = (bits >> fraction_bits) & top_exponent;
    bool negative = source[d->bytes - 1] >> 7 != 0;
    double magnitude;

    if (biased == top_exponent && fraction != 0)
        return NAN;
    if (biased == top_exponent)
        magnitude = INFINITY;
    else if (biased == 0)
        magnitude = ldexp((double)fraction, d->format->emin - fraction_bits);
    else
        magnitude = ldexp((double)(fraction | hidden),
                          (int)biased - d->format->emax - fraction_bits);
    return negative ? -magnitude : magnitude;
}

/* Takes a finite magnitude apart; returns false if the format does not hold it exactly. */
static bool take_apart(const Format *format, double magnitude, Parts *parts)
{
    int exponent;

    if (magnitude == 0) {
        *parts = (Parts){0, format->emin};
        return true;
    }
    (void)frexp(magnitude, &exponent);
    exponent--; /* frexp has its point in front of the first bit, IEEE 754 behind it */
    if (exponent > format->emax)
        return false;
    if (exponent < format->emin)
        exponent = format->emin;

    /* Exact: the scaled value is below 2^precision, and even its last bit is far from underflow. */
    double scaled = ldexp(magnitude, format->precision - 1 - exponent);

    if (scaled != floor(scaled))
        return false;
    *parts = (Parts){(uint64_t)scaled, exponent};
    return true;
}

bool number_is_representable(NumberType type, double value)
{
    const Description *d = describe(__func__, type);
    Parts parts;

    return !isfinite(value) || take_apart(d->format, fabs(value), &parts);
}

void number_encode(NumberType type, double value, void *bytes)
{
    const Description *d = describe(__func__, type);
    unsigned char *target = bytes;
    int fraction_bits = d->format->precision - 1;
    uint64_t hidden = UINT64_C(1) << fraction_bits;
    uint64_t top_exponent = 2 * (uint64_t)d->format->emax + 1;
    uint64_t bits;
    Parts parts;

    if (isnan(value)) {
        bits = top_exponent << fraction_bits | hidden >> 1;
    } else if (isinf(value)) {
        bits = top_exponent << fraction_bits;
    } else if (!take_apart(d->format, fabs(value), &parts)) {
        stop_on_bug(__func__, "the value %a (%.17g) is not exactly representable in %s", value,
                    value, d->name);
    } else if (parts.significand < hidden) {
        bits = parts.significand; /* zero or subnormal, marked by the biased exponent 0 */
    } else {
        bits = (uint64_t)(parts.exponent + d->format->emax) << fraction_bits;
        bits |= parts.significand - hidden;
    }
    if (!isnan(value) && signbit(value))
        bits |= UINT64_C(1) << (8 * d->bytes - 1);

    for (size_t i = 0; i < d->bytes; i++)
        target[i] = (unsigned char)(bits >> (8 * i) & 0xff);
}
