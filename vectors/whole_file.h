/* SPDX-License-Identifier: GPL-3.0-or-later */
/* whole_file.h - files that are there as a whole or not at all, whenever the program is killed. */
#ifndef CASTLE_WHOLE_FILE_H
#define CASTLE_WHOLE_FILE_H

#include "failure.h"

typedef struct Bytes {
    const void *at;
    size_t size;
} Bytes;

/*
 * Writes the parts one after the other to path. An existing regular file is replaced at once, by a
 * rename after the new bytes have reached the disk; anything else at path (a folder, a device, a link)
 * is refused. On failure returns false and one sentence, leaves what was at path as it was and
 * leaves no other file behind.
 */
bool whole_file_write(const char *path, const Bytes *parts, size_t count, Failure *);

/* Reads all of a regular file; the caller frees at. */
bool whole_file_read(Bytes *, const char *path, Failure *);

/* The SHA-256 of the bytes, in hexadecimal. */
typedef struct Sha256 {
    char hex[65];
} Sha256;
Sha256 sha256_of(Bytes);

#endif
