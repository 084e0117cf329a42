# SPDX-License-Identifier: 0BSD
"""Reads a golden case with numpy: python3 load_numpy.py CASE.safetensors [ANSWER]"""
import json
import sys

import numpy as np

TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def load(path):
    """The metadata, and the tensors by name. bfloat16 comes as float32, which holds it exactly."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    about, tensors = header.pop("__metadata__"), {}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        x = np.frombuffer(data[begin:end], TYPES[t["dtype"]]).reshape(t["shape"])
        tensors[name] = (x.astype("<u4") << 16).view("<f4") if t["dtype"] == "BF16" else x
    return about, tensors


if __name__ == "__main__":
    about, tensors = load(sys.argv[1])
    answer = sys.argv[2] if len(sys.argv) > 2 else "o"
    truth, sigma = tensors[answer], tensors[answer + ".sigma"].astype(np.float64)
    yours = tensors[answer + "." + about["case"].split("-")[-1]]  # your kernel's answer goes here

    error = np.nan_to_num(np.abs(yours.astype(np.float64) - truth), nan=0)  # NaN: there is no truth
    z = np.divide(error, sigma, out=np.zeros_like(error), where=error > 0)
    worst = np.nanmax(z)  # NaN: there is no sigma
    print(f"{answer}: {truth.size} numbers; largest error {error.max()}, {worst} sigma")
