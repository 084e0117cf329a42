/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The page of a document: small however great the maps are, and each class of the scale where it begins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "check_page.h"
#include "heat_map.h"
#include "json_values.h"
#include "vectors_support.h"

#include <math.h>

static json_t *tensor_with(const double *z, size_t rows, size_t cols)
{
    json_t *cells = json_array();
    for (size_t k = 0; k < rows * cols; k++)
        json_array_append_new(cells, number_json(z[k]));
    json_t *pattern = json_pack("{s:i, s:i, s:[{s:s, s:s}]}", "bad", 1, "judged", 2, "axes", "axis",
                                "row", "which", "1 of 2: 1");
    json_t *map = json_pack("{s:i, s:i, s:I, s:I, s:I, s:I, s:o}", "batch", 0, "head", 0,
                            "tensor_rows", (json_int_t)rows, "tensor_columns", (json_int_t)cols,
                            "rows", (json_int_t)rows, "columns", (json_int_t)cols, "cells", cells);
    return json_pack("{s:s, s:f, s:f, s:f, s:f, s:i, s:o, s:o}", "verdict", "wrong", "z", 99.0,
                     "suspect_above", 6.0, "wrong_above", 11.0, "error_over_bound", 2.0, "judged",
                     2, "pattern", pattern, "map", map);
}

static json_t *dump_with(json_t *tensors)
{
    return json_pack("{s:s, s:s, s:[i, i, i, i], s:s, s:o}", "file", "a file", "verdict", "wrong",
                     "shape", 1, 1, 2, 2, "arithmetic", "float32", "tensors", tensors);
}

static char *page_of(json_t *document, size_t *bytes)
{
    Failure f;
    if (!check_page_write(document, "0 right", scratch_path("page.html"), &f))
        fail_msg("%s", f.text);
    json_decref(document);
    return (char *)read_whole_file(scratch_path("page.html"), bytes);
}

/* The worst there is to draw: no two neighbours alike, in more maps than there is room for. */
static void great_maps_make_a_page_below_a_megabyte(void **state)
{
    enum { N = HEAT_MOST * HEAT_MOST };
    static double z[N];
    uint64_t seed = 3;
    size_t bytes;
    (void)state;
    for (size_t k = 0; k < N; k++)
        z[k] = pow(10, (double)(next_random(&seed) % 7) - 0.5);
    json_t *dumps = json_array();
    for (size_t d = 0; d < 3; d++) {
        json_t *tensors = json_object();
        for (char name[] = "a"; *name < 'i'; ++*name)
            json_object_set_new(tensors, name, tensor_with(z, HEAT_MOST, HEAT_MOST));
        json_array_append_new(dumps, dump_with(tensors));
    }
    char *page = page_of(json_pack("{s:o}", "dumps", dumps), &bytes);
    print_message("a page of %zu bytes\n", bytes);
    assert_true(bytes < 1000000);
    assert_contains(page, "No map: the page would become too large.");
    assert_contains(page, "<svg");
    free(page);
}

static void cases_beyond_the_first_are_in_the_overview(void **state)
{
    size_t bytes, sections = 0, links = 0;
    json_t *cases = json_array();
    (void)state;
    for (size_t k = 0; k < 100; k++)
        json_array_append_new(cases, json_pack("{s:s, s:s, s:s, s:[i, i, i, i], s:[], s:[]}", "id",
                                               "a-case", "verdict", k % 4 ? "wrong" : "right",
                                               "arithmetic", "float32", "shape", 1, 1, 1, 1,
                                               "faults", "calls"));
    char *page = page_of(json_pack("{s:s, s:o}", "kernel", "k.so", "cases", cases), &bytes);
    for (const char *at = page; (at = strstr(at, "<section id=")); at++)
        sections++;
    for (const char *at = page; (at = strstr(at, "<a href=\"#s")); at++)
        links++;
    assert_int_equal(sections, 60);
    assert_int_equal(links, 60);
    assert_contains(page, "15 more cases that are not right are in the overview alone.");
    free(page);
}

/* One cell at either side of each threshold, and one that is not judged, which is not drawn. */
static void classes_begin_at_the_thresholds(void **state)
{
    const double z[] = {0, 2.9, 3, 5.9, 6, 10.9, 11, 99, 100, 999, 1000, INFINITY, NAN};
    static const char *const strokes[] = {"#f4f5f7\" d=\"M0 0.5h2\"", "#ccd3dd\" d=\"M2 0.5h2\"",
                                          "#fdc57e\" d=\"M4 0.5h2\"", "#f08a46\" d=\"M6 0.5h2\"",
                                          "#d1522c\" d=\"M8 0.5h2\"", "#962218\" d=\"M10 0.5h1\"",
                                          "#000000\" d=\"M11 0.5h1\""};
    size_t bytes;
    (void)state;
    json_t *tensors = json_pack("{s:o}", "o", tensor_with(z, 1, 13));
    char *page = page_of(json_pack("{s:[o]}", "dumps", dump_with(tensors)), &bytes);
    for (size_t k = 0; k < sizeof strokes / sizeof *strokes; k++)
        assert_contains(page, strokes[k]);
    if (strstr(page, "M12 0.5"))
        fail_msg("what is not judged is drawn");
    assert_contains(page, ">suspect from<");
    assert_contains(page, ">wrong above<");
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(great_maps_make_a_page_below_a_megabyte, scratch_clear),
        cmocka_unit_test_teardown(cases_beyond_the_first_are_in_the_overview, scratch_clear),
        cmocka_unit_test_teardown(classes_begin_at_the_thresholds, scratch_clear),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
