/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check_dumps.h"

#include "bug.h"
#include "commands.h"
#include "json_values.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>

/* What all files came to. */
typedef struct Session {
    const DumpOptions *options;
    const CheckOutput *out;
    bool guess;
    ReportLine *lines;
    size_t judged;
    json_t *reports, *refused;
} Session;

static bool has_answers(const Dump *d)
{
    for (Answer a = 0; a < ANSWERS; a++)
        if (d->answer[a])
            return true;
    return false;
}

static void tell(Session *s, const char *path, const Dump *d, const CheckReport *report)
{
    s->lines[s->judged++] = report_line(path, d, report);
    if (output_is_text(s->out))
        report_print(stdout, path, d, report, output_in_colour());
    if (output_wants_document(s->out))
        json_array_append_new(s->reports, report_json(path, d, report, output_wants_maps(s->out)));
}

/* Judges one file, and prints or collects what there is to say. */
static bool check_file(Session *s, const char *path, Failure *f)
{
    Dump d;
    CheckReport report;
    if (!dump_open(&d, path, s->options, f))
        return false;
    if (!has_answers(&d)) {
        char name[160];
        failure_quote_path(name, sizeof name, path);
        fail(f, "%s: there is nothing to judge: none of the answers %s is in the file", name,
             d.task.size.width ? "y, dx, dwqu, dwku, dwvu, dwqc, dwkc, dwvc, dwo"
                               : "o, lse, u, dqu, dku, dvu, dqc, dkc, dvc, and no stage");
        dump_close(&d);
        return false;
    }
    bool done = check_dump(&report, &d, s->guess, path, f);
    if (done) {
        tell(s, path, &d, &report);
        check_free(&report);
    }
    dump_close(&d);
    return done;
}

static void refuse_file(Session *s, const char *path, const char *name, const Failure *why)
{
    refuse(name, why);
    json_array_append_new(s->refused,
                          json_pack("{s:o, s:s}", "file", text_json(path), "why", why->text));
}

static void summarise(const Session *s, char *text, size_t size)
{
    size_t of[3] = {0}, unusable = json_array_size(s->refused);
    char refused[40] = "";
    for (size_t k = 0; k < s->judged; k++)
        of[s->lines[k].judgement]++;
    if (unusable)
        snprintf(refused, sizeof refused, ", %zu unusable", unusable);
    snprintf(text, size, "%zu right, %zu suspect, %zu wrong%s%s", of[RIGHT], of[SUSPECT], of[WRONG],
             refused, s->guess ? "; the arithmetic is guessed" : "");
}

/* The last lines, and the files. */
static bool end(const Session *s, Failure *f)
{
    char summary[200];
    summarise(s, summary, sizeof summary);
    if (output_is_text(s->out) && s->judged) {
        if (s->judged > 1) {
            report_table(stdout, s->lines, s->judged);
            putchar('\n');
        }
        puts(summary);
    }
    if (!output_wants_document(s->out))
        return true;
    json_t *document = json_pack("{s:O, s:I, s:O}", "dumps", s->reports, "unusable",
                                 (json_int_t)json_array_size(s->refused), "refused", s->refused);
    bool written = output_document(s->out, document, summary, f);
    json_decref(document);
    return written;
}

int check_dumps(char *const *files, size_t count, const DumpOptions *options,
                const CheckOutput *out, const char *name)
{
    Session s = {.options = options,
                 .out = out,
                 .guess = options->arithmetic && strcmp(options->arithmetic, ARITHMETIC_AUTO) == 0,
                 .lines = room_for(__func__, count, sizeof *s.lines),
                 .reports = json_array(),
                 .refused = json_array()};
    Failure failure;
    Judgement worst = RIGHT;
    for (size_t k = 0; k < count; k++)
        if (!check_file(&s, files[k], &failure))
            refuse_file(&s, files[k], name, &failure);
        else if (s.lines[s.judged - 1].judgement > worst)
            worst = s.lines[s.judged - 1].judgement;
    bool unusable = json_array_size(s.refused) > 0;
    if (!end(&s, &failure)) {
        refuse(name, &failure);
        unusable = true;
    }
    free(s.lines);
    json_decref(s.reports);
    json_decref(s.refused);
    if (worst == SUSPECT)
        fprintf(stderr, "%s: warning: an answer is suspect; see the table\n", name);
    if (unusable)
        return EXIT_UNUSABLE;
    return worst == WRONG || (worst == SUSPECT && out->strict) ? EXIT_WRONG : EXIT_SUCCESS;
}
