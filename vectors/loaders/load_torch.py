# SPDX-License-Identifier: 0BSD
"""Reads a golden case with PyTorch: python3 load_torch.py CASE.safetensors [ANSWER]"""
import json
import sys

import torch

TYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def load(path):
    """The metadata, and the tensors by name, each in its own type."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = bytearray(file.read())
    about, tensors = header.pop("__metadata__"), {}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        x = torch.frombuffer(data[begin:end], dtype=TYPES[t["dtype"]])
        tensors[name] = x.reshape(t["shape"])
    return about, tensors


if __name__ == "__main__":
    about, tensors = load(sys.argv[1])
    answer = sys.argv[2] if len(sys.argv) > 2 else "o"
    truth, sigma = tensors[answer], tensors[answer + ".sigma"].double()
    yours = tensors[answer + "." + about["case"].split("-")[-1]]  # your kernel's answer goes here

    error = (yours.double() - truth).abs().nan_to_num(nan=0)  # NaN: there is no truth
    z = torch.where(error > 0, error / sigma, torch.zeros_like(error)).nan_to_num(nan=0)
    print(f"{answer}: {truth.numel()} numbers; "
          f"largest error {error.max().item()}, {z.max().item()} sigma")
