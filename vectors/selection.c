/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "selection.h"

#include <argp.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

void selection_read_tier(Selection *s, const char *text, const struct argp_state *state)
{
    bool all = strcmp(text, "all") == 0;
    s->tier[TIER_CORE] = all || strcmp(text, "core") == 0;
    s->tier[TIER_PAPER] = all || strcmp(text, "paper") == 0;
    if (!s->tier[TIER_CORE] && !s->tier[TIER_PAPER])
        argp_error(state, "--tier is \"%s\"; expected core, paper or all", text);
}

bool selection_takes(const Selection *s, const GoldenCase *c)
{
    return s->tier[c->tier] && (!s->pattern || fnmatch(s->pattern, c->id, 0) == 0) &&
           (!s->family || strcmp(s->family, case_family_name(c->family)) == 0);
}

bool selection_is_empty(const Selection *s, Failure *f)
{
    char pattern[120] = "", family[80] = "", tier[40] = "", quoted[60];
    if (s->pattern) {
        failure_quote(quoted, sizeof quoted, s->pattern);
        snprintf(pattern, sizeof pattern, " that matches \"%s\"", quoted);
    }
    if (s->family) {
        failure_quote(quoted, sizeof quoted, s->family);
        snprintf(family, sizeof family, " of the family \"%s\"", quoted);
    }
    if (!s->tier[TIER_CORE] || !s->tier[TIER_PAPER])
        snprintf(tier, sizeof tier, " of the tier %s",
                 case_tier_name(s->tier[TIER_CORE] ? TIER_CORE : TIER_PAPER));
    return fail(f, "there is no case%s%s%s; castle list shows all", tier, family, pattern);
}
