/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * docs/validate-a-kernel.md and docs/faq.md: the programs they show are the files, run, and are judged
 * right; the report is the program's; figures come from the golden files; declarations can be read.
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

/* ---- the report ------------------------------------------------------------------------------------------ */

enum { BOX = 8000 };

/* The box behind the command: its lines, without the four blanks. */
static void read_box(char box[BOX], const char *guide, const char *command)
{
    size_t used = 0;
    const char *line = strstr(guide, command);
    assert_non_null(line);
    for (line = strchr(line, '\n') + 1; *line == '\n' || strncmp(line, "    ", 4) == 0;
         line = strchr(line, '\n') + 1) {
        const char *from = *line == '\n' ? line : line + 4;
        used += (size_t)snprintf(box + used, BOX - used, "%.*s\n", (int)strcspn(from, "\n"), from);
        assert_true(used < BOX);
    }
}

/* Text before and behind a line of three points: how the report begins and how it ends. */
static void the_report_is_the_programs(void **state)
{
    (void)state;
    char *guide = text_of(GUIDE), box[BOX];
    read_box(box, guide, "    $ build/castle check " WINDOW_DUMP "\n");
    char *points = strstr(box, "  ...\n");
    assert_non_null(points);
    *points = '\0';
    char *tail = points + strlen("  ...\n");
    for (size_t n = strlen(tail); n > 1 && tail[n - 1] == '\n' && tail[n - 2] == '\n';)
        tail[--n] = '\0'; /* the empty line behind the box */

    run("check", WINDOW_DUMP);
    assert_status(WRONG_STATUS);
    assert_true(strlen(box) > 800 && strlen(tail) > 20);
    if (strncmp(last.out, box, strlen(box)) != 0)
        complain("the report does not begin as " GUIDE " shows:\n", box);
    size_t all = strlen(last.out), n = strlen(tail);
    if (all < n || strcmp(last.out + all - n, tail) != 0)
        complain("the report does not end as " GUIDE " shows:\n", tail);
    free(guide);
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
        TEST(the_report_is_the_programs),
        TEST(with_its_own_window_it_is_right),
        TEST(declarations_can_be_read),
        TEST(the_stage_page_that_the_faq_names_is_printed),
        TEST(a_fixed_tolerance_passes_zero_gradients),
        TEST(a_cosine_passes_a_lost_row),
    };
    return run_command_tests(tests);
}
