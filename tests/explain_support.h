/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What tests of castle explain share. Include it behind cmocka.h. */
#ifndef TESTS_EXPLAIN_SUPPORT_H
#define TESTS_EXPLAIN_SUPPORT_H

#include "explain_head.h"

/* The text must be in order. */
Explain explained(const char *text, size_t dim, size_t window);

/* "w1 w2 ..", so many words; valid until the next call. */
const char *many_words(size_t count);

/* The same number, none of them NaN; a failure says where: `what`[i, j]. */
void assert_same_number(const char *what, size_t i, size_t j, double got, double expected);

#endif
