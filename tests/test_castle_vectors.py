# SPDX-License-Identifier: GPL-3.0-or-later
"""vectors/python/castle_vectors.py, part by part: test_castle_vectors.py PART PROGRAM SCRATCH.

PROGRAM is castle, whose verdicts are the measure; what is written goes to the folder SCRATCH.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap
import warnings

if sys.argv[1] == "without_ml_dtypes":
    sys.modules["ml_dtypes"] = None
sys.path.insert(0, "vectors/python")
import castle_vectors as cv
import numpy as np

PROGRAM, SCRATCH = sys.argv[2], pathlib.Path(sys.argv[3])
LONG = bool(os.environ.get("CASTLE_TEST_LONG"))
WIDE = ("lse", "u", "sc", "su", "dp", "dg")  # more bits than the case's type


def raises(kind, part, call, *words, **named):
    try:
        call(*words, **named)
    except kind as e:
        assert part in str(e) and "\n" not in str(e), f"{e}: expected {part!r}"
        return str(e)
    raise AssertionError(f"no {kind.__name__}; expected {part!r}")


def stored(case, name):
    return cv.as_numpy(*case._tensors[name])


def right_answers(case, gradients=True):
    """What a perfect kernel of the case's type gives, as float64."""
    names = [n for n in cv.ANSWERS[:None if gradients else 3] if n in case.answers]
    return {n: stored(case, n if n in WIDE or case.type == "f64" else f"{n}.{case.type}").astype(float)
            for n in names}


def save(path, tensors):
    """Float64 tensors as a safetensors file."""
    header, data = {}, b""
    for name, x in tensors.items():
        header[name] = {"dtype": "F64", "shape": x.shape, "data_offsets": [len(data), len(data) + x.nbytes]}
        data += np.ascontiguousarray(x).tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


# ---- the verdicts of castle check ----------------------------------------------------------------


def spoil(answers, case, rng, fault):
    """One fault in one answer; `fault` is so many sigma, or a word."""
    name = list(answers)[rng.integers(len(answers))]
    x, at = answers[name], tuple(rng.integers(n) for n in answers[name].shape)
    sigma = np.broadcast_to(stored(case, f"{name}.sigma"), x.shape)
    if fault == "nan":
        x[at] = np.nan
    elif fault == "infinity":
        x[at] = -np.inf
    elif fault == "no row":
        x[at[:3]] = 0
    elif fault == "noise":
        x += sigma * rng.standard_t(32, x.shape)
    else:
        x[at] += fault * sigma[at]
    return answers


def castle_check(cases, all_answers, *options):
    """By case what castle says of these answers: a program that hands them out in the cases' order."""
    folder = SCRATCH / "answers"
    folder.mkdir()
    for k, answers in enumerate(all_answers):
        save(folder / str(k), answers)
    (folder / "next").write_text("0\n")
    command = ("read -r n < D/next; echo $((n + 1)) > D/next; : {in}; mv D/$n {out}").replace("D", str(folder))
    ran = subprocess.run([PROGRAM, "check", "--json", "--run", command, *options], capture_output=True,
                         text=True, check=False)
    assert ran.returncode in (0, 1), ran.stderr
    shutil.rmtree(folder)
    report = json.loads(ran.stdout)
    assert [c["id"] for c in report["cases"]] == [str(c) for c in cases]
    assert not any(c["faults"] for c in report["cases"])
    return [c["calls"][0]["tensors"] for c in report["cases"]]


def number(x):
    return float(x)  # the strings nan, inf, -inf as well


def compare(case, theirs, answers, arithmetic=None):
    """How often each judgement was met."""
    met, bounds = {"right": 0, "suspect": 0, "wrong": 0}, arithmetic is not None
    for v in case.judge(answers, arithmetic):
        t = theirs[v.name]
        where = f"{case}: {v}\ncastle: {t}"
        # only castle, or libcastle, knows the bound
        past = t["past_bound"] and not bounds
        assert v.judgement == t["verdict"] or (past and t["verdict"] == "wrong"), where
        assert (v.judged, v.not_finite) == (t["judged"], t["not_finite"]), where
        for mine, other in ((v.suspect_above, t["suspect_above"]), (v.wrong_above, t["wrong_above"])):
            # GSL's quantile stops at a step of 1e-10; 40 digits of mpmath say that it is off by 5e-10
            assert abs(mine - other) <= 1e-9 * other, where
        met[t["verdict"]] += 1
        if case.about["certificate"]["ties"]:  # castle takes the nearer of two truths, X + X.lo -+ X.lo
            lo, sigma = stored(case, v.name + ".lo"), stored(case, v.name + ".sigma")
            slack = np.abs(lo / np.where(sigma > 0, sigma, 1)).max()
            assert v.z == number(t["z"]) or abs(v.z - number(t["z"])) <= slack, where
        elif v.judged:
            w = t["worst"]
            place = [w["batch"], w["head"], w["row"]] + [w["column"]] * (len(v.index) == 4)
            assert v.z == number(t["z"]) and list(v.index) == place, where
            assert v.truth == number(w["truth"]) and v.error == number(w["error"]), where
            assert v.answered == number(w["answer"]) or np.isnan(v.answered), where
        if bounds:
            assert v.error_over_bound == number(t["error_over_bound"]), where
    return met


def verdicts_are_those_of_castle():
    """The same numbers, to the last bit."""
    rng, met = np.random.default_rng(1), {}
    chosen = [{"glob": "*"}] if LONG else [{"glob": "special-*", "types": "f32"}, {"types": "f16"},
                                           {"glob": "equal-keys-all-f64"}]
    for k, fault in enumerate((None, "noise", 9, 20, "nan", "infinity", "no row")):
        for choice in chosen if LONG or 0 < k < 3 else chosen[:1]:
            cases = cv.cases(**choice)
            answers = [right_answers(c) for c in cases]
            if fault:
                answers = [spoil(a, c, rng, fault) for a, c in zip(answers, cases)]
            options = [w for k, v in choice.items() for w in (f"--{k}".replace("glob", "case"), v)]
            for case, theirs, mine in zip(cases, castle_check(cases, answers, *options), answers):
                for judgement, n in compare(case, theirs, mine).items():
                    met[judgement] = met.get(judgement, 0) + n
    assert all(met[j] > 10 for j in ("right", "suspect", "wrong")), met
    print(met)


def libcastle_has_their_bounds():
    """With a declared arithmetic all of it comes from libcastle, the bound as well."""
    rng = np.random.default_rng(2)
    for glob in ("tiny-two-*-f32", "plain-batch-heads-bf16", "plain-without-silu-f32") + (
            "trained-window-f32", "plain-scale-odd-f32", "*-f16") * LONG:
        for case in cv.cases(glob=glob):
            for fault in (None, 50) if case.finite_inputs else ():
                answers = right_answers(case)
                if fault:
                    spoil(answers, case, rng, fault)
                # castle computes sigma anew where an arithmetic is declared
                for declared in (case.arithmetic,) if fault else ("bfloat16,p=float32",):
                    theirs = castle_check([case], [answers], "--case", case.id, "--arithmetic", declared)
                    compare(case, theirs[0], answers, declared)


def any_inputs_are_judged():
    case = cv.cases(glob="plain-batch-heads-f32")[0]
    given = cv.problem(**case.inputs, do=case.do)
    answers = right_answers(case)
    assert {v.judgement for v in given.check(answers, strict=True)} == {"right"}
    for name in answers:  # what libcastle finds for the inputs is what the file has
        assert (given.reference(name).value == stored(case, name)).all()
        assert (given.reference(name).sigma == stored(case, f"{name}.sigma").reshape(
            stored(case, f"{name}.sigma").shape[:3] + (1,) * (name != "lse"))).all()
    answers["dvc"][1, 2, 3, 0] += 1
    text = raises(cv.Wrong, "dvc: wrong at [1, 2, 3, 0]", given.check, answers)
    assert "error / bound" in text
    windowed = cv.problem(**case.inputs, window=2, scale=0.5, variant="without-silu")
    assert windowed.judge({"o": answers["o"]})[0].judgement == "wrong"
    raises(cv.Unusable, "no answer 'dqu'", windowed.check, {"dqu": answers["dqu"]})
    raises(cv.Unusable, 'arithmetic "float33"', cv.problem(**case.inputs, arithmetic="float33").check,
           answers["o"])
    raises(cv.Unusable, "variant is", cv.problem, **case.inputs, variant="none")
    raises(cv.Unusable, "ku has shape [1]", cv.problem, **{**case.inputs, "ku": np.ones(1)})


# ---- what is said --------------------------------------------------------------------------------


def messages_say_what_is_wrong():
    case = cv.cases(glob="plain-batch-heads-f32")[0]
    answers = right_answers(case)
    good, sigma = answers["o"][1, 0, 4, 2], float(stored(case, "o.sigma")[1, 0, 4, 0])
    assert [v.judgement for v in case.check(answers, strict=True)] == ["right"] * 9
    case.check(answers["o"])
    case.check({"lse": answers["lse"], "u": None})
    answers["o"][1, 0, 4, 2] += 1
    answers["dqu"] += 1
    text = raises(cv.Wrong, f"{case}: o: wrong at [1, 0, 4, 2]: answered {float(good + 1)!r}, truth ",
                  case.check, answers)
    assert ", error 1, z " in text and ", threshold 10.6; dqu is wrong, z " in text, text
    answers["o"][1, 0, 4, 2] = good + 8 * sigma
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        case.check(answers["o"])
    assert [w.category for w in caught] == [cv.Suspect]
    assert "o: suspect at [1, 0, 4, 2]" in str(caught[0].message)
    raises(cv.Wrong, "o: suspect", case.check, answers["o"], strict=True)
    answers["o"][0, 0, 0, 0] = np.nan
    raises(cv.Wrong, "1 of 168 are not finite", case.check, answers["o"])
    raises(cv.Wrong, "o has shape [3, 2]; expected [2, 3, 7, 4]", case.check, np.ones((3, 2)))
    raises(cv.Unusable, "no answer 'y'", case.check, {"y": answers["o"]})
    raises(cv.Unusable, "no answer to judge", case.check, {"o": None})
    raises(cv.Unusable, "o has type int64", case.check, np.ones((2, 3, 7, 4), np.int64))


def unusable_folders_get_a_sentence():
    raises(cv.Unusable, "no case has an id like", cv.cases, glob="no-such")
    raises(cv.Unusable, "types has 'f31'", cv.cases, types="f31")
    raises(cv.Unusable, "arrays is 'lists'", cv.cases, arrays="lists")
    raises(cv.Unusable, "index.json: No such file", cv.cases, where=SCRATCH)
    (SCRATCH / "index.json").write_text("{")
    raises(cv.Unusable, "is no JSON", cv.cases, where=SCRATCH)
    index = json.loads(pathlib.Path("vectors/golden/index.json").read_text())
    index["cases"] = index["cases"][:1]
    (SCRATCH / "index.json").write_text(json.dumps(index))
    os.environ["CASTLE_VECTORS"] = str(SCRATCH)
    case = cv.cases()[0]
    raises(cv.Unusable, "No such file", case.check, np.ones(1))
    file = SCRATCH / index["cases"][0]["file"]
    file.write_bytes((pathlib.Path("vectors/golden") / file.name).read_bytes()[:-1] + b"\x01")
    raises(cv.Unusable, "is not the file that the index", case.check, np.ones(1))
    for content in (b"", b"12345678", b"\x02" + b"\0" * 7 + b"{}", b"\x02" + b"\0" * 7 + b"[]"):
        if content[8:] == b"{}":
            assert cv.read_safetensors(content, "x") == ({}, {})
        else:
            raises(cv.Unusable, "x: is no safetensors file", cv.read_safetensors, content, "x")
    for f in (file, SCRATCH / "index.json"):
        f.unlink()


def a_missing_library_gets_a_sentence():
    case = cv.cases(glob="tiny-one-token-f32")[0]
    os.environ["CASTLE_LIBRARY"] = "/no/such.so"
    raises(cv.Unusable, "/no/such.so: cannot be loaded", case.check, case.do, "float32")
    os.environ["CASTLE_LIBRARY"] = "libc.so.6"
    raises(cv.Unusable, "has no castle_references", case.check, case.do, "float32")


# ---- arrays --------------------------------------------------------------------------------------


def every_file_is_read(bfloat16="bfloat16"):
    """Inputs in the case's type, the same bits; each answer X.<type> right, layers and stages as well."""
    types = {"f64": "float64", "f32": "float32", "f16": "float16", "bf16": bfloat16}
    cases = cv.cases(layers=True, types="bf16" if bfloat16 == "float32" else None)
    for case in cases:
        inputs = case.inputs
        assert {x.dtype.name for x in inputs.values()} == {types[case.type]}
        name = next(iter(inputs))
        bits = inputs[name].tobytes()
        inputs[name][...] = 7  # a kernel that spoils its inputs spoils no other's
        assert case.inputs[name].tobytes() == bits != inputs[name].tobytes()
        answers = {n: stored(case, n if n.split("@")[0] in WIDE or case.type == "f64" else
                             f"{n}.{case.type}") for n in case.answers}
        assert {v.judgement for v in case.judge(answers)} == {"right"}, case
        for n in ("sc", "dp"):  # nobody reads these outside the mask
            if n in answers and case.shape[2] > 1:
                answers[n][..., 0, -1] = np.nan
        assert {v.judgement for v in case.judge(answers)} == {"right"}, case
        if case.ordinary:
            assert case.window is None and case.scale == case.shape[3] ** -0.5
    index = json.loads(pathlib.Path("vectors/golden/index.json").read_text())
    assert len(cases) == index["count"] or bfloat16 == "float32"
    assert 0 < sum(c.ordinary for c in cases) < len(cases)


def without_ml_dtypes():
    assert cv.bfloat16 is None
    every_file_is_read("float32")
    case = cv.cases(glob="ragged-49-bf16")[0]
    bits = np.frombuffer(case._tensors["o.bf16"][2], "<u2").reshape(case.shape)
    assert case.check(bits)[0].judgement == "right"
    raises(cv.Wrong, "o: wrong", case.check, bits + np.uint16(64))


def other_arrays(kind):
    """The inputs' bits and the answers' types survive PyTorch, or JAX."""
    for name in ("plain-batch-heads-f32", "ragged-49-bf16", "dim-24-f16", "dim-24-f64"):
        here, there = (cv.cases(glob=name, arrays=a)[0] for a in ("numpy", kind))
        for n, x in there.inputs.items():
            assert (cv.float64(n, x) == cv.float64(n, here.inputs[n])).all()
            assert str(x.dtype).split(".")[-1] == here.arithmetic, x.dtype
        given = stored(here, "o" if name.endswith("f64") else f"o.{here.type}")
        o = cv.converted(*there._tensors["o" if name.endswith("f64") else f"o.{here.type}"], kind)
        assert there.check(o)[0] == here.check(given)[0]
        raises(cv.Wrong, "o: wrong at", there.check, o + 1)
    raises(cv.Unusable, "o has type int", there.check, o.astype("int32") if kind == "jax" else o.int())


def torch():
    other_arrays("torch")


def jax():
    import jax as j

    raises(cv.Unusable, "jax_enable_x64", lambda: cv.cases(glob="dim-24-f64", arrays="jax")[0].inputs)
    j.config.update("jax_enable_x64", True)
    other_arrays("jax")


# ---- pytest --------------------------------------------------------------------------------------


def run_pytest(test, silu):
    """What pytest says of a test of numpy_kernel.py, with this in the place of SiLU(SU)."""
    kernel = pathlib.Path("vectors/examples/numpy_kernel.py").read_text()
    assert "su * sigmoid(su)" in kernel
    (SCRATCH / "mykernel.py").write_text(kernel.replace("su * sigmoid(su)", silu) + textwrap.dedent("""
        def castle(scale, window, **inputs):
            return forward(*inputs.values(), np.float32(scale), window or np.inf)
        """))
    (SCRATCH / "test_it.py").write_text(test)
    path = os.pathsep.join(["vectors/python", str(SCRATCH)])
    ran = subprocess.run([sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider",
                          str(SCRATCH / "test_it.py")], env={**os.environ, "PYTHONPATH": path},
                         capture_output=True, text=True, check=False)
    for f in ("mykernel.py", "test_it.py"):
        (SCRATCH / f).unlink()
    return ran.stdout + ran.stderr


def pytest():
    """The two lines of the docstring, and those of the guide, with right kernels and one without SiLU."""
    lines = [x[4:] for x in cv.__doc__.splitlines() if "parametrize" in x or "def test_castle" in x]
    assert len(lines) == 2
    head = "import castle_vectors, pytest\nfrom mykernel import castle\nkernel = lambda **x: castle(**x)[0]\n"
    few = "tiny-three-*"
    said = run_pytest(head + "\n".join(lines).replace("plain-*", few), "su * sigmoid(su)")
    assert f"{len(cv.cases(glob=few, types='f32'))} passed" in said, said

    guide = pathlib.Path("docs/using-the-vectors.md").read_text().split("## Tests in Python")[1]
    block, n = guide.split("```")[1].removeprefix("python\n"), len(cv.cases(glob="ragged-*", types="f32"))
    if LONG:
        assert f"{n} passed" in run_pytest(block, "su * sigmoid(su)")
    said = run_pytest(block, "su")
    assert f"{n} failed" in said and "test_castle[ragged-67-f32]" in said, said
    assert "Wrong: ragged-67-f32: o: wrong at [0, 0, " in said, said


globals()[sys.argv[1]]()
