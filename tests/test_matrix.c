/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The laws of the matrix interface. Where a law is about which entries take part, it is tested in
 * the field of 2^61 - 1 elements against plain arrays with absent entries as 0: there is no
 * rounding, and a formula that is wrong agrees by chance with probability about 2^-60.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ball.h"
#include "systems_support.h"

__extension__ typedef unsigned __int128 Wide;

static uint64_t plus(uint64_t a, uint64_t b) { return (a + b) % FIELD_PRIME; }
static uint64_t minus(uint64_t a, uint64_t b) { return (a + (FIELD_PRIME - b)) % FIELD_PRIME; }

static uint64_t times(uint64_t a, uint64_t b)
{
    return (uint64_t)((Wide)a * b % FIELD_PRIME);
}

static uint64_t at(Matrix A, size_t i, size_t j) { return *(uint64_t *)entry(A, i, j); }

/* ---- bands ---------------------------------------------------------------------------------- */

enum { LARGEST = 4, BANDS = 64 };

/* Every different band of a rows x cols matrix. A limit at the matrix's edge is written in turn as
 * that, as one beyond, and as infinity: they mean the same. The last two bands are empty. */
static size_t all_bands(size_t rows, size_t cols, Band *bands)
{
    ptrdiff_t first = rows ? 1 - (ptrdiff_t)rows : 0, last = cols ? (ptrdiff_t)cols - 1 : 0;
    const ptrdiff_t beyond[] = {0, 1, BAND_FAR};
    size_t n = 0;
    for (ptrdiff_t lo = first; lo <= last; lo++)
        for (ptrdiff_t hi = lo; hi <= last; hi++, n++) {
            bands[n] = (Band){lo, hi};
            if (lo == first)
                bands[n].lo = n % 3 == 2 ? -BAND_FAR : first - beyond[n % 3];
            if (hi == last)
                bands[n].hi = n / 3 % 3 == 2 ? BAND_FAR : last + beyond[n / 3 % 3];
        }
    bands[n++] = (Band){1, 0};
    bands[n++] = (Band){3, -3};
    return n;
}

/* Random present entries, absent ones 0. */
static Matrix random_banded(System *in, size_t rows, size_t cols, Band band, uint64_t *state)
{
    Matrix A = field_random_matrix(in, rows, cols, state);
    A.band = band;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            if (!allows(band, i, j))
                *(uint64_t *)entry(A, i, j) = 0;
    return A;
}

static void words_differ(const char *what, Matrix A, Matrix B, Band mask, size_t i, size_t j,
                         uint64_t got, uint64_t expected)
{
    print_error("%s of %zu x %zu, band %td..%td, and %zu x %zu, band %td..%td, mask %td..%td: "
                "entry (%zu, %zu) is %llu, expected %llu\n", what, A.rows, A.cols, A.band.lo,
                A.band.hi, B.rows, B.cols, B.band.lo, B.band.hi, mask.lo, mask.hi, i, j,
                (unsigned long long)got, (unsigned long long)expected);
    fail();
}

/* What is stored, and what counts as present: nothing outside the mask. */
static void check_product(const char *what, Matrix A, Matrix B, Band mask, Matrix C,
                          const uint64_t *dense)
{
    for (size_t i = 0; i < C.rows; i++) {
        Range present = row_range(C, i);
        for (size_t j = 0; j < C.cols; j++) {
            uint64_t expected = allows(mask, i, j) ? dense[i * C.cols + j] : 0;
            if (at(C, i, j) != expected)
                words_differ(what, A, B, mask, i, j, at(C, i, j), expected);
            if (in_range(present, j) && !allows(mask, i, j))
                words_differ("presence in a product", A, B, mask, i, j, 1, 0);
            if (expected && !in_range(present, j))
                words_differ("presence in a product", A, B, mask, i, j, 0, 1);
        }
    }
}

/* The three products: A B, A B^T, A^T B. Each is m x n, a sum over `inner` pairs. */
typedef struct Kind {
    const char *name;
    Matrix (*multiply)(Matrix, Matrix, Band);
    bool a_transposed, b_transposed;
} Kind;

static const Kind kinds[] = {
    {"product", product, false, false},
    {"product_nt", product_nt, false, true},
    {"product_tn", product_tn, true, false},
};
enum { KINDS = 3 };

static void dense_product(const Kind *kind, Matrix A, Matrix B, size_t m, size_t inner, size_t n,
                          uint64_t *dense)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            uint64_t sum = 0;
            for (size_t k = 0; k < inner; k++)
                sum = plus(sum, times(kind->a_transposed ? at(A, k, i) : at(A, i, k),
                                      kind->b_transposed ? at(B, j, k) : at(B, k, j)));
            dense[i * n + j] = sum;
        }
}

static Matrix random_operand(System *in, bool turned, size_t m, size_t n, Band band,
                             uint64_t *state)
{
    return turned ? random_banded(in, n, m, band, state) : random_banded(in, m, n, band, state);
}

static void every_product(System *in, const Kind *kind, size_t m, size_t inner, size_t n,
                          uint64_t *state, size_t step)
{
    Band a[BANDS], b[BANDS], masks[BANDS];
    size_t turn = 0, mask_count = all_bands(m, n, masks);
    size_t a_count = kind->a_transposed ? all_bands(inner, m, a) : all_bands(m, inner, a);
    size_t b_count = kind->b_transposed ? all_bands(n, inner, b) : all_bands(inner, n, b);
    for (size_t x = 0; x < a_count; x++)
        for (size_t y = 0; y < b_count; y++) {
            Scope scope = scope_open(in);
            uint64_t dense[LARGEST * LARGEST];
            Matrix A = random_operand(in, kind->a_transposed, m, inner, a[x], state);
            Matrix B = random_operand(in, kind->b_transposed, inner, n, b[y], state);
            dense_product(kind, A, B, m, inner, n, dense);
            for (size_t z = 0; z < mask_count; z++, turn++) {
                if (turn % step)
                    continue;
                Scope inside = scope_open(in);
                Matrix C = kind->multiply(A, B, masks[z]);
                assert_int_equal(C.rows, m);
                assert_int_equal(C.cols, n);
                check_product(kind->name, A, B, masks[z], C, dense);
                scope_close(in, inside);
            }
            scope_close(in, scope);
        }
}

static void product_with_bands_is_dense_product_of_zeros(void **unused)
{
    (void)unused;
    System *in = field_system(1);
    uint64_t state = 1;
    size_t step = asked_for("CASTLE_TEST_SHORT") ? 61 : 1;
    for (size_t m = 0; m <= LARGEST; m++)
        for (size_t inner = 0; inner <= LARGEST; inner++)
            for (size_t n = 0; n <= LARGEST; n++)
                for (size_t k = 0; k < KINDS; k++)
                    every_product(in, &kinds[k], m, inner, n, &state, step);
    system_free(in);
}

static Band random_band(gsl_rng *r, size_t rows, size_t cols)
{
    ptrdiff_t ends[2];
    for (int e = 0; e < 2; e++)
        ends[e] = (ptrdiff_t)random_up_to(r, rows + cols + 1) - (ptrdiff_t)rows - 1;
    Band b = {ends[0] < ends[1] ? ends[0] : ends[1], ends[0] < ends[1] ? ends[1] : ends[0]};
    if (random_up_to(r, 3) == 0)
        b.lo = -BAND_FAR;
    if (random_up_to(r, 3) == 0)
        b.hi = BAND_FAR;
    return b;
}

/* Large enough for several threads. */
static void larger_products_with_bands_are_dense_products_of_zeros(void **unused)
{
    (void)unused;
    System *in = field_system(1);
    gsl_rng *r = random_source(2);
    uint64_t state = 2;
    static uint64_t dense[48 * 48];
    for (long k = repetitions(60); k > 0; k--) {
        Scope scope = scope_open(in);
        size_t m = 1 + random_up_to(r, 47), inner = 1 + random_up_to(r, 47);
        size_t n = 1 + random_up_to(r, 47);
        const Kind *kind = &kinds[k % KINDS];
        Band a = random_band(r, m, inner), b = random_band(r, inner, n);
        Matrix A = random_operand(in, kind->a_transposed, m, inner, a, &state);
        Matrix B = random_operand(in, kind->b_transposed, inner, n, b, &state);
        Band mask = random_band(r, m, n);
        dense_product(kind, A, B, m, inner, n, dense);
        check_product(kind->name, A, B, mask, kind->multiply(A, B, mask), dense);
        scope_close(in, scope);
    }
    gsl_rng_free(r);
    system_free(in);
}

static void bands_name_the_sets_of_the_paper(void **unused)
{
    (void)unused;
    const size_t windows[] = {0, 1, 2, 5, 1000, (size_t)BAND_FAR / 2 + 1, NO_WINDOW, SIZE_MAX};
    for (size_t w = 0; w < sizeof windows / sizeof *windows; w++)
        for (size_t s = 0; s < 8; s++)
            for (size_t j = 0; j < 8; j++) {
                bool allowed = s < j && j - s <= windows[w];
                assert_int_equal(allows(lookahead(windows[w]), s, j), allowed);
                assert_int_equal(allows(CAUSAL, s, j), j <= s);
                assert_true(allows(EVERYWHERE, s, j));
            }
}

/* A block sees the band of the whole, and has an entry in it or not. */
static void a_block_sees_the_band_of_the_whole(void **unused)
{
    (void)unused;
    enum { WHOLE = 7 };
    Band bands[BANDS];
    size_t count = all_bands(WHOLE / 2, WHOLE / 2 + 1, bands);
    for (size_t b = 0; b < count; b++)
        for (size_t row0 = 0; row0 < WHOLE; row0++)
            for (size_t col0 = 0; col0 < WHOLE; col0++)
                for (size_t m = 0; m + row0 <= WHOLE; m++)
                    for (size_t n = 0; n + col0 <= WHOLE; n++) {
                        Band seen = seen_from(bands[b], row0, col0);
                        bool any = false;
                        for (size_t i = 0; i < m; i++)
                            for (size_t j = 0; j < n; j++) {
                                bool here = allows(bands[b], row0 + i, col0 + j);
                                assert_int_equal(allows(seen, i, j), here);
                                any = any || here;
                            }
                        if (m > 0 && n > 0)
                            assert_int_equal(band_meets(seen, m, n), any);
                    }
}

/* Rows and columns name the same present pairs, and those are the band's. */
static void ranges_hold_what_the_band_holds(void **unused)
{
    (void)unused;
    System *in = field_system(1);
    for (size_t m = 0; m <= LARGEST; m++)
        for (size_t n = 0; n <= LARGEST; n++) {
            Band bands[BANDS];
            size_t count = all_bands(m, n, bands);
            Matrix A = matrix(in, m, n);
            for (size_t b = 0; b < count; b++) {
                A.band = bands[b];
                for (size_t i = 0; i < m; i++)
                    for (size_t j = 0; j < n; j++) {
                        assert_int_equal(in_range(row_range(A, i), j), allows(bands[b], i, j));
                        assert_int_equal(in_range(column_range(A, j), i), allows(bands[b], i, j));
                    }
            }
        }
    system_free(in);
}

/* ---- entry by entry, and rows --------------------------------------------------------------- */

static void every_sum(System *in, size_t m, size_t n, uint64_t *state)
{
    Band bands[BANDS];
    size_t count = all_bands(m, n, bands);
    for (size_t x = 0; x < count; x++)
        for (size_t y = 0; y < count; y++) {
            Scope scope = scope_open(in);
            Matrix A = random_banded(in, m, n, bands[x], state);
            Matrix B = random_banded(in, m, n, bands[y], state);
            Matrix plain = add(A, B), difference = subtract(A, B), both = hadamard(A, B);
            Matrix dots = row_dot(A, B);
            for (size_t i = 0; i < m; i++) {
                uint64_t dot = 0;
                for (size_t j = 0; j < n; j++) {
                    uint64_t a = at(A, i, j), b = at(B, i, j);
                    dot = plus(dot, times(a, b));
                    if (at(both, i, j) != times(a, b))
                        words_differ("hadamard", A, B, EVERYWHERE, i, j, at(both, i, j),
                                     times(a, b));
                    bool here = allows(bands[x], i, j) && allows(bands[y], i, j);
                    if (here != in_range(row_range(both, i), j))
                        words_differ("presence in hadamard", A, B, EVERYWHERE, i, j, !here, here);
                    if (at(plain, i, j) != plus(a, b))
                        words_differ("add", A, B, EVERYWHERE, i, j, at(plain, i, j), plus(a, b));
                    if (at(difference, i, j) != minus(a, b))
                        words_differ("subtract", A, B, EVERYWHERE, i, j, at(difference, i, j),
                                     minus(a, b));
                    bool either = allows(bands[x], i, j) || allows(bands[y], i, j);
                    if (either && !in_range(row_range(plain, i), j))
                        words_differ("presence in add", A, B, EVERYWHERE, i, j, 0, 1);
                    if (either && !in_range(row_range(difference, i), j))
                        words_differ("presence in subtract", A, B, EVERYWHERE, i, j, 0, 1);
                }
                if (at(dots, i, 0) != dot)
                    words_differ("row_dot", A, B, EVERYWHERE, i, 0, at(dots, i, 0), dot);
            }
            scope_close(in, scope);
        }
}

static void sums_with_bands_are_dense_sums_of_zeros(void **unused)
{
    (void)unused;
    System *in = field_system(1);
    uint64_t state = 3;
    for (size_t m = 0; m <= LARGEST; m++)
        for (size_t n = 0; n <= LARGEST; n++)
            every_sum(in, m, n, &state);
    system_free(in);
}

/* f of one field element, by a map that knows no band. */
static uint64_t image(System *in, Function f, uint64_t x)
{
    Scope scope = scope_open(in);
    Matrix A = matrix(in, 1, 1);
    *(uint64_t *)entry(A, 0, 0) = x;
    uint64_t y = at(map(f, A), 0, 0);
    scope_close(in, scope);
    return y;
}

static bool same_band(Matrix A, Matrix B)
{
    for (size_t i = 0; i < A.rows; i++) {
        Range a = row_range(A, i), b = row_range(B, i);
        if (a.first != b.first || a.end != b.end)
            return false;
    }
    return true;
}

static bool every_row_has_an_entry(Matrix A)
{
    for (size_t i = 0; i < A.rows; i++)
        if (row_range(A, i).end == 0)
            return false;
    return true;
}

static void check_entrywise(System *in, Matrix A, uint64_t *state)
{
    Matrix c = field_random_matrix(in, 1, 1, state), by = field_random_matrix(in, A.rows, 1, state);
    Matrix multiple = scaled(c, A), sums = row_sum(A), quotient = row_divide(A, by);
    Matrix moved = row_shift(A, by), larger = row_scale(A, by);
    assert_true(same_band(multiple, A) && same_band(quotient, A) && same_band(moved, A));
    assert_true(same_band(larger, A));
    for (size_t i = 0; i < A.rows; i++) {
        uint64_t sum = 0;
        for (size_t j = 0; j < A.cols; j++) {
            uint64_t a = at(A, i, j);
            sum = plus(sum, a);
            uint64_t less = allows(A.band, i, j) ? minus(a, at(by, i, 0)) : 0;
            if (at(moved, i, j) != less)
                words_differ("row_shift", A, by, EVERYWHERE, i, j, at(moved, i, j), less);
            if (at(larger, i, j) != times(a, at(by, i, 0)))
                words_differ("row_scale", A, by, EVERYWHERE, i, j, at(larger, i, j),
                             times(a, at(by, i, 0)));
            if (at(multiple, i, j) != times(a, at(c, 0, 0)))
                words_differ("scaled", A, c, EVERYWHERE, i, j, at(multiple, i, j),
                             times(a, at(c, 0, 0)));
            if (times(at(quotient, i, j), at(by, i, 0)) != a)
                words_differ("row_divide, multiplied back,", A, by, EVERYWHERE, i, j,
                             times(at(quotient, i, j), at(by, i, 0)), a);
        }
        if (at(sums, i, 0) != sum)
            words_differ("row_sum", A, A, EVERYWHERE, i, 0, at(sums, i, 0), sum);
    }
}

static void check_maps(System *in, Matrix A)
{
    const Function functions[] = {SIGMOID, SILU, EXP, LOG, SILU_SLOPE, GATE_SLOPE};
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        Matrix B = map(functions[f], A);
        assert_true(same_band(A, B));
        for (size_t i = 0; i < A.rows; i++)
            for (size_t j = 0; j < A.cols; j++) {
                uint64_t expected = allows(A.band, i, j) ? image(in, functions[f], at(A, i, j)) : 0;
                if (at(B, i, j) != expected)
                    words_differ("map", A, B, EVERYWHERE, i, j, at(B, i, j), expected);
            }
    }
}

/* (7) by its definition: P_ij times the sum is exp(S_ij), and the logarithm of the field, the
 * identity, gives the sum itself. */
static void check_softmax(System *in, Matrix S)
{
    Matrix lse, weights = row_softmax(S, &lse), without = row_softmax(S, NULL);
    assert_true(same_band(weights, S));
    assert_int_equal(lse.rows, S.rows);
    assert_int_equal(lse.cols, 1);
    for (size_t i = 0; i < S.rows; i++) {
        uint64_t sum = 0;
        for (size_t j = 0; j < S.cols; j++)
            if (allows(S.band, i, j))
                sum = plus(sum, image(in, EXP, at(S, i, j)));
        if (at(lse, i, 0) != sum)
            words_differ("lse", S, lse, EVERYWHERE, i, 0, at(lse, i, 0), sum);
        for (size_t j = 0; j < S.cols; j++) {
            uint64_t expected = allows(S.band, i, j) ? image(in, EXP, at(S, i, j)) : 0;
            uint64_t got = times(at(weights, i, j), sum);
            if (got != expected || at(without, i, j) != at(weights, i, j))
                words_differ("row_softmax times its sum", S, weights, EVERYWHERE, i, j, got,
                             expected);
        }
    }
}

static void absent_entries_stay_0_and_take_no_part(void **unused)
{
    (void)unused;
    System *in = field_system(7);
    uint64_t state = 4;
    for (long k = asked_for("CASTLE_TEST_LONG") ? 20 : 1; k > 0; k--)
        for (size_t m = 0; m <= LARGEST; m++)
            for (size_t n = 0; n <= LARGEST; n++) {
                Band bands[BANDS];
                size_t count = all_bands(m, n, bands);
                for (size_t b = 0; b < count; b++) {
                    Scope scope = scope_open(in);
                    Matrix A = random_banded(in, m, n, bands[b], &state);
                    check_entrywise(in, A, &state);
                    check_maps(in, A);
                    if (every_row_has_an_entry(A))
                        check_softmax(in, A);
                    scope_close(in, scope);
                }
            }
    system_free(in);
}

/* An empty row divided by 0 divides nothing. */
static void an_empty_row_may_be_divided_by_its_sum(void **unused)
{
    (void)unused;
    System *systems[] = {field_system(1), f64_system(), mpfr_system(64), ball_system(64)};
    for (size_t s = 0; s < 4; s++) {
        Matrix A = matrix(systems[s], 3, 3);
        A.band = lookahead(NO_WINDOW);      /* row 2 is empty */
        const double ones[] = {0, 1, 1, 0, 0, 1};
        assign(rows(A, 0, 2), matrix_from(systems[s], 2, 3, ones));
        Matrix B = row_divide(A, row_sum(A));
        if (s > 0) {
            for (size_t j = 0; j < 3; j++)
                assert_true(number_at(B, 2, j) == 0);
            assert_true(number_at(B, 0, 2) == 0.5 && number_at(B, 1, 2) == 1);
        }
        system_free(systems[s]);
    }
}

/* ---- NaN ------------------------------------------------------------------------------------ */

static System *system_number(size_t k)
{
    Arithmetic a = arithmetic("bfloat16"), plain = arithmetic("float32");
    switch (k) {
    case 0: return f64_system();
    case 1: return f32_system();
    case 2: return mpfr_system(80);
    case 3: return played_system(&a);
    case 4: return ball_system(80);
    case 5: return noisy_system(&plain, 1, 1);
    default: return bounded_system(&plain);
    }
}

enum { REAL_SYSTEMS = 7 };

static Matrix ones_with_nan(System *in, size_t rows, size_t cols, Band band, size_t i, size_t j)
{
    double v[64];
    for (size_t k = 0; k < rows * cols; k++)
        v[k] = allows(band, k / cols, k % cols) ? k == i * cols + j ? NAN : 1 : 0;
    Matrix A = matrix_from(in, rows, cols, v);
    A.band = band;
    return A;
}

/* One NaN in one operand: exactly the entries whose sum has it are NaN, whichever absent entries of
 * the other operand it meets (0 * NaN does not arise). */
static void nan_in_an_absent_entry_takes_no_part(void **unused)
{
    (void)unused;
    const unsigned long seed = 5;
    gsl_rng *r = random_source(seed);
    System *systems[REAL_SYSTEMS];
    for (size_t s = 0; s < REAL_SYSTEMS; s++)
        systems[s] = system_number(s);
    for (long n = 0; n < repetitions(20000); n++) {
        System *in = systems[n % REAL_SYSTEMS];
        Scope scope = scope_open(in);
        size_t m = 1 + random_up_to(r, 5), inner = 1 + random_up_to(r, 5);
        size_t cols = 1 + random_up_to(r, 5);
        const Kind *kind = &kinds[random_up_to(r, KINDS - 1)];
        bool in_a = random_up_to(r, 1), turned[] = {kind->a_transposed, kind->b_transposed};
        size_t a_rows = turned[0] ? inner : m, a_cols = turned[0] ? m : inner;
        size_t b_rows = turned[1] ? cols : inner, b_cols = turned[1] ? inner : cols;
        Band a = random_band(r, a_rows, a_cols), b = random_band(r, b_rows, b_cols);
        Band mask = random_band(r, m, cols);
        size_t i = random_up_to(r, (in_a ? a_rows : b_rows) - 1);
        size_t j = random_up_to(r, (in_a ? a_cols : b_cols) - 1), none = 1000;
        Matrix A = ones_with_nan(in, a_rows, a_cols, a, in_a ? i : none, j);
        Matrix B = ones_with_nan(in, b_rows, b_cols, b, in_a ? none : i, j);
        Matrix C = kind->multiply(A, B, mask);
        for (size_t x = 0; x < m; x++)
            for (size_t y = 0; y < cols; y++) {
                double count = 0;
                for (size_t k = 0; k < inner && allows(mask, x, y); k++) {
                    size_t ai = turned[0] ? k : x, aj = turned[0] ? x : k;
                    size_t bi = turned[1] ? y : k, bj = turned[1] ? k : y;
                    if (allows(a, ai, aj) && allows(b, bi, bj))
                        count += (in_a ? ai == i && aj == j : bi == i && bj == j) ? NAN : 1;
                }
                double got = number_at(C, x, y);
                bool right = isnan(count) ? isnan(got) : fabs(got - count) <= 6 * ldexp(6, -24);
                if (!right)     /* noisy: rule N2, at most sqrt(n) u n, n <= 6 */
                    entries_differ((Case){in->op->name, seed, n, m, cols}, x, y, got, count, 0);
            }
        scope_close(in, scope);
    }
    for (size_t s = 0; s < REAL_SYSTEMS; s++)
        system_free(systems[s]);
    gsl_rng_free(r);
}

/* A NaN score spoils the weights of its row and no other row. */
static void nan_spoils_its_own_row_of_a_softmax_only(void **unused)
{
    (void)unused;
    for (size_t s = 0; s < REAL_SYSTEMS; s++)
        for (size_t i = 1; i < 5; i++)
            for (size_t j = 0; j <= i; j++) {
                System *in = system_number(s);
                Matrix S = ones_with_nan(in, 5, 5, CAUSAL, i, j), lse;
                Matrix weights = row_softmax(S, &lse), sums = row_sum(S);
                for (size_t x = 0; x < 5; x++) {
                    assert_int_equal(isnan(number_at(lse, x, 0)), x == i);
                    assert_int_equal(isnan(number_at(sums, x, 0)), x == i);
                    for (size_t y = 0; y < 5; y++)
                        if (isnan(number_at(weights, x, y)) != (x == i && y <= x))
                            entries_differ((Case){in->op->name, 0, 0, 5, 5}, x, y,
                                           number_at(weights, x, y), x == i ? NAN : 0, 0);
                }
                system_free(in);
            }
}

/* ---- softmax -------------------------------------------------------------------------------- */

/* p_i = (e_i / l)(1 + d_i), |d_i| <= u, plus an underflow of at most half the smallest
 * subnormal h; l = (sum e_i)(1 + t), |t| <= gamma_(n-1), as every e_i >= 0, in any order. So
 * the exact sum of the p_i is off 1 by at most (1 + u) / (1 - gamma_(n-1)) - 1 + n h, however
 * bad exp is. */
static double weight_sum_bound(double n, const Format *f)
{
    double u = format_roundoff(f), g = gamma_up(n - 1, u);
    return (u + g) / (1 - g) * (1 + ldexp(1, -50)) + n * format_underflow(f);
}

static void weights_sum_to_1(void **unused)
{
    (void)unused;
    const unsigned long seed = 6;
    gsl_rng *r = random_source(seed);
    Arithmetic a32 = arithmetic("float32"), a16 = arithmetic("float16,accumulate=float16");
    System *systems[] = {f64_system(), f32_system(), played_system(&a32), played_system(&a16),
                         ball_system(100)};
    const Format *formats[] = {&BINARY64, &BINARY32, &BINARY32, &BINARY16, NULL};
    mpfr_t sum, p;
    mpfr_init2(sum, 1200);
    mpfr_init2(p, 100);
    for (long n = 0; n < repetitions(300); n++)
        for (size_t s = 0; s < 5; s++) {
            Scope scope = scope_open(systems[s]);
            size_t L = 1 + random_up_to(r, 30);
            double v[31 * 31];
            random_fill(r, v, L * L, -8, (int)random_up_to(r, 6), &BINARY16);
            Matrix S = matrix_from(systems[s], L, L, v);
            S.band = CAUSAL;
            Matrix weights = row_softmax(S, NULL);
            for (size_t i = 0; i < L; i++) {
                if (!formats[s]) {      /* balls: the enclosure of the sum holds 1 */
                    if (!arb_contains_si(ball_at(row_sum(weights), i, 0), 1))
                        entries_differ((Case){"ball", seed, n, L, L}, i, 0,
                                       number_at(row_sum(weights), i, 0), 1, 0);
                    continue;
                }
                mpfr_set_zero(sum, 1);
                for (size_t j = 0; j <= i; j++) {
                    entry_to(p, weights, i, j);
                    assert_true(mpfr_cmp_ui(p, 0) >= 0 && mpfr_cmp_ui(p, 1) <= 0);
                    mpfr_add(sum, sum, p, MPFR_RNDN);
                }
                mpfr_sub_ui(sum, sum, 1, MPFR_RNDN);
                double off = mpfr_get_d(sum, MPFR_RNDA);
                double bound = weight_sum_bound((double)i + 1, formats[s]);
                if (!(fabs(off) <= bound))
                    entries_differ((Case){systems[s]->op->name, seed, n, L, L}, i, 0, off, 0,
                                   bound);
            }
            scope_close(systems[s], scope);
        }
    mpfr_clear(sum);
    mpfr_clear(p);
    for (size_t s = 0; s < 5; s++)
        system_free(systems[s]);
    gsl_rng_free(r);
}

static void a_lone_score_has_weight_1_exactly(void **unused)
{
    (void)unused;
    const double scores[] = {0, 1, -1, 0.1, 1e4, -1e4, 0x1p-20, 60000};
    for (size_t s = 0; s < REAL_SYSTEMS; s++)
        for (size_t k = 0; k < sizeof scores / sizeof *scores; k++) {
            System *in = system_number(s);
            const double v[] = {scores[k], 0, 0, scores[k]};
            Matrix S = matrix_from(in, 2, 2, v), lse;
            S.band = (Band){0, 0};
            Matrix weights = row_softmax(S, &lse);
            for (size_t i = 0; i < 2; i++) {
                assert_true(number_at(weights, i, i) == 1 && number_at(weights, i, 1 - i) == 0);
                /* log(1) = 0: lse is the score itself, up to the noise of rules N1 */
                if (s != 5)
                    assert_true(number_at(lse, i, 0) == number_at(S, i, i));
            }
            if (s == 4)
                assert_true(arb_equal_si(ball_at(weights, 0, 0), 1));
            if (s == 6)
                assert_true(((Bounded *)entry(weights, 1, 1))->error == 0);
            system_free(in);
        }
}

/* ... but one that is no number has no weight. */
static void a_lone_nan_has_no_weight(void **unused)
{
    (void)unused;
    for (size_t s = 0; s < REAL_SYSTEMS; s++) {
        System *in = system_number(s);
        const double v[] = {NAN, 0, 0, 1};
        Matrix S = matrix_from(in, 2, 2, v), lse;
        S.band = (Band){0, 0};
        Matrix weights = row_softmax(S, &lse);
        assert_true(isnan(number_at(weights, 0, 0)) && isnan(number_at(lse, 0, 0)));
        assert_true(number_at(weights, 1, 1) == 1);
        system_free(in);
    }
}

/* Absent entries do not count, the floor does. Where entries are numbers of 32 bits every system
 * finds the largest itself; in the field there is no order and the point is 0. */
static void the_reference_is_the_largest_present_entry_or_the_floor(void **unused)
{
    (void)unused;
    const unsigned long seed = 11;
    gsl_rng *r = random_source(seed);
    for (long n = 0; n < repetitions(700); n++) {
        System *in = n % (REAL_SYSTEMS + 1) ? system_number((size_t)n % (REAL_SYSTEMS + 1) - 1)
                                            : field_system(1);
        size_t m = 1 + random_up_to(r, 5), cols = m;
        double v[36], lowest[6];
        random_fill(r, v, m * cols, -2, 6, &BFLOAT16);
        random_fill(r, lowest, m, -2, 6, &BFLOAT16);
        for (size_t k = 0; k < m * cols; k++)
            if (!allows(CAUSAL, k / cols, k % cols))
                v[k] = 0;
        Matrix S = matrix_from(in, m, cols, v), floor = matrix_from(in, m, 1, lowest);
        S.band = CAUSAL;
        Matrix plain = row_reference(S, NULL), above = row_reference(S, &floor);
        Case here = {in->op->name, seed, n, m, cols};
        for (size_t i = 0; i < m; i++) {
            double top = v[i * cols];
            for (size_t j = 1; j <= i; j++)
                top = fmax(top, v[i * cols + j]);
            if (!in->op->get) {
                assert_true(at(plain, i, 0) == 0 && at(above, i, 0) == 0);
                continue;
            }
            assert_same(here, i, 0, number_at(plain, i, 0), top);
            assert_same(here, i, 1, number_at(above, i, 0), fmax(top, lowest[i]));
        }
        system_free(in);
    }
    gsl_rng_free(r);
}

/* exp(x + c) / sum exp(x + c) = exp(x) / sum exp(x), and lse moves by c. Two enclosures of one
 * number overlap; and they are narrow, or the law would say nothing. */
static void a_shift_of_a_row_changes_no_weight(void **unused)
{
    (void)unused;
    const unsigned long seed = 7;
    gsl_rng *r = random_source(seed);
    System *in = ball_system(128);
    for (long n = 0; n < repetitions(200); n++) {
        Scope scope = scope_open(in);
        size_t rows_ = 1 + random_up_to(r, 5), cols = 1 + random_up_to(r, 9);
        double v[6 * 10], c[6], one[10];
        random_fill(r, v, rows_ * cols, -10, 7, &BINARY64);
        random_fill(r, c, rows_, -10, 10, &BINARY64);
        for (size_t j = 0; j < cols; j++)
            one[j] = 1;
        Matrix S = matrix_from(in, rows_, cols, v), C = matrix_from(in, rows_, 1, c);
        Matrix moved = add(S, product(C, matrix_from(in, 1, cols, one), EVERYWHERE));
        Matrix lse, lse_moved, P = row_softmax(S, &lse), Q = row_softmax(moved, &lse_moved);
        Matrix back = subtract(lse_moved, C);
        for (size_t i = 0; i < rows_; i++) {
            Case here = {"shifted softmax", seed, n, rows_, cols};
            if (!arb_overlaps(ball_at(lse, i, 0), ball_at(back, i, 0)))
                entries_differ(here, i, 0, number_at(back, i, 0), number_at(lse, i, 0), 0);
            for (size_t j = 0; j < cols; j++) {
                if (!arb_overlaps(ball_at(P, i, j), ball_at(Q, i, j)))
                    entries_differ(here, i, j, number_at(Q, i, j), number_at(P, i, j), 0);
                assert_true(arb_rel_accuracy_bits(ball_at(P, i, j)) > 80);
            }
        }
        scope_close(in, scope);
    }
    gsl_rng_free(r);
    system_free(in);
}

/* ---- views, scopes -------------------------------------------------------------------------- */

typedef struct Traced {
    Matrix view;
    size_t first_row, first_col;
} Traced;

static Traced random_view(gsl_rng *r, Matrix A)
{
    Traced t = {A, 0, 0};
    for (size_t steps = random_up_to(r, 3); steps > 0; steps--) {
        size_t first, count;
        switch (random_up_to(r, 2)) {
        case 0:
            first = random_up_to(r, t.view.rows);
            count = random_up_to(r, t.view.rows - first);
            t.view = rows(t.view, first, count);
            t.first_row += first;
            break;
        case 1:
            first = random_up_to(r, t.view.cols);
            count = random_up_to(r, t.view.cols - first);
            t.view = columns(t.view, first, count);
            t.first_col += first;
            break;
        default:
            if (t.view.rows) {
                first = random_up_to(r, t.view.rows - 1);
                t.view = row(t.view, first);
                t.first_row += first;
            }
        }
    }
    return t;
}

static void a_view_shares_entries_and_band(void **unused)
{
    (void)unused;
    System *in = field_system(1);
    gsl_rng *r = random_source(8);
    uint64_t state = 8;
    for (long k = repetitions(4000); k > 0; k--) {
        Scope scope = scope_open(in);
        size_t m = 1 + random_up_to(r, 6), n = 1 + random_up_to(r, 6);
        Matrix A = random_banded(in, m, n, random_band(r, m, n), &state);
        Traced t = random_view(r, A);
        for (size_t i = 0; i < t.view.rows; i++)
            for (size_t j = 0; j < t.view.cols; j++) {
                size_t x = t.first_row + i, y = t.first_col + j;
                assert_ptr_equal(entry(t.view, i, j), entry(A, x, y));
                assert_int_equal(in_range(row_range(t.view, i), j), in_range(row_range(A, x), y));
                assert_int_equal(in_range(column_range(t.view, j), i),
                                 in_range(row_range(A, x), y));
            }
        scope_close(in, scope);
    }
    gsl_rng_free(r);
    system_free(in);
}

/* A matrix of its own with the entries and the presence of A. */
static Matrix copied(Matrix A)
{
    Matrix B = matrix(A.in, A.rows, A.cols);
    assign(B, A);
    B.band = A.band;
    return B;
}

static void must_be_equal(const char *what, Matrix A, Matrix B)
{
    assert_int_equal(A.rows, B.rows);
    assert_int_equal(A.cols, B.cols);
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++)
            if (at(A, i, j) != at(B, i, j))
                words_differ(what, A, B, EVERYWHERE, i, j, at(A, i, j), at(B, i, j));
}

static void an_operation_on_a_view_is_the_operation_on_its_copy(void **unused)
{
    (void)unused;
    System *in = field_system(1);
    gsl_rng *r = random_source(9);
    uint64_t state = 9;
    for (long k = repetitions(3000); k > 0; k--) {
        Scope scope = scope_open(in);
        Matrix A = random_view(r, random_banded(in, 6, 7, random_band(r, 6, 7), &state)).view;
        Matrix big = random_banded(in, 9, 9, random_band(r, 9, 9), &state);
        size_t x = random_up_to(r, 2), y = random_up_to(r, 2);
        Matrix B = columns(rows(big, x, A.cols), y, 5), D = columns(rows(big, x, 5), y, A.cols);
        Matrix E = columns(rows(big, x, A.rows), y, A.cols);
        Band mask = random_band(r, A.rows, 5);
        Matrix c = columns(row(big, 1), 1, 1);
        must_be_equal("product", product(A, B, mask), product(copied(A), copied(B), mask));
        must_be_equal("product_nt", product_nt(A, D, mask), product_nt(copied(A), copied(D), mask));
        Matrix T = columns(rows(big, x, A.rows), y, 5);
        must_be_equal("product_tn", product_tn(A, T, EVERYWHERE),
                      product_tn(copied(A), copied(T), EVERYWHERE));
        must_be_equal("hadamard", hadamard(A, E), hadamard(copied(A), copied(E)));
        must_be_equal("row_dot", row_dot(A, E), row_dot(copied(A), copied(E)));
        must_be_equal("add", add(A, E), add(copied(A), copied(E)));
        must_be_equal("subtract", subtract(A, E), subtract(copied(A), copied(E)));
        must_be_equal("scaled", scaled(c, A), scaled(copied(c), copied(A)));
        must_be_equal("map", map(SILU, A), map(SILU, copied(A)));
        must_be_equal("row_sum", row_sum(A), row_sum(copied(A)));
        if (every_row_has_an_entry(A))
            must_be_equal("row_softmax", row_softmax(A, NULL), row_softmax(copied(A), NULL));
        scope_close(in, scope);
    }
    gsl_rng_free(r);
    system_free(in);
}

/* What is staged is not what was given: other uses of the given matrix see it unrounded. */
static void a_stage_leaves_its_operand_alone(void **unused)
{
    (void)unused;
    const double v[] = {1.01, 2.01, 3.01, 4.01};
    for (size_t s = 0; s < REAL_SYSTEMS; s++)
        for (int name = 0; name < STAGES; name++) {
            System *in = system_number(s);
            Matrix A = matrix_from(in, 2, 2, v), before = matrix_from(in, 2, 2, v);
            A.band = CAUSAL;
            Matrix B = stage((Stage)name, A);
            assert_true(B.rows == 2 && B.cols == 2 && same_band(A, B));
            for (size_t k = 0; k < 4; k++)
                assert_true(number_at(A, k / 2, k % 2) == number_at(before, k / 2, k % 2));
            system_free(in);
        }
}

static void assign_writes_through_a_view_and_nowhere_else(void **unused)
{
    (void)unused;
    System *in = field_system(1);
    uint64_t state = 10;
    Matrix A = field_random_matrix(in, 5, 6, &state), before = copied(A);
    Matrix B = field_random_matrix(in, 4, 4, &state);
    assign(columns(rows(A, 1, 3), 2, 2), columns(rows(B, 1, 3), 1, 2));
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 6; j++) {
            bool inside = i >= 1 && i < 4 && j >= 2 && j < 4;
            assert_true(at(A, i, j) == (inside ? at(B, i, j - 1) : at(before, i, j)));
        }
    system_free(in);
}

static void matrix_from_reads_row_by_row(void **unused)
{
    (void)unused;
    const double v[] = {1, 2, 3, 4, 5, 6};
    for (size_t s = 0; s < REAL_SYSTEMS; s++) {
        System *in = system_number(s);
        Matrix A = matrix_from(in, 2, 3, v), Z = matrix(in, 2, 3);
        for (size_t k = 0; k < 6; k++) {
            assert_true(number_at(A, k / 3, k % 3) == v[k]);
            assert_true(same(number_at(Z, k / 3, k % 3), 0));
        }
        system_free(in);
    }
}

/* What was made outside stays, what was made inside is gone; a sanitizer sees what is kept too
 * long. */
static void a_scope_frees_what_was_made_in_it(void **unused)
{
    (void)unused;
    for (size_t s = 0; s < REAL_SYSTEMS; s++) {
        System *in = system_number(s);
        const double v[] = {1.5, 2.5};
        Scope empty = scope_open(in);
        Matrix outside = matrix_from(in, 1, 2, v);
        for (int round = 0; round < 3; round++) {
            Scope outer = scope_open(in);
            for (int k = 0; k < 200; k++)       /* more than the first table of matrices holds */
                (void)matrix_from(in, 1, 2, v);
            Scope inner = scope_open(in);
            Matrix sum = add(outside, outside);
            assert_true(fabs(number_at(sum, 0, 1) - 5) <= 5 * ldexp(1, -24));   /* N1 */
            scope_close(in, inner);
            assert_int_equal(scope_open(in), inner);
            scope_close(in, outer);
            assert_int_equal(scope_open(in), outer);
            assert_true(number_at(outside, 0, 0) == 1.5 && number_at(outside, 0, 1) == 2.5);
        }
        scope_close(in, empty);
        assert_int_equal(scope_open(in), empty);
        (void)matrix(in, 3, 3);                 /* left to system_free */
        (void)matrix(in, 0, 3);
        system_free(in);
    }
    system_free(NULL);
}

/* ---- shapes that do not fit ----------------------------------------------------------------- */

static Matrix made(size_t m, size_t n) { return matrix(field_system(1), m, n); }

static Matrix beside(Matrix A, size_t m, size_t n) { return matrix(A.in, m, n); }

#define MISFIT(name, A_rows, A_cols, B_rows, B_cols, call) \
    static void name(void) \
    { \
        Matrix A = made(A_rows, A_cols), B = beside(A, B_rows, B_cols); \
        call; \
    }
#define MIXED(name, A_rows, A_cols, B_rows, B_cols, call) \
    static void name(void) \
    { \
        Matrix A = made(A_rows, A_cols), B = made(B_rows, B_cols); \
        call; \
    }

MISFIT(misfit_product, 2, 3, 2, 3, (void)product(A, B, EVERYWHERE))
MISFIT(misfit_product_nt, 2, 3, 3, 2, (void)product_nt(A, B, EVERYWHERE))
MISFIT(misfit_product_tn, 2, 3, 3, 2, (void)product_tn(A, B, EVERYWHERE))
MISFIT(misfit_hadamard_rows, 2, 3, 3, 3, (void)hadamard(A, B))
MISFIT(misfit_hadamard_cols, 2, 3, 2, 2, (void)hadamard(A, B))
MISFIT(misfit_shift_rows, 2, 3, 3, 1, (void)row_shift(A, B))
MISFIT(misfit_shift_cols, 2, 3, 2, 3, (void)row_shift(A, B))
MISFIT(misfit_scale_rows, 2, 3, 3, 1, (void)row_scale(A, B))
MISFIT(misfit_scale_cols, 2, 3, 2, 3, (void)row_scale(A, B))
MISFIT(misfit_dot_rows, 2, 3, 3, 3, (void)row_dot(A, B))
MISFIT(misfit_dot_cols, 2, 3, 2, 2, (void)row_dot(A, B))
MISFIT(misfit_add_rows, 2, 3, 1, 3, (void)add(A, B))
MISFIT(misfit_add_cols, 2, 3, 2, 2, (void)add(A, B))
MISFIT(misfit_subtract_rows, 2, 3, 3, 3, (void)subtract(A, B))
MISFIT(misfit_subtract_cols, 2, 3, 2, 4, (void)subtract(A, B))
MISFIT(misfit_scaled_rows, 2, 1, 2, 3, (void)scaled(A, B))
MISFIT(misfit_scaled_cols, 1, 2, 2, 3, (void)scaled(A, B))
MISFIT(misfit_divide_rows, 2, 3, 3, 1, (void)row_divide(A, B))
MISFIT(misfit_divide_cols, 2, 3, 2, 3, (void)row_divide(A, B))
MISFIT(misfit_assign_rows, 2, 3, 3, 3, assign(A, B))
MISFIT(misfit_assign_cols, 2, 3, 2, 2, assign(A, B))
MISFIT(misfit_rows_first, 2, 3, 1, 1, ((void)B, (void)rows(A, 3, 0)))
MISFIT(misfit_rows_count, 2, 3, 1, 1, ((void)B, (void)rows(A, 1, 2)))
MISFIT(misfit_rows_wrap, 2, 3, 1, 1, ((void)B, (void)rows(A, 1, SIZE_MAX)))
MISFIT(misfit_row, 2, 3, 1, 1, ((void)B, (void)row(A, 2)))
MISFIT(misfit_columns_first, 2, 3, 1, 1, ((void)B, (void)columns(A, 4, 0)))
MISFIT(misfit_columns_count, 2, 3, 1, 1, ((void)B, (void)columns(A, 2, 2)))
MISFIT(misfit_columns_wrap, 2, 3, 1, 1, ((void)B, (void)columns(A, 1, SIZE_MAX)))
MISFIT(misfit_size, 2, 3, 1, 1, (void)beside(B, SIZE_MAX / 2, 3))
MISFIT(misfit_bytes, 2, 3, 1, 1, (void)beside(B, SIZE_MAX / 4, 1))
MIXED(mixed_product, 2, 2, 2, 2, (void)product(A, B, EVERYWHERE))
MIXED(mixed_product_nt, 2, 2, 2, 2, (void)product_nt(A, B, EVERYWHERE))
MIXED(mixed_product_tn, 2, 2, 2, 2, (void)product_tn(A, B, EVERYWHERE))
MIXED(mixed_hadamard, 2, 2, 2, 2, (void)hadamard(A, B))
MIXED(mixed_shift, 2, 2, 2, 1, (void)row_shift(A, B))
MIXED(mixed_scale, 2, 2, 2, 1, (void)row_scale(A, B))
MIXED(mixed_dot, 2, 2, 2, 2, (void)row_dot(A, B))
MIXED(mixed_add, 2, 2, 2, 2, (void)add(A, B))
MIXED(mixed_subtract, 2, 2, 2, 2, (void)subtract(A, B))
MIXED(mixed_scaled, 1, 1, 2, 2, (void)scaled(A, B))
MIXED(mixed_divide, 2, 2, 2, 1, (void)row_divide(A, B))
MIXED(mixed_assign, 2, 2, 2, 2, assign(A, B))

static void empty_reference_row(void)
{
    Matrix S = made(3, 3);
    S.band = lookahead(NO_WINDOW);
    (void)row_reference(S, NULL);
}

static void empty_softmax_row(void)
{
    Matrix S = made(3, 3);
    S.band = lookahead(NO_WINDOW);
    (void)row_softmax(S, NULL);
}

static void softmax_without_columns(void) { (void)row_softmax(made(2, 0), NULL); }

static void what_does_not_fit_stops_with_the_functions_name(void **unused)
{
    (void)unused;
    const struct {
        void (*function)(void);
        const char *text;
    } bugs[] = {
        {misfit_product, "bug in product: shapes 2 x 3 and 2 x 3 do not fit"},
        {misfit_product_nt, "bug in product_nt: shapes 2 x 3 and 3 x 2 do not fit"},
        {misfit_product_tn, "bug in product_tn: shapes 2 x 3 and 3 x 2 do not fit"},
        {misfit_hadamard_rows, "bug in hadamard: shapes 2 x 3 and 3 x 3 do not fit"},
        {misfit_hadamard_cols, "bug in hadamard: shapes 2 x 3 and 2 x 2 do not fit"},
        {misfit_shift_rows, "bug in row_shift: shapes 2 x 3 and 3 x 1 do not fit"},
        {misfit_shift_cols, "bug in row_shift: shapes 2 x 3 and 2 x 3 do not fit"},
        {misfit_dot_rows, "bug in row_dot: shapes 2 x 3 and 3 x 3 do not fit"},
        {misfit_dot_cols, "bug in row_dot: shapes 2 x 3 and 2 x 2 do not fit"},
        {mixed_product_tn, "bug in product_tn: matrices of two number systems"},
        {mixed_hadamard, "bug in hadamard: matrices of two number systems"},
        {mixed_shift, "bug in row_shift: matrices of two number systems"},
        {mixed_dot, "bug in row_dot: matrices of two number systems"},
        {misfit_add_rows, "bug in add: shapes 2 x 3 and 1 x 3 do not fit"},
        {misfit_add_cols, "bug in add: shapes 2 x 3 and 2 x 2 do not fit"},
        {misfit_subtract_rows, "bug in subtract: shapes 2 x 3 and 3 x 3 do not fit"},
        {misfit_subtract_cols, "bug in subtract: shapes 2 x 3 and 2 x 4 do not fit"},
        {misfit_scaled_rows, "bug in scaled: shapes 2 x 1 and 2 x 3 do not fit"},
        {misfit_scaled_cols, "bug in scaled: shapes 1 x 2 and 2 x 3 do not fit"},
        {misfit_divide_rows, "bug in row_divide: shapes 2 x 3 and 3 x 1 do not fit"},
        {misfit_divide_cols, "bug in row_divide: shapes 2 x 3 and 2 x 3 do not fit"},
        {misfit_assign_rows, "bug in assign: shapes 2 x 3 and 3 x 3 do not fit"},
        {misfit_assign_cols, "bug in assign: shapes 2 x 3 and 2 x 2 do not fit"},
        {misfit_rows_first, "bug in rows: "},
        {misfit_rows_count, "bug in rows: rows 1 + 2 of a 2 x 3 matrix"},
        {misfit_rows_wrap, "bug in rows: "},
        {misfit_row, "bug in rows: rows 2 + 1 of a 2 x 3 matrix"},
        {misfit_columns_first, "bug in columns: "},
        {misfit_columns_count, "bug in columns: columns 2 + 2 of a 2 x 3 matrix"},
        {misfit_columns_wrap, "bug in columns: "},
        {misfit_size, "bug in matrix: "},
        {misfit_bytes, "bug in matrix: "},
        {mixed_product, "bug in product: matrices of two number systems"},
        {mixed_product_nt, "bug in product_nt: matrices of two number systems"},
        {mixed_add, "bug in add: matrices of two number systems"},
        {mixed_subtract, "bug in subtract: matrices of two number systems"},
        {mixed_scaled, "bug in scaled: matrices of two number systems"},
        {mixed_divide, "bug in row_divide: matrices of two number systems"},
        {mixed_assign, "bug in assign: matrices of two number systems"},
        {misfit_scale_rows, "bug in row_scale: shapes 2 x 3 and 3 x 1 do not fit"},
        {misfit_scale_cols, "bug in row_scale: shapes 2 x 3 and 2 x 3 do not fit"},
        {mixed_scale, "bug in row_scale: matrices of two number systems"},
        {empty_reference_row, "bug in row_reference: row 2 of 3 x 3 has no allowed entry"},
        {empty_softmax_row, "row 2 of 3 x 3 has no allowed entry"},
        {softmax_without_columns, "row 0 of 2 x 0 has no allowed entry"},
    };
    for (size_t k = 0; k < sizeof bugs / sizeof *bugs; k++)
        assert_aborts(bugs[k].function, bugs[k].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_stops_with_the_functions_name),
        cmocka_unit_test(bands_name_the_sets_of_the_paper),
        cmocka_unit_test(a_block_sees_the_band_of_the_whole),
        cmocka_unit_test(ranges_hold_what_the_band_holds),
        cmocka_unit_test(product_with_bands_is_dense_product_of_zeros),
        cmocka_unit_test(larger_products_with_bands_are_dense_products_of_zeros),
        cmocka_unit_test(sums_with_bands_are_dense_sums_of_zeros),
        cmocka_unit_test(absent_entries_stay_0_and_take_no_part),
        cmocka_unit_test(an_empty_row_may_be_divided_by_its_sum),
        cmocka_unit_test(nan_in_an_absent_entry_takes_no_part),
        cmocka_unit_test(nan_spoils_its_own_row_of_a_softmax_only),
        cmocka_unit_test(weights_sum_to_1),
        cmocka_unit_test(a_lone_score_has_weight_1_exactly),
        cmocka_unit_test(a_lone_nan_has_no_weight),
        cmocka_unit_test(the_reference_is_the_largest_present_entry_or_the_floor),
        cmocka_unit_test(a_shift_of_a_row_changes_no_weight),
        cmocka_unit_test(a_view_shares_entries_and_band),
        cmocka_unit_test(an_operation_on_a_view_is_the_operation_on_its_copy),
        cmocka_unit_test(a_stage_leaves_its_operand_alone),
        cmocka_unit_test(assign_writes_through_a_view_and_nowhere_else),
        cmocka_unit_test(matrix_from_reads_row_by_row),
        cmocka_unit_test(a_scope_frees_what_was_made_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
