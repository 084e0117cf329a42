/* SPDX-License-Identifier: GPL-3.0-or-later */
/* proofs/README.md names commands, theorems, tests and files: each must exist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "whole_file.h"

#include <ctype.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *text_of(const char *path)
{
    Bytes bytes;
    Failure f;
    if (!whole_file_read(&bytes, path, &f)) {
        print_error("%s\n", f.text);
        fail();
    }
    char *text = calloc(bytes.size + 1, 1);
    assert_non_null(text);
    memcpy(text, bytes.at, bytes.size);
    free((void *)bytes.at);
    return text;
}

/* Whether `makefile` has a line that begins "target:". */
static bool is_target(const char *makefile, const char *target)
{
    size_t n = strlen(target);
    for (const char *at = makefile; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL)
        if (strncmp(at, target, n) == 0 && at[n] == ':')
            return true;
    return false;
}

/* All of proofs/coq, one file after the other. */
static char *all_proofs(void)
{
    glob_t found;
    char *all = calloc(1, 1);
    size_t size = 1;
    assert_int_equal(glob("proofs/coq/*.v", 0, NULL, &found), 0);
    for (size_t k = 0; k < found.gl_pathc; k++) {
        char *one = text_of(found.gl_pathv[k]);
        size_t more = strlen(one);
        all = realloc(all, size + more);
        assert_non_null(all);
        memcpy(all + size - 1, one, more + 1);
        size += more;
        free(one);
    }
    globfree(&found);
    return all;
}

/* Whether a theorem or lemma of that very name is stated. */
static bool is_stated(const char *proofs, const char *name)
{
    static const char *const words[] = {"Theorem", "Lemma", "Corollary", "Proposition"};
    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
        char opening[120];
        int n = snprintf(opening, sizeof opening, "%s %s", words[k], name);
        for (const char *at = proofs; (at = strstr(at, opening)); at += n)
            if ((at == proofs || at[-1] == '\n') && !isalnum((unsigned char)at[n]) &&
                at[n] != '_' && at[n] != '\'')
                return true;
    }
    return false;
}

typedef struct Seen {
    size_t commands, theorems, tests, files;
} Seen;

/* "make a b": every word a target. */
static void check_command(const char *makefile, char *command, Seen *seen)
{
    char *rest;
    (void)strtok_r(command, " ", &rest);
    for (char *word; (word = strtok_r(NULL, " ", &rest)); seen->commands++)
        if (!is_target(makefile, word)) {
            print_error("make %s: the Makefile has no such target\n", word);
            fail();
        }
}

static void check_test(const char *name, Seen *seen)
{
    char path[120];
    snprintf(path, sizeof path, "tests/%s.c", name);
    seen->tests++;
    if (access(path, R_OK) != 0) {
        print_error("%s: is named, and not there\n", path);
        fail();
    }
}

/* A word like theorem1_castle: letters, digits, underscores. */
static bool is_name(const char *word)
{
    size_t n = strlen(word);
    return n &&
           strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == n;
}

static void check_quoted(const char *makefile, const char *proofs, char *word, Seen *seen)
{
    if (strncmp(word, "make ", 5) == 0)
        check_command(makefile, word, seen);
    else if (strncmp(word, "test_", 5) == 0)
        check_test(word, seen);
    else if (is_name(word)) {
        seen->theorems++;
        if (!is_stated(proofs, word)) {
            print_error("%s: is stated nowhere in proofs/coq\n", word);
            fail();
        }
    } else if (strncmp(word, "build/", 6) != 0) {
        print_error("`%s` is no command, theorem, test or product\n", word);
        fail();
    }
}

static void all_that_the_readme_names_exists(void **state)
{
    (void)state;
    char *readme = text_of("proofs/README.md"), *makefile = text_of("Makefile");
    char *proofs = all_proofs();
    Seen seen = {0};
    for (char *at = readme; (at = strchr(at, '`'));) {
        char *end = strchr(at + 1, '`');
        assert_non_null(end);
        *end = '\0';
        check_quoted(makefile, proofs, at + 1, &seen);
        at = end + 1;
    }
    free(readme);
    readme = text_of("proofs/README.md");
    for (char *at = readme; (at = strstr(at, "]("));) {
        char path[200];
        char *end = strchr(at, ')');
        assert_non_null(end);
        snprintf(path, sizeof path, "proofs/%.*s", (int)(end - at - 2), at + 2);
        seen.files++;
        if (access(path, R_OK) != 0) {
            print_error("%s: is linked to, and not there\n", path);
            fail();
        }
        at = end;
    }
    print_message("             %zu targets, %zu theorems, %zu tests, %zu files\n", seen.commands,
                  seen.theorems, seen.tests, seen.files);
    assert_true(seen.commands && seen.theorems && seen.tests && seen.files);
    free(readme);
    free(makefile);
    free(proofs);
}

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    assert_true(is_target("a: b\nproofs: c\n", "proofs"));
    assert_false(is_target("a: proofs\nproofs-coq: c\n", "proofs"));
    assert_true(is_stated("x\nTheorem one : A.\n", "one"));
    assert_false(is_stated("Theorem one_two : A.\n (* Theorem one *)", "one"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_the_readme_names_exists),
        cmocka_unit_test(what_is_not_there_is_not_found),
    };
    return cmocka_run_group_tests_name("proofs readme", tests, NULL, NULL);
}
