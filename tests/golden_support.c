/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "golden_support.h"

#include <dirent.h>
#include <sys/stat.h>

Cases few;

/* ---- files ------------------------------------------------------------------------------------ */

const char *path_in(const char *folder, const char *name)
{
    static char paths[8][600];
    static size_t next;
    char *path = paths[next++ % 8];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

const char *file_of(const char *folder, const char *id)
{
    char name[80];
    (void)snprintf(name, sizeof name, "%s" GOLDEN_SUFFIX, id);
    return path_in(folder, name);
}

void copy_file(const char *from, const char *to)
{
    size_t size;
    unsigned char *bytes = read_whole_file(from, &size);
    write_file(to, bytes, size);
    free(bytes);
}

void copy_folder(const char *from, const char *to)
{
    DIR *dir = opendir(from);
    const struct dirent *entry;
    assert_non_null(dir);
    (void)mkdir(to, 0777);
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            copy_file(path_in(from, entry->d_name), path_in(to, entry->d_name));
    assert_int_equal(closedir(dir), 0);
}

void assert_same_file(const char *one, const char *two)
{
    size_t size, other_size;
    unsigned char *bytes = read_whole_file(one, &size), *other = read_whole_file(two, &other_size);
    if (size != other_size || memcmp(bytes, other, size) != 0)
        fail_msg("%s and %s differ", one, two);
    free(other);
    free(bytes);
}

/* In place: writing thousands of files anew would wait for the disk. */
void flip_bit(const char *path, size_t byte, unsigned bit)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)byte, SEEK_SET), 0);
    int old = fgetc(file);
    assert_true(old != EOF);
    assert_int_equal(fseek(file, (long)byte, SEEK_SET), 0);
    assert_true(fputc(old ^ 1 << bit, file) != EOF);
    assert_int_equal(fclose(file), 0);
}

size_t file_size(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return (size_t)status.st_size;
}

static void copy_metadata(SafetensorsWriter *w, const SafetensorsFile *file, const Change *c)
{
    for (size_t k = 0; k < safetensors_metadata_count(file); k++) {
        const char *key = safetensors_metadata_key(file, k);
        bool changed = c->key && strcmp(key, c->key) == 0;
        if (!changed || c->text)
            safetensors_add_metadata(w, key, changed ? c->text : safetensors_metadata(file, key));
    }
    if (c->key && c->text && !safetensors_metadata(file, c->key))
        safetensors_add_metadata(w, c->key, c->text);
}

static void copy_tensor(SafetensorsWriter *w, const Tensor *t, const Change *c)
{
    double *values = malloc(t->count * sizeof *values);
    assert_non_null(values);
    for (size_t k = 0; k < t->count; k++)
        values[k] = tensor_value(t, k);
    if (c->tensor && strcmp(t->name, c->tensor) == 0) {
        assert_true(c->at < t->count);
        values[c->at] = c->value;
    }
    safetensors_add(w, t->name, t->type, t->dims, t->shape, values);
    free(values);
}

void rewrite(const char *path, const Change *c)
{
    Failure f;
    SafetensorsFile *file = safetensors_open(path, &f);
    SafetensorsWriter *w = safetensors_writer_new();
    assert_non_null(file);
    copy_metadata(w, file, c);
    for (size_t k = 0; k < safetensors_count(file); k++) {
        const Tensor *t = safetensors_at(file, k);
        if (!c->without || strcmp(t->name, c->without) != 0)
            copy_tensor(w, t, c);
    }
    assert_true(safetensors_write(w, path, &f));
    safetensors_writer_free(w);
    safetensors_close(file);
}

/* ---- few cases -------------------------------------------------------------------------------- */

/* The built-in table with few rows. */
static void write_few(const char *path)
{
    static const char *const ids[] = {"tiny-one-token", "plain-layer-one-token",
                                      "special-subnormal-alone", "tiny-two-numbers"};
    json_error_t error;
    json_t *table = json_load_file("vectors/cases.json", 0, &error), *rows = json_array();
    const json_t *all = json_object_get(table, "cases");
    for (size_t k = 0; k < json_array_size(all); k++) {
        json_t *row = json_array_get(all, k);
        for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
            if (strcmp(json_string_value(json_object_get(row, "id")), ids[i]) == 0) {
                json_object_set_new(row, "types", json_string("f32 bf16"));
                json_object_set_new(row, "tier", json_string(i < 3 ? "core" : "paper"));
                json_array_append(rows, row);
            }
    }
    json_object_set_new(table, "cases", rows);
    assert_int_equal(json_dump_file(table, path, 0), 0);
    json_decref(table);
}

int few_made(void **state)
{
    Failure f;
    char path[600];
    if (scratch_make(state) != 0)
        return -1;
    const char *good = scratch_path("good");
    write_few(scratch_path("table"));
    bool ok = cases_read(&few, scratch_path("table"), &f) && mkdir(good, 0777) == 0;
    for (size_t k = 0; ok && k < few.count; k++) {
        golden_path(path, sizeof path, good, &few.at[k]);
        ok = golden_write(&few.at[k], NULL, path, &f);
    }
    ok = ok && index_write(&few, TIER_CORE, good, &f) && index_write(&few, TIER_PAPER, good, &f);
    if (!ok)
        print_error("%s\n", f.text);
    return ok ? 0 : -1;
}

int few_dropped(void **state)
{
    cases_free(&few);
    return scratch_remove(state);
}

const GoldenCase *few_find(const char *id)
{
    const GoldenCase *c = cases_find(&few, id);
    if (!c)
        fail_msg("there is no case %s", id);
    return c;
}

const char *fresh_folder(void)
{
    const char *work = scratch_path("work");
    if (access(work, F_OK) == 0)
        remove_tree(work);
    copy_folder(scratch_path("good"), work);
    return work;
}
