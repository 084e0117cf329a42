/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin.h"

#include "bug.h"
#include "castle_kernel.h"
#include "guarded.h"

#include <dlfcn.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int Entry(const struct castle_kernel_call *);

static const char *const function_names[PLUGIN_FUNCTIONS] = {
    "castle_kernel_forward", "castle_kernel_backward", "castle_kernel_prefill",
    "castle_kernel_decode"};

const char *plugin_function_name(PluginFunction f) { return function_names[f]; }

/* ---- what is in the library ------------------------------------------------------------------- */

typedef struct Probe {
    const char *path;
    struct ProbeFound {
        bool loaded, has[PLUGIN_FUNCTIONS], has_info;
        struct castle_kernel_info info;
        char why[300];
    } * found;
} Probe;

static void probe(void *argument)
{
    const Probe *p = argument;
    void *library = dlopen(p->path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        failure_quote(p->found->why, sizeof p->found->why, dlerror());
        return;
    }
    for (PluginFunction k = 0; k < PLUGIN_FUNCTIONS; k++)
        p->found->has[k] = dlsym(library, function_names[k]) != NULL;
    const struct castle_kernel_info *info = dlsym(library, "castle_kernel_info");
    p->found->has_info = info != NULL;
    if (info)
        p->found->info = *info;
    p->found->loaded = true;
}

static bool take_found(Plugin *p, const struct ProbeFound *found, const Outcome *o,
                       const char *name, Failure *f)
{
    char what[200];
    bool any = false;
    outcome_describe(what, sizeof what, o, &p->limits);
    if (!found->loaded)
        return fail(f, "%s: cannot be loaded: %s", name, *found->why ? found->why : what);
    for (PluginFunction k = 0; k < PLUGIN_FUNCTIONS; k++) {
        p->has[k] = found->has[k];
        any = any || p->has[k];
    }
    if (!any)
        return fail(f, "%s: has none of castle_kernel_forward, _backward, _prefill and _decode",
                    name);
    if (found->has_info && found->info.version != CASTLE_KERNEL_VERSION)
        return fail(f, "%s: is made for version %u of castle_kernel.h; this castle has version %d",
                    name, (unsigned)found->info.version, CASTLE_KERNEL_VERSION);
    p->nondeterministic = found->info.flags & CASTLE_KERNEL_NONDETERMINISTIC;
    p->no_lse = found->info.flags & CASTLE_KERNEL_NO_LSE;
    p->types = found->info.types ? found->info.types : (1U << NUMBER_TYPES) - 1;
    return true;
}

bool plugin_probe(Plugin *p, const char *path, const Limits *limits, Failure *f)
{
    char name[160];
    struct ProbeFound *found = shared_room(sizeof *found);
    failure_quote_path(name, sizeof name, path);
    *p = (Plugin){.path = path, .limits = *limits};
    Outcome o = isolated_call(probe, &(Probe){path, found}, limits);
    bool ok = take_found(p, found, &o, name, f);
    shared_free(found, sizeof *found);
    return ok;
}

/* ---- a call ----------------------------------------------------------------------------------- */

/* The tensors of a call, in the order of struct castle_kernel_call. */
enum {
    SLOT_INPUT = 0,
    SLOT_DOUT = INPUTS,
    SLOT_O,
    SLOT_LSE,
    SLOT_U,
    SLOT_GRADIENT,
    SLOT_CACHE = SLOT_GRADIENT + INPUTS, /* u, qu, kc, vc */
    SLOTS = SLOT_CACHE + 4
};

/* How far the child came, in shared memory. */
typedef struct Trace {
    bool entered, returned;
    int result;
    size_t token;
    void *address; /* of a fault */
    char why[200]; /* the library could not be loaded */
} Trace;

typedef struct Session {
    const Plugin *plugin;
    const PluginCall *call;
    Guarded slot[SLOTS];
    Trace *trace;
} Session;

static Trace *trace_of_child;

/* Notes the address, and lets the fault happen again without a handler. */
static void note_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    trace_of_child->address = info->si_addr;
    (void)signal(number, SIG_DFL);
}

static void catch_faults(Trace *trace)
{
    static char stack[64 << 10]; /* a kernel may have run out of its own */
    const stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_sigaction = note_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    trace_of_child = trace;
    (void)sigaltstack(&own, NULL);
    (void)sigaction(SIGSEGV, &action, NULL);
    (void)sigaction(SIGBUS, &action, NULL);
}

/* From row `first` on. */
static struct castle_kernel_tensor tensor(const Guarded *g, size_t first)
{
    if (!g->map)
        return (struct castle_kernel_tensor){.data = NULL};
    size_t bytes = number_type_bytes(g->shape.type);
    return (struct castle_kernel_tensor){g->data + first * g->stride[2] * bytes, g->stride[0],
                                         g->stride[1], g->stride[2]};
}

static double scale_of(const Task *t, const Sizes *s)
{
    return t->scale != 0 ? t->scale : 1 / sqrt((double)s->dim);
}

/* The call as the kernel sees it, its tensors from row `first` on. */
static struct castle_kernel_call call_of(const Session *s, size_t first, size_t length)
{
    static const int32_t types[NUMBER_TYPES] = {[TYPE_F64] = CASTLE_KERNEL_F64,
                                                [TYPE_F32] = CASTLE_KERNEL_F32,
                                                [TYPE_F16] = CASTLE_KERNEL_F16,
                                                [TYPE_BF16] = CASTLE_KERNEL_BF16};
    static const int32_t variants[] = {[CASTLE] = CASTLE_KERNEL_CASTLE,
                                       [WITHOUT_CAUSAL_KEYS] = CASTLE_KERNEL_WITHOUT_CAUSAL_KEYS,
                                       [WITHOUT_SILU] = CASTLE_KERNEL_WITHOUT_SILU};
    const Task *t = s->call->task;
    struct castle_kernel_call c = {.version = CASTLE_KERNEL_VERSION,
                                   .size = sizeof c,
                                   .type = types[t->type],
                                   .variant = variants[t->variant],
                                   .batch = s->call->size.batch,
                                   .heads = s->call->size.heads,
                                   .length = length,
                                   .dim = s->call->size.dim,
                                   .window = t->window == NO_WINDOW ? CASTLE_KERNEL_NO_WINDOW
                                                                    : t->window,
                                   .scale = scale_of(t, &s->call->size),
                                   .position = first};
    struct castle_kernel_tensor *const rows[] = {&c.qu,   &c.ku,  &c.vu,  &c.qc, &c.kc,  &c.vc,
                                                 &c.dout, &c.o,   &c.lse, &c.u,  &c.dqu, &c.dku,
                                                 &c.dvu,  &c.dqc, &c.dkc, &c.dvc};
    struct castle_kernel_tensor *const cache[] = {&c.cache_u, &c.cache_qu, &c.cache_kc,
                                                  &c.cache_vc};
    for (size_t k = 0; k < SLOT_CACHE; k++)
        *rows[k] = tensor(&s->slot[k], first);
    for (size_t k = 0; k < 4; k++)
        *cache[k] = tensor(&s->slot[SLOT_CACHE + k], 0);
    return c;
}

/* U as it is when `tokens` are taken in, where that is asked for. */
static void note_cache(const Session *s, size_t tokens)
{
    const Guarded *u = &s->slot[SLOT_CACHE];
    for (size_t k = 0; k < s->call->steps; k++)
        for (size_t i = 0; s->call->step[k] == tokens && i < guarded_count(u); i++)
            s->call->noted[k * guarded_count(u) + i] = guarded_get(u, i);
}

static void call_in_child(void *argument)
{
    const Session *s = argument;
    Trace *p = s->trace;
    void *library = dlopen(s->plugin->path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = library ? dlsym(library, function_names[s->call->function]) : NULL;
    Entry *function;
    if (!symbol) {
        failure_quote(p->why, sizeof p->why, dlerror());
        return;
    }
    memcpy(&function, &symbol, sizeof function); /* POSIX: a symbol's address is a function's */
    catch_faults(p);
    bool decode = s->call->function == PLUGIN_DECODE;
    size_t length = decode ? 1 : s->call->size.length;
    size_t calls = decode ? s->call->size.length : 1;
    p->entered = true;
    for (p->token = s->call->prefilled; p->token < calls && !p->result; p->token++) {
        struct castle_kernel_call c = call_of(s, p->token, length);
        p->result = function(&c);
        if (decode && !p->result)
            note_cache(s, p->token + 1);
    }
    p->returned = true;
}

/* ---- its tensors ------------------------------------------------------------------------------ */

static void add_slot(Session *s, size_t slot, const char *name, NumberType type, size_t cols,
                     const double *values)
{
    const Sizes *z = &s->call->size;
    const GuardedShape shape = {type, z->batch, z->heads, z->length, cols, s->call->padded};
    s->slot[slot] = guarded_new(name, &shape, values);
}

/* Rows that prefill took in stand in the cache already. */
static void fill_cache(const Session *s, size_t slot, const double *values, size_t rows)
{
    const Sizes *z = &s->call->size;
    size_t n = s->call->prefilled * z->dim;
    for (size_t head = 0; values && head < z->batch * z->heads; head++)
        for (size_t k = 0; k < n; k++)
            guarded_put(&s->slot[slot], head * z->length * z->dim + k,
                        values[head * rows * z->dim + k]);
}

static void add_slots(Session *s)
{
    static const char *const caches[] = {"cache_u", "cache_qu", "cache_kc", "cache_vc"};
    const PluginCall *c = s->call;
    NumberType type = c->task->type, wide = type == TYPE_F64 ? TYPE_F64 : TYPE_F32;
    size_t dim = c->size.dim;
    bool backward = c->function == PLUGIN_BACKWARD, decode = c->function == PLUGIN_DECODE;
    for (Input k = 0; k < INPUTS; k++)
        add_slot(s, SLOT_INPUT + k, input_name(k), type, dim, c->input[k]);
    if (backward)
        add_slot(s, SLOT_DOUT, "dout", type, dim, c->cotangent);
    if (!backward || c->o)
        add_slot(s, SLOT_O, "o", type, dim, backward ? c->o : NULL);
    if (!decode && !s->plugin->no_lse && (!backward || c->lse))
        add_slot(s, SLOT_LSE, "lse", wide, 1, backward ? c->lse : NULL);
    if (c->function == PLUGIN_PREFILL)
        add_slot(s, SLOT_U, "u", wide, dim, NULL);
    for (Answer a = ANSWER_DQU; backward && a <= ANSWER_DVC; a++)
        add_slot(s, SLOT_GRADIENT + (a - ANSWER_DQU), answer_name(a), type, dim, NULL);
    for (size_t k = 0; decode && k < 4; k++)
        add_slot(s, SLOT_CACHE + k, caches[k], k ? type : wide, dim, NULL);
    if (decode) {
        fill_cache(s, SLOT_CACHE, c->u, c->prefilled);
        fill_cache(s, SLOT_CACHE + 1, c->input[INPUT_QU], c->size.length);
        fill_cache(s, SLOT_CACHE + 2, c->input[INPUT_KC], c->size.length);
        fill_cache(s, SLOT_CACHE + 3, c->input[INPUT_VC], c->size.length);
    }
}

/* Where an answer lies, or NULL. */
static const Guarded *slot_of(const Session *s, Answer a)
{
    PluginFunction function = s->call->function;
    size_t slot = SLOTS;
    if (function == PLUGIN_BACKWARD)
        slot = a >= ANSWER_DQU && a <= ANSWER_DVC ? SLOT_GRADIENT + (a - ANSWER_DQU) : SLOTS;
    else if (a == ANSWER_O || a == ANSWER_LSE)
        slot = a == ANSWER_O ? SLOT_O : SLOT_LSE;
    else if (a == ANSWER_U)
        slot = function == PLUGIN_DECODE ? SLOT_CACHE : SLOT_U;
    return slot < SLOTS && s->slot[slot].map ? &s->slot[slot] : NULL;
}

/* ---- what came of it -------------------------------------------------------------------------- */

static void describe_end(const Session *s, const Outcome *o, char *text, size_t size)
{
    const Trace *p = s->trace;
    char what[150], where[60] = "", at[40] = "";
    outcome_describe(what, sizeof what, o, &s->plugin->limits);
    if (o->ending == ENDING_EXIT) /* and not by returning */
        snprintf(what, sizeof what, "called exit(%d)", o->number);
    for (size_t k = 0; p->address && !*where && k < SLOTS; k++)
        if (s->slot[k].map)
            (void)guarded_explains(&s->slot[k], p->address, where, sizeof where);
    if (s->call->function == PLUGIN_DECODE && p->entered)
        snprintf(at, sizeof at, " at token %zu", p->token);
    if (*p->why)
        snprintf(text, size, "the library cannot be loaded: %s", p->why);
    else if (!p->entered)
        snprintf(text, size, "the library, being loaded, %s", what);
    else
        snprintf(text, size, "%s%s%s%s", what, *where ? ", touching what lies " : "", where, at);
}

/* Decode copies a token's QU, KC and VC into the cache as they are. */
static bool cache_is_kept(const Session *s, char *text, size_t size)
{
    static const Input kept[] = {INPUT_QU, INPUT_KC, INPUT_VC};
    for (size_t k = 0; k < 3; k++) {
        const Guarded *cache = &s->slot[SLOT_CACHE + 1 + k], *given = &s->slot[kept[k]];
        for (size_t i = 0; i < guarded_count(given); i++) {
            double x = guarded_get(cache, i), y = guarded_get(given, i);
            if (x == y || (isnan(x) && isnan(y)))
                continue;
            size_t L = s->call->size.length, d = s->call->size.dim;
            snprintf(text, size, "left %.9g in row %zu, column %zu of %s; %s has %.9g", x,
                     i / d % L, i % d, cache->name, given->name, y);
            return false;
        }
    }
    return true;
}

static bool is_sound(const Session *s, char *text, size_t size)
{
    for (size_t k = 0; k < SLOTS; k++)
        if (s->slot[k].map && !guarded_is_sound(&s->slot[k], text, size))
            return false;
    for (Answer a = 0; a < ANSWERS; a++) {
        const Guarded *g = slot_of(s, a);
        size_t expected_untouched = 0, untouched = g ? guarded_untouched(g) : 0;
        if (g && s->call->function == PLUGIN_DECODE && a == ANSWER_O)
            expected_untouched = guarded_count(g) / s->call->size.length * s->call->prefilled;
        if (untouched > expected_untouched) {
            snprintf(text, size, "left %zu of %zu numbers of %s unwritten",
                     untouched - expected_untouched, guarded_count(g) - expected_untouched,
                     g->name);
            return false;
        }
    }
    return s->call->function != PLUGIN_DECODE || cache_is_kept(s, text, size);
}

static void take_answers(const Session *s, double *answer[ANSWERS])
{
    for (Answer a = 0; a < ANSWERS; a++) {
        const Guarded *g = slot_of(s, a);
        if (!g)
            continue;
        answer[a] = room_for("plugin_call", guarded_count(g), sizeof(double));
        for (size_t k = 0; k < guarded_count(g); k++)
            answer[a][k] = guarded_get(g, k);
    }
}

CallResult plugin_call(const Plugin *plugin, const PluginCall *call, double *answer[ANSWERS],
                       char *text, size_t size)
{
    Session s = {.plugin = plugin, .call = call, .trace = shared_room(sizeof *s.trace)};
    CallResult result = CALL_FAULTY;
    add_slots(&s);
    Outcome o = isolated_call(call_in_child, &s, &plugin->limits);
    if (!s.trace->returned || o.ending != ENDING_EXIT || o.number != 0) {
        describe_end(&s, &o, text, size);
    } else if (s.trace->result) {
        result = CALL_UNSUPPORTED;
        for (size_t k = 0; k < SLOTS; k++)
            if (s.slot[k].map && !guarded_is_sound(&s.slot[k], text, size))
                result = CALL_FAULTY;
    } else if (is_sound(&s, text, size)) {
        take_answers(&s, answer);
        result = CALL_ANSWERED;
    }
    for (size_t k = 0; k < SLOTS; k++)
        guarded_free(&s.slot[k]);
    shared_free(s.trace, sizeof *s.trace);
    return result;
}
