/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tap.c - tests as TAP 14 (testanything.org); a part of check_tests.h. */
#include "bug.h"
#include "check_tests.h"

#include <stdlib.h>

/* A description is one line, in which '#' and '\' have a meaning. */
static void print_name(FILE *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ' || c == 127)
            fprintf(out, "\\\\x%02x", c);
        else if (c == '#' || c == '\\')
            fprintf(out, "\\%c", c);
        else
            fputc(c, out);
    }
}

/* A YAML block; a string of JSON is one of YAML, too. */
static void print_reason(FILE *out, const char *reason)
{
    json_t *text = json_string(reason);
    char *quoted = text ? json_dumps(text, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;
    if (!quoted)
        stop_on_bug(__func__, "a reason is not UTF-8");
    fprintf(out, "  ---\n  message: %s\n  ...\n", quoted);
    free(quoted);
    json_decref(text);
}

void tap_print(FILE *out, const CheckTests *all, const char *summary)
{
    fprintf(out, "TAP version 14\n1..%zu\n", all->count);
    for (size_t k = 0; k < all->count; k++) {
        const CheckTest *t = &all->at[k];
        bool ok = t->outcome == PASSED || t->outcome == SKIPPED;
        fprintf(out, "%sok %zu - ", ok ? "" : "not ", k + 1);
        print_name(out, t->suite);
        fprintf(out, "%s%s%s\n", *t->name ? "/" : "", t->name,
                t->outcome == SKIPPED ? " # SKIP not supported" : "");
        if (t->reason && t->outcome != SKIPPED)
            print_reason(out, t->reason);
    }
    fprintf(out, "# %s\n", summary);
}
