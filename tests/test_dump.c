/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "dump.h"
#include "vectors_support.h"

/* ---- dumps to open -------------------------------------------------------------------------- */

/* One tensor of a dump; its values count up from `first`. */
typedef struct Piece {
    const char *name;
    NumberType type;
    size_t dims, shape[5];
    double first;
} Piece;

enum { MOST_PIECES = 90, BATCH = 2, HEADS = 3, LENGTH = 5, DIM = 2 };

typedef struct Draft {
    Piece piece[MOST_PIECES];
    size_t count;
    const char *window, *scale, *arithmetic;
} Draft;

static void draft_add(Draft *f, const char *name, NumberType type, size_t dims, double first)
{
    assert_true(f->count < MOST_PIECES);
    f->piece[f->count++] = (Piece){name, type, dims, {BATCH, HEADS, LENGTH, DIM, 1}, first};
}

static Piece *draft_find(Draft *f, const char *name)
{
    for (size_t k = 0; k < f->count; k++)
        if (strcmp(f->piece[k].name, name) == 0)
            return &f->piece[k];
    fail_msg("the draft has no %s", name);
    return NULL;
}

/* Six inputs and the three forward answers, 2 x 3 x 5 x 2, all F32. */
static Draft full_draft(void)
{
    Draft f = {.count = 0};
    for (Input k = 0; k < INPUTS; k++)
        draft_add(&f, input_name(k), TYPE_F32, 4, 100.0 * (double)k);
    for (Answer a = 0; a < FORWARD_ANSWERS; a++)
        draft_add(&f, answer_name(a), TYPE_F32, a == ANSWER_LSE ? 3 : 4, 1000 * (double)(a + 1));
    return f;
}

static void draft_write(const Draft *f, const char *path)
{
    SafetensorsWriter *w = safetensors_writer_new();
    Failure failure;
    double values[2 * BATCH * HEADS * LENGTH * DIM];
    if (f->window)
        safetensors_add_metadata(w, "window", f->window);
    if (f->scale)
        safetensors_add_metadata(w, "scale", f->scale);
    if (f->arithmetic)
        safetensors_add_metadata(w, "arithmetic", f->arithmetic);
    for (size_t k = 0; k < f->count; k++) {
        const Piece *p = &f->piece[k];
        size_t n = 1;
        for (size_t i = 0; i < p->dims; i++)
            n *= p->shape[i];
        assert_true(n <= sizeof values / sizeof *values);
        for (size_t i = 0; i < n; i++)
            values[i] = p->first + (double)i;
        safetensors_add(w, p->name, p->type, p->dims, p->shape, values);
    }
    if (!safetensors_write(w, path, &failure))
        fail_msg("%s", failure.text);
    safetensors_writer_free(w);
}

static const DumpOptions nothing = {NULL, NULL, NULL};

static Dump opened(const Draft *f, const DumpOptions *given)
{
    Dump d;
    Failure failure;
    draft_write(f, scratch_path("dump"));
    if (!dump_open(&d, scratch_path("dump"), given, &failure))
        fail_msg("%s", failure.text);
    return d;
}

static bool all_zero(const Dump *d)
{
    static const Dump none;
    return d->file == none.file && memcmp(d->input, none.input, sizeof d->input) == 0 &&
           memcmp(d->answer, none.answer, sizeof d->answer) == 0;
}

/* The sentence must be `expected`, in which a leading @ stands for the path. */
static void assert_refused(const char *test, const char *path, const DumpOptions *given,
                           const char *expected)
{
    Dump d;
    Failure failure = {""};
    char sentence[1024];
    (void)snprintf(sentence, sizeof sentence, "%s%s", *expected == '@' ? path : "",
                   *expected == '@' ? expected + 1 : expected);
    if (dump_open(&d, path, given, &failure))
        fail_msg("%s: the dump was opened", test);
    if (strcmp(failure.text, sentence) != 0)
        fail_msg("%s: \"%s\", expected \"%s\"", test, failure.text, sentence);
    assert_true(all_zero(&d));
}

/* ---- refusals ------------------------------------------------------------------------------- */

typedef struct Refusal {
    const char *test, *tensor;               /* what is changed, or NULL */
    size_t dims, shape[5];                   /* its new shape; 0: the tensor is missing */
    const char *window, *scale, *arithmetic; /* metadata */
    DumpOptions given;
    const char *expected;
} Refusal;

#define SHAPE_OF_QU "; expected that of \"qu\", [2, 3, 5, 2]"
#define FOUR_DIMS "; expected [batch, heads, L, d]"
#define SHAPE_OF_ANSWER FOUR_DIMS " = [2, 3, 5, 2]"
#define SHAPE_OF_LSE "; expected [batch, heads, L] = [2, 3, 5]"
#define MISSING(name) \
    "@: input tensor \"" name "\" is missing; a dump holds all of qu ku vu " \
    "qc kc vc, each [batch, heads, L, d]"
#define TENSOR(name, shape) "@: tensor \"" name "\" has shape " shape
#define WINDOW(text) "window is \"" text "\"; expected \"none\" or a whole number"
#define SCALE(text) "scale is \"" text "\"; expected \"1/sqrt(d)\" or a finite number other than 0"
#define PRESET(text) \
    "unknown arithmetic \"" text "\": expected float64, float32, tf32, " \
    "bfloat16 or float16, optionally followed by ,key=format"
#define ITEM(item, text) \
    "unknown item \"" item "\" in arithmetic \"" text "\": expected " \
    "key=format, with a key of accumulate operands inputs scale sc t1 " \
    "g su p cache o lse u dp ds dsu dt1 dg dz dqu dku dvu dqc " \
    "dkc dvc"
#define TEN "1234567890"

static const Refusal refusals[] = {
    {"no qu", .tensor = "qu", .expected = MISSING("qu")},
    {"no ku", .tensor = "ku", .expected = MISSING("ku")},
    {"no vu", .tensor = "vu", .expected = MISSING("vu")},
    {"no qc", .tensor = "qc", .expected = MISSING("qc")},
    {"no kc", .tensor = "kc", .expected = MISSING("kc")},
    {"no vc", .tensor = "vc", .expected = MISSING("vc")},
    {"qu a row", "qu", 1, {60}, .expected = TENSOR("qu", "[60]") FOUR_DIMS},
    {"qu of 3 dimensions", "qu", 3, {2, 3, 10}, .expected = TENSOR("qu", "[2, 3, 10]") FOUR_DIMS},
    {"qu of 5 dimensions",
     "qu",
     5,
     {2, 3, 5, 2, 1},
     .expected = TENSOR("qu", "[2, 3, 5, 2, 1]") FOUR_DIMS},
    {"qu one longer",
     "qu",
     4,
     {2, 3, 6, 2},
     .expected = TENSOR("ku", "[2, 3, 5, 2]") "; expected that of \"qu\", [2, 3, 6, 2]"},
    {"ku transposed", "ku", 4, {2, 3, 2, 5}, .expected = TENSOR("ku", "[2, 3, 2, 5]") SHAPE_OF_QU},
    {"vu one shorter", "vu", 4, {2, 3, 4, 2}, .expected = TENSOR("vu", "[2, 3, 4, 2]") SHAPE_OF_QU},
    {"qc without batch", "qc", 3, {3, 5, 2}, .expected = TENSOR("qc", "[3, 5, 2]") SHAPE_OF_QU},
    {"kc with fewer heads",
     "kc",
     4,
     {2, 1, 5, 2},
     .expected = TENSOR("kc", "[2, 1, 5, 2]") SHAPE_OF_QU},
    {"vc wider", "vc", 4, {2, 3, 5, 3}, .expected = TENSOR("vc", "[2, 3, 5, 3]") SHAPE_OF_QU},
    {"vc of 5 dimensions",
     "vc",
     5,
     {2, 3, 5, 2, 1},
     .expected = TENSOR("vc", "[2, 3, 5, 2, 1]") SHAPE_OF_QU},
    {"o one shorter",
     "o",
     4,
     {2, 3, 4, 2},
     .expected = TENSOR("o", "[2, 3, 4, 2]") SHAPE_OF_ANSWER},
    {"o without batch", "o", 3, {2, 3, 5}, .expected = TENSOR("o", "[2, 3, 5]") SHAPE_OF_ANSWER},
    {"u wider", "u", 4, {2, 3, 5, 3}, .expected = TENSOR("u", "[2, 3, 5, 3]") SHAPE_OF_ANSWER},
    {"lse with a column",
     "lse",
     4,
     {2, 3, 5, 1},
     .expected = TENSOR("lse", "[2, 3, 5, 1]") SHAPE_OF_LSE},
    {"lse one longer", "lse", 3, {2, 3, 6}, .expected = TENSOR("lse", "[2, 3, 6]") SHAPE_OF_LSE},
    {"lse in another order",
     "lse",
     3,
     {2, 5, 3},
     .expected = TENSOR("lse", "[2, 5, 3]") SHAPE_OF_LSE},

    {"window empty", .window = "", .expected = "@: " WINDOW("")},
    {"window a word", .window = "None", .expected = "@: " WINDOW("None")},
    {"window negative", .window = "-1", .expected = "@: " WINDOW("-1")},
    {"window signed", .window = "+1", .expected = "@: " WINDOW("+1")},
    {"window behind a space", .window = " 1", .expected = "@: " WINDOW(" 1")},
    {"window before a space", .window = "1 ", .expected = "@: " WINDOW("1 ")},
    {"window a fraction", .window = "1.5", .expected = "@: " WINDOW("1.5")},
    {"window hexadecimal", .window = "0x10", .expected = "@: " WINDOW("0x10")},
    {"window the mark of none", .window = "1152921504606846975",
     .expected = "@: " WINDOW("1152921504606846975")},
    {"window past 64 bits", .window = "99999999999999999999",
     .expected = "@: " WINDOW("99999999999999999999")},
    {"window hostile", .window = "\x1b[31m", .expected = "@: " WINDOW("\\x1b[31m")},
    {"window endless", .window = TEN TEN TEN TEN TEN TEN "7",
     .expected = "@: " WINDOW(TEN TEN TEN TEN TEN TEN)},
    {"scale empty", .scale = "", .expected = "@: " SCALE("")},
    {"scale 0", .scale = "0", .expected = "@: " SCALE("0")},
    {"scale underflows", .scale = "1e-999", .expected = "@: " SCALE("1e-999")},
    {"scale infinite", .scale = "inf", .expected = "@: " SCALE("inf")},
    {"scale overflows", .scale = "1e999", .expected = "@: " SCALE("1e999")},
    {"scale NaN", .scale = "nan", .expected = "@: " SCALE("nan")},
    {"scale with more behind", .scale = "0.5x", .expected = "@: " SCALE("0.5x")},
    {"scale a formula", .scale = "1/sqrt(D)", .expected = "@: " SCALE("1/sqrt(D)")},
    {"arithmetic empty", .arithmetic = "", .expected = "@: " PRESET("")},
    {"arithmetic unknown", .arithmetic = "float8", .expected = "@: " PRESET("float8")},
    {"arithmetic in capitals", .arithmetic = "Float32", .expected = "@: " PRESET("Float32")},
    {"arithmetic with an unknown key", .arithmetic = "float32,q=float64",
     .expected = "@: " ITEM("q", "float32,q=float64")},
    {"arithmetic with an unknown format", .arithmetic = "float32,o=double",
     .expected = "@: " ITEM("o", "float32,o=double")},
    {"arithmetic without a format", .arithmetic = "float32,o",
     .expected = "@: " ITEM("o", "float32,o")},

    {"option --window", .given.window = "x", .expected = "option --window: " WINDOW("x")},
    {"option --window beats the file", .window = "3", .given.window = "-3",
     .expected = "option --window: " WINDOW("-3")},
    {"option --scale", .given.scale = "0", .expected = "option --scale: " SCALE("0")},
    {"option --arithmetic", .given.arithmetic = "x",
     .expected = "option --arithmetic: " PRESET("x")},
};

static void every_refusal_says_what_was_expected(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof refusals / sizeof *refusals; k++) {
        const Refusal *r = &refusals[k];
        Draft f = full_draft();
        f.window = r->window, f.scale = r->scale, f.arithmetic = r->arithmetic;
        if (r->tensor) {
            Piece *p = draft_find(&f, r->tensor);
            p->dims = r->dims;
            memcpy(p->shape, r->shape, sizeof p->shape);
            if (r->dims == 0)
                *p = f.piece[--f.count];
        }
        draft_write(&f, scratch_path("dump"));
        assert_refused(r->test, scratch_path("dump"), &r->given, r->expected);
    }
}

static void what_is_no_container_is_refused(void **state)
{
    (void)state;
    assert_refused("missing", scratch_path("none"), &nothing,
                   "@: cannot be opened for reading: No such file or directory");
    write_file(scratch_path("empty"), "", 0);
    assert_refused("empty", scratch_path("empty"), &nothing,
                   "@: is empty, expected a safetensors file");
}

static void an_endless_declaration_is_refused(void **state)
{
    char text[300];
    Draft f = full_draft();
    (void)state;
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    f.arithmetic = text;
    draft_write(&f, scratch_path("dump"));
    assert_refused("endless", scratch_path("dump"), &nothing,
                   "@: arithmetic declaration longer than 159 bytes");
}

/* A path of 1000 characters must not push the reason out of the sentence. */
static void a_long_path_leaves_the_reason(void **state)
{
    Draft f = full_draft();
    char path[1100] = "";
    Failure failure;
    Dump d;
    (void)state;
    f.window = "x";
    draft_write(&f, scratch_path("dump"));
    (void)snprintf(path, sizeof path, "%s", scratch);
    while (strlen(path) < 1000)
        strcat(path, "/.");
    strcat(path, "/dump");
    assert_false(dump_open(&d, path, &nothing, &failure));
    assert_contains(failure.text, "./dump: " WINDOW("x"));
}

/* ---- defaults and overrides ----------------------------------------------------------------- */

static void assert_described(const Dump *d, const char *window, const char *scale)
{
    char text[60];
    dump_describe_window(d, text, sizeof text);
    assert_string_equal(text, window);
    dump_describe_scale(d, text, sizeof text);
    assert_string_equal(text, scale);
}

static void what_is_not_stated_has_a_default(void **state)
{
    Draft f = full_draft();
    Dump d = opened(&f, &nothing);
    (void)state;
    assert_false(d.window_stated || d.scale_stated || d.arithmetic_stated);
    assert_int_equal(d.window, NO_WINDOW);
    assert_true(d.scale == 0);
    assert_string_equal(d.arithmetic.name, "float32");
    assert_described(&d, "none", "1/sqrt(d)");
    dump_close(&d);
}

static void metadata_are_read(void **state)
{
    Draft f = full_draft();
    (void)state;
    f.window = "17", f.scale = "-0.1", f.arithmetic = "bfloat16,p=float32";
    Dump d = opened(&f, &nothing);
    assert_true(d.window_stated && d.scale_stated && d.arithmetic_stated);
    assert_int_equal(d.window, 17);
    assert_true(d.scale == -0.1);
    assert_string_equal(d.arithmetic.name, "bfloat16,p=float32");
    assert_ptr_equal(d.arithmetic.site[STAGE_P], &BINARY32);
    assert_ptr_equal(d.arithmetic.site[STAGE_G], &BFLOAT16);
    assert_described(&d, "17", "-0.10000000000000001");
    dump_close(&d);

    f.window = "none", f.scale = "1/sqrt(d)";
    d = opened(&f, &nothing);
    assert_true(d.window_stated && d.scale_stated);
    assert_described(&d, "none", "1/sqrt(d)");
    dump_close(&d);

    f.window = "0";
    d = opened(&f, &nothing);
    assert_int_equal(d.window, 0);
    assert_described(&d, "0", "1/sqrt(d)");
    dump_close(&d);
}

static void the_command_line_overrides_metadata(void **state)
{
    const DumpOptions given = {"tf32", "5", "0.25"}, defaults = {NULL, "none", "1/sqrt(d)"};
    Draft f = full_draft();
    (void)state;
    f.window = "17", f.scale = "2", f.arithmetic = "bfloat16";
    Dump d = opened(&f, &given);
    assert_described(&d, "5", "0.25");
    assert_string_equal(d.arithmetic.name, "tf32");
    assert_true(d.window_stated && d.scale_stated && d.arithmetic_stated);
    dump_close(&d);

    d = opened(&f, &defaults);
    assert_described(&d, "none", "1/sqrt(d)");
    assert_string_equal(d.arithmetic.name, "bfloat16");
    dump_close(&d);

    /* ... also where the metadata are unusable */
    f.window = f.scale = f.arithmetic = "garbage";
    d = opened(&f, &given);
    assert_described(&d, "5", "0.25");
    dump_close(&d);
}

/* ---- types ---------------------------------------------------------------------------------- */

static void arithmetic_defaults_to_the_type_of_the_answers(void **state)
{
    static const struct {
        NumberType inputs, o, lse, u;
        bool has_o, has_lse, has_u;
        const char *expected;
    } cases[] = {
        {TYPE_F32, TYPE_BF16, TYPE_F32, TYPE_F64, true, true, true, "bfloat16"},
        {TYPE_F32, TYPE_BF16, TYPE_F32, TYPE_F16, false, true, true, "float16"},
        {TYPE_F64, TYPE_BF16, TYPE_F32, TYPE_F16, false, true, false, "float64"},
        {TYPE_BF16, TYPE_F32, TYPE_F32, TYPE_F16, false, false, false, "bfloat16"},
    };
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        Draft f = {.count = 0};
        for (Input i = 0; i < INPUTS; i++)
            draft_add(&f, input_name(i), cases[k].inputs, 4, 0);
        if (cases[k].has_o)
            draft_add(&f, "o", cases[k].o, 4, 0);
        if (cases[k].has_lse)
            draft_add(&f, "lse", cases[k].lse, 3, 0);
        if (cases[k].has_u)
            draft_add(&f, "u", cases[k].u, 4, 0);
        Dump d = opened(&f, &nothing);
        assert_string_equal(d.arithmetic.name, cases[k].expected);
        assert_int_equal(d.answer[ANSWER_O] != NULL, cases[k].has_o);
        assert_int_equal(d.answer[ANSWER_LSE] != NULL, cases[k].has_lse);
        assert_int_equal(d.answer[ANSWER_U] != NULL, cases[k].has_u);
        dump_close(&d);
    }
}

/* An answer in a file is rounded to the file's type; no declared rounding is ever taken back. */
static void stored_types_only_coarsen_the_declaration(void **state)
{
    Draft f = full_draft();
    (void)state;
    f.arithmetic = "float64";
    draft_find(&f, "u")->type = TYPE_F64;
    Dump d = opened(&f, &nothing);
    assert_ptr_equal(d.arithmetic.site[STAGE_O], &BINARY32);
    assert_ptr_equal(d.arithmetic.site[STAGE_LSE], &BINARY32);
    assert_ptr_equal(d.arithmetic.site[STAGE_U], &BINARY64);
    assert_ptr_equal(d.arithmetic.accumulate, &BINARY64);
    dump_close(&d);

    f.arithmetic = "bfloat16";
    d = opened(&f, &nothing);
    assert_ptr_equal(d.arithmetic.site[STAGE_O], &BFLOAT16);
    assert_ptr_equal(d.arithmetic.site[STAGE_U], &BFLOAT16);
    dump_close(&d);
}

static void the_type_holds_all_inputs(void **state)
{
    static const struct {
        NumberType first, second, expected;
    } cases[] = {
        {TYPE_F32, TYPE_F32, TYPE_F32},
        {TYPE_F32, TYPE_F64, TYPE_F64},
        {TYPE_F64, TYPE_F16, TYPE_F64},
        {TYPE_F16, TYPE_F16, TYPE_F16},
        {TYPE_BF16, TYPE_F32, TYPE_F32},
        /* neither of the two holds the other */
        {TYPE_F16, TYPE_BF16, TYPE_F32},
        {TYPE_BF16, TYPE_F16, TYPE_F32},
    };
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (size_t changed = 1; changed < INPUTS; changed++) {
            Draft f = {.count = 0};
            for (Input i = 0; i < INPUTS; i++)
                draft_add(&f, input_name(i), i == changed ? cases[k].second : cases[k].first, 4, 0);
            Dump d = opened(&f, &nothing);
            assert_int_equal(d.type, cases[k].expected);
            dump_close(&d);
        }
}

/* ---- indexing ------------------------------------------------------------------------------- */

static void heads_lie_behind_one_another_in_their_batch(void **state)
{
    Draft f = full_draft();
    (void)state;
    f.window = "2", f.scale = "0.5";
    Dump d = opened(&f, &nothing);
    assert_int_equal(d.batch, BATCH);
    assert_int_equal(d.heads, HEADS);
    assert_int_equal(d.length, LENGTH);
    assert_int_equal(d.dim, DIM);
    assert_int_equal(dump_problems(&d), BATCH * HEADS);
    for (size_t b = 0; b < BATCH; b++)
        for (size_t h = 0; h < HEADS; h++) {
            size_t index = b * HEADS + h;
            Problem p = dump_problem(&d, index);
            assert_int_equal(p.length, LENGTH);
            assert_int_equal(p.dim, DIM);
            assert_int_equal(p.window, 2);
            assert_true(p.scale == 0.5);
            for (size_t t = 0; t < LENGTH; t++) {
                size_t token = index * LENGTH + t;
                assert_true(dump_answer(&d, ANSWER_LSE, index)[t] == 2000 + (double)token);
                for (size_t j = 0; j < DIM; j++) {
                    double at = (double)(token * DIM + j);
                    for (size_t k = 0; k < INPUTS; k++)
                        assert_true(p.input[k][t * DIM + j] == 100 * (double)k + at);
                    assert_true(dump_answer(&d, ANSWER_O, index)[t * DIM + j] == 1000 + at);
                    assert_true(dump_answer(&d, ANSWER_U, index)[t * DIM + j] == 3000 + at);
                }
            }
        }
    dump_close(&d);
}

static void a_missing_answer_is_null(void **state)
{
    Draft f = full_draft();
    (void)state;
    f.count = INPUTS;
    Dump d = opened(&f, &nothing);
    for (Answer a = 0; a < ANSWERS; a++)
        for (size_t index = 0; index < dump_problems(&d); index++)
            assert_null(dump_answer(&d, a, index));
    dump_close(&d);
}

static void the_order_of_tensors_does_not_matter(void **state)
{
    Draft f = full_draft();
    (void)state;
    for (size_t k = 0; k < f.count / 2; k++) {
        Piece p = f.piece[k];
        f.piece[k] = f.piece[f.count - 1 - k];
        f.piece[f.count - 1 - k] = p;
    }
    Dump d = opened(&f, &nothing);
    for (size_t k = 0; k < INPUTS; k++)
        assert_true(d.input[k][0] == 100 * (double)k);
    assert_true(d.answer[ANSWER_LSE][0] == 2000);
    dump_close(&d);
}

/* ---- what is not judged --------------------------------------------------------------------- */

static void all_else_is_listed_as_not_judged(void **state)
{
    Draft f = full_draft();
    (void)state;
    draft_add(&f, "dx", TYPE_F32, 4, 0);
    draft_add(&f, "do", TYPE_F32, 4, 0);
    draft_add(&f, "O", TYPE_F32, 4, 0);
    draft_add(&f, "", TYPE_F32, 1, 0);
    draft_add(&f, "o.lo", TYPE_F64, 4, 0);
    Dump d = opened(&f, &nothing);
    assert_int_equal(d.not_judged_count, 4);
    assert_string_equal(d.not_judged[0], "dx");
    assert_string_equal(d.not_judged[1], "O");
    assert_string_equal(d.not_judged[2], "");
    assert_string_equal(d.not_judged[3], "o.lo");
    dump_close(&d);
}

static void the_list_of_what_is_not_judged_ends(void **state)
{
    char names[80][8];
    Draft f = full_draft();
    (void)state;
    for (size_t k = 0; k < 80; k++) {
        (void)snprintf(names[k], sizeof names[k], "x%zu", k);
        draft_add(&f, names[k], TYPE_F32, 1, 0);
    }
    Dump d = opened(&f, &nothing);
    assert_int_equal(d.not_judged_count, 64);
    assert_string_equal(d.not_judged[63], "x63");
    dump_close(&d);
}

static void closing_leaves_nothing(void **state)
{
    Draft f = full_draft();
    Dump d = opened(&f, &nothing);
    (void)state;
    dump_close(&d);
    assert_true(all_zero(&d));
    dump_close(&d);
}

/* Gradients are judged for the gradient of o that the kernel was given: without "do" there is none. */
static void gradients_need_the_cotangent(void **state)
{
    (void)state;
    Draft f = full_draft();
    draft_add(&f, "dqc", TYPE_F32, 4, 7000);
    draft_write(&f, scratch_path("dump"));
    assert_refused(
        "dqc alone", scratch_path("dump"), &nothing,
        "@: gradient \"dqc\" is there, but \"do\" is not; gradients are judged for the gradient "
        "of o that the kernel was given");
    draft_add(&f, "do", TYPE_F64, 4, 8000);
    Dump d = opened(&f, &nothing);
    assert_int_equal(d.type, TYPE_F64); /* the widest of inputs and cotangent */
    assert_int_equal(dump_answers(&d), ANSWERS);
    for (size_t h = 0; h < BATCH * HEADS; h++) {
        Problem p = dump_problem(&d, h);
        assert_true(p.cotangent[0] == 8000 + (double)(h * LENGTH * DIM));
        assert_true(dump_answer(&d, ANSWER_DQC, h)[0] == 7000 + (double)(h * LENGTH * DIM));
        assert_null(dump_answer(&d, ANSWER_DQU, h));
    }
    dump_close(&d);

    draft_find(&f, "do")->shape[2] = LENGTH + 1;
    draft_write(&f, scratch_path("dump"));
    assert_refused(
        "do one longer", scratch_path("dump"), &nothing,
        "@: tensor \"do\" has shape [2, 3, 6, 2]; expected that of \"qu\", [2, 3, 5, 2]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_need_the_cotangent),
        cmocka_unit_test(every_refusal_says_what_was_expected),
        cmocka_unit_test(what_is_no_container_is_refused),
        cmocka_unit_test(an_endless_declaration_is_refused),
        cmocka_unit_test(a_long_path_leaves_the_reason),
        cmocka_unit_test(what_is_not_stated_has_a_default),
        cmocka_unit_test(metadata_are_read),
        cmocka_unit_test(the_command_line_overrides_metadata),
        cmocka_unit_test(arithmetic_defaults_to_the_type_of_the_answers),
        cmocka_unit_test(stored_types_only_coarsen_the_declaration),
        cmocka_unit_test(the_type_holds_all_inputs),
        cmocka_unit_test(heads_lie_behind_one_another_in_their_batch),
        cmocka_unit_test(a_missing_answer_is_null),
        cmocka_unit_test(the_order_of_tensors_does_not_matter),
        cmocka_unit_test(all_else_is_listed_as_not_judged),
        cmocka_unit_test(the_list_of_what_is_not_judged_ends),
        cmocka_unit_test(closing_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
