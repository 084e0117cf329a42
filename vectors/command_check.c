/* SPDX-License-Identifier: GPL-3.0-or-later */
/* command_check.c - `castle check FILE...`: judges dumps; with --run or --kernel a kernel that it runs. */
#include "check_kernel.h"
#include "commands.h"
#include "report.h"
#include "system.h"

#include <argp.h>
#include <stdlib.h>

typedef struct Options {
    DumpOptions dump;
    bool strict, json;
    char **files;
    size_t file_count;
    KernelOptions kernel;
} Options;

enum { OPTION_STRICT = 256, OPTION_JSON, OPTION_VARIANT };

static const struct argp_option options[] = {
    {"arithmetic", 'a', "NAME", 0,
     "the kernel's arithmetic: float64, float32, tf32, bfloat16 or "
     "float16, optionally followed by ,key=format for single roundings (default: the file's "
     "metadata, else the answers' type)",
     0},
    {"window", 'W', "W", 0, "lookahead window, or none (default: the file's metadata)", 0},
    {"scale", 'c', "C", 0, "1/sqrt(d) or a number (default: the file's metadata)", 0},
    {"variant", OPTION_VARIANT, "NAME", 0,
     "castle, without-causal-keys or without-silu (default: the file's metadata)", 0},
    {"strict", OPTION_STRICT, NULL, 0, "exit with 1 for suspect, too", 0},
    {"json", OPTION_JSON, NULL, 0, "print one JSON document (docs/check-json.md)", 0},
    {0},
};

/* Files or a kernel, and for a kernel no option that its cases decide. */
static void check_what_is_given(Options *o, const struct argp_state *state)
{
    bool kernel = o->kernel.run || o->kernel.kernel;
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
        o->strict = true;
        return 0;
    case OPTION_JSON:
        o->json = true;
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

static bool has_answers(const Dump *d)
{
    for (Answer a = 0; a < ANSWERS; a++)
        if (d->answer[a])
            return true;
    return false;
}

/* Judges one file and prints or collects what there is to say. */
static bool check_file(const char *path, const Options *o, ReportLine *line, json_t *reports,
                       Failure *f)
{
    Dump d;
    CheckReport report;
    if (!dump_open(&d, path, &o->dump, f))
        return false;
    if (!has_answers(&d)) {
        char name[160];
        failure_quote_path(name, sizeof name, path);
        fail(f, "%s: there is nothing to judge: none of the answers %s is in the file", name,
             d.task.size.width ? "y, dx, dwqu, dwku, dwvu, dwqc, dwkc, dwvc, dwo"
                               : "o, lse, u, dqu, dku, dvu, dqc, dkc, dvc, and no stage");
        dump_close(&d);
        return false;
    }
    bool done = check_dump(&report, &d, path, f);
    if (done) {
        *line = report_line(path, &d, &report);
        if (o->json)
            json_array_append_new(reports, report_json(path, &d, &report));
        else
            report_print(stdout, path, &d, &report);
        check_free(&report);
    }
    dump_close(&d);
    return done;
}

static void summarise(const ReportLine *lines, size_t count, size_t unusable)
{
    size_t of[3] = {0};
    for (size_t k = 0; k < count; k++)
        of[lines[k].judgement]++;
    if (count > 1) {
        report_table(stdout, lines, count);
        putchar('\n');
    }
    printf("%zu right, %zu suspect, %zu wrong", of[RIGHT], of[SUSPECT], of[WRONG]);
    if (unusable)
        printf(", %zu unusable", unusable);
    putchar('\n');
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
        "  castle check --json vectors/dumps/base.safetensors\n"
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
        o.kernel.trials.arithmetic = o.dump.arithmetic;
        return check_kernel(&o.kernel, &(KernelOutput){o.json, o.strict}, argv[0]);
    }

    ReportLine *lines = calloc(o.file_count, sizeof *lines);
    json_t *reports = json_array();
    if (!lines || !reports)
        stop_on_bug(__func__, "out of memory");
    size_t judged = 0, unusable = 0;
    Judgement worst = RIGHT;
    for (size_t k = 0; k < o.file_count; k++) {
        Failure failure;
        if (!check_file(o.files[k], &o, &lines[judged], reports, &failure)) {
            refuse(argv[0], &failure);
            unusable++;
            continue;
        }
        if (lines[judged].judgement > worst)
            worst = lines[judged].judgement;
        judged++;
    }
    if (o.json) {
        json_t *document = json_pack("{s:o, s:I}", "dumps", reports, "unusable",
                                     (json_int_t)unusable);
        json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
        putchar('\n');
        json_decref(document);
    } else {
        json_decref(reports);
        if (judged)
            summarise(lines, judged, unusable);
    }
    free(lines);
    if (worst == SUSPECT)
        fprintf(stderr, "%s: warning: an answer is suspect; see the table\n", argv[0]);
    if (unusable)
        return EXIT_UNUSABLE;
    return worst == WRONG || (worst == SUSPECT && o.strict) ? EXIT_WRONG : EXIT_SUCCESS;
}
