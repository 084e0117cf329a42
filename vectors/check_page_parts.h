/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_page_parts.h - what check_page.c puts together: tables, and a section for each file or case. */
#ifndef CASTLE_CHECK_PAGE_PARTS_H
#define CASTLE_CHECK_PAGE_PARTS_H

#include "xml_file.h"

#include <jansson.h>
#include <stddef.h>

/* The page in the making. */
typedef struct CheckPage {
    Xml *x;
    size_t sections, map_bytes, maps;
} CheckPage;

/* A table that scrolls sideways where the screen is narrow, by keyboard too; heads end with NULL. */
void page_table_begin(Xml *, const char *label, const char *const *heads);
void page_table_end(Xml *);
void page_row_begin(Xml *, const char *head);
void page_verdict_mark(Xml *, const char *element, const char *verdict); /* "td" or "span" */
void page_number_cell(Xml *, const char *format, double value);          /* NaN: "-" */

/* Of a document's dumps and cases, one of each. */
void page_dump_section(CheckPage *, const json_t *dump);
void page_case_section(CheckPage *, const json_t *c);

#endif
