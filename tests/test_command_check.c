/* SPDX-License-Identifier: GPL-3.0-or-later */
/* castle check: which dumps it calls right and wrong, what it refuses, and its options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"

#include <math.h>
#include <sys/stat.h>

/* ---- the dumps in the sources --------------------------------------------------------------- */

typedef struct Known {
    const char *file;
    bool quick;
} Known;

static const Known right_dumps[] =
    {
        {L2D1, true},
        {L100, true},
        {DUMPS "big4.safetensors", true},
        {DUMPS "right-bf16-window17.safetensors", false},
        {DUMPS "base.safetensors", false},
        {DUMPS "right-bf16-base.safetensors", false},
        {DUMPS "dneB.safetensors", false},
        {DUMPS "trained-layer1.safetensors", false},
        {DUMPS "trained-layer2.safetensors", false},
},
                   wrong_dumps[] = {
                       {DUMPS "wrong-window-one-too-wide-bf16.safetensors", true},
                       {DUMPS "wrong-gate-includes-diagonal.safetensors", false},
                       {DUMPS "wrong-silu-omitted.safetensors", false},
};

static void right_kernels_are_right(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof right_dumps / sizeof *right_dumps; k++) {
        if (in_short() && !right_dumps[k].quick)
            continue;
        judges("right", right_dumps[k].file);
        assert_fits_page();
        assert_silent_err();
    }
}

static void wrong_kernels_are_wrong(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof wrong_dumps / sizeof *wrong_dumps; k++) {
        if (in_short() && !wrong_dumps[k].quick)
            continue;
        judges("wrong", wrong_dumps[k].file);
        assert_out("answered ");
        assert_fits_page();
    }
}

/* This kernel is wrong in its gradients alone: that they were not looked at must be said. */
/* delta per key block: o and u are right, dvc does not see delta, the other gradients are wrong. */
static void a_fault_shows_in_the_tensors_it_touches_and_no_other(void **state)
{
    static const char *const right[] = {"o", "u", "dvc"};
    static const char *const wrong[] = {"dqu", "dku", "dvu", "dqc", "dkc"};
    char line[40];
    (void)state;
    if (in_short())
        skip();
    judges("wrong", DUMPS "wrong-delta-per-key-block.safetensors");
    for (size_t k = 0; k < sizeof right / sizeof right[0]; k++) {
        (void)snprintf(line, sizeof line, "\n  %-6s  right", right[k]);
        assert_out(line);
    }
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        (void)snprintf(line, sizeof line, "\n  %-6s  wrong", wrong[k]);
        assert_out(line);
    }
    assert_fits_page();
}

/* ---- what is no dump ------------------------------------------------------------------------ */

static void no_dump_is_ever_right(void **state)
{
    size_t size;
    uint64_t seed = 5;
    unsigned char noise[4000];
    const char *path = scratch_path("file"), *nowhere = scratch_path("no-such-folder/file");
    (void)state;

    refuses("cannot be opened for reading: No such file or directory", "check", path);
    refuses("is a directory", "check", scratch);
    refuses("is not a regular file", "check", "/dev/null");
    refuses("cannot be opened", "check", "");
    assert_int_equal(mkfifo(path, 0666), 0);
    refuses("is not a regular file", "check", path);
    assert_int_equal(remove(path), 0);

    write_file(path, "", 0);
    refuses("is empty", "check", path);
    for (size_t k = 0; k < 8; k++) {
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (unsigned char)next_random(&seed);
        if (k >= 4) /* a header length that fits */
            memset(noise + 2, 0, 6), noise[1] &= 7;
        write_file(path, noise, sizeof noise >> k);
        refuses(path, "check", path);
    }

    unsigned char *whole = read_whole_file(L2D1, &size);
    const size_t lengths[] = {1, 7, 8, 9, 200, size / 2, size - 2, size - 1};
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        write_file(path, whole, lengths[k]);
        refuses(path, "check", path);
    }
    free(whole);
    refuses(nowhere, "check", nowhere);
}

static void a_dump_without_answers_is_an_error(void **state)
{
    Case *c = solved(1, 3, 2, NULL, 3);
    (void)state;
    for (Answer a = 0; a < CASE_ANSWERS; a++)
        c->absent[a] = true;
    refuses("there is nothing to judge", "check", saved(c, "dump"));
    run("check", "--json", saved(c, "dump"));
    assert_status(UNUSABLE_STATUS);
    assert_not_out("right");
    free(c);
}

/* One token less in one answer. */
static void a_missing_element_is_an_error(void **state)
{
    Case *c = solved(1, 4, 2, NULL, 3);
    (void)state;
    for (Answer a = 0; a < CASE_ANSWERS; a++) {
        SafetensorsWriter *w = safetensors_writer_new();
        Failure failure;
        const size_t whole[] = {1, 1, c->length, c->dim}, part[] = {1, 1, c->length - 1, c->dim};
        for (Input k = 0; k < INPUTS; k++)
            safetensors_add(w, input_name(k), TYPE_F64, 4, whole, c->input[k]);
        for (Answer b = 0; b < CASE_ANSWERS; b++)
            safetensors_add(w, answer_name(b), TYPE_F64, b == ANSWER_LSE ? 3 : 4,
                            a == b ? part : whole, c->answer[b]);
        assert_true(safetensors_write(w, scratch_path("short"), &failure));
        safetensors_writer_free(w);
        refuses("; expected [batch, heads, L", "check", scratch_path("short"));
    }
    free(c);
}

/* ---- options -------------------------------------------------------------------------------- */

static void strict_makes_suspect_a_failure(void **state)
{
    Case *c = solved(2, 5, 3, NULL, 5);
    (void)state;
    c->absent[ANSWER_U] = true;
    for (size_t i = 0; i < numbers_in(c); i++)
        c->input[INPUT_QC][i] = NAN;
    judges("suspect", saved(c, "dump"));
    assert_err("warning");
    assert_out("nothing to judge");
    assert_fits_page();
    run("check", "--strict", saved(c, "dump"));
    assert_status(WRONG_STATUS);
    assert_out("0 right, 1 suspect, 0 wrong\n");
    judges("right", "--strict", L2D1);
    free(c);
}

static void the_window_option_is_judged_by(void **state)
{
    Case *c = solved(1, 9, 4, "3", 6);
    const char *path = saved(c, "dump");
    (void)state;
    judges("right", path);
    assert_out("window 3, ");
    judges("right", "--window", "3", path);
    judges("wrong", "--window=none", path);
    judges("wrong", "-W4", path);
    judges("wrong", "-W", "0", path);
    static const char *const garbage[] = {
        "garbage", "", "-1", "3.5", "3 ", "None", "99999999999999999999"};
    for (size_t k = 0; k < sizeof garbage / sizeof *garbage; k++)
        refuses("option --window: window is \"", "check", "--window", garbage[k], path);
    free(c);
    c = solved(1, 9, 4, NULL, 6);
    /* no window, and every window that reaches the end, are one */
    judges("right", saved(c, "dump"));
    assert_out("window none (not stated)");
    judges("right", "--window", "8", path);
    judges("right", "--window", "1152921504606846974", path);
    judges("wrong", "--window", "7", path);
    free(c);
}

static void the_scale_option_is_judged_by(void **state)
{
    Case *c = solved(1, 9, 4, NULL, 7);
    const char *path = saved(c, "dump");
    (void)state;
    judges("right", "--scale", "0.5", path); /* 1/sqrt(4) */
    assert_out("scale 0.5\n");
    judges("right", "--scale=1/sqrt(d)", path);
    judges("wrong", "-c", "0.51", path);
    judges("wrong", "-c", "-0.5", path);
    static const char *const garbage[] = {"0", "nan", "inf", "x", "", "1e999", "0.5x"};
    for (size_t k = 0; k < sizeof garbage / sizeof *garbage; k++)
        refuses("option --scale: scale is \"", "check", "--scale", garbage[k], path);
    free(c);
}

static void the_arithmetic_option_is_judged_by(void **state)
{
    static const char *const names[] = {"float64",
                                        "float32",
                                        "tf32",
                                        "bfloat16",
                                        "float16",
                                        "bfloat16,p=float32",
                                        "float32,operands=tf32,cache=bfloat16"};
    Case *c = solved(1, 9, 4, NULL, 8);
    const char *path = saved(c, "dump");
    (void)state;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        judges("right", "--arithmetic", names[k], path);
        assert_out(names[k]);
        assert_not_out("arithmetic not stated");
    }
    refuses("option --arithmetic: unknown arithmetic \"float8\"", "check", "-a", "float8", path);
    refuses("unknown item \"x\"", "check", "-a", "float32,x=float64", path);
    refuses("unknown item \"o\"", "check", "-a", "float32,o", path);
    refuses("option --arithmetic", "check", "-a", "", path);

    /* an error that bfloat16 makes, and float32 does not */
    for (size_t i = 0; i < numbers_in(c); i++)
        c->answer[ANSWER_O][i] = format_round_double(c->answer[ANSWER_O][i], &BFLOAT16);
    judges("wrong", saved(c, "dump"));
    judges("right", "-a", "bfloat16", path);
    c->arithmetic = "bfloat16";
    judges("right", saved(c, "dump"));
    free(c);
}

/* ---- several files, several threads ---------------------------------------------------------- */

static void one_unusable_file_leaves_the_others_judged(void **state)
{
    Case *c = solved(1, 4, 2, NULL, 9);
    const char *right = saved(c, "good");
    c->answer[ANSWER_O][3] += 1;
    const char *wrong = saved(c, "bad");
    (void)state;
    run("check", right, "no-such-file", wrong);
    assert_status(UNUSABLE_STATUS);
    assert_err("castle check: no-such-file: ");
    assert_out("good: right\n");
    assert_out("bad: wrong\n");
    assert_out("\n1 right, 0 suspect, 1 wrong, 1 unusable\n");
    assert_fits_page();
    run("check", "no-such-file", right);
    assert_status(UNUSABLE_STATUS);
    assert_out("\n1 right, 0 suspect, 0 wrong, 1 unusable\n");
    run_right("check", right, right);
    assert_out("\n2 right, 0 suspect, 0 wrong\n");
    run("check", right, wrong);
    assert_status(WRONG_STATUS);
    run("check", wrong, right);
    assert_status(WRONG_STATUS);
    run("check", right, "--strict", "--", wrong);
    assert_status(WRONG_STATUS);
    assert_out("\n1 right, 0 suspect, 1 wrong\n");
    refuses("--strict: cannot be opened", "check", "--", "--strict");
    free(c);
}

static void verdicts_do_not_depend_on_threads(void **state)
{
    Case *c = solved(3, 13, 4, NULL, 14);
    const char *path = saved(c, "dump");
    (void)state;
    run_with(&(Setting){.threads = "1"}, WORDS("check", "--json", path));
    assert_status(RIGHT_STATUS);
    char *first = strdup(last.out);
    assert_non_null(first);
    run_with(&(Setting){.threads = "3"}, WORDS("check", "--json", path));
    assert_same_out(first);
    free(first);
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(right_kernels_are_right),
        TEST(wrong_kernels_are_wrong),
        TEST(a_fault_shows_in_the_tensors_it_touches_and_no_other),
        TEST(no_dump_is_ever_right),
        TEST(a_dump_without_answers_is_an_error),
        TEST(a_missing_element_is_an_error),
        TEST(strict_makes_suspect_a_failure),
        TEST(the_window_option_is_judged_by),
        TEST(the_scale_option_is_judged_by),
        TEST(the_arithmetic_option_is_judged_by),
        TEST(one_unusable_file_leaves_the_others_judged),
        TEST(verdicts_do_not_depend_on_threads),
    };
    return run_command_tests(tests);
}
