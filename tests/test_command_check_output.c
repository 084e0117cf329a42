/* SPDX-License-Identifier: GPL-3.0-or-later */
/* castle check --junit, --tap, --report and --arithmetic auto: planted errors are named in each of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"
#include "json_values.h"
#include "kernel_support.h"
#include "task_support.h"

#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <math.h>

/* ---- planted errors --------------------------------------------------------------------------- */

/* Longer than what the definition is run on and known mistakes are looked for in: quick. */
enum { HEADS_OF_IT = 2, TOKENS = 66, WIDTH = 3 };

typedef bool Plan(Place);
static bool first_of_16(Place at) { return at.row % 16 == 0; }
static bool first_of_8(Place at) { return at.row % 8 == 0; }
static bool head_1(Place at) { return at.head == 1; }
static bool column_2(Place at) { return at.column == 2; }

static const Sizes size = {1, HEADS_OF_IT, TOKENS, WIDTH, 0};

static Task task; /* and a right kernel's answers to it, stages too: played once */
static Answered right_answers;

static int play(void **state)
{
    task = random_task(&size, "float32", 11);
    task.stages = true;
    free(task.cotangent);
    task.cotangent = NULL;
    right_answers = played(&task);
    return command_setup(state);
}

static int forget(void **state)
{
    answered_free(&right_answers);
    task_free(&task);
    return command_teardown(state);
}

/* Their dump, with errors in one answer; its path. */
static const char *with_errors(Answer a, Plan *is_wrong, const char *name, bool stages)
{
    Layout l = answer_layout(&size, a);
    double *wrong = calloc(layout_count(&l), sizeof *wrong);
    assert_non_null(wrong);
    Answered all = right_answers;
    for (size_t k = 0; k < layout_count(&l); k++) {
        bool planted = is_wrong && is_wrong(place_of(&size, a, k));
        wrong[k] = (float)(all.of[a][k] + (planted ? 0.5 : 0));
    }
    all.of[a] = wrong;
    for (Answer k = 0; k < ANSWERS; k++)
        if (answer_is_stage(k) && !stages)
            all.of[k] = NULL;
    const char *path = dumped(&task, &all, name);
    free(wrong);
    return path;
}

static void planted_errors_are_named_in_the_text(void **state)
{
    (void)state;
    judges("wrong", with_errors(ANSWER_O, first_of_8, "edge", false));
    assert_out("\n  errors  elements         head           row                          column\n");
    assert_out("\n  o       54 of 396        all 2          9 of 66: 0 8 16 24 32 40 ... all 3\n");
    assert_out("of the first rows of blocks of 8 9 of 9 are wrong; of the others 0 of 57");
    assert_fits_page();
    judges("wrong", with_errors(ANSWER_O, head_1, "head", false));
    assert_out("\n  o       198 of 396       1 of 2: 1      all 66");
    assert_not_out("blocks of");
    judges("wrong", with_errors(ANSWER_U, column_2, "column", false));
    assert_out(
        "\n  u       132 of 396       all 2          all 66                       1 of 3: 2\n");
    assert_out("\n  first wrong: u; before it, not answered: g\n");
    judges("right", with_errors(ANSWER_O, NULL, "right", false));
    assert_not_out("errors");
    assert_not_out("first wrong");
}

static bool everywhere(Place at) { return at.column <= at.row; }

static void the_first_wrong_stage_is_named(void **state)
{
    (void)state;
    judges("wrong", with_errors(ANSWER_SU, everywhere, "stages", true));
    assert_out("\n  first wrong: su; right before it: t1 g\n");
    assert_fits_page();
}

/* ---- for programs ----------------------------------------------------------------------------- */

static xmlDocPtr parsed(const char *path)
{
    size_t bytes;
    char *text = (char *)read_whole_file(path, &bytes);
    xmlDocPtr doc = xmlReadMemory(text, (int)bytes, NULL, NULL, XML_PARSE_NONET);
    free(text);
    assert_non_null(doc);
    return doc;
}

/* The value of an XPath expression; to be freed. */
static char *value_of(xmlDocPtr doc, const char *path)
{
    xmlXPathContextPtr context = xmlXPathNewContext(doc);
    xmlXPathObjectPtr object = xmlXPathEvalExpression(BAD_CAST path, context);
    assert_non_null(object);
    char *text = (char *)xmlXPathCastToString(object);
    xmlXPathFreeObject(object);
    xmlXPathFreeContext(context);
    return text;
}

static void assert_value(xmlDocPtr doc, const char *path, const char *expected)
{
    char *text = value_of(doc, path);
    if (strcmp(text, expected) != 0)
        fail_msg("%s is \"%s\"; expected \"%s\"", path, text, expected);
    xmlFree(text);
}

static void junit_has_a_test_for_each_tensor(void **state)
{
    char wrong[100], right[100], xml[100];
    (void)state;
    (void)snprintf(wrong, sizeof wrong, "%s",
                   with_errors(ANSWER_O, first_of_8, "<wrong>&\x01\"", false));
    (void)snprintf(right, sizeof right, "%s", with_errors(ANSWER_O, NULL, "right", false));
    (void)snprintf(xml, sizeof xml, "%s", scratch_path("tests.xml"));
    run("check", "--junit", xml, wrong, right, "no-such-file");
    assert_status(UNUSABLE_STATUS);
    assert_out("\n1 right, 0 suspect, 1 wrong, 1 unusable\n"); /* the text comes as ever */
    xmlDocPtr doc = parsed(xml);
    assert_value(doc, "count(/testsuites/testsuite)", "3");
    assert_value(doc, "string(/testsuites/@tests)", "7");
    assert_value(doc, "string(/testsuites/@failures)", "1");
    assert_value(doc, "string(/testsuites/@errors)", "1");
    assert_value(doc, "string(/testsuites/testsuite[1]/@failures)", "1");
    assert_value(doc, "string(//testsuite[1]/testcase[1]/@name)", "o");
    assert_value(doc, "string(//testsuite[1]/testcase[3]/@name)", "u");
    assert_value(doc, "count(//testsuite[2]/testcase/*)", "0");
    assert_value(doc, "starts-with(//error/@message, 'no-such-file: ')", "true");
    assert_value(doc, "contains(//failure/@message, 'of the first rows of blocks of 8')", "true");
    assert_value(doc, "starts-with(//failure/@message, 'wrong: z ')", "true");
    assert_value(doc, "contains(//testsuite[1]/@name, '<wrong>&\\x01\"')", "true");
    assert_value(doc, "contains(//testcase[1]/@classname, '<wrong>&\\x01\"')", "true");
    xmlFreeDoc(doc);

    run("check", "--junit", "/no-such-folder/tests.xml", right);
    assert_status(UNUSABLE_STATUS);
    assert_err("/no-such-folder/tests.xml");
}

/* A reader of TAP 14, as far as it is used here: the plan, the numbers and the blocks must fit. */
static void assert_tap(const char *text, size_t tests, size_t failures)
{
    char *copy = strdup(text), *rest = copy, plan[40];
    size_t count = 0, failed = 0;
    bool in_block = false, ended = false;
    assert_non_null(copy);
    (void)snprintf(plan, sizeof plan, "1..%zu", tests);
    assert_string_equal(strsep(&rest, "\n"), "TAP version 14");
    assert_string_equal(strsep(&rest, "\n"), plan);
    for (char *line; (line = strsep(&rest, "\n"));) {
        size_t number = 0;
        assert_false(ended && *line); /* the summary is last */
        bool not_ok = strncmp(line, "not ", 4) == 0;
        if (sscanf(line, not_ok ? "not ok %zu - " : "ok %zu - ", &number) == 1) {
            assert_false(in_block);
            assert_int_equal(number, ++count);
            failed += not_ok;
        } else if (strcmp(line, "  ---") == 0) {
            in_block = true;
        } else if (strcmp(line, "  ...") == 0) {
            in_block = false;
        } else if (in_block) {
            json_t *message = NULL;
            assert_int_equal(strncmp(line, "  message: ", 11), 0);
            message = json_loads(line + 11, JSON_DECODE_ANY, NULL);
            assert_true(json_is_string(message));
            json_decref(message);
        } else if (*line == '#') {
            ended = true;
        } else {
            assert_string_equal(line, "");
        }
    }
    assert_true(ended);
    assert_int_equal(count, tests);
    assert_int_equal(failed, failures);
    free(copy);
}

static void tap_has_a_test_for_each_tensor(void **state)
{
    char wrong[100];
    (void)state;
    (void)snprintf(wrong, sizeof wrong, "%s", with_errors(ANSWER_O, first_of_8, "a # b\\c", false));
    run("check", "--tap", wrong);
    assert_status(WRONG_STATUS);
    assert_tap(last.out, 3, 1);
    assert_out("not ok 1 - ");
    assert_out("/a \\# b\\\\c/o\n");
    assert_out("\n# 0 right, 0 suspect, 1 wrong\n");
    run("check", "--tap", wrong, "no-such-file");
    assert_status(UNUSABLE_STATUS);
    assert_tap(last.out, 4, 2);
    assert_out("\nnot ok 4 - no-such-file\n");
    refuses("--json and --tap both want standard output", "check", "--tap", "--json", wrong);
}

/* With --strict a suspect tensor fails, without it passes and says why. */
static void suspect_tensors_pass_unless_strict(void **state)
{
    Case *c = solved(1, 5, 3, NULL, 5);
    (void)state;
    keep_only(c, ANSWER_O);
    for (size_t i = 0; i < numbers_in(c); i++)
        c->input[INPUT_QC][i] = NAN;
    const char *path = saved(c, "suspect");
    run("check", "--tap", path);
    assert_status(RIGHT_STATUS);
    assert_tap(last.out, 1, 0);
    assert_out("nothing to judge");
    run("check", "--tap", "--strict", path);
    assert_status(WRONG_STATUS);
    assert_tap(last.out, 1, 1);
    free(c);
}

static void kernels_are_told_case_by_case(void **state)
{
    char library[100], xml[100], page[100];
    (void)state;
    (void)snprintf(library, sizeof library, "%s", scratch_path("faulty.so"));
    (void)snprintf(xml, sizeof xml, "%s", scratch_path("tests.xml"));
    (void)snprintf(page, sizeof page, "%s", scratch_path("page.html"));
    assert_true(library_compiled(library, "tests/kernels/faulty.c", "-DUNUSED"));
    (void)setenv("CASTLE_TEST_CASE", "1", 1);
    (void)setenv("CASTLE_TEST_FAULT", "nan", 1);
    run("check", "--tap", "--junit", xml, "--report", page, "--kernel", library, "--golden", "none",
        "--fresh", "2", "--seed", "12", "--types", "f32");
    (void)unsetenv("CASTLE_TEST_CASE");
    (void)unsetenv("CASTLE_TEST_FAULT");
    assert_status(WRONG_STATUS);
    assert_out("/calls\n");
    assert_out("/forward/o\n");
    assert_out("/padded backward/dqu\n");
    assert_out("\n# 2 cases (2 fresh, --seed 12): 1 right, 0 suspect, 1 wrong\n");
    xmlDocPtr doc = parsed(xml);
    assert_value(doc, "count(/testsuites/testsuite)", "2");
    assert_value(doc, "string(//testsuite[1]/testcase[1]/@name)", "calls");
    xmlFreeDoc(doc);
    doc = parsed(page);
    assert_value(doc, "count(//section)", "1"); /* of the wrong case */
    assert_value(doc, "count(//nav//tbody/tr)", "2");
    xmlFreeDoc(doc);

    /* and of a type's cases one arithmetic is guessed */
    run_right("check", "-a", "auto", "--kernel", library, "--golden", "none", "--fresh", "1",
              "--seed", "12", "--types", "f32");
    assert_out("\n  F32: arithmetic float32\n  guessed: explained by float32\n");
    assert_out("\n1 cases (1 fresh, --seed 12): 1 right, 0 suspect, 0 wrong; the arithmetic is "
               "guessed\n");
    assert_fits_page();
}

/* ---- the page --------------------------------------------------------------------------------- */

static void the_page_stands_alone(void **state)
{
    char wrong[100], page[100];
    (void)state;
    (void)snprintf(wrong, sizeof wrong, "%s", with_errors(ANSWER_O, first_of_8, "<b>&\x01", false));
    (void)snprintf(page, sizeof page, "%s", scratch_path("page.html"));
    run("check", "--report", page, wrong, L2D1, "no-such-file");
    assert_status(UNUSABLE_STATUS);
    xmlDocPtr doc = parsed(page);
    assert_value(doc, "string(/html/@lang)", "en");
    assert_value(doc, "count(//b)", "0"); /* a name is text */
    assert_value(doc, "contains(//section[1]/h2, '<b>&\\x01')", "true");
    assert_value(doc, "string(//section[1]/h2/span)", "wrong");
    assert_value(doc, "string(//section[2]/h2/span)", "right");
    assert_value(doc, "string(//section[3]/h2)", "Not judged");
    assert_value(doc, "count(//section[1]//tbody/tr)", "3");
    assert_value(doc, "count(//section[1]//figure)", "1");
    assert_value(doc, "count(//svg[@role='img'])", "0"); /* it has its own namespace */
    assert_value(doc, "count(//*[local-name()='svg'][@role='img'])", "1");
    assert_value(doc, "contains(//figcaption, 'Blocks of 8')", "true");
    assert_value(doc, "count(//script | //link | //img | //iframe | //object | //@src)", "0");
    assert_value(doc, "count(//@href[not(starts-with(., '#'))])", "0");
    assert_value(doc, "count(//@id) = count(//@id[not(. = preceding::*/@id)])", "true");
    /* each address within the page leads somewhere */
    assert_value(doc, "count(//a[not(substring(@href, 2) = //@id)])", "0");
    xmlFreeDoc(doc);
}

/* Cells of one class in one row are one stroke: the planted rows, and nothing else, are dark. */
static void the_map_shows_the_planted_rows(void **state)
{
    char wrong[100], page[100];
    (void)state;
    (void)snprintf(wrong, sizeof wrong, "%s", with_errors(ANSWER_O, first_of_16, "edge", false));
    (void)snprintf(page, sizeof page, "%s", scratch_path("page.html"));
    run("check", "--report", page, wrong);
    xmlDocPtr doc = parsed(page);
    char *dark = value_of(doc,
                          "string(//*[local-name()='g'][1]/*[local-name()='path'][last()]/@d)");
    assert_string_equal(dark, "M0 0.5h3M0 16.5h3M0 32.5h3M0 48.5h3M0 64.5h3");
    xmlFree(dark);
    xmlFreeDoc(doc);
}

/* ---- a guessed arithmetic --------------------------------------------------------------------- */

/* P in bfloat16, stored as float32. */
static const char *rounded_weights(const char *name)
{
    const Sizes s = {1, 1, 66, 2, 0};
    char why[200];
    Task t = random_task(&s, "float32", 4);
    free(t.cotangent);
    t.cotangent = NULL;
    assert_true(arithmetic_parse(&t.arithmetic, "float32,p=bfloat16", why, sizeof why));
    Answered all = played(&t);
    assert_true(arithmetic_parse(&t.arithmetic, "float32", why, sizeof why));
    const char *path = dumped(&t, &all, name);
    answered_free(&all);
    task_free(&t);
    return path;
}

static void a_guess_is_told_and_never_passes_in_silence(void **state)
{
    char path[100];
    (void)state;
    (void)snprintf(path, sizeof path, "%s", rounded_weights("weights"));
    judges("wrong", path); /* as it declares float32 */
    run("check", "--arithmetic", "auto", path);
    assert_status(RIGHT_STATUS);
    assert_out("weights: suspect\n");
    assert_out("\n  arithmetic float32,p=bfloat16\n"
               "    guessed: P rounded to bfloat16; coarser than the answers' type suggests\n");
    assert_out("\n0 right, 1 suspect, 0 wrong; the arithmetic is guessed\n");
    assert_err("warning");
    judges("right", "-a", "float32,p=bfloat16", path); /* what was found can be declared */
    assert_not_out("guessed");
    run("check", "-a", "auto", "--strict", "--tap", path);
    assert_status(WRONG_STATUS);
    assert_tap(last.out, 4, 1);
    assert_out("/arithmetic\n");
    run_right("check", "-a", "auto", with_errors(ANSWER_O, NULL, "right", false));
    assert_out("guessed: explained by float32\n");
    assert_out("; the arithmetic is guessed\n");
    run("check", "-a", "auto", with_errors(ANSWER_O, head_1, "head", false));
    assert_status(WRONG_STATUS);
    assert_out("no arithmetic explains the errors");
    assert_fits_page();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(planted_errors_are_named_in_the_text),
        TEST(the_first_wrong_stage_is_named),
        TEST(junit_has_a_test_for_each_tensor),
        TEST(tap_has_a_test_for_each_tensor),
        TEST(suspect_tensors_pass_unless_strict),
        TEST(kernels_are_told_case_by_case),
        TEST(the_page_stands_alone),
        TEST(the_map_shows_the_planted_rows),
        TEST(a_guess_is_told_and_never_passes_in_silence),
    };
    return cmocka_run_group_tests(tests, play, forget);
}
