/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * run_program.h - a kernel in any language: a command of the shell that reads one safetensors file and
 * writes another. {in} holds the inputs, with do where gradients are asked for, and the metadata window,
 * scale, variant (if it is not castle) and arithmetic; {out} is to hold any of the answers, in any of the
 * types. Status 0: done; 77: not supported; anything else is a fault.
 */
#ifndef CASTLE_RUN_PROGRAM_H
#define CASTLE_RUN_PROGRAM_H

#include "isolated.h"
#include "trial.h"

enum { PROGRAM_UNSUPPORTED = 77 };

typedef struct Program {
    const char *command; /* with {in} and {out} */
    Limits limits;
    char folder[64], in[80], out[80]; /* its own, below $TMPDIR or /tmp */
} Program;

/* Makes the folder, which goes when the user stops the program, too (interruption.h): *p must stay where it
 * is. On failure returns false with one sentence and leaves nothing to end. */
bool program_begin(Program *, const char *command, const Limits *, Failure *);
void program_end(Program *);

/* Runs it on a trial. False where files cannot be written, which is no fault of the program. */
bool program_try(const Program *, Trial *, Failure *);

#endif
