# SPDX-License-Identifier: 0BSD
"""Reads a golden case with JAX and safetensors: python3 load_jax.py CASE.safetensors [ANSWER]"""
import sys

import jax

jax.config.update("jax_enable_x64", True)  # before any array: X and X.lo are float64
import jax.numpy as jnp
from safetensors import safe_open


def load(path):
    """The metadata, and the tensors by name, each in its own type."""
    with safe_open(path, framework="flax") as file:
        return file.metadata(), {name: file.get_tensor(name) for name in file.keys()}


if __name__ == "__main__":
    about, tensors = load(sys.argv[1])
    answer = sys.argv[2] if len(sys.argv) > 2 else "o"
    truth, sigma = tensors[answer], tensors[answer + ".sigma"].astype(jnp.float64)
    yours = tensors[answer + "." + about["case"].split("-")[-1]]  # your kernel's answer goes here

    error = jnp.nan_to_num(jnp.abs(yours.astype(jnp.float64) - truth), nan=0)  # NaN: no truth
    z = jnp.where(error > 0, error / sigma, 0)
    worst = jnp.nanmax(z)  # NaN: there is no sigma
    print(f"{answer}: {truth.size} numbers; largest error {error.max()}, {worst} sigma")
