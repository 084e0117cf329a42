/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * castle.h - libcastle: the certified answers of one CASTLE attention head, and a verdict on yours.
 *
 *     double o[L * d] = ...;                          (your kernel's, as exact doubles)
 *     struct castle_problem p = {.length = L, .dim = d, .qu = qu, .ku = ku, .vu = vu, .qc = qc,
 *                                .kc = kc, .vc = vc, .window = CASTLE_NO_WINDOW};
 *     struct castle_verdict v;
 *     char why[256];
 *     if (castle_judge(&p, "float32", CASTLE_O, o, &v, why, sizeof why) != 0) ... why says what is off
 *     else if (v.judgement == CASTLE_WRONG) ... element v.worst is off by v.error
 *
 * Numbers travel as doubles, which hold float, bfloat16 and half exactly; arrays are row by row. All
 * functions may be called by several threads at once. They return 0, or -1 with one sentence in `why`
 * when an argument cannot be used; running out of memory ends the program.
 */
#ifndef CASTLE_H
#define CASTLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CASTLE_NO_WINDOW SIZE_MAX

/* The paper's ablations; zero is CASTLE itself. */
enum castle_variant {
    CASTLE_VARIANT_CASTLE,
    CASTLE_VARIANT_WITHOUT_CAUSAL_KEYS, /* score -SiLU(sU) */
    CASTLE_VARIANT_WITHOUT_SILU         /* score sC - sU */
};

struct castle_problem {
    size_t length, dim;                        /* L and d, at least 1 */
    const double *qu, *ku, *vu, *qc, *kc, *vc; /* each L x d */
    const double *dout;                        /* gradient of o, L x d; NULL: no gradients */
    double scale;                              /* 0 stands for 1/sqrt(d) */
    size_t window;                             /* W, or CASTLE_NO_WINDOW */
    enum castle_variant variant;
};

/* All L x d, but lse, which is L x 1. Gradients need `dout`. */
enum castle_answer {
    CASTLE_O,
    CASTLE_LSE,
    CASTLE_U,
    CASTLE_DQU,
    CASTLE_DKU,
    CASTLE_DVU,
    CASTLE_DQC,
    CASTLE_DKC,
    CASTLE_DVC,
    CASTLE_ANSWERS /* how many there are */
};
enum castle_judgement { CASTLE_RIGHT, CASTLE_SUSPECT, CASTLE_WRONG };

/* The truth X, correctly rounded to binary64, and its tail X.lo, so that X + X.lo has about 106 bits.
 * `tail` may be NULL. An element that non-finite inputs reach is NaN. */
int castle_truth(const struct castle_problem *, enum castle_answer, double *value, double *tail,
                 char *why, size_t why_size);

struct castle_verdict {
    enum castle_judgement judgement;
    double z; /* the largest error in standard deviations of the arithmetic */
    double suspect_above, wrong_above; /* thresholds for z */
    double error_over_bound;           /* the largest; above 1 the arithmetic cannot explain it */
    size_t worst;                      /* the element with the largest z */
    double error, truth;               /* of that element */
    size_t judged, not_finite; /* elements with a finite truth; answers among them that are not */
};

/* Judges one answer of a kernel that computes in `arithmetic`: "float64", "float32", "tf32",
 * "bfloat16" or "float16", optionally followed by ",key=format" for single roundings. */
int castle_judge(const struct castle_problem *, const char *arithmetic, enum castle_answer,
                 const double *answered, struct castle_verdict *, char *why, size_t why_size);

/* What verdicts are made of, one number for each element of an answer: the truth and its tail, as
 * castle_truth has them; sigma, the standard deviation of the error that `arithmetic` makes (NaN where
 * there is none); bound, the largest error that it can make. NULL: not asked for. */
struct castle_reference {
    double *value, *tail, *sigma, *bound;
};

/* All answers at once, which takes as long as one alone: wanted[CASTLE_O], wanted[CASTLE_LSE], ... Those
 * of gradients must be all NULL where there is no `dout`. */
int castle_references(const struct castle_problem *, const char *arithmetic,
                      const struct castle_reference wanted[CASTLE_ANSWERS], char *why,
                      size_t why_size);

const char *castle_version(void);

#ifdef __cplusplus
}
#endif
#endif
