/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Monte Carlo arithmetic with noise: each rule of noisy.c's header perturbs by what it says.
 * (test_noisy_plain.c: without noise it is plain binary64.)
 *
 * A perturbation over its predicted size is a number in [-1, 1]. If it is uniform, its mean is 0
 * and its mean square 1/3. By Hoeffding's inequality the mean of n such numbers is off by t with
 * probability at most 2 exp(-n t^2 / 2), the mean square by t with at most 2 exp(-2 n t^2). Every
 * such check below is set to a false alarm with probability 1e-9; there are fewer than 200 of
 * them, and the seeds are fixed, so that a check that passed once passes always.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "systems_support.h"

#define FALSE_ALARM 1e-9

typedef struct Draws {
    double sum, squares;
    long n;
} Draws;

static void draw(Draws *d, double x)
{
    d->sum += x;
    d->squares += x * x;
    d->n++;
}

/* The draws lie in [-1, 1]; their mean square should be `square` (1/3 where they are uniform). */
static void check_draws(const char *rule, const Draws *d, double square)
{
    double n = (double)d->n;
    double mean_off = sqrt(2 * log(2 / FALSE_ALARM) / n), square_off = mean_off / 2;
    if (!(fabs(d->sum / n) <= mean_off) || !(fabs(d->squares / n - square) <= square_off)) {
        print_error("%s: %ld draws, mean %g (0 +- %g), mean square %g (%g +- %g)\n", rule, d->n,
                    d->sum / n, mean_off, d->squares / n, square, square_off);
        fail();
    }
}

/* At most 1, but for the slack that the caller derives. */
static void check_within(const char *rule, double draw_, double slack)
{
    if (!(fabs(draw_) <= 1 + slack)) {
        print_error("%s: a perturbation of %.17g times its largest\n", rule, draw_);
        fail();
    }
}

/* The perturbed number, at most 2 |y|, is rounded to binary64: against u |y| that is 2^-52 / u. */
static void check_range(const char *rule, double draw_, double u)
{
    check_within(rule, draw_, 0x1p-52 / u);
}

/* ---- seeds ---------------------------------------------------------------------------------- */

enum { SIDE = 12, ALL_SIDES = SIDE * SIDE };

static Matrix some_chain(System *in, const double *v)
{
    Matrix A = stage(STAGE_INPUT, matrix_from(in, SIDE, SIDE, v));
    Matrix S = stage(STAGE_SC, product_nt(A, A, CAUSAL));
    Matrix P = stage(STAGE_P, row_softmax(subtract(S, map(SILU, S)), NULL));
    return stage(STAGE_O, product(P, A, EVERYWHERE));
}

static void the_seed_alone_fixes_every_number(void **unused)
{
    (void)unused;
    gsl_rng *r = random_source(4);
    Arithmetic a = arithmetic("bfloat16");
    double v[ALL_SIDES];
    random_fill(r, v, ALL_SIDES, -3, 0, &BINARY64);
    for (uint64_t seed = 0; seed < 20; seed++) {
        System *one = noisy_system(&a, seed, 1), *two = noisy_system(&a, seed, 1);
        System *other = noisy_system(&a, seed + 1, 1);
        Matrix x = some_chain(one, v), y = some_chain(two, v), z = some_chain(other, v);
        Matrix again = some_chain(one, v);
        for (size_t k = 0; k < ALL_SIDES; k++) {
            assert_true(number_at(x, k / SIDE, k % SIDE) == number_at(y, k / SIDE, k % SIDE));
            assert_true(number_at(x, k / SIDE, k % SIDE) != number_at(z, k / SIDE, k % SIDE));
            assert_true(number_at(x, k / SIDE, k % SIDE) != number_at(again, k / SIDE, k % SIDE));
        }
        system_free(one);
        system_free(two);
        system_free(other);
    }
    gsl_rng_free(r);
}

/* ---- the rules ------------------------------------------------------------------------------ */

enum { MANY = 1000, TWICE = 2 * MANY, THRICE = 3 * MANY };

/* N1: y + xi (u |y| + tiny) after each single operation. */
static void check_n1(const char *declaration, double amplify)
{
    const char *const names[] = {"N1, add",     "N1, subtract", "N1, scaled",     "N1, divide",
                                 "N1, sigmoid", "N1, silu",     "N1, exp",        "N1, log",
                                 "N1, shift",   "N1, hadamard", "N1, gate slope", "N1, silu slope"};
    enum { RESULTS = 12 };
    gsl_rng *r = random_source(5);
    Arithmetic a = arithmetic(declaration);
    System *in = noisy_system(&a, 5, amplify), *plain = noisy_system(&a, 5, 0);
    double u = amplify * format_roundoff(a.accumulate);
    double tiny = amplify * ldexp(1, a.accumulate->emin);
    Draws draws[RESULTS] = {{0}};
    for (long n = 0; n < repetitions(40); n++) {
        Scope scope = scope_open(in), quiet = scope_open(plain);
        double x[MANY], y[MANY], c[1];
        random_fill(r, x, MANY, -6, 2, &BINARY64);
        random_fill(r, y, MANY, -6, 2, &BINARY64);
        random_fill(r, c, 1, -3, 3, &BINARY64);
        Matrix results[2][RESULTS];
        for (size_t s = 0; s < 2; s++) {
            System *of = s ? in : plain;
            Matrix A = matrix_from(of, 1, MANY, x), B = matrix_from(of, 1, MANY, y);
            Matrix C = matrix_from(of, 1, 1, c), positive = matrix(of, 1, MANY);
            for (size_t k = 0; k < MANY; k++)
                *(double *)entry(positive, 0, k) = fabs(x[k]);
            results[s][0] = add(A, B);
            results[s][1] = subtract(A, B);
            results[s][2] = scaled(C, A);
            results[s][3] = row_divide(A, C);
            results[s][4] = map(SIGMOID, A);
            results[s][5] = map(SILU, A);
            results[s][6] = map(EXP, A);
            results[s][7] = map(LOG, positive);
            results[s][8] = row_shift(A, C);
            results[s][9] = hadamard(A, B);
            results[s][10] = map(GATE_SLOPE, A);
            results[s][11] = map(SILU_SLOPE, A);
        }
        for (size_t o = 0; o < RESULTS; o++)
            for (size_t k = 0; k < MANY; k++) {
                double exact = number_at(results[0][o], 0, k), got = number_at(results[1][o], 0, k);
                double part = (got - exact) / (u * fabs(exact) + tiny);
                check_range(names[o], part, u);
                draw(&draws[o], part);
            }
        scope_close(in, scope);
        scope_close(plain, quiet);
    }
    for (size_t o = 0; o < RESULTS; o++)
        check_draws(names[o], &draws[o], 1.0 / 3);
    system_free(in);
    system_free(plain);
    gsl_rng_free(r);
}

static void rule_n1_one_operation_errs_by_u_times_itself(void **unused)
{
    (void)unused;
    check_n1("float32", 1);
    check_n1("float32,accumulate=bfloat16", 1);
    check_n1("float32,accumulate=float16", 1); /* tiny = 2^-14 is seen */
    check_n1("float64", 1024);
}

/* N2: xi sqrt(n) (u sum |a b| + tiny), n the pairs that are present in both operands. An n of no
 * terms but zeros is exact. `kind`: A B, A B^T or A^T B. */
static void check_n2(const char *declaration, double amplify, ProductKind kind)
{
    bool nt = kind == PRODUCT_NT, tn = kind == PRODUCT_TN;
    gsl_rng *r = random_source(6);
    Arithmetic a = arithmetic(declaration);
    System *in = noisy_system(&a, 6, amplify);
    double u = amplify * format_roundoff(a.accumulate);
    double tiny = amplify * ldexp(1, a.accumulate->emin);
    Draws draws = {0}, sums = {0};
    for (long n = 0; n < repetitions(60); n++) {
        Scope scope = scope_open(in);
        size_t m = 20 + random_up_to(r, 10), inner = 1 + random_up_to(r, 30), cols = 20;
        enum { ROOM = 30 * 31 };
        double x[ROOM], y[ROOM];
        Band band[3];
        for (size_t b = 0; b < 3; b++) {
            ptrdiff_t lo = (ptrdiff_t)random_up_to(r, 30) - 25;
            Band narrow = {lo, lo + (ptrdiff_t)random_up_to(r, 40)};
            band[b] = random_up_to(r, 2) ? narrow : EVERYWHERE;
        }
        size_t b_cols = nt ? inner : cols;
        random_fill(r, x, ROOM, -3, 3, &BINARY64);
        random_fill(r, y, ROOM, -3, 3, &BINARY64);
        for (size_t k = 0; k < m * inner; k++)
            x[k] = allows(band[0], k / inner, k % inner) ? x[k] : 0;
        for (size_t k = 0; k < inner * cols; k++)
            y[k] = allows(band[1], k / b_cols, k % b_cols) ? y[k] : 0;
        Matrix A = matrix_from(in, m, inner, x), B = matrix_from(in, nt ? cols : inner, b_cols, y);
        A.band = band[0];
        B.band = band[1];
        /* A^T B from the transpose of A, band and all: the same sums */
        double turned[ROOM];
        for (size_t k = 0; k < m * inner; k++)
            turned[k % inner * m + k / inner] = x[k];
        Matrix T = matrix_from(in, inner, m, turned);
        T.band = (Band){-band[0].hi, -band[0].lo};
        Matrix c = row_sum(A), C = nt   ? product_nt(A, B, band[2])
                                   : tn ? product_tn(T, B, band[2])
                                        : product(A, B, band[2]);
        for (size_t i = 0; i < m; i++) {
            double all = 0, all_size = 0, all_n = 0;
            for (size_t k = 0; k < inner; k++) {
                all += x[i * inner + k];
                all_size += fabs(x[i * inner + k]);
                all_n += allows(band[0], i, k);
            }
            if (all_n > 0) {
                double part = (number_at(c, i, 0) - all) / (sqrt(all_n) * (u * all_size + tiny));
                check_range("N2, row_sum", part, u);
                draw(&sums, part);
            } else {
                assert_true(number_at(c, i, 0) == 0);
            }
            for (size_t j = 0; j < cols; j++) {
                double value = 0, size = 0, terms = 0;
                for (size_t k = 0; k < inner; k++) {
                    double b = nt ? y[j * inner + k] : y[k * cols + j];
                    bool both = allows(band[0], i, k) &&
                                (nt ? allows(band[1], j, k) : allows(band[1], k, j));
                    value += x[i * inner + k] * b;
                    size += fabs(x[i * inner + k] * b);
                    terms += both;
                }
                if (terms == 0 || !allows(band[2], i, j)) {
                    assert_true(number_at(C, i, j) == 0);
                    continue;
                }
                double part = (number_at(C, i, j) - value) / (sqrt(terms) * (u * size + tiny));
                check_range("N2, product", part, u);
                draw(&draws, part);
            }
        }
        scope_close(in, scope);
    }
    check_draws("N2, product", &draws, 1.0 / 3);
    check_draws("N2, row_sum", &sums, 1.0 / 3);
    system_free(in);
    gsl_rng_free(r);
}

static void rule_n2_a_sum_errs_by_sqrt_n_u_times_its_absolute_values(void **unused)
{
    (void)unused;
    check_n2("float32", 1, PRODUCT_NN);
    check_n2("float32", 1, PRODUCT_NT);
    check_n2("float32", 1, PRODUCT_TN);
    check_n2("float32,accumulate=tf32", 3, PRODUCT_NN);
    check_n2("float32,accumulate=bfloat16", 0.5, PRODUCT_NT);
    check_n2("float32,accumulate=float16", 1, PRODUCT_TN); /* tiny = 2^-14 is seen */
}

/* The dot of the Operations table, which products of this system do not take, is the same sum. */
static void a_single_dot_is_an_entry_of_a_product(void **unused)
{
    (void)unused;
    Arithmetic a = arithmetic("float32");
    const double x[] = {1, 2, 3, 4, 5, 6};
    System *in = noisy_system(&a, 1, 0);
    Matrix A = matrix_from(in, 1, 3, x), B = matrix_from(in, 3, 2, x), z = matrix(in, 1, 1);
    in->op->dot(in, z.entries, A.entries, 1, entry(B, 0, 1), 2, 3);
    assert_true(number_at(z, 0, 0) == 28);
    assert_true(number_at(product(A, B, EVERYWHERE), 0, 1) == 28);
    system_free(in);
    in = noisy_system(&a, 1, 1);
    A = matrix_from(in, 1, 3, x);
    z = matrix(in, 1, 1);
    Draws draws = {0};
    for (long n = repetitions(20000); n > 0; n--) {
        in->op->dot(in, z.entries, A.entries, 1, A.entries, 1, 3);
        double part = (number_at(z, 0, 0) - 14) / (sqrt(3) * 0x1p-24 * 14);
        check_range("N2, dot", part, 0x1p-24);
        draw(&draws, part);
    }
    check_draws("N2, dot", &draws, 1.0 / 3);
    system_free(in);
}

/* N3 and N4: y (1 + v xi) + underflow xi', two draws. A number far above the underflow shows the
 * first, one far below it the second; where both matter, variances add. */
static void check_n3(const char *declaration, Stage site, double amplify)
{
    Arithmetic a = arithmetic(declaration);
    const Format *f = a.site[site];
    System *in = noisy_system(&a, 7, amplify);
    gsl_rng *r = random_source(7);
    double v = amplify * format_roundoff(f), underflow = amplify * format_smallest(f) / 2;
    Draws large = {0}, small = {0}, both = {0};
    const double balanced = underflow / v * (1 + 0x1p-30);
    for (long n = 0; n < repetitions(40); n++) {
        Scope scope = scope_open(in);
        double x[THRICE];
        for (size_t k = 0; k < MANY; k++) {
            x[k] = random_double(r, 0, 4);
            x[MANY + k] = random_double(r, f->emin - 100, f->emin - 90);
            x[TWICE + k] = balanced;
        }
        Matrix A = stage(site, matrix_from(in, 3, MANY, x));
        for (size_t k = 0; k < MANY; k++) {
            double part = (number_at(A, 0, k) - x[k]) / (v * x[k]);
            /* underflow / (v |x|) <= 2^emin, and the rounding to binary64 */
            check_within("N3, relative", part, ldexp(1, f->emin) + 0x1p-52 / v);
            draw(&large, part);
            part = (number_at(A, 1, k) - x[MANY + k]) / underflow;
            /* v |x| < 2^(emin - 89) v, 2^-89 of the underflow; and binary64's 2^-52 */
            check_within("N3, underflow", part, 0x1p-51);
            draw(&small, part);
            part = (number_at(A, 2, k) - balanced) / (2 * underflow);
            check_within("N3, both", part, 0x1p-30 + 0x1p-52 / v);
            draw(&both, part);
        }
        scope_close(in, scope);
    }
    check_draws("N3, relative", &large, 1.0 / 3);
    check_draws("N3, underflow", &small, 1.0 / 3);
    check_draws("N3, both", &both, 1.0 / 6); /* (1/3 + 1/3) / 4 */
    system_free(in);
    gsl_rng_free(r);
}

static void rules_n3_and_n4_a_stage_errs_by_its_own_roundoff(void **unused)
{
    (void)unused;
    check_n3("bfloat16", STAGE_P, 1);
    check_n3("float16", STAGE_G, 1);
    check_n3("tf32", STAGE_INPUT, 2);
    check_n3("float32,scale=bfloat16", STAGE_SCALE, 1);
    check_n3("float32", STAGE_INPUT, 1);
}

/* N4 the other way round: what the operand format holds stays as it is. */
static void an_input_that_the_format_holds_is_not_perturbed(void **unused)
{
    (void)unused;
    const unsigned long seed = 8;
    gsl_rng *r = random_source(seed);
    const char *const presets[] = {"float64", "float32", "tf32", "bfloat16", "float16"};
    for (size_t p = 0; p < 5; p++) {
        Arithmetic a = arithmetic(presets[p]);
        System *in = noisy_system(&a, seed, 1);
        const Format *f = a.site[STAGE_INPUT];
        for (long n = 0; n < repetitions(20); n++) {
            Scope scope = scope_open(in);
            double v[200];
            int lowest = f->emin - f->precision + 1; /* subnormals, too */
            random_fill(r, v, 100, lowest, f->emax - 1, f);
            for (size_t k = 0; k < 100; k++) /* half a unit between two numbers */
                v[100 + k] = ldexp(ldexp(1, f->precision) + 2 * (double)k + 1, -20);
            Matrix A = stage(STAGE_INPUT, matrix_from(in, 2, 100, v));
            for (size_t k = 0; k < 100; k++) {
                assert_same((Case){presets[p], seed, n, 2, 100}, 0, k, number_at(A, 0, k), v[k]);
                if (p > 0) /* by chance, once in 2^50 */
                    assert_true(number_at(A, 1, k) != v[100 + k]);
            }
            scope_close(in, scope);
        }
        system_free(in);
    }
    gsl_rng_free(r);
}

static void a_stage_no_coarser_than_the_accumulators_is_not_perturbed(void **unused)
{
    (void)unused;
    Arithmetic a = arithmetic("float32,p=float64,accumulate=float32");
    System *in = noisy_system(&a, 9, 1);
    const double v[] = {0.1, -0.3, 1e-300};
    for (int s = 0; s < STAGES; s++)
        if (!arithmetic_rounds_given((Stage)s))
            for (size_t k = 0; k < 3; k++)
                assert_true(number_at(stage((Stage)s, matrix_from(in, 1, 3, v)), 0, k) == v[k]);
    Matrix zero = stage(STAGE_INPUT, matrix(in, 1, 1));
    assert_true(number_at(zero, 0, 0) == 0);
    system_free(in);
}

/* Far below the smallest normal number only `tiny` is left of N1 and N2. */
static void what_underflows_errs_by_the_smallest_normal_number(void **unused)
{
    (void)unused;
    Arithmetic a = arithmetic("float32");
    System *in = noisy_system(&a, 12, 2);
    const double x[] = {0x1p-100, 0x1p-100, 0, 0x1p-100}, tiny = 2 * 0x1p-126;
    Matrix A = matrix_from(in, 1, 4, x);
    Draws one = {0}, many = {0};
    for (long n = repetitions(20000); n > 0; n--) {
        Scope scope = scope_open(in);
        Matrix both = hadamard(A, A), dot = product_nt(A, A, EVERYWHERE);
        double part = number_at(both, 0, 0) / tiny;
        check_within("N1, tiny", part, 0x1p-70); /* 2^-200 (1 + u) against 2^-125 */
        draw(&one, part);
        part = number_at(dot, 0, 0) / (sqrt(4) * tiny); /* four pairs, a zero among them */
        check_within("N2, tiny", part, 0x1p-70);
        draw(&many, part);
        assert_true(number_at(both, 0, 2) == 0);
        scope_close(in, scope);
    }
    check_draws("N1, tiny", &one, 1.0 / 3);
    check_draws("N2, tiny", &many, 1.0 / 3);
    system_free(in);
}

/* An exact 0 is structural: no operation perturbs it. */
static void an_exact_zero_stays_zero(void **unused)
{
    (void)unused;
    Arithmetic a = arithmetic("bfloat16,accumulate=bfloat16");
    System *in = noisy_system(&a, 13, 1);
    const double v[] = {0.3, -0.7, 1.9};
    Matrix A = matrix_from(in, 1, 3, v), Z = matrix(in, 1, 3), c = columns(A, 0, 1);
    Matrix zeros[] = {
        subtract(A, A),   add(Z, Z),    hadamard(Z, A),     scaled(c, Z),
        row_divide(Z, c), map(SILU, Z), map(GATE_SLOPE, Z), product_tn(Z, A, EVERYWHERE)};
    for (size_t k = 0; k < sizeof zeros / sizeof *zeros; k++)
        for (size_t j = 0; j < 3; j++)
            assert_true(number_at(zeros[k], 0, j) == 0);
    assert_true(number_at(row_sum(Z), 0, 0) == 0 && number_at(row_dot(Z, A), 0, 0) == 0);
    assert_true(number_at(product_nt(Z, A, EVERYWHERE), 0, 0) == 0);
    system_free(in);
}

/* A coarse stage leaves 0 and absent entries alone. */
static void a_stage_perturbs_no_zero_and_no_absent_entry(void **unused)
{
    (void)unused;
    Arithmetic a = arithmetic("bfloat16");
    System *in = noisy_system(&a, 10, 1);
    const double v[] = {1, 0, 0, 1};
    Matrix A = matrix_from(in, 2, 2, v);
    A.band = CAUSAL;
    Matrix B = stage(STAGE_P, A);
    assert_true(number_at(B, 0, 1) == 0 && number_at(B, 1, 0) == 0);
    assert_true(number_at(B, 0, 0) != 1 && number_at(B, 1, 1) != 1);
    system_free(in);
}

/* 1/sqrt(n) is exact for n = 4^k only. */
static void an_inexact_inverse_root_is_perturbed(void **unused)
{
    (void)unused;
    const char *const declarations[] = {"float32", "float64", "float32,accumulate=bfloat16"};
    for (size_t d = 0; d < 3; d++) {
        Arithmetic a = arithmetic(declarations[d]);
        System *in = noisy_system(&a, 11, 1 << 20);
        double u = (1 << 20) * format_roundoff(a.accumulate);
        for (unsigned long n = 1; n <= 1024; n++) {
            Scope scope = scope_open(in);
            Matrix A = matrix(in, 1, 1);
            in->op->inverse_root(in, A.entries, n);
            double y = number_at(A, 0, 0), exact = 1 / sqrt((double)n);
            bool power_of_4 = (n & (n - 1)) == 0 && (n & 0x55555555) != 0;
            if ((y == exact) != power_of_4)
                entries_differ((Case){declarations[d], 11, (long)n, 1, 1}, 0, 0, y, exact,
                               u * exact);
            check_range("N1, inverse root", (y - exact) / (u * exact), u);
            scope_close(in, scope);
        }
        system_free(in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_single_dot_is_an_entry_of_a_product),
        cmocka_unit_test(the_seed_alone_fixes_every_number),
        cmocka_unit_test(rule_n1_one_operation_errs_by_u_times_itself),
        cmocka_unit_test(rule_n2_a_sum_errs_by_sqrt_n_u_times_its_absolute_values),
        cmocka_unit_test(rules_n3_and_n4_a_stage_errs_by_its_own_roundoff),
        cmocka_unit_test(what_underflows_errs_by_the_smallest_normal_number),
        cmocka_unit_test(an_exact_zero_stays_zero),
        cmocka_unit_test(an_input_that_the_format_holds_is_not_perturbed),
        cmocka_unit_test(a_stage_no_coarser_than_the_accumulators_is_not_perturbed),
        cmocka_unit_test(a_stage_perturbs_no_zero_and_no_absent_entry),
        cmocka_unit_test(an_inexact_inverse_root_is_perturbed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
