/* SPDX-License-Identifier: GPL-3.0-or-later */
/* castle list: every case that is asked for, once, on a page; and the table as a document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "case_support.h"
#include "command_support.h"

#include <fnmatch.h>

static int setup(void **state) { return built_in_cases(state) == 0 ? command_setup(state) : -1; }

static int teardown(void **state)
{
    (void)drop_cases(state);
    return command_teardown(state);
}

/* The text's next line, without its newline; NULL at the end. */
static const char *next_line(const char **text)
{
    static char line[300];
    size_t n = strcspn(*text, "\n");
    if (!**text)
        return NULL;
    (void)snprintf(line, sizeof line, "%.*s", (int)n, *text);
    *text += n + ((*text)[n] == '\n');
    return line;
}

static void assert_row(const char *line, const GoldenCase *c)
{
    char id[80], family[20], kinds[10], type[8], shape[40], window[10], expected[80], words[100];
    assert_int_equal(sscanf(line, "%79s %19s %9s %7s %39s %9s %99[^\n]", id, family, kinds, type,
                            shape, window, words),
                     7);
    assert_string_equal(id, c->id);
    assert_string_equal(family, case_family_name(c->family));
    assert_string_equal(type, case_type_suffix(c->type));
    for (size_t k = 0; k < CASE_KINDS; k++)
        assert_int_equal(kinds[k], c->kinds >> k & 1 ? "fgsdlv"[k] : '-');
    (void)snprintf(expected, sizeof expected, "%zux%zux%zux%zu", c->batch, c->heads, c->length,
                   c->dim);
    assert_string_equal(shape, expected);
    if (c->window == NO_WINDOW)
        (void)snprintf(expected, sizeof expected, "none");
    else
        (void)snprintf(expected, sizeof expected, "%zu", c->window);
    assert_string_equal(window, expected);
    size_t n = strlen(words);
    if (strcmp(words, c->purpose) != 0) { /* cut between words, with dots */
        assert_true(n > 2 && strcmp(words + n - 2, "..") == 0);
        words[n - 2] = 0;
        assert_ptr_equal(strstr(c->purpose, words), c->purpose);
        assert_true(n == 2 || c->purpose[n - 2] == ' ');
    }
}

/* What was printed are the cases that these conditions take, in the table's order. NULL: any. */
static void assert_listed(const char *tier, const char *pattern, const char *family)
{
    const char *text = last.out, *line;
    size_t count[2] = {0, 0};
    char expected[100];
    assert_status(RIGHT_STATUS);
    assert_silent_err();
    assert_fits_page();
    line = next_line(&text);
    assert_non_null(line);
    assert_int_equal(strncmp(line, "case ", 5), 0);
    for (size_t k = 0; k < built_in.count; k++) {
        const GoldenCase *c = &built_in.at[k];
        if ((tier && strcmp(tier, case_tier_name(c->tier)) != 0) ||
            (pattern && fnmatch(pattern, c->id, 0) != 0) ||
            (family && strcmp(family, case_family_name(c->family)) != 0))
            continue;
        line = next_line(&text);
        assert_non_null(line);
        assert_row(line, c);
        count[c->tier]++;
    }
    size_t all = count[TIER_CORE] + count[TIER_PAPER];
    (void)snprintf(expected, sizeof expected,
                   "kinds: forward gradients stages decode layer variant\n"
                   "%zu case%s: %zu core, %zu paper\n",
                   all, all == 1 ? "" : "s", count[TIER_CORE], count[TIER_PAPER]);
    assert_true(all > 0);
    assert_string_equal(text, expected);
}

static void all_cases_are_listed(void **state)
{
    (void)state;
    run("list");
    assert_listed(NULL, NULL, NULL);
    run("list", "--tier", "all");
    assert_listed(NULL, NULL, NULL);
    run("list", "--tier", "core");
    assert_listed("core", NULL, NULL);
    run("list", "-tpaper");
    assert_listed("paper", NULL, NULL);
}

static void patterns_and_families_choose(void **state)
{
    (void)state;
    for (CaseFamily k = 0; k < CASE_FAMILIES; k++) {
        run("list", "--family", case_family_name(k));
        assert_listed(NULL, NULL, case_family_name(k));
    }
    run("list", "--case", "window-*-bf16");
    assert_listed(NULL, "window-*-bf16", NULL);
    run("list", "-c", "*-f[36]*", "-f", "plain", "-t", "paper");
    assert_listed("paper", "*-f[36]*", "plain");
    run("list", "-c", "tiny-one-token-f32");
    assert_listed(NULL, "tiny-one-token-f32", NULL);
}

static void what_takes_no_case_is_refused(void **state)
{
    (void)state;
    refuses("there is no case that matches \"tiny\"; castle list shows all", "list", "-c", "tiny");
    refuses("there is no case of the tier paper of the family \"neg\";", "list", "-f", "neg", "-t",
            "paper");
    refuses("there is no case of the family \"neg\" that matches \"\"", "list", "-c", "", "-f",
            "neg", "--json");
    refuses("--family is \"negative\"; expected one of plain trained ", "list", "-f", "negative");
    refuses("--tier is \"\"; expected core, paper or all", "list", "-t", "");
    refuses("Too many arguments", "list", "tiny-one-token-f32");
}

/* ---- the document ----------------------------------------------------------------------------- */

static void assert_number(const json_t *o, const char *key, size_t expected)
{
    assert_true(json_is_integer(json_object_get(o, key)));
    assert_int_equal(json_integer_value(json_object_get(o, key)), expected);
}

static void assert_text(const json_t *o, const char *key, const char *expected)
{
    const char *found = json_string_value(json_object_get(o, key));
    assert_non_null(found);
    assert_string_equal(found, expected);
}

static void assert_same_splits(const json_t *splits, const GoldenCase *c)
{
    assert_int_equal(json_array_size(splits), c->splits);
    for (size_t k = 0; k < c->splits; k++) {
        const json_t *chunks = json_array_get(splits, k);
        assert_int_equal(json_array_size(chunks), c->split[k].chunks);
        for (size_t i = 0; i < c->split[k].chunks; i++)
            assert_int_equal(json_integer_value(json_array_get(chunks, i)), c->split[k].chunk[i]);
    }
}

static void the_document_has_what_the_table_has(void **state)
{
    (void)state;
    run_right("list", "--json");
    json_t *doc = document(), *rows = json_object_get(doc, "cases");
    assert_number(doc, "count", built_in.count);
    assert_int_equal(json_array_size(rows), built_in.count);
    for (size_t k = 0; k < built_in.count; k++) {
        const GoldenCase *c = &built_in.at[k];
        const json_t *row = json_array_get(rows, k), *bugs = json_object_get(row, "bugs");
        const json_t *shape = json_object_get(row, "shape"), *steps = json_object_get(row, "steps");
        assert_text(row, "id", c->id);
        assert_text(row, "for", c->purpose);
        assert_text(row, "tier", case_tier_name(c->tier));
        assert_text(row, "variant", variant_name(c->variant));
        assert_text(row, "arithmetic", case_arithmetic(c->type));
        assert_number(row, "seed", c->seed);
        assert_true(json_number_value(json_object_get(row, "level")) == c->level);
        assert_int_equal(json_integer_value(json_array_get(shape, 0)), c->batch);
        assert_int_equal(json_integer_value(json_array_get(shape, 3)), c->dim);
        assert_int_equal(json_array_size(bugs), c->bugs);
        for (size_t b = 0; b < c->bugs; b++)
            assert_string_equal(json_string_value(json_array_get(bugs, b)), c->bug[b]);
        assert_int_equal(json_array_size(steps), c->steps);
        for (size_t s = 0; s < c->steps; s++)
            assert_int_equal(json_integer_value(json_array_get(steps, s)), c->step[s]);
        assert_same_splits(json_object_get(row, "splits"), c);
        assert_int_equal(json_object_get(row, "dm") != NULL, c->model > 0);
        assert_int_equal(json_object_get(row, "source") != NULL, c->source != NULL);
        assert_int_equal(json_object_get(row, "value") != NULL, c->special != NULL);
        if (c->source) {
            assert_text(row, "source", c->source);
            assert_number(row, "head", c->source_head);
            assert_number(row, "first", c->first);
        }
        if (c->special) {
            assert_text(row, "value", c->special);
            assert_number(row, "token", c->token);
            assert_int_equal(json_array_size(json_object_get(row, "tensors")),
                             __builtin_popcount(c->tensors));
        }
    }
    json_decref(doc);
    run_right("list", "--json", "--family", "neg", "--case", "*-f64");
    doc = document();
    assert_number(doc, "count", json_array_size(json_object_get(doc, "cases")));
    assert_number(doc, "count", 2);
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_cases_are_listed),
        TEST(patterns_and_families_choose),
        TEST(what_takes_no_case_is_refused),
        TEST(the_document_has_what_the_table_has),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
