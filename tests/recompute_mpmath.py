#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Golden files, recomputed from the definition in another language with another library.

    recompute_mpmath.py FILE.safetensors ...

The paper's recurrent form, (3) to (9), in mpmath: every lookahead key of every step is the sum that
(3) says. No gradient is written down anywhere: a tape applies the chain rule to those very lines.
For each answer the files' X, X.lo and X.<type> must be the correct roundings of what comes out, so
every bit of them counts. X.sigma is an estimate by simulation and is not recomputed here.

Numbers are computed with 60 digits; where something differs, or where cancellation leaves too few
of them, again with 240, then with 960. What 960 digits cannot tell from a number of 400 bits is
that number: so exact results, and ties, come out exact.

Exit status: 0 all agree, 1 one does not (a sentence says which), 2 a file cannot be read, 3 mpmath
is not installed.
"""
import json
import os
import struct
import sys
from multiprocessing import Pool

try:
    from mpmath import mp, mpf
except ImportError:
    sys.exit(3)

DIGITS = (60, 240, 960)
HEAD = ("qu", "ku", "vu", "qc", "kc", "vc")
PROJECTIONS = ("wqu", "wku", "wvu", "wqc", "wkc", "wvc")
# precision, exponent of the smallest subnormal number, exponent that no number reaches
FORMAT = {"F64": (53, -1074, 1024), "F32": (24, -149, 128), "F16": (11, -24, 16),
          "BF16": (8, -133, 128)}


# ---- the file ------------------------------------------------------------------------------------

def numbers(dtype, data):
    """Little-endian numbers as floats, which hold all four types exactly."""
    if dtype == "BF16":
        return [struct.unpack("<f", b"\0\0" + data[k:k + 2])[0] for k in range(0, len(data), 2)]
    code, width = {"F64": ("d", 8), "F32": ("f", 4), "F16": ("e", 2)}[dtype]
    return list(struct.unpack(f"<{len(data) // width}{code}", data))


def read(path):
    """The metadata, and by name (dtype, shape, numbers)."""
    with open(path, "rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(size)), file.read()
    about = header.pop("__metadata__")
    return about, {name: (t["dtype"], t["shape"],
                          numbers(t["dtype"], data[slice(*t["data_offsets"])]))
                   for name, t in header.items()}


# ---- a number with its tape ----------------------------------------------------------------------

class Number:
    """A value, what it was made of, and (after backward()) the derivative by it."""
    __slots__ = ("value", "parts", "slope")
    made = []

    def __init__(self, value, parts=()):
        self.value, self.parts, self.slope = value, parts, mpf(0)
        Number.made.append(self)


def total(terms):
    return Number(mp.fsum(x.value for x in terms), [(x, None) for x in terms])


def dot(xs, ys):
    """Sum of x y; over nothing it is 0."""
    return Number(mp.fdot((x.value, y.value) for x, y in zip(xs, ys)),
                  [(x, y.value) for x, y in zip(xs, ys)] + [(y, x.value) for x, y in zip(xs, ys)])


def times(c, x):
    return Number(c * x.value, [(x, c)])


def minus(x, y):
    return Number(x.value - y.value, [(x, None), (y, mpf(-1))])


def exp(x):
    e = mp.exp(x.value)
    return Number(e, [(x, e)])


def log(x):
    return Number(mp.log(x.value), [(x, 1 / x.value)])


def over(x, y):
    q = x.value / y.value
    return Number(q, [(x, 1 / y.value), (y, -q / y.value)])


def sigmoid(x):
    e = mp.exp(-x.value)
    return Number(1 / (1 + e), [(x, e / (1 + e) ** 2)])


def silu(x):
    e = mp.exp(-x.value)
    return Number(x.value / (1 + e), [(x, (1 + e + x.value * e) / (1 + e) ** 2)])


def backward(answers, cotangents):
    """The chain rule, from the last number made to the first."""
    for x, c in zip(answers, cotangents):
        x.slope += c.value
    for x in reversed(Number.made):
        if x.slope:
            for part, by in x.parts:
                part.slope += x.slope if by is None else x.slope * by


# ---- the definition ------------------------------------------------------------------------------

class Head:
    """(3) to (9) for one head; rows are lists of Numbers, tokens 0..L-1."""

    def __init__(self, rows, scale, window, variant):
        self.QU, self.KU, self.VU, self.QC, self.KC, self.VC = rows
        self.L, self.d = len(rows[0]), len(rows[0][0])
        self.scale, self.window, self.variant = scale, window, variant
        self.gate, self.sc, self.su, self.score, self.p = {}, {}, {}, {}, {}

    def allowed(self, s, end):
        """Tokens j < end that the lookahead key of token s may see: (4), (9)."""
        return range(s + 1, end if self.window is None else min(end, s + self.window + 1))

    def gate_of(self, s, j):
        if (s, j) not in self.gate:
            self.gate[s, j] = sigmoid(times(self.scale, dot(self.QU[s], self.KU[j])))
        return self.gate[s, j]

    def key(self, s, t):
        """(3): the lookahead key of token s when the tokens 0..t are known."""
        seen = self.allowed(s, t + 1)
        gates = [self.gate_of(s, j) for j in seen]
        return [dot(gates, [self.VU[j][k] for j in seen]) for k in range(self.d)]

    def penalty(self, t, s):
        if s == t:  # u_t^t is the zero row
            return Number(mpf(0))
        self.su[t, s] = times(self.scale, dot(self.QC[t], self.key(s, t)))  # (6)
        return self.su[t, s] if self.variant == "without-silu" else silu(self.su[t, s])

    def row(self, t):
        """o_t and lse_t. No reference point: the exponents of mpmath have no end."""
        for s in range(t + 1):
            self.sc[t, s] = times(self.scale, dot(self.QC[t], self.KC[s]))  # (5)
            causal = Number(mpf(0)) if self.variant == "without-causal-keys" else self.sc[t, s]
            self.score[t, s] = minus(causal, self.penalty(t, s))
        e = [exp(self.score[t, s]) for s in range(t + 1)]
        l = total(e)
        for s in range(t + 1):
            self.p[t, s] = over(e[s], l)  # (7)
        p = [self.p[t, s] for s in range(t + 1)]
        return [dot(p, [self.VC[s][k] for s in range(t + 1)]) for k in range(self.d)], log(l)  # (8)

    def run(self):
        both = [self.row(t) for t in range(self.L)]
        return [o for o, _ in both], [lse for _, lse in both]

    def keys(self, t):
        """U after t tokens."""
        return [self.key(s, t - 1) for s in range(t)]


# ---- what a file holds ---------------------------------------------------------------------------

def spread(L, entries):
    """L x L, row by row; 0 where there is no entry."""
    return [entries.get((t, s), mpf(0)) for t in range(L) for s in range(L)]


def flat(rows):
    return [x for row in rows for x in row]


def values(xs):
    return [x.value for x in xs]


def slopes(xs):
    return [x.slope for x in xs]


def head_answers(head, wanted, cotangent):
    """All that one head answers, by name."""
    O, lse = head.run()
    out = {"o": values(flat(O)), "lse": values(lse), "u": values(flat(head.keys(head.L)))}
    for name in wanted:
        if name.startswith("u@"):
            out[name] = values(flat(head.keys(int(name[2:]))))
    if cotangent:
        backward(flat(O), cotangent)
        for name, rows in zip(HEAD, (head.QU, head.KU, head.VU, head.QC, head.KC, head.VC)):
            out["d" + name] = slopes(flat(rows))
    if "sc" in wanted:
        stages(head, out, cotangent)
    return out


def stages(head, out, cotangent):
    """The matrices of Theorem 1's form, and the derivatives by them. SU = T1 G^T stands on both
    sides: the definition has no T1, so that derivative is the sum which this product gives."""
    L, part = head.L, lambda entries, what: {at: getattr(x, what) for at, x in entries.items()}
    gate = {(s, j): head.gate_of(s, j) for s in range(L) for j in head.allowed(s, L)}
    out["sc"] = spread(L, part(head.sc, "value"))
    out["t1"] = spread(L, {(t, j): head.scale * mp.fdot(zip(values(head.QC[t]), values(head.VU[j])))
                           for t in range(L) for j in range(t + 1)})
    out["g"] = spread(L, part(gate, "value"))
    out["su"] = spread(L, part(head.su, "value"))
    out["p"] = spread(L, part(head.p, "value"))
    if cotangent:
        out["dp"] = spread(L, part(head.p, "slope"))
        out["ds"] = spread(L, part(head.score, "slope"))
        out["dsu"] = spread(L, part(head.su, "slope"))
        out["dg"] = spread(L, part(gate, "slope"))
        out["dt1"] = spread(L, {(t, j): mp.fsum(head.su[t, s].slope * gate[s, j].value
                                                for s in range(j) if (s, j) in gate)
                                for t in range(L) for j in range(t + 1)})


def taped(xs, width):
    """Rows of Numbers; mpmath's infinities and NaN are those of IEEE 754."""
    row = [Number(mpf(x)) for x in xs]
    return [row[k:k + width] for k in range(0, len(row), width)]


def settings(about, d):
    """scale, window, variant of a file."""
    scale, window = about["scale"], about["window"]
    return (1 / mp.sqrt(d) if scale == "1/sqrt(d)" else mpf(float(scale)),
            None if window == "none" else int(window), about.get("variant", "castle"))


def heads_of(about, tensors, wanted):
    """Head after head; yields the answers' names and values."""
    _, (batch, heads, L, d), _ = tensors["qu"]
    n = L * d
    for h in range(batch * heads):
        Number.made.clear()
        rows = [taped(tensors[name][2][h * n:(h + 1) * n], d) for name in HEAD]
        cotangent = flat(taped(tensors["do"][2][h * n:(h + 1) * n], d)) if "do" in tensors else None
        yield head_answers(Head(rows, *settings(about, d)), wanted, cotangent)


def layer_of(about, tensors):
    """A whole layer: x [batch, L, dm], projections [dm, heads, d], wo [heads, d, dm]."""
    _, (batch, L, dm), _ = tensors["x"]
    _, (heads, d, _), _ = tensors["wo"]
    Number.made.clear()
    x = taped(tensors["x"][2], dm)
    w = [taped(tensors[name][2], heads * d) for name in PROJECTIONS]
    wo = taped(tensors["wo"][2], dm)
    y = []
    for b in range(batch):
        joined = [[] for _ in range(L)]
        for h in range(heads):
            rows = [[[dot(x[b * L + t], [W[i][h * d + k] for i in range(dm)]) for k in range(d)]
                     for t in range(L)] for W in w]
            for t, o in enumerate(Head(rows, *settings(about, d)).run()[0]):
                joined[t] += o
        y += [[dot(o, [row[m] for row in wo]) for m in range(dm)] for o in joined]
    out = {"y": values(flat(y))}
    if "dy" in tensors:
        backward(flat(y), flat(taped(tensors["dy"][2], dm)))
        out["dx"] = slopes(flat(x))
        out.update({"d" + name: slopes(flat(W)) for name, W in zip(PROJECTIONS, w)})
        out["dwo"] = slopes(flat(wo))
    return out


def recompute(about, tensors, digits):
    """Every answer of the file, by name, in the file's order of elements."""
    mp.dps = digits
    wanted = [name for name in tensors if name + ".lo" in tensors]
    if "x" in tensors:
        return layer_of(about, tensors)
    out = {name: [] for name in wanted}
    for answers in heads_of(about, tensors, wanted):
        for name in wanted:
            out[name] += answers[name]
    return out


# ---- the comparison ------------------------------------------------------------------------------

def rounded(x, dtype):
    """x to nearest, ties to even, as mpf: exact integer arithmetic on its significand."""
    precision, least, most = FORMAT[dtype]
    sign, man, exponent, bits = x._mpf_
    if not man:
        return x
    quantum = max(exponent + bits - precision, least)
    shift = quantum - exponent
    man = int(man)
    if shift > 0:
        half = 1 << (shift - 1)
        low = man & ((1 << shift) - 1)
        man >>= shift
        if low > half or (low == half and man & 1):
            man += 1
        exponent = quantum
    if man.bit_length() + exponent > most:
        return -mp.inf if sign else mp.inf
    return mp.ldexp(mpf(-man if sign else man), exponent)


def snapped(x):
    """At the most digits: the number of 400 bits that x cannot be told from, else x."""
    if mp.dps < DIGITS[-1]:
        return x
    with mp.workprec(400):
        near = +x
    small = mpf(10) ** (-mp.dps // 2)
    if abs(x) < small:
        return mpf(0)
    return near if abs(x - near) < small * abs(x) else x


def same(found, expected):
    return found == expected or (found != found and expected != expected)


def differs(name, k, x, tensors, short, ties):
    """None, or what is wrong with element k of the answer, whose value is x. `ties`: a list, as
    long as the file counts ties."""
    x = snapped(x) if mp.isfinite(x) else mp.nan  # no truth: NaN, and nothing left of it
    value, tail = tensors[name][2][k], tensors[name + ".lo"][2][k]
    expected = rounded(x, "F64")
    if abs(x - value) == abs(x - expected) and ties and mpf(value) != expected:
        ties.pop()  # x is a midpoint, and the file has the other of its neighbours
        expected = mpf(value)
    if not same(mpf(value), expected):
        return f"{name}[{k}] is {value!r}; expected {mp.nstr(x, 40)}"
    rest = x - expected if mp.isfinite(x) else mpf(0)
    if not same(mpf(tail), rounded(rest, "F64")):
        return f"{name}.lo[{k}] is {tail!r}; expected {mp.nstr(rest, 25)}"
    if short:
        typed = tensors[f"{name}.{short.lower()}"][2][k]
        if not same(mpf(typed), rounded(x, short)):
            return f"{name}.{short.lower()}[{k}] is {typed!r}; expected {mp.nstr(x, 25)} rounded"
    return None


def check(path):
    """The number of elements that agree, or a sentence."""
    about, tensors = read(path)
    short = tensors["x" if "x" in tensors else "qu"][0]
    short = None if short == "F64" else short
    for digits in DIGITS:
        answers, ties = recompute(about, tensors, digits), [None] * int(about["ties"])
        wanted = {name for name in tensors if name + ".lo" in tensors}
        if set(answers) != wanted or any(len(answers[n]) != len(tensors[n][2]) for n in wanted):
            return "holds other answers, or more of them, than its inputs have"
        wrong = next((w for name, xs in answers.items() for k, x in enumerate(xs)
                      if (w := differs(name, k, x, tensors, short, ties))), None)
        if not wrong:
            return sum(map(len, answers.values())), digits
    return wrong


def report(path):
    """The exit status that the file deserves, and the sentence for it."""
    try:
        result = check(path)
    except (OSError, ValueError, KeyError, struct.error) as error:
        return 2, f"{path}: cannot be read as a golden file: {error!r}"
    if isinstance(result, str):
        return 1, f"{path}: {result}"
    return 0, f"{path}: {result[0]} values agree to the last bit, with {result[1]} digits"


def main():
    if len(sys.argv) < 2:
        print("recompute_mpmath.py: no files given; expected golden files", file=sys.stderr)
        sys.exit(2)
    with Pool(min(os.cpu_count() or 1, len(sys.argv) - 1)) as pool:
        status = 0
        for one, sentence in pool.imap(report, sys.argv[1:]):
            print(sentence, flush=True)
            status = max(status, one)
    sys.exit(status)


if __name__ == "__main__":
    main()
