/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * plugin.h - a kernel in a shared library (castle_kernel.h), called in isolation: loaded in a child process
 * that lives for one call, on tensors between guard pages.
 */
#ifndef CASTLE_PLUGIN_H
#define CASTLE_PLUGIN_H

#include "isolated.h"
#include "trial.h"

typedef enum PluginFunction {
    PLUGIN_FORWARD,
    PLUGIN_BACKWARD,
    PLUGIN_PREFILL,
    PLUGIN_DECODE,
    PLUGIN_FUNCTIONS
} PluginFunction;

typedef struct Plugin {
    const char *path; /* as dlopen takes it */
    bool has[PLUGIN_FUNCTIONS], nondeterministic, no_lse;
    unsigned types; /* bits 1 << NumberType that it declares; all where it says nothing */
    Limits limits;
} Plugin;

/* Looks at what the library offers, in a child. On failure returns false with one sentence. */
bool plugin_probe(Plugin *, const char *path, const Limits *, Failure *);

const char *plugin_function_name(PluginFunction); /* "castle_kernel_forward" ... */

/* What a call is given, each tensor dense. */
typedef struct PluginCall {
    PluginFunction function;
    const Task *task; /* type, scale, window, variant */
    Sizes size;
    bool padded; /* strides with gaps; else dense */
    const double *input[INPUTS], *cotangent;
    const double *o, *lse; /* for backward: what forward answered, or NULL */
    const double *u;       /* for decode: U after `prefilled` tokens, which the cache begins with */
    size_t prefilled;
    /* decode: U is noted when so many tokens are taken in, each time all of [batch, heads, L, d], in
     * memory that child processes share */
    const size_t *step;
    size_t steps;
    double *noted;
} PluginCall;

typedef enum CallResult { CALL_ANSWERED, CALL_UNSUPPORTED, CALL_FAULTY } CallResult;

/* Answers are handed over, dense, in answer[] (decode: o of all rows, those before `prefilled` NaN, and u).
 * Where the call was faulty, `text` says how and nothing is handed over. */
CallResult plugin_call(const Plugin *, const PluginCall *, double *answer[ANSWERS], char *text,
                       size_t size);

#endif
