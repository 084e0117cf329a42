/* SPDX-License-Identifier: GPL-3.0-or-later */
/* castle check --run: what programs do wrong is reported, whatever language they are in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"
#include "program_support.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ONE "tiny-three-tokens-f32"

static char golden[100], temporary[100];

static int setup(void **state)
{
    if (command_setup(state))
        return -1;
    (void)snprintf(golden, sizeof golden, "%s", scratch_path("golden"));
    (void)snprintf(temporary, sizeof temporary, "%s", scratch_path("t"));
    run("emit", "--out", golden, "--case", "tiny-t*-f32");
    return last.status || mkdir(temporary, 0777) || setenv("TMPDIR", temporary, 1);
}

static void check(const char *command, const char *pattern)
{
    run("check", "--run", command, "--golden", golden, "--case", pattern, "--types", "f32",
        "--time-limit", strncmp(command, "sleep", 5) == 0 ? "0.3" : "60");
    if (last.status != UNUSABLE_STATUS)
        assert_fits_page();
}

static size_t entries_of(const char *folder)
{
    size_t entries = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while (readdir(dir))
        entries++;
    (void)closedir(dir);
    return entries;
}

/* The oracle itself is the best of kernels. */
static void a_right_program_passes(void **state)
{
    char command[700];
    (void)state;
    (void)snprintf(command, sizeof command, "%s oracle {in} -o {out}.f64 && mv {out}.f64 {out}",
                   program_path());
    check(command, "tiny-t*-f32");
    assert_status(RIGHT_STATUS);
    assert_out("\n4 cases: 4 right, 0 suspect, 0 wrong\n");
    assert_int_equal(entries_of(temporary), 2); /* nothing is left behind */
}

static void each_fault_has_its_line(void **state)
{
    static const char *const faults[][2] = {
        {"test -f {in}; : {out}", "run: the program ended well and wrote no output file\n"},
        {"echo first; echo no such GPU >&2; : {in} {out}; exit 5",
         "run: the program ended with status 5, saying \"no such GPU\"\n"},
        {"kill -SEGV $$; : {in} {out}", "run: the program was ended by SIGSEGV\n"},
        {"sleep 100; : {in} {out}", "run: the program was stopped after 0.3 s\n"},
        {": {in}; : > {out}", "run: the output cannot be read: "},
        {"cp {in} {out}", "run: the output holds no answer: none of o, lse, u, dqu .. dvc\n"},
        {"cp " L2D1 " {out}; : {in}", "run: o has shape [1, 1, 2, 1]; expected [1, 1, 3, 4]\n"},
    };
    (void)state;
    for (size_t k = 0; k < sizeof faults / sizeof *faults; k++) {
        check(faults[k][0], ONE);
        assert_status(WRONG_STATUS);
        assert_out("  " ONE ": ");
        assert_out(faults[k][1]);
        assert_out("\n1 cases: 0 right, 0 suspect, 1 wrong\n");
    }
}

static void wrong_answers_are_wrong(void **state)
{
    char command[300];
    (void)state;
    (void)snprintf(command, sizeof command,
                   ": {in}; cp %s/tiny-three-window-1-f32.safetensors {out}",
                   golden); /* answers, to other questions, and of another shape: d is 2 */
    check(command, ONE);
    assert_status(WRONG_STATUS);
    (void)snprintf(command, sizeof command, ": {in}; cp %s/" ONE ".safetensors {out}", golden);
    check(command, ONE);
    assert_status(RIGHT_STATUS);
    check(command, "tiny-t*");
    assert_status(WRONG_STATUS);
    assert_out("\n4 cases: 1 right, 0 suspect, 3 wrong\n");
}

static void unsupported_is_no_fault(void **state)
{
    char command[300];
    (void)state;
    (void)snprintf(command, sizeof command,
                   "f=%s/" ONE ".safetensors; grep -q 3,4 {in} || exit 77; cp $f {out}", golden);
    check(command, "tiny-t*");
    assert_status(RIGHT_STATUS);
    assert_out("\n4 cases: 1 right, 0 suspect, 0 wrong, 3 unsupported\n");
    check("exit 77; {in} {out}", ONE);
    assert_status(UNUSABLE_STATUS);
    assert_err("the kernel supports none of the 1 cases; nothing is judged");
}

static void a_command_has_both_files(void **state)
{
    (void)state;
    check("cat {in}", ONE);
    assert_refused("--run: the command lacks {in} or {out}");
}

/* ---- stopped ----------------------------------------------------------------------------------- */

/* Waits for the program's own word of which process it is. */
static pid_t process_in(const char *path)
{
    for (int k = 0; k < 2000; k++) {
        int process = 0;
        FILE *file = fopen(path, "r");
        bool there = file && fscanf(file, "%d\n", &process) == 1;
        if (file)
            (void)fclose(file);
        if (there)
            return process;
        (void)usleep(5000);
    }
    fail_msg("%s: nothing runs", path);
    return 0;
}

static bool is_gone(pid_t process)
{
    for (int k = 0; k < 1000 && kill(process, 0) == 0; k++)
        (void)usleep(5000); /* until whoever is responsible has waited for it */
    return kill(process, 0) != 0;
}

/* The signal ends castle and the program, and the folder goes. */
static void a_signal_leaves_nothing_behind(void **state)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        char mark[150], command[600];
        int status;
        (void)signal(signals[k], SIG_DFL); /* a shell's background jobs ignore SIGINT */
        (void)snprintf(mark, sizeof mark, "%s.%zu", scratch_path("process"), k);
        (void)snprintf(command, sizeof command,
                       "(sleep 60 & echo $! > %s.new; mv %s.new %s; wait); : {in} {out}", mark,
                       mark, mark);
        pid_t castle = start(WORDS("check", "--run", command, "--golden", golden, "--case", ONE,
                                   "--time-limit", "60"));
        pid_t sleeper = process_in(mark);
        assert_int_equal(entries_of(temporary), 3);
        assert_int_equal(kill(castle, signals[k]), 0);
        assert_int_equal(waitpid(castle, &status, 0), castle);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), signals[k]);
        assert_int_equal(entries_of(temporary), 2);
        assert_true(is_gone(sleeper));
    }
}

static void a_signal_that_is_ignored_stays_ignored(void **state)
{
    (void)state;
    (void)signal(SIGHUP, SIG_IGN);
    check("kill -HUP $PPID; test -f {in}; : > {out}", ONE);
    (void)signal(SIGHUP, SIG_DFL);
    assert_status(WRONG_STATUS);
    assert_out("run: the output cannot be read: ");
}

static void the_python_example_is_right(void **state)
{
    char command[300];
    const char *python = python_with("numpy");
    (void)state;
    if (!python)
        skip_with("no Python has numpy");
    (void)snprintf(command, sizeof command, "%s vectors/examples/numpy_kernel.py {in} {out}",
                   python);
    run("check", "--run", command, "--golden", golden, "--case", "tiny-t*-f32");
    assert_status(RIGHT_STATUS);
    assert_out("\n4 cases: 4 right, 0 suspect, 0 wrong\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_right_program_passes),
        cmocka_unit_test(each_fault_has_its_line),
        cmocka_unit_test(wrong_answers_are_wrong),
        cmocka_unit_test(unsupported_is_no_fault),
        cmocka_unit_test(a_command_has_both_files),
        cmocka_unit_test(a_signal_leaves_nothing_behind),
        cmocka_unit_test(a_signal_that_is_ignored_stays_ignored),
        cmocka_unit_test(the_python_example_is_right),
    };
    return cmocka_run_group_tests(tests, setup, command_teardown);
}
