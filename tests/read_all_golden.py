#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every golden file of a folder by the readers that people have.

    read_all_golden.py FOLDER

The folder's index.json says which files there are. Each is read with numpy and with PyTorch (by the
loaders of vectors/loaders/) and by the package safetensors, into numpy and into PyTorch; all must
give the same names, shapes and numbers, and the metadata of the index. Headers must be compact, and
tensors lie without gaps, aligned to their numbers, as castle-vectors(5) promises.
(safetensors has no bfloat16 for numpy: there it reads the other tensors.)

Exit status: 0 all files are read, 1 one is not (a sentence says which), 2 the folder cannot be
read, 3 none of the three packages is installed.
"""
import hashlib
import importlib
import json
import os
import sys

WIDTH = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "vectors", "loaders"))


def module(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


numpy, torch, safetensors = module("numpy"), module("torch"), module("safetensors")


class Unlike(Exception):
    """A reader that does not see what stands there."""


def header_of(path):
    """The header as it stands, and what stands behind it."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        text = file.read(size).decode()
        data = file.read()
    header = json.loads(text)
    if text.rstrip(" ") != json.dumps(header, separators=(",", ":")) or "\\" in text:
        raise Unlike("its header has white space or escapes")
    if next(iter(header)) != "__metadata__":
        raise Unlike("its header does not begin with the metadata")
    if (8 + size) % 8:
        raise Unlike(f"its data begin at byte {8 + size}, no multiple of 8")
    return header, data


def check_places(header, data):
    at = 0
    for name, t in header.items():
        begin, end = t["data_offsets"]
        count = 1
        for n in t["shape"]:
            count *= n
        if begin != at or end - begin != count * WIDTH[t["dtype"]] or begin % WIDTH[t["dtype"]]:
            raise Unlike(f"{name} lies at {begin}..{end}; the one before it ends at {at}")
        at = end
    if at != len(data):
        raise Unlike(f"its tensors end at {at}, the file at {len(data)}")


def check_against(header, data, tensors, reader):
    """`tensors` has all that the header names, with its bytes (bfloat16 in numpy: as float32)."""
    if set(tensors) != set(header):
        raise Unlike(f"{reader} finds other tensors: {set(tensors) ^ set(header)}")
    for name, x in tensors.items():
        t = header[name]
        raw = data[slice(*t["data_offsets"])]
        if list(x.shape) != t["shape"]:
            raise Unlike(f"{reader} gives {name} the shape {list(x.shape)}, expected {t['shape']}")
        if torch and isinstance(x, torch.Tensor):
            found = bytes(x.contiguous().flatten().view(torch.uint8).numpy()) if numpy else raw
        elif t["dtype"] == "BF16":
            found = (x.view("<u4") >> 16).astype("<u2").tobytes()
        else:
            found = x.tobytes()
        if found != raw:
            raise Unlike(f"{reader} reads other numbers in {name}")


def check_metadata(about, entry, reader):
    same = {"case": entry["id"], "licence": "CC0-1.0"}
    for key in ("window", "scale", "arithmetic"):
        same[key] = entry[key]
    for key in ("elements", "masked", "undefined", "ties", "bits", "log2_radius"):
        same[key] = str(entry["certificate"][key])
    if entry["variant"] != "castle":
        same["variant"] = entry["variant"]
    same["sequential"] = "inside every ball" if entry["certificate"]["sequential"] else "not run"
    if about != same:
        raise Unlike(f"{reader} finds the metadata {about}, the index has {same}")


def readers():
    """Each reader's name, and what it makes of a path: metadata and tensors."""
    if numpy:
        yield "numpy", module("load_numpy").load
    if torch and hasattr(torch, "frombuffer"):
        yield "PyTorch", module("load_torch").load
    for framework, there in (("np", numpy), ("pt", torch)):
        if safetensors and there:
            yield f"safetensors ({framework})", lambda path, f=framework: by_package(path, f)


def by_package(path, framework):
    with safetensors.safe_open(path, framework) as file:
        skip = {name for name in file.keys() if framework == "np" and
                file.get_slice(name).get_dtype() == "BF16"}
        return file.metadata(), {name: None if name in skip else file.get_tensor(name)
                                 for name in file.keys()}


def check_file(path, entry, used):
    header, data = header_of(path)
    with open(path, "rb") as file:
        if hashlib.sha256(file.read()).hexdigest() != entry["sha256"]:
            raise Unlike("its SHA-256 is not that of the index")
    check_metadata(header.pop("__metadata__"), entry, "json")
    check_places(header, data)
    for name, load in used:
        about, tensors = load(path)
        check_metadata(about, entry, name)
        left = {k: t for k, t in header.items() if k not in tensors or tensors[k] is not None}
        check_against(left, data, {k: x for k, x in tensors.items() if x is not None}, name)


def main():
    if len(sys.argv) != 2:
        print("read_all_golden.py: expected one folder of golden files")
        sys.exit(2)
    used = list(readers())
    if not used:
        sys.exit(3)
    try:
        with open(os.path.join(sys.argv[1], "index.json"), encoding="utf-8") as file:
            cases = json.load(file)["cases"]
    except (OSError, ValueError, KeyError) as error:
        print(f"{sys.argv[1]}: has no index.json that can be read: {error!r}")
        sys.exit(2)
    status = 0
    for entry in cases:
        path = os.path.join(sys.argv[1], entry["file"])
        try:
            check_file(path, entry, used)
        except Exception as error:  # whatever a reader throws, it says which file it could not read
            print(f"{path}: {error}")
            status = 1
    print(f"{len(cases)} files read with {', '.join(name for name, _ in used)}")
    sys.exit(status if cases else 1)


main()
