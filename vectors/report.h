/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report.h - a CheckReport for people, and for programs (docs/check-json.md describes the shape). */
#ifndef CASTLE_REPORT_H
#define CASTLE_REPORT_H

#include "check.h"

#include <jansson.h>
#include <stdio.h>

void report_print(FILE *, const char *path, const Dump *, const CheckReport *, bool colour);
/* `maps`: with heat maps of wrong tensors. */
json_t *report_json(const char *path, const Dump *, const CheckReport *, bool maps);

/* The last table: one line per dump. */
typedef struct ReportLine {
    const char *path;
    bool layer, present[ANSWERS];
    Verdict verdict[ANSWERS];
    Judgement judgement;
} ReportLine;
ReportLine report_line(const char *path, const Dump *, const CheckReport *);
void report_table(FILE *, const ReportLine *, size_t count);

#endif
