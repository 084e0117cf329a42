/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * truths.h - the true answers of a whole task, as files carry them. For each answer X:
 *   X          F64, correctly rounded
 *   X.lo       F64, the remainder, correctly rounded: X + X.lo carries about 32 digits
 *   X.<type>   correctly rounded to the inputs' own type, where that is not F64
 *   X.sigma    F32, the error scale of the task's arithmetic, one for each row, or element of a stage (sigma_layout)
 */
#ifndef CASTLE_TRUTHS_H
#define CASTLE_TRUTHS_H

#include "oracle.h"
#include "task.h"

typedef struct Truths {
    double *value[ANSWERS], *tail[ANSWERS], *typed[ANSWERS]; /* laid out as the answer */
    double *sigma[ANSWERS];                                  /* laid out by sigma_layout() */
    size_t tally[ANSWERS][CERTIFICATES]; /* how many elements have which certificate */
    size_t ties;                         /* of all answers */
    long bits;                           /* the highest working precision that was needed */
    double log2_radius; /* of the largest radius / |value| of a certified element */
    size_t naive;       /* problems whose balls hold all that the sequential definition gives */
    size_t outside;     /* elements of it outside their balls: 0, or the suite is wrong */
} Truths;

/* `naive`: run the sequential definition where the oracle allows it. Shows progress under the name
 * `what`, or none where that is NULL. */
Truths truths_of(const Task *, bool naive, const char *what);
void truths_free(Truths *);
void truths_write(const Truths *, const Task *, SafetensorsWriter *);

/* One answer's parts, under the name `as`. */
void truths_write_one(const Truths *, const Task *, Answer, const char *as, SafetensorsWriter *);

#endif
