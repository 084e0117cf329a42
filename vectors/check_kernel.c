/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check_kernel.h"

#include "bug.h"
#include "commands.h"
#include "kernel_report.h"
#include "plugin_checks.h"
#include "progress.h"
#include "run_program.h"
#include "shrink_report.h"
#include "trial_judge.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

/* A seed that nobody could know beforehand; it is printed, so that the run can be repeated. */
static unsigned long unknown_seed(void)
{
    unsigned int seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        stop_on_bug(__func__, "getrandom gives nothing");
    return seed % 1000000000;
}

static bool try_plugin(const Plugin *p, Trials *all)
{
    Progress *progress = progress_begin(p->path, "case", all->count);
    for (size_t k = 0; k < all->count; k++) {
        plugin_try(p, &all->at[k]);
        progress_step(progress);
    }
    progress_end(progress);
    return true;
}

static bool try_program(const KernelOptions *o, Trials *all, Failure *f)
{
    Program p;
    if (!program_begin(&p, o->run, &o->limits, f))
        return false;
    bool ok = true;
    Progress *progress = progress_begin(o->run, "case", all->count);
    for (size_t k = 0; ok && k < all->count; k++) {
        ok = program_try(&p, &all->at[k], f);
        progress_step(progress);
    }
    progress_end(progress);
    program_end(&p);
    return ok;
}

/* All of the kernel's calls come before any verdict: those are found by threads, and a process that has
 * started threads must not fork (isolated.h). */
static bool try_all(KernelOptions *o, const Cases *cases, Plugin *plugin, Trials *all, Failure *f)
{
    if (o->kernel) {
        if (!plugin_probe(plugin, o->kernel, &o->limits, f))
            return false;
        plugin->nondeterministic = plugin->nondeterministic || o->nondeterministic;
        if (!o->types_given)
            o->trials.types = plugin->types;
    }
    if (!trials_open(all, &o->trials, cases, f))
        return false;
    if (o->kernel ? try_plugin(plugin, all) : try_program(o, all, f))
        return true;
    trials_free(all);
    return false;
}

/* ---- shrinking -------------------------------------------------------------------------------- */

typedef struct Shrink {
    ShrunkTrial trial;
    char path[PATH_MAX];
} Shrink;

/* Shrinks the first wrong trial, if there is one, and writes what is left. */
static bool shrink_and_write(Shrink *s, const KernelOptions *o, const Plugin *plugin,
                             const Trials *all, Failure *f)
{
    Program p;
    if (o->run && !program_begin(&p, o->run, &o->limits, f))
        return false;
    const TrialRunner runner = {o->kernel ? plugin : NULL, o->run ? &p : NULL};
    bool ok = shrink_first_wrong(&s->trial, all, &runner, f);
    if (o->run)
        program_end(&p);
    if (!ok || !s->trial.from || s->trial.flaky)
        return ok;
    if (o->shrunk_file)
        snprintf(s->path, sizeof s->path, "%s", o->shrunk_file);
    else
        shrunk_path(s->path, sizeof s->path, &s->trial);
    ok = shrunk_write(&s->trial, s->path, o->kernel ? o->kernel : o->run, f);
    if (!ok)
        shrunk_free(&s->trial);
    return ok;
}

static bool print_shrunk(const Shrink *s, Failure *f)
{
    const ShrunkTrial *t = &s->trial;
    if (t->from && !t->flaky)
        return shrunk_print(t, s->path, f);
    if (t->from)
        printf("\n%s, %s: right when it runs again; nothing is shrunk\n", t->from->id, t->part);
    else
        printf("\nnothing to shrink: no case is wrong\n");
    return true;
}

/* A file that is there stays as it is, and that is said before anything runs. */
static bool file_is_free(const KernelOptions *o, Failure *f)
{
    char name[160];
    if (!o->shrunk_file || access(o->shrunk_file, F_OK) != 0)
        return true;
    failure_quote_path(name, sizeof name, o->shrunk_file);
    return fail(f, "%s: is there already; --shrink overwrites nothing", name);
}

/* ---- all of it -------------------------------------------------------------------------------- */

/* Prints the report, and writes the files that are asked for. */
static bool tell(const KernelOptions *o, const CheckOutput *out, const Trials *all,
                 const Shrink *shrunk, Failure *f)
{
    const char *kernel = o->kernel ? o->kernel : o->run;
    char summary[400];
    trials_summarise(all, &o->trials, summary, sizeof summary);
    if (output_is_text(out)) {
        trials_print(stdout, all, kernel, &o->trials, o->verbose, output_in_colour());
        if (o->shrink && !print_shrunk(shrunk, f))
            return false;
    }
    if (!output_wants_document(out))
        return true;
    json_t *document = trials_json(all, kernel, &o->trials, output_wants_maps(out));
    if (shrunk->trial.from && !shrunk->trial.flaky)
        json_object_set_new(document, "shrunk", shrunk_json(&shrunk->trial, shrunk->path));
    bool written = output_document(out, document, summary, f);
    json_decref(document);
    return written;
}

/* Verdicts, and what is left of the first wrong trial. While the kernel may have to run again, another process
 * judges; what it cannot hand over, where tensors are wrong, is found once more. */
static bool judge(const KernelOptions *o, const Plugin *plugin, Trials *all, Shrink *s, Failure *f)
{
    const char *kernel = o->kernel ? o->kernel : o->run;
    if (o->shrink) {
        trials_judge_apart(all, kernel);
        if (!shrink_and_write(s, o, plugin, all, f))
            return false;
    }
    if (o->guess)
        trials_guess(all, kernel);
    if (!o->shrink || tally_of(all).of[WRONG])
        trials_judge(all, kernel);
    return true;
}

int check_kernel(KernelOptions *o, const CheckOutput *out, const char *name)
{
    Cases cases;
    Trials all;
    Plugin plugin;
    Shrink shrunk = {.path = ""};
    Failure failure;
    if (!file_is_free(o, &failure))
        return refuse(name, &failure);
    if (o->trials.fresh && !o->seed_given)
        o->trials.seed = unknown_seed();
    if (!cases_read(&cases, NULL, &failure))
        return refuse(name, &failure);
    if (!try_all(o, &cases, &plugin, &all, &failure)) {
        cases_free(&cases);
        return refuse(name, &failure);
    }
    bool ok = judge(o, &plugin, &all, &shrunk, &failure);
    TrialTally n = tally_of(&all);
    size_t count = all.count;
    if (ok && n.unsupported < count)
        ok = tell(o, out, &all, &shrunk, &failure);
    shrunk_free(&shrunk.trial);
    trials_free(&all);
    cases_free(&cases);
    if (!ok)
        return refuse(name, &failure);
    if (n.unsupported == count) {
        fail(&failure, "the kernel supports none of the %zu cases; nothing is judged", count);
        return refuse(name, &failure);
    }
    if (n.of[SUSPECT])
        fprintf(stderr, "%s: warning: an answer is suspect; see the table\n", name);
    return n.of[WRONG] || (n.of[SUSPECT] && out->strict) ? EXIT_WRONG : EXIT_SUCCESS;
}
