#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Theorem 1's dense form, and plain causal attention, as one writes them in numpy. Products are numpy's
BLAS with the threads it was given; functions of entries run on one thread, as numpy does. See worker.py.

Status 3: numpy is not installed.
"""
import sys

import worker

try:
    import numpy as np
except ImportError:
    sys.exit(3)

head, masks = {}, {}


def load(inputs, L, d):
    for name, dtype in (("64", np.float64), ("32", np.float32)):
        head[name] = [np.array(x, dtype=dtype).reshape(L, d) for x in inputs]
    masks["future"] = np.triu(np.ones((L, L), dtype=bool), 1)


def softmax(S):
    S[masks["future"]] = -np.inf
    S -= S.max(axis=1, keepdims=True)
    P = np.exp(S, out=S)
    P /= P.sum(axis=1, keepdims=True)
    return P


def castle(QU, KU, VU, QC, KC, VC):
    scale = QC.dtype.type(1 / np.sqrt(QC.shape[1]))
    T1 = np.tril(scale * (QC @ VU.T))
    G = np.triu(1 / (1 + np.exp(-scale * (QU @ KU.T))), 1)
    SU = T1 @ G.T
    with np.errstate(over="ignore"):  # exp(-SU) may be infinite: SiLU is -0 then, as it should be
        penalty = SU / (1 + np.exp(-SU))
    return softmax(scale * (QC @ KC.T) - penalty) @ VC


def attention(QU, KU, VU, QC, KC, VC):
    return softmax(QC.dtype.type(1 / np.sqrt(QC.shape[1])) * (QC @ KC.T)) @ VC


def form(f, name):
    def work():
        o = f(*head[name])
        return lambda: (float(x).hex() for x in o.ravel())
    return work


worker.serve({"numpy": np.__version__, "blas": worker.blas()}, load,
             {"castle": form(castle, "64"), "castle32": form(castle, "32"),
              "attention": form(attention, "64")})
