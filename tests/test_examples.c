/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The examples of vectors/examples/: the commands of their READMEs, run as they stand, must succeed and print
 * the lines below them; and the CUDA kernel, which needs a GPU, is right as C++.
 *
 * A block of a README is "    $ command" lines, each with the lines that it prints. Without
 * CASTLE_TEST_LONG=1 only the sections "Try it" are run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"
#include "docs_support.h"
#include "program_support.h"

#include <sys/stat.h>

#define EXAMPLES "vectors/examples/"

/* Whether the words of a shell succeed. */
static bool works(const char *command)
{
    return program_run(PROGRAM("sh", "-c", command), NULL) == 0;
}

/* The README's program is build/castle; another one that is tested takes its place in neither. */
static bool castle_is_built(void) { return access("build/castle", X_OK) == 0; }

/* Runs one command, and looks for each of the lines in what it prints. */
static void assert_prints(const char *command, const char *lines)
{
    char *text;
    int status = program_run(PROGRAM("sh", "-c", command), &text);
    if (status)
        fail_msg("%s\nended with status %d:\n%s", command, status, text);
    for (const char *line = lines; *line; line = strchr(line, '\n') + 1) {
        char wanted[200];
        (void)snprintf(wanted, sizeof wanted, "%.*s", (int)strcspn(line, "\n"), line);
        if (!strstr(text, wanted))
            fail_msg("%s\ndid not print \"%s\":\n%s", command, wanted, text);
    }
    free(text);
}

/* The commands of a section of a README; how many there are. */
static size_t run_section(const char *readme, const char *title)
{
    char heading[80];
    size_t count = 0;
    char *text = text_of(readme);
    (void)snprintf(heading, sizeof heading, "\n## %s\n", title);
    char *line = strstr(text, heading);
    if (!line) {
        fail_msg("%s has no section \"%s\"", readme, title);
        return 0;
    }
    char *end = strstr(line + 2, "\n## ");
    if (end)
        *end = '\0';
    for (line = strstr(line, "\n    $ "); line; line = strstr(line, "\n    $ ")) {
        char command[400], printed[400] = "";
        size_t used = 0;
        line += strlen("\n    $ ");
        (void)snprintf(command, sizeof command, "%.*s", (int)strcspn(line, "\n"), line);
        while ((line = strchr(line, '\n')) && strncmp(line, "\n    ", 5) == 0 && line[5] != '$') {
            line += 5;
            used += (size_t)snprintf(printed + used, sizeof printed - used, "%.*s\n",
                                     (int)strcspn(line, "\n"), line);
            assert_true(used < sizeof printed);
        }
        assert_prints(command, printed);
        count++;
        if (!line)
            break;
    }
    free(text);
    return count;
}

static void assert_readme_holds(const char *folder)
{
    char readme[100];
    if (!castle_is_built())
        skip_with("no build/castle, which the commands run; make builds it");
    (void)snprintf(readme, sizeof readme, EXAMPLES "%sREADME.md", folder);
    assert_true(run_section(readme, "Try it") > 0);
    if (getenv("CASTLE_TEST_LONG"))
        assert_true(run_section(readme, "The whole core set") > 0);
}

static const char *original_path;

/* Makes `python3` the Python with these modules, for the commands that follow. */
static void need_python(const char *modules)
{
    char path[4000];
    (void)setenv("PATH", original_path, 1); /* as it was before another test came here */
    const char *python = python_with(modules);
    if (!python)
        skip_with("no python3 with %s", modules);
    (void)mkdir(scratch_path("bin"), 0777);
    FILE *script = fopen(scratch_path("bin/python3"), "w");
    assert_non_null(script);
    (void)fprintf(script,
                  "#!/bin/sh\n"
                  "PATH='%s' PYTHONDONTWRITEBYTECODE=1 exec '%s' \"$@\"\n",
                  original_path, python);
    assert_int_equal(fclose(script), 0);
    assert_int_equal(chmod(scratch_path("bin/python3"), 0755), 0);
    (void)snprintf(path, sizeof path, "%s:%s", scratch_path("bin"), original_path);
    (void)setenv("PATH", path, 1);
}

static int setup(void **state)
{
    const char *path = getenv("PATH");
    original_path = strdup(path ? path : "/usr/bin:/bin");
    return command_setup(state);
}

static void the_smallest_two(void **state)
{
    (void)state;
    if (!works("cc --version"))
        skip_with("no C compiler cc");
    need_python("numpy");
    assert_readme_holds("");
}

static void openmp(void **state)
{
    (void)state;
    if (!works("echo '_Float16 x; int main(void) { return 0; }' | cc -fopenmp -x c - -o /dev/null"))
        skip_with("no C compiler cc with OpenMP and _Float16");
    assert_readme_holds("openmp/");
}

static void opencl(void **state)
{
    (void)state;
    if (!works("ls /etc/OpenCL/vendors/*.icd && echo '#include <CL/cl.h>\nint main(void) {}' | "
               "cc -x c - -lOpenCL -o /dev/null"))
        skip_with("no OpenCL; install ocl-icd-opencl-dev and pocl-opencl-icd");
    assert_readme_holds("opencl/");
}

static void cuda(void **state)
{
    (void)state;
    if (!castle_is_built())
        skip_with("no build/castle, which the commands run; make builds it");
    if (!works("nvcc --version"))
        skip_with("no nvcc");
    assert_int_equal(run_section(EXAMPLES "cuda/README.md", "Try it"), 1);
    if (!works("nvidia-smi -L | grep GPU"))
        skip_with("compiled, and not run: no GPU");
    assert_int_equal(run_section(EXAMPLES "cuda/README.md", "With a GPU"), 1);
}

/* A launch becomes a loop. */
static void cuda_as_cpp(void **state)
{
    char command[1000];
    const char *library = scratch_path("cuda.so");
    (void)state;
    if (!works("${CXX:-c++} --version"))
        skip_with("no C++ compiler; install g++");
    (void)snprintf(
        command, sizeof command,
        "sed -E 's/(\\w+)<<<(\\w+), (\\w+)>>>\\((\\w+)\\)/LAUNCH(\\1, \\2, \\3, \\4)/' " EXAMPLES
        "cuda/cuda_kernel.cu | ${CXX:-c++} -O2 -Wall -Wextra -Werror -shared -fPIC -x c++ - "
        "-I vectors -include tests/kernels/cuda_on_cpu.h -o %s",
        library);
    assert_prints(command, "");
    run("check", "--kernel", library, "--case",
        getenv("CASTLE_TEST_LONG") ? "*" : "plain-heads-ragged-f32", "--golden", "vectors/golden");
    assert_status(RIGHT_STATUS);
    assert_out("right, 0 suspect, 0 wrong\n");
}

static void pytorch(void **state)
{
    (void)state;
    need_python("numpy, torch");
    assert_readme_holds("pytorch/");
}

static void jax(void **state)
{
    (void)state;
    need_python("numpy, jax");
    assert_readme_holds("jax/");
}

static void triton(void **state)
{
    (void)state;
    need_python("numpy, torch, triton");
    assert_readme_holds("triton/");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_two),
        cmocka_unit_test(openmp),
        cmocka_unit_test(opencl),
        cmocka_unit_test(cuda),
        cmocka_unit_test(cuda_as_cpp),
        cmocka_unit_test(pytorch),
        cmocka_unit_test(jax),
        cmocka_unit_test(triton),
    };
    return cmocka_run_group_tests(tests, setup, command_teardown);
}
