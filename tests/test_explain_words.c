/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sentences as words, and words as vectors that depend on nothing but seed, head and word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "explain_support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void a_sentence_is_its_words(void **state)
{
    (void)state;
    Explain e = explained("  the old\tman\nthe  boat ", 4, NO_WINDOW);
    static const char *const expected[] = {"the", "old", "man", "the", "boat"};
    assert_int_equal(e.words.count, 5);
    for (size_t k = 0; k < 5; k++)
        assert_string_equal(e.words.at[k], expected[k]);
    assert_int_equal(explained(many_words(EXPLAIN_MOST_WORDS), 1, 0).words.count,
                     EXPLAIN_MOST_WORDS);
}

static void what_is_no_sentence_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence;
    } refused[] = {{"", "no words"},
                   {" \t\n", "no words"},
                   {"a b\x01", "control character 1"},
                   {"a \x7f", "control character 127"},
                   {"a \xff", "not UTF-8"},
                   {"a 123456789012345678901234567890123", "word 2 of the text has 33 bytes"}};
    Words w;
    Failure f;
    for (size_t k = 0; k < sizeof refused / sizeof *refused; k++) {
        assert_false(words_read(&w, refused[k].text, &f));
        if (!strstr(f.text, refused[k].sentence))
            fail_msg("\"%s\" does not say \"%s\"", f.text, refused[k].sentence);
    }
    assert_false(words_read(&w, many_words(EXPLAIN_MOST_WORDS + 1), &f));
    assert_non_null(strstr(f.text, "more than 64 words"));
    assert_true(words_read(&w, "12345678901234567890123456789012", &f));
}

static void a_replacement_is_another_word(void **state)
{
    (void)state;
    static const char *const words[] = {"the",   "old",   "man",     "boat",  "at",
                                        "night", "never", "quickly", "seven", "river"};
    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
        for (size_t i = 0; i < 9; i++)
            assert_string_not_equal(word_instead(words[k], i), words[k]);
        assert_string_not_equal(word_instead(words[k], 0), word_instead(words[k], 1));
    }
}

static ExplainInputs inputs(const char *text, size_t dim, unsigned long seed, size_t head)
{
    Explain e = explained(text, dim, NO_WINDOW);
    e.seed = seed;
    return explain_inputs(&e, head);
}

static void a_word_has_its_vectors_wherever_it_stands(void **state)
{
    (void)state;
    ExplainInputs a = inputs("the old man the", 5, 3, 1), b = inputs("boat man", 5, 3, 1);
    for (Input k = 0; k < INPUTS; k++) {
        assert_memory_equal(a.of[k], a.of[k] + 15, 5 * sizeof(double));
        assert_memory_equal(a.of[k] + 10, b.of[k] + 5, 5 * sizeof(double));
        assert_memory_not_equal(a.of[k], a.of[k] + 5, 5 * sizeof(double));
    }
    explain_inputs_free(&a);
    explain_inputs_free(&b);
}

static void another_seed_or_head_gives_other_vectors(void **state)
{
    (void)state;
    ExplainInputs a = inputs("man", 8, 1, 0), seed = inputs("man", 8, 2, 0),
                  head = inputs("man", 8, 1, 1);
    for (Input k = 0; k < INPUTS; k++) {
        assert_memory_not_equal(a.of[k], seed.of[k], 8 * sizeof(double));
        assert_memory_not_equal(a.of[k], head.of[k], 8 * sizeof(double));
    }
    explain_inputs_free(&a);
    explain_inputs_free(&seed);
    explain_inputs_free(&head);
}

/* n draws of variance 21/16: their mean is off by six of its standard deviations once in 10^9. */
static void entries_are_quarters_of_mean_zero(void **state)
{
    (void)state;
    enum { DIM = 16, EACH = EXPLAIN_MOST_WORDS * DIM };
    ExplainInputs in = inputs(many_words(EXPLAIN_MOST_WORDS), DIM, 7, 0);
    double sum = 0, squares = 0, n = (double)EACH * INPUTS;
    for (Input k = 0; k < INPUTS; k++)
        for (size_t i = 0; i < EACH; i++) {
            double x = in.of[k][i];
            assert_true(4 * x == rint(4 * x) && fabs(x) <= 3.5);
            sum += x;
            squares += x * x;
        }
    assert_true(fabs(sum / n) < 6 * sqrt(21.0 / 16 / n));
    /* x^2 has variance m4 - (21/16)^2 < 2 (21/16)^2: the kurtosis of a sum of four is below 3 */
    assert_true(fabs(squares / n - 21.0 / 16) < 6 * sqrt(2 / n) * 21.0 / 16);
    explain_inputs_free(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sentence_is_its_words),
        cmocka_unit_test(what_is_no_sentence_is_refused),
        cmocka_unit_test(a_replacement_is_another_word),
        cmocka_unit_test(a_word_has_its_vectors_wherever_it_stands),
        cmocka_unit_test(another_seed_or_head_gives_other_vectors),
        cmocka_unit_test(entries_are_quarters_of_mean_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
