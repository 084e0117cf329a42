/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "whole_file.h"

#include "bug.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <nettle/sha2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_all(int descriptor, Bytes b)
{
    const unsigned char *rest = b.at;
    while (b.size > 0) {
        ssize_t written = write(descriptor, rest, b.size < SSIZE_MAX ? b.size : SSIZE_MAX);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        rest += written;
        b.size -= (size_t)written;
    }
    return true;
}

/* The folder of path, with its slash; "" for the current one. The caller frees it. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) + 1 : 0;
    char *folder = room_for("whole_file_write", length + 1, 1);
    memcpy(folder, path, length);
    return folder;
}

enum { NAME = 80, ATTEMPTS = 100 };

static char *temporary_name(const char *folder, int attempt)
{
    size_t size = strlen(folder) + NAME;
    char *name = room_for("whole_file_write", size, 1);
    (void)snprintf(name, size, "%s.castle-%ld-%d.tmp", folder, (long)getpid(), attempt);
    return name;
}

/* A file without a name: nothing of it is left if the program is killed. -1 where there is no such thing.
 * Unlike mkstemp's, it gets the permissions of any new file. */
static int open_nameless(const char *folder)
{
    return open(*folder ? folder : ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
}

/* Gives the nameless file, now complete, a name to be renamed from; or, where descriptor is -1, creates
 * a file under such a name. Sets *name, which the caller frees. */
static int take_name(int descriptor, const char *folder, char **name)
{
    char link[64];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        *name = temporary_name(folder, attempt);
        if (descriptor >= 0 && linkat(AT_FDCWD, link, AT_FDCWD, *name, AT_SYMLINK_FOLLOW) == 0)
            return descriptor;
        int created = descriptor < 0 ? open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)
                                     : -1;
        if (created >= 0)
            return created;
        free(*name);
        *name = NULL;
        if (errno != EEXIST)
            return -1;
    }
    return -1;
}

static bool fill(int descriptor, const Bytes *parts, size_t count)
{
    for (size_t k = 0; k < count; k++)
        if (!write_all(descriptor, parts[k]))
            return false;
    return fsync(descriptor) == 0;
}

/* False with errno set, and *what: what could not be done. */
static bool write_and_rename(const char *path, const char *folder, const Bytes *parts, size_t count,
                             const char **what)
{
    *what = "cannot create a file in its folder";
    char *name = NULL;
    int descriptor = open_nameless(folder);
    bool nameless = descriptor >= 0;
    if (!nameless)
        descriptor = take_name(-1, folder, &name);
    if (descriptor < 0)
        return false;
    *what = "cannot be written";
    bool ok = fill(descriptor, parts, count) &&
              (!nameless || take_name(descriptor, folder, &name) >= 0);
    int error = errno;
    if (close(descriptor) != 0 && ok) {
        ok = false;
        error = errno;
    }
    if (ok && rename(name, path) != 0) {
        ok = false;
        error = errno;
    }
    if (!ok && name)
        (void)unlink(name); /* the first failure is the one to report */
    free(name);
    errno = error;
    return ok;
}

bool whole_file_write(const char *path, const Bytes *parts, size_t count, Failure *f)
{
    char quoted[160];
    struct stat status;
    failure_quote_path(quoted, sizeof quoted, path);
    /* A rename would replace a device or a link, too, which nobody means by naming one. */
    if (lstat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return fail(f, "%s: is not a regular file, expected a new name or a file to replace",
                    quoted);
    char *folder = folder_of(path);
    const char *what;
    bool ok = write_and_rename(path, folder, parts, count, &what);
    int error = errno;
    free(folder);
    return ok || fail(f, "%s: %s: %s", quoted, what, strerror(error));
}

bool whole_file_read(Bytes *b, const char *path, Failure *f)
{
    char quoted[160];
    struct stat status;
    failure_quote_path(quoted, sizeof quoted, path);
    *b = (Bytes){0};
    /* A pipe would be waited for, but O_NONBLOCK changes nothing for regular files. */
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "rb");
    if (!file)
        return fail(f, "%s: cannot be opened: %s", quoted, strerror(errno));
    if (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode)) {
        (void)fclose(file);
        return fail(f, "%s: is not a regular file", quoted);
    }
    size_t size = (size_t)status.st_size;
    unsigned char *at = room_for(__func__, size + 1, 1);
    bool whole = fread(at, 1, size, file) == size && !ferror(file);
    (void)fclose(file);
    if (!whole) {
        free(at);
        return fail(f, "%s: cannot be read to its end", quoted);
    }
    *b = (Bytes){at, size};
    return true;
}

Sha256 sha256_of(Bytes b)
{
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    Sha256 sum;
    sha256_init(&context);
    sha256_update(&context, b.size, b.at);
    sha256_digest(&context, sizeof digest, digest);
    for (size_t k = 0; k < sizeof digest; k++)
        (void)snprintf(sum.hex + 2 * k, 3, "%02x", digest[k]);
    return sum;
}
