/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "nan_reach.h"

bool nan_must_reach(Variant variant, Answer a, size_t row, size_t token)
{
    return variant != WITHOUT_CAUSAL_KEYS && (a == ANSWER_O || a == ANSWER_LSE) && row >= token;
}
