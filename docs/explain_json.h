/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * explain_json.h - numbers of the explainer as JSON. A number leaves as a whole one, its value times 10^4
 * rounded to nearest (ties to even): 0.62245933 is 6225. What is not finite is null. Triangles are
 * stored row after row without the absent entries; `from` leaves out the rows before it, which an
 * edited word does not move.
 */
#ifndef CASTLE_EXPLAIN_JSON_H
#define CASTLE_EXPLAIN_JSON_H

#include "explain_numbers.h"

#include <jansson.h>

enum { EXPLAIN_DECIMALS = 4 };

/* "-1.2500"; "not finite" otherwise. */
typedef struct Decimal {
    char text[400];
} Decimal;
Decimal decimal_of(double);

json_t *json_decimal(double);
json_t *json_rows(const double *A, size_t from, size_t rows, size_t cols);

/* Rows t >= from of a length x length matrix: its entries s <= t, or only s < t where `strict`. */
json_t *json_triangle(const double *A, size_t length, size_t from, bool strict);

/* z g (column j after column: its entries s < j), sc t1, u. */
json_t *json_text(const TextNumbers *, size_t from);

/* window variant difference, su silu s p o lse, m l part. */
json_t *json_setting(const SettingNumbers *, const Problem *, size_t from);

/* A window as JSON: null stands for none. */
json_t *json_window(size_t window);

#endif
