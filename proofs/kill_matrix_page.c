/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kill_matrix_page.c - docs/kill-matrix.md, in lines of 100 columns. */
#include "kill_matrix.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const naming_rows[] = {"plain-scale-odd",
                                   "plain-two-blocks",
                                   "plain-without-silu",
                                   "trained-first-rows",
                                   "plain-without-causal-keys",
                                   "window-17",
                                   "neg-300",
                                   "large-su-200",
                                   "offset-64",
                                   "saturated-50",
                                   "equal-keys-duplicates",
                                   "loss-scale-13",
                                   "integers-half-gates"};
const size_t naming_row_count = sizeof naming_rows / sizeof *naming_rows;

bool is_naming_case(const GoldenCase *c)
{
    if (c->type == TYPE_F64)
        return false; /* for time: nothing is hidden by rounding there */
    for (size_t k = 0; k < naming_row_count; k++) {
        size_t n = strlen(naming_rows[k]);
        if (strncmp(c->id, naming_rows[k], n) == 0 && c->id[n] == '-' &&
            strcmp(c->id + n + 1, case_type_suffix(c->type)) == 0)
            return true;
    }
    return false;
}

static const NumberType types[] = {TYPE_F64, TYPE_F32, TYPE_BF16, TYPE_F16};
enum { TYPES = sizeof types / sizeof *types };

/* ---- text ------------------------------------------------------------------------------------ */

/* Prints a paragraph in lines of 100 columns; all but the first begin with `indent`. */
static __attribute__((format(printf, 2, 3))) void paragraph(const char *indent, const char *format,
                                                            ...)
{
    enum { COLUMNS = 100 };
    char text[2000];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(text, sizeof text, format, arguments) < 0)
        text[0] = '\0';
    va_end(arguments);
    size_t column = 0;
    for (const char *word = text; *word;) {
        size_t n = strcspn(word, " ");
        if (column && column + 1 + n > COLUMNS) {
            printf("\n%s", indent);
            column = strlen(indent);
        } else if (column) {
            column += (size_t)printf(" ");
        }
        column += (size_t)printf("%.*s", (int)n, word);
        word += n + (word[n] == ' ');
    }
    printf("\n");
}

/* ---- sums ------------------------------------------------------------------------------------ */

typedef struct Sums {
    size_t caught, by_check, named_of, named;
    const char *visible; /* a mutant that escapes and should not, or NULL */
} Sums;

static Sums sums_of(const KillMatrix *m, NumberType type)
{
    Sums s = {0};
    for (size_t k = 0; k < mutant_count(); k++) {
        const Tally *t = tally_at(m, k, type);
        s.caught += t->caught > 0 || t->by_check;
        s.by_check += t->by_check;
        s.named_of += t->named_of;
        s.named += t->named;
        if (!t->caught && !t->by_check && t->effect > VISIBLE)
            s.visible = mutant_at(k)->name;
    }
    return s;
}

static bool missed(bool good, const char *promise, const char *where)
{
    if (!good)
        (void)fprintf(stderr, "kill_matrix: not so: %s (%s)\n", promise, where);
    return good;
}

static bool promises_are_kept(const KillMatrix *m)
{
    bool good = true;
    for (size_t k = 0; k < RIGHT_KERNELS; k++) {
        good = missed(!m->right[k].wrong, "no right kernel is wrong", right_kernel_name(k)) && good;
        good = missed(!m->right[k].swallowed, "right kernels pass a NaN on",
                      right_kernel_name(k)) &&
               good;
    }
    for (size_t k = 0; k < TYPES; k++) {
        Sums s = sums_of(m, types[k]);
        double all = (double)mutant_count();
        bool enough = (double)s.caught >= (types[k] == TYPE_F32 ? 1 : CAUGHT_RATE) * all;
        const char *arithmetic = case_arithmetic(types[k]);
        good = missed(!s.visible, "what is past 20 sigma is caught", s.visible ? s.visible : "") &&
               good;
        good = missed(enough, "nearly all mutants are caught, in float32 all", arithmetic) && good;
        good = missed((double)s.named >= NAMED_RATE * (double)s.named_of,
                      "nearly all mistakes are named", arithmetic) &&
               good;
    }
    return good;
}

/* ---- the page's parts ------------------------------------------------------------------------ */

static void print_head(const KillMatrix *m)
{
    printf("# Which golden cases catch which known-wrong kernel\n\n");
    paragraph(
        "",
        "Made by `make mutants`. %zu mutants, each one change of one kernel "
        "([the catalogue](#the-catalogue)), answer the first head of every core case of heads "
        "with L up to %d, every rounding of the case's type played. A case *catches* a mutant "
        "whose answers are judged wrong.",
        mutant_count(), (int)MOST_TOKENS);
    printf("\n");
    char rows[400] = "";
    for (size_t k = 0; k < naming_row_count; k++)
        (void)snprintf(rows + strlen(rows), sizeof rows - strlen(rows), "%s%s", k ? ", " : "",
                       naming_rows[k]);
    paragraph("",
              "*named*: where a mutant is caught, whether the first mistake that `castle check` "
              "names, from the answers alone, is that mutant (or one whose answers differ from its "
              "by less than a sigma: no answer tells the two apart); in the cases of these rows: "
              "%s.",
              rows);
    printf("\n| type | cases | mutants caught | named first |\n|---|---|---|---|\n");
    for (size_t k = 0; k < TYPES; k++) {
        Sums s = sums_of(m, types[k]);
        printf("| %s | %zu | %zu of %zu, %.1f %% |", case_arithmetic(types[k]), m->cases[types[k]],
               s.caught, mutant_count(), 100.0 * (double)s.caught / (double)mutant_count());
        if (s.named_of)
            printf(" %zu of %zu, %.1f %% |\n", s.named, s.named_of,
                   100.0 * (double)s.named / (double)s.named_of);
        else
            printf(" - |\n");
    }
    printf("\n");
    paragraph(
        "", "`nan-swallowed` changes only what a NaN reaches, which no value defines; it is caught "
            "by the check `swallowed` that every case asks of a plug-in: NaN in all inputs of the "
            "token in the middle leaves no later row of o and lse finite.");
}

static void print_right_kernels(const KillMatrix *m)
{
    printf("\n## Right kernels\n\n");
    paragraph(
        "",
        "Kernels without a mistake answer the first head of every core case of heads, the dense "
        "ones where L is at most %d, in the case's own arithmetic: float64, float32, and "
        "bfloat16 or float16 operands with float32 accumulation. They differ in the order of "
        "their sums and in how these round. None is called wrong in any case, and none fails "
        "the check `swallowed`.",
        (int)MOST_TOKENS);
    printf("\n| kernel | cases | wrong | suspect | largest z |\n|---|---|---|---|---|\n");
    for (size_t k = 0; k < RIGHT_KERNELS; k++) {
        const RightTally *t = &m->right[k];
        printf("| %s | %zu | %zu | %zu%s%s%s | %.2g |\n", right_kernel_name(k), t->cases, t->wrong,
               t->suspect, t->first ? " (" : "", t->first ? t->first : "", t->first ? ")" : "",
               t->z);
    }
}

static void print_type(const KillMatrix *m, NumberType type)
{
    printf("\n## %s\n\n| mutant | caught by | first | largest z | named |\n|---|---|---|---|---|\n",
           case_arithmetic(type));
    for (size_t k = 0; k < mutant_count(); k++) {
        const Tally *t = tally_at(m, k, type);
        printf("| %s %s | ", mutant_at(k)->id, mutant_at(k)->name);
        if (t->by_check)
            printf("`swallowed` | %s | - |", t->first);
        else
            printf("%zu | %s | %.2g |", t->caught, t->first ? t->first : "-", t->z);
        if (t->named_of)
            printf(" %zu of %zu |\n", t->named, t->named_of);
        else
            printf(" - |\n");
    }
}

/* Why nothing catches it: computed. */
static void print_reason(const Mutant *mutant, const Tally *t)
{
    if (t->effect < 1e-3)
        paragraph("  ",
                  "* %s %s: no case of this type has what it mistakes: its exact answers differ by "
                  "at most %.1g sigma.",
                  mutant->id, mutant->name, t->effect);
    else
        paragraph("  ", "* %s %s: largest exact effect %.2g sigma, in %s of %s.", mutant->id,
                  mutant->name, t->effect, answer_name(t->effect_answer), t->effect_case);
}

static void print_escaped(const KillMatrix *m, NumberType type)
{
    size_t escaped = 0;
    double right = 0;
    for (size_t k = 0; k < RIGHT_KERNELS; k++)
        right = fmax(right, m->right[k].z);
    for (size_t k = 0; k < mutant_count(); k++) {
        const Tally *t = tally_at(m, k, type);
        if (t->caught || t->by_check)
            continue;
        if (!escaped++) {
            printf("\n");
            paragraph(
                "",
                "Caught by nothing. Their exact effect is the largest z of their answers "
                "without roundings of their own. Right kernels come to %.2g sigma; below %.0f "
                "rounding may hide a mistake, which errs hardly more than the roundings that "
                "the type declares.",
                right, VISIBLE);
            printf("\n");
        }
        print_reason(mutant_at(k), t);
    }
    if (!escaped)
        printf("\nAll are caught.\n");
}

static void print_catalogue(void)
{
    printf("\n## The catalogue\n\n");
    paragraph(
        "",
        "What each mutant changes, and in parentheses the answers that this can touch. Blocks "
        "are of %d tokens. A fault of the forward pass is in the backward pass too, which "
        "derives the changed function; an operand that is exchanged stays right there.",
        (int)MUTANT_BLOCK);
    printf("\n");
    for (size_t k = 0; k < mutant_count(); k++) {
        const Mutant *m = mutant_at(k);
        char touched[100] = "";
        for (Answer a = 0; a < HEAD_ANSWERS; a++)
            if (m->touches >> a & 1)
                (void)snprintf(touched + strlen(touched), sizeof touched - strlen(touched), "%s%s",
                               *touched ? " " : "", answer_name(a));
        paragraph("  ", "* **%s %s**: %s (%s).", m->id, m->name, m->what, touched);
    }
}

bool kill_matrix_page(const KillMatrix *m)
{
    print_head(m);
    print_right_kernels(m);
    for (size_t k = 0; k < TYPES; k++) {
        print_type(m, types[k]);
        print_escaped(m, types[k]);
    }
    print_catalogue();
    return promises_are_kept(m);
}
