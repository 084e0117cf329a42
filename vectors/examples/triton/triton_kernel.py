# SPDX-License-Identifier: 0BSD
"""CASTLE attention in Triton, forward, run over the golden cases.

    TRITON_INTERPRET=1 python3 vectors/examples/triton/triton_kernel.py [--types f32,bf16] ['plain-*']

The blockwise form, Algorithm 1 of arXiv 2509.07301: one launch for each block diagonal k, one program for
each of its blocks. The program with queries T_i and keys T_j, i = j + k, is the only one of its launch that
touches row block i of (m, l, O) and row block j of D, so they wait for nobody.
"""
import pathlib
import sys
import warnings

import torch
import triton
import triton.language as tl

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "python"))
import castle_vectors

B = 16  # tokens in a block; tl.dot takes no fewer


@triton.jit
def masked_product(a, b, mask):
    """(a o mask) b, a sum over allowed pairs only: NaN beside a 0 of a mask would spoil tl.dot. A fast kernel
    takes tl.dot where a block is allowed as a whole."""
    return tl.sum(tl.where(mask[:, :, None], a[:, :, None] * b[None, :, :], 0.0), axis=1)


@triton.jit
def gates(qu, ku, s, j, scale, window, length):
    """sigmoid(scale QU_s . KU_j), and whether key s looks ahead at token j."""
    z = scale * tl.dot(qu, tl.trans(ku), input_precision="ieee")
    allowed = (s[:, None] < j[None, :]) & (j[None, :] - s[:, None] <= window)
    return 1 / (1 + tl.exp(-z)), allowed & (j[None, :] < length)


@triton.jit
def diagonal(QU, KU, VU, QC, KC, VC, D, M, SUM, O, k, length, dim, scale, window,
             without_causal_keys: tl.constexpr, without_silu: tl.constexpr,
             B: tl.constexpr, WIDTH: tl.constexpr):
    """Block diagonal k. Tensors are [heads, length, dim], contiguous; M and SUM are [heads, length]."""
    head = tl.program_id(1)
    column = tl.arange(0, WIDTH)
    s = tl.program_id(0) * B + tl.arange(0, B)  # keys T_j
    t = s + k * B  # queries T_i
    before = t - B  # the tokens of block i - 1
    at_s = (head * length + s[:, None]) * dim + column[None, :]
    at_t = at_s + k * B * dim
    at_before = at_t - B * dim
    in_s = (s[:, None] < length) & (column[None, :] < dim)
    in_t = (t[:, None] < length) & (column[None, :] < dim)
    row = head * length + t

    # (23): D_j takes in block i - 1, so that it holds all that keys T_j have seen before T_i; blocks j and
    # i - 1 are whole, as all but the last are
    qu = tl.load(QU + at_s, in_s, 0.0).to(tl.float32)
    seen = tl.load(D + at_s, in_s, 0.0)
    if k > 0:
        ku = tl.load(KU + at_before, in_s, 0.0).to(tl.float32)
        vu = tl.load(VU + at_before, in_s, 0.0).to(tl.float32)
        g, allowed = gates(qu, ku, s, before, scale, window, length)
        seen += masked_product(g, vu, allowed)
        tl.store(D + at_s, seen, in_s)

    # (24): lookahead scores; block i itself is seen up to the query
    qc = tl.load(QC + at_t, in_t, 0.0).to(tl.float32)
    ku = tl.load(KU + at_t, in_t, 0.0).to(tl.float32)
    vu = tl.load(VU + at_t, in_t, 0.0).to(tl.float32)
    g, allowed = gates(qu, ku, s, t, scale, window, length)
    t1 = scale * tl.dot(qc, tl.trans(vu), input_precision="ieee")
    pairs = allowed[None, :, :] & (t[None, None, :] <= t[:, None, None])  # [query, key, token]
    su = tl.sum(tl.where(pairs, t1[:, None, :] * g[None, :, :], 0.0), axis=2)
    if k > 0:
        su += scale * tl.dot(qc, tl.trans(seen), input_precision="ieee")

    # (19)
    score = su if without_silu else su / (1 + tl.exp(-su))
    if without_causal_keys:
        score = -score
    else:
        kc = tl.load(KC + at_s, in_s, 0.0).to(tl.float32)
        score = scale * tl.dot(qc, tl.trans(kc), input_precision="ieee") - score
    causal = s[None, :] <= t[:, None]
    score = tl.where(causal, score, float("-inf"))

    # Algorithm 2: the online softmax of the rows T_i
    m, total = tl.load(M + row, t < length, 0.0), tl.load(SUM + row, t < length, 0.0)
    o = tl.load(O + at_t, in_t, 0.0)
    most = tl.maximum(m, tl.max(score, axis=1))
    p = tl.exp(score - most[:, None])
    shrink = tl.exp(m - most)
    vc = tl.load(VC + at_s, in_s, 0.0).to(tl.float32)
    tl.store(M + row, most, t < length)
    tl.store(SUM + row, shrink * total + tl.sum(p, axis=1), t < length)
    tl.store(O + at_t, shrink[:, None] * o + masked_product(p, vc, causal), in_t)


def castle(qu, ku, vu, qc, kc, vc, scale, window, variant):
    """o, in float32, and lse."""
    batch, heads, length, dim = qu.shape
    blocks = triton.cdiv(length, B)
    d = torch.zeros(qu.shape, dtype=torch.float32, device=qu.device)
    o, total = torch.zeros_like(d), torch.zeros_like(d[..., 0])
    m = torch.full_like(total, float("-inf"))
    for k in range(blocks):
        diagonal[(blocks - k, batch * heads)](
            *(x.contiguous() for x in (qu, ku, vu, qc, kc, vc)), d, m, total, o, k, length, dim, scale,
            length if window is None else min(window, length), variant == "without-causal-keys",
            variant == "without-silu", B, max(16, triton.next_power_of_2(dim)))
    return o / total[..., None], m + torch.log(total)


def kernel(case):
    if case.type == "f64":
        return None  # not supported
    device = "cuda" if torch.cuda.is_available() else "cpu"
    inputs = {name: x.to(device) for name, x in case.inputs.items()}
    o, lse = castle(**inputs, scale=case.scale, window=case.window, variant=case.variant)
    return {"o": o.to(inputs["qu"].dtype), "lse": lse}


if __name__ == "__main__":
    warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's, in the interpreter: some cases hold NaN
    sys.exit(castle_vectors.main(kernel, arrays="torch"))
