/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stages.h"

#include "arithmetic.h"
#include "backward_blockwise.h"
#include "blockwise.h"
#include "decode.h"
#include "parallel.h"
#include "systems.h"
#include "solve.h"

#include <string.h>

/* One quantity: rows as they were shown, one call after the other. */
typedef struct Shown {
    double x[STAGES_MOST][STAGES_MOST];
    bool present[STAGES_MOST][STAGES_MOST];
    size_t rows, cols;
} Shown;

typedef struct Record {
    Shown of[STAGES];
} Record;

/* Rows go below those that were shown before: decoding shows one row a step. */
static void remember(void *record, Stage name, Matrix A)
{
    Shown *s = &((Record *)record)->of[name];
    for (size_t i = 0; i < A.rows && s->rows < STAGES_MOST; i++, s->rows++) {
        Range k = row_range(A, i);
        for (size_t j = k.first; j < k.end && j < STAGES_MOST; j++) {
            s->x[s->rows][j] = *(const double *)entry(A, i, j);
            s->present[s->rows][j] = true;
        }
        s->cols = A.cols > s->cols ? A.cols : s->cols;
    }
}

static void print_row(FILE *out, const Shown *s, size_t i)
{
    for (size_t j = 0; j < STAGES_MOST; j++)
        if (i < s->rows && j < s->cols && s->present[i][j])
            fprintf(out, " %8.4f", s->x[i][j]);
        else
            fprintf(out, " %8s", i < s->rows && j < s->cols ? "." : "");
}

/* `left` may be NULL: a quantity that only one of the forms has. */
static void print_pair(FILE *out, const char *name, const char *what, const Shown *left,
                       const Shown *right)
{
    static const Shown nothing;
    fprintf(out, "%-4s %s\n", name, what);
    for (size_t i = 0; i < right->rows; i++) {
        print_row(out, left ? left : &nothing, i);
        fprintf(out, "  |");
        print_row(out, right, i);
        fputc('\n', out);
    }
    fputc('\n', out);
}

static const struct Line {
    Stage stage;
    bool both; /* decoding has it too */
    const char *what;
} forward_lines[] =
    {
        {STAGE_T1, false, "T1 = (scale QC VU^T) o tril"},
        {STAGE_G, false, "G = sigmoid(scale QU KU^T) o allowed"},
        {STAGE_SU, true, "lookahead scores (6), (11)"},
        {STAGE_SC, true, "causal scores (5)"},
        {STAGE_P, true, "weights (7)"},
        {STAGE_O, true, "answers (8), (12)"},
        {STAGE_LSE, true, "log of the weights' denominator"},
        {STAGE_U, true, "lookahead keys after the last token (3), (13)"},
},
  backward_lines[] = {
      {STAGE_DP, false, "dP = dO VC^T"},
      {STAGE_DS, false, "dS = P o (dP - delta)"},
      {STAGE_DSU, false, "dSU = -dS o SiLU'(SU)"},
      {STAGE_DT1, false, "dT1 = (dSU G) o tril"},
      {STAGE_DG, false, "dG = (dSU^T T1) o allowed"},
      {STAGE_DZ, false, "dZ = dG o G o (1 - G)"},
};

static void print_lines(FILE *out, const struct Line *lines, size_t count, const Record *left,
                        const Record *right)
{
    for (size_t k = 0; k < count; k++)
        print_pair(out, stage_name(lines[k].stage), lines[k].what,
                   lines[k].both ? &left->of[lines[k].stage] : NULL, &right->of[lines[k].stage]);
}

static void print_forward(FILE *out, const Problem *p, System *in)
{
    Record recurrent = {0}, whole = {0};
    Head head = problem_head(p, in);
    Answers a = answers_for(&head), b = answers_for(&head);
    in->observe = remember;
    in->observer = &recurrent;
    decode(&head, &a);
    in->observer = &whole;
    parallel(&head, &b);
    in->observe = NULL;
    fprintf(out, "%-46s |  %s\n\n", "decoding, token by token", "Theorem 1, all at once");
    print_lines(out, forward_lines, sizeof forward_lines / sizeof *forward_lines, &recurrent,
                &whole);
}

static void print_backward(FILE *out, const Problem *p, System *in)
{
    Record dense = {0};
    Head head = problem_head(p, in);
    Matrix dO = matrix_from(in, p->length, p->dim, p->cotangent);
    Gradients g = gradients_for(&head), b = gradients_for(&head);
    in->observe = remember;
    in->observer = &dense;
    backward(&head, dO, &g);
    in->observe = NULL;
    Answers forward = answers_for(&head);
    Matrix D = matrix(in, p->length, p->dim);
    blockwise(&head, (p->length + 1) / 2, &forward, D);
    backward_blockwise(&head, (p->length + 1) / 2, &forward, D, dO, BY_RECOMPUTATION, &b);

    fprintf(out, "%-46s |  %s\n\n", "blockwise gradients, Algorithm 3", "dense gradients");
    print_lines(out, backward_lines, sizeof backward_lines / sizeof *backward_lines, NULL, &dense);
    const Matrix left[] = {b.dQU, b.dKU, b.dVU, b.dQC, b.dKC, b.dVC};
    for (Input k = 0; k < INPUTS; k++) {
        Record blocks = {0};
        Stage name = answer_stage(ANSWER_DQU + k);
        remember(&blocks, name, left[k]);
        print_pair(out, stage_name(name), "", &blocks.of[name], &dense.of[name]);
    }
}

void print_stages(FILE *out, const Problem *p)
{
    if (p->length > STAGES_MOST || p->dim > STAGES_MOST)
        stop_on_bug(__func__, "%zu x %zu does not fit the page", p->length, p->dim);
    System *in = f64_system();
    print_forward(out, p, in);
    if (p->cotangent)
        print_backward(out, p, in);
    system_free(in);
}
