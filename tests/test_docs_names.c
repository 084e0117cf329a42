/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whatever a document names is there: functions in the files they are said to be in, files, links. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "docs_support.h"
#include "vectors_support.h"

#include <ctype.h>

static const char *const documents[] = {"README.md",
                                        "docs/tutorial.md",
                                        "docs/notation.md",
                                        "docs/faq.md",
                                        "docs/adding.md",
                                        "docs/validate-a-kernel.md",
                                        "docs/read-a-report.md",
                                        "docs/add-a-mechanism.md",
                                        "docs/using-the-vectors.md"};
enum { DOCUMENTS = sizeof documents / sizeof *documents };

static void is_in_that_file(void *document, Part part[MOST_PARTS])
{
    char *source = text_of(part[2]);
    if (!has_word(source, part[1]))
        fail_msg("%s: no %s in %s", (const char *)document, part[1], part[2]);
    free(source);
}

/* "`name()` in `path`", with or without the marks. */
static void functions_are_where_the_documents_say(void **state)
{
    (void)state;
    size_t count = 0;
    for (size_t k = 0; k < DOCUMENTS; k++) {
        char *text = text_of(documents[k]), path[60];
        (void)snprintf(path, sizeof path, "%s", documents[k]);
        count += each_match(text, "([A-Za-z_0-9]+)\\(\\)`?[ \n]in[ \n]`?([a-z]+/[a-z_/]+\\.[ch])",
                            is_in_that_file, path);
        free(text);
    }
    assert_true(count >= 15);
}

typedef struct Known {
    const char *document;
    const char *sources;
} Known;

static void is_defined(void *context, Part part[MOST_PARTS])
{
    const Known *known = context;
    if (!has_word(known->sources, part[1]))
        fail_msg("%s: there is no function %s", known->document, part[1]);
}

static void functions_exist(void **state)
{
    (void)state;
    char *sources = texts_of("{ref,vectors,proofs,docs,tests}/*.[ch]");
    size_t count = 0;
    for (size_t k = 0; k < DOCUMENTS; k++) {
        char *text = text_of(documents[k]);
        Known known = {documents[k], sources};
        count += each_match(text, "`([A-Za-z_0-9]+)\\(\\)`", is_defined, &known);
        free(text);
    }
    assert_true(count >= 20);
    free(sources);
}

static void is_there(void *document, Part part[MOST_PARTS])
{
    if (strncmp(part[1], "build/", 6) != 0 && access(part[1], R_OK) != 0)
        fail_msg("%s: there is no %s", (const char *)document, part[1]);
}

static void files_are_there(void **state)
{
    (void)state;
    size_t count = 0;
    for (size_t k = 0; k < DOCUMENTS; k++) {
        char *text = text_of(documents[k]), path[60];
        (void)snprintf(path, sizeof path, "%s", documents[k]);
        count += each_match(text, "`([a-z]+/[A-Za-z0-9_/-]+\\.[a-z]+)`", is_there, path);
        free(text);
    }
    assert_true(count >= 40);
}

typedef struct Sought {
    const char *slug;
    bool found;
} Sought;

/* A heading's place, as renderers of Markdown name it: small letters, blanks as -, no other marks. */
static void is_the_heading(void *context, Part part[MOST_PARTS])
{
    Sought *sought = context;
    char slug[sizeof(Part)] = "";
    size_t n = 0;
    for (const char *c = part[1]; *c; c++)
        if (isalnum((unsigned char)*c) || strchr("-_ ", *c))
            slug[n++] = *c == ' ' ? '-' : (char)tolower((unsigned char)*c);
    slug[n] = '\0';
    sought->found = sought->found || strcmp(slug, sought->slug) == 0;
}

/* A relative link leads to a file, and behind a # to a heading of it. */
static void leads_somewhere(void *context, Part part[MOST_PARTS])
{
    const char *document = context;
    char path[400];
    if (strncmp(part[1], "http", 4) == 0)
        return;
    if (part[1][0] == '#')
        (void)snprintf(path, sizeof path, "%s%s", document, part[1]);
    else
        (void)snprintf(path, sizeof path, "%.*s%s", (int)(strrchr(document, '/') ? 5 : 0), document,
                       part[1]);
    char *heading = strchr(path, '#');
    if (heading)
        *heading = '\0';
    if (access(path, R_OK) != 0)
        fail_msg("%s links to %s, which is not there", document, part[1]);
    if (!heading)
        return;
    Sought sought = {heading + 1, false};
    char *text = text_of(path);
    (void)each_match(text, "^#+ (.*)$", is_the_heading, &sought);
    free(text);
    if (!sought.found)
        fail_msg("%s links to %s: %s has no such heading", document, part[1], path);
}

static void links_lead_somewhere(void **state)
{
    (void)state;
    size_t count = 0;
    for (size_t k = 0; k < DOCUMENTS; k++) {
        char *text = text_of(documents[k]), path[60];
        (void)snprintf(path, sizeof path, "%s", documents[k]);
        count += each_match(text, "\\]\\(([^) ]+)\\)", leads_somewhere, path);
        free(text);
    }
    assert_true(count >= 30);
}

static void the_readme_lists_every_document(void **state)
{
    (void)state;
    char *readme = text_of("README.md");
    for (size_t k = 1; k < DOCUMENTS; k++)
        if (!strstr(readme, documents[k]))
            fail_msg("README.md does not name %s", documents[k]);
    free(readme);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_where_the_documents_say),
        cmocka_unit_test(functions_exist),
        cmocka_unit_test(files_are_there),
        cmocka_unit_test(links_lead_somewhere),
        cmocka_unit_test(the_readme_lists_every_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
