/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_page_map.h - the map of a wrong tensor's errors as SVG, with its legend. */
#ifndef CASTLE_CHECK_PAGE_MAP_H
#define CASTLE_CHECK_PAGE_MAP_H

#include "xml_file.h"

#include <jansson.h>
#include <stddef.h>

/* `number`: of the map within its page, for the addresses in it. `tensor` as in docs/check-json.md, with its map.
 * Returns about how many bytes the cells took. */
size_t map_draw(Xml *, size_t number, const char *name, const json_t *tensor);

#endif
