/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dump.h"

#include "dump_tensors.h"

#include <stdlib.h>

bool dump_open(Dump *d, const char *path, const DumpOptions *given, Failure *f)
{
    char name[160];
    *d = (Dump){.file = safetensors_open(path, f)};
    if (!d->file)
        return false;
    failure_quote_path(name, sizeof name, path);
    if (dump_read_tensors(d, name, f) && dump_read_metadata(d, name, given, f))
        return true;
    dump_close(d);
    return false;
}

void dump_close(Dump *d)
{
    task_free(&d->task);
    for (Answer k = 0; k < ANSWERS; k++)
        free(d->answer[k]);
    safetensors_close(d->file);
    *d = (Dump){0};
}

const double *dump_answer(const Dump *d, Answer a, size_t index)
{
    return d->answer[a] ? d->answer[a] + index * task_part(&d->task, a) : NULL;
}
