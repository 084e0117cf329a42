/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report.h"

#include "json_values.h"

#include <math.h>
#include <string.h>

/* ---- where an element is -------------------------------------------------------------------- */

static void describe_place(char *text, size_t size, const Dump *d, Answer a, size_t index)
{
    Layout l = answer_layout(&d->task.size, a);
    size_t at[4];
    for (size_t k = l.dims; k-- > 0; index /= l.shape[k])
        at[k] = index % l.shape[k];
    layout_describe(text, size, l.dims, at);
}

/* The largest z in a row (or column) around the worst element. */
static double largest_z(const TensorReport *r, const Slab *s, bool by_row, size_t index)
{
    double z = 0;
    size_t n = by_row ? s->cols : s->rows;
    for (size_t k = 0; k < n; k++) {
        size_t i = by_row ? index : k, j = by_row ? k : index;
        const Score *score = &r->scores[s->origin + i * s->row_step + j];
        if (score->judged)
            z = fmax(z, score->z);
    }
    return z;
}

/* ---- for people ----------------------------------------------------------------------------- */

enum { AROUND = 3, PAGE = 100 };

static void print_line_around(FILE *out, const TensorReport *r, const Slab *s, bool by_row,
                              size_t centre)
{
    size_t n = by_row ? s->rows : s->cols;
    size_t first = centre < AROUND ? 0 : centre - AROUND;
    size_t end = centre + AROUND + 1 < n ? centre + AROUND + 1 : n;
    fprintf(out, "          %-7s", by_row ? "row" : "column");
    for (size_t k = first; k < end; k++)
        fprintf(out, " %9zu", k);
    fprintf(out, "\n          %-7s", "max z");
    for (size_t k = first; k < end; k++)
        fprintf(out, " %9.3g", largest_z(r, s, by_row, k));
    fputc('\n', out);
}

static void print_wrong(FILE *out, const Dump *d, const TensorReport *r, Answer a)
{
    const Verdict *v = &r->verdict;
    if (!v->judged) {
        fputs("          nothing to judge: no true value here is a finite number\n", out);
        return;
    }
    fprintf(out, "          answered %.9g, truth %.17g, error %.3g", r->answered[v->worst],
            r->truth[v->worst], v->worst_score.error);
    if (v->not_finite)
        fprintf(out, "; %zu not finite", v->not_finite);
    if (v->past_bound)
        fprintf(out, "; %zu past the bound", v->past_bound);
    fputc('\n', out);
    Place at = place_of(&d->task.size, a, v->worst);
    Slab slab = slab_of(&d->task.size, a, v->worst);
    print_line_around(out, r, &slab, true, at.row);
    if (slab.cols > 1)
        print_line_around(out, r, &slab, false, at.column);
}

static void print_tensor(FILE *out, const Dump *d, const TensorReport *r, Answer a)
{
    const Verdict *v = &r->verdict;
    char at[120] = "-";
    if (v->judged)
        describe_place(at, sizeof at, d, a, v->worst);
    fprintf(out, "  %-6s  %-7s %8zu  %8.3g  %5.1f %5.1f  %9.2e  %8.3g  %s\n", answer_name(a),
            judgement_name(v->judgement), v->judged, v->judged ? v->worst_score.z : NAN,
            v->thresholds.suspect, v->thresholds.wrong, v->most_of_bound, r->worst_ulps, at);
    if (v->judgement != RIGHT)
        print_wrong(out, d, r, a);
}

static void print_truth(FILE *out, const Dump *d, const CheckReport *c)
{
    fprintf(out, "  truth: %zu numbers certified in balls, %ld bits; %zu ties", c->certified,
            c->bits, c->ties);
    if (c->undefined)
        fprintf(out, "; %zu without a finite value", c->undefined);
    if (c->naive_heads)
        fprintf(out, "\n  the sequential form lies inside every ball\n");
    else
        fprintf(out, "\n  sequential form not run (L > %d)\n", ORACLE_NAIVE_LENGTH);
    if (d->not_judged_count) {
        int at = fprintf(out, "  not judged:");
        for (size_t k = 0; k < d->not_judged_count; k++) {
            char name[60];
            failure_quote(name, sizeof name, d->not_judged[k]);
            if (at + (int)strlen(name) >= PAGE)
                at = fprintf(out, "\n             ") - 1;
            at += fprintf(out, " %s", name);
        }
        fputc('\n', out);
    }
}

/* Where the errors are, and which came first. */
static void print_where(FILE *out, const CheckReport *c)
{
    const Where *where[ANSWERS];
    char text[300];
    if (c->first.answer == ANSWERS)
        return;
    for (Answer a = 0; a < ANSWERS; a++)
        where[a] = c->tensor[a].where;
    where_print(out, where, 2);
    first_wrong_describe(&c->first, text, sizeof text);
    fprintf(out, "  first wrong: %s\n", text);
}

/* The mistakes of the catalogue that agree with a wrong head in all its answers. */
static void print_diagnosis(FILE *out, const CheckReport *c)
{
    enum { NAMED = 3 };
    const Diagnosis *d = &c->diagnosis;
    if (!d->tried)
        return;
    if (!d->count)
        fputs("  no known mistake agrees with these answers\n", out);
    for (size_t k = 0; k < d->count && k < NAMED; k++)
        fprintf(out, "  %s %s (%s):\n    %s\n    all answers agree with it, max z %.3g\n",
                k ? "or" : "agrees with", d->mutant[k]->id, d->mutant[k]->name, d->mutant[k]->what,
                d->z[k]);
    if (d->count > NAMED)
        fprintf(out, "  and %zu more, which these inputs do not tell apart\n", d->count - NAMED);
}

/* A verdict, red where it is wrong. */
static void print_judgement(FILE *out, Judgement j, int width, bool colour)
{
    bool red = colour && j == WRONG;
    fprintf(out, "%s%-*s%s", red ? "\033[31m" : "", width, judgement_name(j), red ? "\033[m" : "");
}

static void print_arithmetic(FILE *out, const Dump *d, const CheckReport *c)
{
    char text[400];
    fprintf(out, "  arithmetic %s%s\n", d->task.arithmetic.name,
            d->arithmetic_stated || c->guess.made ? ""
                                                  : " (not stated; taken from the answers' type)");
    if (!c->guess.made)
        return;
    guess_describe(&c->guess, text, sizeof text);
    fprintf(out, "    %s\n", text);
    for (size_t k = 0; k < c->guess.others; k++)
        fprintf(out, "    or %s, which these answers hardly tell apart\n", c->guess.other[k]);
}

void report_print(FILE *out, const char *path, const Dump *d, const CheckReport *c, bool colour)
{
    char window[40], scale[40], name[200];
    task_describe_window(&d->task, window, sizeof window);
    task_describe_scale(&d->task, scale, sizeof scale);
    failure_quote_path(name, sizeof name, path);
    fprintf(out, "%s: ", name);
    print_judgement(out, c->judgement, 0, colour);
    fputc('\n', out);
    fprintf(out, "  batch %zu, heads %zu, L %zu, d %zu", d->task.size.batch, d->task.size.heads,
            d->task.size.length, d->task.size.dim);
    if (d->task.size.width)
        fprintf(out, ", a layer with dm %zu", d->task.size.width);
    fprintf(out, "; window %s%s, scale %s%s\n", window, d->window_stated ? "" : " (not stated)",
            scale, d->scale_stated ? "" : " (not stated)");
    if (d->task.variant != CASTLE)
        fprintf(out, "  variant %s\n", variant_name(d->task.variant));
    print_arithmetic(out, d, c);
    print_truth(out, d, c);
    fprintf(out, "  %-6s  %-7s %8s  %8s  %11s  %9s  %8s  %s\n", "tensor", "verdict", "elements",
            "max z", "susp. wrong", "err/bound", "ulps",
            d->task.size.width ? "worst at" : "worst at [batch, head, t, k]");
    for (Answer a = 0; a < ANSWERS; a++)
        if (c->tensor[a].present)
            print_tensor(out, d, &c->tensor[a], a);
    print_where(out, c);
    print_diagnosis(out, c);
    fputc('\n', out);
}

ReportLine report_line(const char *path, const Dump *d, const CheckReport *c)
{
    ReportLine line = {.path = path, .judgement = c->judgement, .layer = d->task.size.width > 0};
    for (Answer a = 0; a < ANSWERS; a++) {
        line.present[a] = c->tensor[a].present;
        line.verdict[a] = c->tensor[a].verdict;
    }
    return line;
}

/* "1.2" right, "7.5?" suspect, "!31" wrong: the largest z, as wide as a column. */
static void print_cell(FILE *out, const Verdict *v)
{
    char cell[40];
    const char *before = v->judgement == WRONG ? "!" : "",
               *after = v->judgement == SUSPECT ? "?" : "";
    double z = v->judged ? v->worst_score.z : NAN;
    snprintf(cell, sizeof cell, z >= 99.5 ? "%s%.0e%s" : "%s%.2g%s", before, z, after);
    fprintf(out, " %5s", cell);
}

/* The table's columns: an answer each, all stages under one name. */
typedef struct Columns {
    Answer answer[ANSWERS];
    size_t count;
} Columns;

static Columns columns_of(const ReportLine *lines, size_t count, bool layers)
{
    Columns c = {.count = 0};
    for (Answer a = 0; a < ANSWERS; a++) {
        bool present = false;
        for (size_t i = 0; i < count; i++)
            present = present || (lines[i].layer == layers && lines[i].present[a]);
        bool stages_again = answer_is_stage(a) && c.count && answer_is_stage(c.answer[c.count - 1]);
        if (present && !stages_again)
            c.answer[c.count++] = a;
    }
    return c;
}

/* What stands in the column of answer a: the answer, or the worst of the stages. */
static const Verdict *in_column(const ReportLine *line, Answer a)
{
    const Verdict *worst = line->present[a] ? &line->verdict[a] : NULL;
    for (Answer s = a; answer_is_stage(a) && s < ANSWERS && answer_is_stage(s); s++)
        if (line->present[s] && (!worst || line->verdict[s].judgement > worst->judgement ||
                                 (line->verdict[s].judgement == worst->judgement &&
                                  line->verdict[s].worst_score.z > worst->worst_score.z)))
            worst = &line->verdict[s];
    return worst;
}

static void table_of(FILE *out, const ReportLine *lines, size_t count, bool layers)
{
    enum { PATH = 28 };
    Columns c = columns_of(lines, count, layers);
    if (!c.count)
        return;
    fprintf(out, "%-*s %-7s", PATH, layers ? "layer dump" : "dump", "verdict");
    for (size_t k = 0; k < c.count; k++)
        fprintf(out, " %5s", answer_is_stage(c.answer[k]) ? "stage" : answer_name(c.answer[k]));
    fputc('\n', out);
    for (size_t i = 0; i < count; i++) {
        if (lines[i].layer != layers)
            continue;
        char path[PATH + 1];
        const char *slash = strrchr(lines[i].path, '/');
        failure_quote(path, sizeof path, slash && slash[1] ? slash + 1 : lines[i].path);
        fprintf(out, "%-*s %-7s", PATH, path, judgement_name(lines[i].judgement));
        for (size_t k = 0; k < c.count; k++) {
            const Verdict *v = in_column(&lines[i], c.answer[k]);
            if (v)
                print_cell(out, v);
            else
                fprintf(out, " %5s", "-");
        }
        fputc('\n', out);
    }
}

void report_table(FILE *out, const ReportLine *lines, size_t count)
{
    table_of(out, lines, count, false);
    table_of(out, lines, count, true);
    fputs("(numbers: max z, the largest error in standard deviations; ! wrong, ? suspect)\n", out);
}

/* ---- for programs --------------------------------------------------------------------------- */

static json_t *tensor_json(const Dump *d, const TensorReport *r, Answer a, bool maps)
{
    const Verdict *v = &r->verdict;
    json_t *o = json_object();
    json_object_set_new(o, "verdict", json_string(judgement_name(v->judgement)));
    json_object_set_new(o, "elements", json_integer((json_int_t)v->elements));
    json_object_set_new(o, "judged", json_integer((json_int_t)v->judged));
    json_object_set_new(o, "not_finite", json_integer((json_int_t)v->not_finite));
    json_object_set_new(o, "past_bound", json_integer((json_int_t)v->past_bound));
    json_object_set_new(o, "suspect_above", number_json(v->thresholds.suspect));
    json_object_set_new(o, "wrong_above", number_json(v->thresholds.wrong));
    json_object_set_new(o, "error_over_bound", number_json(v->most_of_bound));
    if (!v->judged)
        return o;
    Place p = place_of(&d->task.size, a, v->worst);
    json_object_set_new(o, "z", number_json(v->worst_score.z));
    json_object_set_new(o, "ulps", number_json(r->worst_ulps));
    json_t *worst = json_pack("{s:I, s:I, s:I, s:I}", "batch", (json_int_t)p.batch, "head",
                              (json_int_t)p.head, "row", (json_int_t)p.row, "column",
                              (json_int_t)p.column);
    json_object_set_new(worst, "answer", number_json(r->answered[v->worst]));
    json_object_set_new(worst, "truth", number_json(r->truth[v->worst]));
    json_object_set_new(worst, "error", number_json(v->worst_score.error));
    json_object_set_new(o, "worst", worst);
    if (r->where)
        json_object_set_new(o, "pattern", pattern_json(&r->where->pattern));
    if (r->where && maps)
        json_object_set_new(o, "map", heat_map_json(&r->where->map));
    return o;
}

static json_t *diagnosis_json(const Diagnosis *d)
{
    json_t *all = json_array();
    for (size_t k = 0; k < d->count; k++)
        json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:o}", "id", d->mutant[k]->id, "name",
                                             d->mutant[k]->name, "what", d->mutant[k]->what, "z",
                                             number_json(d->z[k])));
    return all;
}

json_t *report_json(const char *path, const Dump *d, const CheckReport *c, bool maps)
{
    char window[40], scale[40];
    task_describe_window(&d->task, window, sizeof window);
    task_describe_scale(&d->task, scale, sizeof scale);
    json_t *o = json_object(), *tensors = json_object(), *skipped = json_array();
    json_object_set_new(o, "file", text_json(path));
    json_object_set_new(o, "verdict", json_string(judgement_name(c->judgement)));
    json_object_set_new(o, "shape",
                        json_pack("[I, I, I, I]", (json_int_t)d->task.size.batch,
                                  (json_int_t)d->task.size.heads, (json_int_t)d->task.size.length,
                                  (json_int_t)d->task.size.dim));
    if (d->task.size.width)
        json_object_set_new(o, "width", json_integer((json_int_t)d->task.size.width));
    json_object_set_new(o, "variant", json_string(variant_name(d->task.variant)));
    json_object_set_new(o, "window", json_string(window));
    json_object_set_new(o, "scale", json_string(scale));
    json_object_set_new(o, "arithmetic", text_json(d->task.arithmetic.name));
    if (c->guess.made)
        json_object_set_new(o, "guess", guess_json(&c->guess));
    json_object_set_new(o, "truth",
                        json_pack("{s:i, s:I, s:I, s:I, s:I}", "bits", (int)c->bits, "certified",
                                  (json_int_t)c->certified, "ties", (json_int_t)c->ties,
                                  "undefined", (json_int_t)c->undefined,
                                  "heads_checked_sequentially", (json_int_t)c->naive_heads));
    for (Answer a = 0; a < ANSWERS; a++)
        if (c->tensor[a].present)
            json_object_set_new(tensors, answer_name(a), tensor_json(d, &c->tensor[a], a, maps));
    for (size_t k = 0; k < d->not_judged_count; k++)
        json_array_append_new(skipped, text_json(d->not_judged[k]));
    json_object_set_new(o, "tensors", tensors);
    if (c->first.answer != ANSWERS)
        json_object_set_new(o, "first_wrong", first_wrong_json(&c->first));
    if (c->diagnosis.tried)
        json_object_set_new(o, "diagnosis", diagnosis_json(&c->diagnosis));
    json_object_set_new(o, "not_judged", skipped);
    return o;
}
