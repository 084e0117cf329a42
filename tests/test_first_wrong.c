/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which wrong answer comes first, and what it is made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "first_wrong.h"

#include <stdio.h>
#include <string.h>

/* All of a head's answers right but those named, "-" before one that is not there, "?" before a suspect one. */
static FirstWrong among(const char *words)
{
    bool present[ANSWERS] = {false};
    Verdict verdict[ANSWERS];
    for (Answer a = 0; a < ANSWERS; a++) {
        present[a] = a < LAYER_ANSWERS_BEGIN;
        verdict[a] = (Verdict){.judgement = RIGHT};
    }
    char copy[200], *rest = copy;
    (void)snprintf(copy, sizeof copy, "%s", words);
    for (char *word; (word = strsep(&rest, " "));) {
        const char *name = word + strspn(word, "-?");
        bool known = false;
        for (Answer a = 0; a < ANSWERS; a++)
            if (strcmp(name, answer_name(a)) == 0) {
                known = true;
                present[a] = *word != '-';
                verdict[a].judgement = *word == '?' ? SUSPECT : WRONG;
            }
        assert_true(known || !*name);
    }
    return first_wrong(present, verdict);
}

static void assert_first(const char *words, const char *expected)
{
    char text[300];
    FirstWrong f = among(words);
    first_wrong_describe(&f, text, sizeof text);
    assert_string_equal(text, expected);
}

static void the_first_in_the_order_of_computation_is_named(void **state)
{
    (void)state;
    assert_first("", "none");
    assert_first("g", "g");
    assert_first("su p o g", "g");
    assert_first("p o su", "su; right before it: t1 g");
    assert_first("su -t1 ?g", "su; suspect before it: g; before it, not answered: t1");
    assert_first("o lse dqu -t1 -g -su -sc -p", "lse; before it, not answered: t1 g su sc");
    assert_first("u o -g", "u; before it, not answered: g");
    assert_first("dvc", "dvc; right before it: t1 g su sc p");
    assert_first("dqc dt1", "dt1; right before it: t1 g su sc p o dp dsu");
}

/* Whatever is wrong alone is named itself, and never stands among what comes before it. */
static void every_answer_can_be_first(void **state)
{
    (void)state;
    for (Answer a = 0; a < LAYER_ANSWERS_BEGIN; a++) {
        FirstWrong f = among(answer_name(a));
        assert_int_equal(f.answer, a);
        assert_int_equal(f.suspects + f.missing, 0);
        for (size_t k = 0; k < f.rights; k++)
            assert_true(f.right[k] != a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_in_the_order_of_computation_is_named),
        cmocka_unit_test(every_answer_can_be_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
