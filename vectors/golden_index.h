/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * golden_index.h - index.json: what a folder of golden files holds, for programs and for people.
 * vectors/index.schema.json describes it.
 */
#ifndef CASTLE_GOLDEN_INDEX_H
#define CASTLE_GOLDEN_INDEX_H

#include "golden.h"

#include <jansson.h>

enum { INDEX_FORMAT = 1 };

/* "index.json" for the core tier, "index-paper.json" for the paper's. */
const char *index_name(CaseTier);

/* Writes the tier's index for those of its cases whose files are in the folder; at least one. */
bool index_write(const Cases *, CaseTier, const char *folder, Failure *);

/* What the table says of one case, and that with what the file at path adds: certificate, size, SHA-256.
 * The caller gives them back. */
json_t *index_description(const GoldenCase *);
json_t *index_entry(const GoldenCase *, const char *path, Failure *);

/* The tier's index with these entries, as index_write() has it. */
json_t *index_document(const Cases *, CaseTier, json_t *entries);

/* The tier's index of a folder, or NULL with one sentence; the caller gives it back. */
json_t *index_read(CaseTier, const char *folder, Failure *);

/* What the index says of a case, or NULL where it does not list it. */
const json_t *index_find(const json_t *index, const char *id);

/* Whether the case's file is in the folder, and is the one that the index has. */
bool index_vouches(const json_t *index, const GoldenCase *, const char *folder, Failure *);

/*
 * Holds a folder against its index and the table: all cases of the tier are listed, each as the table
 * has it and with the file that is there (where `stored`; the paper's tier is not), what it says of the
 * whole is so, and no other golden file lies about. Returns the number of cases; 0 with one sentence for the first thing that is wrong.
 */
size_t index_check(const Cases *, CaseTier, const char *folder, bool stored, Failure *);

#endif
