# SPDX-License-Identifier: 0BSD
"""Is my CASTLE attention kernel right? One file for tests in Python; NumPy is all it needs.

    import castle_vectors

    for case in castle_vectors.cases(types="f32"):
        case.check(kernel(**case.inputs, window=case.window, scale=case.scale))

runs the kernel on golden cases. `case.inputs` holds qu ku vu qc kc vc, each [batch, heads, L, d]; what the
kernel returns is o, or several answers by name: {"o": o, "lse": lse, "u": u, "dqu": ..}, gradients for
`case.do`. `check` raises Wrong with the tensor, the worst index, both values, z and its threshold.
With pytest:

    @pytest.mark.parametrize("case", castle_vectors.cases(types="f32", glob="plain-*"), ids=str)
    def test_castle(case): case.check(kernel(**case.inputs, window=case.window, scale=case.scale))

A kernel without windows, scales and ablations takes the cases with `case.ordinary`. `arrays="torch"` or
"jax" hands inputs out as such arrays; answers may be of any kind. bfloat16 is PyTorch's, JAX's, that of the
package ml_dtypes where it is there, else float32, which holds it exactly; answers may also be its bits in
uint16. The verdicts are those of `castle check --run`, but for its worst-case bounds.

Other inputs, other arithmetics and bounds take libcastle (`make`, or $CASTLE_LIBRARY):

    castle_vectors.problem(qu, ku, vu, qc, kc, vc, do=do, arithmetic="bfloat16,p=float32").check(answers)
    case.check(answers, arithmetic="tf32")              # or case.arithmetic, for its bounds

The cases are those of ../golden, or of the folder $CASTLE_VECTORS.
"""
import ctypes
import ctypes.util
import dataclasses
import fnmatch
import functools
import hashlib
import json
import math
import os
import pathlib
import sys
import warnings

import numpy as np

try:
    from ml_dtypes import bfloat16
except ImportError:
    bfloat16 = None

HEAD = ("qu", "ku", "vu", "qc", "kc", "vc")
LAYER = ("x", "wqu", "wku", "wvu", "wqc", "wkc", "wvc", "wo")
ANSWERS = ("o", "lse", "u", "dqu", "dku", "dvu", "dqc", "dkc", "dvc")  # as enum castle_answer has them
VARIANTS = ("castle", "without-causal-keys", "without-silu")  # as enum castle_variant
TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
HERE = pathlib.Path(__file__).resolve().parent


class Wrong(AssertionError):
    """An answer is wrong (or, with strict=True, suspect)."""


class Unusable(Exception):
    """A file, an argument or a library cannot be used."""


class Suspect(UserWarning):
    """An answer is neither right nor wrong beyond doubt."""


# ---- verdicts ------------------------------------------------------------------------------------


def upper_tail(t, dof=32):
    """P(T > t) for t > 0 of Student's law: half an incomplete beta function, by the series of positive
    terms DLMF 8.17.8."""
    a, b, x = dof / 2, 0.5, dof / (dof + t * t)
    term = total = 1.0
    n = 0
    while term > total * 2**-54:
        term *= (a + b + n) / (a + 1 + n) * x
        total += term
        n += 1
    beta = math.gamma(a) * math.gamma(b) / math.gamma(a + b)
    return x**a * (1 - x) ** b / (a * beta) * total / 2


@functools.lru_cache(maxsize=None)
def threshold(elements, chance):
    """What the largest z of so many elements of a right kernel passes with this probability, at most: sigma
    is from 32 runs, so z follows Student's t with 32 degrees of freedom."""
    low, high = 0.1, 1e3
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return middle
        if upper_tail(middle) > chance / (2 * elements):
            low = middle
        else:
            high = middle


@dataclasses.dataclass
class Verdict:
    """One tensor's. z, index and so on are those of the worst element; index is None if none is judged."""

    name: str
    judgement: str  # "right", "suspect" or "wrong"
    elements: int
    judged: int  # with a true value and a scale
    not_finite: int  # answers of these that are NaN or infinite
    suspect_above: float
    wrong_above: float
    z: float = math.nan
    index: tuple = None
    answered: float = math.nan
    truth: float = math.nan
    error: float = math.nan
    error_over_bound: float = None  # the largest; None: no libcastle was asked

    def __str__(self):
        if self.index is None:
            return f"{self.name}: {self.judgement}: no element has a true value and a scale"
        passed = self.wrong_above if self.judgement == "wrong" else self.suspect_above
        text = (f"{self.name}: {self.judgement} at {list(self.index)}: answered {self.answered!r}, "
                f"truth {self.truth!r}, error {self.error:.3g}, z {self.z:.4g}, threshold {passed:.3g}")
        if self.not_finite:
            text += f"; {self.not_finite} of {self.judged} are not finite"
        if self.error_over_bound is not None and self.error_over_bound > 1:
            text += f"; error / bound {self.error_over_bound:.3g}"
        return text


@dataclasses.dataclass
class Reference:
    """What an answer is judged by, arrays that broadcast to its shape."""

    value: np.ndarray  # X
    tail: np.ndarray  # X.lo
    sigma: np.ndarray
    bound: np.ndarray = None


def judge(name, answered, ref, finite_inputs=True):
    """The verdict on float64 numbers of the reference's shape; score_element and verdict_end of
    vectors/verdict.c. Without `finite_inputs` elements that have no truth or scale are passed over."""
    x, sigma = ref.value, np.broadcast_to(ref.sigma, ref.value.shape)
    free = np.triu(np.ones(x.shape, bool), 1) if name in ("sc", "dp") else np.zeros(x.shape, bool)
    defined = ~np.isnan(x)
    judged = defined & np.isfinite(sigma) & ~free
    with np.errstate(all="ignore"):
        error = np.abs((answered - x) - ref.tail)
        odd = np.isinf(x) | ~np.isfinite(answered)
        error = np.where(odd, np.where(answered == x, 0, np.inf), error)
        z = np.where(error == 0, 0, error / sigma)
        of_bound = None if ref.bound is None else np.where(error == 0, 0, error / ref.bound)
    z = np.where(judged, z, -1)
    count = int(judged.sum())
    v = Verdict(name, "suspect", x.size, count,
                int((judged & np.isinf(error) & ~np.isfinite(answered)).sum()),
                threshold(x.size, 1e-3), threshold(x.size, 1e-9))
    if count:
        at = np.unravel_index(np.argmax(z), z.shape)
        v.index, v.z, v.error = tuple(map(int, at)), float(z[at]), float(error[at])
        v.answered, v.truth = float(answered[at]), float(x[at])
        v.error_over_bound = None if of_bound is None else float(of_bound[judged].max())
    # zeros that stand in every problem say nothing of one without other truths
    told = defined.all() or (sigma[judged] != 0).any()
    all_seen = count and told and (judged | ~defined | free).all()
    if v.not_finite or (v.error_over_bound or 0) > 1 or v.z > v.wrong_above:
        v.judgement = "wrong"
    elif (all_seen or not finite_inputs) and not v.z >= v.suspect_above:
        v.judgement = "right"
    return v


def float64(name, array):
    """An answer of any library as float64."""
    if hasattr(array, "detach"):  # PyTorch
        array = array.detach().cpu()
        if array.is_floating_point():
            array = array.double()
        array = array.numpy()
    array = np.asarray(array)
    if array.dtype == np.uint16:  # the bits of bfloat16
        array = (array.astype(np.uint32) << 16).view(np.float32)
    if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
        raise Unusable(f"{name} has type {array.dtype}; expected floating-point numbers, "
                       "or the bits of bfloat16 in uint16")
    return array.astype(np.float64)


class Problem:
    """Inputs, conventions and, by name, what the answers are judged by."""

    id = "problem"

    def reference(self, name, arithmetic=None):
        raise NotImplementedError

    def judge(self, answers, arithmetic=None):
        """The verdicts on {name: array}, a list; o alone needs no name, and an answer may be None."""
        if not isinstance(answers, dict):
            answers = {"o": answers}
        answers = {name: x for name, x in answers.items() if x is not None}
        if not answers:
            raise Unusable(f"{self}: there is no answer to judge; expected an array, or a dict of arrays")
        verdicts = []
        for name, x in answers.items():
            ref, x = self.reference(name, arithmetic), float64(name, x)
            if x.shape != ref.value.shape:
                raise Wrong(f"{self}: {name} has shape {list(x.shape)}; expected {list(ref.value.shape)}")
            verdicts.append(judge(name, x, ref, self.finite_inputs))
        return verdicts

    def check(self, answers, arithmetic=None, strict=False):
        """Raises Wrong if an answer is wrong, and warns if one is suspect; with `strict` that raises, too.
        A declared arithmetic takes libcastle, which adds bounds."""
        verdicts = self.judge(answers, arithmetic)
        bad = [v for v in verdicts if v.judgement != "right"]
        bad.sort(key=lambda v: (v.judgement != "wrong"))
        text = "; ".join([f"{self}: {v}" for v in bad[:1]] +
                         [f"{v.name} is {v.judgement}, z {v.z:.4g}" for v in bad[1:]])
        if bad and (strict or bad[0].judgement == "wrong"):
            raise Wrong(text)
        if bad:
            warnings.warn(text, Suspect, stacklevel=2)
        return verdicts

    @property
    def ordinary(self):
        """No window, the scale 1/sqrt(d), no ablation."""
        return self.window is None and self.usual_scale and self.variant == "castle"

    def __str__(self):
        return self.id

    __repr__ = __str__


# ---- golden cases --------------------------------------------------------------------------------


class Case(Problem):
    """A golden case; its file is read when it is first asked for numbers."""

    def __init__(self, about, folder, arrays):
        self.about = about  # as index.json has it
        self.id, self.type, self.family = about["id"], about["type"], about["family"]
        self.shape, self.arithmetic = tuple(about["shape"]), about["arithmetic"]
        self.window = None if about["window"] == "none" else int(about["window"])
        self.usual_scale = about["scale"] == "1/sqrt(d)"
        self.scale = self.shape[3] ** -0.5 if self.usual_scale else float(about["scale"])
        self.variant = about["variant"]
        self.finite_inputs = "nonfinite" not in about["flags"]
        self._path, self._arrays = pathlib.Path(folder) / about["file"], arrays
        self._references = {}  # of other arithmetics

    @functools.cached_property
    def _tensors(self):
        try:
            content = self._path.read_bytes()
        except OSError as e:
            raise Unusable(f"{self._path}: {e.strerror}") from None
        if hashlib.sha256(content).hexdigest() != self.about["sha256"]:
            raise Unusable(f"{self._path}: is not the file that the index of its folder has (SHA-256)")
        return read_safetensors(content, self._path)[1]

    @functools.cached_property
    def answers(self):
        """The names of what can be judged."""
        return [name[:-6] for name in self._tensors if name.endswith(".sigma")]

    def _input(self, name):
        return converted(*self._tensors[name], self._arrays)

    @property
    def inputs(self):
        """By name, new arrays each time."""
        layer = "layer" in self.about["kinds"]
        return {name: self._input(name) for name in (LAYER if layer else HEAD)}

    @property
    def do(self):
        """The gradient of o (of y, for a layer), or None."""
        name = "dy" if "layer" in self.about["kinds"] else "do"
        return self._input(name) if name in self._tensors else None

    def reference(self, name, arithmetic=None):
        if name not in self.answers:
            raise Unusable(f"{self}: has no answer {name!r}; expected one of {' '.join(self.answers)}")
        if arithmetic is not None:
            return self._other_reference(name, arithmetic)
        x, lo, sigma = (as_numpy(*self._tensors[name + part]) for part in ("", ".lo", ".sigma"))
        return Reference(x, lo, sigma.astype(np.float64))

    def _other_reference(self, name, arithmetic):
        if name not in ANSWERS:
            raise Unusable(f"{self}: {name} can be judged by {self.arithmetic} alone; of other "
                           f"arithmetics castle check judges a dump")
        if arithmetic not in self._references:
            numbers = {n: float64(n, as_numpy(*self._tensors[n])) for n in HEAD + ("do",)
                       if n in self._tensors}
            self._references[arithmetic] = references(
                numbers, 0.0 if self.usual_scale else self.scale, self.window, self.variant, arithmetic)
        return self._references[arithmetic][name]


def cases(tier="core", glob="*", types=None, where=None, arrays="numpy", layers=False):
    """The golden cases whose id matches the pattern: a list, never empty. types: "f32", "f32,bf16" or a
    list, of f64 f32 f16 bf16. where: the folder. layers: whole layers, too, whose inputs are x wqu .. wo."""
    folder = pathlib.Path(where or os.environ.get("CASTLE_VECTORS") or HERE.parent / "golden")
    path = folder / ("index.json" if tier == "core" else f"index-{tier}.json")
    try:
        index = json.loads(path.read_bytes())
    except OSError as e:
        raise Unusable(f"{path}: {e.strerror}; expected the index of golden vectors (tier {tier}, folder "
                       "from where=, $CASTLE_VECTORS, or beside this file)") from None
    except ValueError:
        raise Unusable(f"{path}: is no JSON; expected the index of golden vectors") from None
    if arrays not in ("numpy", "torch", "jax"):
        raise Unusable(f"arrays is {arrays!r}; expected 'numpy', 'torch' or 'jax'")
    types = types.split(",") if isinstance(types, str) else list(types or ("f64", "f32", "f16", "bf16"))
    unknown = set(types) - {"f64", "f32", "f16", "bf16"}
    if unknown:
        raise Unusable(f"types has {sorted(unknown)[0]!r}; expected some of f64, f32, f16, bf16")
    chosen = [Case(c, folder, arrays) for c in index["cases"]
              if fnmatch.fnmatchcase(c["id"], glob) and c["type"] in types
              and (layers or "layer" not in c["kinds"])]
    if not chosen:
        raise Unusable(f"{path}: no case has an id like {glob!r} and a type of {', '.join(types)}")
    return chosen


def read_safetensors(content, path):
    """The metadata, and by name each tensor's (type, shape, bytes)."""
    try:
        size = int.from_bytes(content[:8], "little")
        header, data = json.loads(content[8:8 + size]), memoryview(content)[8 + size:]
        about, tensors = header.pop("__metadata__", {}), {}
        for name, t in header.items():
            begin, end = t["data_offsets"]
            if (end - begin != math.prod(t["shape"]) * int(TYPES[t["dtype"]][-1])
                    or not 0 <= begin <= end <= len(data)):
                raise ValueError
            tensors[name] = (t["dtype"], t["shape"], data[begin:end])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unusable(f"{path}: is no safetensors file of F64, F32, F16 and BF16 tensors") from None
    return about, tensors


def as_numpy(dtype, shape, data):
    x = np.frombuffer(data, TYPES[dtype]).reshape(shape)
    if dtype != "BF16":
        return x.astype(x.dtype.newbyteorder("="))  # a copy: a kernel may write on it
    return x.copy().view(bfloat16) if bfloat16 else (x.astype(np.uint32) << 16).view(np.float32)


def converted(dtype, shape, data, arrays):
    if arrays == "torch":
        import torch

        kinds = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
        return torch.frombuffer(bytearray(data), dtype=kinds[dtype]).reshape(shape)
    x = as_numpy(dtype, shape, data)
    if arrays == "jax":
        import jax
        import jax.numpy as jnp

        if dtype == "F64" and not jax.config.jax_enable_x64:
            raise Unusable("JAX would make float32 of float64; "
                           "expected jax.config.update('jax_enable_x64', True) before")
        return jnp.asarray(x, dtype=jnp.bfloat16 if dtype == "BF16" else None)
    return x


# ---- libcastle -----------------------------------------------------------------------------------


class CProblem(ctypes.Structure):  # struct castle_problem
    _fields_ = [("length", ctypes.c_size_t), ("dim", ctypes.c_size_t),
                *[(name, ctypes.c_void_p) for name in HEAD + ("do",)],
                ("scale", ctypes.c_double), ("window", ctypes.c_size_t), ("variant", ctypes.c_int)]


class CReference(ctypes.Structure):  # struct castle_reference
    _fields_ = [(name, ctypes.c_void_p) for name in ("value", "tail", "sigma", "bound")]


@functools.lru_cache(maxsize=None)
def library():
    """libcastle: $CASTLE_LIBRARY, that of this checkout or installation, or the system's."""
    asked = os.environ.get("CASTLE_LIBRARY")
    near = [HERE.parents[1] / "build" / "libcastle.so", HERE.parents[2] / "lib" / "libcastle.so.0"]
    path = asked or next((str(p) for p in near if p.exists()), None) or ctypes.util.find_library("castle")
    if not path:
        raise Unusable("this takes libcastle, which is not there; make builds it, and $CASTLE_LIBRARY may "
                       "hold its path")
    try:
        lib = ctypes.CDLL(path)
    except OSError as e:
        raise Unusable(f"{path}: cannot be loaded: {e}") from None
    if not hasattr(lib, "castle_references"):
        raise Unusable(f"{path}: has no castle_references; expected the libcastle of this file's version")
    return lib


def references(numbers, scale, window, variant, arithmetic):
    """By name the Reference of each answer, of float64 inputs by name, [batch, heads, L, d]."""
    shape, has_do = numbers["qu"].shape, "do" in numbers
    names = ANSWERS if has_do else ANSWERS[:3]
    parts = [p for p, _ in CReference._fields_]
    found = {n: {p: np.empty(shape if n != "lse" else shape[:3]) for p in parts} for n in names}
    why = ctypes.create_string_buffer(400)
    for b, h in np.ndindex(shape[:2]):
        heads = {n: np.ascontiguousarray(x[b, h]) for n, x in numbers.items()}
        p = CProblem(shape[2], shape[3], *[heads[n].ctypes.data if n in heads else None
                                           for n in HEAD + ("do",)],
                     scale, ctypes.c_size_t(-1).value if window is None else window,
                     VARIANTS.index(variant))
        wanted = (CReference * len(ANSWERS))()
        for k, n in enumerate(names):
            wanted[k] = CReference(*[found[n][part][b, h].ctypes.data for part in parts])
        if library().castle_references(ctypes.byref(p), arithmetic.encode(), wanted, why,
                                       ctypes.c_size_t(len(why))) != 0:
            raise Unusable(f"libcastle: {why.value.decode(errors='replace')}")
    return {n: Reference(*[r[p] for p in parts]) for n, r in found.items()}


class GivenProblem(Problem):
    """Any inputs; libcastle computes what is true."""

    def __init__(self, given, window, scale, variant, arithmetic):
        self._numbers = {name: float64(name, x) for name, x in given.items() if x is not None}
        self.shape, self.window, self.variant = self._numbers["qu"].shape, window, variant
        for name, x in self._numbers.items():
            if x.ndim != 4 or x.shape != self.shape:
                raise Unusable(f"{name} has shape {list(x.shape)}; expected [batch, heads, L, d], the same "
                               "for all inputs")
        if variant not in VARIANTS:
            raise Unusable(f"variant is {variant!r}; expected one of {', '.join(VARIANTS)}")
        self.usual_scale = scale is None
        self.scale = self.shape[3] ** -0.5 if scale is None else float(scale)
        self.inputs, self.do = {n: given[n] for n in HEAD}, given["do"]
        kind = str(getattr(given["qu"], "dtype", "float64")).split(".")[-1]
        self.arithmetic = arithmetic or ("bfloat16" if kind == "uint16" else kind)
        self.finite_inputs = True  # what has no truth is suspect, as in castle check FILE
        self._references = {}

    def reference(self, name, arithmetic=None):
        arithmetic = arithmetic or self.arithmetic
        if arithmetic not in self._references:
            self._references[arithmetic] = references(
                self._numbers, 0.0 if self.usual_scale else self.scale, self.window, self.variant,
                arithmetic)
        if name not in self._references[arithmetic]:
            raise Unusable(f"there is no answer {name!r}; expected one of "
                           f"{' '.join(self._references[arithmetic])} (gradients need do)")
        return self._references[arithmetic][name]


def problem(qu, ku, vu, qc, kc, vc, do=None, window=None, scale=None, variant="castle", arithmetic=None):
    """A problem with these inputs, [batch, heads, L, d] of any library; `do`: the gradient of o. The
    arithmetic is the inputs' type unless given."""
    given = dict(qu=qu, ku=ku, vu=vu, qc=qc, kc=kc, vc=vc, do=do)
    return GivenProblem(given, window, scale, variant, arithmetic)


# ---- a program that runs a kernel over the cases -------------------------------------------------


def main(kernel, **selection):
    """For a script: runs kernel(case), which returns answers, or None for "not supported", on all cases, of
    those that the command line names (a glob, types after --types). Prints what is not right and the
    counts; returns 0, 1 if something is wrong, 2 if nothing could be judged."""
    words, count = sys.argv[1:], {"right": 0, "suspect": 0, "wrong": 0, "unsupported": 0}
    if "--types" in words[:-1]:
        at = words.index("--types")
        selection["types"] = words[at + 1]
        del words[at:at + 2]
    try:
        if len(words) > 1 or (words and words[0].startswith("-")):
            raise Unusable(f"{' '.join(words)}: expected [--types TYPE,..] [GLOB]")
        for case in cases(glob=words[0] if words else "*", **selection):
            answers = kernel(case)
            try:
                verdicts = case.judge(answers) if answers is not None else []
            except Wrong as e:
                print(f"  {e}")
                count["wrong"] += 1
                continue
            for v in verdicts:
                if v.judgement != "right":
                    print(f"  {case}: {v}")
            all_of = [v.judgement for v in verdicts] or ["unsupported"]
            count[next(j for j in ("wrong", "suspect", "right", "unsupported") if j in all_of)] += 1
    except Unusable as e:
        print(e, file=sys.stderr)
        return 2
    judged = sum(count.values()) - count["unsupported"]
    print(f"{sum(count.values())} cases: " + ", ".join(
        f"{n} {what}" for what, n in count.items() if n or what != "unsupported"))
    return 2 if not judged else 1 if count["wrong"] else 0
