/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kernel_report.h"

#include "failure.h"

#include <math.h>
#include <string.h>

enum { PAGE = 100 };

bool trial_is_unsupported(const Trial *t) { return t->unsupported && !t->sets && !t->faults; }

TrialTally tally_of(const Trials *all)
{
    TrialTally n = {.faulty = 0};
    for (size_t k = 0; k < all->count; k++) {
        const Trial *t = &all->at[k];
        n.unsupported += trial_is_unsupported(t);
        n.of[t->judgement] += !trial_is_unsupported(t);
        n.faulty += t->faults > 0;
    }
    return n;
}

/* ---- what is not right ------------------------------------------------------------------------ */

static const char *red(bool colour) { return colour ? "\033[31m" : ""; }
static const char *plain(bool colour) { return colour ? "\033[m" : ""; }

/* Words over as many lines as they need, the later ones indented. */
static void print_wrapped(FILE *out, const char *text)
{
    enum { INDENT = 4 };
    size_t at = 0;
    for (bool first = true; text[at]; first = false) {
        size_t most = first ? PAGE - 2 : PAGE - INDENT, n = strlen(text + at);
        if (n > most)
            for (n = most; n > most / 2 && text[at + n] != ' '; n--)
                ;
        fprintf(out, "%*s%.*s\n", first ? 2 : INDENT, "", (int)n, text + at);
        at += n;
        at += text[at] == ' ';
    }
}

static void print_fault(FILE *out, const Trial *t, const Fault *f)
{
    char line[400];
    snprintf(line, sizeof line, "%s: %s: %s", t->id, f->part, f->text);
    print_wrapped(out, line);
}

static void print_verdict(FILE *out, const Trial *t, const AnswerSet *s, Answer a, bool colour)
{
    const Verdict *v = &s->verdict[a];
    char at[60] = "-";
    bool wrong = v->judgement == WRONG;
    if (v->judged) {
        Layout l = answer_layout(&t->given.task.size, a);
        size_t index = v->worst, place[4];
        for (size_t k = l.dims; k-- > 0; index /= l.shape[k])
            place[k] = index % l.shape[k];
        layout_describe(at, sizeof at, l.dims, place);
    }
    fprintf(out, "  %-28.28s %-15s %-4s %s%-7s%s %8.3g %5.1f %9.2e  %s\n", t->id, s->part,
            answer_name(a), wrong ? red(colour) : "", judgement_name(v->judgement),
            wrong ? plain(colour) : "", v->judged ? v->worst_score.z : NAN, v->thresholds.wrong,
            v->most_of_bound, at);
    if (v->judgement != RIGHT && v->judged) {
        fprintf(out, "      answered %.9g, truth %.17g", s->answered[a], s->truth[a]);
        if (v->not_finite)
            fprintf(out, "; %zu not finite", v->not_finite);
        fputc('\n', out);
    }
    if (s->where[a] && s->where[a]->pattern.block.block) {
        char text[160];
        block_describe(&s->where[a]->pattern.block, text, sizeof text);
        fprintf(out, "      %s\n", text);
    }
    if (v->judgement != RIGHT && !v->judged)
        fprintf(out, "      nothing to judge: no true value here is a finite number\n");
}

static void print_first(FILE *out, const FirstWrong *first)
{
    char text[300];
    if (first->answer == ANSWERS)
        return;
    first_wrong_describe(first, text, sizeof text);
    fprintf(out, "      first wrong: %s\n", text);
}

/* Whether there is anything to say of a set's answer. */
static bool is_told(const AnswerSet *s, Answer a, bool verbose)
{
    return s->answer[a] && (verbose || s->verdict[a].judgement != RIGHT);
}

static void print_lines(FILE *out, const Trials *all, bool verbose, bool colour)
{
    bool begun = false;
    for (size_t k = 0; k < all->count; k++) {
        const Trial *t = &all->at[k];
        for (size_t f = 0; f < t->faults; f++)
            print_fault(out, t, &t->fault[f]);
        if (t->not_reported)
            fprintf(out, "  %s: and %zu more\n", t->id, t->not_reported);
        if (verbose && t->unsupported)
            fprintf(out, "  %s: %zu calls are not supported\n", t->id, t->unsupported);
        for (size_t s = 0; s < t->sets; s++) {
            for (Answer a = 0; a < ANSWERS; a++) {
                if (!is_told(&t->set[s], a, verbose))
                    continue;
                if (!begun)
                    fprintf(out, "  %-28s %-15s %-4s %-7s %8s %5s %9s  %s\n", "case", "call", "of",
                            "verdict", "max z", "wrong", "err/bound", "worst at");
                begun = true;
                print_verdict(out, t, &t->set[s], a, colour);
            }
            print_first(out, &t->set[s].first);
        }
    }
}

/* ---- the summary ------------------------------------------------------------------------------ */

/* The worst of a family's verdicts on one answer. */
static const Verdict *worst_of(const Trials *all, CaseFamily family, Answer a)
{
    const Verdict *worst = NULL;
    for (size_t k = 0; k < all->count; k++)
        for (size_t s = 0; all->at[k].family == family && s < all->at[k].sets; s++) {
            const AnswerSet *set = &all->at[k].set[s];
            const Verdict *v = &set->verdict[a];
            if (set->answer[a] &&
                (!worst || v->judgement > worst->judgement ||
                 (v->judgement == worst->judgement && v->worst_score.z > worst->worst_score.z)))
                worst = v;
        }
    return worst;
}

static void print_cell(FILE *out, const Verdict *v, bool colour)
{
    char cell[40];
    double z = v && v->judged ? v->worst_score.z : NAN;
    bool wrong = v && v->judgement == WRONG, suspect = v && v->judgement == SUSPECT;
    if (!v)
        snprintf(cell, sizeof cell, "-");
    else
        snprintf(cell, sizeof cell, z >= 99.5 || (z > 0 && z < 0.01) ? "%s%.0e%s" : "%s%.2g%s",
                 wrong ? "!" : "", z, suspect ? "?" : "");
    fprintf(out, " %s%6s%s", wrong ? red(colour) : "", cell, wrong ? plain(colour) : "");
}

static void print_family(FILE *out, const Trials *all, CaseFamily family, bool colour)
{
    size_t cases = 0, faults = 0, unsupported = 0;
    for (size_t k = 0; k < all->count; k++)
        if (all->at[k].family == family) {
            cases++;
            faults += all->at[k].faults + all->at[k].not_reported;
            unsupported += all->at[k].unsupported;
        }
    if (!cases)
        return;
    fprintf(out, "  %-13s %5zu %6zu %6zu", case_family_name(family), cases, unsupported, faults);
    for (Answer a = 0; a < HEAD_ANSWERS; a++)
        print_cell(out, worst_of(all, family, a), colour);
    fputc('\n', out);
}

void trials_summarise(const Trials *all, const TrialOptions *o, char *text, size_t size)
{
    TrialTally n = tally_of(all);
    char fresh[80] = "", unsupported[60] = "";
    bool guessed = false;
    for (unsigned type = 0; type < NUMBER_TYPES; type++)
        guessed = guessed || all->guess[type].made;
    if (o->fresh)
        snprintf(fresh, sizeof fresh, " (%zu fresh, --seed %lu)", o->fresh, o->seed);
    if (n.unsupported)
        snprintf(unsupported, sizeof unsupported, ", %zu unsupported", n.unsupported);
    snprintf(text, size, "%zu cases%s: %zu right, %zu suspect, %zu wrong%s%s", all->count, fresh,
             n.of[RIGHT], n.of[SUSPECT], n.of[WRONG], unsupported,
             guessed ? "; the arithmetic is guessed" : "");
}

static void print_guesses(FILE *out, const Trials *all)
{
    for (unsigned type = 0; type < NUMBER_TYPES; type++) {
        const Guess *g = &all->guess[type];
        char text[400];
        if (!g->made)
            continue;
        snprintf(text, sizeof text, "%s: arithmetic %s", number_type_name((NumberType)type),
                 g->arithmetic.name);
        print_wrapped(out, text);
        guess_describe(g, text, sizeof text);
        print_wrapped(out, text);
    }
}

void trials_print(FILE *out, const Trials *all, const char *kernel, const TrialOptions *o,
                  bool verbose, bool colour)
{
    char name[90], summary[400];
    bool wrong = tally_of(all).of[WRONG] > 0;
    failure_quote_path(name, sizeof name, kernel);
    fprintf(out, "%s\n", name);
    print_guesses(out, all);
    print_lines(out, all, verbose, colour);
    fprintf(out, "\n  %-13s %5s %6s %6s", "family", "cases", "unsup.", "faults");
    for (Answer a = 0; a < HEAD_ANSWERS; a++)
        fprintf(out, " %6s", answer_name(a));
    fputc('\n', out);
    for (CaseFamily family = 0; family < CASE_FAMILIES; family++)
        print_family(out, all, family, colour);
    fputs("  (numbers: max z, the largest error in standard deviations; ! wrong, ? suspect)\n\n",
          out);
    trials_summarise(all, o, summary, sizeof summary);
    fprintf(out, "%s%s%s\n", wrong ? red(colour) : "", summary, wrong ? plain(colour) : "");
}
