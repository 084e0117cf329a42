/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * memory.c - how the blockwise form's memory grows, as the operating system sees it.
 *
 * Each length has a process of its own. What is reported is the most memory that was resident in it, less
 * what was resident before the form's inputs were laid out (the program, BLAS after a first product, the
 * random numbers): the form's inputs, answers, D and temporaries, and everything that BLAS and malloc
 * add to them. The counting system predicts it from matrices alone.
 */
#include "bench.h"
#include "measure.h"
#include "runs.h"

#include "../random_problem.h"

#include <malloc.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DIM = 128, BLOCK = 64, FROM = 512, TO = 8192, TO_QUICK = 2048 };

static double resident_bytes(void)
{
    long size, resident;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", &size, &resident) != 2) // NOLINT(cert-err34-c)
        give_up("cannot read", "/proc/self/statm");
    (void)fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double most_resident_bytes(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)used.ru_maxrss * 1024;
}

static void run_blockwise(const Problem *p)
{
    Run r = run_ready(BLOCKWISE, f64_system(), p, BLOCK);
    run_once(&r);
    run_end(&r);
}

/* In a process of its own. */
static double peak_bytes(size_t length)
{
    set_threads(1);
    RandomProblem small = random_problem(PLAIN, (size_t)2 * BLOCK, DIM, NO_WINDOW, &BINARY64, 1);
    RandomProblem r = random_problem(PLAIN, length, DIM, NO_WINDOW, &BINARY64, 1);
    run_blockwise(&small.problem);
    malloc_trim(0);
    double before = resident_bytes();
    run_blockwise(&r.problem);
    return most_resident_bytes() - before;
}

static double peak_bytes_in_child(size_t length)
{
    int ends[2];
    double bytes = 0;
    if (pipe(ends) != 0)
        give_up("no pipe to", "a child");
    pid_t child = fork();
    if (child < 0)
        give_up("cannot fork", "a child");
    if (child == 0) {
        bytes = peak_bytes(length);
        _exit(write(ends[1], &bytes, sizeof bytes) == sizeof bytes ? 0 : 2);
    }
    int status;
    close(ends[1]);
    bool told = read(ends[0], &bytes, sizeof bytes) == sizeof bytes;
    close(ends[0]);
    if (waitpid(child, &status, 0) != child || status != 0 || !told)
        give_up("no answer from the child that measures", "memory");
    return bytes;
}

void bench_memory(Bench *b)
{
    Curve *c = &b->memory;
    *c = (Curve){.name = "blockwise, memory",
                 .system = "f64",
                 .unit = "MB",
                 .dim = DIM,
                 .block = BLOCK,
                 .of_theory = 1};
    Progress *progress = progress_begin("memory", "length", 5);
    for (size_t L = FROM; L <= (b->quick ? TO_QUICK : TO); L *= 2) {
        RandomProblem r = random_problem(PLAIN, L, DIM, NO_WINDOW, &BINARY64, 1);
        c->length[c->points] = (double)L;
        c->measured[c->points] = peak_bytes_in_child(L) * 1e-6;
        Counts counted = run_counts(BLOCKWISE, &r.problem, BLOCK);
        c->weighed[c->points] = c->counted[c->points] = (double)counted.peak;
        c->points++;
        random_problem_free(&r);
        progress_step(progress);
    }
    progress_end(progress);
}
