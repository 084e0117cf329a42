/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check_page.h"

#include "check_page_parts.h"
#include "json_values.h"
#include "version.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_SECTIONS = 60 }; /* of cases; all are in the overview */

static bool is(const json_t *object, const char *key, const char *value)
{
    return strcmp(string_in(object, key), value) == 0;
}

/* ---- the overview ----------------------------------------------------------------------------- */

/* The largest z of an object of tensors, and whose it is. */
static void worst_of(json_t *tensors, const char **whose, double *z)
{
    const char *name;
    json_t *tensor;
    json_object_foreach(tensors, name, tensor) if (number_at(tensor, "z") > *z)
    {
        *z = number_at(tensor, "z");
        *whose = name;
    }
}

static void overview_row(Xml *x, const json_t *item, const char *name, size_t section)
{
    const char *whose = "-";
    double z = -1;
    size_t k;
    json_t *call;
    worst_of(json_object_get(item, "tensors"), &whose, &z);
    json_array_foreach(json_object_get(item, "calls"), k, call)
        worst_of(json_object_get(call, "tensors"), &whose, &z);
    xml_open(x, "tr");
    xml_open(x, "th");
    xml_attribute(x, "scope", "row");
    if (section) {
        xml_open(x, "a");
        xml_attribute(x, "href", "#s%zu", section);
    }
    xml_text(x, "%s", name);
    if (section)
        xml_close(x);
    xml_close(x);
    page_verdict_mark(x, "td", string_in(item, "verdict"));
    xml_element(x, "td", "%s", whose);
    page_number_cell(x, "%.3g", z < 0 ? NAN : z);
    page_number_cell(x, "%.0f", (double)json_array_size(json_object_get(item, "faults")));
    xml_close(x);
    xml_raw(x, "\n");
}

/* Cases that are right have no section of their own; of the others the first MOST_SECTIONS have. */
static bool has_section(const json_t *c, size_t sections)
{
    return sections < MOST_SECTIONS && (is(c, "verdict", "wrong") || is(c, "verdict", "suspect"));
}

static void overview(Xml *x, const json_t *document)
{
    static const char *const heads[] = {"file or case", "verdict", "worst tensor",
                                        "its z",        "faults",  NULL};
    size_t k, section = 0;
    json_t *item;
    xml_open(x, "nav");
    xml_element(x, "h2", "Overview");
    page_table_begin(x, "Overview of all files or cases", heads);
    json_array_foreach(json_object_get(document, "dumps"), k, item)
        overview_row(x, item, string_in(item, "file"), ++section);
    json_array_foreach(json_object_get(document, "cases"), k, item)
    {
        bool told = has_section(item, section);
        section += told;
        overview_row(x, item, string_in(item, "id"), told ? section : 0);
    }
    page_table_end(x);
    xml_close(x);
}

static void refused(Xml *x, const json_t *files)
{
    size_t k;
    json_t *file;
    if (json_array_size(files) == 0)
        return;
    xml_open(x, "section");
    xml_element(x, "h2", "Not judged");
    xml_open(x, "ul");
    json_array_foreach(files, k, file) xml_element(x, "li", "%s", string_in(file, "why"));
    xml_close(x);
    xml_close(x);
}

static void guesses(Xml *x, const json_t *guess)
{
    size_t k;
    json_t *g;
    json_array_foreach(guess, k, g) xml_element(x, "p", "%s: the arithmetic is a guess: %s.",
                                                string_in(g, "type"), string_in(g, "what"));
}

/* ---- the page --------------------------------------------------------------------------------- */

static const char style[] =
    "body{font:16px/1.5 system-ui,sans-serif;color:#1a1a1a;background:#fff;margin:0 auto;"
    "max-width:76rem;padding:1rem}\n"
    "h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.2rem;margin:2rem 0 .5rem;"
    "overflow-wrap:anywhere}h3{font-size:1rem;margin:1.5rem 0 .25rem}\n"
    "p{margin:.5rem 0;max-width:46rem;overflow-wrap:anywhere}\n"
    ".scroll{overflow-x:auto;margin:.75rem 0}\n"
    "table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.2rem .6rem;text-align:left;border-bottom:1px solid "
    "#d5d5d5;white-space:nowrap}\n"
    "thead th{border-bottom:2px solid #767676}tbody th{font-weight:600}\n"
    "nav tbody th{white-space:normal;overflow-wrap:anywhere;min-width:9rem}\n"
    ".n{text-align:right}\n"
    ".wrong,.suspect,.right,.unsupported{font-weight:600}\n"
    ".wrong{color:#9b0000}.suspect{color:#7a4a00}.right{color:#1d5a2a}.unsupported{color:#595959}\n"
    "h2 span{border:1px solid currentColor;border-radius:.25rem;padding:0 .4rem;font-size:.9rem}\n"
    ".figures{display:flex;flex-wrap:wrap;gap:1.5rem;align-items:flex-start}\n"
    "figure{margin:.5rem 0;width:22rem;max-width:100%}figure svg{max-width:100%;height:auto}\n"
    "figcaption{font-size:.875rem;overflow-wrap:anywhere}\n"
    "svg text{font:11px system-ui,sans-serif;fill:#1a1a1a}\n"
    "a{color:#0b4f8a}a:focus-visible,.scroll:focus-visible{outline:2px solid #0b4f8a}\n"
    "footer{margin:3rem 0 1rem;font-size:.875rem;color:#595959}\n";

static void head(Xml *x, const char *summary)
{
    xml_raw(x, "<!DOCTYPE html>\n");
    xml_open(x, "html");
    xml_attribute(x, "lang", "en");
    xml_open(x, "head");
    xml_open(x, "meta");
    xml_attribute(x, "charset", "utf-8");
    xml_close_void(x);
    xml_open(x, "meta");
    xml_attribute(x, "name", "viewport");
    xml_attribute(x, "content", "width=device-width,initial-scale=1");
    xml_close_void(x);
    xml_element(x, "title", "castle check: %s", summary);
    xml_open(x, "style");
    xml_raw(x, style);
    xml_close(x);
    xml_close(x);
}

static void preface(Xml *x, const json_t *document, const char *summary)
{
    xml_element(x, "h1", "castle check");
    if (json_object_get(document, "kernel"))
        xml_element(x, "p", "Kernel: %s", string_in(document, "kernel"));
    xml_open(x, "p");
    xml_element(x, "strong", "%s", summary);
    xml_close(x);
    guesses(x, json_object_get(document, "guess"));
    xml_element(
        x, "p",
        "z is an error in standard deviations of a right kernel's error at that place, under "
        "the arithmetic that is declared. Past the first threshold a tensor is suspect, past "
        "the second it is wrong; a right one passes them once in a thousand and once in a "
        "billion times. An error past its bound is wrong whatever its z. A map shows the "
        "head with the worst element; each cell has the largest z of its elements, the "
        "strips beside and below have that of each row and column.");
}

bool check_page_write(const json_t *document, const char *summary, const char *path, Failure *f)
{
    CheckPage p = {.x = xml_begin()};
    size_t k, more = 0;
    json_t *item;
    head(p.x, summary);
    xml_open(p.x, "body");
    xml_open(p.x, "main");
    preface(p.x, document, summary);
    overview(p.x, document);
    json_array_foreach(json_object_get(document, "dumps"), k, item) page_dump_section(&p, item);
    json_array_foreach(json_object_get(document, "cases"), k, item)
    {
        if (has_section(item, p.sections))
            page_case_section(&p, item);
        else
            more += is(item, "verdict", "wrong") || is(item, "verdict", "suspect");
    }
    if (more)
        xml_element(p.x, "p", "%zu more cases that are not right are in the overview alone.", more);
    refused(p.x, json_object_get(document, "refused"));
    xml_close(p.x);
    xml_element(p.x, "footer", "castle %s", CASTLE_VERSION);
    xml_close(p.x);
    xml_close(p.x);
    xml_raw(p.x, "\n");
    return xml_end(p.x, path, f);
}
