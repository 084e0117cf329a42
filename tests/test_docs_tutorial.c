/* SPDX-License-Identifier: GPL-3.0-or-later */
/* docs/tutorial.md: its numbers are those that the texts of ref/ compute, and a stale one is noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "docs_support.h"
#include "systems_support.h"
#include "tutorial.h"

#include <ctype.h>

#define TUTORIAL "docs/tutorial.md"

static char *refreshed(const char *text)
{
    Failure f;
    char *fresh = tutorial_refreshed(text, &f);
    if (!fresh)
        fail_msg(TUTORIAL ": %s", f.text);
    return fresh;
}

/* The line that holds byte `at`. */
static const char *line_at(const char *text, size_t at, int *length)
{
    const char *begin = text + at;
    while (begin > text && begin[-1] != '\n')
        begin--;
    *length = (int)strcspn(begin, "\n");
    return begin;
}

static void the_numbers_are_those_computed(void **state)
{
    (void)state;
    char *text = text_of(TUTORIAL), *fresh = refreshed(text);
    size_t k = 0;
    while (text[k] && text[k] == fresh[k])
        k++;
    if (text[k] != fresh[k]) {
        int shown, right;
        const char *stale = line_at(text, k, &shown), *line = line_at(fresh, k, &right);
        fail_msg(TUTORIAL " shows\n%.*s\nand should show (make docs-numbers)\n%.*s", shown, stale,
                 right, line);
    }
    free(text);
    free(fresh);
}

/* The next character at or behind `at` of a box of numbers: between ```text and ```. NULL: there is none. */
static char *next_boxed(char *text, char *at)
{
    bool inside = false;
    for (char *line = text; *line;) {
        char *end = line + strcspn(line, "\n");
        if (strncmp(line, "```", 3) == 0)
            inside = strncmp(line, "```text", 7) == 0;
        else if (inside && end > at)
            return at > line ? at : line;
        line = end + (*end == '\n');
    }
    return NULL;
}

/* Every digit of some lines, and one of every line, changed in turn. */
static void a_stale_digit_is_noticed(void **state)
{
    (void)state;
    char *text = text_of(TUTORIAL), *original = text_of(TUTORIAL);
    size_t changed = 0, step = asked_for("CASTLE_TEST_LONG") ? 1 : 97;
    for (char *at = text; (at = next_boxed(text, at)); at += step) {
        at += strcspn(at, "0123456789");
        if (next_boxed(text, at) != at)
            continue;
        char kept = *at;
        *at = kept == '7' ? '3' : '7';
        char *fresh = refreshed(text);
        assert_string_equal(fresh, original);
        free(fresh);
        *at = kept;
        changed++;
    }
    assert_true(changed >= 20);
    free(text);
    free(original);
}

static void refuses(const char *text, const char *expected)
{
    Failure f;
    if (tutorial_refreshed(text, &f))
        fail_msg("expected a refusal: %s", expected);
    if (!strstr(f.text, expected))
        fail_msg("%s: expected %s", f.text, expected);
}

static void blocks_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    refuses("<!-- begin keyz -->\n<!-- end keyz -->\n",
            "no function prints the block that begins with <!-- begin keyz -->");
    refuses("<!-- begin keys -->\nU^1\n", "the block keys has no end");
    refuses("<!-- begin keys -->\n<!-- end keys -->\n", "the text has no block inputs");
    refuses("", "the text has no block inputs");
}

/* ---- code ---------------------------------------------------------------------------------------------- */

/* The text with no blanks at the beginnings of lines; the caller frees it. */
static char *without_margin(const char *text)
{
    char *plain = strdup(text), *to = plain;
    assert_non_null(plain);
    for (const char *from = text; *from; from++)
        if (*from != ' ' || (to > plain && to[-1] != '\n'))
            *to++ = *from;
    *to = '\0';
    return plain;
}

static void ignore(void *unused, Part part[MOST_PARTS])
{
    (void)unused;
    (void)part;
}

/* Behind each "<!-- code FILE -->" some lines of that file, as they are. */
static void code_is_that_of_the_sources(void **state)
{
    (void)state;
    char *text = text_of(TUTORIAL), path[100];
    size_t count = 0;
    for (char *at = text; (at = strstr(at, "<!-- code ")); count++) {
        assert_int_equal(sscanf(at, "<!-- code %99s -->", path), 1);
        char *begin = strstr(at, "-->\n```c\n"), *end = strstr(at, "\n```\n");
        assert_true(begin && end && begin < end);
        at = end + 1;
        *at = '\0'; /* the code and its last newline */
        char *source = text_of(path), *lines = without_margin(source);
        char *code = without_margin(begin + strlen("-->\n```c"));
        if (!strstr(lines, code))
            fail_msg(TUTORIAL ": %s does not have these lines:%s", path, code);
        *at++ = '`';
        free(source);
        free(lines);
        free(code);
    }
    assert_true(count >= 10);
    assert_int_equal(each_match(text, "^```c$", ignore, NULL), count);
    free(text);
}

/* ---- numbers in the prose ---------------------------------------------------------------------------- */

static void is_in_a_box(void *boxes, Part part[MOST_PARTS])
{
    if (strcmp(part[0], "2509.07301") != 0 && strcmp(part[0], "0.2785") != 0 &&
        !strstr(boxes, part[0]))
        fail_msg(TUTORIAL " says %s, which is in none of its boxes", part[0]);
}

static void numbers_in_the_prose_are_in_a_box(void **state)
{
    (void)state;
    char *text = text_of(TUTORIAL), *boxes = half_of(text, true), *prose = half_of(text, false);
    assert_true(strstr(boxes, "0.8044") && !strstr(prose, "0.8044"));
    assert_true(each_match(prose, "[0-9]+\\.[0-9]{3,}", is_in_a_box, boxes) > 0);
    free(text);
    free(boxes);
    free(prose);
}

/* The prose's one number of its own: SiLU's least value, where its slope changes sign. */
static void silu_is_never_below_its_minimum(void **state)
{
    (void)state;
    System *in = mpfr_system(113);
    double low = -2, high = -1, least;
    for (int k = 0; k < 60; k++) {
        double middle = (low + high) / 2;
        Matrix slope = map(SILU_SLOPE, matrix_from(in, 1, 1, &middle));
        *(number_at(slope, 0, 0) < 0 ? &low : &high) = middle;
    }
    least = number_at(map(SILU, matrix_from(in, 1, 1, &low)), 0, 0);
    char shown[20];
    (void)snprintf(shown, sizeof shown, "%.4f", least);
    char *text = text_of(TUTORIAL);
    if (!strstr(text, shown))
        fail_msg(TUTORIAL " does not say %s", shown);
    free(text);
    system_free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_numbers_are_those_computed),
        cmocka_unit_test(a_stale_digit_is_noticed),
        cmocka_unit_test(blocks_that_do_not_fit_are_refused),
        cmocka_unit_test(code_is_that_of_the_sources),
        cmocka_unit_test(numbers_in_the_prose_are_in_a_box),
        cmocka_unit_test(silu_is_never_below_its_minimum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
