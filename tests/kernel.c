/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kernel.h"

#include <math.h>
#include <stdlib.h>

const char *fault_name(Fault f)
{
    static const char *const names[FAULTS] = {
        "no_fault",
        "own_token_excluded",
        "future_token_included",
        "lookahead_leaks",
        "gate_includes_diagonal",
        "gate_starts_late",
        "window_too_wide",
        "window_too_narrow",
        "window_ignored",
        "silu_added",
        "silu_omitted",
        "sigmoid_for_silu",
        "lookahead_dropped",
        "gate_unscaled",
        "gate_transposed",
        "gate_is_tanh",
        "causal_score_unscaled",
        "lookahead_score_unscaled",
        "lookahead_score_scaled_twice",
        "last_key_dropped",
        "values_swapped",
        "lse_in_bits",
        "lse_without_maximum",
        "u_lacks_last_block",
        "one_weight_lost",
    };
    return names[f];
}

static float dot(const Problem *p, Input a, size_t i, Input b, size_t j)
{
    float sum = 0;
    for (size_t k = 0; k < p->dim; k++)
        sum += (float)p->input[a][i * p->dim + k] * (float)p->input[b][j * p->dim + k];
    return sum;
}

static float sigmoid(float x) { return 1 / (1 + expf(-x)); }

static int allowed(const Problem *p, Fault f, size_t s, size_t j)
{
    size_t first = f == GATE_INCLUDES_DIAGONAL ? s : f == GATE_STARTS_LATE ? s + 2 : s + 1;
    size_t reach = p->window;
    if (f == WINDOW_IGNORED || reach == NO_WINDOW)
        return j >= first;
    reach += f == WINDOW_TOO_WIDE ? 1 : 0;
    return j >= first && j <= s + reach && !(f == WINDOW_TOO_NARROW && j == s + reach);
}

static float gate(const Problem *p, Fault f, float scale, size_t s, size_t j)
{
    float z = f == GATE_TRANSPOSED ? dot(p, INPUT_QU, j, INPUT_KU, s)
                                   : dot(p, INPUT_QU, s, INPUT_KU, j);
    z *= f == GATE_UNSCALED ? 1 : scale;
    return f == GATE_IS_TANH ? tanhf(z) : sigmoid(z);
}

static float lookahead_score(const Problem *p, Fault f, float scale, const float *gates, size_t t,
                             size_t s)
{
    float sum = 0;
    size_t end = f == LOOKAHEAD_LEAKS ? p->length : f == LAST_KEY_DROPPED ? t : t + 1;
    for (size_t j = 0; j < end; j++)
        if (allowed(p, f, s, j))
            sum += dot(p, INPUT_QC, t, INPUT_VU, j) * gates[s * p->length + j];
    if (f == LOOKAHEAD_SCORE_UNSCALED)
        return sum;
    return f == LOOKAHEAD_SCORE_SCALED_TWICE ? scale * scale * sum : scale * sum;
}

static float score(const Problem *p, Fault f, float scale, const float *gates, size_t t, size_t s)
{
    float c = dot(p, INPUT_QC, t, INPUT_KC, s) * (f == CAUSAL_SCORE_UNSCALED ? 1 : scale);
    float x = lookahead_score(p, f, scale, gates, t, s);
    if (f == LOOKAHEAD_DROPPED)
        return c;
    if (f == SILU_OMITTED)
        return c - x;
    if (f == SIGMOID_FOR_SILU)
        return c - sigmoid(x);
    return f == SILU_ADDED ? c + x * sigmoid(x) : c - x * sigmoid(x);
}

static void answer_row(const Problem *p, Fault f, float scale, const float *gates, size_t t,
                       float *w, double *o, double *lse)
{
    size_t end = f == OWN_TOKEN_EXCLUDED && t > 0 ? t : t + 1;
    if (f == FUTURE_TOKEN_INCLUDED && t + 1 < p->length)
        end = t + 2;
    float m = -INFINITY, l = 0;
    for (size_t s = 0; s < end; s++) {
        w[s] = score(p, f, scale, gates, t, s);
        m = fmaxf(m, w[s]);
    }
    for (size_t s = 0; s < end; s++)
        l += w[s] = expf(w[s] - m);
    if (f == ONE_WEIGHT_LOST && t + 1 == p->length)
        w[0] = 0;
    const double *values = p->input[f == VALUES_SWAPPED ? INPUT_VU : INPUT_VC];
    for (size_t k = 0; k < p->dim; k++) {
        float sum = 0;
        for (size_t s = 0; s < end; s++)
            sum += w[s] * (float)values[s * p->dim + k];
        o[t * p->dim + k] = (double)(sum / l);
    }
    lse[t] = (double)(f == LSE_WITHOUT_MAXIMUM ? logf(l)
                      : f == LSE_IN_BITS       ? m + log2f(l)
                                               : m + logf(l));
}

void kernel(const Problem *p, Fault f, double *o, double *lse, double *u)
{
    size_t L = p->length;
    float scale = p->scale != 0 ? (float)p->scale : 1 / sqrtf((float)p->dim);
    float *gates = calloc(L * L, sizeof *gates), *w = calloc(L + 1, sizeof *w);
    for (size_t s = 0; s < L; s++)
        for (size_t j = 0; j < L; j++)
            gates[s * L + j] = gate(p, f, scale, s, j);
    for (size_t t = 0; t < L; t++)
        answer_row(p, f, scale, gates, t, w, o, lse);
    size_t end = f == U_LACKS_LAST_BLOCK && L > 16 ? L - 16 : L;
    for (size_t s = 0; s < L; s++)
        for (size_t k = 0; k < p->dim; k++) {
            float sum = 0;
            for (size_t j = 0; j < end; j++)
                if (allowed(p, f, s, j))
                    sum += gates[s * L + j] * (float)p->input[INPUT_VU][j * p->dim + k];
            u[s * p->dim + k] = (double)sum;
        }
    free(gates);
    free(w);
}
