/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The multi-head layer: what it is made of, and its gradients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backward.h"
#include "decode.h"
#include "layer.h"
#include "parallel.h"
#include "sequential.h"
#include "systems_support.h"

/* ---- the field ------------------------------------------------------------------------------ */

/* One layer with its input and dY. */
typedef struct Trial {
    Layer layer;
    size_t L, batch, d, dm;
    Matrix X, dY;
} Trial;

enum { TENSORS = 8, VARIANTS = WITHOUT_SILU + 1 };
static const char *const tensor_names[TENSORS] = {"X",   "WQU", "WKU", "WVU",
                                                  "WQC", "WKC", "WVC", "WO"};

/* What a layer's output depends on, and the gradients in the same order. */
static void list_inputs(const Trial *t, Matrix list[TENSORS])
{
    const Weights *W = &t->layer.W;
    const Matrix all[] = {t->X, W->WQU, W->WKU, W->WVU, W->WQC, W->WKC, W->WVC, W->WO};
    memcpy(list, all, sizeof all);
}

static void list_gradients(const LayerGradients *g, Matrix list[TENSORS])
{
    const Weights *W = &g->dW;
    const Matrix all[] = {g->dX, W->WQU, W->WKU, W->WVU, W->WQC, W->WKC, W->WVC, W->WO};
    memcpy(list, all, sizeof all);
}

typedef struct Shape {
    size_t L, batch, heads, d, dm, window;
    uint64_t seed;
    Variant variant;
} Shape;

/* A trial of zeros. */
static Trial trial_for(System *in, const Shape *s)
{
    Trial t = {.L = s->L, .batch = s->batch, .d = s->d, .dm = s->dm};
    t.layer = (Layer){.W = weights_for(in, s->dm, s->heads, s->d),
                      .heads = s->heads,
                      .scale = matrix(in, 1, 1),
                      .window = s->window,
                      .variant = s->variant};
    in->op->inverse_root(in, t.layer.scale.entries, s->d);
    t.X = matrix(in, s->batch * s->L, s->dm);
    t.dY = matrix(in, s->batch * s->L, s->dm);
    return t;
}

static void randomise(Matrix A, uint64_t *state)
{
    assign(A, field_random_matrix(A.in, A.rows, A.cols, state));
}

static Trial field_trial(System *in, const Shape *s)
{
    uint64_t state = s->seed;
    Trial t = trial_for(in, s);
    Matrix inputs[TENSORS];
    list_inputs(&t, inputs);
    for (size_t k = 0; k < TENSORS; k++)
        randomise(inputs[k], &state);
    randomise(t.dY, &state);
    return t;
}

static uint64_t *element(Matrix A, size_t i, size_t j) { return entry(A, i, j); }

static bool equal(Matrix A, Matrix B)
{
    assert_true(A.rows == B.rows && A.cols == B.cols);
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++)
            if (*element(A, i, j) != *element(B, i, j))
                return false;
    return true;
}

static void must_equal(const char *what, const Shape *s, Matrix A, Matrix B)
{
    assert_true(A.rows == B.rows && A.cols == B.cols);
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++)
            if (*element(A, i, j) != *element(B, i, j)) {
                print_error(
                    "layer: %s differs at (%zu, %zu), seed %llu, L %zu batch %zu n %zu d %zu "
                    "dm %zu W %zd variant %d\n",
                    what, i, j, (unsigned long long)s->seed, s->L, s->batch, s->heads, s->d, s->dm,
                    (ptrdiff_t)s->window, s->variant);
                fail();
            }
}

static Matrix output(const Trial *t, Form *form)
{
    Matrix Y = matrix(t->X.in, t->X.rows, t->X.cols);
    layer_forward(&t->layer, t->X, t->batch, form, Y);
    return Y;
}

static LayerGradients gradients(const Trial *t)
{
    LayerGradients g = layer_gradients_for(&t->layer, t->X);
    layer_backward(&t->layer, t->X, t->batch, t->dY, &g);
    return g;
}

/* A := 1 on the diagonal that begins in column `first`, 0 elsewhere. */
static void select_columns(Matrix A, size_t first)
{
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++)
            *element(A, i, j) = i == first + j;
}

static Form *const forms[] = {sequential, parallel, decode};
enum { FORMS = 3 };

/* Identities: all six inputs of the head are X, and Y is its O. */
static void one_head_with_identities_is_the_head(void **state)
{
    (void)state;
    const size_t windows[] = {NO_WINDOW, 0, 1, 3};
    for (size_t w = 0; w < 4; w++)
        for (size_t L = 1; L <= 5; L++) {
            System *in = field_system(3);
            Shape s = {L, 1, 1, 3, 3, windows[w], 10 * L + w, (L + w) % VARIANTS};
            Trial t = field_trial(in, &s);
            Matrix inputs[TENSORS];
            list_inputs(&t, inputs);
            for (size_t k = 1; k < TENSORS; k++)
                select_columns(inputs[k], 0);
            Head h = {t.X,
                      t.X,
                      t.X,
                      t.X,
                      t.X,
                      t.X,
                      .scale = t.layer.scale,
                      .window = s.window,
                      .variant = s.variant};
            Answers a = answers_for(&h);
            sequential(&h, &a);
            for (size_t f = 0; f < FORMS; f++)
                must_equal("Y", &s, a.O, output(&t, forms[f]));
            system_free(in);
        }
}

/* X = [QU | KU | VU | QC | KC | VC] and projections that pick one each: any head is a layer,
 * forwards and backwards. WO = [I 0 .. 0]. */
static void one_head_with_six_inputs_is_the_head(void **state)
{
    (void)state;
    const size_t D = 2, L = 5;
    const size_t windows[] = {NO_WINDOW, 0, 2};
    for (unsigned w = 0; w < 3U * VARIANTS; w++) {
        System *in = field_system(3);
        Shape s = {L, 1, 1, D, 6 * D, windows[w / VARIANTS], w, w % VARIANTS};
        Trial t = field_trial(in, &s);
        Matrix inputs[TENSORS];
        list_inputs(&t, inputs);
        for (size_t k = 1; k <= 6; k++)
            select_columns(inputs[k], (k - 1) * D);
        select_columns(t.layer.W.WO, 0);
        Head h = {columns(t.X, 0, D),     columns(t.X, D, D),     columns(t.X, 2 * D, D),
                  columns(t.X, 3 * D, D), columns(t.X, 4 * D, D), columns(t.X, 5 * D, D),
                  .scale = t.layer.scale, .window = s.window,     .variant = s.variant};
        Answers a = answers_for(&h);
        sequential(&h, &a);
        Matrix Y = output(&t, parallel);
        must_equal("O", &s, a.O, columns(Y, 0, D));
        must_equal("Y past O", &s, matrix(in, L, 5 * D), columns(Y, D, 5 * D));

        Gradients g = gradients_for(&h);
        backward(&h, columns(t.dY, 0, D), &g);
        const Matrix expected[] = {g.dQU, g.dKU, g.dVU, g.dQC, g.dKC, g.dVC};
        LayerGradients found = gradients(&t);
        for (size_t k = 0; k < 6; k++)
            must_equal(tensor_names[k + 1], &s, expected[k], columns(found.dX, k * D, D));
        system_free(in);
    }
}

/* A copy, entry by entry, of part of a matrix: no view is in play. */
static Matrix copied(Matrix A, size_t i, size_t j, size_t rows, size_t cols)
{
    Matrix B = matrix(A.in, rows, cols);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            *element(B, r, c) = *element(A, i + r, j + c);
    return B;
}

static Matrix sum_of_heads(const Trial *t, size_t b)
{
    System *in = t->X.in;
    Matrix Y = matrix(in, t->L, t->dm), X = copied(t->X, b * t->L, 0, t->L, t->dm);
    for (size_t h = 0; h < t->layer.heads; h++) {
        Matrix inputs[TENSORS], projected[TENSORS];
        list_inputs(t, inputs);
        for (size_t k = 1; k <= 6; k++)
            projected[k] = product(X, copied(inputs[k], 0, h * t->d, t->dm, t->d), EVERYWHERE);
        Head head = {projected[1],
                     projected[2],
                     projected[3],
                     projected[4],
                     projected[5],
                     projected[6],
                     .scale = t->layer.scale,
                     .window = t->layer.window,
                     .variant = t->layer.variant};
        Answers a = answers_for(&head);
        sequential(&head, &a);
        Matrix WO = copied(t->layer.W.WO, h * t->d, 0, t->d, t->dm);
        Y = add(Y, product(a.O, WO, EVERYWHERE));
    }
    return Y;
}

static Shape field_shape(uint64_t seed)
{
    uint64_t state = 50 * seed;
    Shape s = {.seed = seed, .variant = seed % VARIANTS};
    s.L = 1 + field_random(&state) % 6;
    s.batch = 1 + field_random(&state) % 3;
    s.heads = 1 + field_random(&state) % 4;
    s.d = 1 + field_random(&state) % 3;
    s.dm = 1 + field_random(&state) % 7;
    s.window = field_random(&state) % 2 ? NO_WINDOW : field_random(&state) % (s.L + 1);
    return s;
}

/* [O_1 | .. | O_n] WO is the sum of O_h times head h's rows of WO, sequence by sequence. */
static void layer_is_the_sum_of_its_heads(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < (uint64_t)repetitions(100); seed++) {
        System *in = field_system(3);
        Shape s = field_shape(seed);
        Trial t = field_trial(in, &s);
        for (size_t f = 0; f < FORMS; f++) {
            Matrix Y = output(&t, forms[f]);
            for (size_t b = 0; b < s.batch; b++)
                must_equal("Y", &s, sum_of_heads(&t, b), rows(Y, b * s.L, s.L));
        }
        system_free(in);
    }
}

/* WO = I shows the heads side by side. Head 2's weights change; the answers and gradients of the
 * others stay. */
static void heads_are_independent(void **state)
{
    (void)state;
    const size_t N = 3, D = 2, CHANGED = 1;
    for (uint64_t seed = 0; seed < (uint64_t)repetitions(20); seed++) {
        System *in = field_system(3);
        Shape s = {4, 2, N, D, N * D, seed % 2 ? NO_WINDOW : 2, seed, seed % VARIANTS};
        uint64_t draw = 1000 + seed;
        Trial t = field_trial(in, &s);
        select_columns(t.layer.W.WO, 0);
        Matrix inputs[TENSORS], before[TENSORS], after[TENSORS];
        list_inputs(&t, inputs);
        Matrix Y = output(&t, parallel);
        LayerGradients g = gradients(&t);
        list_gradients(&g, before);
        for (size_t k = 1; k <= 6; k++)
            randomise(columns(inputs[k], CHANGED * D, D), &draw);
        Matrix Z = output(&t, parallel);
        LayerGradients changed = gradients(&t);
        list_gradients(&changed, after);
        for (size_t h = 0; h < N; h++) {
            if (h == CHANGED) {
                assert_false(equal(columns(Y, h * D, D), columns(Z, h * D, D)));
                continue;
            }
            must_equal("O of another head", &s, columns(Y, h * D, D), columns(Z, h * D, D));
            for (size_t k = 1; k <= 6; k++)
                must_equal(tensor_names[k], &s, columns(before[k], h * D, D),
                           columns(after[k], h * D, D));
            must_equal("WO", &s, rows(before[7], h * D, D), rows(after[7], h * D, D));
        }
        system_free(in);
    }
}

/* A batch is its sequences one by one: Y and dX stand one under the other, dW is summed. */
static void batches_are_independent(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < (uint64_t)repetitions(100); seed++) {
        System *in = field_system(3);
        Shape s = field_shape(seed);
        Trial t = field_trial(in, &s);
        Matrix Y = output(&t, parallel), whole[TENSORS], sum[TENSORS];
        LayerGradients g = gradients(&t), zero = layer_gradients_for(&t.layer, t.X);
        list_gradients(&g, whole);
        list_gradients(&zero, sum);
        for (size_t b = 0; b < s.batch; b++) {
            Trial alone = t;
            alone.batch = 1;
            alone.X = rows(t.X, b * s.L, s.L);
            alone.dY = rows(t.dY, b * s.L, s.L);
            must_equal("Y", &s, output(&alone, parallel), rows(Y, b * s.L, s.L));
            LayerGradients one = gradients(&alone);
            must_equal("dX", &s, one.dX, rows(g.dX, b * s.L, s.L));
            Matrix part[TENSORS];
            list_gradients(&one, part);
            for (size_t k = 1; k < TENSORS; k++)
                sum[k] = add(sum[k], part[k]);
        }
        for (size_t k = 1; k < TENSORS; k++)
            must_equal(tensor_names[k], &s, sum[k], whole[k]);
        /* what stood in the gradients before does not matter */
        layer_backward(&t.layer, t.X, t.batch, t.dY, &g);
        for (size_t k = 1; k < TENSORS; k++)
            must_equal("second call", &s, sum[k], whole[k]);
        system_free(in);
    }
}

/* ---- gradients ------------------------------------------------------------------------------ */

/*
 * f = sum of dY o Y, with Y by layer_forward on `sequential`, is differentiated with respect to one
 * entry x at a time, by Richardson's step from differences D(h) = (f(x + h) - f(x - h)) / 2h:
 *     R = (4 D(h/2) - D(h)) / 3 = [8 (f(x + h/2) - f(x - h/2)) - (f(x + h) - f(x - h))] / 6h.
 *
 * Truncation. Where |z - x| <= RHO, f is analytic and |f| <= M (below), so that its Taylor
 * coefficients are |c_k| <= M / RHO^k (Cauchy). D(h) = sum of c_{2k+1} h^{2k}; in R the term of
 * h^{2k} stands times (4^{1-k} - 1) / 3: 1, 0, -1/4, and then between -1/3 and 0. If h < RHO / 4,
 *     |R - f'(x)| <= M / RHO (h / RHO)^4 (1/4 + (1/3) (1/16 + 1/16^2 + ..)) < M h^4 / (3 RHO^5).
 *
 * RHO and M. Entries lie in [-1, 1]; dm = L = 3, n = d = 2, scale = 1/sqrt(2). Let one of them move
 * by a complex number of size at most r = RHO = 2^-13. A product a b is off by at most
 * |a| |b - b0| + |a - a0| |b0|, where a0, b0 are the values at x.
 *     projection        at most 3 + r, off by r
 *     gate logit        two terms over sqrt(2): off by sqrt(2) (3 + r + 3) r < 8.6 r < 1
 *     gate              where |Im z| <= 1, exp(-z) has a positive real part: |1 + exp(-z)| >= 1 and
 *                       |sigmoid(z)|, |sigmoid(-z)|, |sigmoid'(z)| <= 1: at most 1, off by 8.6 r
 *     lookahead key     at most two terms: 2 (3 + r) < 6.01, off by 2 (r + 3 * 8.6 r) = 53.6 r
 *     lookahead score   sqrt(2) 3.01 * 6.01 < 25.7, off by sqrt(2) (3.01 * 53.6 + 6) r < 237 r < 1
 *     SiLU of it        |SiLU'(z)| <= 1 + |z| <= 26.7 where |Im z| <= 1: 26.7 * 237 r < 6330 r
 *     score             off by 8.6 r more, less than 6340 r < 1
 *     weights           |Im S| < 1, so |sum of exp(S)| >= its real part >= cos(1) sum of |exp(S)|,
 *                       and the sum of |p| is at most 1 / cos(1) < 1.86
 *     O, Y, f           1.86 * 3.01 < 5.6; four terms, 22.5; nine terms a sequence, 203 < 2^8
 * A score without SiLU, or without its causal part, moves by less.
 *
 * Rounding. If no value of f is off by more than E, R is not by more than (8 * 2 + 2) E / 6h, or
 * 3 E / h: it is worked out exactly (1000 bits, times 6h). E comes from the system `bounded`, in
 * which the same layer runs at 53 bits (proofs/rounding.md, section 3: times 2^(53 - 256) at 256
 * bits); so does the error of the gradient on trial. `bounded` works at x and not at x +- h: a
 * relative difference below 2^-53, that of the roundings of the binary64 in which it works itself.
 *
 * The step. M h^4 / (3 RHO^5) = 3 E / h, to a power of two.
 */
enum { BITS = 256, EXACT_BITS = 1000 };
static const double RHO = 0x1p-13, M_PER_SEQUENCE = 0x1p8;

static const Shape TINY = {.L = 3, .batch = 1, .heads = 2, .d = 2, .dm = 3};

/* Entries k 2^-10, 0 < |k| <= 2^10: x +- h is exact in 256 bits for h >= 2^-200. */
static void draw_numbers(gsl_rng *r, double *v, size_t n)
{
    for (size_t k = 0; k < n; k++)
        v[k] = ldexp((double)(1 + random_up_to(r, 1023)), -10) * (random_up_to(r, 1) ? 1 : -1);
}

static Trial trial_of_numbers(System *in, const Shape *s, const double *numbers)
{
    Trial t = trial_for(in, s);
    Matrix tensors[TENSORS + 1];
    list_inputs(&t, tensors);
    tensors[TENSORS] = t.dY;
    for (size_t k = 0; k <= TENSORS; k++) {
        size_t n = tensors[k].rows * tensors[k].cols;
        assign(tensors[k], matrix_from(in, tensors[k].rows, tensors[k].cols, numbers));
        numbers += n;
    }
    return t;
}

static double error_of(Matrix A, size_t i, size_t j)
{
    return ldexp(((Bounded *)entry(A, i, j))->error, 53 - BITS);
}

/* How far f may be off at 256 bits. */
static double error_of_f(const Trial *bounded)
{
    Matrix Y = output(bounded, sequential);
    double E = 0;
    for (size_t i = 0; i < Y.rows; i++)
        for (size_t j = 0; j < Y.cols; j++)
            E += fabs(((Bounded *)entry(bounded->dY, i, j))->x) * error_of(Y, i, j);
    return E;
}

/* z := f(x + by h), exactly summed. */
static void f_at(mpfr_t z, const Trial *t, mpfr_ptr x, double by)
{
    mpfr_t at_rest, step;
    mpfr_inits2(BITS, at_rest, step, (mpfr_ptr)0);
    mpfr_set(at_rest, x, MPFR_RNDN);
    mpfr_set_d(step, by, MPFR_RNDN);
    assert_int_equal(mpfr_add(x, x, step, MPFR_RNDN), 0);
    Scope scope = scope_open(t->X.in);
    Matrix Y = output(t, sequential);
    mpfr_set_zero(z, 1);
    for (size_t i = 0; i < Y.rows; i++)
        for (size_t j = 0; j < Y.cols; j++)
            assert_int_equal(mpfr_fma(z, entry(Y, i, j), entry(t->dY, i, j), z, MPFR_RNDN), 0);
    scope_close(t->X.in, scope);
    mpfr_set(x, at_rest, MPFR_RNDN);
    mpfr_clears(at_rest, step, (mpfr_ptr)0);
}

/* |gradient - R|, as a double. */
static double distance(const Trial *t, mpfr_ptr x, mpfr_srcptr gradient, double h)
{
    mpfr_t up, down, sum;
    mpfr_inits2(EXACT_BITS, up, down, sum, (mpfr_ptr)0);
    f_at(up, t, x, h / 2);
    f_at(down, t, x, -h / 2);
    mpfr_sub(sum, up, down, MPFR_RNDN);
    mpfr_mul_ui(sum, sum, 8, MPFR_RNDN);
    f_at(up, t, x, h);
    f_at(down, t, x, -h);
    mpfr_sub(up, up, down, MPFR_RNDN);
    mpfr_sub(sum, sum, up, MPFR_RNDN); /* 6h R */
    mpfr_mul_ui(up, gradient, 6, MPFR_RNDN);
    mpfr_mul_d(up, up, h, MPFR_RNDN);
    mpfr_sub(sum, sum, up, MPFR_RNDN);
    double off = fabs(mpfr_get_d(sum, MPFR_RNDA)) / (6 * h);
    mpfr_clears(up, down, sum, (mpfr_ptr)0);
    return off;
}

static double largest_of(Matrix A)
{
    double largest = 0;
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++)
            largest = fmax(largest, fabs(number_at(A, i, j)));
    return largest;
}

typedef struct Record {
    double digits, error; /* fewest that any bound leaves; largest error, of its bound */
} Record;

static void check_tensor(const Trial *t, const Shape *s, size_t k, Matrix x, Matrix gradient,
                         Matrix bounded, double h, double allowed_of_R, Record *record)
{
    double largest = largest_of(gradient);
    bool absent = s->variant == WITHOUT_CAUSAL_KEYS && strcmp(tensor_names[k], "WKC") == 0;
    for (size_t i = 0; i < x.rows; i++)
        for (size_t j = 0; j < x.cols; j++) {
            double allowed = allowed_of_R + error_of(bounded, i, j);
            double off = distance(t, entry(x, i, j), entry(gradient, i, j), h);
            if (absent ? off != 0 || largest != 0
                       : !(off <= allowed && allowed <= 1e-50 * largest)) {
                print_error("layer gradients: d%s at (%zu, %zu), seed %llu, batch %zu W %zd "
                            "variant %d: off by %g, "
                            "bound %g, largest component %g\n",
                            tensor_names[k], i, j, (unsigned long long)s->seed, s->batch,
                            (ptrdiff_t)s->window, s->variant, off, allowed, largest);
                fail();
            }
            if (absent)
                continue;
            record->digits = fmin(record->digits, -log10(allowed / largest));
            record->error = fmax(record->error, off / allowed);
        }
}

static void gradients_are_central_differences(void **state)
{
    (void)state;
    static const Format format = {"", 53, -1000, 1023}; /* of rounding_bounds.c */
    Arithmetic arithmetic_53 = {.accumulate = &format};
    for (size_t k = 0; k < STAGES; k++)
        arithmetic_53.site[k] = &format;
    Record record = {.digits = INFINITY};
    for (unsigned long seed = 0; seed < (unsigned long)repetitions(6); seed++) {
        Shape s = TINY;
        s.seed = seed;
        s.batch = 1 + seed % 2;
        s.window = seed / VARIANTS % 2 ? 1 : NO_WINDOW;
        s.variant = seed % VARIANTS;
        double numbers[200];
        gsl_rng *r = random_source(seed);
        draw_numbers(r, numbers, sizeof numbers / sizeof *numbers);
        gsl_rng_free(r);
        System *in = mpfr_system(BITS), *rough = bounded_system(&arithmetic_53);
        Trial t = trial_of_numbers(in, &s, numbers), b = trial_of_numbers(rough, &s, numbers);

        double M = M_PER_SEQUENCE * (double)s.batch, E = error_of_f(&b);
        double h = exp2(round(log2(9 * E * pow(RHO, 5) / M) / 5));
        assert_true(h < RHO / 4 && h >= 0x1p-200);
        double allowed_of_R = M * pow(h, 4) / (3 * pow(RHO, 5)) + 3 * E / h;

        Matrix x[TENSORS], gradient[TENSORS], bounded[TENSORS];
        LayerGradients g = gradients(&t), g_bounded = gradients(&b);
        list_inputs(&t, x);
        list_gradients(&g, gradient);
        list_gradients(&g_bounded, bounded);
        for (size_t k = 0; k < TENSORS; k++)
            check_tensor(&t, &s, k, x[k], gradient[k], bounded[k], h, allowed_of_R, &record);
        system_free(in);
        system_free(rough);
    }
    print_message("  bounds of at least %.1f digits; largest error %.2g of its bound\n",
                  record.digits, record.error);
}

/* ---- misuse --------------------------------------------------------------------------------- */

static void run_with(size_t batch, size_t heads, size_t y_rows, bool short_projection)
{
    System *in = field_system(3);
    Shape s = {.L = 3, .batch = 2, .heads = 2, .d = 2, .dm = 3, .window = NO_WINDOW};
    Trial t = field_trial(in, &s);
    t.layer.heads = heads;
    if (short_projection)
        t.layer.W.WKC = columns(t.layer.W.WKC, 0, 3);
    layer_forward(&t.layer, t.X, batch, parallel, matrix(in, y_rows, 3));
}

static void uneven_batch(void) { run_with(4, 2, 6, false); }
static void no_batch(void) { run_with(0, 2, 6, false); }
static void uneven_heads(void) { run_with(2, 3, 6, false); }
static void short_Y(void) { run_with(2, 2, 5, false); }
static void short_WKC(void) { run_with(2, 2, 6, true); }

static void shapes_that_do_not_fit_are_bugs(void **state)
{
    (void)state;
    assert_aborts(uneven_batch, "4 sequences share 6 rows");
    assert_aborts(no_batch, "0 sequences share 6 rows");
    assert_aborts(uneven_heads, "3 heads share 4 columns");
    assert_aborts(short_Y, "Y or dY 5 x 3");
    assert_aborts(short_WKC, "projection 4 of QU KU VU QC KC VC is 3 x 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_head_with_identities_is_the_head),
        cmocka_unit_test(one_head_with_six_inputs_is_the_head),
        cmocka_unit_test(layer_is_the_sum_of_its_heads),
        cmocka_unit_test(heads_are_independent),
        cmocka_unit_test(batches_are_independent),
        cmocka_unit_test(gradients_are_central_differences),
        cmocka_unit_test(shapes_that_do_not_fit_are_bugs),
    };
    return cmocka_run_group_tests_name("layer", tests, NULL, NULL);
}
