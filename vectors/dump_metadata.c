/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dump_tensors.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool read_window(Dump *d, const char *where, const char *text, Failure *f)
{
    d->window_stated = text != NULL;
    d->task.window = NO_WINDOW;
    if (!text || strcmp(text, "none") == 0)
        return true;
    char *end;
    errno = 0;
    unsigned long long w = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || w >= NO_WINDOW)
        return fail(f, "%s: window is \"%.60s\"; expected \"none\" or a whole number", where, text);
    d->task.window = (size_t)w;
    return true;
}

static bool read_scale(Dump *d, const char *where, const char *text, Failure *f)
{
    d->scale_stated = text != NULL;
    d->task.scale = 0;
    if (!text || strcmp(text, "1/sqrt(d)") == 0)
        return true;
    char *end;
    d->task.scale = strtod(text, &end);
    if (end == text || *end || !isfinite(d->task.scale) || d->task.scale == 0)
        return fail(f,
                    "%s: scale is \"%.60s\"; expected \"1/sqrt(d)\" or a finite number other "
                    "than 0",
                    where, text);
    return true;
}

NumberType dump_answer_type(const Dump *d)
{
    return d->answer[ANSWER_O]   ? d->answer_type[ANSWER_O]
           : d->answer[ANSWER_U] ? d->answer_type[ANSWER_U]
           : d->answer[ANSWER_Y] ? d->answer_type[ANSWER_Y]
                                 : d->task.type;
}

static bool read_arithmetic(Dump *d, const char *where, const char *text, Failure *f)
{
    char why[300];
    d->arithmetic_stated = text != NULL;
    if (!text)
        text = number_format(dump_answer_type(d))->name;
    if (!arithmetic_parse(&d->task.arithmetic, text, why, sizeof why))
        return fail(f, "%s: %s", where, why);
    /* An answer in a file is rounded to the file's type, whatever the kernel declares. A stage too; but
     * what follows from it may have been computed from more bits, and must not be excused by them. */
    for (Answer k = 0; k < ANSWERS; k++) {
        const Format **site = &d->task.arithmetic.site[answer_stage(k)];
        if (!d->answer[k] || number_format(d->answer_type[k])->precision >= (*site)->precision)
            continue;
        if (answer_is_stage(k))
            return fail(
                f,
                "%s: stage \"%s\" is stored in %s, the arithmetic keeps it in %s; store all of "
                "its bits, or declare %s=%s if the kernel rounds it so",
                where, answer_name(k), number_format(d->answer_type[k])->name, (*site)->name,
                answer_name(k), number_format(d->answer_type[k])->name);
        *site = number_format(d->answer_type[k]);
    }
    return true;
}

static bool read_variant(Dump *d, const char *where, const char *text, Failure *f)
{
    d->task.variant = CASTLE;
    if (!text || variant_named(&d->task.variant, text))
        return true;
    return fail(f,
                "%s: variant is \"%.60s\"; expected \"castle\", \"without-causal-keys\" or "
                "\"without-silu\"",
                where, text);
}

bool dump_read_metadata(Dump *d, const char *path, const DumpOptions *given, Failure *f)
{
    const char *window = safetensors_metadata(d->file, "window");
    const char *scale = safetensors_metadata(d->file, "scale");
    const char *variant = safetensors_metadata(d->file, "variant");
    const char *arithmetic = safetensors_metadata(d->file, "arithmetic");
    if (given->arithmetic)
        arithmetic = strcmp(given->arithmetic, ARITHMETIC_AUTO) == 0 ? NULL : given->arithmetic;
    return read_window(d, given->window ? "option --window" : path,
                       given->window ? given->window : window, f) &&
           read_scale(d, given->scale ? "option --scale" : path,
                      given->scale ? given->scale : scale, f) &&
           read_variant(d, given->variant ? "option --variant" : path,
                        given->variant ? given->variant : variant, f) &&
           read_arithmetic(d, given->arithmetic ? "option --arithmetic" : path, arithmetic, f);
}
