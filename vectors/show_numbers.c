/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "show_numbers.h"

#include "layout.h"

#include <stdio.h>
#include <string.h>

enum { NAME = 80 };

/* Decimal digits that tell all numbers of the type apart: 1 + ceil(p log10 2). */
static int digits_of(NumberType type)
{
    static const int digits[NUMBER_TYPES] = {
        [TYPE_F64] = 17, [TYPE_F32] = 9, [TYPE_F16] = 5, [TYPE_BF16] = 4};
    return digits[type];
}

/* How many of a tensor's numbers are shown. */
static size_t shown(const Tensor *t)
{
    size_t columns = t->dims ? t->shape[t->dims - 1] : 1;
    if (t->count <= SHOWN_WHOLE)
        return t->count;
    return columns < SHOWN_PART ? SHOWN_PART / columns * columns : SHOWN_PART;
}

/* "[0,0,3,1]" */
static void describe_place(char *text, size_t size, const Tensor *t, size_t index)
{
    size_t place[SAFETENSORS_MAX_DIMS] = {0}, used = 0;
    for (size_t k = t->dims; k-- > 0;) {
        place[k] = index % t->shape[k];
        index /= t->shape[k];
    }
    for (size_t k = 0; k < t->dims && used < size; k++)
        used += (size_t)snprintf(text + used, size - used, "%s%zu", k ? "," : "[", place[k]);
    snprintf(text + used, size - used, "%s", t->dims ? "]" : "[]");
}

/* The number of `rows`, a tensor that broadcasts to t, that belongs to t's number `index`. */
static double broadcast(const Tensor *rows, const Tensor *t, size_t index)
{
    size_t at = 0, stride = 1;
    for (size_t k = t->dims; k-- > 0;) {
        at += index % t->shape[k] % rows->shape[k] * stride;
        stride *= rows->shape[k];
        index /= t->shape[k];
    }
    return tensor_value(rows, at);
}

static bool ends_in(const char *name, const char *part)
{
    size_t n = strlen(name), m = strlen(part);
    return n > m && strcmp(name + n - m, part) == 0;
}

/* NAME.part, or NULL. */
static const Tensor *part_of(const SafetensorsFile *file, const Tensor *t, const char *part)
{
    char name[NAME];
    snprintf(name, sizeof name, "%.60s%s", t->name, part);
    return safetensors_find(file, name);
}

static void print_title(const Tensor *t, const char *columns)
{
    char shape[NAME], name[NAME];
    failure_quote(name, sizeof name, t->name);
    layout_describe(shape, sizeof shape, t->dims, t->shape);
    printf("\n%s %s %s%s\n", name, number_type_name(t->type), shape, columns);
}

static void print_rest(const Tensor *t)
{
    if (shown(t) < t->count)
        printf("  .. and %zu more numbers\n", t->count - shown(t));
}

void show_tensor(const Tensor *t)
{
    print_title(t, "");
    for (size_t k = 0; k < shown(t); k++) {
        char place[NAME];
        double x = tensor_value(t, k);
        describe_place(place, sizeof place, t, k);
        printf("  %-10s %24.*g %24a\n", place, digits_of(t->type), x, x);
    }
    print_rest(t);
}

static void show_answer(const Tensor *t, const Tensor *lo, const Tensor *sigma)
{
    print_title(t, ": X; X, X.lo in hexadecimal; X.sigma");
    for (size_t k = 0; k < shown(t); k++) {
        char place[NAME];
        double x = tensor_value(t, k);
        describe_place(place, sizeof place, t, k);
        printf("  %-10s %24.17g %24a %24a %9.3g\n", place, x, x, tensor_value(lo, k),
               broadcast(sigma, t, k));
    }
    print_rest(t);
}

void show_numbers(const SafetensorsFile *file)
{
    for (size_t k = 0; k < safetensors_count(file); k++) {
        const Tensor *t = safetensors_at(file, k);
        if (!strchr(t->name, '.') && !part_of(file, t, ".lo"))
            show_tensor(t);
    }
    for (size_t k = 0; k < safetensors_count(file); k++) {
        const Tensor *t = safetensors_at(file, k);
        const Tensor *lo = part_of(file, t, ".lo"), *sigma = part_of(file, t, ".sigma");
        if (lo && sigma && lo->count == t->count && sigma->dims == t->dims &&
            !ends_in(t->name, ".lo"))
            show_answer(t, lo, sigma);
    }
}
