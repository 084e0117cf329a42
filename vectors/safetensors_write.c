/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "safetensors.h"

#include "bug.h"
#include "whole_file.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

bool safetensors_write(const SafetensorsWriter *writer, const char *path, Failure *failure)
{
    static const char spaces[8] = "        ";
    if (json_object_size(writer->tensors) == 0)
        stop_on_bug(__func__, "no tensor was added");

    char *header = header_text(writer);
    size_t length = strlen(header), padding = (8 - length % 8) % 8;
    if (length > SAFETENSORS_MAX_HEADER - 8) {
        char quoted[160];
        failure_quote_path(quoted, sizeof quoted, path);
        free(header);
        return fail(failure,
                    "%s: the header would be larger than %d bytes, the most that readers "
                    "take",
                    quoted, (int)SAFETENSORS_MAX_HEADER);
    }
    unsigned char prefix[8];
    for (size_t i = 0; i < 8; i++)
        prefix[i] = (unsigned char)((uint64_t)(length + padding) >> (8 * i) & 0xff);
    const Bytes parts[] = {{prefix, sizeof prefix},
                           {header, length},
                           {spaces, padding},
                           {writer->data, writer->size}};
    bool written = whole_file_write(path, parts, sizeof parts / sizeof *parts, failure);
    free(header);
    return written;
}
