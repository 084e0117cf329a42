/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every dump that cannot be used gets one sentence: what, where, what was expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "dump_support.h"
#include "vectors_support.h"

typedef struct Refusal {
    const char *test, *tensor;               /* what is changed, or NULL */
    size_t dims, shape[5];                   /* its new shape; 0: the tensor is missing */
    const char *window, *scale, *arithmetic; /* metadata */
    DumpOptions given;
    const char *expected;
} Refusal;

#define SHAPE_OF_QU "; expected [batch, heads, L, d] = [2, 3, 5, 2]"
#define FOUR_DIMS "; expected [batch, heads, L, d]"
#define SHAPE_OF_ANSWER FOUR_DIMS " = [2, 3, 5, 2]"
#define SHAPE_OF_LSE "; expected [batch, heads, L] = [2, 3, 5]"
#define MISSING(name) \
    "@: input tensor \"" name "\" is missing; a dump holds all of qu ku vu " \
    "qc kc vc, each [batch, heads, L, d], or a layer's x wqu wku wvu wqc wkc wvc wo"
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
    "dkc dvc y dx dw"
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
     .expected = TENSOR("ku", "[2, 3, 5, 2]") "; expected [batch, heads, L, d] = [2, 3, 6, 2]"},
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
        draft_refused(r->test, scratch_path("dump"), &r->given, r->expected);
    }
}

static void what_is_no_container_is_refused(void **state)
{
    (void)state;
    draft_refused("missing", scratch_path("none"), &nothing,
                  "@: cannot be opened for reading: No such file or directory");
    write_file(scratch_path("empty"), "", 0);
    draft_refused("empty", scratch_path("empty"), &nothing,
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
    draft_refused("endless", scratch_path("dump"), &nothing,
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

/* Gradients are judged for the gradient of o that the kernel was given: without "do" there is none. */
static void gradients_need_the_cotangent(void **state)
{
    (void)state;
    Draft f = full_draft();
    draft_add(&f, "dqc", TYPE_F32, 4, 7000);
    draft_write(&f, scratch_path("dump"));
    draft_refused(
        "dqc alone", scratch_path("dump"), &nothing,
        "@: gradient \"dqc\" is there, but \"do\" is not; gradients are judged for the gradient "
        "of o that the kernel was given");
    draft_add(&f, "do", TYPE_F64, 4, 8000);
    Dump d = draft_opened(&f, &nothing);
    assert_int_equal(d.task.type, TYPE_F64); /* the widest of inputs and cotangent */
    for (Answer a = 0; a < HEAD_ANSWERS; a++)
        assert_true(task_asks(&d.task, a));
    for (size_t h = 0; h < BATCH * HEADS; h++) {
        Problem p = task_problem(&d.task, h);
        assert_true(p.cotangent[0] == 8000 + (double)(h * LENGTH * DIM));
        assert_true(dump_answer(&d, ANSWER_DQC, h)[0] == 7000 + (double)(h * LENGTH * DIM));
        assert_null(dump_answer(&d, ANSWER_DQU, h));
    }
    dump_close(&d);

    draft_find(&f, "do")->shape[2] = LENGTH + 1;
    draft_write(&f, scratch_path("dump"));
    draft_refused("do one longer", scratch_path("dump"), &nothing,
                  "@: tensor \"do\" has shape [2, 3, 6, 2]; expected [batch, heads, L, d] = "
                  "[2, 3, 5, 2]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_need_the_cotangent),
        cmocka_unit_test(every_refusal_says_what_was_expected),
        cmocka_unit_test(what_is_no_container_is_refused),
        cmocka_unit_test(an_endless_declaration_is_refused),
        cmocka_unit_test(a_long_path_leaves_the_reason),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
