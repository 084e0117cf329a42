/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The programs of docs/site, which `make docs` runs around Sphinx: pages.py makes a page of every header and
 * man page, with all that a header says and declares; check_links.py notices each kind of broken link.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "docs_support.h"
#include "program_support.h"
#include "vectors_support.h"

#include <glob.h>

#define PYTHON_ALONE "python3", "-B" /* no __pycache__ among the sources */

enum { LINE = 600 };

static bool is_there(const char *program)
{
    return program_run(PROGRAM("sh", "-c", "command -v \"$0\"", program), NULL) == 0;
}

/* ---- pages ---------------------------------------------------------------------------------------------- */

static char *page_of(const char *format, const char *name)
{
    char path[2 * LINE], relative[LINE];
    (void)snprintf(relative, sizeof relative, format, name);
    (void)snprintf(path, sizeof path, "%s/%s", scratch_path("pages"), relative);
    return text_of(path);
}

typedef struct Header {
    const char *path, *page;
} Header;

/* A comment's line of prose, in the header and, marks apart, in its page. */
static void is_in_the_page(void *context, Part part[MOST_PARTS])
{
    const Header *h = context;
    if (!strstr(h->page, part[2]))
        fail_msg("the page of %s lacks \"%s\"", h->path, part[2]);
}

static void declares(void *context, Part part[MOST_PARTS])
{
    const Header *h = context;
    char place[LINE];
    (void)snprintf(place, sizeof place, "<span id=\"c.%s\">", part[1]);
    if (!strstr(h->page, place))
        fail_msg("the page of %s has no place for %s", h->path, part[1]);
}

static void every_header_and_man_page_has_its_page(void **state)
{
    glob_t found;
    char *text;
    size_t words = 0, names = 0;
    (void)state;
    if (!is_there("python3") || !is_there("ctags") || !is_there("mandoc"))
        skip_with("no python3, universal-ctags or mandoc (make deps-docs)");
    if (program_run(PROGRAM(PYTHON_ALONE, "docs/site/pages.py", scratch_path("pages")), &text))
        fail_msg("%s", text);
    free(text);

    assert_int_equal(glob("{ref,ref/systems,vectors,proofs}/*.h", GLOB_BRACE, NULL, &found), 0);
    char *index = page_of("%s", "api/index.md");
    for (size_t k = 0; k < found.gl_pathc; k++) {
        char *header = text_of(found.gl_pathv[k]), *page = page_of("api/%s.md", found.gl_pathv[k]);
        Header h = {found.gl_pathv[k], page};
        words += each_match(header, "^ \\* (.*[^A-Za-z_])?([A-Za-z]{6,})", is_in_the_page, &h);
        names += each_match(header, "^[a-zA-Z].* \\**([a-z][a-z_0-9]+)\\(.*\\);", declares, &h);
        names += each_match(header, "^} ([A-Z][A-Za-z]+);$", declares, &h);
        assert_contains(index, found.gl_pathv[k]);
        free(header);
        free(page);
    }
    assert_true(found.gl_pathc > 80 && words > 400 && names > 400);
    globfree(&found);
    free(index);

    assert_int_equal(glob("docs/*.[1-9]", 0, NULL, &found), 0);
    for (size_t k = 0; k < found.gl_pathc; k++) {
        text = page_of("man/%s.md", strchr(found.gl_pathv[k], '/') + 1);
        assert_contains(text, "id=\"SEE_ALSO\"");
        free(text);
    }
    globfree(&found);
}

/* ---- links ---------------------------------------------------------------------------------------------- */

/* Two pages, the first with this link and with one to the second. */
static int check_site_with(const char *link, char **text)
{
    static const char second[] = "<p id=\"here\"><a href=\"../index.html\">back</a></p>";
    char first[LINE];
    (void)snprintf(first, sizeof first,
                   "<a href=\"folder/second.html\">next</a><a href=\"%s\">link</a>", link);
    const char *site = scratch_path("site");
    assert_int_equal(program_run(PROGRAM("mkdir", "-p", scratch_path("site/folder")), NULL), 0);
    write_file(scratch_path("site/index.html"), first, strlen(first));
    write_file(scratch_path("site/folder/second.html"), second, strlen(second));
    return program_run(PROGRAM(PYTHON_ALONE, "docs/site/check_links.py", site), text);
}

static void broken_links_are_noticed(void **state)
{
    static const struct Link {
        const char *link, *said;
    } links[] = {
        {"folder/second.html", NULL},
        {"folder/second.html#here", NULL},
        {"folder/second.html#", NULL},
        {"https://example.org/not-tried", NULL},
        {"folder/third.html", "folder/third.html is not there"},
        {"folder", "folder is not there"},
        {"folder/second.html#there", "folder/second.html#there: the page has no such place"},
        {"#there", "#there: the page has no such place"},
        {"../outside.html", "../outside.html is not there"},
    };
    (void)state;
    if (!is_there("python3"))
        skip_with("no python3");
    write_file(scratch_path("outside.html"), "", 0);
    for (size_t k = 0; k < sizeof links / sizeof *links; k++) {
        char *text;
        int status = check_site_with(links[k].link, &text);
        if (status != (links[k].said != NULL) ||
            !strstr(text, links[k].said ? links[k].said : "0 broken"))
            fail_msg("%s: status %d\n%s", links[k].link, status, text);
        free(text);
    }
}

static void a_page_that_nobody_links_to_is_noticed(void **state)
{
    char *text;
    (void)state;
    if (!is_there("python3"))
        skip_with("no python3");
    assert_int_equal(check_site_with("#", &text), 0);
    free(text);
    write_file(scratch_path("site/lost.html"), "", 0);
    assert_int_equal(check_site_with("#", &text), 1);
    assert_contains(text, "lost.html: no page leads there");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_header_and_man_page_has_its_page, scratch_clear),
        cmocka_unit_test_teardown(broken_links_are_noticed, scratch_clear),
        cmocka_unit_test_teardown(a_page_that_nobody_links_to_is_noticed, scratch_clear),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
