/* SPDX-License-Identifier: GPL-3.0-or-later */
/* castle show: a page that says what the table, the index and the file say, and no other file's numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "case_support.h"
#include "command_support.h"
#include "golden_support.h"

#include <math.h>

static const char *const ids[] = {"tiny-two-tokens-bf16",        "tiny-two-numbers-f32",
                                  "special-nan-first-f32",       "special-subnormal-alone-f64",
                                  "plain-layer-one-token-f32",   "plain-decode-window-0-bf16",
                                  "special-subnormal-alone-f16", "plain-batch-heads-f32"};
enum { IDS = sizeof ids / sizeof *ids };

/* The cases' files, in the scratch folder's "good". */
static int setup(void **state)
{
    if (built_in_cases(state) != 0 || command_setup(state) != 0)
        return -1;
    for (size_t k = 0; k < IDS; k++) {
        run("emit", "--out", scratch_path("good"), "--case", ids[k]);
        if (last.status != 0)
            return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)drop_cases(state);
    return command_teardown(state);
}

static void show(const char *id)
{
    run_right("show", "--golden", scratch_path("good"), id);
    assert_silent_err();
    assert_fits_page();
}

/* What is printed, with every run of white space as one blank: wrapped text can be looked for. */
static const char *unwrapped(void)
{
    static char text[200000];
    size_t used = 0;
    for (const char *at = last.out; *at && used + 1 < sizeof text; at++) {
        bool blank = strchr(" \n", *at) != NULL;
        if (!blank || (used && text[used - 1] != ' '))
            text[used++] = blank ? ' ' : *at;
    }
    text[used] = '\0';
    return text;
}

static void the_page_says_what_the_table_says(void **state)
{
    (void)state;
    size_t step = in_short() ? 40 : 15;
    for (size_t k = 0; k < built_in.count; k += step) {
        const GoldenCase *c = &built_in.at[k];
        char shape[100];
        show(c->id);
        const char *text = unwrapped();
        assert_contains(text, c->id);
        assert_contains(text, c->purpose);
        assert_contains(text, built_in.why[c->family]);
        (void)snprintf(shape, sizeof shape, " batch %zu, heads %zu, L %zu, d %zu", c->batch,
                       c->heads, c->length, c->dim);
        assert_contains(text, shape);
        assert_contains(text, case_arithmetic(c->type));
        assert_contains(text, variant_name(c->variant));
        for (size_t b = 0; b < built_in.bugs; b++)
            for (size_t i = 0; i < c->bugs; i++)
                if (strcmp(c->bug[i], built_in.bug[b].id) == 0)
                    assert_contains(text, built_in.bug[b].meaning);
    }
    show("plain-decode-f32");
    assert_out("U after tokens 1 2 17 40\n");
    assert_out("16 8 1*16\n");
    show("special-inf-vc-f32");
    assert_contains(unwrapped(), " is inf ");
    show("trained-middle-rows-f32");
    assert_contains(unwrapped(), " from trained-layer2: head 1 on, token 64 on ");
    show("plain-layer-one-head-f32");
    assert_out(", dm 8\n");
}

static void the_page_says_what_the_index_says(void **state)
{
    Failure f;
    (void)state;
    json_t *index = index_read(TIER_CORE, scratch_path("good"), &f);
    assert_non_null(index);
    for (size_t k = 0; k < IDS; k++) {
        const json_t *entry = index_find(index, ids[k]);
        const json_t *said = json_object_get(entry, "certificate");
        char text[200];
        show(ids[k]);
        assert_out(json_string_value(json_object_get(entry, "sha256")));
        (void)snprintf(text, sizeof text, "%d numbers: %d masked, %d undefined, %d ties, ",
                       (int)json_integer_value(json_object_get(said, "elements")),
                       (int)json_integer_value(json_object_get(said, "masked")),
                       (int)json_integer_value(json_object_get(said, "undefined")),
                       (int)json_integer_value(json_object_get(said, "ties")));
        assert_contains(unwrapped(), text);
    }
    json_decref(index);
}

/* ---- numbers ---------------------------------------------------------------------------------- */

static bool same(double x, double y)
{
    return isnan(x) ? isnan(y) : x == y && !signbit(x) == !signbit(y);
}

/* The next word of the text as a number. */
static double number_at(const char **text)
{
    char *end;
    double x = strtod(*text, &end);
    assert_true(end > *text);
    *text = end;
    return x;
}

/* One tensor's lines: the decimals, read back and rounded to the type, and the hexadecimals are its numbers.
 * Returns how many there are. */
static size_t assert_numbers(const SafetensorsFile *file, const Tensor *t)
{
    char title[100], name[60];
    (void)snprintf(title, sizeof title, "\n%s %s [", t->name, number_type_name(t->type));
    const char *at = strstr(last.out, title);
    if (!at) {
        complain("there is no tensor ", t->name);
        return 0;
    }
    at += 1 + strcspn(at + 1, "\n") + 1;
    (void)snprintf(name, sizeof name, "%s.lo", t->name);
    const Tensor *lo = safetensors_find(file, name);
    size_t count = 0;
    for (; strncmp(at, "  [", 3) == 0; count++) {
        at += strcspn(at, "]") + 1;
        double x = tensor_value(t, count), decimal = number_at(&at);
        assert_true(same(x, format_round_double(decimal, number_format(t->type))));
        assert_true(same(x, number_at(&at)));
        if (lo) {
            assert_true(same(tensor_value(lo, count), number_at(&at)));
            double sigma = number_at(&at);
            assert_true(sigma >= 0 || isnan(sigma));
        }
        assert_int_equal(*at++, '\n');
    }
    (void)snprintf(title, sizeof title, "  .. and %zu more numbers\n", t->count - count);
    assert_int_equal(strncmp(at, title, strlen(title)) == 0, count < t->count);
    return count;
}

static void the_numbers_are_the_files(void **state)
{
    size_t cut = 0, whole = 0;
    (void)state;
    for (size_t k = 0; k < IDS; k++) {
        Failure f;
        SafetensorsFile *file = safetensors_open(file_of(scratch_path("good"), ids[k]), &f);
        assert_non_null(file);
        show(ids[k]);
        for (size_t i = 0; i < safetensors_count(file); i++) {
            const Tensor *t = safetensors_at(file, i);
            if (strchr(t->name, '.'))
                continue;
            size_t shown = assert_numbers(file, t), columns = t->shape[t->dims - 1];
            assert_int_equal(shown, t->count <= 64 ? t->count : 16 / columns * columns);
            *(shown < t->count ? &cut : &whole) += 1;
        }
        safetensors_close(file);
    }
    assert_true(whole > 50 && cut > 0);
}

/* Sigma stands in the row that it belongs to. */
static void sigma_stands_beside_its_row(void **state)
{
    Failure f;
    SafetensorsFile *file = safetensors_open(file_of(scratch_path("good"), ids[0]), &f);
    const Tensor *sigma = safetensors_find(file, "dvu.sigma");
    size_t rows = 0;
    (void)state;
    assert_non_null(sigma);
    show(ids[0]);
    const char *at = strstr(last.out, "\ndvu F64 [1, 1, 2, 3]");
    assert_non_null(at);
    for (at = strchr(at + 1, '\n') + 1; strncmp(at, "  [0,0,", 7) == 0; rows++) {
        char expected[40];
        const char *end = strchr(at, '\n');
        (void)snprintf(expected, sizeof expected, "%9.3g",
                       tensor_value(sigma, (size_t)(at[7] - '0')));
        assert_int_equal(strncmp(end - 9, expected, 9), 0);
        at = end + 1;
    }
    assert_int_equal(rows, 6);
    assert_true(tensor_value(sigma, 0) != tensor_value(sigma, 1));
    safetensors_close(file);
}

/* ---- without a file, or with the wrong one ---------------------------------------------------- */

static void an_absent_file_is_told_and_how_to_make_it(void **state)
{
    (void)state;
    show("neg-300-f32");
    assert_contains(unwrapped(),
                    "good/neg-300-f32.safetensors numbers not there; castle emit --case "
                    "neg-300-f32 --out DIR makes it");
    show("paper-64-f32");
    assert_contains(unwrapped(), "castle emit --tier paper --case paper-64-f32 --out DIR makes it");
    const char *work = scratch_path("work");
    copy_folder(scratch_path("good"), work);
    assert_int_equal(remove(file_of(work, ids[0])), 0);
    run_right("show", ids[0], "--golden", work);
    assert_out("SHA-256"); /* the index still has it */
    assert_contains(unwrapped(), "not there; castle emit --case ");
    run_right("show", ids[0], "--golden", "no-such-folder");
    assert_not_out("SHA-256");
    remove_tree(work);
}

static void files_that_the_index_does_not_have_are_refused(void **state)
{
    const char *work = scratch_path("work");
    (void)state;
    copy_folder(scratch_path("good"), work);
    flip_bit(file_of(work, ids[0]), file_size(file_of(work, ids[0])) - 1, 0);
    refuses("the file was changed", "show", ids[0], "--golden", work);
    copy_file(file_of(work, ids[0]), file_of(work, "neg-300-f32"));
    refuses("neg-300-f32.safetensors: the index does not list the case", "show", "neg-300-f32",
            "--golden", work);
    assert_int_equal(remove(path_in(work, "index.json")), 0);
    refuses("work/index.json: cannot be opened", "show", ids[1], "--golden", work);
    remove_tree(work);
    refuses("there is no case \"tiny\"; castle list shows all", "show", "tiny");
    refuses("there is no case \"\\x1b\"", "show", "\x1b");
    refuses("no case given", "show");
    refuses("more than one case given, \"a\" and \"b\"", "show", "a", "b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_says_what_the_table_says),
        cmocka_unit_test(the_page_says_what_the_index_says),
        cmocka_unit_test(the_numbers_are_the_files),
        cmocka_unit_test(sigma_stands_beside_its_row),
        cmocka_unit_test(an_absent_file_is_told_and_how_to_make_it),
        cmocka_unit_test(files_that_the_index_does_not_have_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
