/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_page_tables.c - a part of check_page_parts.h. */
#include "check_page_parts.h"

#include <math.h>
#include <stdio.h>

void page_table_begin(Xml *x, const char *label, const char *const *heads)
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

void page_table_end(Xml *x)
{
    xml_close(x);
    xml_close(x);
    xml_close(x);
    xml_raw(x, "\n");
}

void page_row_begin(Xml *x, const char *head)
{
    xml_open(x, "tr");
    xml_open(x, "th");
    xml_attribute(x, "scope", "row");
    xml_text(x, "%s", head);
    xml_close(x);
}

void page_verdict_mark(Xml *x, const char *element, const char *verdict)
{
    xml_open(x, element);
    xml_attribute(x, "class", "%s", verdict);
    xml_text(x, "%s", verdict);
    xml_close(x);
}

void page_number_cell(Xml *x, const char *format, double value)
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
