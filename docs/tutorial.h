/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tutorial.h - the numbers of docs/tutorial.md: three tokens, d = 2, every intermediate. Each block of the
 * text between "<!-- begin NAME -->" and "<!-- end NAME -->" is what the function of that name prints.
 *
 * Numbers are computed by the texts of ref/ in MPFR at 113 bits, where every operation is rounded
 * correctly, and shown with four decimals: the same characters on every machine.
 */
#ifndef DOCS_TUTORIAL_H
#define DOCS_TUTORIAL_H

#include "backward.h"
#include "failure.h"

#include <stdio.h>

enum { EXAMPLE_TOKENS = 3, EXAMPLE_DIM = 2, EXAMPLE_BLOCK = 2, EXAMPLE_BITS = 113 };

/* The example, in any system of real numbers; `window` as in head.h. Lives in the current scope. */
Head example_head(System *in, size_t window);
Matrix example_cotangent(System *in); /* dO, L x d */

/* ---- printing: four decimals; an exact 0 is "0", an absent entry "." -------------------------------- */

double value(Matrix A, size_t i, size_t j);
void print_value(FILE *, double);
void print_matrix(FILE *, const char *name, Matrix A);

/* Aborts unless A and B would be printed alike: what the text calls equal is equal. */
void must_be_printed_alike(const char *what, Matrix A, Matrix B);

/* ---- the blocks ------------------------------------------------------------------------------------ */

/* tutorial_forward.c */
void print_inputs(FILE *, System *);
void print_gates(FILE *, System *);
void print_keys(FILE *, System *);
void print_window(FILE *, System *);
void print_weights(FILE *, System *);
void print_outputs(FILE *, System *);
void print_future(FILE *, System *);
void print_theorem1(FILE *, System *);
/* tutorial_online.c */
void print_first_block(FILE *, System *);
void print_last_row_of_blocks(FILE *, System *);
void print_decoding(FILE *, System *);
/* tutorial_backward.c */
void print_softmax_gradients(FILE *, System *);
void print_lookahead_gradients(FILE *, System *);
void print_gradients(FILE *, System *);
void print_differences(FILE *, System *);

/* The text with every block printed anew, or NULL with one sentence: a block that nothing prints, is not
 * closed, or is missing. The caller frees it. */
char *tutorial_refreshed(const char *text, Failure *);

#endif
