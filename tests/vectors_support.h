/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of vectors/ share: a scratch folder, raw files, and functions that must stop.
 * Include it behind cmocka.h. */
#ifndef TESTS_VECTORS_SUPPORT_H
#define TESTS_VECTORS_SUPPORT_H

#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The only folder that a test program writes to; flat, so that removing it is simple. */
static char scratch[64];

static inline int scratch_make(void **state)
{
    (void)state;
    (void)snprintf(scratch, sizeof scratch, "build/test-XXXXXX");
    if (mkdtemp(scratch) != NULL)
        return 0;
    (void)snprintf(scratch, sizeof scratch, "/tmp/test-XXXXXX");
    return mkdtemp(scratch) == NULL ? -1 : 0;
}

/* The path of a file in the scratch folder; valid until the next call. */
static inline const char *scratch_path(const char *name)
{
    static char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", scratch, name);
    return path;
}

/* Number of files in the scratch folder; removes them if asked to. */
static inline size_t scratch_files(bool and_remove)
{
    DIR *folder = opendir(scratch);
    const struct dirent *entry;
    size_t count = 0;

    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
        if (and_remove)
            assert_int_equal(remove(scratch_path(entry->d_name)), 0);
    }
    assert_int_equal(closedir(folder), 0);
    return count;
}

static inline int scratch_clear(void **state)
{
    (void)state;
    (void)scratch_files(true);
    return 0;
}

static inline int scratch_remove(void **state)
{
    (void)scratch_clear(state);
    return rmdir(scratch);
}

static inline void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* The whole file; the caller frees it. */
static inline unsigned char *read_whole_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes;
    long end;

    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    end = ftell(file);
    assert_true(end >= 0);
    rewind(file);
    *size = (size_t)end;
    bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    assert_int_equal(fclose(file), 0);
    return bytes;
}

/* Asserts that function aborts, with a message on standard error that contains expected. */
static inline void assert_stops(void (*function)(void), const char *expected)
{
    char message[1024];
    size_t used = 0;
    ssize_t got;
    int ends[2];
    int status;

    assert_int_equal(pipe(ends), 0);
    (void)fflush(NULL);

    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = {0, 0};

        (void)setrlimit(RLIMIT_CORE, &none);
        (void)dup2(ends[1], STDERR_FILENO);
        function();
        _exit(0);
    }
    (void)close(ends[1]);
    while (used < sizeof message - 1 &&
           (got = read(ends[0], message + used, sizeof message - 1 - used)) > 0)
        used += (size_t)got;
    message[used] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    if (strstr(message, expected) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", message, expected);
}

static inline void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", text, part);
}

/* splitmix64: the same numbers on every machine. */
static inline uint64_t next_random(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

#endif
