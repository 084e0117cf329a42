/* SPDX-License-Identifier: GPL-3.0-or-later */
/* golden_file.h - a golden file opened for reading: only one that its folder's index vouches for. */
#ifndef CASTLE_GOLDEN_FILE_H
#define CASTLE_GOLDEN_FILE_H

#include "golden_index.h"

#define GOLDEN_FOLDER "vectors/golden"

typedef struct GoldenFile {
    const GoldenCase *c;
    json_t *index;
    const json_t *entry; /* in the index */
    SafetensorsFile *file;
} GoldenFile;

/* On failure (no index, no file, not the file that the index has) returns false with one sentence and leaves
 * nothing to close. */
bool golden_open(GoldenFile *, const GoldenCase *, const char *folder, Failure *);
void golden_close(GoldenFile *);

/* The case of that id; or NULL with a sentence. */
const GoldenCase *golden_case(const Cases *, const char *id, Failure *);

#endif
