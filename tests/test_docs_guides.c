/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * docs/validate-a-kernel.md, docs/read-a-report.md and docs/faq.md: the programs they show are the files, run,
 * and are judged right; the reports are the program's; figures come from the golden files; declarations can
 * be read. (test_docs_commands.c runs the commands.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"
#include "docs_support.h"
#include "program_support.h"
#include "safetensors.h"

#include <math.h>

#define GUIDE "docs/validate-a-kernel.md"
#define FAQ "docs/faq.md"
#define REPORTS "docs/read-a-report.md"
#define DUMP_C "vectors/loaders/dump.c"
#define DUMP_TORCH "vectors/loaders/dump_torch.py"
#define WINDOW_DUMP DUMPS "wrong-window-one-too-wide-bf16.safetensors"

/* ---- the programs ---------------------------------------------------------------------------------------- */

static void assert_shown(const char *guide, const char *path, const char *language)
{
    char *text = text_of(guide), *file = text_of(path), *block = NULL;
    assert_true(asprintf(&block, "```%s\n%s```\n", language, file) > 0);
    if (!strstr(text, block))
        fail_msg("%s does not show %s as it is", guide, path);
    assert_non_null(strstr(file, "SPDX-License-Identifier: 0BSD"));
    free(block);
    free(file);
    free(text);
}

static void the_guide_shows_the_programs_as_they_are(void **state)
{
    (void)state;
    assert_shown(GUIDE, DUMP_C, "c");
    assert_shown(GUIDE, DUMP_TORCH, "python");
}

static void runs(const char *const *words)
{
    char *text;
    if (program_run(words, &text))
        fail_msg("%s %s:\n%s", words[0], words[1], text);
    free(text);
}

/* Right as it says, and wrong under another window: the verdict is about the file. */
static void assert_right(const char *dump)
{
    judges("right", dump);
    judges("wrong", "--window", "3", dump);
}

static void the_dump_from_c_is_right(void **state)
{
    (void)state;
    char command[400];
    if (program_run(PROGRAM("sh", "-c", "${CC:-cc} --version"), NULL))
        skip_with("no C compiler");
    (void)snprintf(command, sizeof command,
                   "${CC:-cc} -std=c11 -Wall -Wextra -Werror " DUMP_C " -lm -o %s",
                   scratch_path("dump"));
    runs(PROGRAM("sh", "-c", command));
    runs(PROGRAM(scratch_path("dump"), scratch_path("c.safetensors")));
    assert_right(scratch_path("c.safetensors"));

    /* Where it cannot write, it says so. */
    assert_int_equal(program_run(PROGRAM(scratch_path("dump")), NULL), 2);
    assert_int_equal(program_run(PROGRAM(scratch_path("dump"), scratch_path("no/such")), NULL), 2);
    if (access("/dev/full", W_OK) == 0)
        assert_int_equal(program_run(PROGRAM(scratch_path("dump"), "/dev/full"), NULL), 2);
}

static void the_dump_from_pytorch_is_right(void **state)
{
    (void)state;
    const char *python = python_with("torch, safetensors.torch");
    if (!python)
        skip_with("no python3 with torch and safetensors");
    runs(PROGRAM(python, DUMP_TORCH, scratch_path("torch.safetensors")));
    assert_right(scratch_path("torch.safetensors"));
}

/* ---- the reports ----------------------------------------------------------------------------------------- */

/* What `make docs-numbers` would make of it. */
static char *refreshed(const char *guide)
{
    char variable[600], *text;
    (void)snprintf(variable, sizeof variable, "castle=%s", program_path());
    if (program_run(PROGRAM("awk", "-v", variable, "-f", "docs/runs.awk", guide), &text))
        fail_msg("%s", text);
    return text;
}

static void the_reports_are_the_programs(void **state)
{
    (void)state;
    char *guide = text_of(REPORTS), *fresh = refreshed(REPORTS);
    size_t k = 0, line = 0;
    for (; guide[k] && guide[k] == fresh[k]; k++)
        line = guide[k] == '\n' ? k + 1 : line;
    if (guide[k] != fresh[k])
        fail_msg(REPORTS " shows\n%.*s\nand should show (make docs-numbers)\n%.*s",
                 (int)strcspn(guide + line, "\n"), guide + line, (int)strcspn(fresh + line, "\n"),
                 fresh + line);
    assert_contains(guide, "check " WINDOW_DUMP " -->");
    free(guide);
    free(fresh);
}

static void boxes_that_do_not_fit_are_refused(void **state)
{
    static const char *const wrong[][2] = {
        {"<!-- begin run echo a -->\n", "a box has no end"},
        {"<!-- begin run echo a -->\n<!-- begin run echo b -->\n", "the box before has no end"},
        {"<!-- begin run true -->\n<!-- end run -->\n", "the command prints nothing: true"},
    };
    (void)state;
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        char *text;
        write_file(scratch_path("guide"), wrong[k][0], strlen(wrong[k][0]));
        assert_int_equal(
            program_run(PROGRAM("awk", "-f", "docs/runs.awk", scratch_path("guide")), &text), 1);
        assert_contains(text, wrong[k][1]);
        free(text);
    }
}

static void is_in_a_box(void *boxes, Part part[MOST_PARTS])
{
    if (!strstr(boxes, part[0]))
        fail_msg(REPORTS " says %s, which is in none of its reports", part[0]);
}

/* The figures and the quoted beginnings of lines that the prose speaks of. */
static void the_prose_speaks_of_these_reports(void **state)
{
    (void)state;
    char *text = text_of(REPORTS), *boxes = half_of(text, true), *prose = half_of(text, false);
    static const char *const quoted[] = {"agrees with M28 (window-one-too-wide)",
                                         "arithmetic bfloat16",
                                         "truth: 6837 numbers certified",
                                         "the sequential form lies inside every ball",
                                         "3 past the bound",
                                         "0 right, 0 suspect, 1 wrong"};
    assert_int_equal(each_match(strchr(prose, '\n'), "[0-9]+\\.[0-9]+", is_in_a_box, boxes), 1);
    for (size_t k = 0; k < sizeof quoted / sizeof *quoted; k++) {
        assert_contains(boxes, quoted[k]);
        if (strcmp(quoted[k], "3 past the bound") != 0)
            assert_contains(prose, quoted[k]);
    }
    free(text);
    free(boxes);
    free(prose);
}

static void with_its_own_window_it_is_right(void **state)
{
    (void)state;
    judges("right", "-W", "18", WINDOW_DUMP);
}

/* ---- declarations and commands ------------------------------------------------------------------------- */

static void can_be_read(void *document, Part part[MOST_PARTS])
{
    Arithmetic a;
    char why[400];
    if (!arithmetic_parse(&a, part[1], why, sizeof why))
        fail_msg("%s: %s: %s", (const char *)document, part[1], why);
}

static void declarations_can_be_read(void **state)
{
    (void)state;
    static const char *const documents[] = {GUIDE, FAQ};
    size_t count = 0;
    for (size_t k = 0; k < 2; k++) {
        char *text = text_of(documents[k]), path[40];
        (void)snprintf(path, sizeof path, "%s", documents[k]);
        count += each_match(text, "--arithmetic ([a-z0-9,=]+)", can_be_read, path);
        free(text);
    }
    assert_int_equal(count, 2);
}

static void the_stage_page_that_the_faq_names_is_printed(void **state)
{
    (void)state;
    char *faq = text_of(FAQ);
    assert_contains(faq, "`castle verify --stage -L 3 -d 2`");
    run_right("verify", "--stage", "-L", "3", "-d", "2");
    assert_out("dense gradients");
    free(faq);
}

/* ---- the questions' figures ------------------------------------------------------------------------------ */

static SafetensorsFile *golden(const char *id)
{
    Failure f;
    char path[120];
    (void)snprintf(path, sizeof path, "vectors/golden/%s.safetensors", id);
    SafetensorsFile *file = safetensors_open(path, &f);
    if (!file)
        fail_msg("%s", f.text);
    return file;
}

static double largest(const SafetensorsFile *file, const char *name)
{
    const Tensor *t = safetensors_find(file, name);
    assert_non_null(t);
    double most = 0;
    for (size_t k = 0; k < t->count; k++)
        most = fmax(most, fabs(tensor_value(t, k)));
    return most;
}

/* The sentence, with every run of white space as one blank. */
static void assert_says(const char *expected)
{
    char *text = text_of(FAQ), *to = text;
    for (const char *from = text; *from; from++)
        if (!strchr(" \n", *from) || (to > text && to[-1] != ' '))
            *to++ = *from == '\n' ? ' ' : *from;
    *to = '\0';
    if (!strstr(text, expected))
        fail_msg(FAQ " does not say: %s", expected);
    free(text);
}

static void a_fixed_tolerance_passes_zero_gradients(void **state)
{
    (void)state;
    char said[160];
    SafetensorsFile *file = golden("trained-all-rows-f32");
    double most = largest(file, "dqu"), sigma = largest(file, "dqu.sigma");
    assert_true(most < 2e-2 && most > 1000 * sigma);
    (void)snprintf(said, sizeof said, "no element of `dqu` is above %.4f,",
                   ceil(most * 1e4) * 1e-4);
    assert_says(said);
    (void)snprintf(said, sizeof said, "The largest sigma of a right kernel there is %.1e.", sigma);
    assert_says(said);
    safetensors_close(file);
}

/* The cosine of o with itself, its last row set to 0, is the quotient of their norms. */
static void a_cosine_passes_a_lost_row(void **state)
{
    (void)state;
    char said[160];
    SafetensorsFile *file = golden("trained-middle-rows-f32");
    const Tensor *o = safetensors_find(file, "o");
    assert_non_null(o);
    double all = 0, lost = 0;
    size_t length = o->shape[2], dim = o->shape[3];
    for (size_t k = 0; k < o->count; k++) {
        double square = tensor_value(o, k) * tensor_value(o, k);
        all += square;
        lost += k / dim % length == length - 1 ? square : 0;
    }
    assert_true(lost > 0);
    (void)snprintf(said, sizeof said, "the cosine with the truth is still %.3f,",
                   sqrt((all - lost) / all));
    assert_says(said);
    safetensors_close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_guide_shows_the_programs_as_they_are),
        TEST(the_dump_from_c_is_right),
        TEST(the_dump_from_pytorch_is_right),
        TEST(the_reports_are_the_programs),
        TEST(boxes_that_do_not_fit_are_refused),
        TEST(the_prose_speaks_of_these_reports),
        TEST(with_its_own_window_it_is_right),
        TEST(declarations_can_be_read),
        TEST(the_stage_page_that_the_faq_names_is_printed),
        TEST(a_fixed_tolerance_passes_zero_gradients),
        TEST(a_cosine_passes_a_lost_row),
    };
    return run_command_tests(tests);
}
