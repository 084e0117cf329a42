/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutorial_main.c - `make docs-numbers`: prints a tutorial with its numbers computed anew. */
#include "tutorial.h"

#include <stdlib.h>

static int refuse_file(const char *path, const char *why)
{
    fprintf(stderr, "%s: %s\n", path, why);
    return 2;
}

/* A text file, 0-terminated; NULL if it cannot be read. */
static char *text_of(const char *path)
{
    char *text = NULL;
    size_t room = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    ssize_t size = getdelim(&text, &room, '\0', file);
    fclose(file);
    if (size > 0)
        return text;
    free(text);
    return NULL;
}

int main(int argc, char **argv)
{
    Failure f;
    if (argc != 2)
        return refuse_file("tutorial", "expected one file, docs/tutorial.md");
    char *text = text_of(argv[1]);
    if (!text)
        return refuse_file(argv[1], "cannot be read, or is empty");
    char *fresh = tutorial_refreshed(text, &f);
    free(text);
    if (!fresh)
        return refuse_file(argv[1], f.text);
    bool written = fputs(fresh, stdout) >= 0 && fflush(stdout) == 0;
    free(fresh);
    return written ? 0 : refuse_file("standard output", "cannot be written");
}
