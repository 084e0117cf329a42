/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * arithmetic.h - floating-point formats, and the arithmetic that a kernel declares: in which format
 * it accumulates and which of the paper's quantities it keeps in fewer bits.
 */
#ifndef CASTLE_ARITHMETIC_H
#define CASTLE_ARITHMETIC_H

#include "matrix.h"

#include <mpfr.h>
#include <stdbool.h>

/* A binary floating-point format with subnormals, as IEEE 754 describes one. */
typedef struct Format {
    const char *name;
    int precision;  /* bits, the implicit one included */
    int emin, emax; /* exponents of the smallest normal and of the largest number, as 1.x 2^e */
} Format;

extern const Format BINARY64, BINARY32, TF32, BFLOAT16, BINARY16;

const Format *format_named(const char *name); /* float64 float32 tf32 bfloat16 float16; or NULL */
double format_roundoff(const Format *);       /* unit roundoff u = 2^-precision */
double format_smallest(const Format *);       /* the smallest subnormal number */
double format_largest(const Format *);        /* the largest finite number */

/* The value of x in format f, rounded to nearest, ties to even, subnormals and overflow included.
 * y must have exactly f's precision. Returns MPFR's ternary value. */
int format_round(mpfr_t y, const mpfr_t x, const Format *f);
double format_round_double(double x, const Format *f);

/* Sets the thread's exponent range to f's (its mpfr_subnormalize convention), or MPFR's widest. */
void format_enter(const Format *f);
void format_leave(void);

/* What a kernel declares. A site's format is what the quantity is rounded to when the kernel keeps
 * it; a site that is no coarser than `accumulate` costs no rounding of its own. */
typedef struct Arithmetic {
    char name[160];           /* the declaration in full, as it was given */
    const Format *accumulate; /* sums, products, elementary functions */
    const Format *site[STAGES];
} Arithmetic;

/* Reads "PRESET" or "PRESET,key=format,...". Presets: float64, float32, tf32, bfloat16, float16 (the
 * last three: operands of products in that format, accumulation and lse in float32, answers in the
 * preset's type, tf32's in float32). Keys: accumulate, the names of the stages (stage_name), and
 * `operands` for inputs, t1, g, p, ds, dsu, dt1 and dz together. On failure returns false and says why
 * in `why`. */
bool arithmetic_parse(Arithmetic *a, const char *text, char *why, size_t why_size);

/* The site's unit roundoff if it rounds at all, else 0. A computed quantity is in the accumulators'
 * format already and is rounded by a coarser site only. A given one (inputs, scale) comes from outside
 * and is rounded wherever the site's format cannot hold it. */
double arithmetic_site_roundoff(const Arithmetic *, Stage);
bool arithmetic_rounds_given(Stage);
const char *stage_name(Stage); /* "inputs", "sc", "t1", ... as in files and declarations */

#endif
