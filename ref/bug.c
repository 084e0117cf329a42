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
