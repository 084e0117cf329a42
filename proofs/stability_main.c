/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * stability_main.c - what taking D back by subtraction, (33), leaves of it in float: prints
 * proofs/stability.md. Seeded; one thread.
 */
#include "backward_blockwise.h"
#include "blocks.h"
#include "blockwise.h"
#include "parallel.h"
#include "systems.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIM = 64, BLOCK = 64, LONGEST = 8192, GRADIENTS_AT = 512 };

/* ---- inputs ------------------------------------------------------------------------------------- */

typedef enum Kind {
    NORMAL,         /* N(0, 1) */
    DRIFTING,       /* VU has mean 1 */
    OUTLIER,        /* one row of VU, in the middle, is 1e5 times the rest */
    KINDS
} Kind;

static const char *const kind_names[KINDS] = {"normal", "drifting", "outlier"};

enum { QU, KU, VU, QC, KC, VC, COTANGENT, INPUTS };

typedef struct Inputs {
    Kind kind;
    size_t length;
    double *number[INPUTS];     /* each length x DIM, float32 numbers */
} Inputs;

static void out_of_memory(void)
{
    (void)fprintf(stderr, "stability: out of memory\n");
    exit(1);
}

static Inputs inputs(Kind kind, size_t length)
{
    Inputs x = {.kind = kind, .length = length};
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    if (!rng)
        out_of_memory();
    gsl_rng_set(rng, 20250929);
    for (size_t k = 0; k < INPUTS; k++) {
        x.number[k] = malloc(length * DIM * sizeof(double));
        if (!x.number[k])
            out_of_memory();
        for (size_t i = 0; i < length * DIM; i++) {
            double value = gsl_ran_gaussian(rng, 1) + (k == VU && kind == DRIFTING ? 1 : 0);
            if (k == VU && kind == OUTLIER && i / DIM == length / 2)
                value *= 1e5;
            x.number[k][i] = (double)(float)value;
        }
    }
    gsl_rng_free(rng);
    return x;
}

static void inputs_free(Inputs *x)
{
    for (size_t k = 0; k < INPUTS; k++)
        free(x->number[k]);
}

static Head head_of(const Inputs *x, System *in)
{
    Matrix m[INPUTS];
    for (size_t k = 0; k < INPUTS; k++)
        m[k] = matrix_from(in, x->length, DIM, x->number[k]);
    return (Head){.QU = m[QU], .KU = m[KU], .VU = m[VU], .QC = m[QC], .KC = m[KC], .VC = m[VC],
                  .scale = matrix_from(in, 1, 1, (double[]){0.125}), .window = NO_WINDOW};
}

static Matrix cotangent_of(const Inputs *x, System *in)
{
    return matrix_from(in, x->length, DIM, x->number[COTANGENT]);
}

/* ---- norms -------------------------------------------------------------------------------------- */

static double number_at(Matrix A, size_t i, size_t j)
{
    return A.in->op->bytes == sizeof(float) ? (double)*(float *)entry(A, i, j)
                                            : *(double *)entry(A, i, j);
}

/* The root of the sum of squares of A, or of A - B. */
static double distance(Matrix A, const Matrix *B)
{
    double sum = 0;
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++) {
            double x = number_at(A, i, j) - (B ? number_at(*B, i, j) : 0);
            sum += x * x;
        }
    return sqrt(sum);
}

static double relative(Matrix A, Matrix truth) { return distance(A, &truth) / distance(truth, NULL); }

/* ---- D there and back --------------------------------------------------------------------------- */

/* To nearest, ties to even; for finite numbers. */
static float to_bfloat16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static const Format *const FORMATS[] = {&BINARY32, &BFLOAT16};

/* D := sum, in the format that D is kept in. */
static void keep(Matrix D, Matrix sum, size_t format)
{
    assign(D, sum);
    for (size_t i = 0; format && i < D.rows; i++)
        for (size_t j = 0; j < D.cols; j++)
            *(float *)entry(D, i, j) = to_bfloat16(*(float *)entry(D, i, j));
}

/* |D_j^(1) found - true| / |D_j^(1)|, the worst key block's; by format where that matters. */
typedef struct Outcome {
    double subtracted[2], recomputed[2];
    double growth;              /* |D_j^(N-1)| / |D_j^(1)| */
    double walk;                /* root of the sum of |D_j^(k)|^2 over all roundings, / |D_j^(1)| */
} Outcome;

static void raise(double *most, double x)
{
    if (x > *most || isnan(x))
        *most = x;
}

/* (23): what key block j takes in from block e. */
static Matrix addition(const Blocks *b, size_t j, size_t e)
{
    return product(block_gates(b, j, e), block(b, b->head->VU, e), EVERYWHERE);
}

/* Key block j takes in blocks j .. N - 2; then (33) takes all but the first back. additions[e] is what
 * (23) adds, the same numbers on both ways, as a kernel would rebuild them. */
static void there_and_back(const Matrix *additions, size_t j, size_t end, Matrix truth, size_t format,
                           Outcome *worst)
{
    Matrix D = matrix(additions[j].in, truth.rows, truth.cols);
    double first = distance(truth, NULL), squares = 0, size = 0;
    for (size_t e = j; e < end; e++) {
        keep(D, add(D, additions[e]), format);
        size = distance(D, NULL);
        squares += size * size * (e == j || e + 1 == end ? 1 : 2);
        if (e == j)
            raise(&worst->recomputed[format], relative(D, truth));
    }
    for (size_t e = end; e-- > j + 1;)
        keep(D, subtract(D, additions[e]), format);
    raise(&worst->subtracted[format], relative(D, truth));
    if (format == 0) {
        raise(&worst->growth, size / first);
        raise(&worst->walk, sqrt(squares) / first);
    }
}

static Outcome outcome(Kind kind, size_t length)
{
    Inputs x = inputs(kind, length);
    System *f32 = f32_system(), *f64 = f64_system();
    Head h = head_of(&x, f32), exact = head_of(&x, f64);
    Blocks b = blocks_of(&h, BLOCK, __func__), exact_b = blocks_of(&exact, BLOCK, __func__);
    Matrix additions[LONGEST / BLOCK];
    Outcome worst = {0};
    for (size_t j = 0; j + 1 < b.count; j++) {
        Scope in_f32 = scope_open(f32), in_f64 = scope_open(f64);
        for (size_t e = j; e + 1 < b.count; e++) {
            additions[e] = matrix(f32, BLOCK, DIM);
            Scope scope = scope_open(f32);
            assign(additions[e], addition(&b, j, e));
            scope_close(f32, scope);
        }
        Matrix truth = addition(&exact_b, j, j);
        for (size_t format = 0; format < 2; format++)
            there_and_back(additions, j, b.count - 1, truth, format, &worst);
        scope_close(f64, in_f64);
        scope_close(f32, in_f32);
    }
    system_free(f64);
    system_free(f32);
    inputs_free(&x);
    return worst;
}

/* ---- gradients ---------------------------------------------------------------------------------- */

typedef struct Worst {
    double error;
    const char *gradient;
} Worst;

static Worst worst_gradient(Gradients found, Gradients truth)
{
    static const char *const names[] = {"dQU", "dKU", "dVU", "dQC", "dKC", "dVC"};
    const Matrix a[] = {found.dQU, found.dKU, found.dVU, found.dQC, found.dKC, found.dVC};
    const Matrix b[] = {truth.dQU, truth.dKU, truth.dVU, truth.dQC, truth.dKC, truth.dVC};
    Worst w = {-1, ""};
    for (size_t k = 0; k < 6; k++) {
        double error = relative(a[k], b[k]);
        if (!(error <= w.error))
            w = (Worst){error, names[k]};
    }
    return w;
}

/* Dense, blockwise by (33), blockwise recomputing: all in float32, against dense in binary64. */
static void gradient_errors(Kind kind, Worst w[3])
{
    Inputs x = inputs(kind, GRADIENTS_AT);
    System *f32 = f32_system(), *f64 = f64_system();
    Head h = head_of(&x, f32), exact = head_of(&x, f64);
    Matrix dO = cotangent_of(&x, f32), D = matrix(f32, GRADIENTS_AT, DIM);
    Gradients truth = gradients_for(&exact), g = gradients_for(&h);
    backward(&exact, cotangent_of(&x, f64), &truth);
    backward(&h, dO, &g);
    w[0] = worst_gradient(g, truth);
    Answers forward = answers_for(&h);
    blockwise(&h, BLOCK, &forward, D);
    for (TakeBack how = BY_SUBTRACTION; how <= BY_RECOMPUTATION; how++) {
        backward_blockwise(&h, BLOCK, &forward, D, dO, how, &g);
        w[1 + how] = worst_gradient(g, truth);
    }
    system_free(f64);
    system_free(f32);
    inputs_free(&x);
}

/* ---- the document ------------------------------------------------------------------------------- */

static void print_outcome(Kind kind, size_t length)
{
    Outcome o = outcome(kind, length);
    printf("| %s | %zu | %.1e | %.1e |", kind_names[kind], length, o.growth, o.walk);
    for (size_t f = 0; f < 2; f++)
        printf(" %.1e | %.1e | %.1e |", o.recomputed[f],
               format_roundoff(FORMATS[f]) * o.growth, o.subtracted[f]);
    printf("\n");
}

int main(void)
{
    omp_set_num_threads(1);
    for (Kind kind = 0; kind < KINDS; kind++)
        for (size_t length = 512; length <= LONGEST; length *= 2)
            print_outcome(kind, length);
    for (Kind kind = 0; kind < KINDS; kind++) {
        Worst w[3];
        gradient_errors(kind, w);
        printf("| %s |", kind_names[kind]);
        for (size_t k = 0; k < 3; k++)
            printf(" %.1e (%s) |", w[k].error, w[k].gradient);
        printf("\n");
    }
    return 0;
}
