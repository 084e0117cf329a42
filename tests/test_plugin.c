/* SPDX-License-Identifier: GPL-3.0-or-later */
/* castle check --kernel: a right library passes; each fault is called by its name, and the run goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"
#include "isolated.h"
#include "kernel_support.h"

#define HEADS "plain-batch-heads-f32"
#define DECODE "plain-decode-window-f32"

static char right_library[100], faulty_library[100], other_library[100], golden[100];

/* Few cases of few tokens: every call is a process. */
static int setup(void **state)
{
    static const char *const cases[] = {"tiny-t*-f32", "special-nan-first-f32", DECODE, HEADS};
    if (command_setup(state))
        return -1;
    (void)snprintf(golden, sizeof golden, "%s", scratch_path("golden"));
    (void)snprintf(right_library, sizeof right_library, "%s", scratch_path("right.so"));
    (void)snprintf(faulty_library, sizeof faulty_library, "%s", scratch_path("faulty.so"));
    (void)snprintf(other_library, sizeof other_library, "%s", scratch_path("other.so"));
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        run_right("emit", "--out", golden, "--case", cases[k]);
    return library_compiled(right_library, "vectors/examples/naive_kernel.c", "-DUNUSED") &&
                   library_compiled(faulty_library, "tests/kernels/faulty.c", "-DUNUSED") &&
                   library_compiled(other_library, "tests/kernels/faulty.c", "-DOTHER_VERSION")
               ? 0
               : -1;
}

#define check(library, ...) \
    run("check", "--kernel", library, "--golden", golden, "--time-limit", "5", __VA_ARGS__)

static void a_right_library_passes(void **state)
{
    (void)state;
    check(right_library, "--case", "tiny-t*-f32");
    assert_status(RIGHT_STATUS);
    assert_out("\n4 cases: 4 right, 0 suspect, 0 wrong\n");
    assert_silent_err();
    assert_fits_page();
    check(right_library, "--case", HEADS, "--verbose");
    assert_status(RIGHT_STATUS);
    assert_out("\n1 cases: 1 right, 0 suspect, 0 wrong\n");
    assert_out(HEADS "        padded forward  o    right ");
    assert_out(HEADS "        prefill, decode u    right ");
    assert_out(HEADS "        padded backward dvc  right ");
    assert_fits_page();
    /* where no value is defined nothing is held against a kernel */
    check(right_library, "--case", "special-nan-first-f32", "--strict");
    assert_status(RIGHT_STATUS);
}

static void another_arithmetic_takes_another_sigma(void **state)
{
    (void)state;
    check(right_library, "--case", HEADS, "--arithmetic", "float64");
    assert_status(WRONG_STATUS);
    assert_out(HEADS "        forward         o    wrong ");
    check(right_library, "--case", HEADS, "--arithmetic", "bfloat16");
    assert_status(RIGHT_STATUS);
    check(right_library, "--case", HEADS, "--arithmetic", "float31");
    assert_refused("option --arithmetic: ");
}

/* ---- faults ----------------------------------------------------------------------------------- */

static const struct {
    const char *fault, *said;
} faults[] = {
    {"segfault", "forward: castle_kernel_forward was ended by SIGSEGV\n"},
    {"stack", "forward: castle_kernel_forward was ended by SIGSEGV\n"},
    {"exit", "forward: castle_kernel_forward called exit("},
    {"abort", "forward: castle_kernel_forward was ended by SIGABRT, saying \"assertion\n"
              "    failed: x > 0\"\n"},
    {"kill", "forward: castle_kernel_forward was ended by SIGKILL\n"},
    {"silent", "forward: castle_kernel_forward left 168 of 168 numbers of o unwritten\n"},
    {"one-left", "forward: castle_kernel_forward left 1 of 168 numbers of o unwritten\n"},
    {"write-before", "forward: castle_kernel_forward wrote before o\n"},
    {"write-behind", "forward: castle_kernel_forward wrote behind o\n"},
    {"write-far-behind", "was ended by SIGSEGV, touching what lies\n    just behind o\n"},
    {"write-gap", "padded forward: castle_kernel_forward wrote between the rows of o\n"},
    {"changes-input", "forward: castle_kernel_forward changed the input qu\n"},
    {"random", "repeat: two runs differ: o ["},
    {"neighbours", "neighbours: NaN in another head or batch moves: o [0, 0, 0, 0] was"},
    {"future", "future: NaN in the last token moves: o [0, 0, 0, 0] was"},
    {"swallows", "swallowed: NaN in token 3 leaves o [0, 0, 3, 0] at 0\n"},
    {"scaling", "scaling: 8 dO does not give 8 dvc: at ["},
    {"dense-only", "padded forward: castle_kernel_forward left "},
    {"decode-segfault", "decode: castle_kernel_decode was ended by SIGSEGV at token 3\n"},
};

static void each_fault_has_its_line(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof faults / sizeof *faults; k++) {
        char line[200];
        (void)setenv("CASTLE_TEST_FAULT", faults[k].fault, 1);
        check(faulty_library, "--case", HEADS);
        assert_status(WRONG_STATUS);
        (void)snprintf(line, sizeof line, "%s", faults[k].said);
        assert_out(line);
        assert_out("  " HEADS ": ");
        assert_out("\n1 cases: 0 right, 0 suspect, 1 wrong\n");
        assert_fits_page();
        assert_silent_err();
    }
}

/* A fault in cases of three tokens only. */
static void the_run_goes_on(void **state)
{
    (void)state;
    (void)setenv("CASTLE_TEST_CASE", "3", 1);
    for (size_t k = 0; k < 2; k++) {
        (void)setenv("CASTLE_TEST_FAULT", faults[k].fault, 1);
        check(faulty_library, "--case", "tiny-t*-f32");
        assert_status(WRONG_STATUS);
        assert_out("\n4 cases: 2 right, 0 suspect, 2 wrong\n");
        assert_out("  tiny-three-tokens-f32: forward: ");
        assert_out("  tiny-three-window-1-f32: forward: ");
        assert_not_out("  tiny-two");
    }
    (void)unsetenv("CASTLE_TEST_CASE");
}

static void hangs_and_hunger_are_stopped(void **state)
{
    (void)state;
    (void)setenv("CASTLE_TEST_FAULT", "loop", 1);
    check(faulty_library, "--case", HEADS, "--time-limit", "0.3");
    assert_status(WRONG_STATUS);
    assert_out("castle_kernel_forward was stopped after 0.3 s\n");
    if (!isolated_limits_memory())
        return;
    (void)setenv("CASTLE_TEST_FAULT", "memory", 1);
    check(faulty_library, "--case", HEADS, "--memory-limit", "200");
    assert_status(WRONG_STATUS);
    assert_out("castle_kernel_forward was ended by SIGABRT\n");
}

static void wrong_values_are_shown(void **state)
{
    static const char *const expected[][2] = {
        {"nan", "answered nan, truth 0.0749"},
        {"value", "answered 1.0749315"},
        {"decode-drops-u", HEADS "        decode          u    wrong "},
    };
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        (void)setenv("CASTLE_TEST_FAULT", expected[k][0], 1);
        check(faulty_library, "--case", HEADS);
        assert_status(WRONG_STATUS);
        assert_out(expected[k][1]);
        assert_out("  plain             1      0      0 ");
        assert_fits_page();
    }
}

/* The cache in the midst of decoding, and decoding that goes on from a prompt: each fault shows in one call
 * only. */
static void a_golden_case_s_steps_and_splits_are_asked(void **state)
{
    static const char *const expected[][2] = {
        {"decode-late", DECODE "      decode, u@6     u    wrong "},
        {"prefill-of-seven", DECODE "      split 7         u    wrong "},
        {"decode-scales-kc", DECODE ": decode: castle_kernel_decode left "},
    };
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        (void)setenv("CASTLE_TEST_FAULT", expected[k][0], 1);
        check(faulty_library, "--case", DECODE);
        assert_status(WRONG_STATUS);
        assert_out(expected[k][1]);
        assert_not_out(k ? " decode, u@" : " split ");
        assert_fits_page();
    }
    check(right_library, "--case", DECODE, "--verbose");
    assert_status(RIGHT_STATUS);
    for (size_t k = 0; k < 6; k++) {
        static const char *const parts[] = {"decode, u@5 ",  "decode, u@6 ", "decode, u@7 ",
                                            "decode, u@24 ", "split 16 ",    "split 7 "};
        assert_out(parts[k]);
    }
    assert_not_out("u@40"); /* that is u */
    /* another arithmetic measures sigma anew, at the steps too */
    check(right_library, "--case", DECODE, "--arithmetic", "bfloat16");
    assert_status(RIGHT_STATUS);
}

static void nondeterminism_may_be_declared(void **state)
{
    (void)state;
    (void)setenv("CASTLE_TEST_FAULT", "random", 1);
    check(faulty_library, "--case", HEADS, "--nondeterministic");
    assert_status(RIGHT_STATUS);
    (void)setenv("CASTLE_TEST_FAULT", "future", 1);
    check(faulty_library, "--case", HEADS, "--nondeterministic");
    assert_status(WRONG_STATUS);
    assert_out("future: NaN in the last token moves");
}

/* ---- what cannot be run ----------------------------------------------------------------------- */

static void what_cannot_be_run_is_refused(void **state)
{
    (void)state;
    (void)unsetenv("CASTLE_TEST_FAULT");
    check(other_library, "--case", HEADS);
    assert_refused("is made for version 2 of castle_kernel.h; this castle has version 1");
    check("./none.so", "--case", HEADS);
    assert_refused("./none.so: cannot be loaded: ");
    check("libm.so.6", "--case", HEADS);
    assert_refused("libm.so.6: has none of castle_kernel_forward");
    check(right_library, "--case", "nonesuch");
    assert_refused("there is no case");
    check(right_library, "--case", HEADS, "--types", "f33");
    assert_refused("--types has \"f33\"; expected some of f64,f32,bf16,f16");
    check(right_library, "--case", HEADS, "--run", "x");
    assert_refused("--run and --kernel are two kernels");
    check(right_library, "--case", HEADS, "--window", "3");
    assert_refused("--window, --scale and --variant are the cases' own");
    check(right_library, L2D1);
    assert_refused("a kernel that is run takes none");
    run("check", "--case", HEADS, L2D1);
    assert_refused("--case is for kernels that are run");
    run("check", "--kernel", right_library, "--golden", scratch_path("nowhere"));
    assert_refused("nowhere/index.json");
    run("check", "--kernel", right_library, "--golden", "none", "--fresh", "1", "--types", "f64");
    assert_refused("the kernel supports none of the 1 cases");
}

static void a_changed_golden_file_is_refused(void **state)
{
    char path[200];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/tiny-two-tokens-f32.safetensors", golden);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, -1, SEEK_END), 0);
    int old = fgetc(file);
    assert_int_equal(fseek(file, -1, SEEK_END), 0);
    assert_true(fputc(old ^ 1, file) != EOF);
    assert_int_equal(fclose(file), 0);
    check(right_library, "--case", "tiny-two*");
    assert_refused("tiny-two-tokens-f32.safetensors: its SHA-256 is ");
}

static void fresh_cases_repeat_with_their_seed(void **state)
{
    (void)state;
    run("check", "--kernel", right_library, "--golden", "none", "--fresh", "2", "--seed", "12",
        "--verbose");
    assert_status(RIGHT_STATUS);
    assert_out("\n2 cases (2 fresh, --seed 12): 2 right, 0 suspect, 0 wrong\n");
    char *before = strdup(last.out);
    run("check", "--kernel", right_library, "--golden", "none", "--fresh", "2", "--seed", "12",
        "--verbose");
    assert_same_out(before);
    free(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_right_library_passes),
        cmocka_unit_test(another_arithmetic_takes_another_sigma),
        cmocka_unit_test(each_fault_has_its_line),
        cmocka_unit_test(the_run_goes_on),
        cmocka_unit_test(hangs_and_hunger_are_stopped),
        cmocka_unit_test(wrong_values_are_shown),
        cmocka_unit_test(a_golden_case_s_steps_and_splits_are_asked),
        cmocka_unit_test(nondeterminism_may_be_declared),
        cmocka_unit_test(what_cannot_be_run_is_refused),
        cmocka_unit_test(fresh_cases_repeat_with_their_seed),
        cmocka_unit_test(a_changed_golden_file_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, command_teardown);
}
