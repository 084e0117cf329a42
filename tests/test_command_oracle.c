/* SPDX-License-Identifier: GPL-3.0-or-later */
/* castle oracle: what it writes, and what it leaves alone when it cannot write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"
#include "scales.h"

#include <math.h>
#include <sys/stat.h>

static double z_of(const json_t *doc, Answer a)
{
    return json_number_value(json_object_get(tensor_in(doc, 0, a), "z"));
}

/* The error scales of one head for float32, computed here. */
static Scales *scales_of(const Case *c, size_t head, size_t window)
{
    Problem p = {.length = c->length, .dim = c->dim, .window = window};
    Arithmetic arithmetic;
    char why[200];
    for (Input k = 0; k < INPUTS; k++)
        p.input[k] = c->input[k] + head * c->length * c->dim;
    assert_true(arithmetic_parse(&arithmetic, "float32", why, sizeof why));
    Oracle *o = oracle(&p, true, false);
    Scales *s = error_scales(&p, &arithmetic, o, SCALE_SEED);
    oracle_free(o);
    return s;
}

/* Its own values and its values in float32 are answers of a right kernel, with an error near 0. */
static void the_oracle_agrees_with_the_checker(void **state)
{
    Case *c = solved(2, 9, 4, "5", 11);
    const char *truth = scratch_path("truth");
    (void)state;
    run_right("oracle", saved(c, "inputs"), "-o", truth);
    assert_out("truth: the answers o lse u; 0 ties\n");
    run_right("check", "--strict", "--json", "--arithmetic", "float64", truth);
    json_t *doc = document();
    for (Answer a = 0; a < CASE_ANSWERS; a++)
        if (!(z_of(doc, a) < 3))
            complain("z is not small for ", answer_name(a));
    json_decref(doc);

    Failure failure;
    SafetensorsFile *file = safetensors_open(truth, &failure);
    assert_non_null(file);
    assert_string_equal(safetensors_metadata(file, "window"), "5");
    assert_string_equal(safetensors_metadata(file, "scale"), "1/sqrt(d)");
    assert_string_equal(safetensors_metadata(file, "arithmetic"), "float32");
    assert_string_equal(safetensors_metadata(file, "ties"), "0");
    Scales *scales[] = {scales_of(c, 0, 5), scales_of(c, 1, 5)};
    for (Answer a = 0; a < CASE_ANSWERS; a++) {
        const Tensor *part[4];
        static const char *const tails[] = {"", ".lo", ".f32", ".sigma"};
        static const NumberType types[] = {TYPE_F64, TYPE_F64, TYPE_F32, TYPE_F32};
        for (size_t k = 0; k < 4; k++) {
            char name[20];
            (void)snprintf(name, sizeof name, "%s%s", answer_name(a), tails[k]);
            part[k] = safetensors_find(file, name);
            assert_non_null(part[k]);
            assert_int_equal(part[k]->type, types[k]);
            assert_int_equal(part[k]->count, k < 3 ? numbers_of(c, a) : c->heads * c->length);
        }
        size_t cols = answer_columns(a, c->dim);
        for (size_t i = 0; i < numbers_of(c, a); i++) {
            double x = tensor_value(part[0], i), tail = tensor_value(part[1], i);
            double sigma = tensor_value(part[3], i / cols);
            c->answer[a][i] = tensor_value(part[2], i);
            /* both correctly rounded: neither can be moved by what is left */
            assert_true(x + tail == x);
            assert_true(c->answer[a][i] == (double)(float)x);
            /* exact only where nothing is computed: the last row of u */
            assert_true(x == 0 ? sigma == 0 : sigma > 0);
            size_t row = i / cols;
            assert_true(sigma == scales[row / c->length]->sigma[a][row % c->length * cols]);
        }
    }
    for (Input k = 0; k < INPUTS; k++)
        for (size_t i = 0; i < numbers_in(c); i++)
            assert_true(tensor_value(safetensors_find(file, input_name(k)), i) == c->input[k][i]);
    safetensors_close(file);
    scales_free(scales[0]);
    scales_free(scales[1]);
    c->answer_type = TYPE_F32;
    judges("right", "--strict", saved(c, "dump"));
    free(c);
}

static void answers_come_in_the_type_of_the_inputs(void **state)
{
    static const struct {
        NumberType type;
        const char *name;
    } types[] = {
        {TYPE_BF16, "o.bf16"}, {TYPE_F16, "o.f16"}, {TYPE_F32, "o.f32"}, {TYPE_F64, "o.f64"}};
    Case *c = solved(1, 3, 2, NULL, 12);
    (void)state;
    for (size_t k = 0; k < INPUTS; k++)
        for (size_t i = 0; i < numbers_in(c); i++) /* exact in all four */
            c->input[k][i] = nearbyint(8 * c->input[k][i]) / 8;
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        Failure failure;
        c->input_type = types[k].type;
        run_right("oracle", saved(c, "inputs"), "--output", scratch_path("truth"));
        SafetensorsFile *file = safetensors_open(scratch_path("truth"), &failure);
        assert_non_null(file);
        for (size_t other = 0; other < sizeof types / sizeof *types; other++) {
            const Tensor *t = safetensors_find(file, types[other].name);
            assert_int_equal(t != NULL, other == k && types[k].type != TYPE_F64);
            assert_true(!t || t->type == types[k].type);
        }
        safetensors_close(file);
    }
    free(c);
}

/* Neither of bfloat16 and float16 holds the other's numbers. */
static void inputs_of_mixed_types_are_kept_exactly(void **state)
{
    const size_t shape[] = {1, 1, 1, 1};
    const double small = 0x1p-100, fine = 1 + 0x1p-10;
    SafetensorsWriter *w = safetensors_writer_new();
    Failure failure;
    (void)state;
    for (Input k = 0; k < INPUTS; k++)
        safetensors_add(w, input_name(k), k == INPUT_QC ? TYPE_BF16 : TYPE_F16, 4, shape,
                        k == INPUT_QC ? &small : &fine);
    assert_true(safetensors_write(w, scratch_path("mixed"), &failure));
    safetensors_writer_free(w);
    run_right("oracle", scratch_path("mixed"), "-o", scratch_path("truth"));
    Dump d = opened(scratch_path("truth"));
    assert_int_equal(d.task.type, TYPE_F32);
    assert_true(d.task.input[INPUT_QC][0] == small && d.task.input[INPUT_QU][0] == fine);
    dump_close(&d);
}

static void assert_same_bytes(const char *one, const char *two)
{
    size_t size, other_size;
    unsigned char *bytes = read_whole_file(one, &size), *other = read_whole_file(two, &other_size);
    if (size != other_size || memcmp(bytes, other, size) != 0)
        complain("the bytes differ from those of ", one);
    free(other);
    free(bytes);
}

static void the_bytes_do_not_depend_on_threads(void **state)
{
    static const char *const threads[] = {"1", "2", "2", "5"};
    const char *first = scratch_path("first"), *again = scratch_path("again");
    (void)state;
    for (size_t heads = 1; heads <= 3; heads += 2) {
        Case *c = solved(heads, 13, 4, NULL, 13);
        const char *in = saved(c, "inputs");
        for (size_t k = 0; k < sizeof threads / sizeof *threads; k++) {
            run_with(&(Setting){.threads = threads[k]},
                     WORDS("oracle", in, "-o", k ? again : first));
            assert_status(RIGHT_STATUS);
            if (k)
                assert_same_bytes(first, again);
        }
        free(c);
    }
}

static void oracle_needs_one_file_and_an_output(void **state)
{
    const char *out = scratch_path("out");
    (void)state;
    refuses("option -o OUT is missing", "oracle", L2D1);
    refuses("no file given", "oracle", "-o", out);
    refuses("more than one file given", "oracle", L2D1, L100, "-o", out);
    refuses("option requires an argument", "oracle", "-o");
    refuses("no-such-file: cannot be opened", "oracle", "no-such-file", "-o", out);
    refuses("option --arithmetic: ", "oracle", L2D1, "-o", out, "-a", "x");
    refuses("option --window: ", "oracle", L2D1, "-o", out, "-W", "x");
    refuses("option --scale: ", "oracle", L2D1, "-o", out, "-c", "x");
    assert_int_equal(scratch_files(false), 0);
}

static void a_failed_output_leaves_all_as_it_was(void **state)
{
    static const char before[] = "what was here before";
    const char *out = scratch_path("out"), *link_path = scratch_path("link");
    struct stat status;
    (void)state;
    refuses("cannot create a file in its folder: No such file or directory", "oracle", L2D1, "-o",
            scratch_path("no-such-folder/out"));
    assert_int_equal(scratch_files(false), 0);
    refuses("is not a regular file", "oracle", L2D1, "-o", scratch);
    refuses("is not a regular file", "oracle", L2D1, "-o", "/dev/full");
    run("oracle", L2D1, "-o", "");
    assert_status(UNUSABLE_STATUS);

    write_file(out, before, sizeof before);
    assert_int_equal(symlink("out", link_path), 0);
    refuses("is not a regular file", "oracle", L2D1, "-o", link_path);
    assert_int_equal(remove(link_path), 0);
    refuses("no-such-file", "oracle", "no-such-file", "-o", out);
    run_with(&(Setting){.largest_file = 400}, WORDS("oracle", L2D1, "-o", out));
    assert_refused("cannot be written: File too large");
    assert_int_equal(scratch_files(false), 1);
    assert_int_equal(stat(out, &status), 0);
    assert_int_equal(status.st_size, sizeof before);
}

static void an_existing_output_is_replaced_at_once(void **state)
{
    static const char before[] = "what was here before";
    const char *out = scratch_path("out"), *kept = scratch_path("kept");
    size_t size;
    (void)state;
    write_file(out, before, sizeof before);
    assert_int_equal(link(out, kept), 0);
    run_right("oracle", L2D1, "-o", out);
    /* the old file was not written into: its other name still has the old bytes */
    char *bytes = (char *)read_whole_file(kept, &size);
    assert_int_equal(size, sizeof before);
    assert_memory_equal(bytes, before, size);
    free(bytes);
    assert_int_equal(scratch_files(false), 2);
    judges("right", out);

    /* the input itself may be replaced */
    assert_int_equal(rename(out, kept), 0);
    run_right("oracle", kept, "-o", out);
    run_right("oracle", kept, "-o", kept);
    assert_same_bytes(out, kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_oracle_agrees_with_the_checker),     TEST(answers_come_in_the_type_of_the_inputs),
        TEST(inputs_of_mixed_types_are_kept_exactly), TEST(the_bytes_do_not_depend_on_threads),
        TEST(oracle_needs_one_file_and_an_output),    TEST(a_failed_output_leaves_all_as_it_was),
        TEST(an_existing_output_is_replaced_at_once),
    };
    return run_command_tests(tests);
}
