/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "case_fields.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

bool row_refuse(const Row *row, const char *field, const char *format, ...)
{
    char sentence[400], quoted[80];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(sentence, sizeof sentence, format, arguments) < 0)
        sentence[0] = '\0';
    va_end(arguments);
    failure_quote(quoted, sizeof quoted, field);
    return fail(row->failure, "row \"%s\", field \"%s\": %s", row->id, quoted, sentence);
}

bool row_count(const Row *row, const char *field, json_int_t lowest, json_int_t highest,
               json_int_t otherwise, size_t *to)
{
    const json_t *value = json_object_get(row->fields, field);
    json_int_t n = value ? json_integer_value(value) : otherwise;
    if (!value && otherwise == ROW_REQUIRED)
        return row_refuse(row, field, "it is missing, expected a number from %jd to %jd",
                          (intmax_t)lowest, (intmax_t)highest);
    if (value && (!json_is_integer(value) || n < lowest || n > highest))
        return row_refuse(row, field, "expected a whole number from %jd to %jd", (intmax_t)lowest,
                          (intmax_t)highest);
    *to = (size_t)n;
    return true;
}

bool row_text(const Row *row, const char *field, const char *otherwise, const char **to)
{
    const json_t *value = json_object_get(row->fields, field);
    *to = value ? json_string_value(value) : otherwise;
    if (!*to) {
        row_refuse(row, field, value ? "expected a string" : "it is missing, expected a string");
        return false;
    }
    return **to || otherwise ? true : row_refuse(row, field, "it is empty");
}

const char *row_next_word(const char **text, char *word, size_t size)
{
    size_t n = strcspn(*text, " ");
    if (**text == '\0')
        return NULL;
    snprintf(word, size, "%.*s", (int)(n < size ? n : size - 1), *text);
    *text += n + ((*text)[n] == ' ');
    return word;
}

/* Fails with the list of words that were expected. */
static bool refuse_word(const Row *row, const char *field, const char *word, Namer *name,
                        unsigned count)
{
    char quoted[48], list[300] = "";
    for (unsigned k = 0, used = 0; k < count && used < sizeof list; k++)
        used += (unsigned)snprintf(list + used, sizeof list - used, k ? " %s" : "%s", name(k));
    failure_quote(quoted, sizeof quoted, word);
    return row_refuse(row, field, "\"%s\" is none of %s", quoted, list);
}

bool row_word(const Row *row, const char *field, const char *otherwise, Namer *name, unsigned count,
              unsigned *to)
{
    const char *word;
    if (!row_text(row, field, otherwise, &word))
        return false;
    for (*to = 0; *to < count; ++*to)
        if (strcmp(word, name(*to)) == 0)
            return true;
    return refuse_word(row, field, word, name, count);
}

bool row_words(const Row *row, const char *field, const char *otherwise, Namer *name,
               unsigned count, unsigned *bits)
{
    const char *text;
    char word[48];
    *bits = 0;
    if (!row_text(row, field, otherwise, &text))
        return false;
    while (row_next_word(&text, word, sizeof word)) {
        unsigned k = 0;
        while (k < count && strcmp(word, name(k)) != 0)
            k++;
        if (k == count)
            return refuse_word(row, field, word, name, count);
        if (*bits >> k & 1)
            return row_refuse(row, field, "\"%s\" stands there twice", word);
        *bits |= 1U << k;
    }
    return true;
}

bool row_lacks(const Row *row, const char *const *fields, size_t count, const char *owner)
{
    for (size_t k = 0; k < count; k++)
        if (json_object_get(row->fields, fields[k]))
            return row_refuse(row, fields[k], "only %s have it", owner);
    return true;
}
