/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * explain_page.h - the explainer: one HTML page that needs nothing else.
 *
 * docs/explain.html is its frame, into which explain.css, explain.js, the words, the tables and the JSON are put at
 * {{STYLE}}, {{SCRIPT}}, {{TEXT}}, {{FACTS}}, {{TABLES}} and {{DATA}}. Text of the user is escaped as HTML, and
 * within JSON every "<" is \u003c, so that it cannot end the element that holds it.
 */
#ifndef CASTLE_EXPLAIN_PAGE_H
#define CASTLE_EXPLAIN_PAGE_H

#include "explain_head.h"

enum { EXPLAIN_MOST_PAGE = 1000000 }; /* bytes */

typedef struct Page {
    char *text;
    size_t size;
} Page;

/* On failure (the page would be larger than that) one sentence, and nothing to free. */
bool explain_page(Page *, const Explain *, Failure *);

/* Whether these bytes are a page of ours, which another may replace. */
bool is_explain_page(const char *bytes, size_t size);

#endif
