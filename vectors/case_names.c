/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The words of the table, in the order of the enumerations in cases.h. */
#include "cases.h"

#include "bug.h"

static const char *nth(const char *const *names, size_t count, size_t k, const char *function)
{
    if (k >= count)
        stop_on_bug(function, "%zu is none of %zu", k, count);
    return names[k];
}

static size_t place_of_bit(unsigned bit)
{
    size_t k = 0;
    while (bit > 1) {
        bit >>= 1;
        k++;
    }
    return k;
}

const char *case_family_name(CaseFamily f)
{
    static const char *const names[CASE_FAMILIES] = {
        "plain",      "trained",   "tiny",         "ragged",     "dim",      "window",
        "neg",        "large-su",  "outlier",      "offset",     "drift",    "alive",
        "loss-scale", "saturated", "silu-minimum", "equal-keys", "integers", "special"};
    return nth(names, CASE_FAMILIES, f, __func__);
}

const char *case_kind_name(CaseKind k)
{
    static const char *const names[CASE_KINDS] = {"forward", "gradients", "stages",
                                                  "decode",  "layer",     "variant"};
    return nth(names, CASE_KINDS, place_of_bit(k), __func__);
}

const char *case_flag_name(CaseFlag f)
{
    static const char *const names[CASE_FLAGS] = {"ties", "nonfinite", "subnormal", "exact-stages"};
    return nth(names, CASE_FLAGS, place_of_bit(f), __func__);
}

const char *case_tier_name(CaseTier t)
{
    static const char *const names[] = {"core", "paper"};
    return nth(names, 2, t, __func__);
}

const char *case_type_suffix(NumberType t)
{
    static const char *const names[NUMBER_TYPES] = {
        [TYPE_F64] = "f64", [TYPE_F32] = "f32", [TYPE_F16] = "f16", [TYPE_BF16] = "bf16"};
    return nth(names, NUMBER_TYPES, t, __func__);
}

const char *case_arithmetic(NumberType t) { return number_format(t)->name; }
