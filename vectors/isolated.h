/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * isolated.h - foreign code in a child process of its own, with limits: whatever it does, the program goes
 * on and can say what happened.
 *
 * The child has no terminal to read from; what it prints is caught, and the last line of it is kept. When
 * it ends, all processes that it left behind in its process group are killed. The parent must not have
 * started threads: the child of such a process could not start its own.
 */
#ifndef CASTLE_ISOLATED_H
#define CASTLE_ISOLATED_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Limits {
    double seconds;   /* on the clock */
    size_t mebibytes; /* of private memory beyond the parent's (RLIMIT_DATA); 0: no limit */
} Limits;

typedef enum Ending {
    ENDING_EXIT,   /* number: the status */
    ENDING_SIGNAL, /* number: the signal */
    ENDING_TIME    /* it was killed for running too long */
} Ending;

typedef struct Outcome {
    Ending ending;
    int number;
    char said[100]; /* its last line, quoted for messages; "" for silence */
} Outcome;

/* Whether the limit on memory is kept: not under the address sanitizer. */
bool isolated_limits_memory(void);

/* Calls body(argument) in a child, whose status is then 0. */
Outcome isolated_call(void (*body)(void *), void *argument, const Limits *);

/* Runs a command of the shell. */
Outcome isolated_command(const char *command, const Limits *);

/* "ran into SIGSEGV", "was stopped after 10 s", "ended with status 3": and what it said last. */
void outcome_describe(char *text, size_t size, const Outcome *, const Limits *);

/* Memory that parent and child share, zeroed. Never NULL. */
void *shared_room(size_t bytes);
void shared_free(void *, size_t bytes);

#endif
