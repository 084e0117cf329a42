/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "shrink_report.h"

#include "check_output.h"
#include "report.h"
#include "show_numbers.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

void shrunk_path(char *path, size_t size, const ShrunkTrial *s)
{
    snprintf(path, size, "%s-shrunk.safetensors", s->from->id);
    for (unsigned k = 2; access(path, F_OK) == 0; k++)
        snprintf(path, size, "%s-shrunk-%u.safetensors", s->from->id, k);
}

/* ---- the dump --------------------------------------------------------------------------------- */

static bool holds(NumberType type, const double *x, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (!number_is_representable(type, x[k]))
            return false;
    return true;
}

/* As narrow as the declared arithmetic keeps the answer, for a file's type counts as a rounding; wider where
 * the kernel answered in more bits. */
static NumberType answer_type(const Task *t, Answer a, const double *x, size_t n)
{
    const NumberType types[] = {t->type, TYPE_F32, TYPE_F64};
    int bits = t->arithmetic.site[answer_stage(a)]->precision;
    for (size_t k = 0; k < 2; k++)
        if (number_format(types[k])->precision >= bits && holds(types[k], x, n))
            return types[k];
    return TYPE_F64;
}

bool shrunk_write(const ShrunkTrial *s, const char *path, const char *kernel, Failure *f)
{
    char name[200];
    SafetensorsWriter *w = safetensors_writer_new();
    task_write(&s->task, w);
    failure_quote(name, sizeof name, kernel);
    safetensors_add_metadata(w, "kernel", name);
    safetensors_add_metadata(w, "shrunk_from", s->from->id);
    safetensors_add_metadata(w, "call", s->part);
    if (s->answer == ANSWERS) {
        failure_quote(name, sizeof name, s->fault);
        safetensors_add_metadata(w, "fault", name);
    }
    for (Answer a = 0; a < ANSWERS; a++) {
        Layout l = answer_layout(&s->task.size, a);
        const double *x = s->set.answer[a];
        if (x)
            safetensors_add(w, answer_name(a), answer_type(&s->task, a, x, layout_count(&l)),
                            l.dims, l.shape, x);
    }
    bool written = safetensors_write(w, path, f);
    safetensors_writer_free(w);
    return written;
}

/* ---- for people ------------------------------------------------------------------------------- */

static void print_shape(const char *before, const Task *t)
{
    char window[40], scale[40];
    task_describe_window(t, window, sizeof window);
    task_describe_scale(t, scale, sizeof scale);
    printf("  %s batch %zu, heads %zu, L %zu, d %zu; window %s, scale %s", before, t->size.batch,
           t->size.heads, t->size.length, t->size.dim, window, scale);
    printf("%s%s\n", t->variant == CASTLE ? "" : ", ",
           t->variant == CASTLE ? "" : variant_name(t->variant));
}

static void describe_what(const ShrunkTrial *s, char *text, size_t size)
{
    if (s->answer < ANSWERS)
        snprintf(text, size, "%s is wrong", answer_name(s->answer));
    else
        snprintf(text, size, "%s", s->fault);
}

/* Inputs that are not all 0, and the names of those that are. */
static void print_inputs(const SafetensorsFile *file)
{
    char zeros[100] = "";
    for (size_t k = 0; k < safetensors_count(file); k++) {
        const Tensor *t = safetensors_at(file, k);
        bool is_input = strcmp(t->name, "do") == 0, is_zero = true;
        for (Input i = 0; i < INPUTS; i++)
            is_input = is_input || strcmp(t->name, input_name(i)) == 0;
        for (size_t i = 0; i < t->count; i++)
            is_zero = is_zero && tensor_value(t, i) == 0;
        if (is_input && !is_zero)
            show_tensor(t);
        else if (is_input)
            snprintf(zeros + strlen(zeros), sizeof zeros - strlen(zeros), " %s", t->name);
    }
    if (*zeros)
        printf("\nall 0:%s\n", zeros);
}

/* The first wrong elements. */
static void print_answers(const Dump *d, const CheckReport *c)
{
    for (Answer a = 0; a < ANSWERS; a++) {
        const TensorReport *r = &c->tensor[a];
        size_t shown = 0;
        if (!r->present || r->verdict.judgement != WRONG)
            continue;
        printf("\n%s, what is wrong in it: answered, truth, z\n", answer_name(a));
        for (size_t k = 0; k < r->verdict.elements && shown < SHOWN_PART; k++) {
            const Score *score = &r->scores[k];
            if (!score->judged || (score->z < r->verdict.thresholds.wrong && score->of_bound <= 1))
                continue;
            char place[60];
            Place p = place_of(&d->task.size, a, k);
            snprintf(place, sizeof place, "[%zu,%zu,%zu,%zu]", p.batch, p.head, p.row, p.column);
            printf("  %-12s %24.17g %24.17g %9.3g\n", place, r->answered[k], r->truth[k], score->z);
            shown++;
        }
    }
    putchar('\n');
}

static void print_names(const char *before, const Diagnosis *d)
{
    if (d->count)
        printf("  %s %s (%s):\n    %s\n", before, d->mutant[0]->id, d->mutant[0]->name,
               d->mutant[0]->what);
}

/* The mistake as the whole trial shows it, where many fewer known ones agree than with what is left. */
static bool print_first_name(const ShrunkTrial *s, Failure *f)
{
    Dump whole = {.task = s->from->given.task};
    CheckReport c;
    if (whole.task.size.length > DIAGNOSIS_MOST_TOKENS)
        return true;
    memcpy(whole.answer, s->from->set[s->from_set].answer, sizeof whole.answer);
    if (!check_dump(&c, &whole, false, s->from->id, f))
        return false;
    if (c.diagnosis.tried && !c.diagnosis.count)
        puts("  no known mistake agrees with the whole case");
    print_names("the whole case agrees with", &c.diagnosis);
    check_free(&c);
    return true;
}

/* What castle check says of the file. */
static bool print_verdict(const ShrunkTrial *s, const char *path, Dump *d, Failure *f)
{
    CheckReport c;
    if (s->answer == ANSWERS) {
        fputs("  (inputs only: a kernel that fails so has no answers to judge)\n", stdout);
        print_inputs(d->file);
        putchar('\n');
        return true;
    }
    if (!print_first_name(s, f) || !check_dump(&c, d, false, path, f))
        return false;
    print_inputs(d->file);
    print_answers(d, &c);
    report_print(stdout, path, d, &c, output_in_colour());
    check_free(&c);
    return true;
}

bool shrunk_print(const ShrunkTrial *s, const char *path, Failure *f)
{
    static const DumpOptions nothing = {NULL, NULL, NULL, NULL};
    char what[260], name[90];
    Dump d;
    describe_what(s, what, sizeof what);
    failure_quote_path(name, sizeof name, path);
    printf("\nshrunk from %s, %s: %s\n", s->from->id, s->part, what);
    print_shape("from", &s->from->given.task);
    print_shape("to  ", &s->task);
    printf("  in %zu runs%s, written to %s\n", s->result.runs,
           s->result.exhausted ? ", the most that are made" : "", name);
    if (!dump_open(&d, path, &nothing, f))
        return false;
    bool ok = print_verdict(s, path, &d, f);
    dump_close(&d);
    return ok;
}

/* ---- for programs ----------------------------------------------------------------------------- */

json_t *shrunk_json(const ShrunkTrial *s, const char *path)
{
    const Sizes *z = &s->task.size;
    char what[260], quoted[300], name[300], window[40];
    describe_what(s, what, sizeof what);
    failure_quote(quoted, sizeof quoted, what);
    failure_quote(name, sizeof name, path);
    task_describe_window(&s->task, window, sizeof window);
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:b, s:[I, I, I, I], s:s}", "case", s->from->id,
                     "call", s->part, "what", quoted, "file", name, "runs",
                     (json_int_t)s->result.runs, "exhausted", s->result.exhausted, "shape",
                     (json_int_t)z->batch, (json_int_t)z->heads, (json_int_t)z->length,
                     (json_int_t)z->dim, "window", window);
}
