/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The commands that documents, man pages and --help show are run, each in a workshop of its own: a folder
 * with links to those of the sources, the program as build/castle and as castle, and a dump under the names
 * that the documents use. A command must succeed (or find a wrong-* dump wrong) and print what its
 * document shows. What would take minutes gets an option more that makes it short.
 *
 * Commands stand in indented boxes. Where they begin with "$ " the lines between them are what is printed: a
 * line "..." stands for any lines, one that ends in " ..." for how a line begins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"
#include "docs_support.h"
#include "program_support.h"

#include <glob.h>

enum { LINE = 600, LINES = 60 };

static bool has(const char *text, const char *part) { return strstr(text, part) != NULL; }

/* ---- the workshop ------------------------------------------------------------------------------------- */

static char workshop[400];
static const char *python; /* with numpy, or NULL */
static bool has_jq, has_cc;

/* Runs a script there; the output is the caller's. */
static int in_workshop(const char *script, char **text)
{
    const char *begin = "cd \"$0\" && PATH=\"$PWD/bin:$PATH\" && export PATH && eval \"$1\"";
    return program_run(PROGRAM("sh", "-c", begin, workshop, script), text);
}

static void prepare(const char *script)
{
    char *text;
    if (in_workshop(script, &text))
        fail_msg("%s\n%s", script, text);
    free(text);
}

static void open_workshop(void)
{
    static const char make_it[] =
        "rm -rf \"$0\"; mkdir -p \"$0/bin\" \"$0/build\"; ln -s \"$1\" \"$0/bin/castle\"; ln -s "
        "\"$1\" "
        "\"$0/build/castle\";"
        "ln -s \"$2\" \"$0/bin/python3\";"
        "for f in ref vectors proofs docs tests; do ln -s \"$PWD/$f\" \"$0/$f\"; done";
    char program[400] = "";
    assert_non_null(realpath(program_path(), program));
    (void)snprintf(workshop, sizeof workshop, "%s", scratch_path("workshop"));
    assert_int_equal(
        program_run(PROGRAM("sh", "-ec", make_it, workshop, program, python ? python : "/nowhere"),
                    NULL),
        0);
    prepare("for f in mykernel.safetensors mine.safetensors FILE; do"
            "    cp vectors/dumps/L2d1.safetensors $f; done;"
            "cp vectors/examples/numpy_kernel.py mine.py");
}

/* What other commands would have left. */
static void prepare_for(const char *command)
{
    if (has(command, "--golden build/golden"))
        prepare("mkdir -p build/golden; cp vectors/golden/index.json "
                "vectors/golden/window-17-bf16.safetensors build/golden");
    if (has(command, "./libmine.so"))
        prepare("cc -shared -fPIC -I vectors vectors/examples/naive_kernel.c -o libmine.so -lm");
}

/* ---- one command -------------------------------------------------------------------------------------- */

static const struct Shorter {
    const char *part, *option;
} shorter[] = {
    {"castle emit", " --case 'tiny-one-*'"}, /* for a whole tier */
    {"--kernel ./", " --case tiny-one-token-f32 --fresh 1"},
    {"--run '", " --case tiny-one-token-f32"},
    {"castle verify", " --length 3 --dim 2 --bits 24,53"}, /* for the hard set */
};

/* Hours of work. */
static const char *const too_long[] = {"--tier paper", "trained-layer1"};

static size_t ran, left_out;

static bool is_there(const char *program)
{
    return program_run(PROGRAM("sh", "-c", "command -v \"$0\"", program), NULL) == 0;
}

/* The same command stands in several places. */
static bool was_run(const char *command)
{
    static char done[200][LINE];
    static size_t count;
    for (size_t k = 0; k < count; k++)
        if (strcmp(done[k], command) == 0)
            return true;
    assert_true(count < 200);
    (void)snprintf(done[count++], LINE, "%.599s", command);
    return false;
}

static bool cannot_run(const char *command)
{
    for (size_t k = 0; k < sizeof too_long / sizeof *too_long; k++)
        if (has(command, too_long[k]))
            return true;
    bool compiles = has(command, "cc ") || has(command, "./load ") || has(command, ".so");
    return (has(command, "jq ") && !has_jq) || (compiles && !has_cc) ||
           (has(command, ".py") && !python);
}

/* Every word is a target of the Makefile, or a variable. */
static void assert_targets(const char *document, const char *command)
{
    char words[LINE], wanted[LINE], *state = NULL, *makefile = text_of("Makefile");
    (void)snprintf(words, sizeof words, "%s", command + strlen("make"));
    for (char *word = strtok_r(words, " ", &state); word; word = strtok_r(NULL, " ", &state)) {
        (void)snprintf(wanted, sizeof wanted, "\n%s:", word);
        if (!has(word, "=") && !has(makefile, wanted))
            fail_msg("%s: make %s: the Makefile has no such target", document, word);
    }
    free(makefile);
}

/* Runs it behind what its box did `before` (NULL: it stands alone, and is run once); what it printed is the
 * caller's. NULL: it is not run. `shown`: as it stands. */
static char *run_command(const char *document, const char *before, const char *command, bool shown)
{
    char line[2 * LINE], script[3 * LINE], *text;
    bool wrong = (has(command, "/wrong-") || has(command, "-W none {in}")) && !has(command, "|");
    if (strncmp(command, "make", 4) == 0) {
        assert_targets(document, command);
        return NULL;
    }
    if (cannot_run(command)) {
        left_out++;
        return NULL;
    }
    if (was_run(command) && !before)
        return NULL;
    (void)snprintf(line, sizeof line, "%s", command);
    for (size_t k = 0; !shown && k < sizeof shorter / sizeof *shorter; k++)
        if (has(command, shorter[k].part) && !has(command, "--stage") &&
            !has(command, ".safetensors"))
            (void)strcat(line, shorter[k].option);
    prepare_for(command);
    (void)snprintf(script, sizeof script, "%s%s", before ? before : "", line);
    int status = in_workshop(script, &text);
    if (status != (wrong ? WRONG_STATUS : RIGHT_STATUS))
        fail_msg("%s: exit status %d\n$ %s\n%s", document, status, script, text);
    ran++;
    return text;
}

/* ---- what it prints ------------------------------------------------------------------------------------ */

/* Whether a line of output is as shown; *line goes to the next one. */
static bool line_agrees(const char *shown, const char **line)
{
    size_t n = strcspn(*line, "\n"), length = strlen(shown);
    bool open = length > 4 && strcmp(shown + length - 4, " ...") == 0;
    bool same = open ? n >= length - 3 && strncmp(shown, *line, length - 3) == 0
                     : n == length && strncmp(shown, *line, n) == 0;
    *line += n + ((*line)[n] == '\n');
    return same;
}

static void assert_printed(const char *document, const char *command, char shown[LINES][LINE],
                           size_t count, const char *printed)
{
    const char *line = printed;
    bool any = false;
    for (size_t k = 0; k < count; k++) {
        if (strcmp(shown[k] + strspn(shown[k], " "), "...") == 0) {
            any = true;
            continue;
        }
        bool agrees = false;
        while (*line && !agrees) {
            agrees = line_agrees(shown[k], &line);
            if (!agrees && !any)
                break;
        }
        if (!agrees)
            fail_msg("%s shows under %s the line\n%s\nwhich is not printed there:\n%s", document,
                     command, shown[k], printed);
        any = false;
    }
    if (!any && line[strspn(line, "\n")])
        fail_msg("%s: %s prints more than is shown:\n%s", document, command, line);
}

/* ---- boxes --------------------------------------------------------------------------------------------- */

/* The next line of a text, without its end and without a comment behind two blanks. */
static const char *next_line(char line[LINE], const char *text)
{
    size_t n = strcspn(text, "\n");
    (void)snprintf(line, LINE, "%.*s", (int)n, text);
    char *comment = strstr(line, "  #");
    if (comment && strspn(line, " ") < (size_t)(comment - line))
        *comment = '\0';
    for (n = strlen(line); n && line[n - 1] == ' ';)
        line[--n] = '\0';
    return text + strcspn(text, "\n") + (text[strcspn(text, "\n")] == '\n');
}

static bool is_command(const char *text)
{
    static const char *const words[] = {"build/castle ", "castle ", "make ", "make\n", "cc ",
                                        "jq ",           "cd ",     "grep ", "./"};
    char line[LINE];
    (void)snprintf(line, sizeof line, "%s\n", text);
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (strncmp(line, words[k], strlen(words[k])) == 0)
            return true;
    return false;
}

/* A box with prompts begins here: each command with what stands below it. Returns where it ends. */
static const char *prompted_box(const char *document, const char *text)
{
    static char shown[LINES][LINE];
    char line[LINE], command[LINE] = "";
    size_t margin = strspn(text, " "), count = 0;
    for (bool more = true; more;) {
        const char *next = next_line(line, text);
        more = *text && (!*line || strspn(line, " ") >= margin);
        bool prompt = more && *line && strncmp(line + margin, "$ ", 2) == 0;
        for (; !more && count && !*shown[count - 1]; count--)
            ; /* empty lines behind the box */
        if ((prompt || !more) && *command) {
            char *printed = run_command(document, "", command, count > 0 || has(command, "--case"));
            if (printed && count)
                assert_printed(document, command, shown, count, printed);
            free(printed);
        }
        if (prompt) {
            (void)snprintf(command, sizeof command, "%.599s", line + margin + 2);
            count = 0;
        } else if (more) {
            assert_true(count < LINES);
            (void)snprintf(shown[count++], LINE, "%.599s", *line ? line + margin : "");
        }
        text = more ? next : text;
    }
    return text;
}

/* A box of commands alone. A folder that is entered counts for those that follow. */
static const char *plain_box(const char *document, const char *text)
{
    char line[LINE], before[2 * LINE] = "";
    for (; strncmp(text, "    ", 4) == 0; text = next_line(line, text)) {
        (void)next_line(line, text);
        if (strncmp(line + 4, "cd ", 3) == 0)
            (void)snprintf(before, sizeof before, "%.599s; ", line + 4);
        else
            free(run_command(document, before, line + 4, false));
    }
    return text;
}

static void run_boxes(const char *document)
{
    char *text = text_of(document), line[LINE];
    bool fenced = false;
    for (const char *at = text; *at;) {
        const char *next = next_line(line, at);
        size_t margin = strspn(line, " ");
        fenced = fenced != (strncmp(line, "```", 3) == 0);
        if (!fenced && margin >= 4 && strncmp(line + margin, "$ ", 2) == 0) {
            open_workshop();
            next = prompted_box(document, at);
        } else if (!fenced && margin == 4 && is_command(line + 4)) {
            open_workshop();
            next = plain_box(document, at);
        }
        at = next;
    }
    free(text);
}

static void commands_of_documents_run(void **state)
{
    glob_t found;
    (void)state;
    assert_int_equal(glob("docs/*.md", 0, NULL, &found), 0);
    run_boxes("README.md");
    for (size_t k = 0; k < found.gl_pathc; k++)
        run_boxes(found.gl_pathv[k]);
    globfree(&found);
    assert_true(ran + left_out >= 20);
}

static void makes_something(void *document, Part part[MOST_PARTS])
{
    char command[LINE];
    (void)snprintf(command, sizeof command, "%s", part[1]);
    assert_targets(document, command);
}

/* Of "`make this that`" in a sentence, too. */
static void targets_exist(void **state)
{
    glob_t found;
    size_t count = 0;
    (void)state;
    assert_int_equal(
        glob("{README.md,docs/*.md,proofs/*.md,vectors/dumps/*.md}", GLOB_BRACE, NULL, &found), 0);
    for (size_t k = 0; k < found.gl_pathc; k++) {
        char *text = text_of(found.gl_pathv[k]);
        count += each_match(text, "`(make [^`]+)`", makes_something, found.gl_pathv[k]);
        free(text);
    }
    globfree(&found);
    assert_true(count >= 30);
}

/* ---- man pages and --help -------------------------------------------------------------------------------- */

static void runs_alone(void *document, Part part[MOST_PARTS])
{
    open_workshop();
    free(run_command(document, NULL, part[1], false));
}

static void examples_of_man_pages_run(void **state)
{
    glob_t found;
    size_t count = 0;
    (void)state;
    assert_int_equal(glob("docs/*.[1-9]", 0, NULL, &found), 0);
    for (size_t k = 0; k < found.gl_pathc; k++) {
        char *text = text_of(found.gl_pathv[k]);
        count += each_match(text, "^\\.Dl \\$ (.*)$", runs_alone, found.gl_pathv[k]);
        free(text);
    }
    globfree(&found);
    assert_true(count >= 20);
}

static void examples_of_a_command_run(void *unused, Part part[MOST_PARTS])
{
    (void)unused;
    run_right(part[1], "--help");
    char *help = strdup(last.out), *begin = strstr(help, "\nExample");
    assert_non_null(begin);
    char *end = strstr(begin + 1, "\n\n");
    assert_non_null(end);
    *end = '\0';
    if (!each_match(begin, "^  (castle .*)$", runs_alone, part[0]))
        fail_msg("castle %s --help shows no example", part[1]);
    free(help);
}

static void examples_of_every_help_run(void **state)
{
    (void)state;
    run_right("--help");
    char *help = strdup(last.out);
    assert_true(
        each_match(strstr(help, "\nExample"), "^  (castle .*)$", runs_alone, "castle --help") > 0);
    *strstr(help, "\nExample") = '\0';
    assert_true(each_match(help, "^  castle ([a-z]+) ", examples_of_a_command_run, NULL) >= 7);
    free(help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commands_of_documents_run),
        TEST(targets_exist),
        TEST(examples_of_man_pages_run),
        TEST(examples_of_every_help_run),
    };
    python = python_with("numpy");
    has_jq = is_there("jq");
    has_cc = is_there("cc");
    return run_command_tests(tests);
}
