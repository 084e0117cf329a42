/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inputs of a case: names, shapes, bytes; layers and trained cases; what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "case_support.h"
#include "safetensors.h"
#include "vectors_support.h"

#include <math.h>
#include <nettle/sha2.h>
#include <string.h>

/* ---- heads ----------------------------------------------------------------------------------------- */

static void inputs_are_named_and_fit_their_type(const GoldenCase *c)
{
    Drawn g = drawn(c);
    const char *heads = "qu ku vu qc kc vc do ", *layer = "x wqu wku wvu wqc wkc wvc wo dy ";
    char names[64] = "";
    for (size_t k = 0; k < g.in.count; k++) {
        const InputTensor *t = &g.in.tensor[k];
        size_t count = 1;
        strncat(strncat(names, t->name, 8), " ", 2);
        for (size_t i = 0; i < t->dims; i++)
            count *= t->shape[i];
        assert_int_equal(t->count, count);
        for (size_t i = 0; i < t->count; i++)
            if (!number_is_representable(c->type, t->values[i]) ||
                (!isfinite(t->values[i]) && !(c->flags & FLAG_NONFINITE)))
                fail_msg("%s: %s[%zu] is %a", c->id, t->name, i, t->values[i]);
    }
    const char *expected = c->kinds & KIND_LAYER ? layer : heads;
    assert_memory_equal(names, expected, strlen(names));
    assert_int_equal(strlen(expected) - strlen(names), c->kinds & KIND_GRADIENTS ? 0 : 3);
    drawn_free(&g);
}

static void every_input_is_named_and_fits(void **state)
{
    (void)state;
    for_core_cases(CASE_FAMILIES, inputs_are_named_and_fit_their_type);
}

/* The third head of a case is the same where there are three heads and where there are six. */
static void heads_do_not_depend_on_how_many_there_are(void **state)
{
    (void)state;
    GoldenCase c = *find_case("plain-batch-heads-f32");
    Drawn many = drawn(&c);
    c.batch = 1;
    Drawn few = drawn(&c);
    for (size_t k = 0; k < few.in.count; k++)
        assert_memory_equal(few.in.tensor[k].values, many.in.tensor[k].values,
                            few.in.tensor[k].count * sizeof(double));
    drawn_free(&many);
    drawn_free(&few);
}

static void forward_cases_have_the_inputs_of_gradient_cases(void **state)
{
    (void)state;
    GoldenCase c = *find_case("plain-two-blocks-f64");
    Drawn with = drawn(&c);
    c.kinds = KIND_FORWARD;
    Drawn without = drawn(&c);
    assert_int_equal(without.in.count, INPUTS);
    for (Input k = 0; k < INPUTS; k++)
        assert_memory_equal(with.in.tensor[k].values, without.in.tensor[k].values,
                            with.in.tensor[k].count * sizeof(double));
    drawn_free(&with);
    drawn_free(&without);
}

/* ---- layers --------------------------------------------------------------------------------------- */

static void shape_is(const Drawn *g, const char *name, size_t dims, const size_t *shape)
{
    const InputTensor *t = case_input(&g->in, name);
    assert_non_null(t);
    assert_int_equal(t->dims, dims);
    assert_memory_equal(t->shape, shape, dims * sizeof *shape);
}

static void layer_has_its_shapes(const GoldenCase *c)
{
    if (!(c->kinds & KIND_LAYER))
        return;
    Drawn g = drawn(c);
    const size_t n = c->heads * c->dim;
    const size_t x[] = {c->batch, c->length, c->model}, down[] = {c->model, c->heads, c->dim},
                 up[] = {c->heads, c->dim, c->model};
    static const char *const projections[] = {"wqu", "wku", "wvu", "wqc", "wkc", "wvc"};
    shape_is(&g, "x", 3, x);
    shape_is(&g, "dy", 3, x);
    shape_is(&g, "wo", 3, up);
    assert_null(case_input(&g.in, "qu"));
    for (size_t k = 0; k < 6; k++) {
        const double *w = case_input(&g.in, projections[k])->values;
        double squares = 0; /* of a projected number, on average: that of x times this */
        shape_is(&g, projections[k], 3, down);
        for (size_t i = 0; i < c->model * n; i++)
            squares += w[i] * w[i] / (double)n;
        assert_true(squares > 0.5 && squares < 8);
    }
    drawn_free(&g);
}

static void layers_have_their_shapes(void **state)
{
    (void)state;
    for_core_cases(FAMILY_PLAIN, layer_has_its_shapes);
}

/* ---- trained ---------------------------------------------------------------------------------------- */

static void it_is_cut_from_its_dump(const GoldenCase *c)
{
    Drawn g = drawn(c);
    Failure f;
    char path[200];
    const Format *format = number_format(c->type);
    snprintf(path, sizeof path, "vectors/dumps/%s.safetensors", c->source);
    SafetensorsFile *file = safetensors_open(path, &f);
    assert_non_null(file);
    for (size_t k = 0; k < g.in.count; k++) {
        const Tensor *t = safetensors_find(file, g.in.tensor[k].name);
        for (size_t h = 0; h < c->heads; h++)
            for (size_t s = 0; s < c->length; s++)
                for (size_t i = 0; i < c->dim; i++) {
                    size_t from = ((c->source_head + h) * t->shape[2] + c->first + s) * c->dim + i;
                    double got = g.in.tensor[k].values[(h * c->length + s) * c->dim + i];
                    assert_true(got == format_round_double(tensor_value(t, from), format));
                }
    }
    safetensors_close(file);
    drawn_free(&g);
}

static void trained_is_cut_from_its_dump(void **state)
{
    (void)state;
    for_core_cases(FAMILY_TRAINED, it_is_cut_from_its_dump);
}

/* ---- refusals ----------------------------------------------------------------------------------------- */

static void refused(const GoldenCase *c, const char *dumps, const char *expected)
{
    CaseInputs in;
    Failure f = {""};
    assert_false(case_inputs(&in, c, dumps, &f));
    assert_contains(f.text, expected);
    assert_int_equal(in.count, 0);
}

static void what_cannot_be_drawn_is_refused(void **state)
{
    (void)state;
    const char *dumps = "vectors/dumps";
    GoldenCase c = *find_case("loss-scale-13-f16");
    c.level = 15;
    refused(&c, dumps, "case \"loss-scale-13-f16\": input do holds ");
    refused(&c, dumps, "which overflows float16; its largest number is 65504");

    c = *find_case("trained-first-rows-f32");
    refused(&c, NULL, "is cut from the dump trained-layer1; where the dumps are is not known");
    refused(&c, "/nowhere", "/nowhere/trained-layer1.safetensors");
    c.first = 97;
    refused(&c, dumps, "no tensor \"qu\" of shape [1, 1 or more, 129 or more, 16]");
    c.first = 0, c.source_head = 4;
    refused(&c, dumps, "no tensor \"qu\" of shape [1, 5 or more, 32 or more, 16]");
    c.source_head = 0, c.dim = 8;
    refused(&c, dumps, "no tensor \"qu\" of shape [1, 1 or more, 32 or more, 8]");
    c.source = "L2d1"; /* it has no such dump's shape */
    refused(&c, dumps, "vectors/dumps/L2d1.safetensors has no tensor");
}

static void problem_of_no_head(void)
{
    GoldenCase c = {.id = (char[]){"x"}, .batch = 1, .heads = 2};
    CaseInputs in = {0};
    (void)case_problem(&c, &in, 2);
}

static void heads_that_are_not_there_stop(void **state)
{
    (void)state;
    assert_stops(problem_of_no_head, "case_problem: case x has no head 2");
}

/* ---- bytes --------------------------------------------------------------------------------------------- */

static void hash(struct sha256_ctx *sha, const GoldenCase *c)
{
    Drawn g = drawn(c);
    sha256_update(sha, strlen(c->id), (const uint8_t *)c->id);
    for (size_t k = 0; k < g.in.count; k++) {
        const InputTensor *t = &g.in.tensor[k];
        sha256_update(sha, strlen(t->name), (const uint8_t *)t->name);
        for (size_t i = 0; i < t->count; i++) {
            uint8_t bytes[8];
            number_encode(c->type, t->values[i], bytes);
            sha256_update(sha, number_type_bytes(c->type), bytes);
        }
    }
    drawn_free(&g);
}

/* SHA-256, its first 8 bytes, over ids, names and bytes of a family's core inputs in the table's order. Whoever
 * changes a row or a family records what this test then prints. */
static const char *const recorded[CASE_FAMILIES] = {
    [FAMILY_PLAIN] = "1db58af5d308b325",        [FAMILY_TRAINED] = "2436135f672de6db",
    [FAMILY_TINY] = "fcef505f6b203c5d",         [FAMILY_RAGGED] = "4fb6223a464f51ee",
    [FAMILY_DIM] = "6a0eef745f471f12",          [FAMILY_WINDOW] = "45db65a42fbfbe04",
    [FAMILY_NEG] = "acf494acf1a81f7e",          [FAMILY_LARGE_SU] = "19a3475c64fafdb5",
    [FAMILY_OUTLIER] = "d263cf7f545bad02",      [FAMILY_OFFSET] = "ee357de662436414",
    [FAMILY_DRIFT] = "d8ab40a487f2ee94",        [FAMILY_ALIVE] = "811f394b72181b8d",
    [FAMILY_LOSS_SCALE] = "341338e97c946ee7",   [FAMILY_SATURATED] = "30eb56e3d2eee7df",
    [FAMILY_SILU_MINIMUM] = "79b3f1b9810e5c1d", [FAMILY_EQUAL_KEYS] = "8cd77b436d4c5980",
    [FAMILY_INTEGERS] = "cc43790dcfc70411",     [FAMILY_SPECIAL] = "5b897c23926f2b2b",
};

static void bytes_are_those_recorded(void **state)
{
    (void)state;
    bool same = true;
    for (CaseFamily family = 0; family < CASE_FAMILIES; family++) {
        struct sha256_ctx sha;
        uint8_t digest[8];
        char text[17];
        sha256_init(&sha);
        for (size_t k = 0; k < built_in.count; k++)
            if (built_in.at[k].family == family && built_in.at[k].tier == TIER_CORE)
                hash(&sha, &built_in.at[k]);
        sha256_digest(&sha, sizeof digest, digest);
        for (size_t i = 0; i < sizeof digest; i++)
            snprintf(text + 2 * i, 3, "%02x", digest[i]);
        if (strcmp(text, recorded[family]) != 0) {
            print_error("family %s: recorded %s, now \"%s\"\n", case_family_name(family),
                        recorded[family], text);
            same = false;
        }
    }
    assert_true(same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_input_is_named_and_fits),
        cmocka_unit_test(heads_do_not_depend_on_how_many_there_are),
        cmocka_unit_test(forward_cases_have_the_inputs_of_gradient_cases),
        cmocka_unit_test(layers_have_their_shapes),
        cmocka_unit_test(trained_is_cut_from_its_dump),
        cmocka_unit_test(what_cannot_be_drawn_is_refused),
        cmocka_unit_test(heads_that_are_not_there_stop),
        cmocka_unit_test(bytes_are_those_recorded),
    };
    return cmocka_run_group_tests(tests, built_in_cases, drop_cases);
}
