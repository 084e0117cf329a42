/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Known-wrong kernels of the explainer: each is wrong where it says so, and a golden case is after it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cases.h"
#include "explain_json.h"
#include "explain_mutants.h"
#include "mutants.h"

#include "explain_support.h"

#include <stdlib.h>
#include <string.h>

static const char *text_in(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static const char *verdict_of(const json_t *mutant, const char *tensor)
{
    size_t k;
    json_t *v;
    json_array_foreach(json_object_get(mutant, "verdicts"), k,
                       v) if (strcmp(text_in(v, "tensor"), tensor) == 0) return text_in(v,
                                                                                        "verdict");
    fail_msg("no verdict about %s", tensor);
    return NULL;
}

typedef void Look(const Explain *, const ExplainHead *, const json_t *mutant);

/* Shows every mutant of a text. Returns how many there are. */
static size_t each_mutant(const char *text, size_t window, Look *look)
{
    Explain e = explained(text, 4, window);
    ExplainHead h = explain_head(&e, 0);
    Court *court = court_open(&e, &h);
    size_t count = 0;
    for (size_t k = 0; k < explain_mutant_count(); k++) {
        json_t *mutant = json_mutant(court, k);
        if (mutant) {
            look(&e, &h, mutant);
            count++;
        }
        json_decref(mutant);
    }
    court_close(court);
    explain_head_free(&h);
    return count;
}

/* Where the verdict is right, every number is the certified one; where it is wrong, one differs. */
static void is_wrong_where_it_says(const Explain *e, const ExplainHead *h, const json_t *mutant)
{
    const char *name = text_in(mutant, "name"), *o = verdict_of(mutant, "o");
    const Mutant *m = mutant_named(name);
    assert_string_equal(text_in(mutant, "what"), m->what);
    if (json_is_integer(json_object_get(mutant, "window")) && e->window == NO_WINDOW)
        return; /* h is of another window */
    json_t *certified = json_rows(h->setting.O, 0, e->words.count, e->dim);
    bool same = json_equal(certified, json_object_get(mutant, "o"));
    if (same != (strcmp(o, "right") == 0))
        fail_msg("%s: o is %s, and its numbers are %s", name, o, same ? "right" : "wrong");
    if (!same && !(m->touches & 1u << ANSWER_O))
        fail_msg("%s touches o", name);
    json_decref(certified);
}

static void each_is_wrong_where_it_says(void **state)
{
    (void)state;
    assert_int_equal(
        each_mutant("the old man the boat at night", NO_WINDOW, is_wrong_where_it_says),
        explain_mutant_count());
    assert_int_equal(each_mutant("the old man the boat", 1, is_wrong_where_it_says),
                     explain_mutant_count());
    assert_int_equal(each_mutant("one", NO_WINDOW, is_wrong_where_it_says),
                     explain_mutant_count() - 2); /* no window to be wrong about */
}

static size_t noticed;
static void count_noticed(const Explain *e, const ExplainHead *h, const json_t *mutant)
{
    (void)e;
    (void)h;
    noticed += strcmp(verdict_of(mutant, "o"), "wrong") == 0 ||
               strcmp(verdict_of(mutant, "lse"), "wrong") == 0 ||
               strcmp(verdict_of(mutant, "u"), "wrong") == 0;
    assert_true((json_object_get(mutant, "su") != NULL) == (e->words.count <= EXPLAIN_SHORT_TEXT));
}

/* carry-once needs three blocks of 16; all others show in seven words. */
static void a_long_text_notices_all(void **state)
{
    (void)state;
    noticed = 0;
    (void)each_mutant("the old man the boat at night", NO_WINDOW, count_noticed);
    assert_int_equal(noticed, explain_mutant_count() - 1);
    noticed = 0;
    (void)each_mutant(many_words(49), NO_WINDOW, count_noticed);
    assert_int_equal(noticed, explain_mutant_count());
}

static Cases cases;
static void its_case_is_after_the_bug(const Explain *e, const ExplainHead *h, const json_t *mutant)
{
    (void)e;
    (void)h;
    const json_t *bug = json_object_get(mutant, "bug");
    const GoldenCase *c = cases_find(&cases, text_in(bug, "case"));
    bool after = false;
    assert_non_null(c);
    assert_string_equal(text_in(bug, "id"), mutant_named(text_in(mutant, "id"))->bug);
    assert_string_equal(text_in(bug, "purpose"), c->purpose);
    for (size_t k = 0; k < c->bugs; k++)
        after = after || strcmp(c->bug[k], text_in(bug, "id")) == 0;
    assert_true(after && c->tier == TIER_CORE);
}

static void a_golden_case_is_after_each(void **state)
{
    (void)state;
    Failure f;
    assert_true(cases_read(&cases, NULL, &f));
    (void)each_mutant("a b c d e", NO_WINDOW, its_case_is_after_the_bug);
    cases_free(&cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_wrong_where_it_says),
        cmocka_unit_test(a_long_text_notices_all),
        cmocka_unit_test(a_golden_case_is_after_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
