/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "page.h"

#include "bug.h"
#include "page_write.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct Page {
    json_t *root, *sections, *items; /* items: of the section under way */
    size_t checks, failed;
};

Page *page_begin(void)
{
    Page *p = calloc(1, sizeof *p);
    if (!p)
        stop_on_bug(__func__, "out of memory");
    p->sections = json_array();
    p->root = json_pack("{s:o}", "sections", p->sections);
    return p;
}

void page_end(Page *p)
{
    json_decref(p->root);
    free(p);
}

bool page_holds(const Page *p) { return p->checks && !p->failed; }

size_t page_checks(const Page *p) { return p->checks; }

void page_tell_failures(const Page *p, FILE *out)
{
    size_t s, k;
    json_t *section, *item;
    json_array_foreach(p->sections, s, section)
    {
        json_array_foreach(json_object_get(section, "items"), k, item)
        {
            const char *check = json_string_value(json_object_get(item, "check"));
            if (check && json_is_false(json_object_get(item, "holds")))
                (void)fprintf(out, "FAILS: %s: %s\n",
                              json_string_value(json_object_get(section, "title")), check);
        }
    }
}

void page_section(Page *p, const char *key, const char *title)
{
    p->items = json_array();
    json_array_append_new(
        p->sections, json_pack("{s:s, s:s, s:o}", "key", key, "title", title, "items", p->items));
}

static void append(Page *p, json_t *item)
{
    if (!p->items || !item)
        stop_on_bug("page", "an item without a section, or text that is not UTF-8");
    json_array_append_new(p->items, item);
}

static char *text_of(const char *format, va_list arguments)
{
    char *text;
    if (vasprintf(&text, format, arguments) < 0)
        stop_on_bug("page", "out of memory");
    return text;
}

void page_say(Page *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = text_of(format, arguments);
    va_end(arguments);
    append(p, json_pack("{s:s}", "text", text));
    free(text);
}

void page_check(Page *p, bool holds, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = text_of(format, arguments);
    va_end(arguments);
    append(p, json_pack("{s:s, s:b}", "check", text, "holds", holds));
    p->checks++;
    p->failed += !holds;
    free(text);
}

/* ---- tables --------------------------------------------------------------------------------- */

static json_t *cells(const char *text)
{
    json_t *all = json_array();
    for (;;) {
        size_t n = strcspn(text, "|");
        json_array_append_new(all, json_stringn(text, n));
        if (!text[n])
            return all;
        text += n + 1;
    }
}

static void begin_table(Page *p, const char *caption, const char *head, bool fleeting)
{
    append(p, json_pack("{s:s, s:b, s:o, s:[]}", "table", caption, "fleeting", fleeting, "head",
                        cells(head), "rows"));
}

void page_table(Page *p, const char *caption, const char *head)
{
    begin_table(p, caption, head, false);
}

void page_fleeting_table(Page *p, const char *caption, const char *head)
{
    begin_table(p, caption, head, true);
}

/* The part `name` of the last item of the section that has one: a table's rows, a plot's series. */
static json_t *last_with(const Page *p, const char *name)
{
    for (size_t k = json_array_size(p->items); k-- > 0;) {
        json_t *found = json_object_get(json_array_get(p->items, k), name);
        if (found)
            return found;
    }
    stop_on_bug("page", "%s without a beginning", name);
}

void page_row(Page *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = text_of(format, arguments);
    va_end(arguments);
    json_t *row = cells(text), *head = last_with(p, "head");
    if (json_array_size(row) != json_array_size(head))
        stop_on_bug(__func__, "%zu cells for %zu columns: %s", json_array_size(row),
                    json_array_size(head), text);
    json_array_append_new(last_with(p, "rows"), row);
    free(text);
}

/* ---- plots ---------------------------------------------------------------------------------- */

void page_plot(Page *p, const char *title, const char *x, const char *y)
{
    append(p, json_pack("{s:s, s:s, s:s, s:[]}", "plot", title, "x", x, "y", y, "series"));
}

void page_series(Page *p, const char *name, bool line, size_t n, const double *x, const double *y)
{
    json_t *points = json_array();
    for (size_t k = 0; k < n; k++)
        if (isfinite(x[k]) && isfinite(y[k]))
            json_array_append_new(points, json_pack("[f, f]", x[k], y[k]));
    json_array_append_new(last_with(p, "series"), json_pack("{s:s, s:b, s:o}", "name", name, "line",
                                                            line, "points", points));
}

/* ---- writing -------------------------------------------------------------------------------- */

bool page_write(const Page *p, const char *folder, Failure *f)
{
    json_object_set_new(p->root, "holds", json_boolean(page_holds(p)));
    json_object_set_new(p->root, "checks", json_integer((json_int_t)p->checks));
    return write_plots(p->root, folder, f) && write_html(p->root, folder, f) &&
           write_figures(p->root, folder, f) && write_json(p->root, folder, f);
}
