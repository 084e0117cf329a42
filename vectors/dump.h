/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dump.h - a kernel's dump: one safetensors file with what the kernel was given and what it answered.
 */
#ifndef CASTLE_DUMP_H
#define CASTLE_DUMP_H

#include "answers.h"
#include "arithmetic.h"
#include "failure.h"
#include "safetensors.h"

/* What the command line says in the place of the file's metadata; NULL where it says nothing. */
typedef struct DumpOptions {
    const char *arithmetic, *window, *scale;
} DumpOptions;

/* The oracle is dense: some 10 matrices of L x L balls, 50 bytes each, fit the memory of a small machine. */
enum { DUMP_MOST_TOKENS = 4096 };

typedef struct Dump {
    SafetensorsFile *file;
    size_t batch, heads, length, dim;
    NumberType type;         /* of the inputs (the widest of the six) */
    double *input[INPUTS];   /* batch x heads x length x dim */
    double *cotangent;       /* "do", or NULL; shape of the inputs */
    double *answer[ANSWERS]; /* NULL where the file has none; batch x heads x rows x cols */
    NumberType answer_type[ANSWERS];
    double scale; /* 0: 1/sqrt(dim) */
    size_t window;
    Arithmetic arithmetic; /* stored answers at least as coarse as the file's own types */
    bool window_stated, scale_stated, arithmetic_stated;
    const char *not_judged[64]; /* tensors that castle knows or not, and does not judge */
    size_t not_judged_count;
} Dump;

/* Reads and checks the file. On failure returns false with one sentence and leaves nothing to free. */
bool dump_open(Dump *, const char *path, const DumpOptions *, Failure *);
void dump_close(Dump *);

size_t dump_problems(const Dump *); /* batch x heads */
Problem dump_problem(const Dump *, size_t index);
size_t dump_answers(const Dump *); /* those its problems have: with "do", all */
/* The answer of problem `index`, rows x cols, or NULL. */
const double *dump_answer(const Dump *, Answer, size_t index);

void dump_describe_window(const Dump *, char *text, size_t size); /* "none" or a number */
void dump_describe_scale(const Dump *, char *text, size_t size);  /* "1/sqrt(d)" or a number */

#endif
