/* SPDX-License-Identifier: GPL-3.0-or-later */
/* command_check.c - `castle check FILE...`: judges dumps; with --run or --kernel a kernel that it runs. */
#include "check_dumps.h"
#include "check_kernel.h"
#include "commands.h"

#include <argp.h>
#include <string.h>

typedef struct Options {
    DumpOptions dump;
    CheckOutput output;
    char **files;
    size_t file_count;
    KernelOptions kernel;
} Options;

enum { OPTION_STRICT = 256, OPTION_JSON, OPTION_VARIANT, OPTION_JUNIT, OPTION_TAP, OPTION_REPORT };

static const struct argp_option options[] = {
    {"arithmetic", 'a', "NAME", 0,
     "the kernel's arithmetic: float64, float32, tf32, bfloat16 or "
     "float16, optionally followed by ,key=format for single roundings, or auto: the most accurate "
     "one that explains the errors (default: the file's metadata, else the answers' type)",
     0},
    {"window", 'W', "W", 0, "lookahead window, or none (default: the file's metadata)", 0},
    {"scale", 'c', "C", 0, "1/sqrt(d) or a number (default: the file's metadata)", 0},
    {"variant", OPTION_VARIANT, "NAME", 0,
     "castle, without-causal-keys or without-silu (default: the file's metadata)", 0},
    {"strict", OPTION_STRICT, NULL, 0, "exit with 1 for suspect, too", 0},
    {"json", OPTION_JSON, NULL, 0, "print one JSON document (docs/check-json.md)", 0},
    {"tap", OPTION_TAP, NULL, 0, "print a test for each tensor, as TAP 14", 0},
    {"junit", OPTION_JUNIT, "FILE", 0, "write these tests to FILE, as JUnit's XML", 0},
    {"report", OPTION_REPORT, "FILE", 0, "write FILE, an HTML page with maps of the errors", 0},
    {0},
};

/* Files or a kernel, and for a kernel no option that its cases decide. */
static void check_what_is_given(Options *o, const struct argp_state *state)
{
    if (o->output.json && o->output.tap)
        argp_error(state, "--json and --tap both want standard output; expected one of them");
    bool kernel = o->kernel.run || o->kernel.kernel;
    o->kernel.guess = o->dump.arithmetic && strcmp(o->dump.arithmetic, ARITHMETIC_AUTO) == 0;
    if (o->kernel.shrink && o->kernel.guess)
        argp_error(state,
                   "--arithmetic auto is found from all cases, --shrink keeps one; expected a "
                   "declared arithmetic");
    if (kernel && o->kernel.shrink && !o->kernel.shrunk_file && o->file_count == 1) {
        o->kernel.shrunk_file = o->files[0]; /* --shrink FILE */
        o->file_count = 0;
    }
    if (!kernel && !o->file_count)
        argp_error(state, "no file given; expected at least one safetensors dump");
    if (kernel && o->file_count)
        argp_error(state, "\"%.60s\" is a file; a kernel that is run takes none", o->files[0]);
    if (kernel && (o->dump.window || o->dump.scale || o->dump.variant))
        argp_error(state,
                   "--window, --scale and --variant are the cases' own with --run, --kernel");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    Options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->kernel;
        return 0;
    case 'a':
        o->dump.arithmetic = arg;
        return 0;
    case 'W':
        o->dump.window = arg;
        return 0;
    case 'c':
        o->dump.scale = arg;
        return 0;
    case OPTION_VARIANT:
        o->dump.variant = arg;
        return 0;
    case OPTION_STRICT:
        o->output.strict = true;
        return 0;
    case OPTION_JSON:
        o->output.json = true;
        return 0;
    case OPTION_TAP:
        o->output.tap = true;
        return 0;
    case OPTION_JUNIT:
        o->output.junit = arg;
        return 0;
    case OPTION_REPORT:
        o->output.report = arg;
        return 0;
    case ARGP_KEY_ARGS:
        o->files = state->argv + state->next;
        o->file_count = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_END:
        check_what_is_given(o, state);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

int command_check(int argc, char **argv)
{
    static const struct argp_child children[] = {{&check_kernel_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options,
        parse,
        "FILE...\n--run CMD\n--kernel LIB",
        "Judge the answers, gradients and stages in each dump FILE, of heads or of a layer, "
        "against "
        "the certified truth of the inputs in it: right, suspect or wrong, and where."
        "\vExamples:\n"
        "  castle check mykernel.safetensors\n"
        "  castle check --arithmetic bfloat16,p=float32 mykernel.safetensors\n"
        "  castle check --arithmetic auto mykernel.safetensors\n"
        "  castle check --json vectors/dumps/base.safetensors\n"
        "  castle check --tap --junit tests.xml --report errors.html *.safetensors\n"
        "  castle check --kernel ./libmine.so --types f32 --fresh 20\n"
        "  castle check --run 'python3 mine.py {in} {out}' --case 'window-*'\n"
        "  castle check --kernel ./libmine.so --shrink small.safetensors\n\n"
        "A dump of heads holds qu ku vu qc kc vc, each [batch, heads, L, d], and any of o, u (the "
        "same shape), lse [batch, heads, L], with do the gradients dqu dku dvu dqc dkc dvc, and "
        "the stages sc t1 g su p, with do dp ds dsu dt1 dg, [batch, heads, L, L]. A dump of a "
        "layer holds x [batch, L, dm], wqu wku wvu wqc wkc wvc [dm, heads, d], wo [heads, d, dm] "
        "and any of y and, with dy, dx and dwqu .. dwo. Metadata: window, scale, variant, "
        "arithmetic.\n\n"
        "A kernel that is run meets golden cases (castle list) and fresh ones, each in a process "
        "of "
        "its own; crashes, stray writes and what else is wrong are reported case by case.\n\n"
        "Exit status: 0 all right (or suspect, with a warning), 1 a kernel is wrong, 2 unusable "
        "input or options.",
        children,
        NULL,
        NULL};
    Options o = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (o.kernel.run || o.kernel.kernel) {
        o.kernel.trials.arithmetic = o.kernel.guess ? NULL : o.dump.arithmetic;
        return check_kernel(&o.kernel, &o.output, argv[0]);
    }

    return check_dumps(o.files, o.file_count, &o.dump, &o.output, argv[0]);
}
