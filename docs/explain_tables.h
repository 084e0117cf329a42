/* SPDX-License-Identifier: GPL-3.0-or-later */
/* explain_tables.h - the explainer's numbers as plain tables: what is read without JavaScript and printed. */
#ifndef CASTLE_EXPLAIN_TABLES_H
#define CASTLE_EXPLAIN_TABLES_H

#include "explain_head.h"

#include <stdio.h>

/* The text with & < > " ' as HTML has them. */
void html_escaped(FILE *, const char *text);

/* For each head its vectors, then for each step t one table: a row for each key s <= t, and o_t below it. */
void html_tables(FILE *, const Explain *, const ExplainHead *heads);

#endif
