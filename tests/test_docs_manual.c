/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The man pages against the program: docs/castle.1 is the overview, and docs/castle-NAME.1 has the options
 * of `castle NAME --help`, all of them and no other. A new command needs a page, a new option an .It line in
 * its command's page and a place in its SYNOPSIS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"
#include "docs_support.h"
#include "program_support.h"

#include <ctype.h>
#include <glob.h>

#define OVERVIEW "docs/castle.1"

enum { MOST_COMMANDS = 24, MOST_OPTIONS = 60, NAME = 40, LINE = 300 };

typedef struct Option {
    char letter; /* '\0': none */
    char name[NAME], argument[NAME];
    bool optional; /* the argument is */
} Option;

typedef struct Command {
    char name[NAME], path[80];
    char *help, *page;
    Option option[MOST_OPTIONS];
    size_t options;
} Command;

static Command command[MOST_COMMANDS];
static size_t commands;

/* "  -a, --arithmetic=NAME      the kernel's .." or "      --json  ..". Help's own options are no command's. */
static bool read_option(Option *o, const char *line)
{
    char rest[NAME] = "";
    *o = (Option){0};
    if (sscanf(line, "  -%c, --%39[a-z0-9-]%39[^ \n]", &o->letter, o->name, rest) < 2) {
        o->letter = '\0';
        if (sscanf(line, "      --%39[a-z0-9-]%39[^ \n]", o->name, rest) < 1)
            return false;
    }
    o->optional = *rest == '['; /* "[=FILE]", else "=FILE" */
    size_t n = strcspn(rest, "="), end = strcspn(rest, "]");
    for (size_t k = n + 1; k < end; k++)
        o->argument[k - n - 1] = (char)tolower((unsigned char)rest[k]);
    return strcmp(o->name, "help") != 0 && strcmp(o->name, "usage") != 0;
}

static void read_command(const char *name)
{
    Command *c = &command[commands++];
    assert_true(commands <= MOST_COMMANDS);
    (void)snprintf(c->name, sizeof c->name, "%s", name);
    (void)snprintf(c->path, sizeof c->path, "docs/castle-%s.1", name);
    if (access(c->path, R_OK) != 0)
        fail_msg("castle %s has no man page %s", name, c->path);
    c->page = text_of(c->path);
    run_right(name, "--help");
    c->help = strdup(last.out);
    assert_non_null(c->help);
    for (const char *line = c->help; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        assert_true(c->options < MOST_OPTIONS);
        c->options += read_option(&c->option[c->options], line);
    }
}

/* Of the lines "  castle NAME  what it does" in castle --help. */
static void named(void *unused, Part part[MOST_PARTS])
{
    (void)unused;
    read_command(part[1]);
}

static int setup(void **state)
{
    if (command_setup(state) != 0)
        return -1;
    run_right("--help");
    char *help = strdup(last.out), *end = strstr(help, "\nExample");
    assert_non_null(end);
    *end = '\0';
    each_match(help, "^  castle ([a-z]+) ", named, NULL);
    free(help);
    return commands >= 7 ? 0 : -1;
}

static int teardown(void **state)
{
    for (size_t k = 0; k < commands; k++) {
        free(command[k].help);
        free(command[k].page);
    }
    return command_teardown(state);
}

/* ---- options ------------------------------------------------------------------------------------------ */

/* The text of a section, up to the next one; the caller frees it. */
static char *section(const Command *c, const char *title)
{
    char wanted[LINE];
    (void)snprintf(wanted, sizeof wanted, "\n.Sh %s\n", title);
    const char *found = strstr(c->page, wanted);
    if (!found)
        fail_msg("%s has no section %s", c->path, title);
    const char *begin = found ? found + strlen(wanted) : c->page;
    const char *end = strstr(begin, "\n.Sh ");
    char *text = strndup(begin, end ? (size_t)(end - begin) + 1 : strlen(begin));
    assert_non_null(text);
    return text;
}

/* Whether a line of the text begins with `line` and goes on with white space or an end. */
static bool has_line(const char *text, const char *line)
{
    size_t n = strlen(line);
    for (const char *at = text; (at = strstr(at, line)); at++)
        if ((at == text || at[-1] == '\n') && (at[n] == '\n' || at[n] == ' '))
            return true;
    return false;
}

/* ".It Fl a Ar name , Fl -arithmetic Ns = Ns Ar name", ".It Fl -json", and so on. */
static void item_line(char line[LINE], const Option *o)
{
    int n = 0;
    if (o->letter)
        n = snprintf(line, LINE, ".It Fl %c%s%s , Fl -%s", o->letter, *o->argument ? " Ar " : "",
                     o->argument, o->name);
    else
        n = snprintf(line, LINE, ".It Fl -%s", o->name);
    if (*o->argument)
        (void)snprintf(line + n, (size_t)(LINE - n), " Ns %s= Ns Ar %s", o->optional ? "Op " : "",
                       o->argument);
}

/* The short name where there is one; required options stand without brackets, "Fl a Ar b | Fl c Ar d" too. */
static bool in_synopsis(const char *synopsis, const Option *o)
{
    char wanted[LINE];
    int n = o->letter ? snprintf(wanted, sizeof wanted, "Fl %c", o->letter)
                      : snprintf(wanted, sizeof wanted, "Fl -%s", o->name);
    if (*o->argument)
        n += snprintf(wanted + n, sizeof wanted - (size_t)n,
                      o->optional ? " Ns Op = Ns Ar %s" : " Ar %s", o->argument);
    for (const char *at = synopsis; (at = strstr(at, wanted)); at++)
        if (at[n] == '\n' || at[n] == ' ')
            return true;
    return false;
}

static void each_option_of_the_help_is_in_the_page(void **state)
{
    char line[LINE];
    size_t seen = 0;
    (void)state;
    for (size_t k = 0; k < commands; k++) {
        char *synopsis = section(&command[k], "SYNOPSIS");
        for (size_t i = 0; i < command[k].options; i++, seen++) {
            item_line(line, &command[k].option[i]);
            if (!has_line(command[k].page, line))
                fail_msg("%s does not explain --%s; expected a line\n%s", command[k].path,
                         command[k].option[i].name, line);
            if (!in_synopsis(synopsis, &command[k].option[i]))
                fail_msg("%s: --%s is not in the SYNOPSIS", command[k].path,
                         command[k].option[i].name);
        }
        free(synopsis);
    }
    assert_true(seen >= 40);
}

static void is_an_option(void *context, Part part[MOST_PARTS])
{
    const Command *c = context;
    bool known = false;
    for (size_t i = 0; i < c->options; i++)
        known = known || (part[1][0] == '-' ? strcmp(part[1] + 1, c->option[i].name) == 0
                                            : part[1][0] == c->option[i].letter);
    if (!known)
        fail_msg("%s has -%s, which castle %s --help has not", c->path, part[1], c->name);
}

static void each_option_of_the_page_is_in_the_help(void **state)
{
    (void)state;
    for (size_t k = 0; k < commands; k++)
        (void)each_match(command[k].page, "Fl (-[a-z0-9-]+|[A-Za-z0-9])", is_an_option,
                         &command[k]);
}

/* The overview has what all commands share, and --strict where it speaks of exit statuses. */
static void is_shared(void *unused, Part part[MOST_PARTS])
{
    static const char *const shared[] = {"-help", "-usage", "-version", "-strict"};
    bool known = false;
    (void)unused;
    for (size_t k = 0; k < sizeof shared / sizeof *shared; k++)
        known = known || strcmp(part[1], shared[k]) == 0;
    if (!known)
        fail_msg(OVERVIEW " has -%s, which is not an option of every command", part[1]);
}

/* ---- pages -------------------------------------------------------------------------------------------- */

static void the_overview_leads_to_every_page_and_no_other(void **state)
{
    char *page = text_of(OVERVIEW), item[LINE], also[LINE];
    (void)state;
    const char *see = strstr(page, "\n.Sh SEE ALSO\n");
    assert_non_null(see);
    for (size_t k = 0; k < commands; k++) {
        (void)snprintf(item, sizeof item, ".It Xr castle-%.39s 1", command[k].name);
        (void)snprintf(also, sizeof also, ".Xr castle-%.39s 1", command[k].name);
        if (!has_line(page, item) || !has_line(see, also))
            fail_msg(OVERVIEW ": castle-%s(1) must stand under Commands and in SEE ALSO",
                     command[k].name);
    }
    assert_true(each_match(page, "Fl (-[a-z-]+)", is_shared, NULL) >= 3);
    free(page);
}

static void leads_to_a_page(void *path, Part part[MOST_PARTS])
{
    char wanted[2 * LINE + 20];
    (void)snprintf(wanted, sizeof wanted, "docs/%s.%s", part[1], part[2]);
    if (access(wanted, R_OK) != 0)
        fail_msg("%s: there is no page %s", (const char *)path, wanted);
}

static glob_t all_pages(void)
{
    glob_t found;
    assert_int_equal(glob("docs/*.[1-9]", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= commands + 2);
    return found;
}

static void references_lead_to_pages(void **state)
{
    glob_t pages = all_pages();
    (void)state;
    for (size_t k = 0; k < pages.gl_pathc; k++) {
        char *text = text_of(pages.gl_pathv[k]);
        assert_true(
            each_match(text, "Xr (castle[a-z-]*) ([1-9])", leads_to_a_page, pages.gl_pathv[k]) > 0);
        free(text);
    }
    globfree(&pages);
}

/* A page of a command that there is no more would stay behind. */
static void each_page_is_of_a_command(void **state)
{
    glob_t pages = all_pages();
    (void)state;
    for (size_t k = 0; k < pages.gl_pathc; k++) {
        bool known = strcmp(pages.gl_pathv[k], OVERVIEW) == 0 || strstr(pages.gl_pathv[k], ".5");
        for (size_t i = 0; i < commands; i++)
            known = known || strcmp(pages.gl_pathv[k], command[i].path) == 0;
        if (!known)
            fail_msg("%s is the page of no command", pages.gl_pathv[k]);
    }
    globfree(&pages);
}

/* "Exit status: 0 .., 1 .., 2 .." in the help, ".It 0" and so on in the page. */
static void exit_statuses_are_those_of_the_help(void **state)
{
    (void)state;
    for (size_t k = 0; k < commands; k++) {
        char *text = section(&command[k], "EXIT STATUS"), line[10], digit[] = "0";
        const char *helps = strstr(command[k].help, "Exit status: ");
        assert_non_null(helps);
        for (; *digit <= '9'; ++*digit) {
            (void)snprintf(line, sizeof line, ".It %s", digit);
            if (has_word(helps, digit) != has_line(text, line))
                fail_msg("castle %s: exit status %s is in its help or in %s, but not in both",
                         command[k].name, digit, command[k].path);
        }
        free(text);
    }
}

static void pages_have_their_sections(void **state)
{
    static const char *const titles[] = {"NAME",        "SYNOPSIS", "DESCRIPTION",
                                         "EXIT STATUS", "EXAMPLES", "SEE ALSO"};
    char line[LINE];
    (void)state;
    for (size_t k = 0; k < commands; k++) {
        for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
            free(section(&command[k], titles[i]));
        char *examples = section(&command[k], "EXAMPLES");
        (void)snprintf(line, sizeof line, ".Dl $ castle %.39s", command[k].name);
        if (!has_line(examples, line))
            fail_msg("%s has no example of castle %s", command[k].path, command[k].name);
        free(examples);
    }
}

/* Runs the command with each page as $0; what it prints is a finding. */
static void warns_of_nothing(const char *checker, const char *command_line)
{
    glob_t pages = all_pages();
    char *text;
    if (program_run(PROGRAM("sh", "-c", "command -v \"$0\"", checker), NULL)) {
        globfree(&pages);
        skip_with("no program that checks man pages");
    }
    for (size_t k = 0; k < pages.gl_pathc; k++) {
        (void)program_run(PROGRAM("sh", "-c", command_line, pages.gl_pathv[k]), &text);
        if (*text)
            fail_msg("%s: %s:\n%s", pages.gl_pathv[k], checker, text);
        free(text);
    }
    globfree(&pages);
}

static void man_warns_of_nothing(void **state)
{
    (void)state;
    warns_of_nothing("man", "man --warnings -l \"$0\" 2>&1 >/dev/null");
}

static void mandoc_warns_of_nothing(void **state)
{
    (void)state;
    warns_of_nothing("mandoc", "mandoc -Tlint -Wwarning \"$0\"");
}

static void all_pages_are_installed(void **state)
{
    glob_t pages = all_pages();
    char *text;
    (void)state;
    if (program_run(PROGRAM("sh", "-c", "make -s -n install DESTDIR=/nowhere"), &text))
        fail_msg("make -n install: %s", text);
    for (size_t k = 0; k < pages.gl_pathc; k++)
        if (!has_word(text, pages.gl_pathv[k]))
            fail_msg("make install leaves out %s", pages.gl_pathv[k]);
    free(text);
    globfree(&pages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_option_of_the_help_is_in_the_page),
        TEST(each_option_of_the_page_is_in_the_help),
        TEST(the_overview_leads_to_every_page_and_no_other),
        TEST(references_lead_to_pages),
        TEST(each_page_is_of_a_command),
        TEST(exit_statuses_are_those_of_the_help),
        TEST(pages_have_their_sections),
        TEST(man_warns_of_nothing),
        TEST(mandoc_warns_of_nothing),
        TEST(all_pages_are_installed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
