/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * export.h - a golden file in formats that need no reader of safetensors. Every number is exact in all of
 * them, and the bytes depend on nothing but the file (of npz: and on libzip).
 *
 *   json  {"case": what the index says, "metadata": {..}, "tensors": {"qu": {"type", "shape", "values"}}};
 *         values are nested as the shape says, each a string: a hexadecimal float, "nan", "inf", "-inf"
 *   npz   NumPy's archive, stored without compression: an array for each tensor, F64 F32 F16 as they are,
 *         BF16 (which NumPy lacks) as float32; metadata.json with the json's first two members
 *   c     a header: an array and its shape for each tensor; F64 double, F32 float, F16 and BF16 their bits
 */
#ifndef CASTLE_EXPORT_H
#define CASTLE_EXPORT_H

#include "golden_file.h"
#include "whole_file.h"

/* Each gives the file's bytes; the caller frees them. */
Bytes export_json(const GoldenFile *);
Bytes export_npz(const GoldenFile *);
Bytes export_c(const GoldenFile *);

/* ---- what the formats share: text in memory ------------------------------------------------------ */

typedef struct Text {
    char *at;
    size_t size;
    FILE *out;
} Text;

void text_begin(Text *);
Bytes text_end(Text *); /* the caller frees them */

/* The json's members "case" and "metadata". */
json_t *export_about(const GoldenFile *);

#endif
