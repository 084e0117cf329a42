/* SPDX-License-Identifier: GPL-3.0-or-later */
/* selection.h - which cases a command is for, as its options --tier, --case and --family say. */
#ifndef CASTLE_SELECTION_H
#define CASTLE_SELECTION_H

#include "cases.h"

struct argp_state;

typedef struct Selection {
    bool tier[2];        /* by CaseTier */
    const char *pattern; /* a shell pattern that the whole id must match, or NULL */
    const char *family;  /* its name, or NULL */
} Selection;

/* "core", "paper" or "all"; says so and exits with 2 if it is none of them. */
void selection_read_tier(Selection *, const char *text, const struct argp_state *);

bool selection_takes(const Selection *, const GoldenCase *);

/* The sentence for a selection that takes no case. Returns false, as fail() does. */
bool selection_is_empty(const Selection *, Failure *);

#endif
