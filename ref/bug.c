/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bug.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void stop_on_bug(const char *function, const char *format, ...)
{
    va_list arguments;

    (void)fprintf(stderr, "castle: bug in %s: ", function);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    abort();
}

void *room_for(const char *function, size_t n, size_t size)
{
    void *room = calloc(n ? n : 1, size);
    if (!room)
        stop_on_bug(function, "out of memory for %zu things of %zu bytes", n, size);
    return room;
}
