/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kernel_support.h"

#include "program_support.h"

#include <stdio.h>
#include <stdlib.h>

bool library_compiled(const char *library, const char *source, const char *option)
{
    char *text = NULL;
    const char *given = getenv("CC"), *cc = given && *given ? given : "cc";
    int status = program_run(PROGRAM(cc, "-std=c11", "-D_GNU_SOURCE", "-O1", "-w", "-shared",
                                     "-fPIC", "-ffp-contract=off", "-Ivectors", option, source,
                                     "-o", library, "-lm"),
                             &text);
    if (status != 0)
        (void)fprintf(stderr, "%s: cannot be compiled: %s\n", source, text ? text : "");
    free(text);
    return status == 0;
}
