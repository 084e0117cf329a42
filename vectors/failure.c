/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void failure_quote(char *out, size_t size, const char *text)
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;

    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        bool printable = byte >= 0x20 && byte <= 0x7e;
        size_t width = printable ? 1 : 4;

        if (used + width > size - 4) {
            memcpy(out + used, "...", 3);
            used += 3;
            break;
        }
        if (printable) {
            out[used] = (char)byte;
        } else {
            out[used] = '\\';
            out[used + 1] = 'x';
            out[used + 2] = digits[byte >> 4];
            out[used + 3] = digits[byte & 15];
        }
        used += width;
    }
    out[used] = '\0';
}

void failure_quote_path(char *out, size_t size, const char *path)
{
    size_t length = strlen(path);

    if (length <= size - 4) {
        failure_quote(out, size, path);
        return;
    }
    memcpy(out, "...", 3);
    failure_quote(out + 3, size - 3, path + length - (size - 7));
}

bool fail(Failure *f, const char *format, ...)
{
    char raw[2 * sizeof f->text];
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    failure_quote(f->text, sizeof f->text, length < 0 ? "a failure with no description" : raw);
    return false;
}
