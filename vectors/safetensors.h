/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The safetensors container: eight bytes of header length (little-endian), a JSON header that
 * gives each tensor's dtype, shape and place in the data, then the data.
 *
 * The reader trusts nothing.  A file it opens has at least one tensor, every tensor at least one
 * element, and the tensors cover the data exactly once; anything else is refused with a sentence.
 * Only floating point tensors (see NumberType) are read.  A file that another process shrinks
 * while it is open is out of scope: touching the lost pages ends the program.
 */
#ifndef VECTORS_SAFETENSORS_H
#define VECTORS_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>

#include "failure.h"
#include "number_formats.h"

enum {
    SAFETENSORS_MAX_DIMS = 8,
    SAFETENSORS_MAX_HEADER = 100000000 /* bytes; the limit that other readers set, too */
};

/* The key of the header under which the metadata stand; no tensor can have this name. */
#define SAFETENSORS_METADATA_NAME "__metadata__"

/* Row-major: the last dimension varies fastest.  All pointers belong to the file. */
typedef struct Tensor {
    const char *name; /* UTF-8, may be empty */
    NumberType type;
    size_t dims;                        /* 0 for a scalar */
    size_t shape[SAFETENSORS_MAX_DIMS]; /* elements, at least 1 each; 0 from dims onwards */
    size_t count;                       /* product of the shape, at least 1 */
    const unsigned char *bytes;         /* count numbers, little-endian, of any alignment */
} Tensor;

/* Element i in row-major order, exact.  i must be less than t->count. */
double tensor_value(const Tensor *t, size_t i);

typedef struct SafetensorsFile SafetensorsFile;

/*
 * Maps the file read-only and checks it.  Returns NULL and one sentence in *failure if it cannot
 * be opened or is not valid.  The caller owns the result; what the functions below hand out stays
 * valid until safetensors_close(), which also takes NULL.
 */
SafetensorsFile *safetensors_open(const char *path, Failure *failure);
void safetensors_close(SafetensorsFile *file);

/* The tensors, in the order of the header; i must be less than the count. */
size_t safetensors_count(const SafetensorsFile *file);
const Tensor *safetensors_at(const SafetensorsFile *file, size_t i);

/* The tensor of that name, or NULL. */
const Tensor *safetensors_find(const SafetensorsFile *file, const char *name);

/* The metadata value (UTF-8) under that key, or NULL. */
const char *safetensors_metadata(const SafetensorsFile *file, const char *key);

/* The metadata keys, in the order of the header; i must be less than the count. */
size_t safetensors_metadata_count(const SafetensorsFile *file);
const char *safetensors_metadata_key(const SafetensorsFile *file, size_t i);

/*
 * The writer collects tensors and metadata in memory and then writes them in one go.  Its bytes
 * depend on nothing but the calls: metadata stand in the order in which they were added, tensors
 * too, but those of wide numbers before those of narrow ones, and the header is padded with spaces
 * so that the data begin at a multiple of 8 bytes: every tensor is aligned.
 * Misuse, and memory running out, stop the program (see stop_on_bug).
 */
typedef struct SafetensorsWriter SafetensorsWriter;

/* The caller owns the result; safetensors_writer_free() also takes NULL. */
SafetensorsWriter *safetensors_writer_new(void);
void safetensors_writer_free(SafetensorsWriter *writer);

/*
 * Adds a tensor of dims dimensions (0 for a scalar, when shape may be NULL; at most
 * SAFETENSORS_MAX_DIMS) with row-major values, which are copied.  It is a bug if the name is taken,
 * reserved or not UTF-8, if an entry of shape is 0, or if a value is not exactly representable in
 * the type.
 */
void safetensors_add(SafetensorsWriter *writer, const char *name, NumberType type, size_t dims,
                     const size_t *shape, const double *values);

/* Adds metadata, copied; it is a bug if the key is taken or either is not UTF-8. */
void safetensors_add_metadata(SafetensorsWriter *writer, const char *key, const char *value);

/*
 * Writes all that was added to path, at least one tensor (a bug otherwise).  An existing regular
 * file is replaced at once, by a rename after the new bytes have reached the disk; anything else
 * at path (a folder, a device, a link) is refused.  On failure returns false and one sentence in
 * *failure, leaves what was at path as it was and leaves no other file behind.
 */
bool safetensors_write(const SafetensorsWriter *writer, const char *path, Failure *failure);

#endif
