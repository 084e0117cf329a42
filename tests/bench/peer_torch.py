#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Theorem 1's dense form, and plain causal attention, as one writes them in PyTorch on the CPU, without
gradients. See worker.py.

Status 3: torch is not installed.
"""
import sys

import worker

try:
    import torch
    from torch.nn.functional import silu
except ImportError:
    sys.exit(3)

head, masks = {}, {}


def load(inputs, L, d):
    for name, dtype in (("64", torch.float64), ("32", torch.float32)):
        head[name] = [torch.frombuffer(x, dtype=torch.float64).reshape(L, d).to(dtype)
                      for x in inputs]
    masks["future"] = torch.ones(L, L, dtype=torch.bool).triu_(1)


def softmax(S):
    return torch.softmax(S.masked_fill_(masks["future"], -torch.inf), dim=1)


def castle(QU, KU, VU, QC, KC, VC):
    scale = QC.shape[1] ** -0.5
    T1 = (scale * (QC @ VU.T)).tril_()
    G = torch.sigmoid(scale * (QU @ KU.T)).triu_(1)
    SU = T1 @ G.T
    return softmax(scale * (QC @ KC.T) - silu(SU)) @ VC


def attention(QU, KU, VU, QC, KC, VC):
    return softmax(QC.shape[1] ** -0.5 * (QC @ KC.T)) @ VC


def form(f, name):
    def work():
        with torch.inference_mode():
            o = f(*head[name])
        return lambda: (x.hex() for x in o.flatten().tolist())
    return work


torch.set_num_threads(worker.threads())
worker.serve({"torch": torch.__version__, "blas": worker.blas(),
              "cpu_capability": torch.__config__.show().partition("CPU capability usage: ")[2]
              .partition("\n")[0]}, load,
             {"castle": form(castle, "64"), "castle32": form(castle, "32"),
              "attention": form(attention, "64")})
