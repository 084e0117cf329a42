/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kernel_report.h - judged trials for people, and for programs (docs/check-json.md). */
#ifndef CASTLE_KERNEL_REPORT_H
#define CASTLE_KERNEL_REPORT_H

#include "trial.h"

#include <jansson.h>
#include <stdio.h>

/* How many trials came out how. */
typedef struct TrialTally {
    size_t of[3];       /* by Judgement: trials with something to judge */
    size_t faulty;      /* wrong ones among them with a fault */
    size_t unsupported; /* trials of which the kernel supports nothing */
} TrialTally;
TrialTally tally_of(const Trials *);

/* Whether the kernel supports nothing of it. */
bool trial_is_unsupported(const Trial *);

/* One line: the counts, and whether the arithmetic was guessed. */
void trials_summarise(const Trials *, const TrialOptions *, char *text, size_t size);

/* A line for everything that is not right (`verbose`: and for what is), a table of families and tensors,
 * and a last line with the counts. Colour if `colour`. */
void trials_print(FILE *, const Trials *, const char *kernel, const TrialOptions *, bool verbose,
                  bool colour);
/* `maps`: with heat maps of wrong tensors. */
json_t *trials_json(const Trials *, const char *kernel, const TrialOptions *, bool maps);

#endif
