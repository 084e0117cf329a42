/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vectors_support.h"

#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>

enum { MOST_PATHS = 200 };

char scratch[64];
static char *paths[MOST_PATHS];

int scratch_make(void **state)
{
    (void)state;
    (void)snprintf(scratch, sizeof scratch, "build/test-XXXXXX");
    if (mkdtemp(scratch) != NULL)
        return 0;
    (void)snprintf(scratch, sizeof scratch, "/tmp/test-XXXXXX");
    return mkdtemp(scratch) == NULL ? -1 : 0;
}

const char *scratch_path(const char *name)
{
    char path[512];
    size_t k = 0;

    (void)snprintf(path, sizeof path, "%s/%s", scratch, name);
    while (paths[k] && strcmp(paths[k], path) != 0)
        k++;
    assert_true(k < MOST_PATHS - 1);
    if (!paths[k])
        paths[k] = strdup(path);
    assert_non_null(paths[k]);
    return paths[k];
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

void remove_tree(const char *path)
{
    assert_int_equal(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

size_t scratch_files(bool and_remove)
{
    DIR *folder = opendir(scratch);
    const struct dirent *entry;
    size_t count = 0;
    char path[512];

    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
        (void)snprintf(path, sizeof path, "%s/%s", scratch, entry->d_name);
        if (and_remove)
            remove_tree(path);
    }
    assert_int_equal(closedir(folder), 0);
    return count;
}

int scratch_clear(void **state)
{
    (void)state;
    (void)scratch_files(true);
    return 0;
}

int scratch_remove(void **state)
{
    (void)scratch_clear(state);
    return rmdir(scratch);
}

void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

unsigned char *read_whole_file(const char *path, size_t *size)
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
    bytes[*size] = 0;
    assert_int_equal(fclose(file), 0);
    return bytes;
}

void assert_stops(void (*function)(void), const char *expected)
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

void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", text, part);
}

uint64_t next_random(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}
