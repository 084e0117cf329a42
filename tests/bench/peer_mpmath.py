#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The algorithms of ref/parallel.c and ref/sequential.c in mpmath, at the oracle's 113 bits. A first
exponential, which fills mpmath's caches, is left out of the times. See worker.py.

Status 3: mpmath or gmpy2 is not installed, or mpmath does not use gmpy2.
"""
import sys

import worker

try:
    import gmpy2  # mpmath takes it up by itself
    import mpmath
    from mpmath import libmp, mp
except ImportError:
    sys.exit(3)

fdot, exp = mp.fdot, mp.exp
head = {}


def sigmoid(x):
    return 1 / (1 + exp(-x))


def silu(x):
    return x / (1 + exp(-x))


def parallel(h, scale):
    """Theorem 1. Row t of T1, SU, S and P keeps s <= t; row s of G keeps s < j, from s + 1 on."""
    QU, KU, VU, QC, KC, VC = h
    L = len(QC)
    T1 = [[scale * fdot(QC[t], VU[j]) for j in range(t + 1)] for t in range(L)]
    G = [[sigmoid(scale * fdot(QU[s], KU[j])) for j in range(s + 1, L)] for s in range(L)]
    VCT, VUT = list(zip(*VC)), list(zip(*VU))
    O, lse = [], []
    for t in range(L):
        SU = [fdot(zip(T1[t][s + 1:], G[s])) for s in range(t)]
        S = [scale * fdot(QC[t], KC[s]) for s in range(t + 1)]
        for s in range(t):
            S[s] -= silu(SU[s])
        m = max(S)
        P = [exp(x - m) for x in S]
        l = mp.fsum(P)
        P = [x / l for x in P]
        O.append([fdot(zip(P, column)) for column in VCT])
        lse.append(m + mp.log(l))
    U = [[fdot(zip(G[s], column[s + 1:])) for column in VUT] for s in range(L)]
    return O, lse, U


def naive(h, scale):
    """(3) to (8): at every step every lookahead key is made anew, its gates included."""
    QU, KU, VU, QC, KC, VC = h
    L = len(QC)
    VCT, VUT = list(zip(*VC)), list(zip(*VU))
    O, lse, U = [], [], []
    for t in range(L):
        U = []
        for s in range(t + 1):
            gates = [sigmoid(scale * fdot(QU[s], KU[j])) for j in range(s + 1, t + 1)]
            U.append([fdot(zip(gates, column[s + 1:t + 1])) for column in VUT])
        P = [exp(scale * fdot(QC[t], KC[s]) - silu(scale * fdot(QC[t], U[s])))
             for s in range(t + 1)]
        l = mp.fsum(P)
        P = [x / l for x in P]
        O.append([fdot(zip(P, column)) for column in VCT])
        lse.append(mp.log(l))
    return O, lse, U


def hexadecimal(x):
    sign, man, exponent, _ = x._mpf_
    return f"{'-' if sign else ''}0x{int(man):x}p{exponent}"


def load(inputs, L, d):
    mp.prec = 113
    head["scale"] = 1 / mp.sqrt(d)
    head["h"] = [[[mp.mpf(x) for x in values[k:k + d]] for k in range(0, L * d, d)]
                 for values in inputs]
    exp(head["scale"]), mp.log(head["scale"] + 1)


def form(f):
    def work():
        o, _, _ = f(head["h"], head["scale"])
        return lambda: (hexadecimal(x) for row in o for x in row)
    return work


if libmp.BACKEND != "gmpy":
    sys.exit(3)
worker.serve({"mpmath": mpmath.__version__, "gmpy2": gmpy2.version()}, load,
             {"parallel": form(parallel), "naive": form(naive)})
