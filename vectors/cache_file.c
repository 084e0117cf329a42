/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cache_file.h"

#include "safetensors.h"
#include "system.h"

#include <stdlib.h>

enum { PARTS = 4 };
static const char *const names[PARTS] = {"u", "qu", "kc", "vc"};

static Matrix part(const Cache *c, size_t k)
{
    const Matrix parts[PARTS] = {c->U, c->QU, c->KC, c->VC};
    return parts[k];
}

/* The first `length` rows as binary64 numbers; false if one is not. */
static bool as_doubles(Matrix A, size_t length, double *v)
{
    bool exact = true;
    mpfr_t x;
    mpfr_init2(x, 4096);
    for (size_t k = 0; k < length * A.cols; k++) {
        A.in->op->get(A.in, x, entry(A, k / A.cols, k % A.cols));
        v[k] = mpfr_get_d(x, MPFR_RNDN);
        exact = exact && mpfr_number_p(x) && mpfr_cmp_d(x, v[k]) == 0;
    }
    mpfr_clear(x);
    return exact;
}

bool cache_save(const Cache *c, const char *path, Failure *f)
{
    const size_t shape[] = {1, 1, c->length, c->U.cols};
    if (!c->length)
        return fail(f, "%s: the cache is empty; expected at least one token", path);
    if (!c->U.in->op->get)
        return fail(f, "%s: the cache is in the system %s, whose entries are no real numbers", path,
                    c->U.in->op->name);
    SafetensorsWriter *w = safetensors_writer_new();
    double *v = room_for(__func__, c->length * c->U.cols, sizeof(double));
    bool exact = true;
    for (size_t k = 0; exact && k < PARTS; k++) {
        exact = as_doubles(part(c, k), c->length, v);
        if (exact)
            safetensors_add(w, names[k], TYPE_F64, 4, shape, v);
    }
    bool saved = exact ? safetensors_write(w, path, f)
                       : fail(f, "%s: the cache holds numbers that binary64 does not", path);
    free(v);
    safetensors_writer_free(w);
    return saved;
}

static bool load_part(Matrix A, size_t length, SafetensorsFile *file, const char *name,
                      const char *path, Failure *f)
{
    const Tensor *t = safetensors_find(file, name);
    if (!t || t->dims != 4 || t->shape[2] != length || t->count != length * A.cols)
        return fail(f, "%s: tensor \"%s\" is missing or not [1, 1, %zu, %zu] as \"u\" is", path,
                    name, length, A.cols);
    double *v = room_for(__func__, t->count, sizeof(double));
    for (size_t k = 0; k < t->count; k++)
        v[k] = tensor_value(t, k);
    A.in->op->set(A.in, A.entries, v, t->count);
    free(v);
    return true;
}

bool cache_load(Cache *c, System *in, size_t room, const char *path, Failure *f)
{
    SafetensorsFile *file = safetensors_open(path, f);
    if (!file)
        return false;
    const Tensor *u = safetensors_find(file, "u");
    bool loaded = u && u->dims == 4 && u->shape[0] == 1 && u->shape[1] == 1;
    if (!loaded) {
        fail(f, "%s: tensor \"u\" is missing or not [1, 1, t, d]; this is no saved cache", path);
    } else if (u->shape[2] > room) {
        loaded = fail(f, "%s: the cache holds %zu tokens; there is room for %zu", path, u->shape[2],
                      room);
    } else {
        *c = cache_empty(in, room, u->shape[3]);
        c->length = u->shape[2];
        for (size_t k = 0; loaded && k < PARTS; k++)
            loaded = load_part(part(c, k), c->length, file, names[k], path, f);
    }
    safetensors_close(file);
    return loaded;
}
