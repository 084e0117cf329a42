# SPDX-License-Identifier: 0BSD
"""Writes a dump for castle check with PyTorch: python3 dump_torch.py OUT.safetensors"""
import math
import sys

import torch
from safetensors.torch import save_file


def castle(qu, ku, vu, qc, kc, vc):
    """Your kernel goes here; this one is Theorem 1."""
    future = torch.ones(qu.shape[-2], qu.shape[-2], dtype=torch.bool).triu(1)
    scale = 1 / math.sqrt(qu.shape[-1])
    gates = torch.sigmoid(scale * qu @ ku.transpose(-1, -2)).triu(1)
    su = (scale * qc @ vu.transpose(-1, -2)).tril() @ gates.transpose(-1, -2)
    score = scale * qc @ kc.transpose(-1, -2) - torch.nn.functional.silu(su)
    score = score.masked_fill(future, -math.inf)
    return {"o": score.softmax(-1) @ vc, "u": gates @ vu, "lse": score.logsumexp(-1)}


torch.manual_seed(0)
names = ["qu", "ku", "vu", "qc", "kc", "vc"]
inputs = {name: torch.randn(1, 2, 24, 8, requires_grad=True) for name in names}

answers = castle(**inputs)
do = torch.randn_like(answers["o"])
gradients = torch.autograd.grad(answers["o"], list(inputs.values()), do)
dump = {**inputs, **answers, "do": do, **{"d" + n: g for n, g in zip(names, gradients)}}
save_file({name: x.detach().contiguous() for name, x in dump.items()}, sys.argv[1],
          {"window": "none", "scale": "1/sqrt(d)", "arithmetic": "float32"})
