/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "explain_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

Decimal decimal_of(double x)
{
    Decimal d;
    if (!isfinite(x))
        (void)snprintf(d.text, sizeof d.text, "not finite");
    else
        (void)snprintf(d.text, sizeof d.text, "%.*f", EXPLAIN_DECIMALS, x);
    if (strtod(d.text, NULL) == 0 && d.text[0] == '-') /* no -0.0000 */
        return decimal_of(0);
    return d;
}

json_t *json_decimal(double x)
{
    if (!isfinite(x))
        return json_null();
    Decimal d = decimal_of(x); /* the decimals as they are printed, without their point */
    json_int_t whole = 0;
    for (const char *c = d.text; *c; c++)
        if (*c >= '0' && *c <= '9')
            whole = 10 * whole + (*c - '0');
    return json_integer(d.text[0] == '-' ? -whole : whole);
}

static void append(json_t *list, const double *x, size_t count, size_t step)
{
    for (size_t k = 0; k < count; k++)
        json_array_append_new(list, json_decimal(x[k * step]));
}

json_t *json_rows(const double *A, size_t from, size_t rows, size_t cols)
{
    json_t *list = json_array();
    append(list, A + from * cols, (rows - from) * cols, 1);
    return list;
}

json_t *json_triangle(const double *A, size_t length, size_t from, bool strict)
{
    json_t *list = json_array();
    for (size_t t = from; t < length; t++)
        append(list, A + t * length, t + !strict, 1);
    return list;
}

/* Column j of an upper triangle: its entries s < j. */
static json_t *strict_columns(const double *A, size_t length, size_t from)
{
    json_t *list = json_array();
    for (size_t j = from; j < length; j++)
        append(list, A + j, j, length);
    return list;
}

json_t *json_text(const TextNumbers *n, size_t from)
{
    size_t L = n->length, d = n->dim;
    json_t *text = json_object(), *U = json_array();
    for (size_t t = from; t < L; t++)
        append(U, n->U + t * L * d, (t + 1) * d, 1);
    json_object_set_new(text, "z", strict_columns(n->Z, L, from));
    json_object_set_new(text, "g", strict_columns(n->G, L, from));
    json_object_set_new(text, "sc", json_triangle(n->SC, L, from, false));
    json_object_set_new(text, "t1", json_triangle(n->T1, L, from, false));
    json_object_set_new(text, "u", U);
    return text;
}

json_t *json_window(size_t window)
{
    return window == NO_WINDOW ? json_null() : json_integer((json_int_t)window);
}

/* Row t has met t / block + 1 blocks at its end. */
static json_t *json_online(const SettingNumbers *n, const double *A, size_t from, size_t each)
{
    json_t *list = json_array();
    for (size_t t = from; t < n->length; t++)
        append(list, A + t * n->blocks * each, (t / n->block + 1) * each, 1);
    return list;
}

json_t *json_setting(const SettingNumbers *n, const Problem *p, size_t from)
{
    char difference[20];
    size_t L = n->length;
    json_t *s = json_object();
    (void)snprintf(difference, sizeof difference, n->difference > 0 ? "%.1e" : "0", n->difference);
    json_object_set_new(s, "window", json_window(p->window));
    json_object_set_new(s, "variant", json_string(variant_name(p->variant)));
    json_object_set_new(s, "difference", json_string(difference));
    json_object_set_new(s, "su", json_triangle(n->SU, L, from, true));
    json_object_set_new(s, "silu", json_triangle(n->SILU, L, from, true));
    json_object_set_new(s, "s", json_triangle(n->S, L, from, false));
    json_object_set_new(s, "p", json_triangle(n->P, L, from, false));
    json_object_set_new(s, "o", json_rows(n->O, from, L, n->dim));
    json_object_set_new(s, "lse", json_rows(n->LSE, from, L, 1));
    json_object_set_new(s, "m", json_online(n, n->M, from, 1));
    json_object_set_new(s, "l", json_online(n, n->SUM, from, 1));
    json_object_set_new(s, "part", json_online(n, n->PART, from, n->dim));
    return s;
}
