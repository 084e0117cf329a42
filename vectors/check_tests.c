/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check_tests.h"

#include "bug.h"
#include "json_values.h"

#include <stdlib.h>
#include <string.h>

static CheckTest *add(CheckTests *all, const char *suite, Outcome outcome)
{
    all->at = realloc(all->at, (all->count + 1) * sizeof *all->at);
    if (!all->at)
        stop_on_bug(__func__, "out of memory");
    CheckTest *t = &all->at[all->count++];
    *t = (CheckTest){.suite = suite, .outcome = outcome};
    return t;
}

/* ---- reasons ---------------------------------------------------------------------------------- */

/* One line in the making; to be freed. */
typedef struct Text {
    char *text;
    size_t size;
    FILE *to;
} Text;

static void text_begin(Text *t)
{
    t->to = open_memstream(&t->text, &t->size);
    if (!t->to)
        stop_on_bug(__func__, "out of memory");
}

static char *text_end(Text *t)
{
    if (fclose(t->to) != 0)
        stop_on_bug(__func__, "out of memory");
    return t->text;
}

/* Why a tensor is not right: the worst element, and what blocks its errors keep to. */
static char *tensor_reason(const json_t *tensor)
{
    Text t;
    const json_t *worst = json_object_get(tensor, "worst");
    const json_t *block = json_object_get(json_object_get(tensor, "pattern"), "block");
    text_begin(&t);
    fprintf(t.to, "%s: ", string_in(tensor, "verdict"));
    if (!worst) {
        fputs("nothing to judge, no true value is a finite number", t.to);
        return text_end(&t);
    }
    fprintf(t.to,
            "z %.3g (suspect above %.1f, wrong above %.1f) at batch %lld, head %lld, row %lld, "
            "column %lld: answered %.9g, truth %.17g",
            number_at(tensor, "z"), number_at(tensor, "suspect_above"),
            number_at(tensor, "wrong_above"), integer_at(worst, "batch"), integer_at(worst, "head"),
            integer_at(worst, "row"), integer_at(worst, "column"), number_at(worst, "answer"),
            number_at(worst, "truth"));
    if (integer_at(tensor, "not_finite"))
        fprintf(t.to, "; %lld not finite", integer_at(tensor, "not_finite"));
    if (integer_at(tensor, "past_bound"))
        fprintf(t.to, "; %lld past the bound", integer_at(tensor, "past_bound"));
    if (block)
        fprintf(t.to, "; %s", string_in(block, "what"));
    return text_end(&t);
}

static char *fault_reasons(const json_t *faults)
{
    Text t;
    size_t k;
    json_t *fault;
    text_begin(&t);
    json_array_foreach(faults, k, fault) fprintf(
        t.to, "%s%s: %s", k ? "; " : "", string_in(fault, "call"), string_in(fault, "what"));
    return text_end(&t);
}

/* What --arithmetic auto came to: a test of its own, "FILE/arithmetic". */
static void add_guess(CheckTests *all, const char *suite, const json_t *guess, bool strict)
{
    if (!guess)
        return;
    bool found = json_is_true(json_object_get(guess, "found"));
    bool coarser = json_is_true(json_object_get(guess, "coarser"));
    CheckTest *t = add(all, suite, found && !(coarser && strict) ? PASSED : FAILED);
    snprintf(t->name, sizeof t->name, "arithmetic");
    t->reason = strdup(string_in(guess, "what"));
}

/* ---- tests ------------------------------------------------------------------------------------ */

static void add_tensors(CheckTests *all, const char *suite, const char *call, json_t *tensors,
                        bool strict)
{
    const char *name;
    json_t *tensor;
    json_object_foreach(tensors, name, tensor)
    {
        const char *verdict = string_in(tensor, "verdict");
        bool right = strcmp(verdict, "right") == 0;
        bool passed = right || (!strict && strcmp(verdict, "suspect") == 0);
        CheckTest *t = add(all, suite, passed ? PASSED : FAILED);
        snprintf(t->name, sizeof t->name, "%s%s%s", call, *call ? "/" : "", name);
        if (!right)
            t->reason = tensor_reason(tensor);
    }
}

static void add_case(CheckTests *all, const json_t *c, bool strict)
{
    const char *id = string_in(c, "id");
    const json_t *faults = json_object_get(c, "faults");
    json_t *call;
    size_t k;
    bool unsupported = strcmp(string_in(c, "verdict"), "unsupported") == 0;
    CheckTest *t = add(all, id, unsupported ? SKIPPED : json_array_size(faults) ? FAILED : PASSED);
    snprintf(t->name, sizeof t->name, "calls");
    if (unsupported)
        t->reason = strdup("the kernel does not support this case");
    else if (json_array_size(faults))
        t->reason = fault_reasons(faults);
    json_array_foreach(json_object_get(c, "calls"), k, call)
    {
        const char *name = string_in(call, "call");
        add_tensors(all, id, strcmp(name, "run") == 0 ? "" : name, json_object_get(call, "tensors"),
                    strict);
    }
}

CheckTests check_tests(const json_t *document, bool strict)
{
    CheckTests all = {0};
    json_t *item;
    size_t k;
    json_array_foreach(json_object_get(document, "dumps"), k, item)
    {
        add_tensors(&all, string_in(item, "file"), "", json_object_get(item, "tensors"), strict);
        add_guess(&all, string_in(item, "file"), json_object_get(item, "guess"), strict);
    }
    json_array_foreach(json_object_get(document, "guess"), k, item)
        add_guess(&all, string_in(item, "type"), item, strict);
    json_array_foreach(json_object_get(document, "refused"), k, item)
    {
        CheckTest *t = add(&all, string_in(item, "file"), NOT_RUN);
        t->reason = strdup(string_in(item, "why"));
    }
    json_array_foreach(json_object_get(document, "cases"), k, item) add_case(&all, item, strict);
    return all;
}

void check_tests_free(CheckTests *all)
{
    for (size_t k = 0; k < all->count; k++)
        free(all->at[k].reason);
    free(all->at);
    *all = (CheckTests){0};
}
