/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The page as bytes: self-contained, under its size, safe from the user's text, its tables the oracle's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "explain_json.h"
#include "explain_page.h"
#include "explain_tables.h"
#include "oracle.h"

#include "docs_support.h"
#include "explain_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Page page_of(const Explain *e)
{
    Page page;
    Failure f;
    if (!explain_page(&page, e, &f))
        fail_msg("%s", f.text);
    return page;
}

static size_t times(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        n++;
    return n;
}

/* The JSON between its tags; the caller frees it. */
static char *data_in(const char *page)
{
    static const char open[] = "<script type=\"application/json\" id=\"data\">";
    const char *at = strstr(page, open);
    assert_non_null(at);
    at += strlen(open);
    return strndup(at, (size_t)(strstr(at, "</script>") - at));
}

static void it_needs_nothing_but_itself(void **state)
{
    (void)state;
    Explain e = explained("the old man", 4, NO_WINDOW);
    Page page = page_of(&e);
    static const char *const outward[] = {
        "http:",  "https:",         " src=",   "@import", "url(", "<link rel=\"style",
        "fetch(", "XMLHttpRequest", "import(", "{{"};
    for (size_t k = 0; k < sizeof outward / sizeof *outward; k++)
        if (strstr(page.text, outward[k]))
            fail_msg("the page has %.80s", strstr(page.text, outward[k]));
    assert_int_equal(page.size, strlen(page.text));
    assert_true(is_explain_page(page.text, page.size));
    assert_false(is_explain_page(page.text, 20));
    assert_false(is_explain_page("<!DOCTYPE html>\n<!-- Made by hand, and long enough -->", 53));
    free(page.text);
}

static void the_same_words_give_the_same_bytes(void **state)
{
    (void)state;
    Explain e = explained("the old man", 2, 1);
    Page a = page_of(&e), b = page_of(&e);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.text, b.text, a.size);
    free(a.text);
    free(b.text);
}

static void sixty_four_words_fit(void **state)
{
    (void)state;
    Explain e = explained(many_words(EXPLAIN_MOST_WORDS), 4, NO_WINDOW);
    Page page = page_of(&e);
    assert_true(page.size < EXPLAIN_MOST_PAGE);
    assert_int_equal(times(page.text, "Step t = "), 2 * EXPLAIN_MOST_WORDS); /* label and caption */
    free(page.text);
}

static void what_cannot_fit_is_refused(void **state)
{
    (void)state;
    Page page;
    Failure f;
    for (size_t heads = 2; heads <= 8; heads += 6) { /* found by computing, and before it */
        Explain e = explained(many_words(EXPLAIN_MOST_WORDS), 16, NO_WINDOW);
        e.heads = heads;
        assert_false(explain_page(&page, &e, &f));
        assert_non_null(strstr(f.text, "64 tokens of dim"));
        assert_non_null(strstr(f.text, "expected at most 1000 kB"));
    }
}

static void text_of_the_user_is_escaped(void **state)
{
    (void)state;
    static const char hostile[] = "</script><script>x()</script> <b> &amp; \"q\" 'x' <!--";
    Explain e = explained(hostile, 1, NO_WINDOW), plain = explained("a b c d e f", 1, NO_WINDOW);
    Page page = page_of(&e), other = page_of(&plain);
    assert_null(strstr(page.text, "x()</script>"));
    assert_null(strstr(page.text, "<b> &amp; \""));
    assert_non_null(strstr(page.text, "&lt;/script&gt;&lt;script&gt;x()&lt;/script&gt; &lt;b&gt; "
                                      "&amp;amp; &quot;q&quot; &#39;x&#39; &lt;!--"));
    assert_int_equal(times(page.text, "<script"), times(other.text, "<script"));
    assert_int_equal(times(page.text, "<!--"), times(other.text, "<!--"));
    char *data = data_in(page.text);
    json_t *read = json_loads(data, 0, NULL), *words = json_object_get(read, "words");
    assert_int_equal(json_array_size(words), 6);
    assert_string_equal(json_string_value(json_array_get(words, 0)),
                        "</script><script>x()</script>");
    assert_null(strchr(data, '<'));
    json_decref(read);
    free(data);
    free(page.text);
    free(other.text);
}

/* ---- tables ----------------------------------------------------------------------------------- */

/* What the tables of one step must show, read off in order. */
typedef struct Reader {
    const char *at;
} Reader;

static void next_is(Reader *r, double x, size_t t, size_t s)
{
    r->at = strstr(r->at, "<td>");
    assert_non_null(r->at);
    r->at += strlen("<td>");
    const char *expected = decimal_of(x).text;
    if (strncmp(r->at, expected, strlen(expected)) != 0)
        fail_msg("step %zu, key %zu: %.12s; the oracle has %s", t + 1, s + 1, r->at, expected);
}

static void read_step(Reader *r, const Explain *e, const ExplainInputs *in, size_t t)
{
    Problem p = explain_problem(e, in, e->window, CASTLE);
    p.length = t + 1;
    Oracle *o = oracle(&p, false, false);
    for (size_t s = 0; s <= t; s++) {
        size_t k = t * p.length + s;
        for (size_t i = 0; i < e->dim; i++)
            next_is(r, o->truth[ANSWER_U].value[s * e->dim + i], t, s);
        next_is(r, o->truth[ANSWER_SC].value[k], t, s);
        next_is(r, o->truth[ANSWER_SU].value[k], t, s);
        r->at = strstr(strstr(r->at, "<td>") + 1, "<td>") +
                1; /* SiLU and score are not the oracle's */
        next_is(r, o->truth[ANSWER_P].value[k], t, s);
    }
    const char *answer = strstr(r->at, "Output");
    for (size_t i = 0; i < e->dim; i++) {
        const char *expected = decimal_of(o->truth[ANSWER_O].value[t * e->dim + i]).text;
        answer = strpbrk(answer, "(,") + 1 + (i > 0);
        if (strncmp(answer, expected, strlen(expected)) != 0)
            fail_msg("o of step %zu: %.12s; the oracle has %s", t + 1, answer, expected);
    }
    oracle_free(o);
}

static void the_tables_are_the_oracles(void **state)
{
    (void)state;
    static const size_t windows[] = {NO_WINDOW, 0, 2};
    for (size_t w = 0; w < 3; w++) {
        Explain e = explained("the horse raced past the barn fell", 3, windows[w]);
        ExplainHead h = explain_head(&e, 0);
        char *text;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        html_tables(out, &e, &h);
        (void)fclose(out);
        Reader r = {strstr(text, "step by step")};
        for (size_t t = 0; t < e.words.count; t++)
            read_step(&r, &e, &h.inputs, t);
        assert_null(strstr(r.at, "<td>"));
        free(text);
        explain_head_free(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_needs_nothing_but_itself),
        cmocka_unit_test(the_same_words_give_the_same_bytes),
        cmocka_unit_test(sixty_four_words_fit),
        cmocka_unit_test(what_cannot_fit_is_refused),
        cmocka_unit_test(text_of_the_user_is_escaped),
        cmocka_unit_test(the_tables_are_the_oracles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
