#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The algorithms of ref/parallel.c and ref/sequential.c in mpmath: what `make bench` compares with.

    bench_mpmath.py FORM INPUTS.json

FORM is `parallel` or `naive`. INPUTS.json holds length, dim, bits and the six inputs, row by row, as
hexadecimal binary64 numbers. Prints one JSON object: the seconds of processor time that the form
took (reading, printing and a first exponential, which fills mpmath's caches, left out) and o, as
hexadecimal numbers that keep every bit. With FORM `probe` prints nothing.

Status 3: mpmath or gmpy2 is not installed, or mpmath does not use gmpy2.
"""
import json
import sys
import time

try:
    import gmpy2  # noqa: F401  (mpmath takes it up by itself)
    from mpmath import libmp, mp
except ImportError:
    sys.exit(3)

fdot, exp = mp.fdot, mp.exp


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


def main():
    if libmp.BACKEND != "gmpy":
        sys.exit(3)
    if sys.argv[1] == "probe":
        return
    with open(sys.argv[2]) as file:
        inputs = json.load(file)
    mp.prec = inputs["bits"]
    d = inputs["dim"]
    head = []
    for name in ("qu", "ku", "vu", "qc", "kc", "vc"):
        values = [mp.mpf(float.fromhex(x)) for x in inputs[name]]
        head.append([values[k:k + d] for k in range(0, len(values), d)])
    scale = 1 / mp.sqrt(d)
    exp(scale), mp.log(scale + 1)

    start = time.thread_time()
    o, _, _ = {"parallel": parallel, "naive": naive}[sys.argv[1]](head, scale)
    seconds = time.thread_time() - start
    json.dump({"seconds": seconds, "o": [hexadecimal(x) for row in o for x in row]}, sys.stdout)


main()
