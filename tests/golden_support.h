/* SPDX-License-Identifier: GPL-3.0-or-later */
/* golden_support.h - a table of few cases, a folder of their files, and ways to do harm to it. Include it behind
 * cmocka.h. */
#ifndef GOLDEN_SUPPORT_H
#define GOLDEN_SUPPORT_H

#include "golden_index.h"
#include "vectors_support.h"

/* Four rows of the table in f32 and bf16, "tiny-two-numbers" in the paper's tier. */
extern Cases few;
enum { FEW_CORE = 6, FEW_PAPER = 2 };
int few_made(void **state); /* group setup and teardown; the scratch folder, too */
int few_dropped(void **state);
const GoldenCase *few_find(const char *id); /* it must be there */

/* The scratch folder's "work": all files and both indexes, as they should be. */
const char *fresh_folder(void);

const char *path_in(const char *folder, const char *name); /* valid for eight more calls */
const char *file_of(const char *folder, const char *id);

void copy_file(const char *from, const char *to);
void copy_folder(const char *from, const char *to); /* into what may be there; files only */
void assert_same_file(const char *one, const char *two);
void flip_bit(const char *path, size_t byte, unsigned bit);
size_t file_size(const char *path);

/* Writes a safetensors file anew with changes; NULL and 0 change nothing. */
typedef struct Change {
    const char *without; /* a tensor that is left out */
    const char *tensor;  /* one whose number `at` becomes `value` */
    size_t at;
    double value;
    const char *key, *text; /* metadata that becomes text; text NULL: left out */
} Change;
void rewrite(const char *path, const Change *);

#endif
