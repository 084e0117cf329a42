/* SPDX-License-Identifier: GPL-3.0-or-later */
/* commands.h - the subcommands of the castle program, and what they share. */
#ifndef CASTLE_COMMANDS_H
#define CASTLE_COMMANDS_H

#include "failure.h"

enum { EXIT_WRONG = 1, EXIT_UNUSABLE = 2 };

struct argp_state;

/* Each takes its own name and options as main does, and returns the exit status. */
int command_check(int argc, char **argv);
int command_emit(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_export(int argc, char **argv);
int command_list(int argc, char **argv);
int command_oracle(int argc, char **argv);
int command_show(int argc, char **argv);
int command_verify(int argc, char **argv);

/* Prints "NAME: SENTENCE" to standard error; returns EXIT_UNUSABLE. */
int refuse(const char *name, const Failure *);

/* The option's argument as a whole number of [least, most]; otherwise says so and exits with 2. */
long whole_number(const struct argp_state *, const char *option, const char *text, long least,
                  long most);

#endif
