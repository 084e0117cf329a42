/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dump_tensors.h - the parts of dump_open(): tensors, then metadata. For dump.c. */
#ifndef CASTLE_DUMP_TENSORS_H
#define CASTLE_DUMP_TENSORS_H

#include "dump.h"

/* Sizes, inputs, cotangent and answers; `path` is quoted for messages. */
bool dump_read_tensors(Dump *, const char *path, Failure *);

/* window, scale, variant, arithmetic: the options' or the file's. */
bool dump_read_metadata(Dump *, const char *path, const DumpOptions *, Failure *);

#endif
