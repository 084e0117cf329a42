/* SPDX-License-Identifier: GPL-3.0-or-later */
/* system.c - the memory of a number system: scopes, and the matrices made in them. */
#include "system.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void *checked(void *memory, size_t count)
{
    if (!memory)
        stop_on_bug("system", "out of memory for %zu entries", count);
    return memory;
}

bool system_is_plain(const System *in) { return !in->op->init && !in->op->clear; }

/* ---- large blocks --------------------------------------------------------------------------- */

enum { SPARES = sizeof((Stack *)NULL)->spare / sizeof(struct Made), LARGE = 1 << 20 };

static bool may_be_spared(const System *in, size_t count)
{
    return system_is_plain(in) && count * in->op->bytes >= LARGE;
}

static void give_back(const System *in, Stack *s, struct Made block)
{
    for (size_t k = 0; k < SPARES && may_be_spared(in, block.count); k++)
        if (!s->spare[k].entries) {
            s->spare[k] = block;
            return;
        }
    free(block.entries);
}

/* A block of that many entries, or NULL. */
static void *take_spare(const System *in, Stack *s, size_t count)
{
    for (size_t k = 0; k < SPARES && may_be_spared(in, count); k++)
        if (s->spare[k].entries && s->spare[k].count == count) {
            void *entries = s->spare[k].entries;
            s->spare[k].entries = NULL;
            return entries;
        }
    return NULL;
}

/* At a multiple of the widest vector that processors have. */
static void *plain_block(const System *in, Stack *s, size_t count)
{
    enum { ALIGNED = 64, PAGE = 2 << 20 };
    void *block = take_spare(in, s, count);
    size_t bytes = (count * in->op->bytes + ALIGNED - 1) / ALIGNED * ALIGNED;
    if (block)
        return block;
    block = aligned_alloc(bytes < LARGE ? ALIGNED : PAGE,
                          bytes < LARGE ? bytes : (bytes + PAGE - 1) / PAGE * PAGE);
    if (block && bytes >= LARGE)
        (void)madvise(block, bytes, MADV_HUGEPAGE); /* fewer page faults; a matter of speed only */
    return block;
}

static void drop_spares(Stack *s)
{
    for (size_t k = 0; k < SPARES; k++)
        free(s->spare[k].entries);
}

/* ---- beginning and end ------------------------------------------------------------------------- */

void system_begin(System *in, const Operations *op)
{
    *in = (System){.op = op, .threads = 1};
    in->stacks = checked(calloc(1, sizeof *in->stacks), 1);
}

void system_free(System *in)
{
    if (!in)
        return;
    scope_close(in, 0);
    drop_spares(in->stacks);
    free(in->stacks->made);
    free(in->stacks);
    if (in->op->destroy)
        in->op->destroy(in);
    free(in);
}

/* ---- threads -------------------------------------------------------------------------------- */

int team_begin(System *in)
{
    if (!in->blocks_in_parallel || in->observe || omp_in_parallel())
        return 1;
    int threads = omp_get_max_threads();
    in->stacks = checked(realloc(in->stacks, (size_t)threads * sizeof *in->stacks), 1);
    memset(in->stacks + 1, 0, (size_t)(threads - 1) * sizeof *in->stacks);
    in->threads = threads;
    return threads;
}

void team_end(System *in)
{
    for (int k = 1; k < in->threads; k++) {
        if (in->stacks[k].count)
            stop_on_bug(__func__, "a thread left a scope open");
        drop_spares(&in->stacks[k]);
        free(in->stacks[k].made);
    }
    in->threads = 1;
}

static Stack *stack_of(System *in)
{
    return &in->stacks[in->threads > 1 ? omp_get_thread_num() : 0];
}

/* ---- scopes --------------------------------------------------------------------------------- */

Scope scope_open(System *in) { return stack_of(in)->count; }

void scope_close(System *in, Scope scope)
{
    Stack *s = stack_of(in);
    while (s->count > scope) {
        s->count--;
        if (in->op->clear)
            in->op->clear(in, s->made[s->count].entries, s->made[s->count].count);
        give_back(in, s, s->made[s->count]);
    }
}

Matrix scope_keep(System *in, Scope scope, Matrix A)
{
    Stack *s = stack_of(in);
    const char *kept = A.entries;
    for (size_t k = scope; k < s->count; k++) {
        const char *entries = s->made[k].entries;
        if (kept >= entries && kept < entries + s->made[k].count * in->op->bytes) {
            struct Made first = s->made[scope];
            s->made[scope] = s->made[k];
            s->made[k] = first;
            scope++;
            break;
        }
    }
    scope_close(in, scope);
    return A;
}

void *system_entries(System *in, size_t count, bool unset)
{
    Stack *s = stack_of(in);
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 64;
        s->made = checked(realloc(s->made, s->room * sizeof *s->made), s->room);
    }
    size_t room = count ? count : 1;
    void *entries = system_is_plain(in) ? plain_block(in, s, room) : calloc(room, in->op->bytes);
    if (entries && system_is_plain(in) && !unset)
        memset(entries, 0, room * in->op->bytes);
    s->made[s->count].entries = checked(entries, count);
    s->made[s->count].count = count;
    s->count++;
    if (in->op->init)
        in->op->init(in, entries, count);
    return entries;
}
