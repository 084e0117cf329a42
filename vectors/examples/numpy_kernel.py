# SPDX-License-Identifier: 0BSD
"""CASTLE attention in numpy, forward only: the smallest thing that `castle check --run` takes.

    build/castle check --run 'python3 vectors/examples/numpy_kernel.py {in} {out}' --types f32,f64

Replace `forward` by a call of your own kernel, in whatever language.
"""
import json
import sys

import numpy as np

UNSUPPORTED = 77  # the exit status for "not supported"
TYPES = {"F64": "<f8", "F32": "<f4"}


def load(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    about, tensors = header.pop("__metadata__"), {}
    for name, t in header.items():
        if t["dtype"] not in TYPES:
            sys.exit(UNSUPPORTED)
        begin, end = t["data_offsets"]
        tensors[name] = np.frombuffer(data[begin:end], TYPES[t["dtype"]]).reshape(t["shape"])
    return about, tensors


def save(path, tensors):
    header, data = {}, b""
    for name, x in tensors.items():
        code = {"f8": "F64", "f4": "F32"}[x.dtype.str[1:]]
        header[name] = {"dtype": code, "shape": x.shape,
                        "data_offsets": [len(data), len(data) + x.nbytes]}
        data += x.tobytes()
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def forward(qu, ku, vu, qc, kc, vc, scale, window):
    """Theorem 1, on arrays [batch, heads, L, d]: o, lse and u."""
    length = qu.shape[2]
    s, j = np.arange(length)[:, None], np.arange(length)[None, :]
    allowed = (s < j) & (j - s <= window)
    gate = np.where(allowed, sigmoid(scale * qu @ ku.swapaxes(2, 3)), 0)
    t1 = np.where(j <= s, scale * qc @ vu.swapaxes(2, 3), 0)
    su = t1 @ gate.swapaxes(2, 3)
    score = np.where(j <= s, scale * qc @ kc.swapaxes(2, 3) - su * sigmoid(su), -np.inf)
    most = score.max(axis=3, keepdims=True)
    p = np.exp(score - most)
    total = p.sum(axis=3, keepdims=True)
    return (p / total) @ vc, (most + np.log(total))[..., 0], gate @ vu


if __name__ == "__main__":
    np.seterr(all="ignore")
    about, given = load(sys.argv[1])
    if "variant" in about:
        sys.exit(UNSUPPORTED)
    dtype, d = given["qu"].dtype.type, given["qu"].shape[3]
    scale = d**-0.5 if about["scale"] == "1/sqrt(d)" else float(about["scale"])
    window = np.inf if about["window"] == "none" else int(about["window"])
    inputs = [given[name] for name in ("qu", "ku", "vu", "qc", "kc", "vc")]
    if not all(np.isfinite(x).all() for x in inputs):
        sys.exit(UNSUPPORTED)  # a matrix product multiplies a masked NaN by 0, and spoils earlier rows
    o, lse, u = forward(*inputs, dtype(scale), window)
    save(sys.argv[2], {"o": o.astype(dtype), "lse": lse.astype(dtype), "u": u.astype(dtype)})
