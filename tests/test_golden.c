/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One golden file: that it holds what it should, and when it is taken for today's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "families.h"
#include "golden_support.h"
#include "oracle.h"

#include <math.h>

static Cases all;

static const GoldenCase *case_of(const char *id)
{
    const GoldenCase *c = cases_find(&all, id);
    if (!c)
        fail_msg("there is no case %s", id);
    return c;
}

static int setup(void **state)
{
    Failure f;
    if (cases_read(&all, NULL, &f))
        return few_made(state);
    print_error("%s\n", f.text);
    return -1;
}

static int teardown(void **state)
{
    cases_free(&all);
    return few_dropped(state);
}

/* The case's file in the scratch folder. */
static const char *made(const char *id)
{
    Failure f = {""};
    const char *path = scratch_path(id);
    if (!golden_write(case_of(id), NULL, path, &f))
        fail_msg("%s", f.text);
    return path;
}

static SafetensorsFile *opened(const char *path)
{
    Failure f = {""};
    SafetensorsFile *file = safetensors_open(path, &f);
    if (!file)
        fail_msg("%s", f.text);
    return file;
}

static const Tensor *tensor_in(const SafetensorsFile *file, const char *name)
{
    const Tensor *t = safetensors_find(file, name);
    if (!t)
        fail_msg("there is no tensor %s", name);
    return t;
}

/* ---- what is in it ---------------------------------------------------------------------------- */

/* The inputs are the case's, the certificate counts every number of every answer, and each answer has all of
 * its parts. */
static void a_file_is_complete(void **state)
{
    static const char *const ids[] = {"tiny-two-tokens-bf16", "plain-layer-one-token-f32",
                                      "plain-decode-window-0-f32", "special-nan-first-f32",
                                      "tiny-one-token-f64"};
    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        const GoldenCase *c = case_of(ids[i]);
        SafetensorsFile *file = opened(made(ids[i]));
        GoldenCertificate g;
        CaseInputs in;
        Failure f;
        size_t numbers = 0;
        assert_true(golden_certificate(&g, c, scratch_path(ids[i]), &f));
        assert_true(case_inputs(&in, c, NULL, &f));
        for (size_t k = 0; k < in.count; k++) {
            const Tensor *t = tensor_in(file, in.tensor[k].name);
            assert_int_equal(t->type, c->type);
            assert_int_equal(t->count, in.tensor[k].count);
            for (size_t n = 0; n < t->count; n++) {
                double x = tensor_value(t, n), y = in.tensor[k].values[n];
                assert_true(isnan(y) ? isnan(x) : x == y && !signbit(x) == !signbit(y));
            }
        }
        for (size_t k = 0; k < safetensors_count(file); k++) {
            const Tensor *t = safetensors_at(file, k);
            char name[60], type[8] = "f64";
            if (strchr(t->name, '.') || case_input(&in, t->name))
                continue;
            numbers += t->count;
            (void)snprintf(name, sizeof name, "%s.lo", t->name);
            assert_int_equal(tensor_in(file, name)->count, t->count);
            (void)snprintf(name, sizeof name, "%s.sigma", t->name);
            assert_int_equal(tensor_in(file, name)->type, TYPE_F32);
            (void)snprintf(type, sizeof type, "%s", case_type_suffix(c->type));
            (void)snprintf(name, sizeof name, "%s.%s", t->name, type);
            if (c->type != TYPE_F64)
                assert_int_equal(tensor_in(file, name)->type, c->type);
        }
        assert_int_equal(g.elements, numbers);
        assert_true(g.bits >= 53 && g.radius <= RADIUS_IMPLIED);
        assert_true(g.sequentially || g.undefined);
        assert_string_equal(safetensors_metadata(file, "licence"), "CC0-1.0");
        case_inputs_free(&in);
        safetensors_close(file);
    }
}

/* u@t is U of the first t tokens alone, of every head; after all of them it is u. */
static void the_cache_after_t_tokens_is_u_of_the_first_t(void **state)
{
    const GoldenCase *c = case_of("plain-decode-heads-f32");
    SafetensorsFile *file = opened(made(c->id));
    CaseInputs in;
    Failure f;
    (void)state;
    assert_true(case_inputs(&in, c, NULL, &f));
    for (size_t s = 0; s < c->steps; s++) {
        char name[20];
        (void)snprintf(name, sizeof name, "u@%zu", c->step[s]);
        const Tensor *u = tensor_in(file, name);
        size_t part = c->step[s] * c->dim;
        assert_int_equal(u->count, c->batch * c->heads * part);
        for (size_t head = 0; head < c->batch * c->heads; head++) {
            Problem p = case_problem(c, &in, head);
            p.length = c->step[s];
            Oracle *o = oracle(&p, false, false);
            for (size_t k = 0; k < part; k++)
                assert_true(o->truth[ANSWER_U].value[k] == tensor_value(u, head * part + k));
            oracle_free(o);
        }
    }
    const Tensor *last = tensor_in(file, "u@17"), *u = tensor_in(file, "u");
    assert_int_equal(last->count, u->count);
    for (size_t k = 0; k < u->count; k++)
        assert_true(tensor_value(last, k) == tensor_value(u, k));
    case_inputs_free(&in);
    safetensors_close(file);
}

static void the_same_case_gives_the_same_bytes(void **state)
{
    (void)state;
    for (size_t k = 0; k < few.count; k++) {
        Failure f;
        const char *again = scratch_path("again");
        assert_true(golden_write(&few.at[k], NULL, again, &f));
        assert_same_file(again, file_of(scratch_path("good"), few.at[k].id));
    }
}

static void nothing_is_left_where_writing_fails(void **state)
{
    Failure f;
    size_t before = scratch_files(false);
    (void)state;
    assert_false(golden_write(&few.at[0], NULL, scratch_path("none/file"), &f));
    assert_contains(f.text, "none/file: cannot create a file in its folder");
    assert_false(golden_write(case_of("trained-first-rows-f32"), "no-such-folder",
                              scratch_path("trained"), &f));
    assert_contains(f.text, "no-such-folder/");
    assert_int_equal(scratch_files(false), before);
}

/* ---- whether it is today's -------------------------------------------------------------------- */

static void a_changed_file_is_not_current(void **state)
{
    static const char id[] = "plain-decode-window-0-f32";
    static const Change changes[] = {
        {.tensor = "qu", .at = 3, .value = 7},
        {.tensor = "vc", .at = 47, .value = 7},
        {.without = "ku"},
        {.without = "o"},
        {.without = "lse"},
        {.without = "u@12"},
        {.key = "window", .text = "none"},
        {.key = "window"},
        {.key = "scale", .text = "1"},
        {.key = "variant", .text = "without-silu"},
        {.key = "arithmetic", .text = "tf32"},
        {.key = "case", .text = "plain-decode-f32"},
        {.key = "case"},
        {.key = "elements"},
        {.key = "elements", .text = "161"},
        {.without = "u.lo"},
        {.key = "bits", .text = "many"},
        {.key = "log2_radius", .text = ""},
    };
    const GoldenCase *c = case_of(id);
    const char *good = made(id), *path = scratch_path("changed");
    GoldenCertificate g;
    Failure f;
    (void)state;
    assert_true(golden_is_current(c, NULL, good));
    copy_file(good, path);
    rewrite(path, &(Change){.key = "note", .text = "more metadata do no harm"});
    assert_true(golden_is_current(c, NULL, path));
    for (size_t k = 0; k < sizeof changes / sizeof *changes; k++) {
        copy_file(good, path);
        rewrite(path, &changes[k]);
        if (golden_is_current(c, NULL, path))
            fail_msg("change %zu goes unseen", k);
        if (changes[k].key) {
            f = (Failure){""};
            assert_false(golden_certificate(&g, c, path, &f));
            assert_contains(f.text, "changed: metadata \"");
            assert_contains(f.text, changes[k].key);
        }
    }
    write_file(path, "x", 1);
    assert_false(golden_is_current(c, NULL, path));
    assert_int_equal(remove(path), 0);
    assert_false(golden_is_current(c, NULL, path));
    assert_false(golden_is_current(case_of("plain-decode-window-0-bf16"), NULL, good));
}

/* A zero of the other sign is another input. */
static void the_sign_of_zero_counts(void **state)
{
    const GoldenCase *c = case_of("equal-keys-all-f32");
    const char *path = made(c->id);
    (void)state;
    assert_true(golden_is_current(c, NULL, path));
    SafetensorsFile *file = opened(path);
    const Tensor *vu = tensor_in(file, "vu");
    assert_true(tensor_value(vu, 0) == 0);
    double other = signbit(tensor_value(vu, 0)) ? 0.0 : -0.0;
    safetensors_close(file);
    rewrite(path, &(Change){.tensor = "vu", .value = other});
    assert_false(golden_is_current(c, NULL, path));
}

/* An ablation's file is not that of CASTLE with the same inputs. */
static void the_variant_counts(void **state)
{
    GoldenCase c = *case_of("tiny-two-numbers-f32");
    const char *path = made("tiny-two-numbers-f32");
    (void)state;
    assert_true(golden_is_current(&c, NULL, path));
    c.variant = WITHOUT_SILU;
    assert_false(golden_is_current(&c, NULL, path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_complete),
        cmocka_unit_test(the_cache_after_t_tokens_is_u_of_the_first_t),
        cmocka_unit_test(the_same_case_gives_the_same_bytes),
        cmocka_unit_test(nothing_is_left_where_writing_fails),
        cmocka_unit_test(a_changed_file_is_not_current),
        cmocka_unit_test(the_sign_of_zero_counts),
        cmocka_unit_test(the_variant_counts),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
