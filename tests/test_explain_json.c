/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numbers as the page carries them: four decimals, once rounded, triangles without what is absent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "explain_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void decimals_are_rounded_once_to_even(void **state)
{
    (void)state;
    static const struct {
        double x;
        const char *text;
        json_int_t whole;
    } cases[] = {{0, "0.0000", 0},          {-0.0, "0.0000", 0},
                 {-0.00004, "0.0000", 0},   {1.25, "1.2500", 12500},
                 {-3.5, "-3.5000", -35000}, {0.03125, "0.0312", 312},
                 {0.09375, "0.0938", 938},  {-0.03125, "-0.0312", -312},
                 {0x1p-53, "0.0000", 0},    {12345.67891, "12345.6789", 123456789},
                 {0.99996, "1.0000", 10000}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        json_t *j = json_decimal(cases[k].x);
        assert_string_equal(decimal_of(cases[k].x).text, cases[k].text);
        assert_int_equal(json_integer_value(j), cases[k].whole);
        json_decref(j);
    }
    json_t *nothing = json_decimal(NAN), *far = json_decimal(INFINITY);
    assert_true(json_is_null(nothing) && json_is_null(far));
    assert_string_equal(decimal_of(NAN).text, "not finite");
}

static void assert_list(json_t *list, const char *expected)
{
    char *text = json_dumps(list, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
    json_decref(list);
}

static void triangles_leave_out_what_is_absent(void **state)
{
    (void)state;
    const double A[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    assert_list(json_triangle(A, 3, 0, false), "[10000,40000,50000,70000,80000,90000]");
    assert_list(json_triangle(A, 3, 0, true), "[40000,70000,80000]");
    assert_list(json_triangle(A, 3, 2, false), "[70000,80000,90000]");
    assert_list(json_rows(A, 1, 3, 2), "[30000,40000,50000,60000]");
}

/* Of two tokens, d = 1: every entry at its place. */
static void a_text_has_its_gates_by_columns(void **state)
{
    (void)state;
    double Z[] = {9, 1, 9, 9}, G[] = {9, 2, 9, 9}, SC[] = {3, 9, 4, 5}, T1[] = {6, 9, 7, 8},
           U[] = {0, 9, 0.5, 0};
    TextNumbers n = {.length = 2, .dim = 1, .Z = Z, .G = G, .SC = SC, .T1 = T1, .U = U};
    assert_list(
        json_text(&n, 0),
        "{\"z\":[10000],\"g\":[20000],\"sc\":[30000,40000,50000],\"t1\":[60000,70000,80000],"
        "\"u\":[0,5000,0]}");
    assert_list(
        json_text(&n, 1),
        "{\"z\":[10000],\"g\":[20000],\"sc\":[40000,50000],\"t1\":[70000,80000],\"u\":[5000,0]}");
}

/* Three tokens in blocks of two: the third meets two of them. */
static void a_setting_has_as_many_visits_as_blocks(void **state)
{
    (void)state;
    double A[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    SettingNumbers n = {3, 1, 2, 2, A, A, A, A, A, A, A, A, A, 0.125, true, 113};
    Problem p = {.length = 3, .dim = 1, .window = 5, .variant = WITHOUT_SILU};
    assert_list(
        json_setting(&n, &p, 1),
        "{\"window\":5,\"variant\":\"without-silu\",\"difference\":\"1.2e-01\",\"su\":[40000,70000,"
        "80000],\"silu\":[40000,70000,80000],\"s\":[40000,50000,70000,80000,90000],\"p\":[40000,"
        "50000,70000,80000,90000],\"o\":[20000,30000],\"lse\":[20000,30000],\"m\":[30000,50000,"
        "60000],\"l\":[30000,50000,60000],\"part\":[30000,50000,60000]}");
    assert_list(json_pack("[o, o]", json_window(NO_WINDOW), json_window(0)), "[null,0]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals_are_rounded_once_to_even),
        cmocka_unit_test(triangles_leave_out_what_is_absent),
        cmocka_unit_test(a_text_has_its_gates_by_columns),
        cmocka_unit_test(a_setting_has_as_many_visits_as_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
