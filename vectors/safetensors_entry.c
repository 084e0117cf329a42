/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "safetensors_entry.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Fails with "tensor "NAME": ...". */
__attribute__((format(printf, 3, 4))) static bool refuse(Failure *failure, const Tensor *t,
                                                         const char *format, ...)
{
    char sentence[sizeof failure->text];
    char quoted[96];
    va_list arguments;

    va_start(arguments, format);
    if (vsnprintf(sentence, sizeof sentence, format, arguments) < 0)
        sentence[0] = '\0';
    va_end(arguments);
    failure_quote(quoted, sizeof quoted, t->name);
    return fail(failure, "tensor \"%s\": %s", quoted, sentence);
}

static bool read_type(Tensor *t, const json_t *dtype, Failure *failure)
{
    /* What else the format has: a user with such a file should not hear that it is broken. */
    static const char *const others[] = {
        "BOOL", "U8",  "I8", "U16",     "I16",     "U32",     "I32",     "U64",
        "I64",  "C64", "F4", "F6_E2M3", "F6_E3M2", "F8_E4M3", "F8_E5M2", "F8_E8M0",
    };
    const char *name = json_string_value(dtype);
    char quoted[32];

    if (name == NULL)
        return refuse(failure, t, "dtype is not a string, expected F64, F32, F16 or BF16");
    if (number_type_from_name(name, &t->type))
        return true;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(name, others[i]) == 0)
            return refuse(failure, t, "dtype %s is not read here, only F64, F32, F16 and BF16 are",
                          name);
    failure_quote(quoted, sizeof quoted, name);
    return refuse(failure, t, "dtype \"%s\" is unknown, expected F64, F32, F16 or BF16", quoted);
}

/* Sets dims, shape and count; makes sure that the size in bytes does not overflow. */
static bool read_shape(Tensor *t, const json_t *shape, Failure *failure)
{
    size_t room = SIZE_MAX / number_type_bytes(t->type); /* elements */

    if (!json_is_array(shape))
        return refuse(failure, t, "shape is not an array, expected an array of integers");
    t->dims = json_array_size(shape);
    if (t->dims > SAFETENSORS_MAX_DIMS)
        return refuse(failure, t, "shape has %zu dimensions, expected at most %d", t->dims,
                      (int)SAFETENSORS_MAX_DIMS);
    t->count = 1;
    for (size_t i = 0; i < t->dims; i++) {
        const json_t *entry = json_array_get(shape, i);
        json_int_t extent = json_integer_value(entry);

        if (!json_is_integer(entry))
            return refuse(failure, t, "shape[%zu] is not an integer, expected 1 or more", i);
        if (extent < 0)
            return refuse(failure, t, "shape[%zu] is negative (%jd), expected 1 or more", i,
                          (intmax_t)extent);
        if (extent == 0)
            return refuse(failure, t,
                          "shape[%zu] is 0, so there are no elements, "
                          "expected 1 or more",
                          i);
        if ((uintmax_t)extent > room / t->count)
            return refuse(failure, t,
                          "the size overflows at shape[%zu] = %jd, "
                          "expected fewer than 2^%zu bytes",
                          i, (intmax_t)extent, 8 * sizeof(size_t));
        t->shape[i] = (size_t)extent;
        t->count *= (size_t)extent;
    }
    return true;
}

/* Sets bytes; needs type and count. */
static bool read_offsets(Tensor *t, const json_t *offsets, const unsigned char *data,
                         size_t data_size, Failure *failure)
{
    size_t size = t->count * number_type_bytes(t->type);
    uintmax_t place[2];

    if (!json_is_array(offsets) || json_array_size(offsets) != 2)
        return refuse(failure, t,
                      "data_offsets is not an array of two, expected [begin, end] in bytes");
    for (size_t i = 0; i < 2; i++) {
        const json_t *entry = json_array_get(offsets, i);
        json_int_t offset = json_integer_value(entry);

        if (!json_is_integer(entry))
            return refuse(failure, t, "data_offsets[%zu] is not an integer, expected 0 or more", i);
        if (offset < 0)
            return refuse(failure, t, "data_offsets[%zu] is negative (%jd), expected 0 or more", i,
                          (intmax_t)offset);
        place[i] = (uintmax_t)offset;
    }
    if (place[0] > place[1])
        return refuse(failure, t,
                      "data_offsets begin at %ju, behind their end at %ju, "
                      "expected begin <= end",
                      place[0], place[1]);
    if (place[1] > data_size)
        return refuse(failure, t,
                      "data_offsets end at %ju, past the end of the data, "
                      "expected at most %zu",
                      place[1], data_size);
    if (place[1] - place[0] != size)
        return refuse(failure, t,
                      "data_offsets span %ju bytes, expected %zu for its shape and "
                      "dtype",
                      place[1] - place[0], size);
    t->bytes = data + place[0];
    return true;
}

bool safetensors_read_entry(Tensor *t, const char *name, const json_t *entry,
                            const unsigned char *data, size_t data_size, Failure *failure)
{
    static const char *const keys[3] = {"dtype", "shape", "data_offsets"};
    const json_t *values[3];
    json_t *object = (json_t *)entry; /* jansson's iterators take it without const */
    void *position;

    *t = (Tensor){.name = name};
    if (!json_is_object(entry))
        return refuse(failure, t,
                      "the entry is not an object, expected one with dtype, shape and "
                      "data_offsets");
    for (size_t i = 0; i < 3; i++) {
        values[i] = json_object_get(entry, keys[i]);
        if (values[i] == NULL)
            return refuse(failure, t, "%s is missing, expected dtype, shape and data_offsets",
                          keys[i]);
    }
    for (position = json_object_iter(object); position != NULL;
         position = json_object_iter_next(object, position)) {
        const char *key = json_object_iter_key(position);
        char quoted[64];

        if (strcmp(key, keys[0]) == 0 || strcmp(key, keys[1]) == 0 || strcmp(key, keys[2]) == 0)
            continue;
        failure_quote(quoted, sizeof quoted, key);
        return refuse(failure, t,
                      "the key \"%s\" is unknown, expected dtype, shape and "
                      "data_offsets only",
                      quoted);
    }
    return read_type(t, values[0], failure) && read_shape(t, values[1], failure) &&
           read_offsets(t, values[2], data, data_size, failure);
}
