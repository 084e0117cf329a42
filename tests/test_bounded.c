/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Running error analysis: what a played kernel computes is never farther from the exact value than
 * the bound. Exact is MPFR at 300 bits from the same doubles. The comparison itself is exact but
 * for 2^-300 of the exact value, and the bound is read as the double it is: no slack is added
 * anywhere.
 *
 * The bounds must also be of use: how many times larger they are than the largest error met is
 * printed, and only printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "systems_support.h"

enum { EXACT = 300, SIDE = 9 };

static const Bounded *bounded_at(Matrix A, size_t i, size_t j) { return entry(A, i, j); }

/* The three systems that see one problem. */
typedef struct Trio {
    System *played, *exact, *bounded;
} Trio;

static Trio trio(const Arithmetic *a)
{
    return (Trio){played_system(a), mpfr_system(EXACT), bounded_system(a)};
}

static void trio_free(Trio t)
{
    system_free(t.played);
    system_free(t.exact);
    system_free(t.bounded);
}

typedef struct Looseness {
    double worst;          /* largest error over bound */
    long finite, infinite; /* bounds met */
} Looseness;

static void compare(Case here, Matrix played, Matrix exact, Matrix bounded, Looseness *loose)
{
    mpfr_t x, y;
    mpfr_init2(x, EXACT);
    mpfr_init2(y, EXACT);
    assert_int_equal(played.rows, exact.rows);
    assert_int_equal(bounded.cols, exact.cols);
    for (size_t i = 0; i < exact.rows; i++)
        for (size_t j = 0; j < exact.cols; j++) {
            const Bounded *b = bounded_at(bounded, i, j);
            entry_to(x, played, i, j);
            entry_to(y, exact, i, j);
            bool agree = mpfr_nan_p(x) && mpfr_nan_p(y);
            mpfr_sub(y, x, y, MPFR_RNDN);
            double error = agree ? 0 : fabs(mpfr_get_d(y, MPFR_RNDA));
            /* A bound that is not finite promises nothing; NaN would hide a mistake. */
            if (isnan(b->error) || !(error <= b->error || b->error > 1e308))
                entries_differ(here, i, j, number_at(played, i, j), number_at(exact, i, j),
                               b->error);
            loose->infinite += !(b->error < 1e308);
            loose->finite += b->error < 1e308;
            if (b->error > 0 && b->error < 1e308)
                loose->worst = fmax(loose->worst, error / b->error);
            /* size is at least |x| */
            if (!(b->size >= fabs(b->x)) && !isnan(b->x))
                entries_differ(here, i, j, b->size, fabs(b->x), 0);
        }
    mpfr_clear(x);
    mpfr_clear(y);
}

/* ---- single operations ---------------------------------------------------------------------- */

/* Magnitudes: ordinary, wide, at underflow, mixed with zeros, sums that cancel. */
static void some_numbers(gsl_rng *r, double *v, size_t n, size_t manner, const Format *f)
{
    for (size_t k = 0; k < n; k++) {
        double x;
        switch (manner) {
        case 0:
            x = random_double(r, -4, 3);
            break;
        case 1:
            x = random_double(r, f->emin / 4, f->emax / 4);
            break;
        case 2:
            x = random_double(r, f->emin - f->precision + 1, f->emin + 3);
            break;
        case 3:
            x = random_up_to(r, 2) ? random_double(r, f->emin / 2 - 8, f->emin / 2 + 8) : 0;
            break;
        default:
            x = k % 2 ? -v[k - 1] * (1 + ldexp(gsl_rng_uniform(r), -(int)random_up_to(r, 20)))
                      : random_double(r, 0, 6);
        }
        v[k] = format_round_double(x, f);
    }
}

typedef enum Operation {
    ADD,
    SUBTRACT,
    HADAMARD,
    SCALED,
    DIVIDED,
    SUMMED,
    DOTS,
    NN,
    NT,
    TN,
    SIGMOIDS,
    SILUS,
    EXPS,
    LOGS,
    SILU_SLOPES,
    GATE_SLOPES,
    WEIGHTS,
    LSE,
    OPERATIONS
} Operation;

static const char *const operation_names[OPERATIONS] = {
    "add",     "subtract", "hadamard",   "scaled",     "row_divide",  "row_sum",
    "row_dot", "product",  "product_nt", "product_tn", "sigmoid",     "silu",
    "exp",     "log",      "silu_slope", "gate_slope", "row_softmax", "lse",
};

/* Operands that already carry errors: every entry is a sum or a product of two. */
static Matrix operate(System *in, Operation o, const double *a, const double *b, size_t m, size_t n,
                      bool erring)
{
    const double tenth = 0.1f;
    Matrix A = matrix_from(in, m, n, a), B = matrix_from(in, m, n, b), lse, P;
    if (erring) {
        A = scaled(matrix_from(in, 1, 1, &tenth), add(A, B));
        B = subtract(B, A);
    }
    switch (o) {
    case ADD:
        return add(A, B);
    case SUBTRACT:
        return subtract(A, B);
    case HADAMARD:
        return hadamard(A, B);
    case DOTS:
        return row_dot(A, B);
    case TN:
        return product_tn(A, B, CAUSAL);
    case SILU_SLOPES:
        return map(SILU_SLOPE, A);
    case GATE_SLOPES:
        return map(GATE_SLOPE, map(SIGMOID, A));
    case SCALED:
        return scaled(columns(row(B, 0), 0, 1), A);
    case DIVIDED:
        return row_divide(A, columns(B, 0, 1));
    case SUMMED:
        return row_sum(A);
    case NN:
        return product(columns(A, 0, m < n ? m : n), rows(B, 0, m < n ? m : n), CAUSAL);
    case NT:
        return product_nt(A, B, lookahead(3));
    case SIGMOIDS:
        return map(SIGMOID, A);
    case SILUS:
        return map(SILU, A);
    case EXPS:
        return map(EXP, A);
    case LOGS:
        return map(LOG, A);
    default:
        P = row_softmax(A, &lse);
        return o == WEIGHTS ? P : lse;
    }
}

/* Arguments of functions: small ones, and where exp(x) or exp(-x) overflows or underflows. */
static double argument(gsl_rng *r, double x, const Format *f)
{
    double range = random_up_to(r, 3) ? 8 : 1.1 * (double)f->emax * 0.69314718055994531;
    return format_round_double(fmod(x, range), f);
}

static void check_operations(const char *declaration, unsigned long seed)
{
    Arithmetic a = arithmetic(declaration);
    const Format *f = a.accumulate;
    gsl_rng *r = random_source(seed);
    Looseness loose[OPERATIONS] = {{0}};
    Trio t = trio(&a);
    for (long n = 0; n < repetitions(80); n++)
        for (int o = 0; o < OPERATIONS; o++) {
            double x[SIDE * SIDE], y[SIDE * SIDE];
            size_t m = 1 + random_up_to(r, SIDE - 1), cols = 1 + random_up_to(r, SIDE - 1);
            some_numbers(r, x, m * cols, random_up_to(r, 4), f);
            some_numbers(r, y, m * cols, random_up_to(r, 4), f);
            bool erring = n % 2;
            for (size_t k = 0; k < m * cols; k++) {
                if (o >= SIGMOIDS) {
                    x[k] = argument(r, x[k], f);
                    y[k] = argument(r, y[k], f);
                }
                if (o == LOGS) { /* log of a number that is known to be positive */
                    x[k] = fabs(x[k]) + 1;
                    x[k] = format_round_double(x[k], f);
                    y[k] = fabs(y[k]);
                }
                if (o == DIVIDED && fabs(y[k]) < ldexp(1, f->emin / 4))
                    y[k] = 1;
            }
            Scope played = scope_open(t.played), exact = scope_open(t.exact);
            Scope bounded = scope_open(t.bounded);
            compare((Case){operation_names[o], seed, n, m, cols},
                    operate(t.played, (Operation)o, x, y, m, cols, erring),
                    operate(t.exact, (Operation)o, x, y, m, cols, erring),
                    operate(t.bounded, (Operation)o, x, y, m, cols, erring), &loose[o]);
            scope_close(t.played, played);
            scope_close(t.exact, exact);
            scope_close(t.bounded, bounded);
        }
    print_message("%s, largest error / bound:", declaration);
    for (int o = 0; o < OPERATIONS; o++) {
        print_message(" %s %.2g", operation_names[o], loose[o].worst);
        if (loose[o].infinite)
            print_message(" (%ld of %ld bounds infinite)", loose[o].infinite,
                          loose[o].infinite + loose[o].finite);
        assert_true(loose[o].finite > loose[o].infinite);
    }
    print_message("\n");
    trio_free(t);
    gsl_rng_free(r);
}

static void every_operation_is_within_its_bound(void **unused)
{
    (void)unused;
    check_operations("float32", 1);
    check_operations("float32,accumulate=bfloat16", 2);
    check_operations("float32,accumulate=float16", 3);
    check_operations("float32,accumulate=tf32", 4);
}

/* Rule B4's first part alone: an argument that is off by up to e moves f by no more than the bound,
 * whatever the function's own roundings, which float64 makes negligible. */
static void a_function_moves_no_farther_than_its_bound(void **unused)
{
    (void)unused;
    const unsigned long seed = 30;
    const Function functions[] = {SIGMOID, SILU, EXP, LOG, SILU_SLOPE, GATE_SLOPE};
    gsl_rng *r = random_source(seed);
    Arithmetic a = arithmetic("float64");
    System *exact = mpfr_system(EXACT), *in = bounded_system(&a);
    mpfr_t x, y;
    mpfr_inits2(EXACT, x, y, (mpfr_ptr)NULL);
    double tightest = 0;
    for (long n = 0; n < repetitions(20000); n++) {
        Scope here = scope_open(in), there = scope_open(exact);
        Function f = functions[n % 6];
        double v = f == LOG          ? exp(6 * gsl_rng_uniform(r) - 3)
                   : f == GATE_SLOPE ? gsl_rng_uniform(r)
                                     : 12 * (2 * gsl_rng_uniform(r) - 1);
        double e = ldexp(gsl_rng_uniform(r), 2 - (int)random_up_to(r, 20));
        if (f == LOG)
            e = fmin(e, 0.9 * v);
        double t = random_up_to(r, 2) ? 2 * gsl_rng_uniform(r) - 1 : random_up_to(r, 1) ? 1 : -1;
        const double points[] = {v, v + t * e};
        e = fmax(e, nextafter(fabs(points[1] - points[0]), INFINITY));
        Matrix A = matrix_from(in, 1, 1, &v), P = map(f, matrix_from(exact, 1, 2, points));
        ((Bounded *)A.entries)->error = e;
        double bound = bounded_at(map(f, A), 0, 0)->error;
        entry_to(x, P, 0, 0);
        entry_to(y, P, 0, 1);
        mpfr_sub(y, y, x, MPFR_RNDN);
        double moved = fabs(mpfr_get_d(y, MPFR_RNDA));
        if (!(moved <= bound))
            entries_differ((Case){operation_names[SIGMOIDS + n % 6], seed, n, 1, 1}, 0, 0,
                           points[1], v, bound);
        tightest = fmax(tightest, moved / bound);
        scope_close(in, here);
        scope_close(exact, there);
    }
    print_message("functions of inexact arguments: moved / bound up to %.3f\n", tightest);
    mpfr_clears(x, y, (mpfr_ptr)NULL);
    system_free(exact);
    system_free(in);
    gsl_rng_free(r);
}

/* exp(-x) overflows at x = -log(largest): the played gate is 0 there, the true one is not, and SiLU
 * makes up to |x| times as much of it. */
static void functions_are_within_their_bounds_where_exp_overflows(void **unused)
{
    (void)unused;
    const char *const declarations[] = {"float32", "float32,accumulate=bfloat16",
                                        "float32,accumulate=float16", "float64"};
    for (size_t d = 0; d < 4; d++) {
        Arithmetic a = arithmetic(declarations[d]);
        Trio t = trio(&a);
        Looseness loose = {0};
        enum { POINTS = 400, COLS = 8 }; /* short rows: gamma_4n of rule B5 stays finite */
        double v[POINTS], edge = (double)a.accumulate->emax * 0.69314718055994531;
        for (size_t k = 0; k < POINTS; k++)
            v[k] = format_round_double(1.1 * edge * (2 * (double)k / (POINTS - 1) - 1),
                                       a.accumulate);
        Matrix P = matrix_from(t.played, POINTS / COLS, COLS, v);
        Matrix E = matrix_from(t.exact, POINTS / COLS, COLS, v);
        Matrix B = matrix_from(t.bounded, POINTS / COLS, COLS, v);
        const Function functions[] = {SIGMOID, SILU, EXP, SILU_SLOPE};
        for (size_t f = 0; f < 4; f++)
            compare((Case){declarations[d], 0, (long)f, POINTS / COLS, COLS}, map(functions[f], P),
                    map(functions[f], E), map(functions[f], B), &loose);
        assert_true(loose.infinite > 0 && loose.infinite < POINTS); /* exp(x) itself */
        trio_free(t);
    }
}

/* ---- chains --------------------------------------------------------------------------------- */

typedef struct Chain {
    Matrix scale, SC, T1, G, SU, P, lse, O;
} Chain;

/* Products, maps, softmax, products, with the stages of a kernel between them. */
static Chain chain(System *in, const double *v, size_t L, size_t d)
{
    Chain c;
    Matrix input[4];
    for (size_t k = 0; k < 4; k++)
        input[k] = stage(STAGE_INPUT, matrix_from(in, L, d, v + k * L * d));
    c.scale = matrix(in, 1, 1);
    in->op->inverse_root(in, c.scale.entries, d);
    c.scale = stage(STAGE_SCALE, c.scale);
    c.T1 = stage(STAGE_T1, scaled(c.scale, product_nt(input[0], input[1], CAUSAL)));
    Matrix Z = scaled(c.scale, product_nt(input[2], input[3], lookahead(5)));
    c.G = stage(STAGE_G, map(SIGMOID, Z));
    c.SU = stage(STAGE_SU, product_nt(c.T1, c.G, EVERYWHERE));
    c.SC = stage(STAGE_SC, scaled(c.scale, product_nt(input[0], input[3], CAUSAL)));
    c.P = stage(STAGE_P, row_softmax(subtract(c.SC, map(SILU, c.SU)), &c.lse));
    c.lse = stage(STAGE_LSE, c.lse);
    c.O = stage(STAGE_O, product(c.P, input[2], EVERYWHERE));
    return c;
}

static void check_chain(const char *declaration, unsigned long seed)
{
    Arithmetic a = arithmetic(declaration);
    gsl_rng *r = random_source(seed);
    Looseness loose = {0};
    Trio t = trio(&a);
    for (long n = 0; n < repetitions(16); n++) {
        enum { MOST = 12 };
        double v[4 * MOST * MOST];
        size_t L = 1 + random_up_to(r, MOST - 1), d = 1 + random_up_to(r, MOST - 1);
        /* Inputs that the operand format holds, or that are rounded on the way in; small to
         * large. */
        const Format *f = n % 2 ? a.site[STAGE_INPUT] : a.accumulate;
        int top = (int)random_up_to(r, 4) - 2;
        random_fill(r, v, 4 * L * d, top - 12, top, f);
        Scope played = scope_open(t.played), exact = scope_open(t.exact);
        Scope bounded = scope_open(t.bounded);
        Chain p = chain(t.played, v, L, d), e = chain(t.exact, v, L, d);
        Chain b = chain(t.bounded, v, L, d);
        Case here = {"scale", seed, n, L, d};
        compare(here, p.scale, e.scale, b.scale, &loose);
        here.what = "T1";
        compare(here, p.T1, e.T1, b.T1, &loose);
        here.what = "G";
        compare(here, p.G, e.G, b.G, &loose);
        here.what = "SU";
        compare(here, p.SU, e.SU, b.SU, &loose);
        here.what = "SC";
        compare(here, p.SC, e.SC, b.SC, &loose);
        here.what = "P";
        compare(here, p.P, e.P, b.P, &loose);
        here.what = "lse";
        compare(here, p.lse, e.lse, b.lse, &loose);
        here.what = "O";
        compare(here, p.O, e.O, b.O, &loose);
        scope_close(t.played, played);
        scope_close(t.exact, exact);
        scope_close(t.bounded, bounded);
    }
    print_message("%s, whole chain: largest error / bound %.2g, %ld of %ld bounds infinite\n",
                  declaration, loose.worst, loose.infinite, loose.infinite + loose.finite);
    trio_free(t);
    gsl_rng_free(r);
}

static void a_whole_chain_is_within_its_bound(void **unused)
{
    (void)unused;
    const char *const declarations[] = {
        "float32",
        "tf32",
        "bfloat16",
        "float16",
        "float64",
        "bfloat16,accumulate=bfloat16",
        "float16,accumulate=float16",
        "float32,scale=bfloat16,sc=float16,su=bfloat16,lse=tf32",
        "bfloat16,sc=bfloat16,su=bfloat16,o=float16",
    };
    for (size_t k = 0; k < sizeof declarations / sizeof *declarations; k++)
        check_chain(declarations[k], 10 + k);
}

/* ---- exact things --------------------------------------------------------------------------- */

static void what_is_exact_has_bound_0(void **unused)
{
    (void)unused;
    Arithmetic a = arithmetic("bfloat16");
    System *in = bounded_system(&a);
    const double v[] = {1, -0.5, 0, 0x1p-133, 240};
    Matrix A = matrix_from(in, 1, 5, v), m = matrix(in, 1, 1), Z = matrix(in, 3, 3), B;
    in->op->reference(in, m.entries, A.entries, 5);
    assert_true(bounded_at(m, 0, 0)->error == 0 && bounded_at(m, 0, 0)->x == 240);
    for (size_t k = 0; k < 9; k++)
        assert_true(bounded_at(Z, k / 3, k % 3)->error == 0);
    B = stage(STAGE_INPUT, matrix_from(in, 1, 5, v)); /* every number is one of bfloat16 */
    for (size_t k = 0; k < 5; k++) {
        const Bounded *b = bounded_at(B, 0, k);
        assert_true(b->error == 0 && b->x == v[k] && b->size == fabs(v[k]));
    }
    /* a stage no coarser than the accumulators, an empty sum, an absent entry, a lone weight */
    assert_true(bounded_at(stage(STAGE_SC, A), 0, 0)->error == 0);
    Matrix P = product_nt(A, A, (Band){5, 7});
    assert_true(bounded_at(P, 0, 0)->error == 0 && bounded_at(P, 0, 0)->x == 0);
    assert_true(bounded_at(row_sum(columns(A, 0, 0)), 0, 0)->error == 0);
    Matrix lone = matrix_from(in, 1, 1, v);
    assert_true(bounded_at(row_softmax(lone, NULL), 0, 0)->error == 0);
    system_free(in);
}

/* An input that the format does not hold: v |x| and half the smallest subnormal, and no less
 * than the rounding really made. */
static void a_given_number_is_off_by_its_own_rounding(void **unused)
{
    (void)unused;
    const unsigned long seed = 20;
    gsl_rng *r = random_source(seed);
    const char *const presets[] = {"tf32", "bfloat16", "float16"};
    for (size_t p = 0; p < 3; p++) {
        Arithmetic a = arithmetic(presets[p]);
        const Format *f = a.site[STAGE_INPUT];
        System *in = bounded_system(&a);
        for (long n = 0; n < repetitions(5000); n++) {
            Scope scope = scope_open(in);
            double x = random_double(r, f->emin - f->precision - 2, f->emax - 1);
            const Bounded *b = bounded_at(stage(STAGE_INPUT, matrix_from(in, 1, 1, &x)), 0, 0);
            double error = fabs(format_round_double(x, f) - x);
            if (!(error <= b->error) || b->x != x)
                entries_differ((Case){presets[p], seed, n, 1, 1}, 0, 0, error, b->x, b->error);
            scope_close(in, scope);
        }
        const double large = 2 * format_largest(f);
        Matrix kept = stage(STAGE_INPUT, matrix_from(in, 1, 1, &large));
        assert_true(isinf(bounded_at(kept, 0, 0)->error));
        system_free(in);
    }
    gsl_rng_free(r);
}

/* ---- overflow ------------------------------------------------------------------------------- */

/* Where the played kernel overflows, no finite bound can hold. */
static void an_overflow_has_no_finite_bound(void **unused)
{
    (void)unused;
    Arithmetic a = arithmetic("float32,accumulate=float16");
    Trio t = trio(&a);
    Looseness loose = {0};
    const double v[] = {60000, 60000, -60000, 0x1p-10};
    Matrix results[3][10];
    System *systems[] = {t.played, t.exact, t.bounded};
    for (size_t s = 0; s < 3; s++) {
        System *in = systems[s];
        Matrix A = matrix_from(in, 1, 3, v), B = columns(A, 0, 1), C = columns(A, 2, 1);
        Matrix small = matrix_from(in, 1, 1, v + 3);
        Matrix large = matrix_from(in, 1, 1, (const double[]){20});
        results[s][0] = add(B, B);
        results[s][1] = subtract(B, C);
        results[s][2] = scaled(B, B);
        results[s][3] = row_divide(B, small);
        results[s][4] = row_sum(A); /* exact 60000; inf on the way */
        results[s][5] = product_nt(A, A, EVERYWHERE);
        results[s][6] = map(EXP, large);
        results[s][7] = product_nt(A, matrix_from(in, 1, 3, (const double[]){1, 1, 2}), EVERYWHERE);
        results[s][8] = scaled(C, B);
        results[s][9] = map(SIGMOID, scaled(matrix_from(in, 1, 1, (const double[]){-1}), large));
    }
    for (long k = 0; k < 10; k++)
        compare((Case){"overflow", 0, k, 1, 1}, results[0][k], results[1][k], results[2][k],
                &loose);
    trio_free(t);
}

/* A row whose scores are known to nothing: the bounds say so and are no NaN. */
static void hopeless_scores_have_infinite_bounds(void **unused)
{
    (void)unused;
    const double distances[] = {0, 1, 100, 700, 790, 800, 1e4, 1e30};
    const double errors[] = {0, 1e-9, 1, 50, 700, 705, 720, 1e4, 1e30, INFINITY};
    Arithmetic a = arithmetic("float32");
    System *in = bounded_system(&a);
    mpfr_t x, y;
    mpfr_inits2(EXACT, x, y, (mpfr_ptr)NULL);
    format_leave();
    for (size_t d = 0; d < sizeof distances / sizeof *distances; d++)
        for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
            Scope scope = scope_open(in);
            double v = -distances[d];
            Matrix A = matrix_from(in, 1, 1, &v);
            ((Bounded *)A.entries)->error = errors[e];
            for (int f = 0; f <= GATE_SLOPE; f++) {
                if (f == LOG)
                    continue;
                double bound = bounded_at(map((Function)f, A), 0, 0)->error;
                assert_true(!isnan(bound));
                if (f != EXP || !isfinite(errors[e]))
                    continue;
                mpfr_set_d(x, v, MPFR_RNDN); /* exp(v + e) - exp(v) */
                mpfr_exp(y, x, MPFR_RNDN);
                mpfr_add_d(x, x, errors[e], MPFR_RNDN);
                mpfr_exp(x, x, MPFR_RNDN);
                mpfr_sub(x, x, y, MPFR_RNDN);
                if (mpfr_cmp_d(x, bound) > 0)
                    entries_differ((Case){"exp", 0, 0, d, e}, 0, 0, bound, mpfr_get_d(x, MPFR_RNDN),
                                   0);
            }
            scope_close(in, scope);
        }
    mpfr_clears(x, y, (mpfr_ptr)NULL);
    system_free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_is_within_its_bound),
        cmocka_unit_test(a_function_moves_no_farther_than_its_bound),
        cmocka_unit_test(functions_are_within_their_bounds_where_exp_overflows),
        cmocka_unit_test(a_whole_chain_is_within_its_bound),
        cmocka_unit_test(what_is_exact_has_bound_0),
        cmocka_unit_test(a_given_number_is_off_by_its_own_rounding),
        cmocka_unit_test(an_overflow_has_no_finite_bound),
        cmocka_unit_test(hopeless_scores_have_infinite_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
