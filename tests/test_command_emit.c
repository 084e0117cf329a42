/* SPDX-License-Identifier: GPL-3.0-or-later */
/* castle emit: the same bytes however the work is cut up or cut off, and nothing half-written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"
#include "golden_support.h"

#include <dirent.h>
#include <sys/stat.h>

#define CASES "tiny-t*"
#define ONE "tiny-two-tokens-f32"
enum { COUNT = 11 };

/* "good" in the scratch folder: the cases in one run with one thread. */
static int setup(void **state)
{
    if (command_setup(state) != 0)
        return -1;
    run_with(&(Setting){.threads = "1"},
             WORDS("emit", "--out", scratch_path("good"), "--case", CASES));
    return last.status;
}

static size_t golden_files(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    size_t count = 0;
    while (dir && (entry = readdir(dir)) != NULL)
        count += strstr(entry->d_name, GOLDEN_SUFFIX) != NULL;
    if (dir)
        assert_int_equal(closedir(dir), 0);
    return count;
}

/* Its files and index are those of one run, and there are no others. */
static void assert_good(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    size_t count = 0;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            assert_same_file(path_in(folder, entry->d_name),
                             path_in(scratch_path("good"), entry->d_name));
            count++;
        }
    assert_int_equal(closedir(dir), 0);
    assert_int_equal(count, COUNT + 1);
}

static const char *fresh_name(const char *name)
{
    const char *folder = scratch_path(name);
    if (access(folder, F_OK) == 0)
        remove_tree(folder);
    return folder;
}

static void assert_counts(size_t cases, size_t kept)
{
    char text[80];
    (void)snprintf(text, sizeof text, ": %zu cases, %zu of them there already\n", cases, kept);
    assert_status(RIGHT_STATUS);
    assert_out(text);
    assert_silent_err();
}

/* ---- what is there already -------------------------------------------------------------------- */

static struct stat status_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status;
}

static void what_is_there_is_kept(void **state)
{
    const char *folder = fresh_name("work"), *path;
    (void)state;
    copy_folder(scratch_path("good"), folder);
    path = scratch_path("work/" ONE ".safetensors");
    struct stat before = status_of(path);
    run("emit", "--out", folder, "--case", CASES);
    assert_counts(COUNT, COUNT);
    struct stat after = status_of(path);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof before.st_mtim);
    assert_good(folder);

    run("emit", "--out", folder, "--case", CASES, "--force");
    assert_counts(COUNT, 0);
    after = status_of(path);
    assert_true(before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
                before.st_mtim.tv_nsec != after.st_mtim.tv_nsec);
    assert_good(folder);
}

/* A number of an answer is no input: only the index can tell that the file was changed. */
static void changed_files_are_computed_again(void **state)
{
    const char *folder = fresh_name("work");
    (void)state;
    copy_folder(scratch_path("good"), folder);
    rewrite(file_of(folder, ONE), &(Change){.tensor = "o", .value = 5});
    rewrite(file_of(folder, "tiny-two-tokens-bf16"), &(Change){.tensor = "qu", .value = 5});
    assert_int_equal(truncate(file_of(folder, "tiny-two-tokens-f64"), 100), 0);
    assert_int_equal(remove(file_of(folder, "tiny-three-tokens-f16")), 0);
    run("emit", "--out", folder, "--case", CASES);
    assert_counts(COUNT, COUNT - 4);
    assert_good(folder);

    /* without an index there is nothing to hold a whole file against but today's inputs */
    assert_int_equal(remove(path_in(folder, "index.json")), 0);
    run("emit", "--out", folder, "--case", CASES);
    assert_counts(COUNT, COUNT);
    assert_good(folder);
}

/* ---- shards, threads -------------------------------------------------------------------------- */

static void shards_give_the_same_bytes(void **state)
{
    static const char *const shards[] = {"1/3", "2/3", "3/3"};
    const char *folder = fresh_name("work"), *merged = fresh_name("merged");
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        const char *own = fresh_name("own");
        run("emit", "--out", own, "--case", CASES, "--shard", shards[k]);
        assert_counts(k == 2 ? 3 : 4, 0);
        copy_folder(own, merged);
        run("emit", "--out", folder, "--case", CASES, "--shard", shards[k]);
        assert_counts(k == 2 ? 3 : 4, 0);
    }
    assert_good(folder);
    run("emit", "--out", merged, "--case", CASES);
    assert_counts(COUNT, COUNT);
    assert_good(merged);
}

/* The last one to write the index must have seen the files of all. */
static void shards_may_share_a_folder(void **state)
{
    enum { SHARDS = 5 };
    (void)state;
    for (unsigned round = 0; round < (in_short() ? 1 : 2); round++) {
        const char *folder = fresh_name("work");
        pid_t pid[SHARDS];
        for (size_t k = 0; k < SHARDS; k++) {
            char shard[20];
            (void)snprintf(shard, sizeof shard, "%zu/%d", k + 1, SHARDS);
            pid[k] = start(WORDS("emit", "--out", folder, "--case", CASES, "--shard", shard));
        }
        for (size_t k = 0; k < SHARDS; k++) {
            int status;
            assert_int_equal(waitpid(pid[k], &status, 0), pid[k]);
            assert_true(WIFEXITED(status));
            assert_int_equal(WEXITSTATUS(status), 0);
        }
        assert_good(folder);
    }
}

static void threads_do_not_matter(void **state)
{
    const char *folder = fresh_name("work");
    (void)state;
    run_with(&(Setting){.threads = "2"}, WORDS("emit", "--out", folder, "--case", CASES));
    assert_counts(COUNT, 0);
    assert_good(folder);
}

/* ---- killed ----------------------------------------------------------------------------------- */

/* Kills a run as soon as there are so many files; returns how many there are then. */
static size_t killed_at(size_t files, const char *folder)
{
    int status;
    pid_t pid = start(WORDS("emit", "--out", folder, "--case", CASES));
    while (golden_files(folder) < files && waitpid(pid, &status, WNOHANG) == 0)
        (void)usleep(200);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    return golden_files(folder);
}

static void a_killed_run_leaves_whole_files_and_goes_on(void **state)
{
    static const size_t moments[] = {0, 1, 4, COUNT};
    size_t cut_off = 0;
    Cases cases;
    Failure f;
    (void)state;
    if (in_short())
        skip();
    assert_true(cases_read(&cases, NULL, &f));
    for (size_t m = 0; m < sizeof moments / sizeof *moments; m++) {
        const char *folder = fresh_name("work");
        size_t there = killed_at(moments[m], folder), whole = 0;
        cut_off += there > 0 && there < COUNT;
        for (size_t k = 0; k < cases.count; k++) {
            const GoldenCase *c = &cases.at[k];
            GoldenCertificate g;
            const char *path = file_of(folder, c->id);
            if (access(path, F_OK) != 0)
                continue;
            if (!golden_certificate(&g, c, path, &f))
                fail_msg("%s", f.text);
            assert_same_file(path, file_of(scratch_path("good"), c->id));
            whole++;
        }
        assert_int_equal(whole, there);
        run("emit", "--out", folder, "--case", CASES);
        assert_counts(COUNT, there);
        for (size_t k = 0; k < COUNT; k++) { /* a complete file that had no name yet may be left */
            char name[60];
            (void)snprintf(name, sizeof name, ".castle-%zu.tmp", k);
            (void)remove(path_in(folder, name));
        }
        assert_int_equal(golden_files(folder), COUNT);
        assert_same_file(path_in(folder, "index.json"),
                         path_in(scratch_path("good"), "index.json"));
    }
    assert_true(cut_off > 0); /* otherwise nothing was tried */
    cases_free(&cases);
}

/* ---- tiers ------------------------------------------------------------------------------------ */

/* A tier of which nothing was asked for gets no index. */
static void only_tiers_that_are_asked_for_are_listed(void **state)
{
    const char *folder = fresh_name("work");
    (void)state;
    run("emit", "--out", folder, "--tier", "all", "--case", "tiny-two-tokens-*");
    assert_status(RIGHT_STATUS);
    assert_int_equal(access(path_in(folder, "index.json"), F_OK), 0);
    assert_int_equal(access(path_in(folder, "index-paper.json"), F_OK), -1);
}

/* ---- refusals --------------------------------------------------------------------------------- */

static void bad_options_are_refused(void **state)
{
    static const char *const shards[] = {"",      "1",   "0/2", "3/2",  "-1/2", "1/0",
                                         "1/2/3", "a/2", "1/b", "1/-2", " 1/2", "1/2x"};
    const char *out = fresh_name("work");
    (void)state;
    refuses("option --out DIR is missing", "emit");
    refuses("--tier is \"most\"; expected core, paper or all", "emit", "-o", out, "-t", "most");
    for (size_t k = 0; k < sizeof shards / sizeof *shards; k++)
        refuses("expected K/N with 1 <= K <= N", "emit", "-o", out, "--shard", shards[k]);
    refuses("there is no case of the tier core that matches \"none\"", "emit", "-o", out, "-c",
            "none");
    refuses("there is no case of the tier core that matches \"paper-64-f32\"", "emit", "-o", out,
            "-c", "paper-64-f32");
    refuses("there is no case of the tier paper that matches \"tiny-t*\"", "emit", "-o", out, "-c",
            CASES, "-t", "paper");
    refuses("there is no case that matches \"\\x1b\"", "emit", "-o", out, "-c", "\x1b", "-t",
            "all");
    refuses("the shard 2/2 is empty: there are 1 cases", "emit", "-o", out, "-c", ONE, "--shard",
            "2/2");
    refuses("Too many arguments", "emit", "-o", out, "more");
    assert_int_equal(access(out, F_OK), -1);
}

static void bad_folders_are_refused(void **state)
{
    static char long_name[5000];
    const char *out = fresh_name("work");
    (void)state;
    refuses("none/work: cannot be made: No such file or directory", "emit", "-o",
            scratch_path("none/work"), "-c", ONE);
    write_file(out, "x", 1);
    refuses("work/" ONE ".safetensors: cannot create a file in its folder: Not a directory", "emit",
            "-o", out, "-c", ONE);
    memset(long_name, '/', sizeof long_name - 1);
    refuses("the folder's name is longer than ", "emit", "-o", long_name, "-c", ONE);
    assert_int_equal(remove(out), 0);
    refuses("no-such-folder/trained-", "emit", "-o", out, "-c", "trained-first-rows-f32", "--dumps",
            "no-such-folder");
    assert_int_equal(golden_files(out), 0);
    run_with(&(Setting){.largest_file = 400}, WORDS("emit", "-o", out, "-c", ONE));
    assert_refused("cannot be written: File too large");
    remove_tree(out);
    assert_int_equal(mkdir(out, 0777), 0);
    assert_int_equal(symlink("elsewhere", file_of(out, ONE)), 0);
    refuses(ONE ".safetensors: is not a regular file", "emit", "-o", out, "-c", ONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_there_is_kept),
        cmocka_unit_test(changed_files_are_computed_again),
        cmocka_unit_test(shards_give_the_same_bytes),
        cmocka_unit_test(shards_may_share_a_folder),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(a_killed_run_leaves_whole_files_and_goes_on),
        cmocka_unit_test(only_tiers_that_are_asked_for_are_listed),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(bad_folders_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, command_teardown);
}
