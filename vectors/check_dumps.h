/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_dumps.h - `castle check FILE...`: dumps judged one after the other. */
#ifndef CASTLE_CHECK_DUMPS_H
#define CASTLE_CHECK_DUMPS_H

#include "check_output.h"
#include "dump.h"

/* Judges and prints. The exit status; `name` is the command's, for messages. */
int check_dumps(char *const *files, size_t count, const DumpOptions *, const CheckOutput *,
                const char *name);

#endif
