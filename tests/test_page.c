/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The page of `make proofs`: what is said is written, harmless, in all three forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "page.h"
#include "whole_file.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/castle-page-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"report.html", "report.json", "figures.md", "one-1.gp",
                                        "one-1.svg"};
    (void)state;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        char path[100];
        snprintf(path, sizeof path, "%s/%s", folder, names[k]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

static char *written(const char *name)
{
    char path[100];
    Bytes bytes;
    Failure f;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_true(whole_file_read(&bytes, path, &f));
    char *text = calloc(bytes.size + 1, 1);
    assert_non_null(text);
    memcpy(text, bytes.at, bytes.size);
    free((void *)bytes.at);
    return text;
}

static void must_hold(const char *name, const char *expected, bool present)
{
    char *text = written(name);
    if ((strstr(text, expected) != NULL) != present) {
        print_error("%s %s '%s':\n%s\n", name, present ? "lacks" : "holds", expected, text);
        fail();
    }
    free(text);
}

static void every_kind_of_item_is_written(void **state)
{
    (void)state;
    Failure f;
    Page *p = page_begin();
    page_section(p, "one", "A & B");
    page_say(p, "x < %d", 3);
    page_check(p, true, "it holds");
    page_table(p, "a table", "n|name");
    page_row(p, "%d|%s", 17, "seven<teen");
    page_fleeting_table(p, "times", "ms");
    page_row(p, "%s", "4711");
    page_plot(p, "f's plot'", "x", "y'");
    page_series(p, "points", false, 3, (double[]){1, 2, 3}, (double[]){1, -INFINITY, 4.5});
    assert_true(page_holds(p));
    assert_true(page_write(p, folder, &f));
    page_end(p);
    must_hold("report.html", "A &amp; B", true);
    must_hold("report.html", "x &lt; 3", true);
    must_hold("report.html", "<td>seven&lt;teen</td>", true);
    must_hold("report.html", "<p class=\"holds\">it holds</p>", true);
    must_hold("report.html", "4711", true);
    must_hold("figures.md", "| 17 | seven<teen |", true);
    must_hold("figures.md", "- holds: it holds", true);
    must_hold("figures.md", "4711", false); /* times are no figures to commit */
    bool drawn = system("command -v gnuplot >/dev/null") == 0;
    must_hold("report.html", "<svg", drawn);
    must_hold("report.html", "gnuplot is not installed", !drawn);
    char *text = written("report.json");
    json_t *root = json_loads(text, 0, NULL);
    assert_non_null(root);
    assert_true(json_is_true(json_object_get(root, "holds")));
    json_t *items = json_object_get(json_array_get(json_object_get(root, "sections"), 0), "items");
    assert_int_equal(json_array_size(items), 5);
    json_t *series = json_array_get(json_object_get(json_array_get(items, 4), "series"), 0);
    assert_int_equal(json_array_size(json_object_get(series, "points")), 2);
    json_decref(root);
    free(text);
}

static void one_check_that_fails_fails_the_page(void **state)
{
    (void)state;
    Failure f;
    Page *p = page_begin();
    page_section(p, "one", "title");
    assert_false(page_holds(p)); /* nothing was checked */
    page_check(p, true, "this holds");
    page_check(p, false, "this does not");
    page_check(p, true, "nor does this help");
    assert_false(page_holds(p));
    assert_true(page_write(p, folder, &f));
    assert_int_equal(page_checks(p), 3);
    char told[100] = "";
    FILE *out = fmemopen(told, sizeof told, "w");
    page_tell_failures(p, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(told, "FAILS: title: this does not\n");
    page_end(p);
    must_hold("report.html", "<p class=\"fails\">this does not</p>", true);
    must_hold("figures.md", "**FAILS**: this does not", true);
    must_hold("report.json", "\"holds\": false", true);
}

static void a_folder_that_is_not_there_is_named(void **state)
{
    (void)state;
    Failure f;
    Page *p = page_begin();
    page_section(p, "one", "title");
    page_check(p, true, "this holds");
    assert_false(page_write(p, "/nowhere/at/all", &f));
    assert_non_null(strstr(f.text, "/nowhere/at/all"));
    page_end(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_item_is_written),
        cmocka_unit_test(one_check_that_fails_fails_the_page),
        cmocka_unit_test(a_folder_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests_name("page", tests, make_folder, remove_folder);
}
