/* SPDX-License-Identifier: GPL-3.0-or-later */
/* json_values.h - numbers and names as JSON has them. */
#ifndef CASTLE_JSON_VALUES_H
#define CASTLE_JSON_VALUES_H

#include <jansson.h>

/* JSON has no infinities and no NaN: they become the strings "inf", "-inf", "nan". */
json_t *number_json(double);

/* File names and tensor names may hold any byte: those that are not UTF-8 become \xNN. */
json_t *text_json(const char *);

/* A number, or the string in its place. NaN where it is neither. */
double number_in(const json_t *);

/* An object's member: "", NaN, 0 where there is none. */
const char *string_in(const json_t *object, const char *key);
double number_at(const json_t *object, const char *key);
long long integer_at(const json_t *object, const char *key);

#endif
