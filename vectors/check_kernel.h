/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_kernel.h - `castle check --run` and `--kernel`: a kernel run over many cases and judged. */
#ifndef CASTLE_CHECK_KERNEL_H
#define CASTLE_CHECK_KERNEL_H

#include "check_output.h"
#include "isolated.h"
#include "trial.h"

struct argp;

typedef struct KernelOptions {
    const char *run, *kernel; /* at most one of them; neither: dumps are judged */
    TrialOptions trials;
    bool guess; /* the arithmetic */
    bool types_given, seed_given, nondeterministic, verbose;
    const char *only_for_kernels; /* the first option that was given and means nothing for dumps */
    Limits limits;
    bool shrink;             /* the first wrong trial */
    const char *shrunk_file; /* where to; NULL: a name of the case's */
} KernelOptions;

/* The options, as a child of castle check's; its input is a KernelOptions, which it fills with defaults
 * first. */
extern const struct argp check_kernel_argp;

/* Runs, judges and prints. The exit status; `name` is the command's, for messages. */
int check_kernel(KernelOptions *, const CheckOutput *, const char *name);

#endif
