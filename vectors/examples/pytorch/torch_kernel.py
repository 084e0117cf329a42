# SPDX-License-Identifier: 0BSD
"""CASTLE attention in eager PyTorch, gradients by autograd, run over the golden cases.

    python3 vectors/examples/pytorch/torch_kernel.py [--types f32,bf16] ['plain-*']

Put your kernel in the place of `castle`.
"""
import math
import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "python"))
import castle_vectors


def castle(qu, ku, vu, qc, kc, vc, scale, window, variant):
    """Theorem 1, on tensors [batch, heads, L, d]: o, lse and u.

    Sums over tokens take `where`, not a product with a mask of zeros: 0 times NaN is NaN, and a bad token
    would reach rows before it. They cost L x L x L numbers; a kernel would go by rows or blocks.
    """
    length = qu.shape[2]
    token = torch.arange(length)
    s, j, t = token[:, None], token[None, :], token[:, None, None]
    allowed = (s < j) & (j - s <= (length if window is None else window))
    causal = token[None, :] <= token[:, None]
    zero = qu.new_zeros(())

    gates = torch.sigmoid(scale * qu @ ku.transpose(2, 3))
    u = torch.where(allowed[:, :, None], gates[..., None] * vu[:, :, None], zero).sum(3)
    t1 = scale * qc @ vu.transpose(2, 3)
    su = torch.where(allowed & (j <= t), t1[:, :, :, None] * gates[:, :, None], zero).sum(4)

    penalty = su if variant == "without-silu" else torch.nn.functional.silu(su)
    score = -penalty if variant == "without-causal-keys" else scale * qc @ kc.transpose(2, 3) - penalty
    score = torch.where(causal, score, zero - math.inf)
    p = score.softmax(3)
    o = torch.where(causal[:, :, None], p[..., None] * vc[:, :, None], zero).sum(3)
    return o, score.logsumexp(3), u


def kernel(case):
    """Answers to a golden case. Sixteen-bit inputs are computed with in float32, and o is rounded once."""
    given = {name: x.requires_grad_(case.do is not None) for name, x in case.inputs.items()}
    wide = {name: x if x.dtype == torch.float64 else x.float() for name, x in given.items()}
    o, lse, u = castle(**wide, scale=case.scale, window=case.window, variant=case.variant)
    o = o.to(given["qu"].dtype)
    answers = {"o": o, "lse": lse, "u": u}
    if case.do is not None:
        # without causal keys nothing depends on kc
        gradients = torch.autograd.grad(o, list(given.values()), case.do, allow_unused=True)
        for (name, x), g in zip(given.items(), gradients):
            answers["d" + name] = torch.zeros_like(x) if g is None else g
    return answers


if __name__ == "__main__":
    sys.exit(castle_vectors.main(kernel, arrays="torch"))
