/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * export_npz.c - a golden file as NumPy's npz (export.h): a ZIP archive of npy files.
 *
 * npy, version 1.0: "\x93NUMPY", 1, 0, two bytes of header length, a Python dictionary as text, padded with
 * blanks to a multiple of 64 bytes and ended by a newline, then the numbers, little-endian, row by row.
 * Source: NumPy's documentation, numpy.lib.format.
 */
#include "export.h"

#include "bug.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

enum { ALIGNMENT = 64, MAGIC = 10, NAME = 300 };
/* 1980-01-01 00:00:00, the first time that ZIP knows: the bytes must not tell when they were made. */
enum { DOS_TIME = 0, DOS_DATE = 1 << 5 | 1 };
/* A plain file that all may read, as Unix writes it; otherwise it is the library's choice. */
static const zip_uint32_t PERMISSIONS = (zip_uint32_t)0100644 << 16;

/* ---- npy -------------------------------------------------------------------------------------- */

static const char *type_in_numpy(NumberType type)
{
    static const char *const names[NUMBER_TYPES] = {
        [TYPE_F64] = "<f8", [TYPE_F32] = "<f4", [TYPE_F16] = "<f2", [TYPE_BF16] = "<f4"};
    return names[type];
}

static void write_header(FILE *out, const Tensor *t)
{
    char text[NAME];
    size_t used = (size_t)snprintf(text, sizeof text,
                                   "{'descr': '%s', 'fortran_order': False, 'shape': (",
                                   type_in_numpy(t->type));
    for (size_t k = 0; k < t->dims; k++)
        used += (size_t)snprintf(text + used, sizeof text - used, k ? " %zu," : "%zu,",
                                 t->shape[k]);
    used += (size_t)snprintf(text + used, sizeof text - used, "), }");
    size_t padding = ALIGNMENT - 1 - (MAGIC + used) % ALIGNMENT, length = used + padding + 1;
    const unsigned char magic[MAGIC] = {0x93, 'N', 'U', 'M',          'P',
                                        'Y',  1,   0,   length & 255, (unsigned char)(length >> 8)};
    fwrite(magic, 1, sizeof magic, out);
    fprintf(out, "%s%*s\n", text, (int)padding, "");
}

static Bytes npy_of(const Tensor *t)
{
    Text text;
    size_t width = number_type_bytes(t->type);
    text_begin(&text);
    write_header(text.out, t);
    for (size_t k = 0; k < t->count; k++) {
        const unsigned char zeros[2] = {0, 0};
        if (t->type == TYPE_BF16) /* the upper half of a float32 */
            fwrite(zeros, 1, sizeof zeros, text.out);
        fwrite(t->bytes + k * width, 1, width, text.out);
    }
    return text_end(&text);
}

/* ---- the archive ------------------------------------------------------------------------------ */

/* Takes the bytes over. Nothing of this can fail but for memory, since all is there. */
static void add_member(zip_t *archive, const char *name, Bytes b)
{
    zip_source_t *source = zip_source_buffer(archive, b.at, b.size, 1);
    zip_int64_t at = source ? zip_file_add(archive, name, source, ZIP_FL_ENC_UTF_8) : -1;
    if (at < 0 || zip_set_file_compression(archive, (zip_uint64_t)at, ZIP_CM_STORE, 0) != 0 ||
        zip_file_set_dostime(archive, (zip_uint64_t)at, DOS_TIME, DOS_DATE, 0) != 0 ||
        zip_file_set_external_attributes(archive, (zip_uint64_t)at, 0, ZIP_OPSYS_UNIX,
                                         PERMISSIONS) != 0)
        stop_on_bug(__func__, "%s: %s", name, zip_strerror(archive));
}

static void add_metadata(zip_t *archive, const GoldenFile *g)
{
    json_t *about = export_about(g);
    char *text = json_dumps(about, JSON_INDENT(1) | JSON_ENSURE_ASCII);
    if (!text)
        stop_on_bug(__func__, "memory ran out");
    add_member(archive, "metadata.json", (Bytes){text, strlen(text)});
    json_decref(about);
}

/* All bytes of a source that was written. */
static Bytes taken(zip_source_t *source)
{
    zip_stat_t status;
    if (zip_source_open(source) != 0 || zip_source_stat(source, &status) != 0)
        stop_on_bug(__func__, "%s", zip_error_strerror(zip_source_error(source)));
    void *at = room_for(__func__, status.size, 1);
    if (zip_source_read(source, at, status.size) != (zip_int64_t)status.size)
        stop_on_bug(__func__, "%s", zip_error_strerror(zip_source_error(source)));
    zip_source_close(source);
    return (Bytes){at, status.size};
}

Bytes export_npz(const GoldenFile *g)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_t *archive = source ? zip_open_from_source(source, ZIP_TRUNCATE, &error) : NULL;
    if (!archive)
        stop_on_bug(__func__, "%s", zip_error_strerror(&error));
    zip_source_keep(source); /* beyond zip_close(), which gives up the archive's hold of it */
    for (size_t k = 0; k < safetensors_count(g->file); k++) {
        const Tensor *t = safetensors_at(g->file, k);
        char name[NAME];
        snprintf(name, sizeof name, "%s.npy", t->name);
        add_member(archive, name, npy_of(t));
    }
    add_metadata(archive, g);
    if (zip_close(archive) != 0)
        stop_on_bug(__func__, "%s", zip_strerror(archive));
    Bytes all = taken(source);
    zip_source_free(source);
    zip_error_fini(&error);
    return all;
}
