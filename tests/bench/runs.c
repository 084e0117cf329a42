/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "runs.h"

#include "bench.h"
#include "blockwise.h"
#include "parallel.h"
#include "sequential.h"

#include <stdlib.h>

System *mpfr_113(void) { return mpfr_system(113); }

/* All tokens but the last are in the cache. Their U is the blockwise form's D, computed in binary64: the
 * real thing but for the last block, and the time of a step does not depend on its value. */
static void fill_cache(Run *r, const Problem *p)
{
    size_t t = p->length - 1;
    Run fast = run_ready(BLOCKWISE, f64_system(), p, r->block);
    run_once(&fast);
    Matrix U = matrix_from(r->in, p->length, p->dim, fast.D.entries);
    run_end(&fast);
    r->cache = cache_empty(r->in, p->length, p->dim);
    r->kept = rows(U, 0, t);
    assign(rows(r->cache.QU, 0, t), rows(r->head.QU, 0, t));
    assign(rows(r->cache.KC, 0, t), rows(r->head.KC, 0, t));
    assign(rows(r->cache.VC, 0, t), rows(r->head.VC, 0, t));
}

Run run_ready(FormName form, System *in, const Problem *p, size_t block)
{
    Run r = {.form = form, .block = block, .in = in, .head = problem_head(p, in)};
    if (form == NAIVE || form == PARALLEL) {
        r.answers = answers_for(&r.head);
    } else { /* the others store no SU: with it they would not be O(L d) in memory */
        r.answers.O = matrix(in, p->length, p->dim);
        r.answers.lse = matrix(in, p->length, 1);
    }
    if (form == DECODE)
        r.answers.U = matrix(in, p->length, p->dim);
    if (form == BLOCKWISE)
        r.D = matrix(in, p->length, p->dim);
    if (form == TOKEN)
        fill_cache(&r, p);
    return r;
}

static void attention(const Head *h, const Answers *answers)
{
    Scope scope = scope_open(h->QC.in);
    Matrix S = scaled(h->scale, product_nt(h->QC, h->KC, CAUSAL));
    Matrix P = row_softmax(S, NULL);
    assign(answers->O, product(P, h->VC, EVERYWHERE));
    scope_close(h->QC.in, scope);
}

static void last_token(Run *r)
{
    size_t t = r->head.QC.rows - 1;
    assign(rows(r->cache.U, 0, t), r->kept);
    r->cache.length = t;
    decode_step(&r->cache, &r->head, t, row(r->answers.O, t), row(r->answers.lse, t));
}

void run_once(void *run)
{
    Run *r = run;
    switch (r->form) {
    case NAIVE:
        sequential(&r->head, &r->answers);
        return;
    case PARALLEL:
        parallel(&r->head, &r->answers);
        return;
    case BLOCKWISE:
        blockwise(&r->head, r->block, &r->answers, r->D);
        return;
    case DECODE:
        decode(&r->head, &r->answers);
        return;
    case TOKEN:
        last_token(r);
        return;
    case ATTENTION:
        attention(&r->head, &r->answers);
        return;
    }
}

void run_end(Run *r)
{
    system_free(r->in);
    *r = (Run){0};
}

Counts run_counts(FormName form, const Problem *p, size_t block)
{
    Run r = run_ready(form, counting_system(), p, block);
    run_once(&r); /* making it ready costs no operations */
    Counts c = counting_read(r.in);
    run_end(&r);
    return c;
}

double exponentials_in(const Counts *c)
{
    return (double)(c->calls[SIGMOID] + c->calls[SILU] + c->calls[EXP]);
}

double *run_o(const Run *r)
{
    Matrix O = r->answers.O;
    double *v = malloc(O.rows * O.cols * sizeof *v);
    if (!v)
        give_up("out of memory for", "o");
    mpfr_t x;
    mpfr_init2(x, 53);
    for (size_t i = 0; i < O.rows; i++)
        for (size_t j = 0; j < O.cols; j++) {
            r->in->op->get(r->in, x, entry(O, i, j));
            v[i * O.cols + j] = mpfr_get_d(x, MPFR_RNDN);
        }
    mpfr_clear(x);
    return v;
}
