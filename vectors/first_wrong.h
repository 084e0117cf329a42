/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * first_wrong.h - the first wrong quantity in the order of computation: Theorem 1's (11) and (12), then the
 * gradients, as ref/parallel.c and ref/backward.c compute them.
 *
 * Where it is wrong and all that it is made of is right, the mistake is in that one step. What it is made of
 * and the kernel did not answer is listed: there the mistake may be, too.
 */
#ifndef CASTLE_FIRST_WRONG_H
#define CASTLE_FIRST_WRONG_H

#include "verdict.h"

typedef struct FirstWrong {
    Answer answer; /* ANSWERS: none is wrong */
    /* What it is made of, directly or by way of others, in the order of computation. */
    Answer right[ANSWERS], suspect[ANSWERS], not_answered[ANSWERS];
    size_t rights, suspects, missing;
} FirstWrong;

/* Of the answers that are present. */
FirstWrong first_wrong(const bool present[ANSWERS], const Verdict verdict[ANSWERS]);

/* One clause: "g; right before it: t1; not answered: sc". */
void first_wrong_describe(const FirstWrong *, char *text, size_t size);

#endif
