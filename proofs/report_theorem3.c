/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Theorem 3: prefilling in chunks and decoding token by token give the parallel form's answers; a token
 * costs O(t d); the cache is 4 t d numbers, no more (KU and VU of old tokens are not missed) and no
 * fewer (a change of any one of them shows). With a window, what is at rest and what may be dropped.
 */
#include "complexity.h"
#include "prefill.h"
#include "sections.h"
#include "trials.h"

#include <string.h>

/* ---- chunks and tokens ---------------------------------------------------------------------- */

static void try_cut(Tally *t, const Head *h, const Answers *expected, size_t first, size_t second,
                    size_t B)
{
    size_t L = h->QC.rows;
    Answers a = answers_for(h);
    Cache cache = cache_empty(h->QC.in, L, h->QC.cols);
    prefill(&cache, h, 0, first, B, rows(a.O, 0, first), rows(a.lse, 0, first));
    prefill(&cache, h, first, second, B, rows(a.O, first, second), rows(a.lse, first, second));
    for (size_t i = first + second; i < L; i++)
        decode_step(&cache, h, i, row(a.O, i), row(a.lse, i));
    compare_bits(t, a.O, expected->O);
    compare_bits(t, a.lse, expected->lse);
    compare_bits(t, cache.U, expected->U);
    t->shapes++;
}

static void try_cuts(Tally *t, size_t L, size_t d, size_t window, uint64_t seed)
{
    uint64_t state = seed;
    System *in = field_system(field_random(&state));
    Head h = field_head(in, L, d, window, &state);
    Answers a = answers_for(&h);
    parallel(&h, &a);
    for (size_t first = 0; first <= L; first++)
        for (size_t second = 0; first + second <= L; second++)
            for (size_t B = 1; B <= L; B++) {
                Scope scope = scope_open(in);
                try_cut(t, &h, &a, first, second, B);
                scope_close(in, scope);
            }
    system_free(in);
}

static void chunks(Page *p)
{
    Tally t = {0};
    for (size_t L = 1; L <= 7; L++)
        for (size_t W = 0; W <= L + 1; W++)
            try_cuts(&t, L, 2, W <= L ? W : NO_WINDOW, 100 * L + W);
    page_table(
        p,
        "Two chunks of any length (0 too) by Algorithm 4, the rest by Algorithm 5, against the "
        "parallel form; O, lse and U modulo 2^61 - 1 (all L <= 7, W, cuts and B; d = 2)",
        "runs|entries|different|chance that different formulas pass");
    page_row(p, "%zu|%zu|%zu|%.1e", t.shapes, t.compared, t.different, tally_chance(&t, 4));
    page_check(p, t.compared && !t.different,
               "however a sequence is cut, its answers are the parallel "
               "form's");
}

/* ---- the cost of a token -------------------------------------------------------------------- */

static Counts counted_token(size_t d, size_t window, size_t t)
{
    System *in = counting_system();
    Head h = {.scale = matrix(in, 1, 1), .window = window};
    Matrix *inputs[] = {&h.QU, &h.KU, &h.VU, &h.QC, &h.KC, &h.VC};
    for (size_t k = 0; k < INPUTS; k++)
        *inputs[k] = matrix(in, t + 1, d);
    Cache cache = cache_empty(in, t + 1, d);
    cache.length = t;
    Matrix o = matrix(in, 1, d), lse = matrix(in, 1, 1);
    Counts before = counting_read(in);
    decode_step(&cache, &h, t, o, lse);
    Counts c = counting_read(in);
    c.multiply_adds -= before.multiply_adds;
    c.calls[SIGMOID] -= before.calls[SIGMOID];
    system_free(in);
    return c;
}

static void token_costs(Page *p)
{
    enum { D = 16, LAST = 256, W = 64 };
    bool linear = true, formula = true;
    uint64_t one_before = 0, two_before = 0;
    for (size_t t = 0; t <= LAST; t++) {
        uint64_t now = counted_token(D, NO_WINDOW, t).multiply_adds;
        linear = linear && (t < 2 || now - one_before == one_before - two_before);
        formula = formula && now == token_formula((Shape){LAST, D, NO_WINDOW, 0}, t).multiply_adds;
        two_before = one_before;
        one_before = now;
    }
    page_table(p, "One token after t others, d = 16: multiply-adds, gates, numbers in the cache",
               "t|multiply-adds|W = 64|gates|W = 64|cache 4 t d");
    for (size_t t = 1; t <= LAST; t *= 4) {
        Counts a = counted_token(D, NO_WINDOW, t), b = counted_token(D, W, t);
        System *in = counting_system();
        Cache cache = cache_empty(in, t, D);
        (void)cache;
        uint64_t alive = counting_read(in).alive;
        formula = formula && alive == 4 * t * D;
        system_free(in);
        page_row(p, "%zu|%llu|%llu|%llu|%llu|%llu", t, (unsigned long long)a.multiply_adds,
                 (unsigned long long)b.multiply_adds, (unsigned long long)a.calls[SIGMOID],
                 (unsigned long long)b.calls[SIGMOID], (unsigned long long)alive);
    }
    page_check(p, linear,
               "without a window the count is linear in t exactly: its second differences are "
               "0 for t = 0 .. %d",
               LAST);
    page_check(p, formula, "the counts are complexity.md's, and the cache holds 4 t d numbers");
}

/* ---- what the cache needs -------------------------------------------------------------------- */

/* A run of Algorithm 5 that may be disturbed once, after `after` tokens. */
typedef enum Disturbed {
    NOTHING,
    ROW_OF_U,
    ROW_OF_QU,
    ROW_OF_KC,
    ROW_OF_VC,
    OLD_KU_VU /* of all tokens that are past, in the inputs */
} Disturbed;

typedef struct Disturbance {
    Disturbed what;
    size_t after, s, column;
} Disturbance;

static void add_one(Matrix A, size_t i, size_t j)
{
    const double one = 1;
    Matrix x = matrix_from(A.in, 1, 1, &one);
    assign(columns(row(A, i), j, 1), add(columns(row(A, i), j, 1), x));
}

static void disturb(Cache *cache, Head *h, const Disturbance *x)
{
    Matrix of[] = {[ROW_OF_U] = cache->U,
                   [ROW_OF_QU] = cache->QU,
                   [ROW_OF_KC] = cache->KC,
                   [ROW_OF_VC] = cache->VC};
    if (x->what == OLD_KU_VU)
        for (size_t i = 0; i < x->after; i++) {
            add_one(h->KU, i, x->column);
            add_one(h->VU, i, x->column);
        }
    else if (x->what != NOTHING)
        add_one(of[x->what], x->s, x->column);
}

enum { TOKENS = 12, WIDTH = 2 };

/* O of all tokens. The inputs are made anew: a disturbance may write into them. */
static Matrix disturbed_run(System *in, size_t window, uint64_t seed, const Disturbance *x)
{
    uint64_t state = seed;
    Head h = field_head(in, TOKENS, WIDTH, window, &state);
    Matrix O = matrix(in, TOKENS, WIDTH), lse = matrix(in, TOKENS, 1);
    Cache cache = cache_empty(in, TOKENS, WIDTH);
    for (size_t t = 0; t < TOKENS; t++) {
        if (x->what != NOTHING && t == x->after)
            disturb(&cache, &h, x);
        decode_step(&cache, &h, t, row(O, t), row(lse, t));
    }
    return O;
}

static bool shows(System *in, size_t window, const Disturbance *x)
{
    Scope scope = scope_open(in);
    Tally t = {0};
    compare_bits(&t, disturbed_run(in, window, 7, x),
                 disturbed_run(in, window, 7, &(Disturbance){.what = NOTHING}));
    scope_close(in, scope);
    return t.different > 0;
}

static void every_number_is_needed(Page *p, System *in)
{
    static const char *const names[] = {"", "U", "QU", "KC", "VC"};
    page_table(
        p,
        "One number of the cache changed after t tokens, no window (L = 12, d = 2, t = 1 .. 11, "
        "every number): how many changes show in a later answer",
        "matrix|changed|shown");
    bool all = true;
    for (Disturbed what = ROW_OF_U; what <= ROW_OF_VC; what++) {
        size_t changed = 0, shown = 0;
        for (size_t t = 1; t < TOKENS; t++)
            for (size_t s = 0; s < t; s++)
                for (size_t k = 0; k < WIDTH; k++, changed++)
                    shown += shows(in, NO_WINDOW, &(Disturbance){what, t, s, k});
        page_row(p, "%s|%zu|%zu", names[what], changed, shown);
        all = all && changed == shown;
    }
    size_t missed = 0;
    for (size_t t = 1; t < TOKENS; t++)
        for (size_t k = 0; k < WIDTH; k++)
            missed += shows(in, NO_WINDOW, &(Disturbance){OLD_KU_VU, t, 0, k});
    page_check(p, all, "each of the 4 t d numbers is needed");
    page_check(p, !missed,
               "KU and VU of past tokens are not: changing all of them shows in no answer");
}

/* The first number of tokens after which a change of row s shows no more; TOKENS: it always does. */
static size_t shows_until(System *in, size_t window, Disturbed what, size_t s)
{
    size_t t = TOKENS;
    while (t > s + 1 && !shows(in, window, &(Disturbance){what, t - 1, s, 0}))
        t--;
    return t;
}

static void window_drops(Page *p, System *in)
{
    enum { W = 3 };
    bool dropped = true, read = true;
    page_table(
        p,
        "W = 3: row s of the cache changed after so many tokens (the rows 0 .. s stand at s + 1); "
        "from when on no later answer shows it",
        "s|QU_s may go after|s + W + 1 tokens|U_s, KC_s, VC_s may go");
    for (size_t s = 0; s + W + 1 < TOKENS; s++) {
        size_t until = shows_until(in, W, ROW_OF_QU, s);
        bool others = true;
        for (Disturbed what = ROW_OF_U; what <= ROW_OF_VC; what++)
            others = others && (what == ROW_OF_QU || shows_until(in, W, what, s) == TOKENS);
        page_row(p, "%zu|%zu|%d|%s", s, until, (int)s + W + 1, others ? "never" : "earlier");
        dropped = dropped && until == s + W + 1;
        read = read && others;
    }
    page_check(p, dropped, "QU_s is needed up to step s + W and not after it");
    page_check(p, read,
               "rows of U, KC and VC go on being read by every later token: a window puts U_s to "
               "rest, it does not free it");
}

/* Row s of U is written at steps s + 1 .. s + W only. */
static void window_rests(Page *p, System *in)
{
    enum { W = 3 };
    size_t moved_early = 0, moved_late = 0, steps = 0;
    uint64_t state = 7;
    Head h = field_head(in, TOKENS, WIDTH, W, &state);
    Matrix O = matrix(in, TOKENS, WIDTH), lse = matrix(in, TOKENS, 1);
    Cache cache = cache_empty(in, TOKENS, WIDTH);
    for (size_t t = 0; t < TOKENS; t++) {
        Matrix before = matrix(in, TOKENS, WIDTH);
        assign(before, cache.U);
        decode_step(&cache, &h, t, row(O, t), row(lse, t));
        for (size_t s = 0; s < t; s++) {
            Tally moved = {0};
            compare_bits(&moved, row(cache.U, s), row(before, s));
            steps += t <= s + W;
            *(t <= s + W ? &moved_early : &moved_late) += moved.different > 0;
        }
    }
    page_check(p, moved_early == steps && !moved_late,
               "row s of U moved at each of the %zu steps s < t <= s + W and at none after s + W",
               steps);
}

void report_theorem3(Page *p)
{
    page_section(p, "theorem-3", "Theorem 3: prefilling, chunks and decoding");
    chunks(p);
    token_costs(p);
    System *in = field_system(20250929);
    every_number_is_needed(p, in);
    window_drops(p, in);
    window_rests(p, in);
    system_free(in);
}
