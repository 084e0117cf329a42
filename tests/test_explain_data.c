/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The page's JSON: settings, edits and mutants that are what they say, and as many as fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "explain_data.h"
#include "explain_json.h"
#include "explain_mutants.h"

#include "explain_support.h"

#include <stdlib.h>
#include <string.h>

enum { PLENTY = 1000000 };

/* The whole page's numbers for one head. */
static json_t *data_of(const Explain *e, size_t room, size_t *needs)
{
    ExplainHead h = explain_head(e, 0);
    json_t *data = explain_data(e, &h, room, needs);
    explain_head_free(&h);
    return data;
}

static json_t *first_head(const json_t *data)
{
    return json_array_get(json_object_get(data, "heads"), 0);
}

static size_t size_of(const json_t *object, const char *key)
{
    return json_array_size(json_object_get(object, key));
}

static void assert_same_json(json_t *a, json_t *expected, const char *what)
{
    if (!json_equal(a, expected))
        fail_msg("%s: %.200s", what, json_dumps(a, JSON_COMPACT));
    json_decref(expected);
}

static size_t window_of(const json_t *setting)
{
    const json_t *w = json_object_get(setting, "window");
    return json_is_null(w) ? NO_WINDOW : (size_t)json_integer_value(w);
}

static void settings_are_those_of_their_window_and_variant(void **state)
{
    (void)state;
    static const size_t asked[] = {NO_WINDOW, 0, 2, 7};
    for (size_t k = 0; k < 4; k++)
        for (size_t words = 1; words <= 5; words += 2) {
            size_t needs, i;
            Explain e = explained(many_words(words), 2, asked[k]);
            ExplainInputs in = explain_inputs(&e, 0);
            json_t *data = data_of(&e, PLENTY, &needs), *one;
            const json_t *list = json_object_get(first_head(data), "settings");
            assert_int_equal(window_of(json_array_get(list, 0)), asked[k]);
            json_array_foreach(list, i, one)
            {
                Variant v;
                assert_true(variant_named(&v, json_string_value(json_object_get(one, "variant"))));
                Problem p = explain_problem(&e, &in, window_of(one), v);
                SettingNumbers n = numbers_of_setting(&p, explain_block(words), false);
                assert_same_json(one, json_setting(&n, &p, 0), "setting");
                setting_numbers_free(&n);
            }
            assert_true(i >= 3 && i % 3 == 0); /* every window with every variant */
            json_decref(data);
            explain_inputs_free(&in);
        }
}

/* An edit is the edited text, made by itself, from the edited row on. */
static void edits_are_other_texts(void **state)
{
    (void)state;
    size_t needs, k;
    Explain e = explained("the old man the boat", 3, 2);
    json_t *data = data_of(&e, PLENTY, &needs), *edit;
    assert_int_equal(size_of(first_head(data), "edits"), 10);
    json_array_foreach(json_object_get(first_head(data), "edits"), k, edit)
    {
        Explain other = e;
        size_t at = (size_t)json_integer_value(json_object_get(edit, "at"));
        strcpy(other.words.at[at], json_string_value(json_object_get(edit, "word")));
        assert_string_not_equal(other.words.at[at], e.words.at[at]);
        ExplainHead h = explain_head(&other, 0);
        Problem p = explain_problem(&other, &h.inputs, other.window, CASTLE);
        assert_same_json(json_object_get(edit, "text"), json_text(&h.text, at), "text");
        assert_same_json(json_object_get(edit, "setting"), json_setting(&h.setting, &p, at),
                         "setting");
        assert_same_json(json_object_get(json_object_get(edit, "vectors"), "vc"),
                         json_rows(h.inputs.of[INPUT_VC], at, at + 1, 3), "vc");
        explain_head_free(&h);
    }
    json_decref(data);
}

static size_t bytes_of(const json_t *j) { return json_dumpb(j, NULL, 0, JSON_COMPACT); }

/* Less room, fewer extras, never more than fits; without room for the sentence, none. */
static void it_takes_in_what_fits(void **state)
{
    (void)state;
    size_t needs, last = SIZE_MAX;
    Explain e = explained("the old man the boat at night", 4, NO_WINDOW);
    for (size_t room = 81920; room >= 5120; room /= 2) {
        json_t *data = data_of(&e, room, &needs);
        const json_t *head = first_head(data);
        size_t pieces = size_of(head, "settings") + size_of(head, "mutants") +
                        size_of(head, "edits");
        assert_true(pieces >= 1 && pieces <= last);
        assert_true(bytes_of(head) <= room + 100); /* the lists' own names and brackets */
        last = pieces;
        json_decref(data);
    }
    assert_true(last < 32);
    assert_null(data_of(&e, 2000, &needs));
    assert_true(needs > 1000);
}

static void it_says_what_it_is_of(void **state)
{
    (void)state;
    size_t needs;
    Explain e = explained("a \"b\" ü", 9, 1);
    json_t *data = data_of(&e, PLENTY, &needs);
    assert_same_json(json_object_get(data, "words"), json_pack("[s, s, s]", "a", "\"b\"", "ü"),
                     "words");
    assert_int_equal(json_integer_value(json_object_get(data, "scale")), 3333);
    assert_int_equal(json_integer_value(json_object_get(data, "dim")), 9);
    assert_int_equal(json_integer_value(json_object_get(data, "seed")), 1);
    assert_int_equal(json_integer_value(json_object_get(data, "window")), 1);
    assert_int_equal(json_integer_value(json_object_get(data, "decimals")), 4);
    json_decref(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_those_of_their_window_and_variant),
        cmocka_unit_test(edits_are_other_texts),
        cmocka_unit_test(it_takes_in_what_fits),
        cmocka_unit_test(it_says_what_it_is_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
