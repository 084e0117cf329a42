/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The four binary floating point formats that test vectors are stored in, and their little-endian
 * bytes.  Values travel as double, which holds every number of each format exactly, so nothing
 * here ever rounds: a value that would need rounding is refused.
 */
#ifndef VECTORS_NUMBER_FORMATS_H
#define VECTORS_NUMBER_FORMATS_H

#include <stdbool.h>
#include <stddef.h>

#include "arithmetic.h"

/* The names are those of the safetensors container; F64, F32 and F16 are IEEE 754 binary formats,
 * BF16 is the upper half of an F32. */
typedef enum NumberType { TYPE_F64, TYPE_F32, TYPE_F16, TYPE_BF16 } NumberType;

enum { NUMBER_TYPES = 4 };

/* Each function below that takes a NumberType stops (see stop_on_bug) if it is none of the four. */

/* The result is static. */
const Format *number_format(NumberType type);

/* "F64", "F32", "F16" or "BF16"; the result is static. */
const char *number_type_name(NumberType type);

/* Sets *type and returns true if name is exactly one of the four names; else leaves it alone. */
bool number_type_from_name(const char *name, NumberType *type);

/* Size of one number in bytes: 8, 4, 2 or 2. */
size_t number_type_bytes(NumberType type);

/*
 * The number stored at bytes, little-endian, of any alignment; exact.  Every NaN comes back as a
 * quiet NaN: its sign and payload are not kept.
 */
double number_decode(NumberType type, const void *bytes);

/* Whether the type holds value exactly: true for both zeros, both infinities and NaN. */
bool number_is_representable(NumberType type, double value);

/*
 * Stores value at bytes, little-endian, of any alignment.  The value must be exactly representable
 * in the type, else this stops with a message that names the value.  Any NaN becomes the positive
 * quiet NaN with an otherwise empty payload.
 */
void number_encode(NumberType type, double value, void *bytes);

#endif
