/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "explain_tables.h"

#include "explain_json.h"

#include <string.h>

void html_escaped(FILE *out, const char *text)
{
    static const struct {
        char plain;
        const char *html;
    } marks[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    for (; *text; text++) {
        const char *html = NULL;
        for (size_t k = 0; k < sizeof marks / sizeof *marks; k++)
            if (*text == marks[k].plain)
                html = marks[k].html;
        if (html)
            (void)fputs(html, out);
        else
            (void)fputc(*text, out);
    }
}

/* End tags of cells and rows are left out: HTML needs none, and a long text has 20000 cells. */
static void cell(FILE *out, double x) { (void)fprintf(out, "<td>%s", decimal_of(x).text); }

static void cells(FILE *out, const double *x, size_t count)
{
    for (size_t k = 0; k < count; k++)
        cell(out, x[k]);
}

static void row_head(FILE *out, const Explain *e, size_t s)
{
    (void)fprintf(out, "<tr><th scope=row>%zu ", s + 1);
    html_escaped(out, e->words.at[s]);
}

static void column_heads(FILE *out, const char *name, size_t count)
{
    for (size_t k = 0; k < count; k++)
        (void)fprintf(out, "<th scope=col>%s<sub>%zu</sub>", name, k + 1);
}

static void begin_table(FILE *out, const char *caption)
{
    (void)fprintf(out,
                  "<div class=scroll tabindex=0 role=region aria-label=\"%s\"><table><caption>%s"
                  "</caption><thead><tr><th scope=col>token",
                  caption, caption);
}

static void end_table(FILE *out) { (void)fputs("</table></div>\n", out); }

static void vector_table(FILE *out, const Explain *e, const ExplainHead *h, size_t head)
{
    static const char *const names[INPUTS] = {"QU", "KU", "VU", "QC", "KC", "VC"};
    for (Input k = 0; k < INPUTS; k++) {
        char caption[80];
        (void)snprintf(caption, sizeof caption, "%s of every token, head %zu", names[k], head + 1);
        begin_table(out, caption);
        column_heads(out, names[k], e->dim);
        (void)fputs("<tbody>", out);
        for (size_t s = 0; s < e->words.count; s++) {
            row_head(out, e, s);
            cells(out, h->inputs.of[k] + s * e->dim, e->dim);
        }
        end_table(out);
    }
}

/* With a window, u_s stands still after step s + W. */
static const double *lookahead_key_of(const Explain *e, const ExplainHead *h, size_t t, size_t s)
{
    size_t L = e->words.count, last = t - s > e->window ? s + e->window : t;
    return h->text.U + (last * L + s) * e->dim;
}

static void step_table(FILE *out, const Explain *e, const ExplainHead *h, size_t t)
{
    char caption[80];
    size_t L = e->words.count;
    (void)snprintf(caption, sizeof caption, "Step t = %zu: what every key scores and weighs",
                   t + 1);
    begin_table(out, caption);
    column_heads(out, "u", e->dim);
    (void)fputs("<th scope=col>sC<th scope=col>sU<th scope=col>SiLU(sU)<th scope=col>score"
                "<th scope=col>weight p<tbody>",
                out);
    for (size_t s = 0; s <= t; s++) {
        row_head(out, e, s);
        cells(out, lookahead_key_of(e, h, t, s), e->dim);
        cell(out, h->text.SC[t * L + s]);
        cell(out, h->setting.SU[t * L + s]); /* 0 for s = t: an empty sum */
        cell(out, h->setting.SILU[t * L + s]);
        cell(out, h->setting.S[t * L + s]);
        cell(out, h->setting.P[t * L + s]);
    }
    end_table(out);
    (void)fprintf(out, "<p>Output o<sub>%zu</sub> = (", t + 1);
    for (size_t k = 0; k < e->dim; k++)
        (void)fprintf(out, "%s%s", k ? ", " : "", decimal_of(h->setting.O[t * e->dim + k]).text);
    (void)fprintf(out, "), lse<sub>%zu</sub> = %s.\n", t + 1, decimal_of(h->setting.LSE[t]).text);
}

void html_tables(FILE *out, const Explain *e, const ExplainHead *heads)
{
    for (size_t k = 0; k < e->heads; k++) {
        (void)fprintf(
            out, "<h3>Head %zu: the six vectors of every token</h3>\n<div class=tables>\n", k + 1);
        vector_table(out, e, &heads[k], k);
        (void)fprintf(out, "</div>\n<h3>Head %zu, step by step</h3>\n", k + 1);
        for (size_t t = 0; t < e->words.count; t++)
            step_table(out, e, &heads[k], t);
    }
}
