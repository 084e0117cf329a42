/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check_output.h"

#include "check_page.h"
#include "check_tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool output_is_text(const CheckOutput *o) { return !o->json && !o->tap; }
bool output_wants_maps(const CheckOutput *o) { return o->report != NULL; }

bool output_wants_document(const CheckOutput *o)
{
    return o->json || o->tap || o->junit || o->report;
}

bool output_in_colour(void)
{
    const char *no = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && !(no && *no);
}

bool output_document(const CheckOutput *o, const json_t *document, const char *summary, Failure *f)
{
    bool written = true;
    CheckTests tests = check_tests(document, o->strict);
    if (o->json) {
        json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
        putchar('\n');
    }
    if (o->tap)
        tap_print(stdout, &tests, summary);
    if (o->junit)
        written = junit_write(&tests, o->junit, f);
    if (o->report)
        written = check_page_write(document, summary, o->report, f) && written;
    check_tests_free(&tests);
    return written;
}
