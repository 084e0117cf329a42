/* SPDX-License-Identifier: GPL-3.0-or-later */
/* proofs/SOUNDNESS.md and proofs/README.md name theorems, tests, sections of the report, commands and files:
 * each must exist; and no headline theorem, no section and no test of a claim may be without a row. The
 * headers of ref/ name the theorems about their functions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "docs_support.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what there is ------------------------------------------------------------------------------ */

static bool of_a_name(char c) { return isalnum((unsigned char)c) || c == '_' || c == '\''; }

/* Whether a line states a theorem or lemma of that very name. */
static bool is_stated(const char *proofs, const char *name)
{
    static const char *const words[] = {"Theorem", "Lemma", "Corollary", "Proposition"};
    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
        char opening[330];
        int n = snprintf(opening, sizeof opening, "%s %s", words[k], name);
        for (const char *at = proofs; (at = strstr(at, opening)); at += n)
            if ((at == proofs || at[-1] == '\n') && !of_a_name(at[n]))
                return true;
    }
    return false;
}

/* Whether `makefile` has a line that begins "target:". */
static bool is_target(const char *makefile, const char *target)
{
    size_t n = strlen(target);
    for (const char *at = makefile; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL)
        if (strncmp(at, target, n) == 0 && at[n] == ':')
            return true;
    return false;
}

static bool holds(const char *text, const char *before, const char *word, const char *after)
{
    char whole[800];
    (void)snprintf(whole, sizeof whole, "%s%s%s", before, word, after);
    return strstr(text, whole) != NULL;
}

typedef struct Texts {
    char *makefile, *proofs, *report, *soundness;
} Texts;

static Texts texts_read(void)
{
    return (Texts){text_of("Makefile"), texts_of("proofs/coq/*.v"), texts_of("proofs/report_*.c"),
                   text_of("proofs/SOUNDNESS.md")};
}

static void texts_free(Texts *t)
{
    free(t->makefile);
    free(t->proofs);
    free(t->report);
    free(t->soundness);
}

/* ---- what the documents name -------------------------------------------------------------------- */

typedef struct Reading {
    const char *document;
    Texts of;
    size_t targets, theorems, tests, sections, links;
} Reading;

/* "make a b": every word a target. */
static void check_command(Reading *r, char *words)
{
    char *rest = words;
    for (char *word; (word = strtok_r(NULL, " ", &rest)); r->targets++)
        if (!is_target(r->of.makefile, word))
            fail_msg("%s: make %s: the Makefile has no such target", r->document, word);
}

/* "test_program/name" */
static void check_test(Reading *r, const char *named)
{
    char path[340];
    const char *name = strchr(named, '/');
    if (!name)
        fail_msg("%s: %s names no test of that program", r->document, named);
    (void)snprintf(path, sizeof path, "tests/%.*s.c", (int)(name - named), named);
    if (access(path, R_OK) != 0)
        fail_msg("%s: there is no %s", r->document, path);
    char *source = text_of(path);
    if (!holds(source, "static void ", name + 1, "(void **"))
        fail_msg("%s: %s has no test %s", r->document, path, name + 1);
    free(source);
    r->tests++;
}

static void is_there(void *reading, Part part[MOST_PARTS])
{
    Reading *r = reading;
    char *word = part[1];
    static const char section[] = "report.html#";
    if (strncmp(word, "make ", 5) == 0)
        check_command(r, word + 5);
    else if (strncmp(word, "test_", 5) == 0)
        check_test(r, word);
    else if (strncmp(word, section, sizeof section - 1) == 0) {
        r->sections++;
        if (!holds(r->of.report, "page_section(p, \"", word + sizeof section - 1, "\""))
            fail_msg("%s: make proofs writes no section %s", r->document, word);
    } else if (strncmp(word, "build/", 6) != 0) {
        r->theorems++;
        if (!is_stated(r->of.proofs, word))
            fail_msg("%s: %s is stated nowhere in proofs/coq", r->document, word);
    }
}

static void leads_somewhere(void *reading, Part part[MOST_PARTS])
{
    Reading *r = reading;
    char path[340];
    (void)snprintf(path, sizeof path, "proofs/%s", part[1]);
    r->links++;
    if (access(path, R_OK) != 0)
        fail_msg("%s: %s is linked to, and not there", r->document, path);
}

static void all_that_is_named_exists(void **state)
{
    (void)state;
    static const char *const documents[] = {"proofs/SOUNDNESS.md", "proofs/README.md"};
    Reading r = {.of = texts_read()};
    for (size_t k = 0; k < 2; k++) {
        r.document = documents[k];
        char *text = text_of(r.document);
        each_match(text, "`([^`]+)`", is_there, &r);
        each_match(text, "\\]\\(([^)]+)\\)", leads_somewhere, &r);
        free(text);
    }
    print_message("             %zu theorems, %zu tests, %zu sections, %zu targets, %zu links\n",
                  r.theorems, r.tests, r.sections, r.targets, r.links);
    assert_true(r.theorems && r.tests && r.sections && r.targets && r.links);
    texts_free(&r.of);
}

/* ---- what must have a row ----------------------------------------------------------------------- */

typedef struct Wanted {
    const char *document, *text; /* where it must stand */
    const char *program;         /* of a test */
} Wanted;

static void is_named(void *wanted, Part part[MOST_PARTS])
{
    const Wanted *w = wanted;
    if (!holds(w->text, "`", part[1], "`"))
        fail_msg("%s does not name the theorem %s", w->document, part[1]);
}

static void every_headline_theorem_has_a_row(void **state)
{
    (void)state;
    static const char *const documents[] = {"proofs/SOUNDNESS.md", "proofs/coq/README.md"};
    char *headlines = text_of("proofs/coq/assumptions.txt");
    for (size_t k = 0; k < 2; k++) {
        char *text = text_of(documents[k]);
        Wanted w = {documents[k], text, NULL};
        assert_true(each_match(headlines, "^([A-Za-z0-9_]+):", is_named, &w) >= 60);
        free(text);
    }
    free(headlines);
}

static void has_a_row(void *wanted, Part part[MOST_PARTS])
{
    const Wanted *w = wanted;
    char test[400];
    (void)snprintf(test, sizeof test, "%s/%s", w->program, part[1]);
    if (!holds(w->text, "`", test, "`"))
        fail_msg("%s has no row for %s", w->document, test);
}

static void every_test_of_a_claim_has_a_row(void **state)
{
    (void)state;
    static const char *const programs[] = {
        "test_sequential", "test_parallel", "test_blockwise", "test_gradients", "test_decode",
        "test_prefill",    "test_counting", "test_layer",     "test_models",    "test_coq_values"};
    char *soundness = text_of("proofs/SOUNDNESS.md");
    for (size_t k = 0; k < sizeof programs / sizeof *programs; k++) {
        char path[60];
        (void)snprintf(path, sizeof path, "tests/%s.c", programs[k]);
        char *source = text_of(path);
        Wanted w = {"proofs/SOUNDNESS.md", soundness, programs[k]};
        assert_true(each_match(source, "unit_test\\(([A-Za-z0-9_]+)\\)", has_a_row, &w) > 0);
        free(source);
    }
    free(soundness);
}

static void section_has_a_row(void *soundness, Part part[MOST_PARTS])
{
    if (!holds(soundness, "`report.html#", part[1], "`"))
        fail_msg("proofs/SOUNDNESS.md has no row for the section %s of the report", part[1]);
}

static void every_section_of_the_report_has_a_row(void **state)
{
    (void)state;
    Texts t = texts_read();
    assert_true(each_match(t.report, "page_section\\(p, \"([a-z0-9-]+)\"", section_has_a_row,
                           t.soundness) >= 7);
    texts_free(&t);
}

/* ---- the headers of ref/ ------------------------------------------------------------------------ */

/* Comments over several lines become one line each. */
static void join_comment_lines(char *text)
{
    char *to = text;
    for (const char *from = text; *from;) {
        size_t n = strspn(from, "\n ");
        if (*from == '\n' && from[n] == '*' && from[n + 1] == ' ') {
            from += n + 1;
            from += strspn(from, " ");
            *to++ = ' ';
        } else
            *to++ = *from++;
    }
    *to = '\0';
}

typedef struct Headers {
    char *names; /* every name that was found, each between two spaces */
    size_t size;
} Headers;

/* "prose, name, name (File.v)", maybe behind the label: items of one word are names, and stated in that file. */
static void are_stated_there(void *headers, Part part[MOST_PARTS])
{
    Headers *h = headers;
    static const char label[] = "Proved ";
    char path[340], *rest, *names = part[1];
    size_t found = 0;
    assert_true(strlen(names) + 1 < sizeof(Part));
    (void)snprintf(path, sizeof path, "proofs/coq/%s", part[2]);
    if (access(path, R_OK) != 0)
        fail_msg("ref/ names %s, which is not there", path);
    char *proofs = text_of(path);
    for (char *item = strtok_r(names, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
        item += strspn(item, " ");
        if (strncmp(item, label, sizeof label - 1) == 0) {
            item += sizeof label - 1;
            item += strspn(item, " ");
        }
        if (strchr(item, ' ') || !*item)
            continue;
        found++;
        if (!is_stated(proofs, item))
            fail_msg("ref/ names the theorem %s, which %s does not state", item, path);
        size_t more = strlen(item) + 2;
        h->names = realloc(h->names, h->size + more);
        assert_non_null(h->names);
        (void)snprintf(h->names + h->size - 1, more + 1, "%s ", item);
        h->size += more - 1;
    }
    if (!found)
        fail_msg("ref/ names %s and no theorem of it", path);
    free(proofs);
}

static void is_in_a_header(void *headers, Part part[MOST_PARTS])
{
    if (!holds(((Headers *)headers)->names, " ", part[1], " "))
        fail_msg("no header of ref/ names the theorem %s", part[1]);
}

static void headers_name_their_theorems(void **state)
{
    (void)state;
    char *headers = texts_of("{ref/*.h,ref/systems/*.[ch]}");
    char *headlines = text_of("proofs/coq/assumptions.txt");
    Headers h = {calloc(2, 1), 2};
    assert_non_null(h.names);
    h.names[0] = ' ';
    join_comment_lines(headers);
    size_t groups = each_match(headers, "([A-Za-z0-9_, ]+) \\(([A-Z][A-Za-z0-9]*\\.v)\\)",
                               are_stated_there, &h);
    assert_true(groups >= 20);
    each_match(headlines, "^([A-Za-z0-9_]+):", is_in_a_header, &h);
    free(h.names);
    free(headlines);
    free(headers);
}

/* ---- the searches themselves -------------------------------------------------------------------- */

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    assert_true(is_target("a: b\nproofs: c\n", "proofs"));
    assert_false(is_target("a: proofs\nproofs-coq: c\n", "proofs"));
    assert_true(is_stated("x\nTheorem one : A.\n", "one"));
    assert_false(is_stated("Theorem one_two : A.\n (* Theorem one *)", "one"));
    char comment[] = "a,\n *               b (C.v)\n\n * d";
    join_comment_lines(comment);
    assert_string_equal(comment, "a, b (C.v) d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_is_named_exists),
        cmocka_unit_test(every_headline_theorem_has_a_row),
        cmocka_unit_test(every_test_of_a_claim_has_a_row),
        cmocka_unit_test(every_section_of_the_report_has_a_row),
        cmocka_unit_test(headers_name_their_theorems),
        cmocka_unit_test(what_is_not_there_is_not_found),
    };
    return cmocka_run_group_tests_name("soundness", tests, NULL, NULL);
}
