/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * shrink_trial.h - the first wrong trial of a kernel, shrunk by running the kernel again and again.
 *
 * What must stay is one thing: the first tensor that is wrong, in the first call that has one (by its z, if it
 * was), or, where no value is wrong, the first fault, which is the same as long as its call and its words up to the first figure
 * are. So a kernel with two mistakes is not led from one to the other. Of a library only that call is
 * made, and those that it needs.
 */
#ifndef CASTLE_SHRINK_TRIAL_H
#define CASTLE_SHRINK_TRIAL_H

#include "plugin.h"
#include "run_program.h"
#include "shrink.h"

/* One of them. */
typedef struct TrialRunner {
    const Plugin *plugin;
    const Program *program;
} TrialRunner;

/* A run that hangs takes all of its time: so many of them. */
enum { SHRINK_MOST_HANGS = 30 };

typedef struct ShrunkTrial {
    const Trial *from; /* NULL: none is wrong */
    bool flaky;        /* it is right when it runs again: nothing below is filled in but the part */
    size_t from_set;   /* of from's answers, where a value is wrong */
    char part[24];     /* the call */
    Answer answer;     /* the wrong tensor; ANSWERS: a fault */
    bool far_off;      /* by more than the bound, which must stay so */
    char fault[200];   /* as it was reported last */
    Task task;         /* what is left */
    AnswerSet set;     /* the kernel's answers to it, where a value is wrong */
    ShrinkResult result;
    size_t most_runs;
} ShrunkTrial;

/* The trials are judged. No thread may have been started (isolated.h): verdicts come from child processes.
 * False, with one sentence, where the files of a command cannot be written. */
bool shrink_first_wrong(ShrunkTrial *, const Trials *, const TrialRunner *, Failure *);
void shrunk_free(ShrunkTrial *);

#endif
