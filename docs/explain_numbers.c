/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "explain_numbers.h"

#include "ball.h"
#include "bug.h"
#include "decode.h"
#include "oracle.h"
#include "parallel.h"
#include "solve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t explain_block(size_t length)
{
    size_t size = 2;
    while ((length + size - 1) / size > 5)
        size *= 2;
    return size;
}

/* ---- balls to numbers ------------------------------------------------------------------------- */

/* One pass in balls: how many did not round yet. */
typedef struct Pass {
    System *in;
    size_t left;
} Pass;

/* Both ends of the ball, rounded to nearest; where they differ the pass must be run again. */
static double rounded(Pass *pass, Matrix A, size_t i, size_t j)
{
    arb_srcptr ball = ball_at(A, i, j);
    arf_t end;
    arf_init(end);
    arb_get_lbound_arf(end, ball, ORACLE_MOST_BITS);
    double low = arf_get_d(end, ARF_RND_NEAR);
    arb_get_ubound_arf(end, ball, ORACLE_MOST_BITS);
    double high = arf_get_d(end, ARF_RND_NEAR);
    arf_clear(end);
    pass->left += low != high;
    return low == high && low != 0 ? low : (low + high) / 2; /* 0, never -0 */
}

static void round_row(Pass *pass, double *to, Matrix A, size_t i)
{
    for (size_t j = 0; j < A.cols; j++)
        to[j] = rounded(pass, A, i, j);
}

/* What a text makes of a head in balls. */
typedef void InBalls(Pass *, const Problem *, void *numbers);

/* A number that 2048 bits cannot tell from a midpoint keeps its neighbours' mean: as the oracle's ties. */
static void certify(InBalls *text, const Problem *p, void *numbers)
{
    Pass pass = {NULL, 1};
    for (long bits = ORACLE_BITS; pass.left && bits <= ORACLE_MOST_BITS; bits *= 2) {
        pass = (Pass){ball_system(bits), 0};
        text(&pass, p, numbers);
        system_free(pass.in);
    }
}

static double *room(size_t count) { return room_for("explain_numbers", count, sizeof(double)); }

/* The oracle's answer as a copy of its own. */
static double *taken(const Oracle *o, Answer a)
{
    const Truth *t = &o->truth[a];
    double *copy = room(t->rows * t->cols);
    memcpy(copy, t->value, t->rows * t->cols * sizeof *copy);
    return copy;
}

/* ---- of a text -------------------------------------------------------------------------------- */

static void text_in_balls(Pass *pass, const Problem *p, void *numbers)
{
    TextNumbers *n = numbers;
    size_t L = p->length, d = p->dim;
    Head h = problem_head(p, pass->in);
    Matrix Z = scaled(h.scale, product_nt(h.QU, h.KU, lookahead(h.window)));
    Matrix G = map(SIGMOID, Z);
    for (size_t s = 0; s < L; s++)
        for (size_t j = s + 1; j < L; j++)
            n->Z[s * L + j] = rounded(pass, Z, s, j);
    for (size_t t = 0; t < L; t++) { /* (3): U^t has seen tokens 0..t */
        Scope scope = scope_open(pass->in);
        Matrix U = product(columns(G, 0, t + 1), rows(h.VU, 0, t + 1), EVERYWHERE);
        for (size_t s = 0; s <= t; s++)
            round_row(pass, n->U + (t * L + s) * d, U, s);
        scope_close(pass->in, scope);
    }
}

TextNumbers numbers_of_text(const Problem *given)
{
    Problem p = *given;
    p.window = NO_WINDOW;
    p.variant = CASTLE;
    p.stages = true;
    p.cotangent = NULL;
    Oracle *o = oracle(&p, false, false);
    size_t square = p.length * p.length;
    TextNumbers n = {.length = p.length,
                     .dim = p.dim,
                     .Z = room(square),
                     .G = taken(o, ANSWER_G),
                     .SC = taken(o, ANSWER_SC),
                     .T1 = taken(o, ANSWER_T1),
                     .U = room(square * p.dim)};
    oracle_free(o);
    certify(text_in_balls, &p, &n);
    return n;
}

void text_numbers_free(TextNumbers *n)
{
    double *const all[] = {n->Z, n->G, n->SC, n->T1, n->U};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        free(all[k]);
}

/* ---- of a setting ----------------------------------------------------------------------------- */

/* The keys that row t has met after v + 1 blocks: from this one to t. */
static size_t first_key(size_t t, size_t v, size_t block) { return (t / block - v) * block; }

/* Algorithm 2 for row t: m is the largest score so far, l and O are sums of exp(score - m). */
static void online_softmax_in_balls(Pass *pass, SettingNumbers *n, const Head *h, Matrix S,
                                    size_t t)
{
    size_t L = n->length, largest = t;
    for (size_t v = 0; v <= t / n->block; v++) {
        Scope scope = scope_open(pass->in);
        size_t first = first_key(t, v, n->block), count = t + 1 - first;
        for (size_t s = first; s <= t; s++)
            if (n->S[t * L + s] > n->S[t * L + largest])
                largest = s;
        Matrix scores = columns(row(S, t), first, count);
        Matrix e = map(EXP, row_shift(scores, columns(row(S, t), largest, 1)));
        n->M[t * n->blocks + v] = n->S[t * L + largest];
        n->SUM[t * n->blocks + v] = rounded(pass, row_sum(e), 0, 0);
        round_row(pass, n->PART + (t * n->blocks + v) * n->dim,
                  product(e, rows(h->VC, first, count), EVERYWHERE), 0);
        scope_close(pass->in, scope);
    }
}

static void setting_in_balls(Pass *pass, const Problem *p, void *numbers)
{
    SettingNumbers *n = numbers;
    size_t L = p->length;
    Head h = problem_head(p, pass->in);
    Stages f = parallel_stages(&h);
    Matrix penalty = variant_penalty(&h, f.SU);
    for (size_t t = 0; t < L; t++) {
        for (size_t s = 0; s <= t; s++) {
            n->S[t * L + s] = rounded(pass, f.S, t, s);
            if (s < t)
                n->SILU[t * L + s] = rounded(pass, penalty, t, s);
        }
        online_softmax_in_balls(pass, n, &h, f.S, t);
    }
}

/* Both forms in 53 bits, each operation rounded once: what two right kernels may differ by. */
static double difference_of_forms(const Problem *p)
{
    System *in = mpfr_system(53);
    Head h = problem_head(p, in);
    Answers recurrent = answers_for(&h), whole = answers_for(&h);
    decode(&h, &recurrent);
    parallel(&h, &whole);
    Matrix D = subtract(recurrent.O, whole.O);
    double most = 0;
    for (size_t t = 0; t < D.rows; t++)
        for (size_t k = 0; k < D.cols; k++)
            most = fmax(most, fabs(mpfr_get_d(entry(D, t, k), MPFR_RNDN)));
    system_free(in);
    return most;
}

SettingNumbers numbers_of_setting(const Problem *given, size_t block, bool naive)
{
    Problem p = *given;
    p.stages = true;
    p.cotangent = NULL;
    Oracle *o = oracle(&p, false, naive);
    if (o->naive_outside)
        stop_on_bug(__func__, "%zu numbers of the definition are outside their balls",
                    o->naive_outside);
    size_t L = p.length, d = p.dim, blocks = (L + block - 1) / block;
    SettingNumbers n = {.length = L,
                        .dim = d,
                        .block = block,
                        .blocks = blocks,
                        .SU = taken(o, ANSWER_SU),
                        .SILU = room(L * L),
                        .S = room(L * L),
                        .P = taken(o, ANSWER_P),
                        .O = taken(o, ANSWER_O),
                        .LSE = taken(o, ANSWER_LSE),
                        .M = room(L * blocks),
                        .SUM = room(L * blocks),
                        .PART = room(L * blocks * d),
                        .naive_ran = o->naive_ran,
                        .bits = o->bits};
    oracle_free(o);
    certify(setting_in_balls, &p, &n);
    n.difference = difference_of_forms(&p);
    return n;
}

void setting_numbers_free(SettingNumbers *n)
{
    double *const all[] = {n->SU, n->SILU, n->S, n->P, n->O, n->LSE, n->M, n->SUM, n->PART};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        free(all[k]);
}
