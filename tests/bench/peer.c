/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "peer.h"

#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct Peer {
    pid_t pid;
    FILE *to, *from;
    char name[20];
    json_t *versions;
};

/* One line from the worker; NULL at its end. */
static json_t *hear(Peer *p)
{
    char *line = NULL;
    size_t room = 0;
    json_t *answer = getline(&line, &room, p->from) > 0 ? json_loads(line, 0, NULL) : NULL;
    free(line);
    return answer;
}

/* Asks, drops the question, returns the answer. */
static json_t *ask(Peer *p, json_t *question)
{
    errno = 0;
    bool asked = json_dumpf(question, p->to, JSON_COMPACT) == 0 && fputc('\n', p->to) != EOF &&
                 fflush(p->to) == 0;
    json_decref(question);
    json_t *answer = asked ? hear(p) : NULL;
    if (!answer)
        give_up("no answer from the peer", p->name);
    errno = 0;
    return answer;
}

/* With both its standard streams on pipes. False: no such program. */
static bool spawn(Peer *p, const char *python, const char *script, int threads)
{
    int to[2], from[2];
    /* Closed on exec: a pipe that another worker holds open would never end. */
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
        give_up("no pipe to", script);
    char count[20];
    (void)snprintf(count, sizeof count, "%d", threads);
    char *const arguments[] = {(char *)python, (char *)script, count, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
    /* Before Python starts: some of its libraries read these once, when they are loaded. */
    setenv("OMP_NUM_THREADS", count, 1);
    setenv("OPENBLAS_NUM_THREADS", count, 1);
    bool started = posix_spawnp(&p->pid, python, &actions, NULL, arguments, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    close(to[0]);
    close(from[1]);
    p->to = fdopen(to[1], "w");
    p->from = fdopen(from[0], "r");
    if (!p->to || !p->from)
        give_up("no pipe to", script);
    return started;
}

static void hang_up(Peer *p)
{
    (void)fclose(p->to);
    (void)fclose(p->from);
    if (p->pid > 0)
        waitpid(p->pid, NULL, 0);
}

Peer *peer_start(const char *scripts, const char *name, int threads)
{
    static const char *const pythons[] = {"python3", "/usr/bin/python3"};
    Peer *p = calloc(1, sizeof *p);
    char file[60];
    (void)snprintf(file, sizeof file, "peer_%s.py", name);
    char *script = path_in(scripts, file);
    if (!p || access(script, R_OK) != 0)
        give_up("cannot read", script);
    (void)snprintf(p->name, sizeof p->name, "%s", name);
    for (size_t k = 0; !p->versions && k < sizeof pythons / sizeof *pythons; k++) {
        p->pid = 0;
        if (spawn(p, pythons[k], script, threads))
            p->versions = hear(p);
        if (!p->versions)
            hang_up(p);
    }
    free(script);
    if (!p->versions) {
        free(p);
        return NULL;
    }
    return p;
}

void peer_end(Peer *p)
{
    if (!p)
        return;
    hang_up(p);
    json_decref(p->versions);
    free(p);
}

const json_t *peer_versions(const Peer *p) { return p->versions; }

void peer_load(Peer *p, const Problem *problem, const char *folder)
{
    char *path = path_in(folder, "inputs.f64");
    FILE *f = fopen(path, "wb");
    size_t n = problem->length * problem->dim;
    bool written = f;
    for (size_t k = 0; k < INPUTS; k++)
        written = written && fwrite(problem->input[k], sizeof(double), n, f) == n;
    if (!f || fclose(f) != 0 || !written)
        give_up("cannot write", path);
    json_decref(ask(p, json_pack("{s:s, s:s, s:I, s:I}", "do", "load", "path", path, "length",
                                 (json_int_t)problem->length, "dim", (json_int_t)problem->dim)));
    (void)remove(path);
    free(path);
}

double peer_seconds(Peer *p, const char *form)
{
    json_t *answer = ask(p, json_pack("{s:s, s:s}", "do", "time", "form", form));
    double seconds = json_real_value(json_object_get(answer, "seconds"));
    json_decref(answer);
    if (!(seconds > 0))
        give_up("no time from the peer", p->name);
    return seconds;
}

json_t *peer_answer(Peer *p, const char *form)
{
    json_t *answer = ask(p, json_pack("{s:s, s:s}", "do", "answer", "form", form));
    json_t *o = json_incref(json_object_get(answer, "o"));
    json_decref(answer);
    if (!json_is_array(o))
        give_up("no o from the peer", p->name);
    return o;
}
