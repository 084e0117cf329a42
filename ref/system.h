/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * system.h - what a number system provides. Readers of the algorithms do not need this file;
 * a new number system is one new file in systems/ that fills one Operations table.
 *
 * All operations act on runs of n entries that lie side by side, with the exceptions noted. Results
 * may be the same run as an operand, never overlap one partly. n = 0 is allowed.
 */
#ifndef CASTLE_SYSTEM_H
#define CASTLE_SYSTEM_H

#include "bug.h"
#include "matrix.h"

#include <mpfr.h>
#include <stdbool.h>

typedef enum ProductKind {
    PRODUCT_NN, /* C_ij = sum_k A_ik B_kj */
    PRODUCT_NT, /* C_ij = sum_k A_ik B_jk */
    PRODUCT_TN, /* C_ij = sum_k A_ki B_kj */
} ProductKind;

typedef struct Operations {
    const char *name;
    size_t bytes;                               /* of one entry */
    void (*init)(System *, void *x, size_t n);  /* n zeros */
    void (*clear)(System *, void *x, size_t n); /* NULL: nothing to free */
    void (*copy)(System *, void *y, const void *x, size_t n);
    void (*set)(System *, void *x, const double *v, size_t n);
    void (*inverse_root)(System *, void *x, unsigned long n); /* 1 / sqrt(n) */
    void (*add)(System *, void *z, const void *x, const void *y, size_t n);
    void (*subtract)(System *, void *z, const void *x, const void *y, size_t n);
    void (*multiply)(System *, void *z, const void *x, const void *y, size_t n);
    void (*scale)(System *, void *z, const void *x, const void *c, size_t n);  /* x_k * c */
    void (*shift)(System *, void *z, const void *x, const void *c, size_t n);  /* x_k - c */
    void (*divide)(System *, void *z, const void *x, const void *c, size_t n); /* x_k / c */
    void (*map)(System *, Function f, void *y, const void *x, size_t n);
    void (*sum)(System *, void *z, const void *x, size_t n);
    /* z = sum_k x[k dx] y[k dy]: runs with steps dx, dy, in entries. z is neither x nor y. */
    void (*dot)(System *, void *z, const void *x, size_t dx, const void *y, size_t dy, size_t n);
    /* A point near the largest of x, to subtract before exp; exact: it carries no error of its own. */
    void (*reference)(System *, void *m, const void *x, size_t n);
    /* The entry, exactly or rounded to y's precision (a ball's midpoint). NULL: not a real number. */
    void (*get)(System *, mpfr_t y, const void *x);

    /* Optional, NULL where the system has no need of it. */
    /* Writes every entry of C, absent ones as 0 (in a plain system anything may stand there before), or
     * returns false: use dot. */
    bool (*product)(System *, Matrix C, Matrix A, Matrix B, ProductKind);
    void (*stage)(System *, Stage, Matrix A); /* changes A in place */
    bool (*keeps)(System *, Stage);           /* whether stage() changes anything; NULL: it does */
    void (*destroy)(System *);
} Operations;

/* The matrices made in open scopes, in order. */
typedef struct Stack {
    struct Made {
        void *entries;
        size_t count;
    } * made;
    size_t count, room;
    /* Large blocks of a plain system, to be used again: new pages are dear. */
    struct Made spare[32];
} Stack;

struct System {
    const Operations *op;
    Stack *stacks;           /* one for each thread of a team */
    int threads;             /* of the team; 1: there is none */
    bool rows_in_parallel;   /* several rows of one operation may be worked on at once */
    bool blocks_in_parallel; /* any operation may run in several threads at once */
    /* Optional: is shown every stage as it is kept, in the order of the text. */
    void (*observe)(void *observer, Stage, Matrix A);
    void *observer;
};

/* Every system embeds System as its first member. */
void system_begin(System *in, const Operations *op);
void system_free(System *in);

/* From team_begin to team_end the threads of one parallel region may all make matrices, each in
 * scopes of its own, which it closes. Returns how many threads: 1 where the system's operations
 * must come in the order of the text, or where threads are taken by other work already. */
int team_begin(System *in);
void team_end(System *in);

/* Whether entries are bytes, with nothing to begin or to free: any bytes may be overwritten. */
bool system_is_plain(const System *in);

/* New entries of the innermost scope: zeros, or anything where `unset` and the system is plain: then
 * the caller writes them all. */
void *system_entries(System *in, size_t count, bool unset);

#endif
