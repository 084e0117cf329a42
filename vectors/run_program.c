/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run_program.h"

#include "bug.h"
#include "interruption.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool program_begin(Program *p, const char *command, const Limits *limits, Failure *f)
{
    const char *temporary = getenv("TMPDIR");
    *p = (Program){.command = command, .limits = *limits};
    if (!strstr(command, "{in}") || !strstr(command, "{out}"))
        return fail(f, "--run: the command lacks {in} or {out}, which stand for the files that it "
                       "reads and writes");
    if (!temporary || !*temporary || strlen(temporary) > 40 || strchr(temporary, '\''))
        temporary = "/tmp";
    snprintf(p->folder, sizeof p->folder, "%s/castle-XXXXXX", temporary);
    if (!mkdtemp(p->folder))
        return fail(f, "%s: a folder for the files of --run cannot be made: %s", temporary,
                    strerror(errno));
    snprintf(p->in, sizeof p->in, "%s/in", p->folder);
    snprintf(p->out, sizeof p->out, "%s/out", p->folder);
    interruption_begin(p->folder, (const char *const[]){p->in, p->out}, 2);
    return true;
}

void program_end(Program *p)
{
    (void)unlink(p->in);
    (void)unlink(p->out);
    (void)rmdir(p->folder); /* what a program left there besides stays for its author to see */
    interruption_end();
}

/* The command with '/tmp/castle-Ab12Cd/in' for {in}, likewise {out}; the caller frees it. */
static char *filled_in(const Program *p)
{
    size_t size = strlen(p->command) * sizeof p->in + 1; /* a word of 4 becomes one of 82 at most */
    char *text = room_for(__func__, size, 1), *end = text;
    for (const char *c = p->command; *c;) {
        bool in = strncmp(c, "{in}", 4) == 0, out = strncmp(c, "{out}", 5) == 0;
        if (in || out)
            end += snprintf(end, size - (size_t)(end - text), "'%s'", in ? p->in : p->out);
        else
            *end++ = *c;
        c += in ? 4 : out ? 5 : 1;
    }
    *end = '\0';
    return text;
}

static bool write_inputs(const Program *p, const Trial *t, Failure *f)
{
    SafetensorsWriter *w = safetensors_writer_new();
    task_write(&t->given.task, w);
    interruption_hold(); /* or the file might be there under another name */
    bool ok = safetensors_write(w, p->in, f);
    interruption_release();
    safetensors_writer_free(w);
    return ok;
}

/* Takes the file's answers over; what it holds besides is left alone. */
static bool take_answers(Trial *t, const SafetensorsFile *file)
{
    const Sizes *size = &t->given.task.size;
    AnswerSet *set = NULL;
    for (Answer a = 0; a < ANSWERS; a++) {
        const Tensor *x = safetensors_find(file, answer_name(a));
        bool gradient = answer_is_gradient(a);
        if (!x || !sizes_allow(size, a) || (gradient && !t->given.task.cotangent))
            continue;
        Layout l = answer_layout(size, a);
        if (x->dims != l.dims || memcmp(x->shape, l.shape, l.dims * sizeof *l.shape) != 0) {
            char found[80], expected[80];
            layout_describe(found, sizeof found, x->dims, x->shape);
            layout_describe(expected, sizeof expected, l.dims, l.shape);
            trial_fault(t, "run", "%s has shape %s; expected %s", x->name, found, expected);
            continue;
        }
        if (!set)
            set = trial_set(t, "run");
        set->answer[a] = room_for(__func__, x->count, sizeof(double));
        for (size_t k = 0; k < x->count; k++)
            set->answer[a][k] = tensor_value(x, k);
    }
    return set != NULL;
}

static void read_output(const Program *p, Trial *t)
{
    struct stat status;
    Failure why;
    if (stat(p->out, &status) != 0) {
        trial_fault(t, "run", "the program ended well and wrote no output file");
        return;
    }
    SafetensorsFile *file = safetensors_open(p->out, &why);
    if (!file) {
        size_t path = strlen(p->out); /* the sentence begins with it, and it says nothing */
        bool begins = strncmp(why.text, p->out, path) == 0 && why.text[path] == ':';
        trial_fault(t, "run", "the output cannot be read: %s",
                    begins ? why.text + path + 2 : why.text);
    } else if (!take_answers(t, file) && !t->faults) {
        trial_fault(t, "run", "the output holds no answer: none of o, lse, u, dqu .. dvc");
    }
    safetensors_close(file);
}

bool program_try(const Program *p, Trial *t, Failure *f)
{
    char text[160];
    if (!write_inputs(p, t, f))
        return false;
    if (unlink(p->out) != 0 && errno != ENOENT)
        return fail(f, "%s: cannot be removed: %s", p->out, strerror(errno));
    char *command = filled_in(p);
    Outcome o = isolated_command(command, &p->limits);
    free(command);
    if (o.ending == ENDING_EXIT && o.number == 0) {
        read_output(p, t);
    } else if (o.ending == ENDING_EXIT && o.number == PROGRAM_UNSUPPORTED) {
        t->unsupported++;
    } else {
        outcome_describe(text, sizeof text, &o, &p->limits);
        trial_fault(t, "run", "the program %s", text);
    }
    return true;
}
