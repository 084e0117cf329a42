/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * trial_judge.h - trials judged.
 *
 * A golden file's X and X.lo are the truth, and its sigma is used where the case's usual arithmetic judges;
 * another arithmetic's sigma is measured anew. A fresh case goes through the oracle, and so does a file
 * with ties, whose other neighbours it does not store, and one whose stages are answered. The bound comes
 * from running error analysis in every case: one pass, some 1/40 of a sigma.
 */
#ifndef CASTLE_TRIAL_JUDGE_H
#define CASTLE_TRIAL_JUDGE_H

#include "trial.h"

/* Before that, where no arithmetic is declared: finds one for each type, by which its cases are judged. */
void trials_guess(Trials *, const char *what);

/* Fills in all verdicts, several trials at a time; progress under the name `what`, none where it is NULL. */
void trials_judge(Trials *, const char *what);

/* The same but for `where`, in a child process, so that this one starts no threads and may fork on. */
void trials_judge_apart(Trials *, const char *what);

#endif
