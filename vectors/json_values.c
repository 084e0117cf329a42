/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "json_values.h"

#include "failure.h"

#include <math.h>
#include <string.h>

json_t *number_json(double x)
{
    if (isfinite(x))
        return json_real(x);
    return json_string(isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
}

json_t *text_json(const char *text)
{
    json_t *s = json_string(text);
    char quoted[400];
    if (s)
        return s;
    failure_quote(quoted, sizeof quoted, text);
    return json_string(quoted);
}

double number_in(const json_t *value)
{
    const char *text = json_string_value(value);
    if (json_is_number(value))
        return json_number_value(value);
    if (text && strcmp(text, "inf") == 0)
        return INFINITY;
    return text && strcmp(text, "-inf") == 0 ? -INFINITY : NAN;
}

const char *string_in(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

double number_at(const json_t *object, const char *key)
{
    return number_in(json_object_get(object, key));
}

long long integer_at(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}
