/* SPDX-License-Identifier: GPL-3.0-or-later */
/* findings.h - every comparison of agreement.h on every item, as tables. */
#ifndef CASTLE_FINDINGS_H
#define CASTLE_FINDINGS_H

#include "items.h"

enum { MOST_PRECISIONS = 5 }; /* of MPFR, that fit a line */

/* Prints a table for each subject that some item has, and a summary. Whether all forms agree. */
bool verify_items(const Items *, const long *bits, size_t precisions, uint64_t seed);

#endif
