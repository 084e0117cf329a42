/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "explain_words.h"

#include "bug.h"
#include "whole_file.h"

#include <gsl/gsl_rng.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool add_word(Words *w, const char *word, size_t size, Failure *f)
{
    if (w->count == EXPLAIN_MOST_WORDS)
        return fail(f, "the text has more than %d words; expected 1 to %d", EXPLAIN_MOST_WORDS,
                    EXPLAIN_MOST_WORDS);
    if (size > EXPLAIN_MOST_BYTES)
        return fail(f, "word %zu of the text has %zu bytes; expected at most %d", w->count + 1,
                    size, EXPLAIN_MOST_BYTES);
    memcpy(w->at[w->count], word, size);
    w->at[w->count++][size] = 0;
    return true;
}

static bool is_utf8(const char *text)
{
    json_t *string = json_string(text); /* NULL where it is not */
    bool valid = string != NULL;
    json_decref(string);
    return valid;
}

bool words_read(Words *w, const char *text, Failure *f)
{
    static const char blank[] = " \t\n\r";
    *w = (Words){0};
    if (!is_utf8(text))
        return fail(f, "the text is not UTF-8");
    for (const char *c = text; *c; c++)
        if (((unsigned char)*c < ' ' && !strchr(blank, *c)) || *c == 0x7f)
            return fail(f, "byte %zu of the text is the control character %d; expected words",
                        (size_t)(c - text) + 1, *c);
    for (text += strspn(text, blank); *text; text += strspn(text, blank)) {
        size_t size = strcspn(text, blank);
        if (!add_word(w, text, size, f))
            return false;
        text += size;
    }
    return w->count || fail(f, "the text has no words; expected 1 to %d, with blanks between them",
                            EXPLAIN_MOST_WORDS);
}

const char *word_instead(const char *word, size_t k)
{
    static const char *const fitting[][2] = {{"the", "a"},     {"old", "young"}, {"man", "sail"},
                                             {"boat", "ship"}, {"at", "by"},     {"night", "dawn"}};
    static const char *const any[] = {"quickly", "seven", "river"};
    enum { FITTING = sizeof fitting / sizeof *fitting, ANY = sizeof any / sizeof *any };
    for (size_t i = 0; i < FITTING; i++)
        if (strcmp(word, fitting[i][0]) == 0 && k-- == 0)
            return fitting[i][1];
    size_t others = ANY, place;
    for (size_t i = 0; i < ANY; i++)
        others -= strcmp(word, any[i]) == 0;
    place = k % others;
    for (size_t i = 0; i <= place; i++) /* past the word itself */
        place += strcmp(word, any[i]) == 0;
    return any[place];
}

static gsl_rng *stream(unsigned long seed, size_t head, const char *word)
{
    char text[EXPLAIN_MOST_BYTES + 100], first[9] = "";
    int size = snprintf(text, sizeof text, "castle explain, seed %lu, head %zu, word %s", seed,
                        head + 1, word);
    Sha256 sum = sha256_of((Bytes){text, (size_t)size});
    memcpy(first, sum.hex, 8);
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    if (!rng)
        stop_on_bug("word_vectors", "out of memory");
    gsl_rng_set(rng, strtoul(first, NULL, 16));
    return rng;
}

static double quarters(gsl_rng *rng)
{
    int sum = -14;
    for (int k = 0; k < 4; k++)
        sum += (int)(gsl_rng_get(rng) >> 29);
    return sum / 4.0;
}

void word_vectors(const Words *w, size_t dim, unsigned long seed, size_t head, double *to[INPUTS])
{
    for (size_t s = 0; s < w->count; s++) {
        gsl_rng *rng = stream(seed, head, w->at[s]);
        for (Input k = 0; k < INPUTS; k++)
            for (size_t i = 0; i < dim; i++)
                to[k][s * dim + i] = quarters(rng);
        gsl_rng_free(rng);
    }
}
