/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The gradients of backward.h against everything that knows nothing of their formulas:
 * differences of the definition, dual numbers through every forward text, the symmetry of second
 * derivatives.
 *
 * f is <dO, O> throughout, g its gradient by backward(), v a direction in the space of the six
 * inputs, J the derivative of O. Bounds are derived by the majorant system (majorant.h), which
 * runs the very text that is tested; `millionth` is the slack that it asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ball.h"
#include "dual.h"
#include "gradient_support.h"
#include "majorant.h"

#include <gsl/gsl_deriv.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double millionth = 1.000001;

/* How well things agreed, for the line that each test prints. */
static double worst;

static void must_agree(const Solved *p, const char *what, size_t component, const mpfr_t got,
                       const mpfr_t expected, double bound, double unit)
{
    mpfr_t difference;
    mpfr_init2(difference, WIDE);
    mpfr_sub(difference, got, expected, MPFR_RNDN);
    double off = fabs(mpfr_get_d(difference, MPFR_RNDA));
    mpfr_clear(difference);
    if (unit > 0)
        worst = fmax(worst, off / unit);
    if (off <= bound)
        return;
    char text[300];
    mpfr_snprintf(text, sizeof text, "%.60Rg, expected %.60Rg, off by %g, bound %g", got, expected,
                  off, bound);
    say_setting(&p->s);
    if (component == ALL)
        print_error("%s, in a random direction: %s\n", what, text);
    else
        print_error("%s, %s, entry %zu: %s\n", what, gradient_names[component / (p->s.L * p->s.d)],
                    component % (p->s.L * p->s.d), text);
    fail();
}

/* The largest entry of the gradient that a direction is about. */
static double unit_of(const Solved *p, size_t which)
{
    double unit = 0;
    for (size_t k = 0; k < INPUTS; k++)
        if (which == ALL || which / (p->s.L * p->s.d) == k)
            unit = fmax(unit, largest_entry(p->g.of[k]));
    return unit;
}

/* ---- differences of the definition ----------------------------------------------------------- */

/* f at x + h v, by the definition; exact in x: inputs and directions have 24 bits. */
static void definition_at(mpfr_t y, const Solved *p, const double *v, double h)
{
    System *in = p->in;
    Scope scope = scope_open(in);
    size_t n = p->s.L * p->s.d;
    Matrix dO, step = matrix_from(in, 1, 1, &h);
    Head head = setting_head(in, fixed_matrix, &p->s, p->r.numbers, NULL, &dO);
    Matrix *to[] = {&head.QU, &head.KU, &head.VU, &head.QC, &head.KC, &head.VC};
    for (size_t k = 0; k < INPUTS; k++)
        *to[k] = add(*to[k], scaled(step, matrix_from(in, p->s.L, p->s.d, v + k * n)));
    in->op->get(in, y, inner_product(dO, output_of(SEQUENTIAL, &head)).entries);
    scope_close(in, scope);
}

/* (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / (12 h) is off f'(0) by
 *   truncation   the Taylor polynomials of degree 4 cancel exactly; their remainders,
 *                |f^(5)| h^5 / 120 and 32 times that, leave (16 + 64) / (12 * 120) h^4 max |f^(5)|,
 *                which is h^4 M / 18;
 *   rounding     with f off by E 2^-256: (16 + 2) / 12 E 2^-256 / h.
 * They balance near h^5 = E 2^-256 / M: h about 2^-51, an error of about 2^-204. (Two points only,
 * h^2 against 2^-256 / h, would balance near 2^-85 with an error of about 2^-171 times f^(3), which
 * is just short of 50 digits.) M and E are twice the majorants at h = 0, since no majorant changes
 * by as much as that within 2 h < 2^-30. */
static void must_be_the_difference(Solved *p, const double *v, size_t which)
{
    Matrix dO;
    Scope scope = scope_open(p->bounds);
    Head h = setting_head(p->bounds, majorant_matrix, &p->s, p->r.numbers, v, &dO);
    Majorant m = *majorant_at(inner_product(dO, output_of(SEQUENTIAL, &h)), 0, 0);
    scope_close(p->bounds, scope);
    double M = 2 * m.size[5], E = 2 * ldexp(m.value_error, -BITS);
    double step = M > 0 ? ldexp(1, (int)fmin(-31, floor(log2(E / M) / 5))) : ldexp(1, -51);

    double error, absolute, unit = unit_of(p, which);
    mpfr_t f[4], difference, expected;
    mpfr_inits2(WIDE, f[0], f[1], f[2], f[3], difference, expected, (mpfr_ptr)0);
    for (int k = 0; k < 4; k++)
        definition_at(f[k], p, v, (k < 2 ? 1 : 2) * (k % 2 ? -step : step));
    mpfr_sub(difference, f[0], f[1], MPFR_RNDN);
    mpfr_mul_ui(difference, difference, 8, MPFR_RNDN);
    mpfr_sub(difference, difference, f[2], MPFR_RNDN);
    mpfr_add(difference, difference, f[3], MPFR_RNDN);
    mpfr_div_d(difference, difference, 12 * step, MPFR_RNDN);

    gradient_along(expected, p, v, &absolute, &error);
    double bound = millionth * (M * pow(step, 4) / 18 + 1.5 * E / step + ldexp(error, -BITS));
    if (unit == 0) /* nothing depends on this input: not even rounding differs */
        bound = 0;
    must_agree(p, "difference", which, difference, expected, bound, unit);
    if (bound > 1e-50 * unit) {
        say_setting(&p->s);
        print_error("the bound %g shows no 50 digits of %g\n", bound, unit);
        fail();
    }
    mpfr_clears(f[0], f[1], f[2], f[3], difference, expected, (mpfr_ptr)0);
}

static void each_component(Solved *p) { for_every_direction(p, must_be_the_difference); }
static void a_direction(Solved *p) { for_a_random_direction(p, must_be_the_difference); }

static void gradients_are_differences_of_the_definition(void **state)
{
    (void)state;
    worst = 0;
    for_small_settings(each_component);
    for_larger_settings(a_direction, repetitions(6));
    print_message("             agree to %.1f digits\n", -log10(worst));
}

/* ---- dual numbers ---------------------------------------------------------------------------- */

/* The tangent of f through one form is <g, v>: errors of both. */
static void must_be_the_tangent(Solved *p, const double *v, size_t which)
{
    mpfr_t tangent, expected;
    mpfr_inits2(WIDE, tangent, expected, (mpfr_ptr)0);
    double absolute, error;
    gradient_along(expected, p, v, &absolute, &error);
    System *in = dual_system(BITS);
    Matrix dO, dOb;
    Head h = setting_head(in, dual_matrix, &p->s, p->r.numbers, v, &dO);
    Head b = setting_head(p->bounds, majorant_matrix, &p->s, p->r.numbers, v, &dOb);
    for (size_t form = SEQUENTIAL; form <= BLOCKWISE + p->s.L; form++) {
        if (form == BLOCKWISE || (p->s.L > 4 && form > BLOCKWISE && form % 3))
            continue;
        Scope scope = scope_open(p->bounds);
        Majorant m = *majorant_at(inner_product(dOb, output_of(form, &b)), 0, 0);
        scope_close(p->bounds, scope);
        dual_tangent(tangent, inner_product(dO, output_of(form, &h)), 0, 0);
        double bound = millionth * ldexp(m.tangent_error + error, -BITS);
        must_agree(p, form_name(form), which, tangent, expected, bound, bound);
    }
    system_free(in);
    mpfr_clears(tangent, expected, (mpfr_ptr)0);
}

static void each_tangent(Solved *p) { for_every_direction(p, must_be_the_tangent); }
static void a_tangent(Solved *p) { for_a_random_direction(p, must_be_the_tangent); }

static void gradients_are_the_tangents_of_every_form(void **state)
{
    (void)state;
    worst = 0;
    for_small_settings(each_tangent);
    for_larger_settings(a_tangent, repetitions(6));
    print_message("             agree to %.2g of the bound\n", worst);
}

/* <g, v> = <dO, J v> to 2^-200 of the sum of the absolute values of both sides' terms. That sum
 * measures a reader's idea of accuracy; that the derived bound stays below it is asserted too. */
static void must_be_adjoint(Solved *p, const double *v, size_t which)
{
    mpfr_t tangent, expected, t;
    mpfr_inits2(WIDE, tangent, expected, t, (mpfr_ptr)0);
    double absolute, error;
    gradient_along(expected, p, v, &absolute, &error);
    System *in = dual_system(BITS);
    Matrix dO, dOb;
    Head h = setting_head(in, dual_matrix, &p->s, p->r.numbers, v, &dO);
    Head b = setting_head(p->bounds, majorant_matrix, &p->s, p->r.numbers, v, &dOb);
    Matrix O = output_of(PARALLEL, &h), Ob = output_of(PARALLEL, &b);
    mpfr_set_zero(tangent, 1);
    for (size_t i = 0; i < O.rows; i++)
        for (size_t j = 0; j < O.cols; j++) {
            double y = p->r.numbers[setting_components(&p->s) + i * O.cols + j];
            dual_tangent(t, O, i, j);
            mpfr_mul_d(t, t, y, MPFR_RNDN);
            mpfr_add(tangent, tangent, t, MPFR_RNDN);
            absolute += fabs(mpfr_get_d(t, MPFR_RNDN));
            error += fabs(y) * majorant_at(Ob, i, j)->tangent_error;
        }
    assert_true(millionth * ldexp(error, -BITS) <= ldexp(absolute, -200));
    must_agree(p, "<dO, J v>", which, tangent, expected, ldexp(absolute, -200), absolute);
    system_free(in);
    mpfr_clears(tangent, expected, t, (mpfr_ptr)0);
}

static void an_adjoint(Solved *p) { for_a_random_direction(p, must_be_adjoint); }

static void backward_is_the_adjoint_of_the_derivative(void **state)
{
    (void)state;
    worst = 0;
    for_larger_settings(an_adjoint, repetitions(24));
    print_message("             agree to %.1f bits\n", -log2(worst));
}

/* <H v, w> with H the second derivative of f: the tangent of <g, w> along v, through backward
 * itself. */
static Matrix second(System *in, Maker *make, const Solved *p, const double *v, const double *w)
{
    Matrix dO, sum = matrix(in, 1, 1);
    Head h = setting_head(in, make, &p->s, p->r.numbers, v, &dO);
    Six g = dense_gradients(&h, dO);
    for (size_t k = 0; k < INPUTS; k++) {
        Matrix W = matrix_from(in, p->s.L, p->s.d, w + k * p->s.L * p->s.d);
        sum = add(sum, inner_product(g.of[k], W));
    }
    return sum;
}

static void must_be_symmetric(Solved *p)
{
    double *v = random_direction(&p->s, p->s.seed), *w = random_direction(&p->s, p->s.seed + 1);
    System *in = dual_system(BITS);
    mpfr_t vw, wv;
    mpfr_inits2(BITS, vw, wv, (mpfr_ptr)0);
    dual_tangent(vw, second(in, dual_matrix, p, v, w), 0, 0);
    dual_tangent(wv, second(in, dual_matrix, p, w, v), 0, 0);
    double error = majorant_at(second(p->bounds, majorant_matrix, p, v, w), 0, 0)->tangent_error +
                   majorant_at(second(p->bounds, majorant_matrix, p, w, v), 0, 0)->tangent_error;
    must_agree(p, "<H v, w>", ALL, vw, wv, millionth * ldexp(error, -BITS),
               fabs(mpfr_get_d(vw, MPFR_RNDN)));
    mpfr_clears(vw, wv, (mpfr_ptr)0);
    system_free(in);
    free(v);
    free(w);
}

static void second_derivatives_are_symmetric(void **state)
{
    (void)state;
    worst = 0;
    for_small_settings(must_be_symmetric);
    for_larger_settings(must_be_symmetric, repetitions(6));
    print_message("             agree to %.1f bits\n", -log2(worst));
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static void blocks_must_agree(Solved *p)
{
    Matrix dO, dOb;
    Head h = setting_head(p->in, fixed_matrix, &p->s, p->r.numbers, NULL, &dO);
    Head b = setting_head(p->bounds, majorant_matrix, &p->s, p->r.numbers, NULL, &dOb);
    for (size_t B = 1; B <= p->s.L; B++)
        for (TakeBack how = BY_SUBTRACTION; how <= BY_RECOMPUTATION; how++) {
            Scope scope = scope_open(p->in), bounds = scope_open(p->bounds);
            Six g = blockwise_gradients(&h, dO, B, how), e = blockwise_gradients(&b, dOb, B, how);
            for (size_t i = 0; i < setting_components(&p->s); i++) {
                size_t k = i / (p->s.L * p->s.d), row = i / p->s.d % p->s.L, column = i % p->s.d;
                double error = majorant_at(e.of[k], row, column)->value_error +
                               majorant_at(p->error.of[k], row, column)->value_error;
                char what[100];
                (void)snprintf(what, sizeof what, "block size %zu, D by %s", B,
                               how == BY_SUBTRACTION ? "subtraction" : "recomputation");
                must_agree(p, what, i, entry(g.of[k], row, column), entry(p->g.of[k], row, column),
                           millionth * ldexp(error, -BITS), largest_entry(p->g.of[k]));
            }
            scope_close(p->in, scope);
            scope_close(p->bounds, bounds);
        }
}

static void dense_and_blockwise_gradients_agree_to_the_last_bits(void **state)
{
    (void)state;
    worst = 0;
    for_small_settings(blocks_must_agree);
    for_larger_settings(blocks_must_agree, repetitions(6));
    print_message("             agree to %.1f bits of the largest component\n", -log2(worst));
}

/* ---- GSL in double --------------------------------------------------------------------------- */

/* f of one component, in binary64 by the parallel form. */
typedef struct Probe {
    Solved *p;
    System *in;
    double *at, x, nearest; /* the component, its own value, the shortest step taken */
} Probe;

static double f_in_double(double x, void *probe)
{
    Probe *q = probe;
    Scope scope = scope_open(q->in);
    Matrix dO;
    *q->at = x;
    Head h = setting_head(q->in, fixed_matrix, &q->p->s, q->p->r.numbers, NULL, &dO);
    double y = *(double *)inner_product(dO, output_of(PARALLEL, &h)).entries;
    scope_close(q->in, scope);
    q->nearest = fmin(q->nearest, fabs(x - q->x));
    return y;
}

/* GSL returns (4/3 (f(h/2) - f(-h/2)) - 1/6 (f(h) - f(-h))) / h: values off by E move it by at most
 * (8/3 + 1/3) E / h = 3 E / h. E is what bounded_system derives for binary64 and any order of sums;
 * h is twice the shortest step, whichever of GSL's two tries it took. abserr is GSL's own account
 * of truncation, of the rounding of x + h and of the formula's own. */
static void components_must_be_gsl_s(Solved *p)
{
    Arithmetic float64;
    char why[200];
    assert_true(arithmetic_parse(&float64, "float64", why, sizeof why));
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    gsl_rng_set(rng, p->s.seed);
    System *in = f64_system(), *bounded = bounded_system(&float64);
    mpfr_t y;
    mpfr_init2(y, WIDE);
    for (size_t r = 0; r < 20; r++) {
        size_t i = gsl_rng_uniform_int(rng, setting_components(&p->s)), n = p->s.L * p->s.d;
        Probe probe = {p, in, p->r.numbers + i, p->r.numbers[i], INFINITY};
        gsl_function f = {f_in_double, &probe};
        double slope, reported;
        assert_int_equal(gsl_deriv_central(&f, probe.x, ldexp(1, -7), &slope, &reported), 0);
        *probe.at = probe.x;
        Matrix dO;
        Head h = setting_head(bounded, fixed_matrix, &p->s, p->r.numbers, NULL, &dO);
        double E = ((const Bounded *)inner_product(dO, output_of(PARALLEL, &h)).entries)->error;
        double bound = reported + millionth * 3 * E / (2 * probe.nearest);
        mpfr_set_d(y, slope, MPFR_RNDN);
        must_agree(p, "gsl_deriv_central", i, y, entry(p->g.of[i / n], i % n / p->s.d, i % p->s.d),
                   bound, unit_of(p, i));
    }
    mpfr_clear(y);
    system_free(in);
    system_free(bounded);
    gsl_rng_free(rng);
}

static void gradients_are_gsl_s_derivatives_in_double(void **state)
{
    (void)state;
    worst = 0;
    for_larger_settings(components_must_be_gsl_s, repetitions(6));
    print_message("             agree to %.1f digits\n", -log10(worst));
}

/* ---- structural zeros ------------------------------------------------------------------------ */

static bool is_zero(Matrix A, size_t i, size_t j)
{
    mpfr_t x;
    mpfr_init2(x, 53);
    A.in->op->get(A.in, x, entry(A, i, j));
    bool zero = mpfr_zero_p(x);
    mpfr_clear(x);
    return strcmp(A.in->op->name, "ball") == 0 ? arb_is_zero(ball_at(A, i, j)) : zero;
}

static void must_be_zero(const Setting *s, const char *name, Matrix A)
{
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++)
            if (!is_zero(A, i, j)) {
                say_setting(s);
                print_error("%s(%zu, %zu) is not 0 in %s\n", name, i, j, A.in->op->name);
                fail();
            }
}

static void must_have_its_zeros(const Setting *s, Six g)
{
    if (s->window == 0) {
        for (size_t k = 0; k < 3; k++)
            must_be_zero(s, gradient_names[k], g.of[k]);
    }
    must_be_zero(s, "dQU_L", row(g.of[INPUT_QU], s->L - 1));
    must_be_zero(s, "dKU_1", row(g.of[INPUT_KU], 0));
    must_be_zero(s, "dVU_1", row(g.of[INPUT_VU], 0));
    if (s->variant == WITHOUT_CAUSAL_KEYS)
        must_be_zero(s, "dKC", g.of[INPUT_KC]);
    /* and the rest is not: the test can fail */
    if (s->L > 2 && s->window > 0) {
        assert_false(is_zero(g.of[INPUT_QU], 0, 0) || is_zero(g.of[INPUT_KU], s->L - 1, 0));
        assert_false(is_zero(g.of[INPUT_VU], s->L - 1, 0) || is_zero(g.of[INPUT_QC], s->L - 1, 0));
    }
}

static void gradients_that_nothing_depends_on_are_exactly_zero(void **state)
{
    (void)state;
    Arithmetic a;
    char why[200];
    assert_true(arithmetic_parse(&a, "bfloat16", why, sizeof why));
    size_t longest = repetitions(10) < 10 ? 3 : 7;
    for (size_t L = 1; L <= longest; L++)
        for (size_t w = 0; w < 5; w++)
            for (Variant variant = CASTLE; variant <= WITHOUT_SILU; variant++) {
                const size_t windows[] = {NO_WINDOW, 0, 1, 2, L};
                Setting s = {L, 2, windows[w], variant, w % 2 ? PLAIN : DRIFT, L};
                RandomProblem r = setting_numbers(&s);
                System *systems[] = {ball_system(128), mpfr_system(53), f64_system(),
                                     noisy_system(&a, L, 1)};
                for (size_t k = 0; k < 4; k++) {
                    Matrix dO;
                    Head h = setting_head(systems[k], fixed_matrix, &s, r.numbers, NULL, &dO);
                    must_have_its_zeros(&s, dense_gradients(&h, dO));
                    for (size_t B = 1; B <= L; B += 2) {
                        must_have_its_zeros(&s, blockwise_gradients(&h, dO, B, BY_SUBTRACTION));
                        must_have_its_zeros(&s, blockwise_gradients(&h, dO, B, BY_RECOMPUTATION));
                    }
                    system_free(systems[k]);
                }
                random_problem_free(&r);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_differences_of_the_definition),
        cmocka_unit_test(gradients_are_the_tangents_of_every_form),
        cmocka_unit_test(backward_is_the_adjoint_of_the_derivative),
        cmocka_unit_test(second_derivatives_are_symmetric),
        cmocka_unit_test(dense_and_blockwise_gradients_agree_to_the_last_bits),
        cmocka_unit_test(gradients_are_gsl_s_derivatives_in_double),
        cmocka_unit_test(gradients_that_nothing_depends_on_are_exactly_zero),
    };
    return cmocka_run_group_tests_name("gradients", tests, NULL, NULL);
}
