/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bug.h"
#include "safetensors_entry.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct SafetensorsFile {
    void *map; /* NULL until mapped */
    size_t size;
    json_t *header;         /* keeps the names and the metadata alive */
    const json_t *metadata; /* part of the header, or NULL */
    Tensor *tensors;
    size_t count;
};

/* What the checks need while a file is being opened. */
typedef struct Reading {
    SafetensorsFile *file;
    const unsigned char *data; /* all behind the header */
    size_t data_size;
    char path[160]; /* for sentences */
    Failure *failure;
} Reading;

double tensor_value(const Tensor *t, size_t i)
{
    if (i >= t->count)
        stop_on_bug(__func__, "index %zu of a tensor of %zu elements", i, t->count);
    return number_decode(t->type, t->bytes + i * number_type_bytes(t->type));
}

/* Fails with "PATH: ...". */
__attribute__((format(printf, 2, 3))) static bool refuse(const Reading *r, const char *format, ...)
{
    char sentence[sizeof r->failure->text];
    va_list arguments;

    va_start(arguments, format);
    if (vsnprintf(sentence, sizeof sentence, format, arguments) < 0)
        sentence[0] = '\0';
    va_end(arguments);
    return fail(r->failure, "%s: %s", r->path, sentence);
}

/* Maps the whole file at path. */
static bool map_file(Reading *r, const char *path)
{
    struct stat status;
    /* Without O_NONBLOCK a named pipe would hold us here for ever. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool ok = false;

    if (descriptor < 0)
        return refuse(r, "cannot be opened for reading: %s", strerror(errno));
    if (fstat(descriptor, &status) != 0) {
        refuse(r, "cannot be examined: %s", strerror(errno));
    } else if (S_ISDIR(status.st_mode)) {
        refuse(r, "is a directory, expected a safetensors file");
    } else if (!S_ISREG(status.st_mode)) {
        refuse(r, "is not a regular file, expected a safetensors file");
    } else if (status.st_size == 0) {
        refuse(r, "is empty, expected a safetensors file");
    } else if (status.st_size < 8) {
        refuse(r, "ends after %d bytes, expected 8 bytes of header length at its start",
               (int)status.st_size);
    } else if ((uintmax_t)status.st_size > SIZE_MAX) {
        refuse(r, "is too large for this machine's address space");
    } else {
        size_t size = (size_t)status.st_size;
        void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);

        if (map == MAP_FAILED) {
            refuse(r, "cannot be mapped into memory: %s", strerror(errno));
        } else {
            r->file->map = map;
            r->file->size = size;
            ok = true;
        }
    }
    (void)close(descriptor); /* only read from: closing cannot lose anything */
    return ok;
}

static bool refuse_json(const Reading *r, const json_error_t *error)
{
    const char *what;

    switch (json_error_code(error)) {
    case json_error_invalid_utf8:
        what = "the header is not UTF-8, expected JSON in UTF-8";
        break;
    case json_error_duplicate_key:
        what = "the header has a duplicate key, expected each key once in its object";
        break;
    case json_error_numeric_overflow:
        what = "the header has a number that is too large, expected at most 64 bits";
        break;
    case json_error_out_of_memory:
        what = "the header does not fit into memory";
        break;
    default:
        what = "the header is not JSON, expected one JSON object";
        break;
    }
    return refuse(r, "%s: found at byte %d of the header: %s", what, error->position, error->text);
}

/* Finds the header, parses it, and finds the data behind it. */
static bool parse_header(Reading *r)
{
    const unsigned char *bytes = r->file->map;
    size_t behind = r->file->size - 8;
    uint64_t length = 0;
    json_error_t error;

    for (size_t i = 0; i < 8; i++)
        length |= (uint64_t)bytes[i] << (8 * i);
    if (length == 0)
        return refuse(r, "the header length is 0, expected a JSON object as header");
    if (length > behind)
        return refuse(r, "the header length is %ju, expected at most the %zu bytes behind it",
                      (uintmax_t)length, behind);
    if (length > SAFETENSORS_MAX_HEADER)
        return refuse(r, "the header length is %ju, expected at most %d", (uintmax_t)length,
                      (int)SAFETENSORS_MAX_HEADER);
    if (bytes[8] != '{')
        return refuse(r, "the header begins with byte 0x%02x, expected the '{' of a JSON object",
                      bytes[8]);
    r->file->header = json_loadb((const char *)bytes + 8, (size_t)length, JSON_REJECT_DUPLICATES,
                                 &error);
    if (r->file->header == NULL)
        return refuse_json(r, &error);
    r->data = bytes + 8 + length;
    r->data_size = behind - (size_t)length;
    return true;
}

static bool check_metadata(Reading *r)
{
    json_t *metadata = json_object_get(r->file->header, SAFETENSORS_METADATA_NAME);
    const char *key;
    json_t *value;

    if (metadata == NULL)
        return true;
    if (!json_is_object(metadata))
        return refuse(r, "%s is not an object, expected an object of strings",
                      SAFETENSORS_METADATA_NAME);
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value)) {
            char quoted[96];

            failure_quote(quoted, sizeof quoted, key);
            return refuse(r, "%s: the value of \"%s\" is not a string, expected a string",
                          SAFETENSORS_METADATA_NAME, quoted);
        }
    }
    r->file->metadata = metadata;
    return true;
}

static int compare_places(const void *a, const void *b)
{
    const Tensor *const *first = a;
    const Tensor *const *second = b;

    return ((*first)->bytes > (*second)->bytes) - ((*first)->bytes < (*second)->bytes);
}

/* Every byte of the data must belong to exactly one tensor; the tensors may lie in any order. */
static bool check_tiling(const Reading *r)
{
    const SafetensorsFile *file = r->file;
    const Tensor **sorted = malloc(file->count * sizeof(const Tensor *));
    size_t covered = 0; /* bytes, all those below belong to one tensor */
    bool ok = true;

    if (sorted == NULL)
        return refuse(r, "there is not enough memory for its %zu tensors", file->count);
    for (size_t i = 0; i < file->count; i++)
        sorted[i] = &file->tensors[i];
    qsort(sorted, file->count, sizeof(const Tensor *), compare_places);
    for (size_t i = 0; i < file->count && ok; i++) {
        const Tensor *t = sorted[i];
        size_t begin = (size_t)(t->bytes - r->data);

        if (begin < covered) {
            char name[96];
            char other[96];

            failure_quote(name, sizeof name, t->name);
            failure_quote(other, sizeof other, sorted[i - 1]->name);
            ok = refuse(r,
                        "tensor \"%s\": its data begin at byte %zu and overlap those of "
                        "\"%s\", expected byte %zu or later",
                        name, begin, other, covered);
        } else if (begin > covered) {
            char name[96];

            failure_quote(name, sizeof name, t->name);
            ok = refuse(r,
                        "tensor \"%s\": there is a gap in front of its data, as bytes %zu to "
                        "%zu belong to no tensor, expected no gap",
                        name, covered, begin - 1);
        }
        covered = begin + t->count * number_type_bytes(t->type);
    }
    free(sorted);
    if (ok && covered < r->data_size)
        return refuse(r,
                      "%zu trailing bytes behind the last tensor belong to none, "
                      "expected the data to end at byte %zu of the data",
                      r->data_size - covered, covered);
    return ok;
}

static bool read_tensors(Reading *r)
{
    SafetensorsFile *file = r->file;
    size_t expected = json_object_size(file->header) - (file->metadata != NULL ? 1 : 0);
    const char *name;
    json_t *entry;

    if (expected == 0)
        return refuse(r, "the header names no tensor, expected at least one");
    file->tensors = calloc(expected, sizeof(Tensor));
    if (file->tensors == NULL)
        return refuse(r, "there is not enough memory for its %zu tensors", expected);
    json_object_foreach(file->header, name, entry)
    {
        if (strcmp(name, SAFETENSORS_METADATA_NAME) == 0)
            continue;
        if (!safetensors_read_entry(&file->tensors[file->count], name, entry, r->data, r->data_size,
                                    r->failure))
            return refuse(r, "%s", r->failure->text);
        file->count++;
    }
    return check_tiling(r);
}

SafetensorsFile *safetensors_open(const char *path, Failure *failure)
{
    Reading r = {.file = calloc(1, sizeof(SafetensorsFile)), .failure = failure};

    failure_quote_path(r.path, sizeof r.path, path);
    if (r.file == NULL) {
        refuse(&r, "there is not enough memory to open it");
        return NULL;
    }
    if (map_file(&r, path) && parse_header(&r) && check_metadata(&r) && read_tensors(&r))
        return r.file;
    safetensors_close(r.file);
    return NULL;
}

void safetensors_close(SafetensorsFile *file)
{
    if (file == NULL)
        return;
    free(file->tensors);
    json_decref(file->header);
    if (file->map != NULL)
        (void)munmap(file->map, file->size);
    free(file);
}

size_t safetensors_count(const SafetensorsFile *file) { return file->count; }

const Tensor *safetensors_at(const SafetensorsFile *file, size_t i)
{
    if (i >= file->count)
        stop_on_bug(__func__, "index %zu of %zu tensors", i, file->count);
    return &file->tensors[i];
}

const Tensor *safetensors_find(const SafetensorsFile *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    return NULL;
}

const char *safetensors_metadata(const SafetensorsFile *file, const char *key)
{
    return json_string_value(json_object_get(file->metadata, key));
}

size_t safetensors_metadata_count(const SafetensorsFile *file)
{
    return json_object_size(file->metadata);
}

const char *safetensors_metadata_key(const SafetensorsFile *file, size_t i)
{
    json_t *metadata = (json_t *)file->metadata; /* jansson's iterators take it without const */
    void *position = json_object_iter(metadata);

    if (i >= json_object_size(metadata))
        stop_on_bug(__func__, "index %zu of %zu keys", i, json_object_size(metadata));
    for (; i > 0; i--)
        position = json_object_iter_next(metadata, position);
    return json_object_iter_key(position);
}
