/* SPDX-License-Identifier: GPL-3.0-or-later */
/* In the names of complexity.md. */
#include "complexity.h"

#include "blockwise.h"
#include "decode.h"
#include "sequential.h"

#include <stdlib.h>
#include <string.h>

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t greatest(uint64_t a, uint64_t b) { return a > b ? a : b; }

static uint64_t C(uint64_t n) { return n * (n + 1) / 2; }

/* Pairs s < j <= s + W among n tokens. */
uint64_t pairs_ahead(uint64_t n, uint64_t W)
{
    uint64_t w = n ? least(W, n - 1) : 0;
    return w * n - w * (w + 1) / 2;
}

/* Triples s < j <= min(t, s + W) among L tokens. */
uint64_t triples_ahead(uint64_t L, uint64_t W)
{
    uint64_t w = least(W, L - 1);
    return L * w * (w + 1) / 2 - w * (w + 1) * (2 * w + 1) / 6 + w * (L - w) * (L - w - 1) / 2;
}

Counts sequential_formula(Shape s)
{
    uint64_t L = s.L, d = s.d, T = triples_ahead(L, s.W);
    return (Counts){
        .multiply_adds = 2 * d * T + 3 * d * C(L),
        .multiplications = T + 2 * C(L),
        .additions = 2 * C(L) - L,
        .divisions = C(L),
        .calls = {[SIGMOID] = T, [SILU] = C(L), [EXP] = C(L), [LOG] = L},
        .peak = (L + 1) * d + 8 * L + 2,
    };
}

static Counts stages_formula(Shape s)
{
    uint64_t L = s.L, d = s.d, A = pairs_ahead(L, s.W), T = triples_ahead(L, s.W);
    return (Counts){
        .multiply_adds = d * (3 * C(L) + A) + T,
        .multiplications = 2 * C(L) + A,
        .additions = 3 * C(L),
        .divisions = C(L),
        .comparisons = C(L) - L,
        .calls = {[SIGMOID] = A, [SILU] = s.W ? C(L) - L : 0, [EXP] = C(L), [LOG] = L},
        .peak = 8 * L * L + L * d + 4 * L + 2,
    };
}

Counts parallel_formula(Shape s)
{
    Counts c = stages_formula(s);
    c.multiply_adds += s.d * pairs_ahead(s.L, s.W);
    c.peak += s.L * s.d;
    return c;
}

/* The token after t others, and of memory what the step itself takes. */
Counts token_formula(Shape s, uint64_t t)
{
    uint64_t d = s.d, n = t + 1, c = least(s.W, t);
    return (Counts){
        .multiply_adds = d * (2 * c + 3 * n),
        .multiplications = c + 2 * n,
        .additions = c * d + 3 * n,
        .divisions = n,
        .comparisons = n - 1,
        .calls = {[SIGMOID] = c, [SILU] = n, [EXP] = n, [LOG] = 1},
        .peak = 2 * c * d + 3 * c + 7 * n + d + 6,
    };
}

Counts decode_formula(Shape s)
{
    uint64_t L = s.L, d = s.d, A = pairs_ahead(L, s.W);
    return (Counts){
        .multiply_adds = d * (2 * A + 3 * C(L)),
        .multiplications = A + 2 * C(L),
        .additions = d * A + 3 * C(L),
        .divisions = C(L),
        .comparisons = C(L) - L,
        .calls = {[SIGMOID] = A, [SILU] = C(L), [EXP] = C(L), [LOG] = L},
        .peak = 4 * L * d + token_formula(s, L - 1).peak,
    };
}

Counts backward_formula(Shape s)
{
    uint64_t L = s.L, d = s.d, A = pairs_ahead(L, s.W), some = s.W > 0, P = some * (C(L) - L);
    return (Counts){
        .multiply_adds = d * ((7 + 2 * some) * C(L) + 3 * A + L) + 3 * triples_ahead(L, s.W),
        .multiplications = 3 * C(L) + 2 * A + P + (2 + 3 * some) * L * d,
        .additions = 5 * C(L) + P + L * d,
        .divisions = C(L),
        .comparisons = C(L) - L,
        .calls = {[SIGMOID] = A,
                  [SILU] = P,
                  [EXP] = 2 * C(L),
                  [LOG] = L,
                  [SILU_SLOPE] = P,
                  [GATE_SLOPE] = A},
        .peak = 21 * L * L + 14 * L * d + 5 * L + 2,
    };
}

/* tau of one block: sum over y < b of (b - y) min(W, start + y). */
static uint64_t block_triples(uint64_t start, uint64_t b, uint64_t W)
{
    uint64_t z = W > start ? least(W - start, b) : 0, rest = z < b ? C(b - z) * W : 0;
    uint64_t squares = z ? (z - 1) * z * (2 * z - 1) / 6 : 0;
    return start * (C(b) - C(b - z)) + b * (z ? z * (z - 1) / 2 : 0) - squares + rest;
}

/* N blocks, all of B tokens but the last, of r. */
typedef struct Cut {
    uint64_t N, r, A, A1, A2, F, J, tau;
    uint64_t some;     /* [W >= 1] */
    uint64_t reach;    /* from how many blocks back a key may look into a block */
    uint64_t last;     /* allowed blocks (j, N - 1), j < N - 1 */
    uint64_t last_own; /* [block (N - 1, N - 1) is allowed] */
} Cut;

static Cut cut(Shape s)
{
    uint64_t L = s.L, B = s.B, N = (L + B - 1) / B, r = L - (N - 1) * B;
    uint64_t some = s.W > 0, reach = some ? (least(s.W, L) - 1) / B + 1 : 0;
    Cut c = {
        .N = N,
        .r = r,
        .A = pairs_ahead(L, s.W),
        .A1 = pairs_ahead(L - r, s.W),
        .A2 = N >= 2 ? pairs_ahead(L - r - B, s.W) : 0,
        .F = C(L) - (N - 1) * C(B) - C(r),
        .J = B * (C(N - 1) - (N - 1)) + (N - 1) * r,
        .some = some,
        .reach = reach,
        .last = least(reach, N - 1),
        .last_own = some * (r >= 2),
    };
    for (uint64_t i = 0; i < N; i++)
        c.tau += block_triples(i * B, i + 1 < N ? B : r, s.W);
    return c;
}

/* Blocks (j, e), j <= e < n, that allow a pair: n on the diagonal, and those off it. */
static uint64_t allowed_apart(Cut c, uint64_t n)
{
    uint64_t m = n ? least(c.reach, n - 1) : 0;
    return m * n - C(m);
}

static uint64_t allowed_blocks(Shape s, Cut c, uint64_t n)
{
    return c.some * (s.B >= 2) * n + allowed_apart(c, n);
}

Counts blockwise_formula(Shape s)
{
    uint64_t L = s.L, d = s.d, B = s.B;
    Cut c = cut(s);
    uint64_t own = c.N > 1 ? B : c.r, block = 5 * own * own + 2 * own + 2 + own * d;
    if (c.N > 1) {
        uint64_t b = c.N > 2 ? B : c.r;
        block = greatest(block, 5 * b * B + 5 * b + 2 + 2 * b * d);
    }
    return (Counts){
        .multiply_adds = d * (3 * C(L) + c.A + c.A1) + c.tau,
        .multiplications = 2 * C(L) + c.A + (1 + d) * c.J,
        .additions = 3 * C(L) + c.F + (1 + d) * c.J + B * d * allowed_blocks(s, c, c.N - 1),
        .divisions = L * d,
        .comparisons = C(L) - L,
        .calls = {[SIGMOID] = c.A, [SILU] = c.some ? C(L) - L : c.F, [EXP] = C(L) + c.J, [LOG] = L},
        .peak = L * d + 2 * L + L * B + greatest(L * d + 2 * L, block),
    };
}

Counts backward_blockwise_formula(Shape s, TakeBack how)
{
    uint64_t L = s.L, d = s.d, B = s.B;
    Cut c = cut(s);
    uint64_t P = c.some ? C(L) - L : c.F, in_last = c.last + c.last_own;
    uint64_t M = allowed_blocks(s, c, c.N - 1);
    uint64_t K = C(B) * M + C(c.r) * in_last;
    uint64_t V = B * M + c.r * in_last;               /* their queries */
    uint64_t X = B * (M + c.last) + c.r * c.last_own; /* their keys */
    Counts n = {
        .multiply_adds = d * (L + 8 * C(L) + 3 * c.A + 2 * c.A1) + 3 * c.tau,
        .multiplications = 3 * C(L) + 2 * c.A + P + d * (2 * (c.N + 1) * L + V + X),
        .additions = 3 * C(L) + c.F + P + K + c.A1 + d * ((3 * c.N + 2) * L - c.J + V + X + B * M),
        .calls = {[SIGMOID] = c.A, [SILU] = P, [EXP] = C(L), [SILU_SLOPE] = P, [GATE_SLOPE] = c.A},
        .peak = L + 6 * L * d + 2 * L * B + 5 * B * d +
                (12 + c.some * (c.N >= (B >= 2 ? 2 : 3))) * B * B,
    };
    if (how == BY_SUBTRACTION) {
        n.multiply_adds += d * (c.A1 - (c.N - 1) * pairs_ahead(B, s.W));
        n.additions += B * d * allowed_apart(c, c.N - 1);
    } else {
        n.multiply_adds += 2 * d * c.A2;
        n.multiplications += c.A2;
        n.additions += B * d * (c.N >= 2 ? allowed_blocks(s, c, c.N - 2) : 0);
        n.calls[SIGMOID] += c.A2;
        n.peak += c.N * B * d;
    }
    return n;
}

/* ---- all of them -------------------------------------------------------------------------------- */

const char *const costed_names[COSTED] = {
    [COSTED_SEQUENTIAL] = "sequential",
    [COSTED_PARALLEL] = "parallel",
    [COSTED_DECODE] = "decode, all tokens",
    [COSTED_BACKWARD] = "backward",
    [COSTED_BLOCKWISE] = "blockwise",
    [COSTED_SUBTRACTING] = "Algorithm 3 by (33)",
    [COSTED_RECOMPUTING] = "Algorithm 3, D recomputed",
};

Counts costed_formula(Costed form, Shape s)
{
    switch (form) {
    case COSTED_SEQUENTIAL:
        return sequential_formula(s);
    case COSTED_PARALLEL:
        return parallel_formula(s);
    case COSTED_DECODE:
        return decode_formula(s);
    case COSTED_BLOCKWISE:
        return blockwise_formula(s);
    case COSTED_BACKWARD:
        return backward_formula(s);
    case COSTED_SUBTRACTING:
        return backward_blockwise_formula(s, BY_SUBTRACTION);
    case COSTED_RECOMPUTING:
        return backward_blockwise_formula(s, BY_RECOMPUTATION);
    case COSTED:
        break;
    }
    stop_on_bug(__func__, "there is no form %d", (int)form);
}

Ready costed_ready(Costed form, const Head *h)
{
    System *in = h->QC.in;
    size_t L = h->QC.rows, d = h->QC.cols;
    Ready r = {.h = *h,
               .a = {.O = matrix(in, L, d), .lse = matrix(in, L, 1), .U = matrix(in, L, d)},
               .D = matrix(in, L, d),
               .dO = matrix(in, L, d),
               .g = gradients_for(h)};
    if (form == COSTED_SEQUENTIAL || form == COSTED_PARALLEL)
        r.a.SU = matrix(in, L, L);
    return r;
}

void costed_run(Costed form, Ready *r, size_t B)
{
    switch (form) {
    case COSTED_SEQUENTIAL:
        sequential(&r->h, &r->a);
        return;
    case COSTED_PARALLEL:
        parallel(&r->h, &r->a);
        return;
    case COSTED_DECODE:
        decode(&r->h, &r->a);
        return;
    case COSTED_BLOCKWISE:
        blockwise(&r->h, B, &r->a, r->D);
        return;
    case COSTED_BACKWARD:
        backward(&r->h, r->dO, &r->g);
        return;
    case COSTED_SUBTRACTING:
        backward_blockwise(&r->h, B, &r->a, r->D, r->dO, BY_SUBTRACTION, &r->g);
        return;
    case COSTED_RECOMPUTING:
        backward_blockwise(&r->h, B, &r->a, r->D, r->dO, BY_RECOMPUTATION, &r->g);
        return;
    case COSTED:
        break;
    }
    stop_on_bug(__func__, "there is no form %d", (int)form);
}

Head head_counted(System *in, Shape s)
{
    return (Head){.QU = matrix(in, s.L, s.d),
                  .KU = matrix(in, s.L, s.d),
                  .VU = matrix(in, s.L, s.d),
                  .QC = matrix(in, s.L, s.d),
                  .KC = matrix(in, s.L, s.d),
                  .VC = matrix(in, s.L, s.d),
                  .scale = matrix(in, 1, 1),
                  .window = s.W};
}

Counts counts_since(Counts before, const System *in)
{
    Counts c = counting_read(in);
    if (before.peak != before.alive)
        stop_on_bug(__func__, "%llu numbers were alive, %llu are counted",
                    (unsigned long long)before.peak, (unsigned long long)before.alive);
    c.multiply_adds -= before.multiply_adds;
    c.multiplications -= before.multiplications;
    c.additions -= before.additions;
    c.divisions -= before.divisions;
    c.comparisons -= before.comparisons;
    for (Function f = 0; f <= GATE_SLOPE; f++)
        c.calls[f] -= before.calls[f];
    c.peak -= before.alive;
    c.alive -= before.alive;
    return c;
}

Counts costed_counted(Costed form, Shape s)
{
    System *in = counting_system();
    Head h = head_counted(in, s);
    Ready r = costed_ready(form, &h);
    Counts before = counting_read(in);
    costed_run(form, &r, s.B);
    Counts c = counts_since(before, in);
    system_free(in);
    return c;
}

size_t degree_of(const uint64_t *values, size_t count)
{
    uint64_t *difference = room_for(__func__, count, sizeof *difference);
    memcpy(difference, values, count * sizeof *difference);
    size_t degree = 0;
    for (bool vanish = false; !vanish && degree < count; degree++) {
        vanish = degree + 1 < count;
        for (size_t k = 0; k + 1 < count - degree; k++) { /* modulo 2^64: they may be negative */
            difference[k] = difference[k + 1] - difference[k];
            vanish = vanish && difference[k] == 0;
        }
        if (vanish)
            break;
    }
    free(difference);
    return degree;
}
