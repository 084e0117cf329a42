/* SPDX-License-Identifier: GPL-3.0-or-later */
/* main.c - the castle program: picks the subcommand. */
#include "bug.h"
#include "commands.h"
#include "version.h"

#include <argp.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct Command {
    const char *name;
    int (*run)(int, char **);
    const char *what;
} commands[] = {
    {"check", command_check, "judge a kernel's dump: right, suspect or wrong"},
    {"oracle", command_oracle, "write the correctly rounded answers for a file's inputs"},
    {"emit", command_emit, "compute golden test vectors"},
    {"list", command_list, "list the golden test vectors there are"},
    {"show", command_show, "a page about one golden test vector"},
    {"export", command_export, "a golden test vector as JSON, npz or a C header"},
    {"explain", command_explain, "write a page that shows how CASTLE reads a sentence"},
    {"verify", command_verify, "reproduce Theorem 1 in every number system"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void usage(FILE *out)
{
    fputs("Usage: castle COMMAND [OPTION...] [FILE...]\n"
          "Reference and verification suite for CASTLE attention (arXiv 2509.07301).\n\n",
          out);
    for (size_t k = 0; k < COMMANDS; k++)
        fprintf(out, "  castle %-8s %s\n", commands[k].name, commands[k].what);
    fputs("\nExamples:\n"
          "  castle check mykernel.safetensors\n"
          "  castle oracle mykernel.safetensors -o truth.safetensors\n"
          "  castle emit --out build/golden\n"
          "  castle list --family neg\n"
          "  castle explain \"the horse raced past the barn fell\"\n"
          "  castle verify\n\n"
          "`castle COMMAND --help` explains a command; `man castle-COMMAND` has it all.\n"
          "Exit status: 0 right, 1 the kernel is wrong, 2 unusable input or options.\n",
          out);
}

int refuse(const char *name, const Failure *f)
{
    fprintf(stderr, "%s: %s\n", name, f->text);
    return EXIT_UNUSABLE;
}

long whole_number(const struct argp_state *state, const char *option, const char *text, long least,
                  long most)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (end == text || *end || errno || n < least || n > most)
        argp_error(state, "%s is \"%s\"; expected a whole number from %ld to %ld", option, text,
                   least, most);
    return n;
}

/* Output that did not reach its file is a failure like any other. Runs at exit, since argp's --help
 * exits by itself. */
static void check_output(void)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "castle: cannot write to standard output: %s\n", strerror(errno));
        _exit(EXIT_UNUSABLE);
    }
}

static int refuse_command(const char *name)
{
    char quoted[60], known[200] = "";
    Failure f;
    failure_quote(quoted, sizeof quoted, name);
    for (size_t k = 0; k < COMMANDS; k++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s",
                 !k                  ? ""
                 : k == COMMANDS - 1 ? " or "
                                     : ", ",
                 commands[k].name);
    }
    fail(&f, "unknown command \"%s\"; expected %s (castle --help)", quoted, known);
    return refuse("castle", &f);
}

int main(int argc, char **argv)
{
    /* Matrices come and go: keep their pages instead of faulting them in again. Speed only. 32 MiB is
     * the most that glibc takes; more would be refused. */
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    argp_err_exit_status = EXIT_UNUSABLE;
    if (atexit(check_output) != 0)
        stop_on_bug(__func__, "atexit refused");
    if (argc < 2) {
        usage(stderr);
        return EXIT_UNUSABLE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return EXIT_SUCCESS;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("castle " CASTLE_VERSION);
        return EXIT_SUCCESS;
    }
    for (size_t k = 0; k < COMMANDS; k++)
        if (strcmp(argv[1], commands[k].name) == 0) {
            char name[40];
            snprintf(name, sizeof name, "castle %s", commands[k].name);
            argv[1] = name;
            return commands[k].run(argc - 1, argv + 1);
        }
    return refuse_command(argv[1]);
}
