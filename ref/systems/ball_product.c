/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ball_product.h"

#include "ball_slices.h"

#include <gsl/gsl_cblas.h>
#include <math.h>
#include <stdlib.h>

/* So many entries of a line are summed in doubles before integers take over. */
enum { RUN = 256, MOST_RUNS = 512 };
/* A matter of speed only: whether slices are worth it, whether threads are (in multiply-adds), how
 * much room the slices of the right operand may take (in doubles). */
enum { WORTH_SLICES = 4096, WORTH_THREADS = 1 << 19, PANEL = 1 << 24 };
/* Bounds that differ by more than 2^500 do not stay apart (ball_slices.h): with so many bits they do differ,
 * and what only a high precision can settle would never be settled. */
enum { MOST_BITS = 450 };

typedef struct Job {
    Matrix C;
    slong precision;
    Lines a, b;
    Cut cut_a, cut_b;
    size_t weights; /* W */
    bool error_in_a, error_in_b;
    double dropped;   /* 2^(-beta W) / (1 - 2^-beta)^2, in units of 2^error */
    double inflation; /* the factor for all bounds */
} Job;

/* ---- the cut -------------------------------------------------------------------------------- */

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* t_w of lines with a and b slices. */
static size_t pairs_of(size_t a, size_t b, size_t w)
{
    return w + 1 < a + b ? least(least(a, b), least(w + 1, a + b - 1 - w)) : 0;
}

static size_t pairs(const Job *j, size_t w)
{
    return pairs_of(j->cut_a.slices, j->cut_b.slices, w);
}

/* How many slices hold so many bits and a sign: at most `most`. */
static size_t slices_for(slong bits, int beta, size_t most)
{
    return bits < beta * (slong)most ? (size_t)bits / (size_t)beta + 1 : most;
}

/* Fits W and the slices to beta. Whether every D_w is exact then. */
static bool beta_fits(Job *j, int beta, slong bits)
{
    size_t most = (size_t)(bits + beta - 1) / (size_t)beta, t = 0;
    j->cut_a.slices = slices_for(j->a.bits, beta, most);
    j->cut_b.slices = slices_for(j->b.bits, beta, most);
    j->cut_a.beta = j->cut_b.beta = beta;
    j->weights = least(most, j->cut_a.slices + j->cut_b.slices - 1);
    for (size_t w = 0; w < j->weights; w++)
        t = pairs(j, w) > t ? pairs(j, w) : t;
    return ldexp((double)(least(j->a.length, RUN) * t), 2 * beta - 2) <= 0x1p53;
}

static void plan_errors(Job *j)
{
    const int beta = j->cut_a.beta;
    slong error = j->a.error > j->b.error ? j->a.error : j->b.error;
    slong floor = -beta * (slong)least(j->weights, least(j->cut_a.slices, j->cut_b.slices));
    j->error_in_a = lines_err(&j->a, &j->cut_a);
    j->error_in_b = lines_err(&j->b, &j->cut_b);
    j->cut_a.bounded = j->cut_b.bounded = j->error_in_a || j->error_in_b;
    j->cut_a.error = j->cut_b.error = error > floor ? error : floor;
    j->cut_b.descending = true;
    /* far below the largest error, it still counts as something */
    slong scale = -beta * (slong)j->weights - j->cut_a.error;
    j->dropped = ldexp(1, scale > -500 ? (int)scale : -500) / pow(1 - ldexp(1, -beta), 2);
    j->inflation = 1 + (2 * (double)j->a.length + 20) * 0x1p-52;
}

static void count_slices(const Lines *l, const Cut *cut)
{
    for (size_t i = 0; i < l->count; i++)
        l->line[i].slices = slices_for(l->line[i].bits, cut->beta, cut->slices);
}

static bool plan(Job *j)
{
    slong bits = j->precision + 5 + (slong)ceil(log2((double)j->a.length) / 2);
    int beta = MOST_BETA;
    if (bits > MOST_BITS)
        return false;
    while (beta > 8 && !beta_fits(j, beta, bits))
        beta--;
    if (beta == 8 || j->weights > MOST_SLICES || j->a.length > MOST_RUNS * RUN)
        return false;
    plan_errors(j);
    count_slices(&j->a, &j->cut_a);
    count_slices(&j->b, &j->cut_b);
    return true;
}

/* ---- tiles ---------------------------------------------------------------------------------- */

/* All k that are present in some line of the tile. */
static Range tile_range(const Tile *t)
{
    Range all = {0, 0};
    for (size_t i = 0; i < t->count; i++)
        all = joined(all, line_range(t->from, t->first + i));
    return all;
}

static Tile tile_made(const Lines *l, const Cut *cut, size_t first)
{
    Tile t = {l, first, least(l->count - first, l->tile), NULL, NULL};
    t.slices = malloc(t.count * l->length * (cut->slices + (cut->bounded ? 2 : 0)) *
                      sizeof(double));
    if (!t.slices)
        stop_on_bug(__func__, "out of memory for %zu slices", cut->slices);
    t.bounds = t.slices + t.count * l->length * cut->slices;
    return t;
}

static void multiply(double *D, const Tile *a, Slab x, const Tile *b, Slab y, size_t n, bool add)
{
    cblas_dgemm(CblasRowMajor, a->from->across ? CblasNoTrans : CblasTrans,
                b->from->across ? CblasTrans : CblasNoTrans, (int)a->count, (int)b->count, (int)n,
                1, x.at, (int)x.step, y.at, (int)y.step, add, D, (int)b->count);
}

/* Room for one tile of C, each array `size` = a->count x b->count long: */
typedef struct Sums {
    double *D;      /* the D_w of a run, one after the other */
    slong *total;   /* of all runs */
    double *bounds; /* of errors */
} Sums;

static Sums sums_made(const Job *j)
{
    const size_t size = least(j->a.count, j->a.tile) * least(j->b.count, j->b.tile);
    Sums s;
    s.D = malloc(size * (j->weights + 1) * sizeof *s.D);
    s.total = malloc(size * j->weights * sizeof *s.total);
    if (!s.D || !s.total)
        stop_on_bug(__func__, "out of memory for a tile of %zu entries", size);
    s.bounds = s.D + size * j->weights;
    return s;
}

static void sums_end(Sums *s)
{
    free(s->D);
    free(s->total);
}

/* One block's part of every D_w. As the slices of a go up and those of b down, the pairs of one
 * weight lie side by side and are one product. */
static void multiply_block(const Job *j, const Tile *a, const Tile *b, size_t block, bool add,
                           double *D)
{
    const size_t s = j->cut_a.slices, t = j->cut_b.slices, width = block_width(&j->a, block);
    for (size_t w = 0; w < j->weights; w++) {
        size_t i = w < t ? 0 : w - t + 1;
        multiply(D + w * a->count * b->count, a, tile_slab(a, a->slices, s, block, i), b,
                 tile_slab(b, b->slices, t, block, t - 1 - (w - i)), pairs(j, w) * width, add);
    }
}

static void bound_block(const Job *j, const Tile *a, const Tile *b, size_t block, bool add,
                        double *bounds)
{
    size_t i = j->error_in_b ? 0 : 1, end = j->error_in_a ? 2 : 1;
    multiply(bounds, a, tile_slab(a, a->bounds, 2, block, i), b,
             tile_slab(b, b->bounds, 2, block, i), (end - i) * block_width(&j->a, block), add);
}

/* Adds a run to the totals, or begins them. */
static void add_run(const Job *j, const Sums *s, size_t size, bool add)
{
    for (size_t k = 0; k < size * j->weights; k++)
        s->total[k] = (add ? s->total[k] : 0) + (slong)s->D[k];
}

static void multiply_tiles(const Job *j, const Tile *a, const Tile *b, Range k, const Sums *s)
{
    const size_t first = k.first / j->a.tile, size = a->count * b->count;
    const size_t end = (k.end + j->a.tile - 1) / j->a.tile, run = RUN / j->a.tile;
    for (size_t block = first; block < end; block++) {
        multiply_block(j, a, b, block, (block - first) % run > 0, s->D);
        if (j->cut_a.bounded)
            bound_block(j, a, b, block, block > first, s->bounds);
        if ((block - first) % run == run - 1 || block == end - 1)
            add_run(j, s, size, block >= first + run);
    }
}

/* ---- from slices to balls ------------------------------------------------------------------- */

enum { MOST_LIMBS = MOST_SLICES * MOST_BETA / FLINT_BITS + 3 };

/* y = sum over w of D_w 2^(exponent + beta (W - 1 - w)), rounded. Whether it is inexact. */
static int round_sum(arf_t y, const slong *D, size_t step, const Job *j, slong exponent)
{
    const int beta = j->cut_a.beta;
    const slong mask = ((slong)1 << beta) - 1;
    mp_limb_t x[MOST_LIMBS], limb = 0;
    mp_size_t n = 0;
    slong carry = 0, shift;
    int fill = 0;
    for (size_t w = j->weights; w-- > 0;) {
        slong sum = D[w * step] + carry, digit = sum & mask;
        carry = sum >> beta;
        limb |= (mp_limb_t)digit << fill;
        fill += beta;
        if (fill >= FLINT_BITS) {
            x[n++] = limb;
            fill -= FLINT_BITS;
            limb = (mp_limb_t)digit >> (beta - fill);
        }
    }
    x[n++] = limb | (mp_limb_t)carry << fill;
    x[n++] = (mp_limb_t)(carry >> 1 >> (FLINT_BITS - 1 - fill)); /* the rest of it, with its sign */
    if (carry < 0)
        mpn_neg(x, x, n);
    while (n > 0 && x[n - 1] == 0)
        n--;
    if (n == 0)
        return 0;
    int inexact = _arf_set_round_mpn(y, &shift, x, n, carry < 0, j->precision, ARF_RND_DOWN);
    fmpz_set_si(ARF_EXPREF(y), FLINT_BITS * n + shift + exponent);
    return inexact;
}

/* What the weights that were left out may hold, for two lines. */
static double dropped(const Job *j, const Line *a, const Line *b)
{
    return (double)(least(a->entries, b->entries) * pairs_of(a->slices, b->slices, j->weights)) *
           j->dropped;
}

static void set_ball(arb_ptr z, const Sums *s, size_t at, size_t step, const Job *j, const Line *a,
                     const Line *b)
{
    const int beta = j->cut_a.beta;
    const slong exponent = a->exponent + b->exponent;
    mag_t error;
    mag_init(error);
    int inexact = round_sum(arb_midref(z), s->total + at, step, j,
                            exponent + 2 - beta * (slong)(j->weights + 1));
    double bound = (j->cut_a.bounded ? s->bounds[at] : 0) + dropped(j, a, b);
    if (bound > 0) {
        mag_set_d(error, bound * j->inflation);
        mag_mul_2exp_si(arb_radref(z), error, exponent + j->cut_a.error);
    }
    if (inexact)
        arf_mag_add_ulp(arb_radref(z), arb_radref(z), arb_midref(z), j->precision);
    mag_clear(error);
}

static void by_dot(const Job *j, arb_ptr z, size_t row, size_t column)
{
    Range k = common(line_range(&j->a, row), line_range(&j->b, column));
    if (k.end > k.first)
        arb_dot(z, NULL, 0, line_at(&j->a, row, k.first), (slong)line_step(&j->a),
                line_at(&j->b, column, k.first), (slong)line_step(&j->b), (slong)(k.end - k.first),
                j->precision);
}

/* The present entries of C in the tile. sums: NULL where no k is common to any two lines. */
static void set_tile(const Job *j, const Tile *a, const Tile *b, const Sums *sums)
{
    for (size_t i = 0; i < a->count; i++) {
        Range present = common(row_range(j->C, a->first + i),
                               (Range){b->first, b->first + b->count});
        const Line *x = &j->a.line[a->first + i];
        for (size_t column = present.first; column < present.end; column++) {
            const Line *y = &j->b.line[column];
            arb_ptr z = entry(j->C, a->first + i, column);
            if (x->kind == LINE_UNFIT || y->kind == LINE_UNFIT)
                by_dot(j, z, a->first + i, column);
            else if (sums && x->kind == LINE_FIT && y->kind == LINE_FIT)
                set_ball(z, sums, i * b->count + (column - b->first), a->count * b->count, j, x, y);
        }
    }
}

static bool tile_is_present(const Job *j, const Tile *a, const Tile *b)
{
    Band seen = seen_from(j->C.band, a->first, b->first);
    return band_meets(seen, a->count, b->count);
}

static void product_tile(const Job *j, const Tile *a, const Tile *b, const Sums *sums)
{
    Range k = common(tile_range(a), tile_range(b));
    if (!tile_is_present(j, a, b))
        return;
    if (k.end > k.first)
        multiply_tiles(j, a, b, k, sums);
    set_tile(j, a, b, k.end > k.first ? sums : NULL);
}

/* ---- the product ---------------------------------------------------------------------------- */

/* All rows of C against the lines of b in `panel`. */
static void product_panel(const Job *j, const Tile *panel, size_t tiles)
{
    Sums sums = sums_made(j);
#pragma omp for schedule(dynamic, 1)
    for (size_t t = 0; t < tiles; t++)
        tile_pack(&panel[t], &j->cut_b, tile_range(&panel[t]));
#pragma omp for schedule(dynamic, 1)
    for (size_t i = 0; i < j->a.count; i += j->a.tile) {
        Tile a = tile_made(&j->a, &j->cut_a, i);
        tile_pack(&a, &j->cut_a, tile_range(&a));
        for (size_t t = 0; t < tiles; t++)
            product_tile(j, &a, &panel[t], &sums);
        free(a.slices);
    }
    sums_end(&sums);
}

static void product_in_panels(const Job *j, bool in_parallel)
{
    const size_t of_tile = j->b.length * j->b.tile * (j->cut_b.slices + 2);
    const size_t all = (j->b.count + j->b.tile - 1) / j->b.tile;
    const size_t most = PANEL / of_tile > 0 ? least(PANEL / of_tile, all) : 1;
    Tile *panel = calloc(most, sizeof *panel);
    if (!panel)
        stop_on_bug(__func__, "out of memory");
    for (size_t first = 0; first < j->b.count;) {
        size_t tiles = 0;
        for (; tiles < most && first < j->b.count; first += j->b.tile)
            panel[tiles++] = tile_made(&j->b, &j->cut_b, first);
#pragma omp parallel if (in_parallel)
        product_panel(j, panel, tiles);
        for (size_t t = 0; t < tiles; t++)
            free(panel[t].slices);
    }
    free(panel);
}

/* Cutting an entry and making one costs as much as a few multiply-adds of Arb. */
static bool is_worth_it(Matrix C, size_t inner)
{
    const size_t m = C.rows, n = C.cols, work = m * n * inner;
    return work >= WORTH_SLICES && 4 * (m * inner + n * inner + m * n) <= work;
}

/* A matter of speed: BLAS likes large tiles; where bands leave entries absent, small ones skip
 * more. Outside of parallel regions, small ones also keep OpenBLAS from waking threads of its own.
 */
static size_t tile_for(Matrix C, Matrix A, Matrix B, bool in_parallel)
{
    const Matrix all[] = {C, A, B};
    size_t banded = 0;
    for (size_t i = 0; i < 3; i++)
        if (!covers(all[i]))
            banded = all[i].rows + all[i].cols > banded ? all[i].rows + all[i].cols : banded;
    if (!in_parallel)
        return banded ? 16 : 32;
    return banded == 0 || banded > 2048 ? 128 : banded > 1024 ? 64 : 32;
}

bool ball_product(Matrix C, Matrix A, Matrix B, ProductKind kind, slong precision)
{
    const bool a_across = kind != PRODUCT_TN, b_across = kind == PRODUCT_NT;
    const size_t inner = a_across ? A.cols : A.rows;
    if (!is_worth_it(C, inner))
        return false;
    bool in_parallel = C.in->rows_in_parallel && C.rows * C.cols * inner >= WORTH_THREADS;
    const size_t tile = tile_for(C, A, B, in_parallel);
    Job j = {.C = C, .precision = precision};
    j.a = lines_of(A, a_across, tile, in_parallel);
    j.b = lines_of(B, b_across, tile, in_parallel);
    bool planned = plan(&j);
    if (planned)
        product_in_panels(&j, in_parallel);
    lines_end(&j.a);
    lines_end(&j.b);
    return planned;
}
