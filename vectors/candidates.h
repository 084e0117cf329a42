/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * candidates.h - the arithmetics that --arithmetic auto tries, in classes from the most accurate on.
 *
 * The answers' type gives a ladder: float64, float32 and the presets of 16-bit and tf32 products for float64;
 * float32 and these presets for the others. Each rung is a class, and so is each rung with one
 * quantity more in fewer bits; accumulators in 16 bits are the last. First come those classes as far as they
 * are within the preset of the answers' type, then the others. Whatever is more accurate in every
 * quantity is in an earlier class or the same one.
 */
#ifndef CASTLE_CANDIDATES_H
#define CASTLE_CANDIDATES_H

#include "answers.h"
#include "arithmetic.h"
#include "safetensors.h"

typedef struct Candidate {
    Arithmetic
        arithmetic; /* as declared, but for answers: those are as coarse as they are stored */
    unsigned class;
    size_t order;    /* in which they were thought of */
    bool rung;       /* no quantity has been made coarser alone */
    char words[100]; /* "P rounded to bfloat16" */
} Candidate;

typedef struct Candidates {
    Candidate *at;
    size_t count;
    Arithmetic expected; /* the preset of the answers' type, stored as they are */
} Candidates;

/* Which quantities there are to round, and in which format each is stored at best (NULL: no limit). */
typedef struct Sites {
    bool there[STAGES];
    const Format *stored[STAGES];
} Sites;

/* What the answers of a head or a layer depend on. */
Sites sites_for(const bool answered[ANSWERS], bool layer);

Candidates candidates_for(NumberType of_answers, const Sites *);
void candidates_free(Candidates *);

/* Whether every quantity is at least as accurate in a as in b. */
bool arithmetic_within(const Arithmetic *a, const Arithmetic *b);

#endif
