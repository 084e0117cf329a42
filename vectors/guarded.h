/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * guarded.h - a tensor handed to foreign code, in memory shared with the child that runs it.
 *
 *     | no access | 0xFF .. | elements, gaps between rows of 0xFF | 0xFF to 64 bytes | no access |
 *
 * Everything is filled with 0xFF before the call, which is a NaN in every type: an output that is not
 * written, padding that is read, and a stray write all show.
 */
#ifndef CASTLE_GUARDED_H
#define CASTLE_GUARDED_H

#include "number_formats.h"

typedef struct GuardedShape {
    NumberType type;
    size_t batch, heads, rows, cols;
    bool padded; /* laid out [batch, rows, heads, cols] with gaps, not densely */
} GuardedShape;

typedef struct Guarded {
    const char *name; /* for messages */
    GuardedShape shape;
    size_t stride[3]; /* of batch, head, row, in elements */
    unsigned char *map, *data, *end;
    size_t mapped;
    unsigned char *saved; /* what an input must still be; NULL for an output */
    unsigned char *owned; /* by byte of what is accessible: it belongs to an element */
} Guarded;

/* `values`, dense, make it an input; NULL: an output. */
Guarded guarded_new(const char *name, const GuardedShape *, const double *values);
void guarded_free(Guarded *); /* nothing for one of zeros */

void guarded_put(const Guarded *, size_t index, double value); /* by place in the dense order */
double guarded_get(const Guarded *, size_t index);
size_t guarded_count(const Guarded *);

/* Whether nothing was written where nothing should be; else one clause: "wrote before o". */
bool guarded_is_sound(const Guarded *, char *text, size_t size);

/* How many elements of an output are still as they were. */
size_t guarded_untouched(const Guarded *);

/* Whether an address of a fault is in the page before or behind: "just after o". */
bool guarded_explains(const Guarded *, const void *address, char *text, size_t size);

#endif
