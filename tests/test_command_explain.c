/* SPDX-License-Identifier: GPL-3.0-or-later */
/* castle explain as its users run it: what it writes, what it refuses, what it leaves alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"

#include <string.h>
#include <sys/stat.h>

static char *page_at(const char *path)
{
    size_t size;
    return (char *)read_whole_file(path, &size);
}

static void a_page_is_written(void **state)
{
    (void)state;
    const char *path = scratch_path("page.html");
    run_right("explain", "the old man", "-o", path);
    assert_out("page.html: ");
    assert_out("3 tokens, seed 1; open it in a browser");
    assert_silent_err();
    char *page = page_at(path);
    assert_contains(page, "<!DOCTYPE html>\n<!-- Made by castle explain");
    assert_contains(page, "3 tokens, d = 4, 1 head, no window, seed 1;");
    assert_contains(page, "</html>");
    free(page);
    assert_int_equal(scratch_files(false), 1);
}

static void options_are_taken(void **state)
{
    (void)state;
    const char *path = scratch_path("page.html");
    run_right("explain", "a b c", "--dim", "2", "--heads", "3", "--window", "1", "--seed", "77",
              "-o", path);
    char *page = page_at(path);
    assert_contains(page, "3 tokens, d = 2, 3 heads, window W = 1, seed 77;");
    free(page);
    run_right("explain", "-W", "none", "-o", path); /* the default sentence, over its own page */
    page = page_at(path);
    assert_contains(page, "the old man the boat at night");
    assert_contains(page, "7 tokens, d = 4, 1 head, no window, seed 1;");
    free(page);
}

static void the_default_name_is_in_this_folder(void **state)
{
    (void)state;
    char here[4096], program[5000];
    assert_non_null(getcwd(here, sizeof here));
    (void)snprintf(program, sizeof program, "%s%s%s", program_path()[0] == '/' ? "" : here,
                   program_path()[0] == '/' ? "" : "/", program_path());
    assert_int_equal(chdir(scratch), 0);
    char command[5200];
    (void)snprintf(command, sizeof command, "%s explain man > said", program);
    int status = system(command);
    assert_int_equal(chdir(here), 0);
    assert_int_equal(status, 0);
    assert_int_equal(access(scratch_path("castle-explain.html"), R_OK), 0);
}

static void what_is_no_text_or_option_is_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("page.html");
    refuses("the text has no words", "explain", "", "-o", path);
    refuses("control character", "explain", "a\x1b[1m", "-o", path);
    refuses("not UTF-8", "explain", "a\xff", "-o", path);
    refuses("put quotes around it", "explain", "the", "old", "-o", path);
    refuses("--dim is \"0\"", "explain", "--dim", "0", "-o", path);
    refuses("--dim is \"17\"", "explain", "--dim", "17", "-o", path);
    refuses("--heads is \"9\"", "explain", "--heads", "9", "-o", path);
    refuses("--window is \"-1\"", "explain", "--window=-1", "-o", path);
    refuses("--window is \"65\"", "explain", "--window", "65", "-o", path);
    refuses("--seed is \"x\"", "explain", "--seed", "x", "-o", path);
    assert_int_equal(scratch_files(false), 0);
}

static void sixty_five_words_are_refused(void **state)
{
    (void)state;
    char text[200] = "";
    for (size_t k = 0; k < 65; k++)
        strcat(text, "a ");
    refuses("more than 64 words", "explain", text, "-o", scratch_path("page.html"));
    assert_int_equal(scratch_files(false), 0);
}

static void what_it_did_not_write_is_left_alone(void **state)
{
    (void)state;
    const char *path = scratch_path("mine.html");
    write_file(path, "<!DOCTYPE html>\nmine", 20);
    refuses("exists and is no page of castle explain", "explain", "man", "-o", path);
    char *page = page_at(path);
    assert_string_equal(page, "<!DOCTYPE html>\nmine");
    free(page);
    run_right("explain", "man", "--force", "-o", path);
    page = page_at(path);
    assert_contains(page, "Made by castle explain");
    free(page);
    const char *folder = scratch_path("folder");
    assert_int_equal(mkdir(folder, 0777), 0);
    run("explain", "man", "-o", folder);
    assert_int_equal(last.status, UNUSABLE_STATUS);
    run("explain", "man", "--force", "-o", folder);
    assert_int_equal(last.status, UNUSABLE_STATUS);
    refuses("nowhere", "explain", "man", "-o", scratch_path("nowhere/page.html"));
}

/* No room on the disk: a sentence, and the old page as it was. */
static void a_page_that_does_not_fit_leaves_the_old_one(void **state)
{
    (void)state;
    const char *path = scratch_path("page.html");
    run_right("explain", "man", "-o", path);
    char *before = page_at(path);
    run_with(&(Setting){.largest_file = 4096}, WORDS("explain", "boat", "-o", path));
    assert_refused("page.html");
    char *after = page_at(path);
    assert_string_equal(after, before);
    assert_int_equal(scratch_files(false), 1);
    free(before);
    free(after);
}

static void it_explains_itself(void **state)
{
    (void)state;
    run_right("explain", "--help");
    assert_out("castle explain \"the horse raced past the barn fell\" -o horse.html");
    assert_out("--window");
    run_right("--help");
    assert_out("castle explain");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_page_is_written),
        TEST(options_are_taken),
        TEST(the_default_name_is_in_this_folder),
        TEST(what_is_no_text_or_option_is_refused),
        TEST(sixty_five_words_are_refused),
        TEST(what_it_did_not_write_is_left_alone),
        TEST(a_page_that_does_not_fit_leaves_the_old_one),
        TEST(it_explains_itself),
    };
    return run_command_tests(tests);
}
