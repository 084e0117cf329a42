/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "explain_support.h"

#include <stdio.h>

Explain explained(const char *text, size_t dim, size_t window)
{
    Explain e = {.dim = dim, .heads = 1, .window = window, .seed = 1};
    Failure f;
    if (!words_read(&e.words, text, &f))
        fail_msg("%s", f.text);
    return e;
}

const char *many_words(size_t count)
{
    static char text[1000];
    size_t used = 0;
    text[0] = 0;
    for (size_t k = 0; k < count; k++)
        used += (size_t)snprintf(text + used, sizeof text - used, "w%zu ", k + 1);
    return text;
}

void assert_same_number(const char *what, size_t i, size_t j, double got, double expected)
{
    if (!(got == expected))
        fail_msg("%s[%zu, %zu] is %.17g; expected %.17g", what, i, j, got, expected);
}
