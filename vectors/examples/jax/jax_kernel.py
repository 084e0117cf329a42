# SPDX-License-Identifier: 0BSD
"""CASTLE attention in JAX, gradients by jax.vjp, run over the golden cases.

    python3 vectors/examples/jax/jax_kernel.py [--types f32,bf16] ['plain-*']

Put your kernel in the place of `castle`.
"""
import functools
import pathlib
import sys

import jax

jax.config.update("jax_enable_x64", True)  # before any array; without it float64 becomes float32
import jax.numpy as jnp

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "python"))
import castle_vectors


def castle(qu, ku, vu, qc, kc, vc, *, scale, window, variant):
    """Theorem 1, on arrays [batch, heads, L, d]: o, lse and u.

    Sums over tokens take `where`, not a product with a mask of zeros: 0 times NaN is NaN, and a bad token
    would reach rows before it. They cost L x L x L numbers; a kernel would go by rows or blocks.
    """
    length = qu.shape[2]
    token = jnp.arange(length)
    s, j, t = token[:, None], token[None, :], token[:, None, None]
    allowed = (s < j) & (j - s <= (length if window is None else window))
    causal = token[None, :] <= token[:, None]

    gates = jax.nn.sigmoid(scale * qu @ ku.swapaxes(2, 3))
    u = jnp.where(allowed[:, :, None], gates[..., None] * vu[:, :, None], 0).sum(3)
    t1 = scale * qc @ vu.swapaxes(2, 3)
    su = jnp.where(allowed & (j <= t), t1[:, :, :, None] * gates[:, :, None], 0).sum(4)

    penalty = su if variant == "without-silu" else jax.nn.silu(su)
    score = -penalty if variant == "without-causal-keys" else scale * qc @ kc.swapaxes(2, 3) - penalty
    score = jnp.where(causal, score, -jnp.inf)
    p = jax.nn.softmax(score, axis=3)
    o = jnp.where(causal[:, :, None], p[..., None] * vc[:, :, None], 0).sum(3)
    return o, jax.nn.logsumexp(score, axis=3), u


def in_float(given, **conventions):
    """Sixteen-bit inputs are computed with in float32, and o is rounded once."""
    kind = given["qu"].dtype
    wide = {name: x.astype(jnp.promote_types(kind, jnp.float32)) for name, x in given.items()}
    o, lse, u = castle(**wide, **conventions)
    return o.astype(kind), lse, u


@functools.partial(jax.jit, static_argnames=("scale", "window", "variant"))
def answers(given, do, **conventions):
    function = functools.partial(in_float, **conventions)
    if do is None:
        o, lse, u = function(given)
        return {"o": o, "lse": lse, "u": u}
    o, pull_back, (lse, u) = jax.vjp(lambda x: (lambda o, *more: (o, more))(*function(x)), given,
                                     has_aux=True)
    return {"o": o, "lse": lse, "u": u, **{"d" + name: g for name, g in pull_back(do)[0].items()}}


def kernel(case):
    if case.type == "f64" and "subnormal" in case.about["flags"]:
        return None  # XLA takes subnormal float64 for 0
    return answers(case.inputs, case.do, scale=case.scale, window=case.window, variant=case.variant)


if __name__ == "__main__":
    sys.exit(castle_vectors.main(kernel, arrays="jax"))
