/* SPDX-License-Identifier: GPL-3.0-or-later */
/* where.h - where a wrong tensor is wrong: the pattern of its errors, and a map of the worst head. */
#ifndef CASTLE_WHERE_H
#define CASTLE_WHERE_H

#include "first_wrong.h"
#include "heat_map.h"
#include "pattern.h"

#include <jansson.h>
#include <stdio.h>

typedef struct Where {
    Pattern pattern;
    HeatMap map;
} Where;

/* Of the tensor that the verdict is on, whose elements are as bad as score_badness() says. */
Where *where_wrong(const Sizes *, Answer, const Verdict *, const double *badness);
void where_free(Where *); /* NULL is ignored */

/* A table: a line for each wrong tensor, and what is said of blocks; behind `indent` spaces. */
void where_print(FILE *, const Where *const[ANSWERS], int indent);
json_t *pattern_json(const Pattern *);
json_t *heat_map_json(const HeatMap *);
json_t *first_wrong_json(const FirstWrong *);

#endif
