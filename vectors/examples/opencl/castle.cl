/* SPDX-License-Identifier: 0BSD */
/*
 * castle.cl - one head of CASTLE attention in OpenCL C and float: Theorem 1 of arXiv 2509.07301 and its
 * gradients. A work-item is a row t of the answer, or a token s, and writes to no other's place.
 *
 * `m` holds, one after the other, the L x d matrices and then the L x L matrices of enum, and lse.
 */
enum { QU, KU, VU, QC, KC, VC, DOUT, O, U, DQU, DKU, DVU, DQC, DKC, DVC, NARROW };
enum { GATE, T1, SU, P, DS, DSU, DT1, DZ, SQUARE };
enum { CASTLE, WITHOUT_CAUSAL_KEYS, WITHOUT_SILU };

#define HEAD global float *m, uint L, uint d, float scale, uint window, int variant
#define ROW(name, t) (m + ((size_t)name * L + (t)) * d)
#define WIDE(name, t) (m + (size_t)NARROW * L * d + ((size_t)name * L + (t)) * L)

float dot_rows(global const float *a, global const float *b, uint n)
{
    float sum = 0;
    for (uint k = 0; k < n; k++)
        sum += a[k] * b[k];
    return sum;
}

void clear_row(global float *to, uint n)
{
    for (uint k = 0; k < n; k++)
        to[k] = 0;
}

void add_scaled(global float *to, float c, global const float *x, uint n)
{
    for (uint k = 0; k < n; k++)
        to[k] += c * x[k];
}

float sigmoid(float x) { return 1 / (1 + exp(-x)); }

/* allowed(s, j): key s looks ahead at token j. Sums run over allowed pairs only: what is masked, NaN or
 * not, is never read. */
bool allowed(uint s, uint j, uint window) { return s < j && j - s <= window; }

float score(float causal, float lookahead, int variant)
{
    float silu = variant == WITHOUT_SILU ? lookahead : lookahead * sigmoid(lookahead);
    return variant == WITHOUT_CAUSAL_KEYS ? -silu : causal - silu;
}

float silu_slope(float x, int variant)
{
    float g = sigmoid(x);
    return variant == WITHOUT_SILU ? 1 : g * (1 + x * (1 - g));
}

/* Key s: its gates, and what it has seen at the end, U. */
kernel void open_gates(HEAD)
{
    uint s = get_global_id(0);
    clear_row(ROW(U, s), d);
    for (uint j = s + 1; j < L && allowed(s, j, window); j++) {
        WIDE(GATE, s)[j] = sigmoid(scale * dot_rows(ROW(QU, s), ROW(KU, j), d));
        add_scaled(ROW(U, s), WIDE(GATE, s)[j], ROW(VU, j), d);
    }
}

/* Row t: lookahead scores, weights, o and lse. */
kernel void attend(HEAD)
{
    uint t = get_global_id(0);
    global float *t1 = WIDE(T1, t), *su = WIDE(SU, t), *p = WIDE(P, t);
    float most = -INFINITY, sum = 0;
    for (uint j = 0; j <= t; j++)
        t1[j] = scale * dot_rows(ROW(QC, t), ROW(VU, j), d);
    for (uint s = 0; s <= t; s++) {
        su[s] = 0;
        for (uint j = s + 1; j <= t && allowed(s, j, window); j++)
            su[s] += t1[j] * WIDE(GATE, s)[j];
        p[s] = score(scale * dot_rows(ROW(QC, t), ROW(KC, s), d), su[s], variant);
        most = p[s] > most ? p[s] : most;
    }
    for (uint s = 0; s <= t; s++)
        sum += p[s] = exp(p[s] - most);
    clear_row(ROW(O, t), d);
    for (uint s = 0; s <= t; s++)
        add_scaled(ROW(O, t), p[s] /= sum, ROW(VC, s), d);
    WIDE(SQUARE, 0)[t] = most + log(sum); /* lse */
}

/* Row t: dS, dSU, dT1, and dQC, which takes gradient from both scores. */
kernel void backward_query(HEAD)
{
    uint t = get_global_id(0);
    global float *p = WIDE(P, t), *ds = WIDE(DS, t), *dsu = WIDE(DSU, t), *dt1 = WIDE(DT1, t);
    float delta = 0;
    for (uint s = 0; s <= t; s++)
        delta += p[s] * dot_rows(ROW(DOUT, t), ROW(VC, s), d);
    clear_row(ROW(DQC, t), d);
    clear_row(dt1, L);
    for (uint s = 0; s <= t; s++) {
        ds[s] = p[s] * (dot_rows(ROW(DOUT, t), ROW(VC, s), d) - delta);
        dsu[s] = -ds[s] * silu_slope(WIDE(SU, t)[s], variant);
        if (variant != WITHOUT_CAUSAL_KEYS)
            add_scaled(ROW(DQC, t), scale * ds[s], ROW(KC, s), d);
        for (uint j = s + 1; j <= t && allowed(s, j, window); j++)
            dt1[j] += dsu[s] * WIDE(GATE, s)[j];
    }
    for (uint j = 0; j <= t; j++)
        add_scaled(ROW(DQC, t), scale * dt1[j], ROW(VU, j), d);
}

/* Token s as a key and value: dKC, dVC, dVU; as one that looks ahead: dZ and dQU. */
kernel void backward_key(HEAD)
{
    uint s = get_global_id(0);
    clear_row(ROW(DKC, s), d);
    clear_row(ROW(DVC, s), d);
    clear_row(ROW(DVU, s), d);
    clear_row(ROW(DQU, s), d);
    for (uint t = s; t < L; t++) {
        if (variant != WITHOUT_CAUSAL_KEYS)
            add_scaled(ROW(DKC, s), scale * WIDE(DS, t)[s], ROW(QC, t), d);
        add_scaled(ROW(DVC, s), WIDE(P, t)[s], ROW(DOUT, t), d);
        add_scaled(ROW(DVU, s), scale * WIDE(DT1, t)[s], ROW(QC, t), d);
    }
    for (uint j = s + 1; j < L && allowed(s, j, window); j++) {
        float g = WIDE(GATE, s)[j], dg = 0;
        for (uint t = j; t < L; t++)
            dg += WIDE(DSU, t)[s] * WIDE(T1, t)[j];
        WIDE(DZ, s)[j] = scale * dg * g * (1 - g);
        add_scaled(ROW(DQU, s), WIDE(DZ, s)[j], ROW(KU, j), d);
    }
}

/* Token j as one that is looked at: dKU. */
kernel void backward_seen(HEAD)
{
    uint j = get_global_id(0);
    clear_row(ROW(DKU, j), d);
    for (uint s = 0; s < j; s++)
        if (allowed(s, j, window))
            add_scaled(ROW(DKU, j), WIDE(DZ, s)[j], ROW(QU, s), d);
}
