/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gradient_support.h - problems with their gradients at 256 bits and bounds on those gradients'
 * errors, directions in the space of the six inputs, and the shapes that tests of gradients go
 * over. */
#ifndef TESTS_GRADIENT_SUPPORT_H
#define TESTS_GRADIENT_SUPPORT_H

#include "backward_blockwise.h"
#include "random_problem.h"
#include "systems.h"

enum { BITS = 256, WIDE = 512 }; /* WIDE: for sums of results, no rounding of theirs counts */

/* ---- problems and forms ---------------------------------------------------------------------- */

typedef struct Setting {
    size_t L, d, window;
    Variant variant;
    Family family;
    unsigned long seed;
} Setting;

void say_setting(const Setting *);          /* to where failures are printed */
size_t setting_components(const Setting *); /* of all six inputs */
/* The six inputs one after the other, then dO. */
RandomProblem setting_numbers(const Setting *);
/* N(0, 1) in every component, 24 bits each; to be freed. */
double *random_direction(const Setting *, unsigned long seed);

/* A matrix of numbers x that move in direction v (NULL: or stand still). */
typedef Matrix Maker(System *, size_t rows, size_t cols, const double *x, const double *v);
Matrix fixed_matrix(System *, size_t rows, size_t cols, const double *x, const double *v);

/* The head of a setting, and dO, from numbers in the order of setting_numbers(). */
Head setting_head(System *, Maker *, const Setting *, const double *x, const double *v, Matrix *dO);

/* O by one of the forms; BLOCKWISE + B is the blockwise form with block size B. */
enum { SEQUENTIAL, PARALLEL, DECODE, BLOCKWISE };
const char *form_name(size_t form);
Matrix output_of(size_t form, const Head *);

Matrix inner_product(Matrix A, Matrix B); /* <A, B>, 1 x 1 */

/* ---- gradients and their bounds -------------------------------------------------------------- */

typedef struct Six {
    Matrix of[INPUTS];
} Six;

extern const char *const gradient_names[INPUTS];
Six dense_gradients(const Head *, Matrix dO);
Six blockwise_gradients(const Head *, Matrix dO, size_t block, TakeBack);

/* A problem with g = the gradient of <dO, O> in mpfr_system(BITS), and what majorant_system says of
 * each component's error. `in` and `bounds` are for the test's use, too. */
typedef struct Solved {
    Setting s;
    RandomProblem r;
    System *in, *bounds;
    Six g, error;
} Solved;

/* <g, v>; *absolute: the sum of |g_i v_i|; *error: the sum of |v_i| times the error of g_i, in
 * 2^-BITS. */
void gradient_along(mpfr_t y, const Solved *, const double *v, double *absolute, double *error);
double largest_entry(Matrix A); /* |entry|, of a matrix of mpfr_system */

/* ---- what tests go over ---------------------------------------------------------------------- */

typedef void EachSolved(Solved *);

/* L <= 4, d <= 2; CASTLE and CASTLE-SWL with windows 0, 1, 2, L; every variant. In short tests
 * L <= 2. */
void for_small_settings(EachSolved *);
/* L = 12, d = 4, every variant; `count` seeds, with windows and families in turn. */
void for_larger_settings(EachSolved *, size_t count);

/* f(p, v, which): `which` is the component of a unit direction v, or ALL for a random direction. */
#define ALL SIZE_MAX
typedef void EachDirection(Solved *, const double *v, size_t which);
/* Every unit direction and a random one. */
void for_every_direction(Solved *, EachDirection *);
void for_a_random_direction(Solved *, EachDirection *);

#endif
