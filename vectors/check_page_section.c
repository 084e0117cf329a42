/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_page_section.c - one file or case on the page: verdicts, where the errors are, maps; a part of
 * check_page_parts.h. */
#include "check_page_map.h"
#include "check_page_parts.h"
#include "json_values.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_MAP_BYTES = 700000 }; /* of all maps together: the page stays below a megabyte */

static bool is(const json_t *object, const char *key, const char *value)
{
    return strcmp(string_in(object, key), value) == 0;
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
    page_row_begin(x, name);
    page_verdict_mark(x, "td", string_in(tensor, "verdict"));
    page_number_cell(x, "%.0f", (double)integer_at(tensor, "judged"));
    page_number_cell(x, "%.3g", worst ? number_at(tensor, "z") : NAN);
    xml_element(x, "td", "%.1f, %.1f", number_at(tensor, "suspect_above"),
                number_at(tensor, "wrong_above"));
    page_number_cell(x, "%.2e", number_at(tensor, "error_over_bound"));
    xml_element(x, "td", "%s", place);
    page_number_cell(x, "%.9g", worst ? number_at(worst, "answer") : NAN);
    page_number_cell(x, "%.9g", worst ? number_at(worst, "truth") : NAN);
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
    page_table_begin(x, "Verdicts, tensor by tensor", heads);
    json_object_foreach(tensors, name, tensor) if (all || !is(tensor, "verdict", "right"))
        tensor_row(x, name, tensor);
    page_table_end(x);
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
    page_verdict_mark(x, "span", verdict);
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

void page_dump_section(CheckPage *p, const json_t *dump)
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

void page_case_section(CheckPage *p, const json_t *c)
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
