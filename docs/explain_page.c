/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "explain_page.h"

#include "bug.h"
#include "explain_data.h"
#include "explain_json.h"
#include "explain_tables.h"
#include "version.h"

#include <stdlib.h>
#include <string.h>

/* docs/explain.* as bytes of the program; the Makefile makes them. */
extern const unsigned char explain_html[], explain_css[], explain_equations_js[], explain_js[],
    explain_controls_js[];
extern const size_t explain_html_size, explain_css_size, explain_equations_js_size, explain_js_size,
    explain_controls_js_size;

#define MADE_BY "<!DOCTYPE html>\n<!-- Made by castle explain"

bool is_explain_page(const char *bytes, size_t size)
{
    return size >= strlen(MADE_BY) && memcmp(bytes, MADE_BY, strlen(MADE_BY)) == 0;
}

/* What the frame has places for. */
typedef struct Parts {
    const Explain *e;
    char *tables, *data; /* HTML; JSON that is safe within an element */
    size_t tables_size, data_size;
} Parts;

/* ---- the parts -------------------------------------------------------------------------------- */

static FILE *memory(char **text, size_t *size)
{
    FILE *f = open_memstream(text, size);
    if (!f)
        stop_on_bug("explain_page", "out of memory");
    return f;
}

static void make_tables(Parts *p, const ExplainHead *heads)
{
    FILE *out = memory(&p->tables, &p->tables_size);
    html_tables(out, p->e, heads);
    (void)fclose(out);
}

static int put_safely(const char *bytes, size_t size, void *out)
{
    for (size_t k = 0; k < size; k++)
        if (bytes[k] == '<')
            (void)fputs("\\u003c", out);
        else
            (void)fputc(bytes[k], out);
    return 0;
}

static void make_data(Parts *p, json_t *data)
{
    FILE *out = memory(&p->data, &p->data_size);
    if (json_dump_callback(data, put_safely, out, JSON_COMPACT))
        stop_on_bug(__func__, "the numbers are no JSON");
    (void)fclose(out);
}

static void put_text(FILE *out, const Words *w)
{
    for (size_t s = 0; s < w->count; s++) {
        (void)fputs(s ? " " : "", out);
        html_escaped(out, w->at[s]);
    }
}

static void put_facts(FILE *out, const Explain *e)
{
    (void)fprintf(out, "%zu tokens, d = %zu, %zu head%s, ", e->words.count, e->dim, e->heads,
                  e->heads == 1 ? "" : "s");
    if (e->window == NO_WINDOW)
        (void)fputs("no window", out);
    else
        (void)fprintf(out, "window W = %zu", e->window);
    (void)fprintf(out, ", seed %lu; castle " CASTLE_VERSION, e->seed);
}

/* ---- the frame -------------------------------------------------------------------------------- */

static void put_part(FILE *out, const Parts *p, const char *name, size_t size)
{
#define IS(word) (size == strlen(word) && memcmp(name, word, size) == 0)
    if (IS("STYLE"))
        (void)fwrite(explain_css, 1, explain_css_size, out);
    else if (IS("SCRIPT")) {
        (void)fwrite(explain_equations_js, 1, explain_equations_js_size, out);
        (void)fwrite(explain_js, 1, explain_js_size, out);
        (void)fwrite(explain_controls_js, 1, explain_controls_js_size, out);
    } else if (IS("TEXT"))
        put_text(out, &p->e->words);
    else if (IS("FACTS"))
        put_facts(out, p->e);
    else if (IS("TABLES"))
        (void)fwrite(p->tables, 1, p->tables_size, out);
    else if (IS("DATA"))
        (void)fwrite(p->data, 1, p->data_size, out);
    else
        stop_on_bug(__func__, "docs/explain.html has a place for %.*s", (int)size, name);
#undef IS
}

static void put_frame(FILE *out, const Parts *p)
{
    const char *at = (const char *)explain_html, *end = at + explain_html_size, *open, *close;
    while ((open = memmem(at, (size_t)(end - at), "{{", 2))) {
        close = memmem(open, (size_t)(end - open), "}}", 2);
        if (!close)
            stop_on_bug(__func__, "docs/explain.html has {{ without }}");
        (void)fwrite(at, 1, (size_t)(open - at), out);
        put_part(out, p, open + 2, (size_t)(close - open - 2));
        at = close + 2;
    }
    (void)fwrite(at, 1, (size_t)(end - at), out);
}

static bool refuse_size(const Explain *e, size_t bytes, Failure *f)
{
    return fail(
        f,
        "%zu tokens of dim %zu in %zu heads make a page of more than %zu kB; expected at most "
        "%d kB, so fewer tokens, dims or heads",
        e->words.count, e->dim, e->heads, bytes / 1000, EXPLAIN_MOST_PAGE / 1000);
}

enum { ROOM_FOR_WORDS = 8000 }; /* the text, twice, the facts, and JSON's own fields */

static bool make_parts(Parts *p, const ExplainHead *heads, Failure *f)
{
    size_t needs;
    make_tables(p, heads);
    size_t fixed = explain_html_size + explain_css_size + explain_equations_js_size +
                   explain_js_size + explain_controls_js_size + p->tables_size + ROOM_FOR_WORDS;
    size_t room = fixed < EXPLAIN_MOST_PAGE ? EXPLAIN_MOST_PAGE - fixed : 0;
    json_t *data = explain_data(p->e, heads, room, &needs);
    if (!data)
        return refuse_size(p->e, fixed + needs, f);
    make_data(p, data);
    json_decref(data);
    return true;
}

/* What the tables of all steps take at least, before anything is computed. */
static size_t least_tables(const Explain *e)
{
    size_t L = e->words.count, rows = L * (L + 1) / 2;
    return e->heads * rows * (e->dim + 5) * strlen("<td>0.0000");
}

bool explain_page(Page *page, const Explain *e, Failure *f)
{
    ExplainHead *heads = room_for(__func__, e->heads, sizeof *heads);
    Parts parts = {.e = e};
    if (least_tables(e) > EXPLAIN_MOST_PAGE) {
        free(heads);
        return refuse_size(e, least_tables(e), f);
    }
    for (size_t k = 0; k < e->heads; k++)
        heads[k] = explain_head(e, k);
    bool fits = make_parts(&parts, heads, f);
    if (fits) {
        FILE *out = memory(&page->text, &page->size);
        put_frame(out, &parts);
        (void)fclose(out);
        if (page->size > EXPLAIN_MOST_PAGE)
            stop_on_bug(__func__, "a page of %zu bytes", page->size);
    }
    for (size_t k = 0; k < e->heads; k++)
        explain_head_free(&heads[k]);
    free(heads);
    free(parts.tables);
    free(parts.data);
    return fits;
}
