/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "arithmetic.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const Format BINARY64 = {"float64", 53, -1022, 1023};
const Format BINARY32 = {"float32", 24, -126, 127};
const Format TF32 = {"tf32", 11, -126, 127};
const Format BFLOAT16 = {"bfloat16", 8, -126, 127};
const Format BINARY16 = {"float16", 11, -14, 15};

static const Format *const formats[] = {&BINARY64, &BINARY32, &TF32, &BFLOAT16, &BINARY16};

const Format *format_named(const char *name)
{
    for (size_t k = 0; k < sizeof formats / sizeof *formats; k++)
        if (strcmp(name, formats[k]->name) == 0)
            return formats[k];
    return NULL;
}

double format_roundoff(const Format *f) { return ldexp(1, -f->precision); }
double format_smallest(const Format *f) { return ldexp(1, f->emin - f->precision + 1); }

double format_largest(const Format *f) { return ldexp(2 - ldexp(1, 1 - f->precision), f->emax); }

/* MPFR writes a number as 0.1xxx 2^e, so its exponents are IEEE's plus one; emin is that of the
 * smallest subnormal number, as mpfr_subnormalize asks. */
void format_enter(const Format *f)
{
    mpfr_set_emin(f ? f->emin - f->precision + 2 : mpfr_get_emin_min());
    mpfr_set_emax(f ? f->emax + 1 : mpfr_get_emax_max());
}

void format_leave(void) { format_enter(NULL); }

int format_round(mpfr_t y, const mpfr_t x, const Format *f)
{
    format_leave();
    int ternary = mpfr_set(y, x, MPFR_RNDN);
    format_enter(f);
    ternary = mpfr_check_range(y, ternary, MPFR_RNDN);
    ternary = mpfr_subnormalize(y, ternary, MPFR_RNDN);
    format_leave();
    return ternary;
}

double format_round_double(double x, const Format *f)
{
    if (f == &BINARY64 || !isfinite(x))
        return x;
    /* Adding and subtracting 1.5 ulp-units at the place of the last kept bit would depend on the
     * rounding mode; scaling to an integer is exact and rint ties to even. */
    int e = x == 0 ? f->emin : ilogb(x);
    int last = (e < f->emin ? f->emin : e) - f->precision + 1; /* weight of the last bit */
    double y = ldexp(nearbyint(ldexp(x, -last)), last);
    return fabs(y) > format_largest(f) ? copysign(INFINITY, x) : y;
}

/* ---- declarations --------------------------------------------------------------------------- */

static const char *const stage_names[STAGES] = {
    [STAGE_INPUT] = "inputs", [STAGE_SCALE] = "scale", [STAGE_SC] = "sc",   [STAGE_T1] = "t1",
    [STAGE_G] = "g",          [STAGE_SU] = "su",       [STAGE_P] = "p",     [STAGE_CACHE] = "cache",
    [STAGE_O] = "o",          [STAGE_LSE] = "lse",     [STAGE_U] = "u",     [STAGE_DP] = "dp",
    [STAGE_DS] = "ds",        [STAGE_DSU] = "dsu",     [STAGE_DT1] = "dt1", [STAGE_DG] = "dg",
    [STAGE_DZ] = "dz",        [STAGE_DQU] = "dqu",     [STAGE_DKU] = "dku", [STAGE_DVU] = "dvu",
    [STAGE_DQC] = "dqc",      [STAGE_DKC] = "dkc",     [STAGE_DVC] = "dvc", [STAGE_Y] = "y",
    [STAGE_DX] = "dx",        [STAGE_DW] = "dw",
};

const char *stage_name(Stage s) { return stage_names[s]; }

bool arithmetic_rounds_given(Stage s) { return s == STAGE_INPUT || s == STAGE_SCALE; }

double arithmetic_site_roundoff(const Arithmetic *a, Stage s)
{
    if (arithmetic_rounds_given(s))
        return format_roundoff(a->site[s]);
    return a->site[s]->precision < a->accumulate->precision ? format_roundoff(a->site[s]) : 0;
}

static const Stage operands[] = {STAGE_INPUT, STAGE_T1,  STAGE_G,   STAGE_P,
                                 STAGE_DS,    STAGE_DSU, STAGE_DT1, STAGE_DZ};
static const Stage stored[] = {STAGE_O,   STAGE_U,   STAGE_DQU, STAGE_DKU, STAGE_DVU, STAGE_DQC,
                               STAGE_DKC, STAGE_DVC, STAGE_Y,   STAGE_DX,  STAGE_DW};

static void set_operands(Arithmetic *a, const Format *f)
{
    for (size_t k = 0; k < sizeof operands / sizeof *operands; k++)
        a->site[operands[k]] = f;
}

static bool set_preset(Arithmetic *a, const char *name)
{
    const Format *f = format_named(name);
    if (!f)
        return false;
    a->accumulate = f == &BINARY64 ? &BINARY64 : &BINARY32;
    for (size_t s = 0; s < STAGES; s++)
        a->site[s] = a->accumulate;
    set_operands(a, f);
    if (f == &BFLOAT16 || f == &BINARY16)
        for (size_t k = 0; k < sizeof stored / sizeof *stored; k++)
            a->site[stored[k]] = f;
    return true;
}

static bool set_key(Arithmetic *a, const char *key, const Format *f)
{
    if (strcmp(key, "accumulate") == 0) {
        a->accumulate = f;
        return true;
    }
    if (strcmp(key, "operands") == 0) {
        set_operands(a, f);
        return true;
    }
    for (size_t s = 0; s < STAGES; s++)
        if (strcmp(key, stage_names[s]) == 0) {
            a->site[s] = f;
            return true;
        }
    return false;
}

bool arithmetic_parse(Arithmetic *a, const char *text, char *why, size_t why_size)
{
    char copy[sizeof a->name];
    if (strlen(text) >= sizeof copy) {
        snprintf(why, why_size, "arithmetic declaration longer than %zu bytes", sizeof copy - 1);
        return false;
    }
    strcpy(copy, text);
    *a = (Arithmetic){0};
    strcpy(a->name, text);
    char *rest = copy, *preset = strsep(&rest, ",");
    if (!set_preset(a, preset)) {
        snprintf(why, why_size,
                 "unknown arithmetic \"%.40s\": expected float64, float32, tf32, "
                 "bfloat16 or float16, optionally followed by ,key=format",
                 preset);
        return false;
    }
    while (rest) {
        char *item = strsep(&rest, ",");
        char *equals = strchr(item, '=');
        const Format *f = equals ? format_named(equals + 1) : NULL;
        if (equals)
            *equals = '\0';
        if (!f || !set_key(a, item, f)) {
            snprintf(
                why, why_size,
                "unknown item \"%.40s\" in arithmetic \"%.80s\": expected "
                "key=format, with a key of accumulate operands inputs scale sc t1 g su p cache o "
                "lse u dp ds dsu dt1 dg dz dqu dku dvu dqc dkc dvc y dx dw",
                item, text);
            return false;
        }
    }
    return true;
}
