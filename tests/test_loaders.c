/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The loaders that docs/using-the-vectors.md hands to kernel authors: each, in its language, must
 * read from golden files what this project's own reader reads there; the guide must show them as
 * they are; and the readers that people have must read every golden file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"
#include "program_support.h"
#include "safetensors.h"

#include <math.h>

#define LOADERS "vectors/loaders/"
#define GUIDE "docs/using-the-vectors.md"
#define GOLDEN "vectors/golden"

/* A layer, a row without sigma, a NaN, each type, and sigmas of every layout. */
static const struct {
    const char *id, *answer;
} asked[] = {{"plain-layer-two-heads-bf16", "dwqu"},
             {"special-minus-inf-kc-bf16", "o"},
             {"special-nan-ku-f32", "u"},
             {"tiny-two-numbers-f32", "lse"},
             {"plain-layer-one-head-f16", "y"},
             {"tiny-three-tokens-f16", "g"}};
enum { ASKED = sizeof asked / sizeof *asked };

static int setup(void **state)
{
    if (command_setup(state))
        return -1;
    for (size_t k = 0; k < ASKED; k++)
        run_right("emit", "--out", scratch, "--case", asked[k].id);
    return 0;
}

static const char *file_of(const char *id)
{
    char name[80];
    (void)snprintf(name, sizeof name, "%s.safetensors", id);
    return scratch_path(name);
}

/* ---- what they must print -------------------------------------------------------------------- */

typedef struct Finding {
    size_t numbers;
    double error, z;
} Finding;

static const Tensor *part(const SafetensorsFile *file, const char *answer, const char *suffix)
{
    char name[40];
    (void)snprintf(name, sizeof name, "%s%s", answer, suffix);
    const Tensor *t = safetensors_find(file, name);
    assert_non_null(t);
    return t;
}

/* How far X.<type> is from X, by this project's own reader. */
static Finding expected(const char *id, const char *answer)
{
    Failure f;
    char type[8];
    SafetensorsFile *file = safetensors_open(file_of(id), &f);
    assert_non_null(file);
    (void)snprintf(type, sizeof type, ".%s", strrchr(id, '-') + 1);
    const Tensor *truth = part(file, answer, ""), *sigma = part(file, answer, ".sigma"),
                 *typed = part(file, answer, type);
    Finding found = {truth->count, 0, 0};
    for (size_t k = 0; k < truth->count; k++) {
        double error = fabs(tensor_value(typed, k) - tensor_value(truth, k));
        if (!(error > 0)) /* exact, or NaN: no truth */
            continue;
        found.error = fmax(found.error, error);
        double scale = tensor_value(sigma, k / (truth->count / sigma->count));
        if (!isnan(scale))
            found.z = fmax(found.z, error / scale);
    }
    safetensors_close(file);
    return found;
}

/* Runs a loader on some of the cases. The errors must be the very same; a quotient may differ in
 * its last bits, since XLA divides by multiplying. */
static void assert_loads(const char *program, const char *script, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        Finding want = expected(asked[k].id, asked[k].answer), got;
        const char *path = file_of(asked[k].id), *answer = asked[k].answer;
        char *text, name[20];
        int status = script ? program_run(PROGRAM(program, script, path, answer), &text)
                            : program_run(PROGRAM(program, path, answer), &text);
        const char *line = strstr(text, answer); /* a library may have warned before it */
        bool read = line && sscanf(line, "%19[^:]: %zu numbers; largest error %lf, %lf sigma", name,
                                   &got.numbers, &got.error, &got.z) == 4;
        if (status || !read || got.numbers != want.numbers || got.error != want.error ||
            !(fabs(got.z - want.z) <= want.z * 0x1p-50))
            fail_msg("%s %s %s: status %d; expected %zu numbers, error %.17g, %.17g sigma:\n%s",
                     program, script ? script : "", asked[k].id, status, want.numbers, want.error,
                     want.z, text);
        free(text);
    }
}

static void the_cases_can_tell(void **state)
{
    (void)state;
    for (size_t k = 0; k < ASKED; k++)
        assert_true(expected(asked[k].id, asked[k].answer).error > 0);
}

/* ---- one test for each language -------------------------------------------------------------- */

/* `compile` is a shell command that writes to %s. */
static void assert_compiles_and_loads(const char *compile)
{
    char command[600], *text;
    const char *program = scratch_path("loader");
    (void)snprintf(command, sizeof command, compile, program);
    if (program_run(PROGRAM("sh", "-c", command), &text))
        fail_msg("%s:\n%s", command, text);
    free(text);
    assert_loads(program, NULL, ASKED);
    assert_int_equal(remove(program), 0);
}

static bool answers(const char *command)
{
    return program_run(PROGRAM("sh", "-c", command), NULL) == 0;
}

static void c(void **state)
{
    (void)state;
    if (!answers("${CC:-cc} --version"))
        skip_with("no C compiler");
    assert_compiles_and_loads("${CC:-cc} -std=c11 -Wall -Wextra -Werror " LOADERS
                              "load.c -ljansson -lm -o %s");
}

static void cpp(void **state)
{
    (void)state;
    if (!answers("${CXX:-c++} --version"))
        skip_with("no C++ compiler; install g++");
    assert_compiles_and_loads("${CXX:-c++} -std=c++17 -Wall -Wextra -Werror " LOADERS
                              "load.cpp -o %s");
}

static void rust(void **state)
{
    (void)state;
    if (!answers("rustc --version"))
        skip_with("no rustc");
    assert_compiles_and_loads("rustc --edition 2021 -D warnings " LOADERS "load.rs -o %s");
}

static void julia(void **state)
{
    (void)state;
    if (!answers("julia -e 'import JSON'"))
        skip_with("no julia with the package JSON");
    assert_loads("julia", LOADERS "load.jl", 2);
}

static void assert_python_loads(const char *modules, const char *script)
{
    const char *python = python_with(modules);
    if (!python)
        skip_with("no python3 with %s", modules);
    assert_loads(python, script, 2); /* imports take long */
}

static void numpy(void **state)
{
    (void)state;
    assert_python_loads("numpy", LOADERS "load_numpy.py");
}

static void pytorch(void **state)
{
    (void)state;
    assert_python_loads("torch", LOADERS "load_torch.py");
}

static void jax(void **state)
{
    (void)state;
    assert_python_loads("jax, safetensors", LOADERS "load_jax.py");
}

/* ---- the guide ------------------------------------------------------------------------------- */

static void the_guide_shows_them_as_they_are(void **state)
{
    (void)state;
    static const struct {
        const char *file, *language;
    } shown[] = {{"load.c", "c"},
                 {"load.cpp", "cpp"},
                 {"load_numpy.py", "python"},
                 {"load_torch.py", "python"},
                 {"load_jax.py", "python"},
                 {"load.rs", "rust"},
                 {"load.jl", "julia"}};
    size_t size;
    char *guide = (char *)read_whole_file(GUIDE, &size);
    for (size_t k = 0; k < sizeof shown / sizeof *shown; k++) {
        char path[80], fence[20], *block = NULL;
        (void)snprintf(path, sizeof path, LOADERS "%s", shown[k].file);
        (void)snprintf(fence, sizeof fence, "```%s\n", shown[k].language);
        char *file = (char *)read_whole_file(path, &size);
        assert_int_equal(asprintf(&block, "%s%s```\n", fence, file) > 0, true);
        if (!strstr(guide, block))
            fail_msg("%s does not show %s as it is", GUIDE, path);
        free(block);
        free(file);
    }
    free(guide);
}

/* ---- other readers --------------------------------------------------------------------------- */

static void other_readers_read_every_golden_file(void **state)
{
    (void)state;
    static const char *const wanted[] = {"numpy, torch, safetensors", "numpy, safetensors",
                                         "numpy, torch", "numpy", "torch"};
    const char *python = NULL;
    for (size_t k = 0; !python && k < sizeof wanted / sizeof *wanted; k++)
        python = python_with(wanted[k]);
    if (!python)
        skip_with("no python3 with numpy or torch; install python3-numpy, python3-torch");
    char *text;
    bool committed = access(GOLDEN "/index.json", R_OK) == 0;
    int status = program_run(
        PROGRAM(python, "tests/read_all_golden.py", committed ? GOLDEN : scratch), &text);
    if (status)
        fail_msg("%s", text);
    print_message("%s", text); /* how many files, and with which readers */
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cases_can_tell),
        cmocka_unit_test(c),
        cmocka_unit_test(cpp),
        cmocka_unit_test(numpy),
        cmocka_unit_test(pytorch),
        cmocka_unit_test(jax),
        cmocka_unit_test(rust),
        cmocka_unit_test(julia),
        cmocka_unit_test(the_guide_shows_them_as_they_are),
        cmocka_unit_test(other_readers_read_every_golden_file),
    };
    return cmocka_run_group_tests(tests, setup, command_teardown);
}
