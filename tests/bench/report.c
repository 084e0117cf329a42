/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report.c - where results go. Files are written under another name first, and renamed when whole. */
#include "bench.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void give_up(const char *what, const char *name)
{
    (void)fprintf(stderr, "bench: %s %s%s%s\n", what, name, errno ? ": " : "",
                  errno ? strerror(errno) : "");
    exit(2);
}

char *path_in(const char *folder, const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        give_up("out of memory for", name);
    return path;
}

static void rename_to(const char *folder, const char *from, const char *to)
{
    char *old = path_in(folder, from), *new = path_in(folder, to);
    if (rename(old, new) != 0)
        give_up("cannot write", new);
    free(old);
    free(new);
}

static FILE *table;

void say_into(const char *folder)
{
    char *path = path_in(folder, "bench.txt.new");
    table = fopen(path, "w");
    if (!table)
        give_up("cannot write", path);
    free(path);
}

void say(const char *format, ...)
{
    FILE *const outputs[] = {stdout, table};
    for (int k = 0; k < 2; k++) {
        va_list arguments;
        va_start(arguments, format);
        (void)vfprintf(outputs[k], format, arguments);
        va_end(arguments);
        (void)fflush(outputs[k]);
    }
}

void say_no_more(const char *folder)
{
    errno = 0;
    bool whole = !ferror(table);
    if (fclose(table) != 0 || !whole)
        give_up("cannot write the table in", folder);
    rename_to(folder, "bench.txt.new", "bench.txt");
}

const char *verdict(bool met) { return met ? "met" : "not met"; }

void write_json(json_t *object, const char *folder, const char *name)
{
    char *path = path_in(folder, "json.new");
    errno = 0;
    if (json_dump_file(object, path, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) != 0)
        give_up("cannot write", path);
    json_decref(object);
    rename_to(folder, "json.new", name);
    free(path);
}
