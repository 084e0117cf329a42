/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "safetensors.h"

#include "bug.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct SafetensorsWriter {
    json_t *metadata; /* key -> string */
    json_t *tensors;  /* name -> entry, as the header has it */
    unsigned char *data;
    size_t size;     /* bytes of data in use */
    size_t capacity; /* bytes of data allocated */
};

/* Hands the allocated pointer through. */
static void *allocated(const char *function, void *pointer)
{
    if (pointer == NULL)
        stop_on_bug(function, "memory ran out");
    return pointer;
}

SafetensorsWriter *safetensors_writer_new(void)
{
    SafetensorsWriter *writer = allocated(__func__, calloc(1, sizeof *writer));

    writer->metadata = allocated(__func__, json_object());
    writer->tensors = allocated(__func__, json_object());
    return writer;
}

void safetensors_writer_free(SafetensorsWriter *writer)
{
    if (writer == NULL)
        return;
    json_decref(writer->metadata);
    json_decref(writer->tensors);
    free(writer->data);
    free(writer);
}

/* Puts value (which it takes over) under a new key. */
static void put_new(const char *function, json_t *object, const char *key, json_t *value)
{
    if (json_object_get(object, key) != NULL)
        stop_on_bug(function, "\"%s\" is a duplicate name", key);
    if (value == NULL || json_object_set_new(object, key, value) != 0)
        stop_on_bug(function, "\"%s\" or its value is not UTF-8, or memory ran out", key);
}

/* Grows the data by size bytes and returns where these begin. */
static unsigned char *reserve(SafetensorsWriter *writer, size_t size)
{
    if (size > SIZE_MAX / 2 - writer->size)
        stop_on_bug(__func__, "%zu more bytes of data are too many", size);
    if (writer->capacity < writer->size + size) {
        writer->capacity = 2 * (writer->size + size);
        writer->data = allocated(__func__, realloc(writer->data, writer->capacity));
    }
    writer->size += size;
    return writer->data + writer->size - size;
}

void safetensors_add(SafetensorsWriter *writer, const char *name, NumberType type, size_t dims,
                     const size_t *shape, const double *values)
{
    size_t width = number_type_bytes(type);
    size_t count = 1;
    size_t begin = writer->size;

    if (strcmp(name, SAFETENSORS_METADATA_NAME) == 0)
        stop_on_bug(__func__, "\"%s\" is a reserved name", name);
    if (dims > SAFETENSORS_MAX_DIMS)
        stop_on_bug(__func__, "\"%s\" has %zu dimensions, more than %d", name, dims,
                    (int)SAFETENSORS_MAX_DIMS);

    json_t *extents = allocated(__func__, json_array());

    for (size_t i = 0; i < dims; i++) {
        if (shape[i] == 0)
            stop_on_bug(__func__, "\"%s\" has shape[%zu] = 0", name, i);
        if (shape[i] > SIZE_MAX / width / count)
            stop_on_bug(__func__, "the size of \"%s\" overflows", name);
        count *= shape[i];
        if (json_array_append_new(extents, json_integer((json_int_t)shape[i])) != 0)
            stop_on_bug(__func__, "memory ran out");
    }

    unsigned char *target = reserve(writer, count * width);

    for (size_t i = 0; i < count; i++)
        number_encode(type, values[i], target + i * width);
    put_new(__func__, writer->tensors, name,
            json_pack("{s:s, s:o, s:[I, I]}", "dtype", number_type_name(type), "shape", extents,
                      "data_offsets", (json_int_t)begin, (json_int_t)writer->size));
}

void safetensors_add_metadata(SafetensorsWriter *writer, const char *key, const char *value)
{
    put_new(__func__, writer->metadata, key, json_string(value));
}

/* The header's text without padding; the caller frees it. */
static char *header_text(const SafetensorsWriter *writer)
{
    json_t *header = allocated(__func__, json_object());
    char *text;

    /* First, as other writers have it; jansson keeps the order in which keys are set. */
    if (json_object_size(writer->metadata) > 0 &&
        json_object_set(header, SAFETENSORS_METADATA_NAME, writer->metadata) != 0)
        stop_on_bug(__func__, "memory ran out");
    if (json_object_update(header, writer->tensors) != 0)
        stop_on_bug(__func__, "memory ran out");
    text = allocated(__func__, json_dumps(header, JSON_COMPACT));
    json_decref(header);
    return text;
}

static bool write_all(int descriptor, const void *bytes, size_t size)
{
    const unsigned char *rest = bytes;

    while (size > 0) {
        ssize_t written = write(descriptor, rest, size < SSIZE_MAX ? size : SSIZE_MAX);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        rest += written;
        size -= (size_t)written;
    }
    return true;
}

/* Writes the whole container; false with errno set on failure. */
static bool write_container(int descriptor, const SafetensorsWriter *writer, const char *header)
{
    static const char spaces[8] = "        ";
    size_t length = strlen(header);
    size_t padding = (8 - length % 8) % 8;
    unsigned char prefix[8];

    for (size_t i = 0; i < 8; i++)
        prefix[i] = (unsigned char)((uint64_t)(length + padding) >> (8 * i) & 0xff);
    return write_all(descriptor, prefix, sizeof prefix) && write_all(descriptor, header, length) &&
           write_all(descriptor, spaces, padding) &&
           write_all(descriptor, writer->data, writer->size) && fsync(descriptor) == 0;
}

/*
 * Creates a new file in the folder of path and sets *name, which the caller frees.  Not mkstemp:
 * its file would be private for good, while this one gets the permissions of any new file.
 */
static int create_temporary(const char *path, char **name)
{
    const char *slash = strrchr(path, '/');
    size_t folder = slash == NULL ? 0 : (size_t)(slash - path) + 1; /* length with the slash */
    size_t size = folder + 64;
    int descriptor = -1;

    *name = allocated(__func__, malloc(size));
    memcpy(*name, path, folder);
    for (int attempt = 0; attempt < 100 && descriptor < 0; attempt++) {
        (void)snprintf(*name + folder, size - folder, ".safetensors-%ld-%d.tmp", (long)getpid(),
                       attempt);
        descriptor = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor < 0 && errno != EEXIST)
            break;
    }
    return descriptor;
}

bool safetensors_write(const SafetensorsWriter *writer, const char *path, Failure *failure)
{
    char quoted[160];
    struct stat status;
    char *temporary;

    if (json_object_size(writer->tensors) == 0)
        stop_on_bug(__func__, "no tensor was added");
    failure_quote_path(quoted, sizeof quoted, path);
    /* A rename would replace a device or a link, too, which nobody means by naming one. */
    if (lstat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return fail(failure, "%s: is not a regular file, expected a new name or a file to replace",
                    quoted);

    char *header = header_text(writer);

    if (strlen(header) > SAFETENSORS_MAX_HEADER - 8) {
        free(header);
        return fail(failure,
                    "%s: the header would be larger than %d bytes, the most that readers "
                    "take",
                    quoted, (int)SAFETENSORS_MAX_HEADER);
    }

    int descriptor = create_temporary(path, &temporary);

    if (descriptor < 0) {
        fail(failure, "%s: cannot create a file in its folder: %s", quoted, strerror(errno));
        free(temporary);
        free(header);
        return false;
    }

    bool ok = write_container(descriptor, writer, header);
    int error = ok ? 0 : errno;

    if (close(descriptor) != 0 && ok) {
        ok = false;
        error = errno;
    }
    if (ok && rename(temporary, path) != 0) {
        ok = false;
        error = errno;
    }
    if (!ok) {
        (void)unlink(temporary); /* the first failure is the one to report */
        fail(failure, "%s: cannot be written: %s", quoted, strerror(error));
    }
    free(temporary);
    free(header);
    return ok;
}
