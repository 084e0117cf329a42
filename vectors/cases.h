/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cases.h - which golden cases there are. People read and edit vectors/cases.json; the program carries
 * a copy of it.
 *
 * The table. One row names one case in several types: row "window-17" with types "f64 bf16" stands
 * for the cases window-17-f64 and window-17-bf16, and nothing else expands. Fields that a row
 * leaves out: batch 1, heads 1, window "none", scale "1/sqrt(d)", variant "castle", kinds
 * "forward gradients", types "f64 f32 bf16 f16", tier "core", no flags. id, family, L, d, seed, for and
 * bugs are always there. The other fields belong to one family or kind and are refused elsewhere.
 */
#ifndef CASTLE_CASES_H
#define CASTLE_CASES_H

#include "answers.h"
#include "failure.h"
#include "number_formats.h"

/* families.h says what each draws. */
typedef enum CaseFamily {
    FAMILY_PLAIN,
    FAMILY_TRAINED,
    FAMILY_TINY,
    FAMILY_RAGGED,
    FAMILY_DIM,
    FAMILY_WINDOW,
    FAMILY_NEG,
    FAMILY_LARGE_SU,
    FAMILY_OUTLIER,
    FAMILY_OFFSET,
    FAMILY_DRIFT,
    FAMILY_ALIVE,
    FAMILY_LOSS_SCALE,
    FAMILY_SATURATED,
    FAMILY_SILU_MINIMUM,
    FAMILY_EQUAL_KEYS,
    FAMILY_INTEGERS,
    FAMILY_SPECIAL,
    CASE_FAMILIES
} CaseFamily;

/* What a case asks; a set of bits. */
typedef enum CaseKind {
    KIND_FORWARD = 1,   /* o lse u */
    KIND_GRADIENTS = 2, /* and do, dqu .. dvc */
    KIND_STAGES = 4,    /* and sc t1 g su p; with gradients dp ds dsu dt1 dg */
    KIND_DECODE = 8,    /* and U of the cache after each of `step` */
    KIND_LAYER = 16,    /* x, weights, y instead; with gradients dy, dx, dw.. */
    KIND_VARIANT = 32   /* an ablation: set where `variant` is not CASTLE */
} CaseKind;
enum { CASE_KINDS = 6 };

typedef enum CaseFlag {
    FLAG_TIES = 1, /* exact ties: scores that are equal, answers half-way between two numbers */
    FLAG_NONFINITE = 2,   /* a NaN or an infinity among the inputs */
    FLAG_SUBNORMAL = 4,   /* subnormal numbers of the type among the inputs */
    FLAG_EXACT_STAGES = 8 /* sc, t1 and dp have no rounding in the type, in any order */
} CaseFlag;
enum { CASE_FLAGS = 4 };

typedef enum CaseTier { TIER_CORE, TIER_PAPER } CaseTier;

/* The value of a special case whose keys are subnormal from the token on (family_draws.c). */
#define SUBNORMAL_KEYS "subnormal-keys"

/* One way to take a decode case's tokens in: so many at a time, by prefill or one by one. */
typedef struct CaseSplit {
    size_t *chunk; /* their sum is L */
    size_t chunks;
} CaseSplit;

typedef struct GoldenCase {
    char *id; /* the row's, "-" and f64, f32, bf16 or f16 */
    CaseFamily family;
    CaseTier tier;
    unsigned kinds; /* CaseKind bits */
    unsigned flags; /* CaseFlag bits */
    NumberType type;
    size_t batch, heads, length, dim;
    size_t model;  /* dm of a layer, else 0 */
    size_t window; /* or NO_WINDOW */
    double scale;  /* 0 stands for 1/sqrt(dim) */
    Variant variant;
    unsigned long seed;
    double level; /* the family's own parameter, see families.h; 0 where it has none */

    const char *source;        /* trained: the dump's name, "trained-layer1"; else NULL */
    size_t source_head, first; /* ... and its first head and first row that are taken */

    size_t token;        /* special: the token that holds the value */
    unsigned tensors;    /* ... in these inputs, bits 1 << Input */
    const char *special; /* ... "nan" "inf" "-inf" "subnormal" SUBNORMAL_KEYS; else NULL */

    size_t *step; /* decode: tokens after which the cache is stored, increasing */
    size_t steps;
    CaseSplit *split; /* decode: splits that share this case's answers */
    size_t splits;

    const char *purpose; /* one sentence */
    const char **bug;    /* ids of the bugs it is after */
    size_t bugs;
} GoldenCase;

typedef struct CaseBug {
    const char *id, *meaning;
} CaseBug;

/* The strings belong to the table. */
typedef struct Cases {
    GoldenCase *at; /* in the table's order, types in the row's order */
    size_t count;
    CaseBug *bug;
    size_t bugs;
    const char *why[CASE_FAMILIES];     /* why the family exists */
    const char *without[CASE_FAMILIES]; /* which types it lacks, and why; or NULL */
    void *table;
} Cases;

/* Reads the table at path, or with NULL the program's own. On failure returns false with one sentence
 * that names the row and the field, and leaves nothing to free. */
bool cases_read(Cases *, const char *path, Failure *);
void cases_free(Cases *);

const GoldenCase *cases_find(const Cases *, const char *id); /* or NULL */

const char *case_family_name(CaseFamily); /* "plain" "trained" ... */
const char *case_kind_name(CaseKind);     /* "forward" "gradients" ... */
const char *case_flag_name(CaseFlag);     /* "ties" "nonfinite" ... */
const char *case_tier_name(CaseTier);     /* "core" "paper" */
const char *case_type_suffix(NumberType); /* "f64" "f32" "bf16" "f16" */
const char *case_arithmetic(NumberType);  /* the type's usual arithmetic: "float64" ... */

#endif
