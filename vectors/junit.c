/* SPDX-License-Identifier: GPL-3.0-or-later */
/* junit.c - tests as JUnit's XML, a suite for each file or case; a part of check_tests.h. */
#include "check_tests.h"
#include "xml_file.h"

#include <string.h>

static size_t count_of(const CheckTest *t, size_t n, Outcome outcome)
{
    size_t count = 0;
    for (size_t k = 0; k < n; k++)
        count += t[k].outcome == outcome;
    return count;
}

static void write_counts(Xml *x, const CheckTest *t, size_t n)
{
    xml_attribute(x, "tests", "%zu", n);
    xml_attribute(x, "failures", "%zu", count_of(t, n, FAILED));
    xml_attribute(x, "errors", "%zu", count_of(t, n, NOT_RUN));
    xml_attribute(x, "skipped", "%zu", count_of(t, n, SKIPPED));
}

static void write_test(Xml *x, const CheckTest *t)
{
    static const char *const elements[] = {"system-out", "failure", "skipped", "error"};
    xml_open(x, "testcase");
    xml_attribute(x, "classname", "%s", t->suite);
    xml_attribute(x, "name", "%s", *t->name ? t->name : t->suite);
    if (t->reason) {
        xml_open(x, elements[t->outcome]);
        if (t->outcome == PASSED)
            xml_text(x, "%s", t->reason);
        else
            xml_attribute(x, "message", "%s", t->reason);
        xml_close(x);
    }
    xml_close(x);
    xml_raw(x, "\n");
}

bool junit_write(const CheckTests *all, const char *path, Failure *f)
{
    Xml *x = xml_begin();
    xml_declare(x);
    xml_open(x, "testsuites");
    xml_attribute(x, "name", "castle check");
    write_counts(x, all->at, all->count);
    xml_raw(x, "\n");
    for (size_t k = 0, n; k < all->count; k += n) {
        const CheckTest *t = &all->at[k];
        for (n = 1; k + n < all->count && strcmp(t[n].suite, t->suite) == 0; n++)
            ;
        xml_open(x, "testsuite");
        xml_attribute(x, "name", "%s", t->suite);
        write_counts(x, t, n);
        xml_raw(x, "\n");
        for (size_t i = 0; i < n; i++)
            write_test(x, &t[i]);
        xml_close(x);
        xml_raw(x, "\n");
    }
    xml_close(x);
    xml_raw(x, "\n");
    return xml_end(x, path, f);
}
