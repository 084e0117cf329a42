/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * check_page.h - what castle check found as one HTML page, which stands alone: no script, no font, no picture
 * from elsewhere. It is made from the document that --json prints, with maps.
 */
#ifndef CASTLE_CHECK_PAGE_H
#define CASTLE_CHECK_PAGE_H

#include "failure.h"

#include <jansson.h>

/* `summary`: one line. */
bool check_page_write(const json_t *document, const char *summary, const char *path, Failure *);

#endif
