/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The integers modulo 2^61 - 1: a field, into which doubles go by a homomorphism. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "systems_support.h"

__extension__ typedef unsigned __int128 Wide;

static uint64_t at(Matrix A, size_t i, size_t j) { return *(uint64_t *)entry(A, i, j); }

static Matrix element(System *in, uint64_t x)
{
    Matrix A = matrix(in, 1, 1);
    *(uint64_t *)entry(A, 0, 0) = x;
    return A;
}

static void must_agree(const char *law, long number, Matrix A, Matrix B)
{
    assert_int_equal(A.rows, B.rows);
    assert_int_equal(A.cols, B.cols);
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++)
            if (at(A, i, j) != at(B, i, j)) {
                print_error("%s: case %ld, shape %zu x %zu, entry (%zu, %zu): %llu and %llu\n", law,
                            number, A.rows, A.cols, i, j, (unsigned long long)at(A, i, j),
                            (unsigned long long)at(B, i, j));
                fail();
            }
}

/* Every operation against 128-bit integers, on the edges and at random. */
static void check_pair(System *in, uint64_t a, uint64_t b, long number)
{
    Scope scope = scope_open(in);
    Matrix A = element(in, a), B = element(in, b);
    const uint64_t p = FIELD_PRIME;
    must_agree("a + b", number, add(A, B), element(in, (a + b) % p));
    must_agree("a - b", number, subtract(A, B), element(in, (a + (p - b)) % p));
    must_agree("a b", number, scaled(A, B), element(in, (uint64_t)((Wide)a * b % p)));
    must_agree("a o b", number, hadamard(A, B), scaled(A, B));
    must_agree("row a - b", number, row_shift(A, B), subtract(A, B));
    must_agree("a . b", number, product(A, B, EVERYWHERE), scaled(B, A));
    if (b) {
        must_agree("(a / b) b", number, scaled(row_divide(A, B), B), A);
        must_agree("b / b", number, row_divide(B, B), element(in, 1));
    }
    scope_close(in, scope);
}

static void operations_are_those_of_integers_modulo_p(void **unused)
{
    (void)unused;
    const uint64_t p = FIELD_PRIME;
    const uint64_t edges[] = {0,
                              1,
                              2,
                              3,
                              61,
                              p - 1,
                              p - 2,
                              p / 2,
                              p / 2 + 1,
                              UINT64_C(1) << 60,
                              (UINT64_C(1) << 60) - 1,
                              (UINT64_C(1) << 31) - 1,
                              UINT64_C(1) << 31,
                              UINT64_C(1) << 32};
    const size_t count = sizeof edges / sizeof *edges;
    System *in = field_system(1);
    uint64_t state = 1;
    assert_true(p == UINT64_C(2305843009213693951));
    for (size_t x = 0; x < count; x++)
        for (size_t y = 0; y < count; y++)
            check_pair(in, edges[x], edges[y], (long)(x * count + y));
    for (long n = 0; n < repetitions(20000); n++)
        check_pair(in, field_random(&state), field_random(&state), n);
    system_free(in);
}

static void matrices_over_the_field_are_a_ring(void **unused)
{
    (void)unused;
    System *in = field_system(1);
    uint64_t state = 2;
    for (long n = 0; n < repetitions(2000); n++) {
        Scope scope = scope_open(in);
        size_t a = 1 + (size_t)(n % 5), b = 1 + (size_t)(n / 5 % 5), c = 1 + (size_t)(n / 25 % 5);
        Matrix A = field_random_matrix(in, a, b, &state), B = field_random_matrix(in, b, c, &state);
        Matrix C = field_random_matrix(in, c, a, &state), D = field_random_matrix(in, b, c, &state);
        Matrix E = field_random_matrix(in, b, c, &state), k = field_random_matrix(in, 1, 1, &state);
        Matrix zero = matrix(in, b, c), one = matrix(in, b, b);
        for (size_t i = 0; i < b; i++)
            *(uint64_t *)entry(one, i, i) = 1;
        Band all = EVERYWHERE;
        must_agree("B + D = D + B", n, add(B, D), add(D, B));
        must_agree("(B + D) + E = B + (D + E)", n, add(add(B, D), E), add(B, add(D, E)));
        must_agree("B + 0 = B", n, add(B, zero), B);
        must_agree("B - B = 0", n, subtract(B, B), zero);
        must_agree("B - D = B + (0 - D)", n, subtract(B, D), add(B, subtract(zero, D)));
        must_agree("(A B) C = A (B C)", n, product(product(A, B, all), C, all),
                   product(A, product(B, C, all), all));
        must_agree("A (B + D) = A B + A D", n, product(A, add(B, D), all),
                   add(product(A, B, all), product(A, D, all)));
        must_agree("1 B = B", n, product(one, B, all), B);
        must_agree("B D^T = (D B^T)^T", n, product_nt(B, D, all),
                   product_nt(one, product_nt(D, B, all), all));
        must_agree("k (B + D) = k B + k D", n, scaled(k, add(B, D)),
                   add(scaled(k, B), scaled(k, D)));
        must_agree("(k A) B = k (A B)", n, product(scaled(k, A), B, all),
                   scaled(k, product(A, B, all)));
        scope_close(in, scope);
    }
    system_free(in);
}

static Matrix image(System *in, double x) { return matrix_from(in, 1, 1, &x); }

/* Where doubles add and multiply without rounding, so do their images: set is a ring
 * homomorphism of the dyadic numbers. Both operands have at most 26 bits, so that the product
 * is exact. */
static void set_is_a_ring_homomorphism_on_dyadic_numbers(void **unused)
{
    (void)unused;
    gsl_rng *r = random_source(3);
    System *in = field_system(1);
    for (long n = 0; n < repetitions(20000); n++) {
        Scope scope = scope_open(in);
        double m = rint(ldexp(random_double(r, 0, 0), (int)random_up_to(r, 25)));
        double k = rint(ldexp(random_double(r, 0, 0), (int)random_up_to(r, 25)));
        int exponent = (int)random_up_to(r, 900) - 450, apart = (int)random_up_to(r, 26);
        double a = ldexp(m, exponent), b = ldexp(k, exponent + apart);
        must_agree("set(a) + set(b) = set(a + b)", n, add(image(in, a), image(in, b)),
                   image(in, a + b));
        must_agree("set(a) - set(b) = set(a - b)", n, subtract(image(in, a), image(in, b)),
                   image(in, a - b));
        must_agree("set(a) set(b) = set(a b)", n, scaled(image(in, a), image(in, b)),
                   image(in, a * b));
        scope_close(in, scope);
    }
    gsl_rng_free(r);
    system_free(in);
}

static void set_knows_integers_signs_and_the_ends_of_the_range(void **unused)
{
    (void)unused;
    System *in = field_system(1);
    Matrix two = image(in, 2), half = image(in, 0.5);
    for (int k = 0; k < 100; k++) {
        assert_true(at(image(in, k), 0, 0) == (uint64_t)k);
        assert_true(at(image(in, -k), 0, 0) == (FIELD_PRIME - (uint64_t)k) % FIELD_PRIME);
    }
    assert_true(at(image(in, -0.0), 0, 0) == 0);
    assert_true(at(image(in, 0x1p61), 0, 0) == 1);
    assert_true(at(image(in, 0x1p60), 0, 0) == UINT64_C(1) << 60);
    Matrix x = image(in, 1), y = image(in, 1);
    for (int e = 0; e <= 1074; e++) { /* from 1 down to the least subnormal, up to 2^1023 */
        if (e <= 1023)
            must_agree("2^e", e, x, image(in, ldexp(1, e)));
        must_agree("2^-e", e, y, image(in, ldexp(1, -e)));
        x = scaled(two, x);
        y = scaled(half, y);
    }
    Matrix third = row_divide(image(in, 1), image(in, 3));
    must_agree("3 (1/3) = 1", 0, scaled(image(in, 3), third), image(in, 1));
    system_free(in);
}

static void set_nan(void) { (void)image(field_system(1), NAN); }
static void set_infinity(void) { (void)image(field_system(1), -INFINITY); }

static void divide_by_zero(void)
{
    System *in = field_system(1);
    (void)row_divide(image(in, 1), image(in, 0));
}

static void what_has_no_image_stops(void **unused)
{
    (void)unused;
    assert_aborts(set_nan, "bug in set: ");
    assert_aborts(set_infinity, "bug in set: -inf has no image in the field");
    assert_aborts(divide_by_zero, "bug in inverse: division by 0 in the field");
}

/* ---- random elements ------------------------------------------------------------------------ */

/* splitmix64's finaliser and its inverse: x ^= x >> s is undone by repeating it, a
 * multiplication by an odd number by its inverse modulo 2^64, which Newton's iteration finds. */
static uint64_t unshift(uint64_t x, int s)
{
    uint64_t y = x;
    for (int done = s; done < 64; done += s)
        y = x ^ (y >> s);
    return y;
}

static uint64_t odd_inverse(uint64_t a)
{
    uint64_t x = a;
    for (int k = 0; k < 6; k++)
        x *= 2 - a * x;
    return x;
}

static uint64_t unmixed(uint64_t x)
{
    x = unshift(x, 31) * odd_inverse(UINT64_C(0x94d049bb133111eb));
    x = unshift(x, 27) * odd_inverse(UINT64_C(0xbf58476d1ce4e5b9));
    return unshift(x, 30) - UINT64_C(0x9e3779b97f4a7c15);
}

/* The eight states whose first draw is P itself: it must be drawn again. */
static void field_random_never_returns_p(void **unused)
{
    (void)unused;
    for (uint64_t low = 0; low < 8; low++) {
        uint64_t state = unmixed(FIELD_PRIME << 3 | low), next = state + 1, begun = state;
        uint64_t x = field_random(&state), y = field_random(&next);
        assert_true(x < FIELD_PRIME);
        assert_true(state - begun >= 2);
        assert_true(x == y && state == next);
    }
    uint64_t largest = unmixed((FIELD_PRIME - 1) << 3), zero = unmixed(0);
    assert_true(field_random(&largest) == FIELD_PRIME - 1);
    assert_true(field_random(&zero) == 0);
}

static void field_random_repeats_itself(void **unused)
{
    (void)unused;
    System *in = field_system(1);
    for (uint64_t seed = 0; seed < 50; seed++) {
        uint64_t a = seed, b = seed, c = seed;
        Matrix A = field_random_matrix(in, 3, 4, &a);
        for (size_t k = 0; k < 12; k++) {
            uint64_t x = field_random(&b);
            assert_true(x == at(A, k / 4, k % 4));
            assert_true(x == field_random(&c));
            assert_true(x < FIELD_PRIME);
        }
        assert_true(a == b && b == c);
    }
    system_free(in);
}

/* Uniform: each of 61 bits is set in half of n draws. P(|share - 1/2| >= t) <= 2 exp(-2 n t^2)
 * (Hoeffding); t is chosen so that all 61 together raise a false alarm with probability 1e-9. */
static void field_random_has_no_favourite_bits(void **unused)
{
    (void)unused;
    const long n = repetitions(100000);
    const double t = sqrt(log(2 * 61 / 1e-9) / (2 * (double)n));
    long set[61] = {0};
    uint64_t state = 5;
    for (long k = 0; k < n; k++) {
        uint64_t x = field_random(&state);
        for (int bit = 0; bit < 61; bit++)
            set[bit] += (long)(x >> bit & 1);
    }
    for (size_t bit = 0; bit < 61; bit++)
        if (fabs((double)set[bit] / (double)n - 0.5) > t)
            entries_differ((Case){"bits set", 5, n, 1, 61}, 0, bit, (double)set[bit] / (double)n,
                           0.5, t);
}

/* ---- the arbitrary functions ---------------------------------------------------------------- */

static void functions_are_fixed_by_the_key(void **unused)
{
    (void)unused;
    System *in = field_system(1), *again = field_system(1), *other = field_system(2);
    uint64_t a = 6, b = 6, c = 6;
    Matrix A = field_random_matrix(in, 1, 100, &a), B = field_random_matrix(again, 1, 100, &b);
    Matrix C = field_random_matrix(other, 1, 100, &c);
    const Function functions[] = {SIGMOID, EXP};
    for (size_t f = 0; f < 2; f++) {
        Matrix x = map(functions[f], A), y = map(functions[f], B), z = map(functions[f], C);
        must_agree("one key, one function", 0, x, y);
        for (size_t k = 0; k < 100; k++) {
            assert_true(at(x, 0, k) < FIELD_PRIME);
            assert_true(at(x, 0, k) != at(z, 0, k)); /* by chance: 100 / P */
            assert_true(at(x, 0, k) != at(map(functions[1 - f], A), 0, k));
        }
    }
    must_agree("LOG is the identity", 0, map(LOG, A), A);
    must_agree("exp(0) = 1", 0, map(EXP, matrix(in, 1, 1)), element(in, 1));
    Matrix gate = map(SIGMOID, A), silu = map(SILU, A);
    for (size_t k = 0; k < 100; k++)
        assert_true(at(silu, 0, k) == (uint64_t)((Wide)at(A, 0, k) * at(gate, 0, k) % FIELD_PRIME));
    Matrix ones = matrix(in, 1, 100);
    for (size_t k = 0; k < 100; k++)
        *(uint64_t *)entry(ones, 0, k) = 1;
    must_agree("g (1 - g)", 0, map(GATE_SLOPE, gate), hadamard(gate, subtract(ones, gate)));
    must_agree("g (1 + x (1 - g))", 0, map(SILU_SLOPE, A),
               hadamard(gate, add(ones, hadamard(A, subtract(ones, gate)))));
    Matrix s = matrix(in, 1, 1), t = matrix(again, 1, 1);
    in->op->inverse_root(in, s.entries, 64);
    again->op->inverse_root(again, t.entries, 64);
    must_agree("one scale", 0, s, t);
    assert_true(at(s, 0, 0) != 0 && at(s, 0, 0) < FIELD_PRIME);
    assert_null(in->op->get);
    system_free(in);
    system_free(again);
    system_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_no_image_stops),
        cmocka_unit_test(operations_are_those_of_integers_modulo_p),
        cmocka_unit_test(matrices_over_the_field_are_a_ring),
        cmocka_unit_test(set_is_a_ring_homomorphism_on_dyadic_numbers),
        cmocka_unit_test(set_knows_integers_signs_and_the_ends_of_the_range),
        cmocka_unit_test(field_random_never_returns_p),
        cmocka_unit_test(field_random_repeats_itself),
        cmocka_unit_test(field_random_has_no_favourite_bits),
        cmocka_unit_test(functions_are_fixed_by_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
