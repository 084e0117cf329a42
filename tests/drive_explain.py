# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives pages of `castle explain` in headless Chromium.

    drive_explain.py CASTLE SCRATCH [SCREENSHOTS]

Makes pages with the program CASTLE in the folder SCRATCH, works every control by mouse and keyboard, and holds
every number on display against `castle oracle` on the same inputs. Fails on a message on the console, a request to
anything but the file itself, a body wider than the screen, and what axe calls a violation. Exit status 0, or 1 with
a sentence for each failure. Where axe-core is missing (a Python package that carries it, or AXE=path of axe.min.js)
it says so and leaves those checks out. With a third folder it leaves screenshots there.
"""
import glob
import hashlib
import importlib.util
import json
import os
import random
import struct
import subprocess
import sys
import time

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

os.environ["OMP_NUM_THREADS"] = "1"  # small problems, many processes
castle, scratch = sys.argv[1], sys.argv[2]
screenshots = sys.argv[3] if len(sys.argv) > 3 else None
failures, compared, audits = [], 0, 0
LEVELS = ("story", "matrices", "scalars")


def expect(holds, sentence):
    if not holds:
        failures.append(sentence)
        print("FAILED: " + sentence, flush=True)


# ---- the truth --------------------------------------------------------------------------------------

def write_inputs(path, head, length, dim):
    header, body = {}, b""
    for name in ("qu", "ku", "vu", "qc", "kc", "vc"):
        numbers = struct.pack("<%dd" % (length * dim), *(x / 1e4 for x in head[name][:length * dim]))
        header[name] = {"dtype": "F64", "shape": [1, 1, length, dim], "data_offsets": [len(body), len(body) + len(numbers)]}
        body += numbers
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + body)


def read_answers(path):
    with open(path, "rb") as f:
        size, = struct.unpack("<Q", f.read(8))
        header, body, answers = json.loads(f.read(size)), f.read(), {}
    for name, entry in header.items():
        if entry.get("dtype") == "F64":
            first, end = entry["data_offsets"]
            answers[name] = struct.unpack("<%dd" % ((end - first) // 8), body[first:end])
    return answers


def oracle(head, length, dim, window, variant):
    """castle oracle's o lse u sc t1 g su p for the first `length` tokens."""
    here, there = os.path.join(scratch, "inputs.safetensors"), os.path.join(scratch, "truth.safetensors")
    write_inputs(here, head, length, dim)
    subprocess.run([castle, "oracle", here, "-o", there, "--stages", "--variant", variant,
                    "--window", "none" if window is None else str(window)], check=True, stdout=subprocess.DEVNULL)
    return read_answers(there)


def shown(x):
    """As the page writes a number: four decimals, a true minus, no negative zero."""
    text = "%.4f" % x
    return "0.0000" if float(text) == 0 else text.replace("-", "\u2212")


def drawn(seed, head, word, dim):
    """A word's vectors as explain_words.h says, from Python's own Mersenne twister; times 10^4."""
    text = "castle explain, seed %d, head %d, word %s" % (seed, head, word)
    state = [int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) or 4357]  # GSL's default
    for k in range(1, 624):
        state.append((1812433253 * (state[-1] ^ state[-1] >> 30) + k) % 2 ** 32)
    twister = random.Random()
    twister.setstate((3, tuple(state) + (624,), None))
    return {name: [(sum(twister.getrandbits(32) >> 29 for _ in range(4)) - 14) * 2500 for _ in range(dim)]
            for name in ("qu", "ku", "vu", "qc", "kc", "vc")}


def hold_vectors(data):
    for h, head in enumerate(data["heads"]):
        for s, word in enumerate(data["words"]):
            for name, want in drawn(data["seed"], h + 1, word, data["dim"]).items():
                got = head["vectors"][name][s * data["dim"]:(s + 1) * data["dim"]]
                expect(got == want, "%s of %s, head %d, is %s, not %s" % (name, word, h + 1, got, want))


# ---- the browser ------------------------------------------------------------------------------------

def start():
    options = Options()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1",
                     "--disable-background-networking", "--disable-component-update", "--no-first-run"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = Service("/usr/bin/chromedriver") if os.path.exists("/usr/bin/chromedriver") else Service()
    return webdriver.Chrome(options=options, service=service)


browser = start()
browser.set_script_timeout(300)


def resize(width, height=900):
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})


def find(selector):
    return browser.find_element(By.CSS_SELECTOR, selector)


def js(script, *arguments):
    return browser.execute_script(script, *arguments)


def read_logs(name):
    for entry in browser.get_log("browser"):
        expect(False, "%s: the console says %s" % (name, entry["message"]))
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            expect(url.startswith(("file://" + scratch, "file://" + os.path.realpath(scratch), "data:")),
                   "%s: a request for %s" % (name, url))


def page(name, *options):
    path = os.path.realpath(os.path.join(scratch, name + ".html"))
    subprocess.run([castle, "explain", *options, "-o", path], check=True, stdout=subprocess.DEVNULL)
    expect(os.path.getsize(path) < 1000000, "%s: %d bytes" % (name, os.path.getsize(path)))
    return path


def load(path):
    browser.get("file://" + path)
    return js("return data")


def level(name):
    js("document.querySelector('input[name=level][value=%s]').click()" % name)


def choose(control, value):
    Select(find("#" + control)).select_by_value(value)


# ---- numbers on display -----------------------------------------------------------------------------

def cells(panel):
    """[tensor, i, j, step or visit, text] of every number in a panel."""
    return js("return [...document.querySelectorAll('#%s td.n')].filter(e => e.cell)"
              ".map(e => [e.cell.tensor, e.cell.i, e.cell.j, e.cell.at, e.textContent])" % panel)


def hold(where, panel, truth, prefixes, length, dim):
    """Every cell of the panel that castle oracle answers, or that is an input."""
    global compared
    count = 0
    for tensor, i, j, at, text in cells(panel):
        name = tensor.lower()
        if tensor in ("U", "D"):
            want = prefixes(at + 1)["u"][i * dim + j]
        elif tensor in ("SC", "T1", "G", "SU", "P"):
            want = truth[name][i * length + j]
        elif tensor == "O":
            want = truth["o"][i * dim + j]
        elif tensor == "LSE":
            want = truth["lse"][i]
        else:
            continue
        count += 1
        expect(text == shown(want), "%s, %s[%d, %d]: the page shows %s, the oracle has %.17g" % (where, tensor, i, j, text, want))
    expect(count > 0, "%s: panel %s shows nothing that the oracle answers" % (where, panel))
    compared += count


prefixes_known = {}


def hold_scene(where, head, length, dim, window, variant, steps):
    truth = oracle(head, length, dim, window, variant)

    def prefix(t):  # lookahead keys are the same in every variant
        key = (str(sorted(head.items())), t, window)
        if key not in prefixes_known:
            prefixes_known[key] = oracle(head, t, dim, window, "castle")
        return prefixes_known[key]
    hold(where, "parallel", truth, prefix, length, dim)
    for t in steps:
        js("step(arguments[0])", t)
        for panel in ("recurrent", "keys-u", "cache"):
            hold("%s, step %d" % (where, t + 1), panel, truth, prefix, length, dim)
        expect(len({c[4] for c in cells("keys-u") if c[1] == t} - {"0.0000"}) == 0, "%s: the newest key is not 0" % where)
        bars = js("return [...document.querySelectorAll('#looks dd:nth-of-type(2n)')].map(e => e.textContent.split(' ')[0])")
        expect(bars == [shown(truth["p"][t * length + s]) for s in range(t + 1)], "%s: bars of step %d" % (where, t + 1))


def with_edit(head, edit, dim):
    changed = {name: list(numbers) for name, numbers in head.items()}
    for name, numbers in edit["vectors"].items():
        changed[name][edit["at"] * dim:(edit["at"] + 1) * dim] = numbers
    return changed


# ---- accessibility ----------------------------------------------------------------------------------

def axe_source():
    paths = [os.environ.get("AXE")]
    for package in ("axe_core_python", "axe_selenium_python"):
        spec = importlib.util.find_spec(package)
        if spec:
            paths += glob.glob(os.path.join(os.path.dirname(spec.origin), "**", "axe.min.js"), recursive=True)
    for path in filter(None, paths):
        with open(path, encoding="utf-8") as f:
            return f.read()
    print("no axe-core: accessibility is not checked; pip install axe-core-python, or set AXE")
    return None


axe = axe_source()


def audit(where):
    global audits
    width = js("return [document.documentElement.scrollWidth, window.innerWidth]")
    expect(width[0] <= width[1], "%s: %d pixels wide on a screen of %d" % (where, *width))
    if not axe:
        return
    js(axe)
    result = browser.execute_async_script(
        "const done = arguments[0]; axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa',"
        "'best-practice'], resultTypes: ['violations']}).then(done, e => done({violations: [{id: String(e), nodes: []}]}))")
    audits += 1
    if os.environ.get("VERBOSE"):
        print(where, flush=True)
    for violation in result["violations"]:
        expect(False, "%s: %s, %s: %s" % (where, violation["id"], violation.get("help"),
                                          [node["html"][:120] for node in violation["nodes"][:3]]))


# ---- the controls -----------------------------------------------------------------------------------

def drive_steps(length):
    slider = find("#step")
    slider.send_keys(Keys.HOME)
    expect(js("return state.t") == 0, "Home on the slider leads to step 1")
    slider.send_keys(Keys.ARROW_RIGHT)
    expect(js("return state.t") == 1, "the right arrow leads to step 2")
    expect("step 2" in slider.get_attribute("aria-valuetext"), "the slider says its step")
    before = cells("keys-kc")
    find("#next").click()
    expect(js("return state.t") == 2, "the button leads to step 3")
    expect(cells("keys-kc")[:len(before)] == before, "causal keys stand still")
    find("#previous").click()
    expect(js("return state.t") == 1, "and the other back")
    find("#play").click()
    expect(js("return state.t") >= 2 and find("#play").text in ("Pause", "Play"), "Play moves on at once")
    # Pressed again it stops; in one breath, so that a slow machine cannot reach the end in between.
    js("step(0); if (!timers.play) document.getElementById('play').click();")
    expect(find("#play").text == "Pause", "the button offers to pause")
    at = js("document.getElementById('play').click(); return state.t")
    time.sleep(1.3)
    expect(js("return state.t") == at and find("#play").text == "Play", "Play stops when pressed again")
    js("step(arguments[0] - 2); document.getElementById('play').click()", length)
    for _ in range(100):
        if find("#play").text == "Play":
            break
        time.sleep(0.1)
    expect(js("return [state.t, timers.play]") == [length - 1, None], "and by itself at the end")
    slider.send_keys(Keys.END)
    expect(js("return state.t") == length - 1, "End leads to the last step")


def drive_fields(length):
    for t in (0, length // 2, length - 1):
        js("step(arguments[0])", t)
        marks = js("return ['fields-ordinary', 'fields-castle'].map(id => [...document.querySelectorAll('#' + id + ' tbody tr')]"
                   ".map(r => [...r.cells].slice(1).map(e => e.textContent || ' ').join('')))")
        for s in range(length):
            one = "K" * (s + 1) if s <= t else ""
            expect(marks[0][s].rstrip() == one, "ordinary key %d at step %d is %r" % (s + 1, t + 1, marks[0][s]))
            both = one + "U" * (t - s) if s <= t else ""
            expect(marks[1][s].rstrip() == both, "key %d at step %d is %r" % (s + 1, t + 1, marks[1][s]))


def drive_cells():
    level("scalars")
    js("step(3)")
    cell = find("#parallel td.SU")
    js("arguments[0].scrollIntoView({block: 'center'})", cell)
    ActionChains(browser).move_to_element(cell).perform()
    text = find("#equation").text
    expect(cell.text in text and "×" in text, "hovering prints the equation: %r" % text)
    expect(js("return document.querySelectorAll('td.lit').length") >= 2, "and lights the operands")
    start_cell = js("return [...document.querySelectorAll('#recurrent td.P')].find(e => e.tabIndex === 0)"
                    "|| document.querySelector('#recurrent td.P')")
    js("arguments[0].focus()", start_cell)
    text = find("#equation").text
    expect("exp(" in text and start_cell.text in text, "focus prints it, too: %r" % text)
    lit = js("return [...document.querySelectorAll('td.lit')].map(e => e.cell.tensor)")
    expect("S" in lit and "LSE" in lit, "a weight is made of its score and lse: %s" % lit)
    start_cell.send_keys(Keys.ARROW_LEFT)
    expect(js("return document.activeElement.cell.tensor") == "S", "arrow keys walk from cell to cell")
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    expect(not find("#equation").is_displayed(), "Escape puts the equation away")
    every = js("""const wrong = [];
        document.querySelectorAll('td.n').forEach(e => {
            if (!e.cell)
                return;
            ask(e);
            const said = document.getElementById('equation').textContent;
            if (!said.includes(e.textContent) || said.includes('undefined') || said.includes('NaN') || said.includes('not finite'))
                wrong.push(keyOf(e.cell) + ': ' + said);
        });
        return wrong""")
    expect(not every, "every cell has an equation: %s" % every[:2])


def drive_sweep():
    visits = js("return sweep.length")
    slider = find("#sweep")
    slider.send_keys(Keys.HOME)
    for k in range(visits):
        if k:
            find("#sweep-next").click()
        current = js("return document.querySelectorAll('#sweep-map td.current').length")
        expect(current > 0 and js("return visit.at") == k, "visit %d is marked" % (k + 1))
    expect("complete" in find("#sweep-note").text, "the last visit completes its queries: " + find("#sweep-note").text)
    # Once all blocks are met, O = PART / l.
    state = cells("sweep-state")
    rows = {c[1] for c in state if c[0] == "PART"}
    for t in rows:
        sum_ = [float(c[4].replace("\u2212", "-")) for c in state if c[0] == "SUM" and c[1] == t][0]
        parts = [float(c[4].replace("\u2212", "-")) for c in state if c[0] == "PART" and c[1] == t]
        outputs = js("return [...Array(dim).keys()].map(k => lookup.O(arguments[0], k))", t)
        for part, whole in zip(parts, outputs):
            # part and l are off by half a unit of the fourth decimal each, and so is O
            expect(abs(part - whole / 1e4 * sum_) <= 0.5e-4 * (1 + abs(whole / 1e4) + sum_) * (1 + 1e-9),
                   "part %g of row %d is not l O = %g x %g" % (part, t + 1, sum_, whole / 1e4))
    find("#sweep-previous").click()
    expect(js("return visit.at") == visits - 2, "one block back")
    find("#sweep-play").click()
    time.sleep(0.3)
    expect(js("return visit.at") == visits - 1, "Play moves the sweep on")
    find("#sweep-play").click()
    js("stop('sweep-play')")


def drive_scenes(data, n):
    """All windows, variants and edits of a head against the oracle."""
    head, length, dim = data["heads"][n], len(data["words"]), data["dim"]
    for setting in head["settings"]:
        choose("variant", setting["variant"])
        choose("window", "none" if setting["window"] is None else str(setting["window"]))
        where = "window %s, %s" % (setting["window"], setting["variant"])
        expect(js("return [windowNow(), variantNow()]") == [length if setting["window"] is None else setting["window"],
                                                            setting["variant"]], where + " is shown")
        hold_scene(where, head["vectors"], length, dim, setting["window"], setting["variant"], [0, length // 2, length - 1])
        expect(setting["difference"] in find("#difference").text, "the difference is shown")
    for k, edit in enumerate(head["edits"]):
        choose("edit", str(k))
        changed = with_edit(head["vectors"], edit, dim)
        where = "word %d is %s" % (edit["at"] + 1, edit["word"])
        hold_scene(where, changed, length, dim, data["window"], "castle", [edit["at"], length - 1])
        moved = js("return [...document.querySelectorAll('#compare > .pair > div:nth-child(2) tbody tr')]"
                   ".map(r => r.querySelectorAll('.differs').length > 0)")
        expect(moved[:edit["at"]] == [False] * edit["at"] and moved[edit["at"]], where + ": rows that moved are %s" % moved)
    find("#reset").click()
    expect(js("return state.edit === null && state.setting === original()"), "Reset puts everything back")


def drive_mutants(data):
    head, length, dim = data["heads"][0], len(data["words"]), data["dim"]
    for k, mutant in enumerate(head["mutants"]):
        choose("mutant", str(k))
        text = find("#compare").text
        expect(mutant["id"] in text and mutant["bug"]["case"] in text, mutant["name"] + " names its golden case")
        golden = subprocess.run([castle, "show", mutant["bug"]["case"]], capture_output=True, text=True)
        expect(golden.returncode == 0, "%s is a golden case" % mutant["bug"]["case"])
        truth = oracle(head["vectors"], length, dim, mutant["window"], "castle")
        wrong = [v["tensor"] for v in mutant["verdicts"] if v["verdict"] == "wrong"]
        differs = js("return [...document.querySelectorAll('#compare .pair > div')].map(d => d.querySelectorAll('.differs').length)")
        expect(("o" in wrong) == (differs[1] > 0) and ("u" in wrong) == (differs[2] > 0),
               "%s: outlined numbers %s, wrong tensors %s" % (mutant["name"], differs, wrong))
        same = all(round(x * 1e4) == y for x, y in zip(truth["o"], mutant["o"]))
        expect(same == ("o" not in wrong), "%s: o is %s" % (mutant["name"], "right" if same else "wrong"))
    find("#reset").click()


def drive_questions():
    questions = browser.find_elements(By.CSS_SELECTOR, ".questions fieldset")
    expect(len(questions) >= 6, "six questions or more")
    for question in questions:
        js("arguments[0].scrollIntoView({block: 'center'})", question)
        for radio in question.find_elements(By.CSS_SELECTOR, "input"):
            radio.click()
            right = radio.get_attribute("value") == question.get_attribute("data-right")
            expect((question.find_element(By.CSS_SELECTOR, ".verdict").text == "Yes.") == right, "a question's verdict")
        expect(question.find_element(By.CSS_SELECTOR, "details").get_attribute("open") is not None, "the answer is revealed")
    for show, holds in (("first", "state.t === 0"), ("window", "windowNow() === 0"), ("edit", "state.edit !== null")):
        js("document.querySelector('[data-show=%s]').click()" % show)
        expect(js("return " + holds), "the question's button shows " + show)
    find("#reset").click()


def drive_tables():
    expect(not find("#static").is_displayed(), "tables are folded at first")
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    js("arguments[0].scrollIntoView()", find("#tables"))
    find("#tables").click()
    expect(find("#static").is_displayed(), "and unfold")
    audit("tables")
    js("arguments[0].scrollIntoView({block: 'center'})", find("#tables"))
    find("#tables").click()
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    expect(find("#static").is_displayed() and not find(".controls").is_displayed(), "in print: tables, no controls")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def without_scripts(path, data):
    """Every step stands there as a table, with the oracle's numbers."""
    global compared
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.get("file://" + path)
    text = find("#static").text
    expect(find("#static").is_displayed() and not find(".controls").is_displayed(), "without JavaScript: tables, no controls")
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    length, dim = len(data["words"]), data["dim"]
    truth = oracle(data["heads"][0]["vectors"], length, dim, data["window"], "castle")
    steps = text.split("Step t = ")[1:]
    expect(len(steps) == length, "a table for every step")
    for t, step in enumerate(steps):
        row = step.split("Output")[0].strip().splitlines()[-1].replace("\t", " ").split()
        want = ["%.4f" % truth[x][t * length + t] for x in ("sc", "p")]
        expect([row[-5].replace("-0.0000", "0.0000"), row[-1]] == want, "table of step %d: %s, not %s" % (t + 1, row, want))
        compared += 2


def picture(name):
    if not screenshots:
        return
    js("window.scrollTo(0, 0); document.activeElement.blur()")
    browser.save_screenshot(os.path.join(screenshots, name))


def drive_default():
    path = page("default")
    resize(1280)
    data = load(path)
    length = len(data["words"])
    hold_vectors(data)
    expect(length == 7, "the default sentence has 7 words")
    for width in (1280, 390):
        resize(width)
        for name in LEVELS:
            level(name)
            js("step(%d)" % (length - 1)) # all that the page has to show
            audit("%s at %d pixels" % (name, width))
    resize(1280)
    level("matrices")
    drive_steps(length)
    drive_fields(length)
    drive_scenes(data, 0)
    drive_cells()
    audit("an equation is open")
    drive_sweep()
    drive_mutants(data)
    choose("mutant", "0")
    audit("a wrong kernel")
    choose("edit", "0")
    audit("an edited word")
    find("#reset").click()
    drive_questions()
    audit("answers open")
    drive_tables()
    read_logs("default")
    without_scripts(path, data)


def drive_others():
    hostile = page("hostile", "</script><b>&amp; \"q\" 'x' <!-- über 日本", "-n", "2", "-d", "3", "-W", "1", "-s", "9")
    resize(390)
    data = load(hostile)
    hold_vectors(data)
    expect(data["words"][0] == "</script><b>&amp;" and data["words"][4] == "über", "words come through: %s" % data["words"])
    expect(find(".sentence").text.startswith("</script><b>&amp; \"q\""), "the title shows them as they are")
    level("scalars")
    audit("two heads, a window")
    choose("head", "1")
    expect(js("return state.head === data.heads[1]"), "the second head is shown")
    drive_scenes(data, 1)
    read_logs("hostile")
    one = page("one", "castle")
    load(one)
    for name in LEVELS:
        level(name)
        audit("one word, " + name)
    read_logs("one word")
    long = page("long", " ".join("w%d" % k for k in range(64)))
    data = load(long)
    level("matrices")
    hold_scene("64 words", data["heads"][0]["vectors"], 64, 4, None, "castle", [63])
    width = js("return [document.documentElement.scrollWidth, window.innerWidth]")
    expect(width[0] <= width[1], "64 words: %d pixels wide on a screen of %d" % tuple(width))
    read_logs("64 words")


def take_pictures():
    load(os.path.join(scratch, "default.html"))
    for width, height in ((1280, 1100), (390, 1100)):
        resize(width, height)
        js("document.getElementById('equation').hidden = true")
        level("story")
        picture("explain-story-%d.png" % width)
        level("matrices")
        js("document.getElementById('inputs-title').scrollIntoView()")
        browser.save_screenshot(os.path.join(screenshots, "explain-matrices-%d.png" % width))
        level("scalars")
        js("const e = document.querySelectorAll('#parallel td.SU')[12]; e.focus(); e.scrollIntoView({block: 'center'})")
        browser.save_screenshot(os.path.join(screenshots, "explain-scalars-%d.png" % width))


try:
    drive_default()
    drive_others()
    if screenshots:
        take_pictures()
finally:
    browser.quit()
print("%d numbers on display are the oracle's; %d audits by axe; %d failures" % (compared, audits, len(failures)))
sys.exit(1 if failures or not compared else 0)
