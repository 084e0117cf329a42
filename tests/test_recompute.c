/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Golden files against the definition in another language: tests/recompute_mpmath.py must find
 * every bit of every answer in freshly made files of each family, kind, type and variant, and must
 * see a single wrong one. CASTLE_TEST_LONG=1: every core case up to a size.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cases.h"
#include "command_support.h"
#include "program_support.h"
#include "safetensors.h"

#define SCRIPT "tests/recompute_mpmath.py"
enum { MOST_FILES = 400, LONG_COST = 1000000 };

/* The smallest of each family, and what the kinds and variants need besides. */
static const char *const chosen[] = {
    "plain-stages-f64",
    "plain-batch-heads-bf16",
    "plain-without-silu-stages-f32",
    "plain-without-causal-keys-bf16",
    "plain-layer-two-heads-bf16",
    "plain-layer-window-f32",
    "plain-decode-window-0-f32",
    "trained-without-silu-f32",
    "tiny-one-token-f32",
    "tiny-three-tokens-f16",
    "ragged-49-bf16",
    "dim-3-stages-f64",
    "window-stages-f16",
    "neg-60000-f32",
    "large-su-400-bf16",
    "outlier-17-window-bf16",
    "offset-64-f16",
    "drift-decode-f16",
    "alive-stages-bf16",
    "loss-scale-13-f16",
    "saturated-50-f64",
    "silu-minimum-stages-f64",
    "equal-keys-all-f64",
    "integers-1-f32",
    "special-nan-token-f16",
    "special-minus-inf-kc-bf16",
    "special-subnormal-first-f32",
};
enum { CHOSEN = sizeof chosen / sizeof *chosen };

static Cases cases;
static const char *python;
static const char *words[MOST_FILES + 3]; /* python, the script, files */

static int setup(void **state)
{
    Failure f;
    if (!cases_read(&cases, NULL, &f)) {
        print_error("%s\n", f.text);
        return -1;
    }
    python = python_with("mpmath, gmpy2"); /* the faster one */
    if (!python)
        python = python_with("mpmath");
    return command_setup(state);
}

static int teardown(void **state)
{
    cases_free(&cases);
    return command_teardown(state);
}

/* What an mpmath in an interpreter takes grows like this. */
static size_t cost(const GoldenCase *c)
{
    return c->batch * c->heads * c->length * c->length * c->length * c->dim;
}

static const char *emitted(const char *id)
{
    char name[100];
    run_right("emit", "--out", scratch, "--case", id);
    (void)snprintf(name, sizeof name, "%s.safetensors", id);
    return scratch_path(name);
}

static void chosen_cases_are_of_every_family_kind_type_and_variant(void **state)
{
    (void)state;
    unsigned families = 0, kinds = 0, types = 0, variants = 0, flags = 0;
    for (size_t k = 0; k < CHOSEN; k++) {
        const GoldenCase *c = cases_find(&cases, chosen[k]);
        if (!c) {
            fail_msg("there is no case %s", chosen[k]);
            return;
        }
        families |= 1U << c->family;
        kinds |= c->kinds;
        types |= 1U << c->type;
        variants |= 1U << c->variant;
        flags |= c->flags;
    }
    assert_int_equal(families, (1U << CASE_FAMILIES) - 1);
    assert_int_equal(kinds, (1U << CASE_KINDS) - 1);
    assert_int_equal(types, (1U << NUMBER_TYPES) - 1);
    assert_int_equal(variants, 7);
    assert_int_equal(flags, (1U << CASE_FLAGS) - 1);
}

static void every_bit_comes_out_of_the_definition_in_mpmath(void **state)
{
    (void)state;
    size_t count = 2;
    if (!python)
        skip_with("no python3 with mpmath; install python3-mpmath (and python3-gmpy2)");
    if (in_short())
        skip_with("CASTLE_TEST_SHORT is set");
    words[0] = python;
    words[1] = SCRIPT;
    if (getenv("CASTLE_TEST_LONG")) {
        for (size_t k = 0; k < cases.count && count < MOST_FILES; k++)
            if (cases.at[k].tier == TIER_CORE && cost(&cases.at[k]) <= LONG_COST)
                words[count++] = emitted(cases.at[k].id);
    } else
        for (size_t k = 0; k < CHOSEN; k++)
            words[count++] = emitted(chosen[k]);
    char *text;
    int status = program_run(words, &text);
    if (status)
        fail_msg("%s ended with %d:\n%s", SCRIPT, status, text);
    size_t agree = 0;
    for (const char *at = text; (at = strstr(at, " agree to the last bit")); at++)
        agree++;
    assert_int_equal(agree, count - 2);
    free(text);
}

static const unsigned char *end_of(const Tensor *t)
{
    return t->bytes + t->count * number_type_bytes(t->type);
}

/* How far from the end of the file the number is: tensors stand there without gaps. */
static size_t from_end(const char *path, const char *tensor, size_t index)
{
    Failure f;
    SafetensorsFile *file = safetensors_open(path, &f);
    assert_non_null(file);
    const Tensor *t = safetensors_find(file, tensor);
    assert_non_null(t);
    const unsigned char *end = end_of(t);
    for (size_t k = 0; k < safetensors_count(file); k++)
        if (end_of(safetensors_at(file, k)) > end)
            end = end_of(safetensors_at(file, k));
    size_t distance = (size_t)(end - t->bytes) - index * number_type_bytes(t->type);
    safetensors_close(file);
    return distance;
}

/* The lowest bit of one number changed: the script must say which one it is. */
static void assert_sees(const char *id, const char *tensor, size_t index)
{
    size_t size;
    const char *path = emitted(id);
    unsigned char *bytes = read_whole_file(path, &size);
    bytes[size - from_end(path, tensor, index)] ^= 1;
    write_file(path, bytes, size);
    free(bytes);
    char *text, expected[80];
    int status = program_run(PROGRAM(python, SCRIPT, path), &text);
    (void)snprintf(expected, sizeof expected, ": %s[%zu] is ", tensor, index);
    if (status != WRONG_STATUS || !strstr(text, expected))
        fail_msg("%s: lowest bit of %s[%zu] changed; status %d:\n%s", id, tensor, index, status,
                 text);
    free(text);
    assert_int_equal(remove(path), 0);
}

static void one_wrong_bit_is_seen(void **state)
{
    (void)state;
    if (!python)
        skip_with("no python3 with mpmath; install python3-mpmath (and python3-gmpy2)");
    if (in_short())
        skip_with("CASTLE_TEST_SHORT is set");
    assert_sees("tiny-two-tokens-bf16", "o", 3);
    assert_sees("tiny-two-tokens-bf16", "o.lo", 4);
    assert_sees("tiny-two-tokens-bf16", "o.bf16", 4);
    assert_sees("tiny-two-tokens-f64", "dqc.lo", 5);
    assert_sees("tiny-two-tokens-f32", "dvu.f32", 3);
    assert_sees("plain-layer-one-token-f32", "dwvc.lo", 7);
    assert_sees("plain-decode-window-0-bf16", "u@12", 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(chosen_cases_are_of_every_family_kind_type_and_variant),
        TEST(every_bit_comes_out_of_the_definition_in_mpmath),
        TEST(one_wrong_bit_is_seen),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
