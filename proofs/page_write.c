/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "page_write.h"

#include "bug.h"
#include "whole_file.h"

#include <stdio.h>
#include <stdlib.h>

static const char *string_in(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static bool is_true(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

/* ---- HTML ----------------------------------------------------------------------------------- */

static void escaped(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&':
            (void)fputs("&amp;", out);
            break;
        case '<':
            (void)fputs("&lt;", out);
            break;
        case '>':
            (void)fputs("&gt;", out);
            break;
        default:
            (void)fputc(*text, out);
        }
}

static void element(FILE *out, const char *tag, const char *attributes, const char *text)
{
    (void)fprintf(out, "<%s%s>", tag, attributes);
    escaped(out, text);
    (void)fprintf(out, "</%s>\n", tag);
}

static void html_row(FILE *out, const json_t *row, const char *tag)
{
    size_t k;
    json_t *cell;
    (void)fputs("<tr>", out);
    json_array_foreach(row, k, cell) element(out, tag, "", json_string_value(cell));
    (void)fputs("</tr>\n", out);
}

static void html_table(FILE *out, const json_t *table)
{
    size_t k;
    json_t *row;
    (void)fputs("<table>", out);
    element(out, "caption", "", string_in(table, "table"));
    html_row(out, json_object_get(table, "head"), "th");
    json_array_foreach(json_object_get(table, "rows"), k, row) html_row(out, row, "td");
    (void)fputs("</table>\n", out);
}

static void html_item(FILE *out, const json_t *item)
{
    if (json_object_get(item, "text"))
        element(out, "p", "", string_in(item, "text"));
    else if (json_object_get(item, "check"))
        element(out, "p", is_true(item, "holds") ? " class=\"holds\"" : " class=\"fails\"",
                string_in(item, "check"));
    else if (json_object_get(item, "table"))
        html_table(out, item);
    else if (json_object_get(item, "svg"))
        (void)fprintf(out, "<figure>%s</figure>\n", string_in(item, "svg"));
    else
        (void)fprintf(out, "<p>No plot: gnuplot is not installed (make deps-bench installs it)."
                           "</p>\n");
}

static const char HEAD[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>What supports the claims about CASTLE</title>\n<style>\n"
    "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}\n"
    "table{border-collapse:collapse;margin:1em 0;font-size:14px}\n"
    "caption{text-align:left;font-style:italic}\n"
    "td,th{border:1px solid #bbb;padding:2px 8px;text-align:left}\n"
    "figure{margin:1em 0}svg{max-width:100%;height:auto}\n"
    ".holds:before{content:'holds: ';color:#060;font-weight:bold}\n"
    ".fails:before{content:'FAILS: ';color:#a00;font-weight:bold}\n"
    "</style></head><body>\n<h1>What supports the claims about CASTLE</h1>\n"
    "<p>Written by <code>make proofs</code>. Each green line is a claim that was tried and held; "
    "the tables and plots above it show on what. proofs/SOUNDNESS.md says how strong each kind of "
    "evidence is, and what it leaves open.</p>\n";

static void html(FILE *out, const json_t *root)
{
    size_t s, k;
    json_t *section, *item;
    (void)fputs(HEAD, out);
    if (is_true(root, "holds"))
        (void)fprintf(out, "<p class=\"holds\">every check on this page, %d of them</p>\n<ol>",
                      (int)json_integer_value(json_object_get(root, "checks")));
    else
        (void)fputs("<p class=\"fails\">a check on this page</p>\n<ol>", out);
    json_array_foreach(json_object_get(root, "sections"), s, section)
    {
        (void)fprintf(out, "<li><a href=\"#%s\">", string_in(section, "key"));
        escaped(out, string_in(section, "title"));
        (void)fputs("</a></li>\n", out);
    }
    (void)fputs("</ol>\n", out);
    json_array_foreach(json_object_get(root, "sections"), s, section)
    {
        (void)fprintf(out, "<h2 id=\"%s\">", string_in(section, "key"));
        escaped(out, string_in(section, "title"));
        (void)fputs("</h2>\n", out);
        json_array_foreach(json_object_get(section, "items"), k, item) html_item(out, item);
    }
    (void)fputs("</body></html>\n", out);
}

/* ---- Markdown ------------------------------------------------------------------------------- */

/* A '|' cannot stand in a cell, which page_row() sees to. */
static void markdown_row(FILE *out, const json_t *row)
{
    size_t k;
    json_t *cell;
    json_array_foreach(row, k, cell)(void) fprintf(out, "| %s ", json_string_value(cell));
    (void)fputs("|\n", out);
}

static void markdown_table(FILE *out, const json_t *table)
{
    size_t k;
    json_t *row;
    (void)fprintf(out, "\n%s\n\n", string_in(table, "table"));
    markdown_row(out, json_object_get(table, "head"));
    for (k = 0; k < json_array_size(json_object_get(table, "head")); k++)
        (void)fputs("|---", out);
    (void)fputs("|\n", out);
    json_array_foreach(json_object_get(table, "rows"), k, row) markdown_row(out, row);
}

static void markdown(FILE *out, const json_t *root)
{
    size_t s, k;
    json_t *section, *item;
    (void)fputs("# Figures\n\nWritten by `make proofs`, as is the page with the plots, "
                "build/proofs/report.html; edit the programs\n"
                "`proofs/report_*.c`, not this. Times are on the page only.\n",
                out);
    json_array_foreach(json_object_get(root, "sections"), s, section)
    {
        (void)fprintf(out, "\n## %s\n", string_in(section, "title"));
        json_array_foreach(json_object_get(section, "items"), k, item)
        {
            if (json_object_get(item, "text"))
                (void)fprintf(out, "\n%s\n", string_in(item, "text"));
            else if (json_object_get(item, "check"))
                (void)fprintf(out, "\n- %s: %s\n", is_true(item, "holds") ? "holds" : "**FAILS**",
                              string_in(item, "check"));
            else if (json_object_get(item, "table") && !is_true(item, "fleeting"))
                markdown_table(out, item);
        }
    }
}

static void as_json(FILE *out, const json_t *root)
{
    (void)json_dumpf(root, out, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    (void)fputc('\n', out);
}

/* ---- files ---------------------------------------------------------------------------------- */

static bool write_whole(void (*print)(FILE *, const json_t *), const json_t *root,
                        const char *folder, const char *name, Failure *f)
{
    char path[4200], *text = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = open_memstream(&text, &size);
    if (!out)
        stop_on_bug(__func__, "out of memory");
    print(out, root);
    if (fclose(out) != 0)
        stop_on_bug(__func__, "out of memory");
    bool written = whole_file_write(path, &(Bytes){text, size}, 1, f);
    free(text);
    return written;
}

bool write_html(const json_t *root, const char *folder, Failure *f)
{
    return write_whole(html, root, folder, "report.html", f);
}

bool write_figures(const json_t *root, const char *folder, Failure *f)
{
    return write_whole(markdown, root, folder, "figures.md", f);
}

bool write_json(const json_t *root, const char *folder, Failure *f)
{
    return write_whole(as_json, root, folder, "report.json", f);
}
