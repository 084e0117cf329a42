/* SPDX-License-Identifier: GPL-3.0-or-later */
/* case_support.h - golden cases drawn, and taken through Theorem 1. Include it behind cmocka.h. */
#ifndef CASE_SUPPORT_H
#define CASE_SUPPORT_H

#include "families.h"
#include "parallel.h"
#include "systems.h"

extern Cases built_in;
int built_in_cases(void **state); /* group setup and teardown */
int drop_cases(void **state);
const GoldenCase *find_case(const char *id); /* it must be there */

/* Calls `check` on the core cases of a family, layers and all; CASE_FAMILIES: of every family. There must be
 * one. */
void for_core_cases(CaseFamily, void (*check)(const GoldenCase *));

typedef struct Drawn {
    CaseInputs in;
} Drawn;
Drawn drawn(const GoldenCase *);
void drawn_free(Drawn *);

/* The first head of a case, in binary64 or the system given, which measured_free() frees. */
typedef struct Measured {
    Drawn g;
    System *in;
    Scope scope;
    Head head;
    Matrix dO; /* with gradients */
    Stages f;
} Measured;
Measured measured(const GoldenCase *);
Measured measured_in(const GoldenCase *, System *);
void measured_free(Measured *);

double number(Matrix, size_t i, size_t j); /* an entry, to binary64; 0 where it is absent */

#endif
