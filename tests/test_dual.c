/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dual numbers: values are MPFR's own, tangents are derivatives.
 *
 * Two independent sources of derivatives, both differences of mpfr_system's results:
 * - where an operation is a polynomial of degree 2 at most in its operands, (f(x + t) - f(x - t))
 *   / 2 is its derivative in direction t without any error, and 400 bits hold all of it exactly;
 * - elsewhere (f(x + h t) - f(x - h t)) / (2 h) at 1600 bits with h = 2^-500. It is off by less
 *   than h^2 |f'''| / 6 + k 2^-1600 |f| / h for k roundings, with |f|, |f'''| and k all below
 *   2^100 for the operands drawn here: below 2^-800, next to nothing beside the tangents' own
 *   roundings at 400 bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backward.h"
#include "dual.h"
#include "parallel.h"
#include "sequential.h"
#include "systems_support.h"

enum { BITS = 400, FINE_BITS = 1600, LOG2_STEP = -500, LOG2_FINE_ERROR = -800 };

/* ---- operands and operations ---------------------------------------------------------------- */

enum { SIDE = 5, N = SIDE * SIDE, OPERANDS = 3 };

/* A, B, and c in the first column of the third; with tangents. */
typedef struct Operands {
    double x[OPERANDS][N], t[OPERANDS][N];
} Operands;

static void draw(gsl_rng *r, Operands *o)
{
    for (size_t m = 0; m < OPERANDS; m++) {
        random_fill(r, o->x[m], N, -6, 4, &BINARY64);
        random_fill(r, o->t[m], N, -6, 4, &BINARY64);
    }
}

typedef Matrix Operation(Matrix A, Matrix B, Matrix c);

/* The operation at x + step t, in mpfr_system. */
static Matrix moved(System *in, Operation *f, const Operands *o, double step)
{
    Matrix M[OPERANDS], by = matrix_from(in, 1, 1, &step);
    for (size_t m = 0; m < OPERANDS; m++)
        M[m] = add(matrix_from(in, SIDE, SIDE, o->x[m]),
                   scaled(by, matrix_from(in, SIDE, SIDE, o->t[m])));
    return f(M[0], M[1], columns(M[2], 0, 1));
}

static Matrix in_dual(System *in, Operation *f, const Operands *o)
{
    Matrix M[OPERANDS];
    for (size_t m = 0; m < OPERANDS; m++)
        M[m] = dual_matrix(in, SIDE, SIDE, o->x[m], o->t[m]);
    return f(M[0], M[1], columns(M[2], 0, 1));
}

#define OPERATION(name, expression) \
    static Matrix name(Matrix A, Matrix B, Matrix c) \
    { \
        (void)A, (void)B, (void)c; \
        return expression; \
    }
OPERATION(sum_of_two, add(A, B))
OPERATION(difference, subtract(A, B))
OPERATION(hadamard_product, hadamard(A, B))
OPERATION(square, hadamard(A, A))
OPERATION(multiple, scaled(row(c, 0), A))
OPERATION(shifted_rows, row_shift(A, c))
OPERATION(scaled_rows, row_scale(A, c))
OPERATION(sums_of_rows, row_sum(A))
OPERATION(dots_of_rows, row_dot(A, B))
OPERATION(product_within_causal, product(A, B, CAUSAL))
OPERATION(product_nt_everywhere, product_nt(A, B, EVERYWHERE))
OPERATION(product_tn_within_window, product_tn(A, B, lookahead(2)))
OPERATION(gate_slope, map(GATE_SLOPE, A))
OPERATION(divided_rows, row_divide(A, c))
OPERATION(sigmoid, map(SIGMOID, A))
OPERATION(silu, map(SILU, A))
OPERATION(silu_slope, map(SILU_SLOPE, A))
OPERATION(exponential, map(EXP, A))
OPERATION(logarithm, map(LOG, hadamard(A, A)))
OPERATION(softmax, row_softmax(A, NULL))
OPERATION(softmax_of_causal, row_softmax(product_nt(A, B, CAUSAL), NULL))

static Matrix lse(Matrix A, Matrix B, Matrix c)
{
    (void)B, (void)c;
    Matrix l;
    (void)row_softmax(A, &l);
    return l;
}

typedef struct Named {
    const char *name;
    Operation *f;
} Named;
#define NAMED(f) \
    { \
#f, f \
    }

static const Named quadratic[] = {
    NAMED(sum_of_two),
    NAMED(difference),
    NAMED(hadamard_product),
    NAMED(square),
    NAMED(multiple),
    NAMED(shifted_rows),
    NAMED(scaled_rows),
    NAMED(sums_of_rows),
    NAMED(dots_of_rows),
    NAMED(product_within_causal),
    NAMED(product_nt_everywhere),
    NAMED(product_tn_within_window),
    NAMED(gate_slope),
};
enum { QUADRATICS = sizeof quadratic / sizeof *quadratic };

static const Named others[] = {
    NAMED(divided_rows), NAMED(sigmoid),           NAMED(silu),
    NAMED(silu_slope),   NAMED(exponential),       NAMED(logarithm),
    NAMED(softmax),      NAMED(softmax_of_causal), NAMED(lse),
};
enum { OTHERS = sizeof others / sizeof *others };

/* ---- comparing ------------------------------------------------------------------------------ */

static void must_be_near(Case at, size_t i, size_t j, const mpfr_t got, const mpfr_t expected,
                         double bound)
{
    mpfr_t difference;
    mpfr_init2(difference, FINE_BITS);
    mpfr_sub(difference, got, expected, MPFR_RNDN);
    mpfr_abs(difference, difference, MPFR_RNDN);
    if (mpfr_nan_p(difference) || mpfr_cmp_d(difference, bound) > 0) {
        char text[400];
        mpfr_snprintf(text, sizeof text, "%.40Rg, expected %.40Rg, off by %.5Rg, bound %g", got,
                      expected, difference, bound);
        print_error("%s: seed %lu, case %ld, shape %zu x %zu, entry (%zu, %zu): %s\n", at.what,
                    at.seed, at.number, at.rows, at.cols, i, j, text);
        fail();
    }
    mpfr_clear(difference);
}

/* Values bit for bit, of a dual and an MPFR matrix at the same precision. */
static void must_have_values(Case at, Matrix dual, Matrix plain, long bits)
{
    mpfr_t x, y;
    mpfr_inits2(bits, x, y, (mpfr_ptr)0);
    for (size_t i = 0; i < plain.rows; i++)
        for (size_t j = 0; j < plain.cols; j++) {
            entry_to(x, dual, i, j);
            entry_to(y, plain, i, j);
            must_be_near(at, i, j, x, y, 0);
            assert_int_equal(mpfr_signbit(x), mpfr_signbit(y));
        }
    mpfr_clears(x, y, (mpfr_ptr)0);
}

/* Entry (i, j) of (above - below) / (2 step). */
static void difference_quotient(mpfr_t q, Matrix above, Matrix below, size_t i, size_t j,
                                double step)
{
    mpfr_t y;
    mpfr_init2(y, FINE_BITS);
    entry_to(q, above, i, j);
    entry_to(y, below, i, j);
    mpfr_sub(q, q, y, MPFR_RNDN);
    mpfr_div_d(q, q, 2 * step, MPFR_RNDN);
    mpfr_clear(y);
}

/* ---- values --------------------------------------------------------------------------------- */

static void values_are_those_of_mpfr_bit_for_bit(void **state)
{
    (void)state;
    static const long precisions[] = {2, 24, 53, 256};
    const unsigned long seed = 1;
    gsl_rng *r = random_source(seed);
    for (long n = 0; n < repetitions(40); n++) {
        Operands o;
        draw(r, &o);
        for (size_t p = 0; p < 4; p++) {
            System *dual = dual_system(precisions[p]), *plain = mpfr_system(precisions[p]);
            for (size_t k = 0; k < QUADRATICS + OTHERS; k++) {
                Named f = k < QUADRATICS ? quadratic[k] : others[k - QUADRATICS];
                must_have_values((Case){f.name, seed, n, SIDE, SIDE}, in_dual(dual, f.f, &o),
                                 moved(plain, f.f, &o, 0), precisions[p]);
            }
            system_free(dual);
            system_free(plain);
        }
    }
    gsl_rng_free(r);
}

/* Inputs of a head and dO, with tangents if the system is dual. */
static Head head_of(System *in, const double *numbers, const double *tangents, size_t L, size_t d,
                    size_t window, Matrix *dO)
{
    Head h = {.window = window, .scale = matrix(in, 1, 1)};
    Matrix *inputs[] = {&h.QU, &h.KU, &h.VU, &h.QC, &h.KC, &h.VC, dO};
    for (size_t k = 0; k < 7; k++)
        *inputs[k] = tangents ? dual_matrix(in, L, d, numbers + k * L * d, tangents + k * L * d)
                              : matrix_from(in, L, d, numbers + k * L * d);
    in->op->inverse_root(in, h.scale.entries, d);
    return h;
}

static void texts_have_the_values_of_mpfr_bit_for_bit(void **state)
{
    (void)state;
    enum { L = 6, D = 3, COUNT = 7 * L * D };
    const unsigned long seed = 2;
    gsl_rng *r = random_source(seed);
    for (long n = 0; n < repetitions(10); n++) {
        double x[COUNT], t[COUNT];
        random_fill(r, x, COUNT, -6, 1, &BINARY64);
        random_fill(r, t, COUNT, -6, 1, &BINARY64);
        System *systems[] = {dual_system(256), mpfr_system(256)};
        Answers dense[2], naive[2];
        Gradients g[2];
        for (size_t s = 0; s < 2; s++) {
            Matrix dO;
            Head h = head_of(systems[s], x, s ? NULL : t, L, D, n % 2 ? 2 : NO_WINDOW, &dO);
            dense[s] = answers_for(&h);
            naive[s] = answers_for(&h);
            g[s] = gradients_for(&h);
            parallel(&h, &dense[s]);
            sequential(&h, &naive[s]);
            backward(&h, dO, &g[s]);
        }
        must_have_values((Case){"parallel, O", seed, n, L, D}, dense[0].O, dense[1].O, 256);
        must_have_values((Case){"parallel, lse", seed, n, L, 1}, dense[0].lse, dense[1].lse, 256);
        must_have_values((Case){"sequential, O", seed, n, L, D}, naive[0].O, naive[1].O, 256);
        must_have_values((Case){"backward, dQU", seed, n, L, D}, g[0].dQU, g[1].dQU, 256);
        must_have_values((Case){"backward, dQC", seed, n, L, D}, g[0].dQC, g[1].dQC, 256);
        system_free(systems[0]);
        system_free(systems[1]);
    }
    gsl_rng_free(r);
}

/* ---- tangents ------------------------------------------------------------------------------- */

static void tangents_of_sums_and_products_are_exact(void **state)
{
    (void)state;
    const unsigned long seed = 3;
    gsl_rng *r = random_source(seed);
    mpfr_t got, expected;
    mpfr_inits2(BITS, got, expected, (mpfr_ptr)0);
    for (long n = 0; n < repetitions(100); n++) {
        System *dual = dual_system(BITS), *plain = mpfr_system(BITS);
        Operands o;
        draw(r, &o);
        for (size_t k = 0; k < QUADRATICS; k++) {
            Matrix D = in_dual(dual, quadratic[k].f, &o);
            Matrix above = moved(plain, quadratic[k].f, &o, 1);
            Matrix below = moved(plain, quadratic[k].f, &o, -1);
            for (size_t i = 0; i < D.rows; i++)
                for (size_t j = 0; j < D.cols; j++) {
                    difference_quotient(expected, above, below, i, j, 1);
                    dual_tangent(got, D, i, j);
                    must_be_near((Case){quadratic[k].name, seed, n, SIDE, SIDE}, i, j, got,
                                 expected, 0);
                }
        }
        system_free(dual);
        system_free(plain);
    }
    mpfr_clears(got, expected, (mpfr_ptr)0);
    gsl_rng_free(r);
}

/* The largest difference of two scores of a row, and the largest tangent of a score. */
static void row_spread(Matrix S, size_t i, double *spread, double *tangent)
{
    double least = INFINITY, most = -INFINITY;
    mpfr_t t;
    mpfr_init2(t, 53);
    *tangent = 0;
    for (size_t j = row_range(S, i).first; j < row_range(S, i).end; j++) {
        least = fmin(least, number_at(S, i, j));
        most = fmax(most, number_at(S, i, j));
        dual_tangent(t, S, i, j);
        *tangent = fmax(*tangent, fabs(mpfr_get_d(t, MPFR_RNDN)));
    }
    *spread = most - least;
    mpfr_clear(t);
}

/* The error of a tangent, in 2^-BITS: a number of roundings times a size.
 *
 * With e = exp(-x): e carries 1 rounding, 1 + e 2, g 3, 1 - g = e g 5; those of factors add up.
 *   sigmoid        g (1 - g) x'              3 + 5 + 1 + 1 = 10
 *   silu           g (1 + x (1 - g)) x'      (5 + 1 + 1) + 3 + 1 + 1 = 12, with |x| in size
 *   silu_slope     g (1 - g) (2 + x (1 - 2 g)) x'
 *                                            1 - 2 g: 6 of size (1 - g) + g = 1; times x and 2 +
 *                                            make 8; 8 + 9 + 1 + 1 = 19 of g (1 - g) (2 + |x|) |x'|
 *   exponential    y x'                      2
 *   logarithm      of x^2: 2 x x' / x^2      1 + 1 + 1 = 3
 *   divided_rows   (x' - q c') / c           1 (q) + 1 + 1 + 1 = 4 of (|x'| + |q c'|) / |c| */
static double error_of(const char *name, const Operands *o, size_t i, size_t j)
{
    double x = o->x[0][i * SIDE + j], t = fabs(o->t[0][i * SIDE + j]);
    double g = 1 / (1 + exp(-x)), rest = 1 / (1 + exp(x));
    double c = o->x[2][i * SIDE], ct = fabs(o->t[2][i * SIDE]);
    const struct {
        const char *name;
        double roundings, size;
    } sizes[] = {
        {"sigmoid", 10, g * rest * t},
        {"silu", 12, g * (1 + fabs(x) * rest) * t},
        {"silu_slope", 19, g * rest * (2 + fabs(x)) * t},
        {"exponential", 2, exp(x) * t},
        {"logarithm", 3, 2 * t / fabs(x)},
        {"divided_rows", 4, (t + fabs(x / c) * ct) / fabs(c)},
    };
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        if (strcmp(sizes[k].name, name) == 0)
            return sizes[k].roundings * sizes[k].size;
    return NAN;
}

/* As above for a softmax of n scores with spread s and tangents of at most r. E = exp(S - m)
 * carries s + 1 (the rounding of S - m is at most s), E' = E S' one more, l' n more of size l r;
 * l carries s + n + 1, P = E / l 2 s + n + 3. So P l' carries 3 s + 2 n + 6 of P l r, E' - P l'
 * (s + 2) + (3 s + 2 n + 6) + 2, and the division by l another s + n + 2 of 2 P r. With P <= 1 in
 * all 6 s + 4 n + 14 of r. lse' = l' / l: 2 s + 2 n + 4 of r. */
static double softmax_error(System *in, const char *name, const Operands *o, size_t i)
{
    double spread, tangent, values = 0, tangents = 0;
    bool of_products = strcmp(name, "softmax_of_causal") == 0;
    Operation *scores = of_products ? product_nt_everywhere : shifted_rows;
    row_spread(in_dual(in, scores, o), i, &spread, &tangent);
    for (size_t j = 0; of_products && j < SIDE; j++) {
        double value = 0, moving = 0;
        for (size_t k = 0; k < SIDE; k++) {
            double a = fabs(o->x[0][i * SIDE + k]), b = fabs(o->x[1][j * SIDE + k]);
            value += a * b;
            moving += fabs(o->t[0][i * SIDE + k]) * b + a * fabs(o->t[1][j * SIDE + k]);
        }
        values = fmax(values, SIDE * value);
        tangents = fmax(tangents, 2 * SIDE * moving);
    }
    if (!of_products) /* shifted_rows took c off: the spread stays, the tangents lose c's */
        tangent += fabs(o->t[2][i * SIDE]);
    /* Scores that are products carry errors themselves: n roundings of values, 2 n of tangents.
     * With P' = P (S' - sum P S'), scores off by v move P' by P r (2 (2 v) + 2 v), tangents off by
     * w by 2 w. */
    return (6 * spread + 4 * SIDE + 14 + 6 * values) * tangent + 2 * tangents;
}

static void tangents_of_functions_are_their_derivatives(void **state)
{
    (void)state;
    const unsigned long seed = 4;
    const double h = ldexp(1, LOG2_STEP);
    gsl_rng *r = random_source(seed);
    mpfr_t got, expected;
    mpfr_inits2(FINE_BITS, got, expected, (mpfr_ptr)0);
    for (long n = 0; n < repetitions(20); n++) {
        System *dual = dual_system(BITS), *plain = mpfr_system(FINE_BITS);
        Operands o;
        draw(r, &o);
        for (size_t k = 0; k < OTHERS; k++) {
            Matrix D = in_dual(dual, others[k].f, &o);
            Matrix above = moved(plain, others[k].f, &o, h);
            Matrix below = moved(plain, others[k].f, &o, -h);
            for (size_t i = 0; i < D.rows; i++)
                for (size_t j = 0; j < D.cols; j++) {
                    double error = error_of(others[k].name, &o, i, j);
                    if (isnan(error))
                        error = softmax_error(dual, others[k].name, &o, i);
                    /* one more millionth: errors of errors, and this line's own rounding */
                    double bound = 1.000001 * ldexp(error, -BITS) + ldexp(1, LOG2_FINE_ERROR);
                    difference_quotient(expected, above, below, i, j, h);
                    dual_tangent(got, D, i, j);
                    must_be_near((Case){others[k].name, seed, n, SIDE, SIDE}, i, j, got, expected,
                                 bound);
                }
        }
        system_free(dual);
        system_free(plain);
    }
    mpfr_clears(got, expected, (mpfr_ptr)0);
    gsl_rng_free(r);
}

/* ---- cases of their own --------------------------------------------------------------------- */

static double tangent_at(Matrix A, size_t i, size_t j)
{
    mpfr_t t;
    mpfr_init2(t, 53);
    dual_tangent(t, A, i, j);
    double x = mpfr_get_d(t, MPFR_RNDN);
    mpfr_clear(t);
    return x;
}

/* g (1 - g) at x = +-1000 is exp(-1000) to 10 roundings; with g first rounded it would be 0 or
 * off. Where exp(-x) outgrows MPFR's exponents, 0. */
static void saturated_gates_keep_their_slopes(void **state)
{
    (void)state;
    static const double x[] = {1000, -1000, 1e19, -1e19}, ones[] = {1, 1, 1, 1};
    System *in = dual_system(53);
    Matrix G = map(SIGMOID, dual_matrix(in, 1, 4, x, ones));
    Matrix S = map(SILU, dual_matrix(in, 1, 4, x, ones));
    Matrix C = map(SILU_SLOPE, dual_matrix(in, 1, 4, x, ones));
    mpfr_t slope, expected;
    mpfr_inits2(200, slope, expected, (mpfr_ptr)0);
    for (size_t j = 0; j < 2; j++) {
        dual_tangent(slope, G, 0, j);
        mpfr_set_si(expected, -1000, MPFR_RNDN);
        mpfr_exp(expected, expected, MPFR_RNDN); /* (1 + exp(-1000))^-2 is 1 to 1400 bits */
        mpfr_div(slope, slope, expected, MPFR_RNDN);
        mpfr_sub_ui(slope, slope, 1, MPFR_RNDN);
        mpfr_set_ui_2exp(expected, 11, -53, MPFR_RNDN);
        assert_true(mpfr_cmpabs(slope, expected) <= 0);
    }
    assert_true(tangent_at(S, 0, 0) == 1 && tangent_at(S, 0, 2) == 1);
    for (size_t j = 2; j < 4; j++) {
        assert_true(tangent_at(G, 0, j) == 0);
        assert_true(tangent_at(C, 0, j) == 0);
    }
    assert_true(tangent_at(S, 0, 3) == 0);
    mpfr_clears(slope, expected, (mpfr_ptr)0);
    system_free(in);
}

static void constants_have_tangent_zero(void **state)
{
    (void)state;
    static const double x[] = {3, -2, 7, 5}, t[] = {1, 2, 3, 4};
    System *in = dual_system(100);
    Matrix A = dual_matrix(in, 2, 2, x, t), m = row_reference(A, NULL), most = row_reference(A, &m);
    for (size_t i = 0; i < 2; i++) {
        assert_true(number_at(m, i, 0) == x[i ? 2 : 0] && tangent_at(m, i, 0) == 0);
        assert_true(number_at(most, i, 0) == x[i ? 2 : 0] && tangent_at(most, i, 0) == 0);
    }
    in->op->set(in, A.entries, x, 4);
    in->op->inverse_root(in, m.entries, 9);
    assert_true(tangent_at(m, 0, 0) == 0);
    Matrix untouched = dual_matrix(in, 2, 2, x, NULL);
    for (size_t k = 0; k < 4; k++) {
        assert_true(tangent_at(A, k / 2, k % 2) == 0);
        assert_true(tangent_at(untouched, k / 2, k % 2) == 0);
    }
    /* no operation makes a tangent out of none */
    Operands o = {.t = {{0}}};
    gsl_rng *r = random_source(5);
    for (size_t m2 = 0; m2 < OPERANDS; m2++)
        random_fill(r, o.x[m2], N, -6, 4, &BINARY64);
    gsl_rng_free(r);
    for (size_t k = 0; k < QUADRATICS + OTHERS; k++) {
        Matrix D = in_dual(in, (k < QUADRATICS ? quadratic[k] : others[k - QUADRATICS]).f, &o);
        for (size_t i = 0; i < D.rows; i++)
            for (size_t j = 0; j < D.cols; j++)
                assert_true(tangent_at(D, i, j) == 0);
    }
    system_free(in);
}

static void a_lone_score_has_constant_weight(void **state)
{
    (void)state;
    System *in = dual_system(100);
    Matrix S = product_nt(dual_matrix(in, 1, 1, (double[]){3}, (double[]){5}),
                          dual_matrix(in, 1, 1, (double[]){7}, (double[]){1}), CAUSAL),
           l;
    Matrix P = row_softmax(S, &l);
    assert_true(number_at(P, 0, 0) == 1 && tangent_at(P, 0, 0) == 0);
    assert_true(tangent_at(l, 0, 0) == 5 * 7 + 3); /* lse is the score itself */
    system_free(in);
}

/* A result may be the same run as an operand. */
static void results_may_take_an_operand_s_place(void **state)
{
    (void)state;
    System *in = dual_system(200);
    const Operations *op = in->op;
    gsl_rng *r = random_source(6);
    enum { COUNT = 3 * SIDE };
    double x[COUNT], t[COUNT];
    random_fill(r, x, COUNT, -6, 4, &BINARY64);
    random_fill(r, t, COUNT, -6, 4, &BINARY64);
    gsl_rng_free(r);
    typedef void Runs(System *, void *, const void *, const void *, size_t);
    Runs *const two[] = {op->add, op->subtract, op->multiply, op->scale, op->shift, op->divide};
    for (size_t k = 0; k < 6; k++)
        for (int place = 0; place < 2; place++) {
            size_t n = k < 3 || place == 0 ? SIDE : 1; /* scale's c is one number */
            Matrix M = dual_matrix(in, 3, SIDE, x, t), z = matrix(in, 1, SIDE);
            two[k](in, z.entries, entry(M, 0, 0), entry(M, 1, 0), n);
            two[k](in, entry(M, (size_t)place, 0), entry(M, 0, 0), entry(M, 1, 0), n);
            for (size_t j = 0; j < n; j++) {
                assert_true(number_at(M, (size_t)place, j) == number_at(z, 0, j));
                assert_true(tangent_at(M, (size_t)place, j) == tangent_at(z, 0, j));
            }
        }
    for (Function f = SIGMOID; f <= GATE_SLOPE; f++) {
        Matrix M = dual_matrix(in, 3, SIDE, x, t), z = matrix(in, 1, SIDE);
        op->multiply(in, M.entries, M.entries, M.entries, SIDE); /* positive, for LOG */
        op->map(in, f, z.entries, M.entries, SIDE);
        op->map(in, f, M.entries, M.entries, SIDE);
        for (size_t j = 0; j < SIDE; j++) {
            assert_true(number_at(M, 0, j) == number_at(z, 0, j));
            assert_true(tangent_at(M, 0, j) == tangent_at(z, 0, j));
        }
    }
    system_free(in);
}

static void tangent_of_another_system(void)
{
    mpfr_t t;
    mpfr_init2(t, 53);
    dual_tangent(t, matrix(mpfr_system(53), 1, 1), 0, 0);
}

static void only_dual_matrices_have_tangents(void **state)
{
    (void)state;
    assert_aborts(tangent_of_another_system,
                  "bug in dual_tangent: the matrix is in the system mpfr");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_of_mpfr_bit_for_bit),
        cmocka_unit_test(texts_have_the_values_of_mpfr_bit_for_bit),
        cmocka_unit_test(tangents_of_sums_and_products_are_exact),
        cmocka_unit_test(tangents_of_functions_are_their_derivatives),
        cmocka_unit_test(saturated_gates_keep_their_slopes),
        cmocka_unit_test(constants_have_tangent_zero),
        cmocka_unit_test(a_lone_score_has_constant_weight),
        cmocka_unit_test(results_may_take_an_operand_s_place),
        cmocka_unit_test(only_dual_matrices_have_tangents),
    };
    return cmocka_run_group_tests_name("dual", tests, NULL, NULL);
}
