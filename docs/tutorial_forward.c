/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutorial_forward.c - the definition, equations (3) to (8), and Theorem 1. */
#include "tutorial.h"

#include "sequential.h"
#include "system.h"

#include <math.h>

void print_inputs(FILE *out, System *in)
{
    Head h = example_head(in, NO_WINDOW);
    const struct {
        const char *name;
        Matrix left, right;
    } side[] = {{"Q", h.QU, h.QC}, {"K", h.KU, h.KC}, {"V", h.VU, h.VC}};
    fprintf(out, "          lookahead side U        causal side C\n");
    for (size_t k = 0; k < 3; k++)
        for (size_t t = 0; t < EXAMPLE_TOKENS; t++)
            fprintf(out, "%sU_%zu = (%5.1f, %5.1f)    %sC_%zu = (%5.1f, %5.1f)\n", side[k].name,
                    t + 1, value(side[k].left, t, 0), value(side[k].left, t, 1), side[k].name,
                    t + 1, value(side[k].right, t, 0), value(side[k].right, t, 1));
    fprintf(out, "scale = 1/sqrt(2) =");
    print_value(out, value(h.scale, 0, 0));
    fputc('\n', out);
}

/* The gate of (3), for every pair that is allowed. */
void print_gates(FILE *out, System *in)
{
    Head h = example_head(in, NO_WINDOW);
    Matrix dots = product_nt(h.QU, h.KU, lookahead(h.window));
    Matrix z = scaled(h.scale, dots), gates = map(SIGMOID, z);
    for (size_t s = 0; s < h.QU.rows; s++)
        for (size_t j = s + 1; j < h.KU.rows; j++) {
            fprintf(out, "token %zu looks at token %zu:  QU_%zu . KU_%zu =", s + 1, j + 1, s + 1,
                    j + 1);
            print_value(out, value(dots, s, j));
            fprintf(out, "   times scale =");
            print_value(out, value(z, s, j));
            fprintf(out, "   sigmoid =");
            print_value(out, value(gates, s, j));
            fputc('\n', out);
        }
}

/* The definition, of the first `tokens` tokens. */
static Answers defined(const Head *h, size_t tokens)
{
    Head first = *h;
    Matrix *part[] = {&first.QU, &first.KU, &first.VU, &first.QC, &first.KC, &first.VC};
    for (size_t k = 0; k < sizeof part / sizeof *part; k++)
        *part[k] = rows(*part[k], 0, tokens);
    Answers a = answers_for(&first);
    sequential(&first, &a);
    return a;
}

static void print_keys_of(FILE *out, const Head *h)
{
    for (size_t t = 1; t <= EXAMPLE_TOKENS; t++) {
        char name[20];
        (void)snprintf(name, sizeof name, "U^%zu", t);
        print_matrix(out, name, defined(h, t).U);
    }
}

void print_keys(FILE *out, System *in)
{
    Head h = example_head(in, NO_WINDOW);
    print_keys_of(out, &h);
}

void print_window(FILE *out, System *in)
{
    Head h = example_head(in, 1);
    print_keys_of(out, &h);
}

/* (5) to (7), column by column; p must be what Theorem 1's text finds. */
void print_weights(FILE *out, System *in)
{
    Head h = example_head(in, NO_WINDOW);
    Matrix SC = scaled(h.scale, product_nt(h.QC, h.KC, CAUSAL));
    Matrix SU = defined(&h, EXAMPLE_TOKENS).SU;
    SU.band = CAUSAL; /* of what the definition left at 0 there only (t, t) takes part */
    Matrix penalty = map(SILU, SU);
    Matrix S = subtract(SC, penalty), e = map(EXP, S), p = row_divide(e, row_sum(e));
    must_be_printed_alike("weights", p, parallel_stages(&h).P);
    const Matrix column[] = {SC, SU, penalty, S, e, p};
    fprintf(out, "t  s       sC       sU SiLU(sU)    score      exp        p\n");
    for (size_t t = 0; t < p.rows; t++)
        for (size_t s = 0; s <= t; s++) {
            fprintf(out, "%zu  %zu", t + 1, s + 1);
            for (size_t k = 0; k < sizeof column / sizeof *column; k++)
                print_value(out, value(column[k], t, s));
            fputc('\n', out);
        }
}

void print_outputs(FILE *out, System *in)
{
    Head h = example_head(in, NO_WINDOW);
    Answers a = defined(&h, EXAMPLE_TOKENS);
    print_matrix(out, "O", a.O);
    print_matrix(out, "lse", a.lse);
}

/* O with every row of token 3 replaced: rows 1 and 2 stay. */
void print_future(FILE *out, System *in)
{
    Head h = example_head(in, NO_WINDOW), other = example_head(in, NO_WINDOW);
    Matrix *part[] = {&other.QU, &other.KU, &other.VU, &other.QC, &other.KC, &other.VC};
    for (size_t k = 0; k < sizeof part / sizeof *part; k++)
        assign(row(*part[k], EXAMPLE_TOKENS - 1), negated(row(*part[k], EXAMPLE_TOKENS - 1)));
    Answers a = defined(&h, EXAMPLE_TOKENS), b = defined(&other, EXAMPLE_TOKENS);
    must_be_printed_alike("rows before the change", rows(a.O, 0, EXAMPLE_TOKENS - 1),
                          rows(b.O, 0, EXAMPLE_TOKENS - 1));
    print_matrix(out, "O", a.O);
    print_matrix(out, "O changed", b.O);
    print_matrix(out, "U changed", b.U);
}

void print_theorem1(FILE *out, System *in)
{
    Head h = example_head(in, NO_WINDOW);
    Answers a = defined(&h, EXAMPLE_TOKENS), b = answers_for(&h);
    Stages f = parallel_stages(&h);
    answer_from_stages(&h, &f, &b);
    must_be_printed_alike("O", a.O, b.O);
    must_be_printed_alike("U", a.U, b.U);
    must_be_printed_alike("SU", a.SU, b.SU);
    print_matrix(out, "T1", f.T1);
    print_matrix(out, "G", f.G);
    print_matrix(out, "SU", f.SU);
    print_matrix(out, "S", f.S);
    print_matrix(out, "P", f.P);
    print_matrix(out, "O", f.O);
}
