/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * golden.h - one golden case as a file: NAME.safetensors with
 *   inputs      as families.h draws them
 *   answers X   X, X.lo, X.<type>, X.sigma (truths.h)
 *   u@t         of decode cases: U of the cache after t tokens, with the same parts
 *   metadata    window, scale, variant, arithmetic; case, licence; and the certificate
 * castle-vectors(5) describes it for users.
 */
#ifndef CASTLE_GOLDEN_H
#define CASTLE_GOLDEN_H

#include "cases.h"
#include "task.h"

#define GOLDEN_SUFFIX ".safetensors"

/* What is vouched for, over all of a file's answers. */
typedef struct GoldenCertificate {
    size_t elements, ties, undefined, masked;
    long bits;  /* the highest working precision that was needed */
    int radius; /* every certified ball's radius is at most 2^radius |X|; coarse: see below */
    bool sequentially; /* the sequential definition lies inside every ball */
} GoldenCertificate;

/* What radius is: the first of these that holds, else the radius itself. A ball that rounds to one X and
 * one X.lo, neither of them subnormal, is narrower than the first; nearly all are narrower than the
 * second by far. Nothing finer is told, since the last bits of a radius are the libraries' own. */
enum { RADIUS_IMPLIED = -105, RADIUS_USUAL = -128 };

/* The case's inputs and how to compute with them; `dumps` as in case_inputs(). */
bool golden_task(Task *, const GoldenCase *, const char *dumps, Failure *);

/* Computes the case and writes its file. */
bool golden_write(const GoldenCase *, const char *dumps, const char *path, Failure *);

/* Whether the file at path is the case's, with the inputs that it has today: there is nothing to do. False
 * also for a file that cannot be read. */
bool golden_is_current(const GoldenCase *, const char *dumps, const char *path);

/* What a file of the case says of its conventions; the names are those of the metadata. */
typedef struct GoldenConventions {
    char window[24], scale[40];
    const char *variant, *arithmetic;
} GoldenConventions;
GoldenConventions golden_conventions(const GoldenCase *);

/* The certificate that a case's file carries; fails where the file is another case's, or was made under
 * other conventions. */
bool golden_certificate(GoldenCertificate *, const GoldenCase *, const char *path, Failure *);

/* "FOLDER/ID.safetensors" into text, cut to size. */
void golden_path(char *text, size_t size, const char *folder, const GoldenCase *);

#endif
