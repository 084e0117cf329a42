/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "safetensors.h"

#include "bug.h"
#include "whole_file.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Data of one width, so that the widest come first and every tensor begins at a multiple of its own. */
typedef struct Part {
    size_t width;    /* bytes of a number */
    json_t *tensors; /* name -> entry, as the header has it, but with offsets into this part */
    unsigned char *data;
    size_t size;     /* bytes of data in use */
    size_t capacity; /* bytes of data allocated */
} Part;

enum { PARTS = 3 };

struct SafetensorsWriter {
    json_t *metadata; /* key -> string */
    Part part[PARTS];
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
    static const size_t widths[PARTS] = {8, 4, 2};
    SafetensorsWriter *writer = allocated(__func__, calloc(1, sizeof *writer));

    writer->metadata = allocated(__func__, json_object());
    for (size_t k = 0; k < PARTS; k++) {
        writer->part[k].width = widths[k];
        writer->part[k].tensors = allocated(__func__, json_object());
    }
    return writer;
}

void safetensors_writer_free(SafetensorsWriter *writer)
{
    if (writer == NULL)
        return;
    json_decref(writer->metadata);
    for (size_t k = 0; k < PARTS; k++) {
        json_decref(writer->part[k].tensors);
        free(writer->part[k].data);
    }
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
static unsigned char *reserve(Part *part, size_t size)
{
    if (size > SIZE_MAX / 2 - part->size)
        stop_on_bug(__func__, "%zu more bytes of data are too many", size);
    if (part->capacity < part->size + size) {
        part->capacity = 2 * (part->size + size);
        part->data = allocated(__func__, realloc(part->data, part->capacity));
    }
    part->size += size;
    return part->data + part->size - size;
}

static Part *part_for(SafetensorsWriter *writer, size_t width)
{
    for (size_t k = 0; k < PARTS; k++)
        if (writer->part[k].width == width)
            return &writer->part[k];
    stop_on_bug(__func__, "no part for numbers of %zu bytes", width);
}

static bool is_taken(const SafetensorsWriter *writer, const char *name)
{
    for (size_t k = 0; k < PARTS; k++)
        if (json_object_get(writer->part[k].tensors, name))
            return true;
    return false;
}

void safetensors_add(SafetensorsWriter *writer, const char *name, NumberType type, size_t dims,
                     const size_t *shape, const double *values)
{
    size_t width = number_type_bytes(type);
    size_t count = 1;
    Part *part = part_for(writer, width);
    size_t begin = part->size;

    if (is_taken(writer, name))
        stop_on_bug(__func__, "\"%s\" is a duplicate name", name);
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

    unsigned char *target = reserve(part, count * width);

    for (size_t i = 0; i < count; i++)
        number_encode(type, values[i], target + i * width);
    put_new(__func__, part->tensors, name,
            json_pack("{s:s, s:o, s:[I, I]}", "dtype", number_type_name(type), "shape", extents,
                      "data_offsets", (json_int_t)begin, (json_int_t)part->size));
}

void safetensors_add_metadata(SafetensorsWriter *writer, const char *key, const char *value)
{
    put_new(__func__, writer->metadata, key, json_string(value));
}

/* The part's entries, with offsets into all of the data, in which it begins at `base`. */
static void add_entries(json_t *header, const Part *part, size_t base)
{
    const char *name;
    json_t *entry;
    json_object_foreach(part->tensors, name, entry)
    {
        const json_t *own = json_object_get(entry, "data_offsets");
        json_int_t begin = json_integer_value(json_array_get(own, 0)) + (json_int_t)base;
        json_int_t end = json_integer_value(json_array_get(own, 1)) + (json_int_t)base;
        json_t *moved = allocated(__func__, json_copy(entry));

        if (json_object_set_new(moved, "data_offsets", json_pack("[I, I]", begin, end)) != 0 ||
            json_object_set_new(header, name, moved) != 0)
            stop_on_bug(__func__, "memory ran out");
    }
}

/* The header's text without padding; the caller frees it. */
static char *header_text(const SafetensorsWriter *writer)
{
    json_t *header = allocated(__func__, json_object());
    size_t base = 0;
    char *text;

    /* First, as other writers have it; jansson keeps the order in which keys are set. */
    if (json_object_size(writer->metadata) > 0 &&
        json_object_set(header, SAFETENSORS_METADATA_NAME, writer->metadata) != 0)
        stop_on_bug(__func__, "memory ran out");
    for (size_t k = 0; k < PARTS; k++) {
        add_entries(header, &writer->part[k], base);
        base += writer->part[k].size;
    }
    text = allocated(__func__, json_dumps(header, JSON_COMPACT));
    json_decref(header);
    return text;
}

static size_t tensor_count(const SafetensorsWriter *writer)
{
    size_t count = 0;
    for (size_t k = 0; k < PARTS; k++)
        count += json_object_size(writer->part[k].tensors);
    return count;
}

bool safetensors_write(const SafetensorsWriter *writer, const char *path, Failure *failure)
{
    static const char spaces[8] = "        ";
    if (tensor_count(writer) == 0)
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
                           {writer->part[0].data, writer->part[0].size},
                           {writer->part[1].data, writer->part[1].size},
                           {writer->part[2].data, writer->part[2].size}};
    bool written = whole_file_write(path, parts, sizeof parts / sizeof *parts, failure);
    free(header);
    return written;
}
