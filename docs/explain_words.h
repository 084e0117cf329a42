/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * explain_words.h - what `castle explain` reads: a sentence as words, and each word as six vectors.
 *
 * A word is what stands between blanks; it is compared byte by byte. A word's vectors depend on the seed,
 * the head's number and the word, not on its place or its neighbours: the same word has the same rows
 * wherever it stands, and exchanging one word moves no other row.
 *
 * The draw. The Mersenne twister (gsl_rng_mt19937) is seeded with the first 32 bits of the SHA-256 of
 * "castle explain, seed S, head H, word W" (H counts from 1). Row by row, QU KU VU QC KC VC, each entry
 * is the sum of four numbers of 0..7, the upper three bits of a draw, less 14, over 4: a multiple of 1/4
 * from -3.5 to 3.5, of mean 0 and variance 21/16. Integers all the way, so the same on every machine.
 * They are no trained weights and know nothing of English.
 */
#ifndef CASTLE_EXPLAIN_WORDS_H
#define CASTLE_EXPLAIN_WORDS_H

#include "answers.h"
#include "failure.h"

enum {
    EXPLAIN_MOST_WORDS = 64,
    EXPLAIN_MOST_BYTES = 32, /* of one word */
};

typedef struct Words {
    size_t count;
    char at[EXPLAIN_MOST_WORDS][EXPLAIN_MOST_BYTES + 1];
} Words;

/* Refused: no word, too many, too long a word, bytes that are not UTF-8, control characters. */
bool words_read(Words *, const char *text, Failure *);

/* A word to try in the place of `word`, never equal to it; k = 0, 1, ... gives others. */
const char *word_instead(const char *word, size_t k);

/* The six matrices of one head, each count x dim; to[k] has room for count * dim numbers. */
void word_vectors(const Words *, size_t dim, unsigned long seed, size_t head, double *to[INPUTS]);

#endif
