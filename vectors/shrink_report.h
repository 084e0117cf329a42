/* SPDX-License-Identifier: GPL-3.0-or-later */
/* shrink_report.h - what is left of a wrong trial: as a dump, for people, and for programs. */
#ifndef CASTLE_SHRINK_REPORT_H
#define CASTLE_SHRINK_REPORT_H

#include "shrink_trial.h"

#include <jansson.h>

/* "CASE-shrunk.safetensors" in this folder, or with -2, -3 .. before the dot: one that is not there. */
void shrunk_path(char *path, size_t size, const ShrunkTrial *);

/* Inputs, and where a value is wrong the kernel's answers of that call, in types that hold all of their bits:
 * `castle check` says of it what was said of the trial. */
bool shrunk_write(const ShrunkTrial *, const char *path, const char *kernel, Failure *);

/* What was cut, the numbers that are left, the verdict on them and the mistake's name. Reads the file at
 * `path`, which shrunk_write() wrote, and prints on standard output; starts threads. */
bool shrunk_print(const ShrunkTrial *, const char *path, Failure *);

/* docs/check-json.md, "shrunk". */
json_t *shrunk_json(const ShrunkTrial *, const char *path);

#endif
