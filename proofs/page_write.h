/* SPDX-License-Identifier: GPL-3.0-or-later */
/* page_write.h - the forms in which a page leaves: each a function of the same JSON. page.h says what is
 * written where; every file is written whole beside its place, then renamed. */
#ifndef CASTLE_PAGE_WRITE_H
#define CASTLE_PAGE_WRITE_H

#include "failure.h"

#include <jansson.h>

/* Gives every plot that gnuplot has drawn the key "svg", the picture's text. */
bool write_plots(json_t *root, const char *folder, Failure *);
bool write_html(const json_t *root, const char *folder, Failure *);
bool write_figures(const json_t *root, const char *folder, Failure *);
bool write_json(const json_t *root, const char *folder, Failure *);

#endif
