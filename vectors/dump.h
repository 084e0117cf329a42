/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dump.h - a kernel's dump: one safetensors file with what the kernel was given and what it answered,
 * heads (qu ku vu qc kc vc) or a whole layer (x wqu .. wvc wo).
 */
#ifndef CASTLE_DUMP_H
#define CASTLE_DUMP_H

#include "task.h"

/* As an arithmetic on the command line: that of the answers' type, whatever the file declares, until a
 * better one is found (guess.h). */
#define ARITHMETIC_AUTO "auto"

/* What the command line says in the place of the file's metadata; NULL where it says nothing. */
typedef struct DumpOptions {
    const char *arithmetic, *window, *scale, *variant;
} DumpOptions;

/* The oracle is dense: some 10 matrices of L x L balls, 50 bytes each, fit the memory of a small machine. */
enum { DUMP_MOST_TOKENS = 4096 };

typedef struct Dump {
    SafetensorsFile *file;
    Task task;               /* arithmetic: at least as coarse as the file's own types */
    double *answer[ANSWERS]; /* NULL where the file has none */
    NumberType answer_type[ANSWERS];
    bool window_stated, scale_stated, arithmetic_stated;
    const char *not_judged[64]; /* tensors that castle knows or not, and does not judge */
    size_t not_judged_count;
} Dump;

/* Reads and checks the file. On failure returns false with one sentence and leaves nothing to free. */
bool dump_open(Dump *, const char *path, const DumpOptions *, Failure *);
void dump_close(Dump *);

/* That of the answers: o's before the others', else the inputs'. */
NumberType dump_answer_type(const Dump *);

/* The answer of problem `index`, or NULL. */
const double *dump_answer(const Dump *, Answer, size_t index);

#endif
