/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * page.h - what `make proofs` found, collected section by section as JSON and written out as one HTML
 * page, one JSON file and the figures of proofs/figures.md.
 *
 * Everything said here is data: text, checks (a claim that held or did not), tables and plots, in the order
 * in which they came. A table of times is `fleeting`: machines differ, so it is left out of figures.md.
 */
#ifndef CASTLE_PAGE_H
#define CASTLE_PAGE_H

#include "failure.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct Page Page;

Page *page_begin(void);
void page_end(Page *);

/* `key`: letters, digits and dashes; the section's address and the beginning of its figures' names. */
void page_section(Page *, const char *key, const char *title);
void page_say(Page *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void page_check(Page *, bool holds, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Cells are separated by '|', in the head and in rows; as many in each row as in the head. */
void page_table(Page *, const char *caption, const char *head);
void page_fleeting_table(Page *, const char *caption, const char *head);
void page_row(Page *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Series belong to the last plot, in order. Points that are not finite are left out. */
void page_plot(Page *, const char *title, const char *x, const char *y);
void page_series(Page *, const char *name, bool line, size_t n, const double *x, const double *y);

bool page_holds(const Page *); /* every check so far; false where there was none */

size_t page_checks(const Page *); /* how many there were */

/* Every check that failed, one line each, behind the title of its section. */
void page_tell_failures(const Page *, FILE *);

/* Writes FOLDER/report.html, report.json and figures.md, and FOLDER/KEY-N.svg, which gnuplot draws; without
 * gnuplot the page says so in the plots' place. */
bool page_write(const Page *, const char *folder, Failure *);

#endif
