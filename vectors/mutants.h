/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mutants.h - the catalogue of known-wrong kernels. Each is one small change of one text
 * (mutant_kernel.h): a Change says where the text departs from what it should be; all its fields 0
 * is the right kernel. tests measure which golden cases catch which mutant; `castle check`
 * compares a
 * wrong answer with all of them, to name the mistake (diagnose.h).
 *
 * Conventions of the table. A fault of the forward pass is in the backward pass too, which derives
 * the changed function, as automatic differentiation would; an operand that is exchanged stays
 * right
 * there. Blocks are of MUTANT_BLOCK tokens.
 */
#ifndef CASTLE_MUTANTS_H
#define CASTLE_MUTANTS_H

#include "answers.h"
#include "arithmetic.h"

enum { MUTANT_BLOCK = 16 };

typedef enum WindowRule {
    WINDOW_AS_GIVEN,
    WINDOW_IGNORED,
    WINDOW_OF_WHOLE_BLOCKS,      /* W rounded up to a multiple of a block */
    WINDOW_BLOCKS_CUT,           /* ... down */
    WINDOW_TOUCHED_SKIPPED,      /* blocks that the window holds in part are skipped */
    WINDOW_OPEN_MASKED,          /* blocks off the diagonal that it holds wholly are masked */
    WINDOW_FROM_QUERY,           /* j > t - W as well */
    WINDOW_ON_CAUSAL_SCORE,      /* keys s < t - W are left out of the softmax */
    WINDOW_IGNORED_IN_DERIVATIVE /* by dG only */
} WindowRule;

typedef enum Gates {
    GATE_SIGMOID,
    GATE_TANH,
    GATE_OPEN,    /* 1 */
    GATE_NEGATED, /* sigmoid(-z) */
    GATE_HARD,    /* 1 where z > 0 */
    GATE_BY_EXP   /* e^z / (1 + e^z): inf / inf where e^z overflows */
} Gates;

typedef enum Reach { /* of sum over j of T1_tj G_sj */
                     REACH_CAUSAL,
                     REACH_ALL,        /* no tril */
                     REACH_BLOCK,      /* up to the end of t's block */
                     REACH_STRICT,     /* j < t */
                     REACH_TIMES_ZERO, /* later j are multiplied by 0 */
                     REACH_OWN_BLOCK,  /* only j of t's block */
                     REACH_LAST_BLOCK, /* only t's block and the one before */
                     REACH_EARLIER,    /* only blocks before t's */
                     REACH_OWN_TWICE   /* t's block enters D before, and counts twice */
} Reach;

typedef enum Keys { /* which j a lookahead key takes in, beside the mask */
                    KEYS_ALLOWED,
                    KEYS_FULL_BLOCKS, /* none of a short last block */
                    KEYS_OWN_CHUNK,   /* of its own block of tokens */
                    KEYS_NEXT_ONLY,   /* s + 1 */
                    KEYS_FOR_A_BLOCK, /* up to s + 16 */
                    KEYS_OWN_VALUE,   /* its own VU, with gate 1, too */
                    KEYS_ALL          /* no mask */
} Keys;

typedef enum Penalty {
    PENALTY_SILU,
    PENALTY_ADDED,
    PENALTY_PLAIN,
    PENALTY_SIGMOID,
    PENALTY_NONE,
    PENALTY_RELU,
    PENALTY_OF_NEGATIVE, /* SiLU(-x) */
    PENALTY_GELU,        /* x Phi(x) */
    PENALTY_SOFTPLUS,
    PENALTY_BY_EXP /* x e^x / (1 + e^x) */
} Penalty;

typedef enum Softmax {
    SOFTMAX_RIGHT,
    MAXIMUM_FROM_ZERO,
    MAXIMUM_OF_CAUSAL_PART,
    MASK_IS_A_NUMBER,    /* -1e4 for s > t */
    OUTPUT_NOT_RESCALED, /* where the running maximum rises */
    SUM_NOT_RESCALED,
    NAN_IS_ABSENT,
    TIES_KEEP_THE_FIRST,
    PADDING_TAKES_PART, /* of a short last block: scores 0 */
    ONE_WEIGHT_LOST     /* key 0 of the last row */
} Softmax;

typedef enum Lse { LSE_RIGHT, LSE_LOG2, LSE_WITHOUT_MAXIMUM, LSE_NEGATED } Lse;

typedef enum Rows { /* that are not written */
                    ROWS_ALL,
                    ROWS_FIRST_IS_ZERO,
                    ROWS_TAIL_IS_ZERO, /* of a short last block */
                    ROWS_FIRST_IS_NAN
} Rows;

typedef enum LastKeys { /* U^L */
                        U_RIGHT,
                        U_LACKS_LAST_BLOCK,
                        U_LAST_ROW_NAN,
                        U_OF_FIRST_BLOCK
} LastKeys;

typedef enum Slope { /* SiLU' */
                     SLOPE_RIGHT,
                     SLOPE_OF_SILU, /* although the penalty is another */
                     SLOPE_SIGMOID,
                     SLOPE_NEGATED,
                     SLOPE_ONE,
                     SLOPE_POSITIVE, /* |SiLU'| */
                     SLOPE_CUT       /* sigmoid (1 - sigmoid) x, the first term forgotten */
} Slope;

typedef enum Delta {
    DELTA_RIGHT,
    DELTA_PER_KEY_BLOCK,
    DELTA_OMITTED,
    DELTA_NOT_WEIGHTED, /* P o dP - delta */
    DELTA_ADDED,
    DELTA_OF_VALUES /* dO_t . VC_t */
} Delta;

typedef enum GateSlope { GATE_SLOPE_RIGHT, GATE_SLOPE_GATE, GATE_SLOPE_ONE } GateSlope;

/* Parts of gradients; a set of bits. */
typedef enum Lost {
    LOST_DQC_CAUSAL = 1,
    LOST_DQC_LOOKAHEAD = 2,
    LOST_DQC_CAUSAL_DIAGONAL = 4,
    LOST_DKC_DIAGONAL = 8,
    LOST_DVU_DIAGONAL = 16,
    LOST_DKU_DIAGONAL = 32,
    LOST_DQU_DIAGONAL = 64,
    LOST_DVC_DIAGONAL = 128,
    LOST_LOOKAHEAD = 256, /* dSU is 0 */
    LOST_TRIL = 512,      /* dT1 at j > t, too */
    LOST_ALLOWED = 1024,  /* dG without its mask */
    LOST_MINUS = 2048     /* dSU = + dS o SiLU' */
} Lost;

/* An operand in a product's place. */
typedef enum Role {
    ROLE_NONE,
    ROLE_GATE_QUERY,
    ROLE_GATE_KEY,
    ROLE_T1_QUERY,
    ROLE_T1_VALUE,
    ROLE_SCORE_QUERY,
    ROLE_SCORE_KEY,
    ROLE_VALUE,
    ROLE_U_VALUE,
    ROLE_DP_VALUE,
    ROLE_DQU_KEY,
    ROLE_DKU_QUERY,
    ROLE_DVU_QUERY,
    ROLE_DQC_KEY,
    ROLE_DQC_VALUE,
    ROLE_DKC_QUERY
} Role;

/* Where a mutant keeps fewer bits, beside the stages. */
enum {
    SITE_NONE = STAGES,
    SITE_SCORE,      /* sC - SiLU(sU) */
    SITE_D,          /* D, carried from block to block */
    SITE_DELTA_O,    /* O as delta reads it */
    SITE_SUMS,       /* every partial sum */
    SITE_GATE_SLOPE, /* the gate in g (1 - g) */
    SITE_ALL_INPUTS, /* numbers below the normal ones of the type are 0 */
    SITES
};

typedef struct Change {
    int gate_first;  /* allowed: j >= s + 1 + gate_first */
    bool transposed; /* the gate of (s, j) is that of (j, s) */
    Gates gate;
    Keys keys;
    int window; /* wider by so much */
    WindowRule window_rule;
    Reach reach;
    int causal_end;                                /* s <= t + causal_end */
    int gate_scale, causal_scale, lookahead_scale; /* a further power of the scale */
    double scale_of;                               /* 1/sqrt(this): -1 stands for d */
    Penalty penalty;
    Softmax softmax;
    Lse lse;
    Rows rows;
    LastKeys u;
    bool variant_ignored, variant_drops_both;

    Slope slope;
    Delta delta;
    GateSlope gate_slope;
    unsigned lost;                         /* Lost bits */
    int scale_by[ANSWER_DVC - ANSWER_DQU]; /* of dQU dKU dVU dQC dKC: a further power */
    unsigned turned;                       /* bits 1 << Input: the product's transpose */
    bool subtracted;                       /* D is taken back by subtraction (33) */

    Role role; /* there stands `instead` */
    Input instead;
    const Format *narrow; /* NULL: no rounding of its own */
    int site;             /* a Stage or one of the above */
} Change;

typedef struct Mutant {
    const char *id, *name, *what; /* "M01", "gate-includes-diagonal", one sentence */
    unsigned touches;             /* bits 1 << Answer of o .. dvc that it can change */
    const char *bug;              /* in vectors/cases.json, or NULL */
    Change change;
} Mutant;

size_t mutant_count(void);
const Mutant *mutant_at(size_t);
const Mutant *mutant_named(const char *id_or_name); /* or NULL */

/* Why a bug of vectors/cases.json has no mutant here, or NULL. */
const char *bug_without_mutant(const char *bug);

#endif
