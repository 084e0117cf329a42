/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sections.h - the sections of `make proofs`, each in its own file report_*.c. */
#ifndef CASTLE_SECTIONS_H
#define CASTLE_SECTIONS_H

#include "page.h"

typedef void SectionWriter(Page *);
SectionWriter report_theorem1, report_theorem2, report_costs, report_theorem3, report_gradients,
    report_errata, report_bounds;

#endif
