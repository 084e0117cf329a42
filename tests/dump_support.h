/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dump_support.h - dumps drafted tensor by tensor, written, and opened or refused. */
#ifndef DUMP_SUPPORT_H
#define DUMP_SUPPORT_H

#include "dump.h"

/* One tensor of a dump; its values count up from `first`. */
typedef struct Piece {
    const char *name;
    NumberType type;
    size_t dims, shape[5];
    double first;
} Piece;

enum { MOST_PIECES = 90, BATCH = 2, HEADS = 3, LENGTH = 5, DIM = 2 };

typedef struct Draft {
    Piece piece[MOST_PIECES];
    size_t count;
    const char *window, *scale, *arithmetic;
} Draft;

void draft_add(Draft *f, const char *name, NumberType type, size_t dims, double first);
Piece *draft_find(Draft *f, const char *name);

/* Six inputs and the three forward answers, 2 x 3 x 5 x 2, all F32. */
Draft full_draft(void);
void draft_write(const Draft *f, const char *path);

extern const DumpOptions nothing;
Dump draft_opened(const Draft *f, const DumpOptions *given);
bool dump_is_empty(const Dump *d);

/* The sentence must be `expected`, in which a leading @ stands for the path. */
void draft_refused(const char *test, const char *path, const DumpOptions *given,
                   const char *expected);

#endif
