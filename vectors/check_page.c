/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check_page.h"

#include "check_page_map.h"
#include "json_values.h"
#include "version.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    MOST_SECTIONS = 60,      /* of cases; all are in the overview */
    MOST_MAP_BYTES = 700000, /* of all maps together: the page stays below a megabyte */
};

/* The page in the making. */
typedef struct CheckPage {
    Xml *x;
    size_t sections, map_bytes, maps;
} CheckPage;

static const char *string_in(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static long long integer_at(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static double number_at(const json_t *object, const char *key)
{
    return number_in(json_object_get(object, key));
}

static bool is(const json_t *object, const char *key, const char *value)
{
    return strcmp(string_in(object, key), value) == 0;
}

/* ---- tables ----------------------------------------------------------------------------------- */

/* One that scrolls sideways where the screen is narrow, by keyboard too. */
static void table_begin(Xml *x, const char *label, const char *const *heads)
{
    xml_open(x, "div");
    xml_attribute(x, "class", "scroll");
    xml_attribute(x, "tabindex", "0");
    xml_attribute(x, "role", "region");
    xml_attribute(x, "aria-label", "%s", label);
    xml_open(x, "table");
    xml_open(x, "thead");
    xml_open(x, "tr");
    for (; *heads; heads++) {
        xml_open(x, "th");
        xml_attribute(x, "scope", "col");
        xml_text(x, "%s", *heads);
        xml_close(x);
    }
    xml_close(x);
    xml_close(x);
    xml_open(x, "tbody");
}

static void table_end(Xml *x)
{
    xml_close(x);
    xml_close(x);
    xml_close(x);
    xml_raw(x, "\n");
}

static void row_begin(Xml *x, const char *head)
{
    xml_open(x, "tr");
    xml_open(x, "th");
    xml_attribute(x, "scope", "row");
    xml_text(x, "%s", head);
    xml_close(x);
}

static void verdict_mark(Xml *x, const char *element, const char *verdict)
{
    xml_open(x, element);
    xml_attribute(x, "class", "%s", verdict);
    xml_text(x, "%s", verdict);
    xml_close(x);
}

static void number_cell(Xml *x, const char *format, double value)
{
    char text[40];
    if (isnan(value))
        snprintf(text, sizeof text, "-");
    else
        snprintf(text, sizeof text, format, value);
    xml_open(x, "td");
    xml_attribute(x, "class", "n");
    xml_text(x, "%s", text);
    xml_close(x);
}

static void place_text(const json_t *worst, char *text, size_t size)
{
    snprintf(text, size, "%lld, %lld, %lld, %lld", integer_at(worst, "batch"),
             integer_at(worst, "head"), integer_at(worst, "row"), integer_at(worst, "column"));
}

static void tensor_row(Xml *x, const char *name, const json_t *tensor)
{
    const json_t *worst = json_object_get(tensor, "worst");
    char place[100] = "-";
    if (worst)
        place_text(worst, place, sizeof place);
    row_begin(x, name);
    verdict_mark(x, "td", string_in(tensor, "verdict"));
    number_cell(x, "%.0f", (double)integer_at(tensor, "judged"));
    number_cell(x, "%.3g", worst ? number_at(tensor, "z") : NAN);
    xml_element(x, "td", "%.1f, %.1f", number_at(tensor, "suspect_above"),
                number_at(tensor, "wrong_above"));
    number_cell(x, "%.2e", number_at(tensor, "error_over_bound"));
    xml_element(x, "td", "%s", place);
    number_cell(x, "%.9g", worst ? number_at(worst, "answer") : NAN);
    number_cell(x, "%.9g", worst ? number_at(worst, "truth") : NAN);
    xml_close(x);
    xml_raw(x, "\n");
}

/* `all`: right ones too. */
static void tensor_table(Xml *x, json_t *tensors, bool all)
{
    static const char *const heads[] = {"tensor",
                                        "verdict",
                                        "elements",
                                        "largest z",
                                        "thresholds",
                                        "error / bound",
                                        "batch, head, row, column",
                                        "answered",
                                        "truth",
                                        NULL};
    const char *name;
    json_t *tensor;
    table_begin(x, "Verdicts, tensor by tensor", heads);
    json_object_foreach(tensors, name, tensor) if (all || !is(tensor, "verdict", "right"))
        tensor_row(x, name, tensor);
    table_end(x);
}

/* ---- where it is wrong ------------------------------------------------------------------------ */

static void pattern_words(Xml *x, const json_t *pattern)
{
    size_t k;
    json_t *axis;
    xml_text(x, "%lld of %lld elements at or past the first threshold", integer_at(pattern, "bad"),
             integer_at(pattern, "judged"));
    json_array_foreach(json_object_get(pattern, "axes"), k, axis)
        xml_text(x, "; %s %s", string_in(axis, "axis"), string_in(axis, "which"));
    xml_text(x, ".");
    const json_t *block = json_object_get(pattern, "block");
    if (!block)
        return;
    xml_text(x, " ");
    xml_open(x, "strong");
    xml_text(x, "Blocks of %lld", integer_at(block, "size"));
    xml_close(x);
    xml_text(x, ": %s (by chance %.1e; named below %.1e).", string_in(block, "what"),
             number_at(block, "chance"), number_at(block, "level"));
}

static void figure(CheckPage *p, const char *name, const json_t *tensor)
{
    Xml *x = p->x;
    const json_t *map = json_object_get(tensor, "map");
    const json_t *pattern = json_object_get(tensor, "pattern");
    xml_open(x, "figure");
    if (map && p->map_bytes < MOST_MAP_BYTES)
        p->map_bytes += map_draw(x, ++p->maps, name, tensor);
    else
        xml_element(x, "p", "No map: the page would become too large. Check this alone to see it.");
    xml_open(x, "figcaption");
    xml_element(x, "strong", "%s", name);
    xml_text(x, ": ");
    pattern_words(x, pattern);
    xml_close(x);
    xml_close(x);
    xml_raw(x, "\n");
}

static void figures(CheckPage *p, json_t *tensors)
{
    const char *name;
    json_t *tensor;
    xml_open(p->x, "div");
    xml_attribute(p->x, "class", "figures");
    json_object_foreach(tensors, name, tensor) if (json_object_get(tensor, "pattern"))
        figure(p, name, tensor);
    xml_close(p->x);
}

static void names(Xml *x, const char *what, const json_t *list)
{
    size_t k;
    json_t *name;
    if (json_array_size(list) == 0)
        return;
    xml_text(x, "; %s", what);
    json_array_foreach(list, k, name) xml_text(x, " %s", json_string_value(name));
}

static void first_wrong_line(Xml *x, const json_t *first)
{
    if (!first)
        return;
    xml_open(x, "p");
    xml_text(x, "First wrong in the order of computation: ");
    xml_element(x, "strong", "%s", string_in(first, "tensor"));
    names(x, "right before it:", json_object_get(first, "right_before"));
    names(x, "suspect before it:", json_object_get(first, "suspect_before"));
    names(x, "before it, but not answered:", json_object_get(first, "not_answered_before"));
    xml_text(x, ".");
    xml_close(x);
}

static void diagnosis_lines(Xml *x, const json_t *diagnosis)
{
    size_t k;
    json_t *mistake;
    if (!diagnosis)
        return;
    if (json_array_size(diagnosis) == 0) {
        xml_element(x, "p", "No known mistake agrees with these answers.");
        return;
    }
    xml_element(x, "p", "All answers agree with");
    xml_open(x, "ul");
    json_array_foreach(diagnosis, k, mistake) xml_element(
        x, "li", "%s %s: %s (largest z %.3g)", string_in(mistake, "id"), string_in(mistake, "name"),
        string_in(mistake, "what"), number_at(mistake, "z"));
    xml_close(x);
}

/* ---- sections --------------------------------------------------------------------------------- */

static void section_begin(CheckPage *p, const char *name, const char *verdict)
{
    Xml *x = p->x;
    xml_open(x, "section");
    xml_attribute(x, "id", "s%zu", ++p->sections);
    xml_open(x, "h2");
    xml_text(x, "%s ", name);
    verdict_mark(x, "span", verdict);
    xml_close(x);
}

static void conventions(Xml *x, const json_t *o)
{
    const json_t *shape = json_object_get(o, "shape"), *guess = json_object_get(o, "guess");
    size_t k;
    json_t *other;
    xml_open(x, "p");
    xml_text(
        x, "batch %lld, heads %lld, L %lld, d %lld", json_integer_value(json_array_get(shape, 0)),
        json_integer_value(json_array_get(shape, 1)), json_integer_value(json_array_get(shape, 2)),
        json_integer_value(json_array_get(shape, 3)));
    if (json_object_get(o, "window"))
        xml_text(x, "; window %s, scale %s, variant %s", string_in(o, "window"),
                 string_in(o, "scale"), string_in(o, "variant"));
    xml_text(x, "; arithmetic %s.", string_in(o, "arithmetic"));
    if (guess) {
        xml_text(x, " The arithmetic is a guess: %s", string_in(guess, "what"));
        json_array_foreach(json_object_get(guess, "or"), k, other)
            xml_text(x, "; or %s", json_string_value(other));
        xml_text(x, ".");
    }
    xml_close(x);
}

static void dump_section(CheckPage *p, const json_t *dump)
{
    section_begin(p, string_in(dump, "file"), string_in(dump, "verdict"));
    conventions(p->x, dump);
    first_wrong_line(p->x, json_object_get(dump, "first_wrong"));
    diagnosis_lines(p->x, json_object_get(dump, "diagnosis"));
    tensor_table(p->x, json_object_get(dump, "tensors"), true);
    figures(p, json_object_get(dump, "tensors"));
    xml_close(p->x);
}

static bool has_more_than_right(json_t *tensors)
{
    const char *name;
    json_t *tensor;
    json_object_foreach(tensors, name, tensor) if (!is(tensor, "verdict", "right")) return true;
    return false;
}

static void case_section(CheckPage *p, const json_t *c)
{
    Xml *x = p->x;
    size_t k;
    json_t *item;
    section_begin(p, string_in(c, "id"), string_in(c, "verdict"));
    conventions(x, c);
    if (json_array_size(json_object_get(c, "faults"))) {
        xml_open(x, "ul");
        json_array_foreach(json_object_get(c, "faults"), k, item)
            xml_element(x, "li", "%s: %s", string_in(item, "call"), string_in(item, "what"));
        xml_close(x);
    }
    json_array_foreach(json_object_get(c, "calls"), k, item)
    {
        json_t *tensors = json_object_get(item, "tensors");
        if (!has_more_than_right(tensors))
            continue;
        xml_element(x, "h3", "%s", string_in(item, "call"));
        first_wrong_line(x, json_object_get(item, "first_wrong"));
        tensor_table(x, tensors, false);
        figures(p, tensors);
    }
    xml_close(x);
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
    verdict_mark(x, "td", string_in(item, "verdict"));
    xml_element(x, "td", "%s", whose);
    number_cell(x, "%.3g", z < 0 ? NAN : z);
    number_cell(x, "%.0f", (double)json_array_size(json_object_get(item, "faults")));
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
    table_begin(x, "Overview of all files or cases", heads);
    json_array_foreach(json_object_get(document, "dumps"), k, item)
        overview_row(x, item, string_in(item, "file"), ++section);
    json_array_foreach(json_object_get(document, "cases"), k, item)
    {
        bool told = has_section(item, section);
        section += told;
        overview_row(x, item, string_in(item, "id"), told ? section : 0);
    }
    table_end(x);
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
    json_array_foreach(json_object_get(document, "dumps"), k, item) dump_section(&p, item);
    json_array_foreach(json_object_get(document, "cases"), k, item)
    {
        if (has_section(item, p.sections))
            case_section(&p, item);
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
