/* SPDX-License-Identifier: GPL-3.0-or-later */
/* docs/notation.md against the program: every name there exists, and every name of the program is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "answers.h"
#include "arithmetic.h"
#include "docs_support.h"
#include "layout.h"
#include "vectors_support.h"

#define NOTATION "docs/notation.md"

/* A row of a table: | symbol | shape | `in C` | `in files` | `declared` | equation | meaning |. */
enum {
    COLUMNS = 7,
    SYMBOL = 0,
    IN_C = 2,
    IN_FILES = 3,
    DECLARED = 4,
    EQUATION = 5,
    MOST_ROWS = 80
};
typedef struct Row {
    char at[COLUMNS][120];
} Row;
typedef struct Table {
    Row row[MOST_ROWS];
    size_t count;
} Table;

static char *sources;
static Table table;

/* What stands in a cell, without blanks and marks; "-" is nothing. */
static void cut(char *cell, size_t size, const char *from, size_t n)
{
    while (n && strchr(" `", *from))
        from++, n--;
    while (n && strchr(" `", from[n - 1]))
        n--;
    (void)snprintf(cell, size, "%.*s", n == 1 && *from == '-' ? 0 : (int)n, from);
}

/* An escaped bar is no end of a cell. */
static size_t cell_length(const char *from)
{
    size_t n = 0;
    while (from[n] && from[n] != '\n' && (from[n] != '|' || from[n - 1] == '\\'))
        n++;
    return n;
}

static bool read_row(Row *r, const char *line)
{
    size_t column = 0;
    for (const char *at = line; *at == '|' && at[1] != '\n' && at[1];) {
        size_t n = cell_length(at + 1);
        if (column == COLUMNS)
            return false;
        cut(r->at[column], sizeof r->at[column], at + 1, n);
        column++;
        at += n + 1;
    }
    return column == COLUMNS;
}

static int setup(void **state)
{
    (void)state;
    char *text = text_of(NOTATION);
    sources = texts_of("ref/*.[ch]");
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        if (table.count == MOST_ROWS || *line != '|' || strncmp(line, "|--", 3) == 0 ||
            strncmp(line, "| symbol", 8) == 0)
            continue;
        table.count += read_row(&table.row[table.count], line);
    }
    free(text);
    return table.count > 40 && table.count < MOST_ROWS ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    free(sources);
    return 0;
}

static const Row *row_with(int column, const char *name)
{
    for (size_t k = 0; k < table.count; k++)
        if (strcmp(table.row[k].at[column], name) == 0)
            return &table.row[k];
    return NULL;
}

static void assert_row(int column, const char *name)
{
    if (!row_with(column, name))
        fail_msg(NOTATION " has no row with %s", name);
}

/* ---- files --------------------------------------------------------------------------------------------- */

static void every_name_of_files_has_a_row(void **state)
{
    (void)state;
    for (Input k = 0; k < INPUTS; k++)
        assert_row(IN_FILES, input_name(k));
    for (LayerInput k = 0; k < LAYER_INPUTS; k++)
        assert_row(IN_FILES, layer_input_name(k));
    for (Answer k = 0; k < ANSWERS; k++)
        assert_row(IN_FILES, answer_name(k));
    assert_row(IN_FILES, cotangent_name(&(Sizes){.width = 0}));
    assert_row(IN_FILES, cotangent_name(&(Sizes){.width = 1}));
}

static bool is_of_files(const char *name)
{
    bool known = strcmp(name, "scale") == 0 || strcmp(name, "window") == 0;
    for (Input k = 0; k < INPUTS; k++)
        known = known || strcmp(name, input_name(k)) == 0;
    for (LayerInput k = 0; k < LAYER_INPUTS; k++)
        known = known || strcmp(name, layer_input_name(k)) == 0;
    for (Answer k = 0; k < ANSWERS; k++)
        known = known || strcmp(name, answer_name(k)) == 0;
    for (size_t width = 0; width < 2; width++)
        known = known || strcmp(name, cotangent_name(&(Sizes){.width = width})) == 0;
    return known;
}

static void files_have_no_other_names(void **state)
{
    (void)state;
    for (size_t k = 0; k < table.count; k++)
        if (*table.row[k].at[IN_FILES] && !is_of_files(table.row[k].at[IN_FILES]))
            fail_msg(NOTATION ": no file has %s", table.row[k].at[IN_FILES]);
}

/* Where a quantity is answered, the column `declared` is the site at which its answer is stored. */
static void answers_are_declared_by_their_stage(void **state)
{
    (void)state;
    for (Answer k = 0; k < ANSWERS; k++)
        assert_string_equal(row_with(IN_FILES, answer_name(k))->at[DECLARED],
                            stage_name(answer_stage(k)));
}

/* ---- declarations -------------------------------------------------------------------------------------- */

static void every_stage_has_a_row_and_no_other_is_declared(void **state)
{
    (void)state;
    for (Stage s = 0; s < STAGES; s++)
        assert_row(DECLARED, stage_name(s));
    for (size_t k = 0; k < table.count; k++) {
        char text[200], why[400];
        Arithmetic a;
        if (!*table.row[k].at[DECLARED])
            continue;
        (void)snprintf(text, sizeof text, "float32,%s=bfloat16", table.row[k].at[DECLARED]);
        if (!arithmetic_parse(&a, text, why, sizeof why))
            fail_msg(NOTATION ": %s: %s", text, why);
    }
}

/* ---- C ------------------------------------------------------------------------------------------------- */

static void identifiers_exist(void **state)
{
    (void)state;
    size_t count = 0;
    for (size_t k = 0; k < table.count; k++)
        if (*table.row[k].at[IN_C]) {
            count++;
            if (!has_word(sources, table.row[k].at[IN_C]))
                fail_msg(NOTATION ": ref/ has no %s", table.row[k].at[IN_C]);
        }
    assert_true(count > 40);
}

static void function_exists(void *unused, Part part[MOST_PARTS])
{
    (void)unused;
    if (!has_word(sources, part[1]))
        fail_msg(NOTATION ": ref/ has no %s", part[1]);
}

/* The last table: | symbol | `in C` | meaning |. */
static void functions_and_masks_exist(void **state)
{
    (void)state;
    char *text = text_of(NOTATION);
    const char *last = strstr(text, "## Functions and masks");
    assert_non_null(last);
    assert_true(each_match(last, "^\\| [^`|]+ \\| `([A-Za-z_]+)` \\|", function_exists, NULL) == 6);
    free(text);
}

static void equations_are_cited_in_the_sources(void **state)
{
    (void)state;
    size_t count = 0;
    for (size_t k = 0; k < table.count; k++)
        if (*table.row[k].at[EQUATION]) {
            count++;
            if (!strstr(sources, table.row[k].at[EQUATION]))
                fail_msg(NOTATION ": no file of ref/ cites %s", table.row[k].at[EQUATION]);
        }
    assert_true(count >= 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_of_files_has_a_row),
        cmocka_unit_test(files_have_no_other_names),
        cmocka_unit_test(answers_are_declared_by_their_stage),
        cmocka_unit_test(every_stage_has_a_row_and_no_other_is_declared),
        cmocka_unit_test(identifiers_exist),
        cmocka_unit_test(functions_and_masks_exist),
        cmocka_unit_test(equations_are_cited_in_the_sources),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
