/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check_kernel.h"

#include "bug.h"
#include "commands.h"
#include "kernel_report.h"
#include "plugin_checks.h"
#include "progress.h"
#include "run_program.h"
#include "trial_judge.h"

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
static bool try_all(KernelOptions *o, const Cases *cases, Trials *all, Failure *f)
{
    Plugin plugin;
    if (o->kernel) {
        if (!plugin_probe(&plugin, o->kernel, &o->limits, f))
            return false;
        plugin.nondeterministic = plugin.nondeterministic || o->nondeterministic;
        if (!o->types_given)
            o->trials.types = plugin.types;
    }
    if (!trials_open(all, &o->trials, cases, f))
        return false;
    if (o->kernel ? try_plugin(&plugin, all) : try_program(o, all, f))
        return true;
    trials_free(all);
    return false;
}

static void print(const KernelOptions *o, const KernelOutput *out, const Trials *all)
{
    const char *kernel = o->kernel ? o->kernel : o->run;
    if (!out->json) {
        trials_print(stdout, all, kernel, &o->trials, o->verbose, isatty(STDOUT_FILENO));
        return;
    }
    json_t *document = trials_json(all, kernel, &o->trials);
    json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    putchar('\n');
    json_decref(document);
}

int check_kernel(KernelOptions *o, const KernelOutput *out, const char *name)
{
    Cases cases;
    Trials all;
    Failure failure;
    if (o->trials.fresh && !o->seed_given)
        o->trials.seed = unknown_seed();
    if (!cases_read(&cases, NULL, &failure))
        return refuse(name, &failure);
    if (!try_all(o, &cases, &all, &failure)) {
        cases_free(&cases);
        return refuse(name, &failure);
    }
    trials_judge(&all, o->kernel ? o->kernel : o->run);
    TrialTally n = tally_of(&all);
    size_t count = all.count;
    if (n.unsupported < count)
        print(o, out, &all);
    trials_free(&all);
    cases_free(&cases);
    if (n.unsupported == count) {
        fail(&failure, "the kernel supports none of the %zu cases; nothing is judged", count);
        return refuse(name, &failure);
    }
    if (n.of[SUSPECT])
        fprintf(stderr, "%s: warning: an answer is suspect; see the table\n", name);
    return n.of[WRONG] || (n.of[SUSPECT] && out->strict) ? EXIT_WRONG : EXIT_SUCCESS;
}
