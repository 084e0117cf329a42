/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What castle check prints: its JSON is what docs/check-json.md says, and names in it are harmless.
 * (That tables fit 100 columns is asserted where they are printed, by assert_fits_page.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"
#include "kernel_support.h"
#include "task_support.h"

#include <math.h>

static void hostile_names_do_not_reach_the_terminal(void **state)
{
    Case *c = solved(1, 2, 1, NULL, 9);
    (void)state;
    judges("right", saved(c, "\x1b[31mred\nright"));
    assert_out("\\x1b[31mred\\x0aright: right\n");
    assert_not_out("\x1b");
    refuses("\\x1b[31m", "check", "\x1b[31m");
    free(c);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

enum { MOST_FIELDS = 150 };
typedef struct Field {
    char path[100], type[40];
    bool always;
} Field;
static Field fields[MOST_FIELDS];
static size_t field_count;

/* The tables of docs/check-json.md: | `path` | type | there | meaning |. That of dumps is under "Fields",
 * that of kernels under its own heading. */
static void read_documented_fields(bool of_kernels)
{
    bool in_kernels = false;
    char line[1000], there[40];
    FILE *doc = fopen("docs/check-json.md", "r");
    field_count = 0;
    while (doc && fgets(line, sizeof line, doc)) {
        Field f;
        if (strncmp(line, "## ", 3) == 0)
            in_kernels = strncmp(line, "## A kernel", 11) == 0;
        if (in_kernels != of_kernels)
            continue;
        if (sscanf(line, "| `%99[^`]` | %39[^|] | %39[^|]", f.path, f.type, there) != 3)
            continue;
        f.type[strlen(f.type) - 1] = '\0'; /* a space */
        f.always = strncmp(there, "always", 6) == 0;
        assert_true(field_count < MOST_FIELDS);
        fields[field_count++] = f;
    }
    if (doc)
        (void)fclose(doc); /* only read from */
    assert_true(field_count > 30);
}

static const Field *documented(const char *path)
{
    for (size_t k = 0; k < field_count; k++)
        if (strcmp(fields[k].path, path) == 0)
            return &fields[k];
    return NULL;
}

static bool of_type(const json_t *v, const char *type)
{
    const char *s = json_string_value(v);
    if (strcmp(type, "number or string") == 0)
        return json_is_number(v) ||
               (s && (strcmp(s, "inf") == 0 || strcmp(s, "-inf") == 0 || strcmp(s, "nan") == 0));
    return strcmp(type, "string") == 0    ? json_is_string(v)
           : strcmp(type, "integer") == 0 ? json_is_integer(v)
           : strcmp(type, "number") == 0  ? json_is_number(v)
           : strcmp(type, "boolean") == 0 ? json_is_boolean(v)
           : strcmp(type, "object") == 0  ? json_is_object(v)
                                          : strcmp(type, "array") == 0 && json_is_array(v);
}

/* Everything below v is documented, of its type, and complete. */
static void assert_documented(json_t *v, const char *path)
{
    char below[200];
    const char *key;
    json_t *member;
    size_t index;
    bool named = strlen(path) > 8 && strcmp(path + strlen(path) - 8, ".tensors") == 0;
    if (*path) {
        const Field *f = documented(path);
        if (!f)
            complain("not documented: ", path);
        if (f && !of_type(v, f->type))
            complain("not of the documented type: ", path);
    }
    if (json_is_array(v)) {
        (void)snprintf(below, sizeof below, "%s[]", path);
        json_array_foreach(v, index, member) assert_documented(member, below);
    }
    if (!json_is_object(v))
        return;
    json_object_foreach(v, key, member)
    {
        (void)snprintf(below, sizeof below, "%s%s%s", path, *path ? "." : "", named ? "NAME" : key);
        assert_documented(member, below);
    }
    for (size_t k = 0; k < field_count && !named; k++) {
        size_t length = strlen(path);
        const char *rest = fields[k].path + length + (length > 0);
        if (strncmp(fields[k].path, path, length) != 0 ||
            (length && fields[k].path[length] != '.') || strpbrk(rest, ".[") || !fields[k].always)
            continue;
        if (!json_object_get(v, rest))
            complain("documented, but not there: ", fields[k].path);
    }
}

static void assert_integer(const json_t *object, const char *key, json_int_t expected)
{
    assert_int_equal(json_integer_value(json_object_get(object, key)), expected);
}

static void assert_string(const json_t *object, const char *key, const char *expected)
{
    assert_string_equal(json_string_value(json_object_get(object, key)), expected);
}

static void documented_fields_are_those_of_the_output(void **state)
{
    Case *c = solved(2, 5, 3, "2", 10);
    const char *right = saved(c, "right");
    (void)state;
    read_documented_fields(false);
    c->answer[ANSWER_U][numbers_in(c) - 1] = 1;
    c->answer[ANSWER_O][0] = NAN;
    c->answer[ANSWER_LSE][9] = 3;
    const char *wrong = saved(c, "wrong\xff");
    for (size_t i = 0; i < numbers_in(c); i++)
        c->input[INPUT_VC][i] = INFINITY;
    c->absent[ANSWER_LSE] = c->absent[ANSWER_U] = true;
    const char *suspect = saved(c, "suspect");

    run("check", "--json", right, wrong, "no-such-file", suspect, L2D1);
    assert_status(UNUSABLE_STATUS);
    json_t *doc = document();
    assert_documented(doc, "");
    const json_t *dumps = json_object_get(doc, "dumps");
    assert_int_equal(json_array_size(dumps), 4);
    assert_integer(doc, "unusable", 1);

    static const char *const verdicts[] = {"right", "wrong", "suspect", "right"};
    for (size_t k = 0; k < 4; k++)
        assert_string(json_array_get(dumps, k), "verdict", verdicts[k]);
    const json_t *o = tensor_in(doc, 1, ANSWER_O);
    const json_t *lse = json_object_get(tensor_in(doc, 1, ANSWER_LSE), "worst");
    assert_string(tensor_in(doc, 1, ANSWER_U), "z", "inf");
    assert_integer(o, "not_finite", 1);
    assert_string(json_object_get(o, "worst"), "answer", "nan");
    assert_integer(lse, "batch", 0);
    assert_integer(lse, "head", 1);
    assert_integer(lse, "row", 4);
    assert_integer(lse, "column", 0);
    assert_null(json_object_get(tensor_in(doc, 2, ANSWER_O), "worst"));
    assert_integer(tensor_in(doc, 2, ANSWER_O), "judged", 0);
    json_decref(doc);

    run("check", "--json", "no-such-file");
    assert_status(UNUSABLE_STATUS);
    doc = document();
    assert_documented(doc, "");
    json_decref(doc);
    free(c);
}

static json_t *check_in_json(const char *path, int status)
{
    run("check", "--json", path);
    assert_status(status);
    json_t *doc = document();
    assert_documented(doc, "");
    return doc;
}

/* The place of the worst element is that in the file: d wvc is [dm, heads, d], y is [batch, L, dm]. */
static void a_layers_fields_are_documented(void **state)
{
    const Sizes size = {2, 3, 4, 2, 5};
    (void)state;
    read_documented_fields(false);
    assert_non_null(documented("dumps[].width"));
    Task t = random_task(&size, "float32", 1);
    t.variant = WITHOUT_SILU;
    Answered all = played(&t);
    all.of[ANSWER_DWVC][(4 * 3 + 2) * 2 + 1] = 100;
    all.of[ANSWER_Y][(1 * 4 + 3) * 5 + 2] = 100;
    const char *path = dumped(&t, &all, "layer");
    json_t *doc = check_in_json(path, WRONG_STATUS);
    const json_t *dump = json_array_get(json_object_get(doc, "dumps"), 0);
    assert_integer(dump, "width", 5);
    assert_string(dump, "variant", "without-silu");
    assert_integer(json_object_get(dump, "truth"), "heads_checked_sequentially", 6);
    const json_t *weights = json_object_get(tensor_in(doc, 0, ANSWER_DWVC), "worst");
    const json_t *y = json_object_get(tensor_in(doc, 0, ANSWER_Y), "worst");
    assert_integer(weights, "batch", 0);
    assert_integer(weights, "head", 2);
    assert_integer(weights, "row", 4);
    assert_integer(weights, "column", 1);
    assert_integer(y, "batch", 1);
    assert_integer(y, "head", 0);
    assert_integer(y, "row", 3);
    assert_integer(y, "column", 2);
    json_decref(doc);

    /* for people: the rows and columns shown are those of that head, and of that sequence */
    run("check", path);
    assert_status(WRONG_STATUS);
    assert_out("[4, 2, 1]\n");
    assert_out("[1, 3, 2]\n");
    assert_out("          row             0         1         2         3\n");
    assert_out("          row             1         2         3         4\n");
    assert_out("          column          0         1\n");
    assert_out("          column          0         1         2         3         4\n");
    assert_fits_page();
    answered_free(&all);
    task_free(&t);
}

static void fields_of_heads_and_stages_are_documented(void **state)
{
    const Sizes size = {1, 2, 4, 2, 0};
    (void)state;
    read_documented_fields(false);
    Task t = random_task(&size, "float32", 1);
    t.stages = true;
    Answered all = played(&t);
    json_t *doc = check_in_json(dumped(&t, &all, "stages"), RIGHT_STATUS);
    const json_t *dump = json_array_get(json_object_get(doc, "dumps"), 0);
    assert_null(json_object_get(dump, "width"));
    assert_string(dump, "variant", "castle");
    /* o, u and six gradients; lse; ten stages without what their masks leave out; of two heads */
    assert_integer(json_object_get(dump, "truth"), "certified", 2 * (8 * 8 + 4 + 6 * 10 + 4 * 6));
    assert_integer(tensor_in(doc, 0, ANSWER_SC), "judged", 2 * 10);
    assert_integer(tensor_in(doc, 0, ANSWER_G), "judged", 2 * 16);
    json_decref(doc);
    answered_free(&all);
    task_free(&t);
}

/* A table for heads, with a column for all stages, and one for layers. */
/* A right case, one that is wrong throughout, a crash, and one without anything to judge. */
static void a_kernels_fields_are_documented(void **state)
{
    char library[100], golden[100];
    (void)state;
    read_documented_fields(true);
    (void)snprintf(library, sizeof library, "%s", scratch_path("faulty.so"));
    (void)snprintf(golden, sizeof golden, "%s", scratch_path("golden"));
    assert_true(library_compiled(library, "tests/kernels/faulty.c", "-DUNUSED"));
    run_right("emit", "--out", golden, "--case", "tiny-t*-f32");
    (void)setenv("CASTLE_TEST_CASE", "3", 1);
    static const char *const faults[] = {"segfault", "nan"};
    for (size_t k = 0; k < 2; k++) {
        (void)setenv("CASTLE_TEST_FAULT", faults[k], 1);
        run("check", "--json", "--kernel", library, "--golden", golden, "--case", "tiny-t*-f32",
            "--fresh", "1", "--seed", "12", "--types", "f32");
        assert_status(WRONG_STATUS);
        json_t *doc = document();
        assert_documented(doc, "");
        assert_integer(doc, "right", 3);
        assert_integer(doc, "wrong", 2);
        assert_integer(doc, "seed", 12);
        assert_int_equal(json_array_size(json_object_get(doc, "cases")), 5);
        json_decref(doc);
    }
    (void)unsetenv("CASTLE_TEST_CASE");
    (void)unsetenv("CASTLE_TEST_FAULT");
}

static void tables_hold_layers_and_stages(void **state)
{
    const Sizes heads = {1, 1, 3, 2, 0}, layer = {1, 1, 3, 2, 2};
    (void)state;
    Task a = random_task(&heads, "float32", 1), b = random_task(&layer, "float32", 1);
    a.stages = true;
    Answered x = played(&a), y = played(&b);
    x.of[ANSWER_DG][1] = 100;
    run("check", dumped(&a, &x, "heads"), dumped(&b, &y, "layer"));
    assert_status(WRONG_STATUS);
    assert_out(
        "\ndump                         verdict     o   lse     u   dqu   dku   dvu   dqc   dkc "
        "  dvc stage\nheads                        wrong  ");
    assert_out("\nlayer dump                   verdict     y    dx  dwqu  dwku  dwvu  dwqc  dwkc "
               " dwvc   dwo\nlayer                        right  ");
    assert_out("\n1 right, 0 suspect, 1 wrong\n");
    assert_fits_page();
    answered_free(&x);
    answered_free(&y);
    task_free(&a);
    task_free(&b);
}

/* The same but for real numbers, whose last digits may depend on the machine. */
static bool alike(json_t *a, json_t *b)
{
    const char *key;
    json_t *member;
    size_t index;
    if (json_is_real(a) || json_is_real(b))
        return json_is_real(a) && json_is_real(b);
    if (json_is_array(a) && json_is_array(b) && json_array_size(a) == json_array_size(b)) {
        json_array_foreach(a, index,
                           member) if (!alike(member, json_array_get(b, index))) return false;
        return true;
    }
    if (json_is_object(a) && json_is_object(b) && json_object_size(a) == json_object_size(b)) {
        json_object_foreach(a, key,
                            member) if (!alike(member, json_object_get(b, key))) return false;
        return true;
    }
    return json_equal(a, b);
}

static void the_documented_example_is_real(void **state)
{
    size_t size;
    char *text = (char *)read_whole_file("docs/check-json.md", &size);
    json_error_t error;
    (void)state;
    char *begin = strstr(text, "```json\n"), *end = begin ? strstr(begin, "\n```\n") : NULL;
    assert_non_null(end);
    if (end)
        *end = '\0';
    json_t *example = json_loads(begin + 8, 0, &error);
    assert_non_null(example);
    free(text);
    run_right("check", "--json", L2D1);
    json_t *doc = document();
    if (!alike(example, doc))
        complain("not what docs/check-json.md shows", "");
    json_decref(doc);
    json_decref(example);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hostile_names_do_not_reach_the_terminal),
        TEST(documented_fields_are_those_of_the_output),
        TEST(a_layers_fields_are_documented),
        TEST(fields_of_heads_and_stages_are_documented),
        TEST(a_kernels_fields_are_documented),
        TEST(tables_hold_layers_and_stages),
        TEST(the_documented_example_is_real),
    };
    return run_command_tests(tests);
}
