/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * oracle.h - the true answers of a problem, correctly rounded and certified.
 *
 * The parallel form (Theorem 1) runs in balls; every ball encloses the real value. The precision is
 * raised until every ball lies between two neighbouring midpoints of binary64 numbers, so that all
 * of it rounds to one number. For short problems the sequential definition, another algorithm in
 * another arithmetic (MPFR), must fall inside every ball of a forward answer. (Gradients are the
 * dense ones of ref/backward.c; tests/test_gradients.c holds what supports them.)
 */
#ifndef CASTLE_ORACLE_H
#define CASTLE_ORACLE_H

#include "answers.h"
#include "arithmetic.h"

typedef enum Certificate {
    CERTIFIED, /* value is the correctly rounded truth (and tail too, where asked for) */
    TIE,       /* the truth could not be told from a midpoint: value or its neighbour */
    UNDEFINED, /* the inputs that reach this element are not all finite */
    MASKED,    /* outside a stage's mask: 0, where the quantity has a value there at all */
    CERTIFICATES
} Certificate;

typedef struct Truth {
    size_t rows, cols;
    double *value;     /* X, to nearest even */
    double *tail;      /* X.lo, to nearest even: X + X.lo carries about 106 bits */
    double *neighbour; /* the other candidate of a TIE, else equal to value */
    unsigned char *certificate;
    bool mask_is_free; /* what a kernel leaves outside the mask is its own affair: sc, dp */
} Truth;

typedef struct Oracle {
    Truth truth[ANSWERS]; /* of the problem's answers; the others are empty */
    long bits;            /* the last working precision */
    double log2_radius;   /* of the largest radius / |value| of a certified ball; -infinity: none */
    size_t ties, undefined;
    bool naive_ran;       /* the sequential form was run against the balls */
    size_t naive_outside; /* and this many of its values fell outside: 0, or the suite is wrong */
} Oracle;

enum {
    ORACLE_NAIVE_LENGTH = 64,
    ORACLE_BITS = 113,
    ORACLE_TAIL_BITS = 192,
    ORACLE_MOST_BITS = 2048
};

/* Computes all answers of *p. `tails`: certify the tails too. `naive`: run the sequential form where
 * the length is at most ORACLE_NAIVE_LENGTH. */
Oracle *oracle(const Problem *p, bool tails, bool naive);
void oracle_free(Oracle *);

/* X.<type>: the truth rounded once, to format f (not twice, by way of binary64). A tie of the sum
 * value + tail with a midpoint of f is broken by the truth's side where the tail shows it. */
double truth_in_format(const Truth *, size_t k, const Format *f);

#endif
