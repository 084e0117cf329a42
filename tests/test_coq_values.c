/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tie between proofs/coq and C: what Coq computes with the definitions that its theorems are about,
 * proofs/coq/{field_decode,field_gradients,binary32_dots}.txt, the C texts give bit for bit. `make
 * proofs-coq` computes the files anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backward_blockwise.h"
#include "blockwise.h"
#include "decode.h"
#include "parallel.h"
#include "sequential.h"
#include "systems.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- files: lines of a name and numbers, as in proofs/coq/values.awk --------------------------- */

enum { MOST_NUMBERS = 64, MOST_LINES = 80 };

typedef struct Line {
    char name[24];
    size_t count;
    uint64_t number[MOST_NUMBERS];
} Line;

typedef struct Lines {
    size_t count;
    Line line[MOST_LINES];
} Lines;

static Line line_of(char *text)
{
    Line l = {.count = 0};
    char *rest, *word = strtok_r(text, " \n", &rest);
    assert_non_null(word);
    assert_true(strlen(word) < sizeof l.name);
    strcpy(l.name, word);
    while ((word = strtok_r(NULL, " \n", &rest))) {
        char *end;
        assert_true(l.count < MOST_NUMBERS);
        l.number[l.count++] = strtoull(word, &end, 16);
        assert_int_equal(*end, '\0');
    }
    return l;
}

static Lines *lines_of(const char *path)
{
    Lines *all = room_for(__func__, 1, sizeof *all);
    char *text = NULL;
    size_t room = 0;
    FILE *in = fopen(path, "r");
    if (!in)
        fail_msg("%s cannot be read", path);
    while (getline(&text, &room, in) > 0) {
        assert_true(all->count < MOST_LINES);
        all->line[all->count++] = line_of(text);
    }
    free(text);
    assert_int_equal(fclose(in), 0);
    return all;
}

/* The next line, which must have that name and (unless it is ANY) that many numbers. */
enum { ANY = MOST_NUMBERS + 1 };
static const Line *expect(const Lines *all, size_t *at, const char *name, size_t count)
{
    if (*at >= all->count || strcmp(all->line[*at].name, name) != 0 ||
        (count != ANY && all->line[*at].count != count))
        fail_msg("line %zu: expected %s with %zu numbers", *at + 1, name, count);
    return &all->line[(*at)++];
}

/* ---- the field --------------------------------------------------------------------------------- */

static const char *const input_names[] = {"QU", "KU", "VU", "QC", "KC", "VC"};

typedef struct Case {
    System *in;
    size_t L, d;
    uint64_t key;
    Head h;
} Case;

static Matrix matrix_read(System *in, const Lines *all, size_t *at, const char *name, size_t rows,
                          size_t cols)
{
    const Line *l = expect(all, at, name, rows * cols);
    Matrix A = matrix(in, rows, cols);
    for (size_t k = 0; k < rows * cols; k++)
        *(uint64_t *)entry(A, k / cols, k % cols) = l->number[k];
    return A;
}

static void must_be(const Case *c, const char *form, const char *what, Matrix found, Matrix coq)
{
    for (size_t i = 0; i < coq.rows; i++)
        for (size_t j = 0; j < coq.cols; j++) {
            uint64_t a = *(uint64_t *)entry(found, i, j), b = *(uint64_t *)entry(coq, i, j);
            if (a != b)
                fail_msg("%s, %s[%zu, %zu], L %zu d %zu key %" PRIu64 ": C 0x%" PRIx64
                         ", Coq 0x%" PRIx64,
                         form, what, i, j, c->L, c->d, c->key, a, b);
        }
}

/* What Coq draws (mix, drawn) is what field_random draws: the mixers are the same. */
static void must_be_drawn(const Case *c, const char *name, size_t position, Matrix A)
{
    uint64_t state = c->key + position * c->L * c->d;
    must_be(c, "field_random", name, field_random_matrix(c->in, A.rows, A.cols, &state), A);
}

static Case case_read(const Lines *all, size_t *at)
{
    const Line *shape = expect(all, at, "shape", 2), *window = expect(all, at, "window", ANY);
    const Line *key = expect(all, at, "key", 1);
    Case c = {field_system(key->number[0]),
              shape->number[0],
              shape->number[1],
              key->number[0],
              {.window = window->count ? window->number[0] : NO_WINDOW}};
    c.h.scale = matrix_read(c.in, all, at, "scale", 1, 1);
    must_be_drawn(&c, "scale", 6, c.h.scale);
    Matrix *to[] = {&c.h.QU, &c.h.KU, &c.h.VU, &c.h.QC, &c.h.KC, &c.h.VC};
    for (size_t k = 0; k < 6; k++) {
        *to[k] = matrix_read(c.in, all, at, input_names[k], c.L, c.d);
        must_be_drawn(&c, input_names[k], k, *to[k]);
    }
    return c;
}

static void forms_must_give(const Case *c, Matrix O, Matrix l, Matrix U)
{
    Answers a = answers_for(&c->h);
    static void (*const forms[])(const Head *, Answers *) = {decode, sequential, parallel};
    static const char *const names[] = {"Algorithm 5, decode()", "the definition, sequential()",
                                        "Theorem 1, parallel()"};
    for (size_t k = 0; k < 3; k++) {
        forms[k](&c->h, &a);
        must_be(c, names[k], "O", a.O, O);
        must_be(c, names[k], "l", a.lse, l); /* log is the identity in the field */
        must_be(c, names[k], "U", a.U, U);
    }
    for (size_t B = 1; B <= c->L; B++) {
        blockwise(&c->h, B, &a, matrix(c->in, c->L, c->d));
        must_be(c, "Theorem 2, blockwise()", "O", a.O, O);
        must_be(c, "Theorem 2, blockwise()", "l", a.lse, l);
    }
}

static void decoding_is_what_coq_computes(void **state)
{
    (void)state;
    Lines *all = lines_of("proofs/coq/field_decode.txt");
    size_t cases = 0, windows = 0;
    for (size_t at = 0; at < all->count; cases++) {
        Case c = case_read(all, &at);
        Matrix O = matrix_read(c.in, all, &at, "O", c.L, c.d);
        Matrix l = matrix_read(c.in, all, &at, "l", c.L, 1);
        Matrix U = matrix_read(c.in, all, &at, "U", c.L, c.d);
        forms_must_give(&c, O, l, U);
        windows += c.h.window != NO_WINDOW;
        system_free(c.in);
    }
    assert_true(cases >= 2 && windows && windows < cases);
    free(all);
}

static void six_must_be(const Case *c, const char *form, const Gradients *g, const Matrix coq[6])
{
    static const char *const names[] = {"dQU", "dKU", "dVU", "dQC", "dKC", "dVC"};
    const Matrix found[] = {g->dQU, g->dKU, g->dVU, g->dQC, g->dKC, g->dVC};
    for (size_t k = 0; k < 6; k++)
        must_be(c, form, names[k], found[k], coq[k]);
}

static void gradients_are_what_coq_computes(void **state)
{
    (void)state;
    static const char *const names[] = {"dQU", "dKU", "dVU", "dQC", "dKC", "dVC"};
    Lines *all = lines_of("proofs/coq/field_gradients.txt");
    size_t cases = 0, windows = 0;
    for (size_t at = 0; at < all->count; cases++) {
        Case c = case_read(all, &at);
        (void)expect(all, &at, "B", 1); /* Coq's; the gradients do not depend on it */
        Matrix dO = matrix_read(c.in, all, &at, "dO", c.L, c.d), six[6];
        must_be_drawn(&c, "dO", 7, dO);
        for (size_t k = 0; k < 6; k++)
            six[k] = matrix_read(c.in, all, &at, names[k], c.L, c.d);
        Gradients g = gradients_for(&c.h);
        backward(&c.h, dO, &g);
        six_must_be(&c, "the dense gradients, backward()", &g, six);
        for (size_t B = 1; B <= c.L; B++) {
            Answers a = answers_for(&c.h);
            Matrix D = matrix(c.in, c.L, c.d);
            blockwise(&c.h, B, &a, D);
            backward_blockwise(&c.h, B, &a, D, dO, BY_SUBTRACTION, &g);
            six_must_be(&c, "Algorithm 3 by (33)", &g, six);
            backward_blockwise(&c.h, B, &a, D, dO, BY_RECOMPUTATION, &g);
            six_must_be(&c, "Algorithm 3, D recomputed", &g, six);
        }
        windows += c.h.window != NO_WINDOW;
        system_free(c.in);
    }
    assert_true(cases >= 2 && windows && windows < cases);
    free(all);
}

/* ---- binary32 ---------------------------------------------------------------------------------- */

static float float_of(uint64_t bits)
{
    uint32_t word = (uint32_t)bits;
    float x;
    assert_true(bits == word);
    memcpy(&x, &word, sizeof x);
    return x;
}

static uint32_t bits_of(float x)
{
    uint32_t word;
    memcpy(&word, &x, sizeof word);
    return word;
}

/* The same bits; any NaN is one. */
static void must_be_bits(const char *how, const char *about, size_t at, float found, float coq)
{
    if (bits_of(found) != bits_of(coq) && !(isnan(found) && isnan(coq)))
        fail_msg("%s, %s, line %zu of binary32_dots.txt: C 0x%08x, Coq 0x%08x", how, about, at + 1,
                 bits_of(found), bits_of(coq));
}

static float plain_dot(const float *a, const float *b, size_t n)
{
    volatile float s = a[0] * b[0];
    for (size_t k = 1; k < n; k++) {
        volatile float term = a[k] * b[k];
        s = s + term;
    }
    return s;
}

static float fused_dot(const float *a, const float *b, size_t n)
{
    volatile float s = a[0] * b[0];
    for (size_t k = 1; k < n; k++)
        s = fmaf(a[k], b[k], s);
    return s;
}

/* In the system that plays float32 kernels, as one entry of a product. */
static float played_dot(const float *a, const float *b, size_t n)
{
    Arithmetic float32;
    char why[200];
    double x[MOST_NUMBERS], y[MOST_NUMBERS];
    for (size_t k = 0; k < n; k++) {
        x[k] = a[k];
        y[k] = b[k];
    }
    assert_true(arithmetic_parse(&float32, "float32", why, sizeof why));
    System *in = played_system(&float32);
    Matrix A = matrix_from(in, 1, n, x), B = matrix_from(in, 1, n, y);
    mpfr_t s;
    mpfr_init2(s, 24);
    in->op->get(in, s, product_nt(A, B, EVERYWHERE).entries);
    float result = mpfr_get_flt(s, MPFR_RNDN);
    mpfr_clear(s);
    system_free(in);
    return result;
}

static void dot_products_in_binary32_are_coqs_bit_for_bit(void **state)
{
    (void)state;
    Lines *all = lines_of("proofs/coq/binary32_dots.txt");
    size_t infinite = 0, subnormal = 0, orders_differ = 0;
    for (size_t at = 0; at < all->count; at++) {
        const Line *l = &all->line[at];
        float a[MOST_NUMBERS] = {0}, b[MOST_NUMBERS] = {0};
        assert_true(l->count > 2 && l->count % 2 == 0);
        float in_order = float_of(l->number[0]), fused = float_of(l->number[1]);
        size_t n = (l->count - 2) / 2;
        for (size_t k = 0; k < n; k++) {
            a[k] = float_of(l->number[2 + k]);
            b[k] = float_of(l->number[2 + n + k]);
        }
        must_be_bits("C's float from left to right", l->name, at, plain_dot(a, b, n), in_order);
        must_be_bits("the played float32 system", l->name, at, played_dot(a, b, n), in_order);
        must_be_bits("C's fused multiply-adds", l->name, at, fused_dot(a, b, n), fused);
        infinite += isfinite(in_order) ? 0 : 1;
        subnormal += fpclassify(in_order) == FP_SUBNORMAL;
        orders_differ += l->number[0] != l->number[1];
    }
    assert_true(all->count >= 30 && infinite && subnormal && orders_differ);
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding_is_what_coq_computes),
        cmocka_unit_test(gradients_are_what_coq_computes),
        cmocka_unit_test(dot_products_in_binary32_are_coqs_bit_for_bit),
    };
    return cmocka_run_group_tests_name("what Coq computes", tests, NULL, NULL);
}
