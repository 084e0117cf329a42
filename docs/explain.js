/* SPDX-License-Identifier: GPL-3.0-or-later */
/* explain.js - tables, panels and controls of the explainer. Numbers and equations: explain_equations.js. */
"use strict";

const $ = id => document.getElementById(id);
const LONG = L > 16;
const visit = { at: 0 }; /* of the sweep */
const timers = {};

function element(tag, attributes, ...children) {
    const e = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {}))
        if (value !== null && value !== undefined && value !== false)
            e.setAttribute(name, value);
    e.append(...children.filter(c => c !== null));
    return e;
}
function markup(tag, html) { /* html of ours, no word of the user in it */
    const e = document.createElement(tag);
    e.innerHTML = html;
    return e;
}
const label = s => (s + 1) + " " + wordAt(s);
const readWord = s => "word " + (s + 1) + ", “" + wordAt(s) + "”";

/* ---- cells ---------------------------------------------------------------------------------------- */

/* Where each number stands: by panel, since panels are drawn anew one by one. */
const places = new Map();
const keyOf = c => c.tensor + " " + c.i + " " + c.j + " " + (c.at === undefined ? "" : c.at);

const fills = [500, 5000, 12500, 25000];
const weights = [100, 1000, 3000, 6000];
function fill(c, value) {
    const steps = c.tensor === "P" || c.tensor === "G" ? weights : fills;
    return steps.filter(step => Math.abs(value) >= step).length;
}

function numberCell(c, panel) {
    const value = valueOf(c), td = element("td", { role: "gridcell", tabindex: -1 });
    td.className = "n " + c.tensor + (fill(c, value) ? " f" + fill(c, value) : "") + (value < 0 ? " minus" : "");
    td.textContent = textOf(c);
    td.cell = c;
    const found = panel.get(keyOf(c)) || [];
    panel.set(keyOf(c), [...found, td]);
    return td;
}

let grids = 0;

/* A grid of numbers: `at(i, j)` is a cell or null. heads and names are text; a row may be the newest one. */
function grid(panel, caption, small, columns, rows, at, options) {
    const id = "grid-" + ++grids, table = element("table", { role: "grid", "aria-labelledby": id });
    const title = markup("p", caption); /* no caption: a small table would break its lines */
    title.id = id;
    title.className = "title";
    if (small)
        title.append(" ", element("small", {}, small));
    const head = element("tr", {}, element("td", { class: "absent", role: "gridcell" }),
                         ...columns.map(text => element("th", { scope: "col" }, text)));
    const body = element("tbody", {});
    for (const i of rows) {
        const tr = element("tr", { class: options && options.now === i ? "now" : null },
                           element("th", { scope: "row", title: label(i) }, LONG ? String(i + 1) : label(i)));
        columns.forEach((_, j) => {
            const c = at(i, j);
            const td = c ? numberCell(c, panel) : element("td", { class: "absent", role: "gridcell" });
            if (c && options && options.mark)
                td.classList.add(...options.mark(c));
            tr.append(td);
        });
        body.append(tr);
    }
    table.append(element("thead", {}, head), body);
    const first = table.querySelector("td.n");
    if (first)
        first.tabIndex = 0;
    return element("div", {}, title, element("div", { class: "scroll" }, table));
}

/* A table without grid cells; its box takes the focus, so that the keyboard can scroll it. */
const scrolled = (title, names, table) => element("div", {}, element("p", { class: "title" }, title),
    element("div", { class: "scroll " + names, tabindex: 0, role: "region", "aria-label": title }, table));

function draw(id, build) {
    const panel = new Map();
    $(id).replaceChildren(...[build(panel)].flat());
    places.set(id, panel);
}

const tokens = () => count(0, L);
const components = name => count(0, dim).map(k => String(k + 1));
const tokenHeads = () => tokens().map(s => String(s + 1));

/* ---- the equation --------------------------------------------------------------------------------- */

let lit = [];
function standing(c) {
    const found = [];
    for (const panel of places.values())
        found.push(...(panel.get(keyOf(c)) || []));
    return found;
}
function ask(td) {
    lit.forEach(e => e.classList.remove("lit", "asked"));
    const c = td.cell, e = equationOf(c);
    const operands = e.operands.flatMap(o => standing(o).length || o.at === undefined
        ? standing(o) : standing(cell(o.tensor, o.i, o.j)));
    operands.forEach(o => o.classList.add("lit"));
    const same = standing(c);
    same.forEach(o => o.classList.add("asked"));
    lit = [...operands, ...same];
    const words = c.tensor in { Z: 1, G: 1, T1: 1, SC: 1, SU: 1, SILU: 1, S: 1, P: 1 }
        ? label(c.i) + " and " + label(c.j) : label(c.i);
    const what = element("p", { class: "what" }, words);
    what.prepend(element("span", { class: "swatch " + c.tensor }), markup("span", (meaning[c.tensor] || "") + " "), "· ");
    const numbers = e.numbers ? nameOf(c) + " = " + e.numbers + " = <b>" + textOf(c) + "</b>"
                              : nameOf(c) + " = <b>" + textOf(c) + "</b>";
    $("equation").replaceChildren(what, markup("p", nameOf(c) + " = " + e.names), markup("p", numbers));
    $("equation").hidden = false;
}

document.addEventListener("mouseover", e => e.target.cell && ask(e.target));
document.addEventListener("click", e => e.target.cell && e.target.focus());
/* The equation must not lie over what has the focus (WCAG 2.4.11): elsewhere it goes away. */
document.addEventListener("focusin", e => {
    if (e.target.cell)
        ask(e.target);
    else
        $("equation").hidden = true;
});

/* Arrow keys walk within a grid; Tab leaves it. Escape puts the equation away. */
document.addEventListener("keydown", e => {
    const arrows = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (e.key === "Escape")
        $("equation").hidden = true;
    if (!e.target.cell || !(e.key in arrows))
        return;
    const [down, right] = arrows[e.key], table = e.target.closest("table").tBodies[0];
    const next = table.rows[e.target.parentNode.sectionRowIndex + down];
    const to = next && next.cells[e.target.cellIndex + right];
    e.preventDefault();
    if (!to || !to.cell)
        return;
    e.target.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
});

/* ---- story ---------------------------------------------------------------------------------------- */

function drawStrip() {
    $("strip").replaceChildren(...tokens().map(s => element("li", {
        class: (s < state.t ? "read" : s === state.t ? "now" : "") + (state.edit && state.edit.at === s ? " edited" : ""),
        "aria-current": s === state.t ? "step" : null,
    }, wordAt(s))));
}

/* A square of marks that is made once; seen(s, j) says "kc", "u", "none" or "ahead". In a long text only every eighth
 * token is named. */
const FIELD_MARKS = { kc: "K", u: "U", past: "✓", current: "●" };
const named = s => !LONG || (s + 1) % 8 === 0;
const squares = new Map();
function markedSquare(id, names, rowName) {
    const rows = tokens().map(() => tokens().map(() => element("td", {})));
    const heads = tokens().map(() => element("th", { scope: "row" }));
    const table = element("table", {}, element("thead", {}, element("tr", {}, element("td", { class: "ahead" }),
        ...tokens().map(j => element("th", { scope: "col" }, named(j) ? String(j + 1) : "")))),
        element("tbody", {}, ...rows.map((tds, s) => element("tr", {}, heads[s], ...tds))));
    const box = scrolled("", names, table);
    $(id).replaceChildren(box);
    squares.set(id, { rows, heads, table, box, rowName });
}
function markSquare(id, title, seen) {
    const { rows, heads, table, box, rowName } = squares.get(id);
    box.firstChild.textContent = title;
    box.lastChild.setAttribute("aria-label", title);
    table.setAttribute("aria-label", title);
    rows.forEach((tds, s) => {
        heads[s].textContent = named(s) ? rowName(s) : "";
        heads[s].parentNode.className = s === state.t ? "now" : "";
        tds.forEach((td, j) => {
            const what = seen(s, j);
            if (td.className === what)
                return;
            td.className = what;
            td.textContent = FIELD_MARKS[what] || "";
        });
    });
}

function drawFields() {
    const W = windowNow(), t = state.t, at = "step " + (t + 1), ahead = (s, j) => s > t || j > t;
    markSquare("fields-ordinary", "Ordinary attention, " + at, (s, j) => ahead(s, j) ? "ahead" : j <= s ? "kc" : "none");
    markSquare("fields-castle", "CASTLE" + (W < L ? ", window " + W : "") + ", " + at, (s, j) => ahead(s, j) ? "ahead"
        : j <= s ? variantNow() === "without-causal-keys" ? "none" : "kc" : allowed(s, j) ? "u" : "none");
    $("fields-note").textContent = W >= L
        ? "Lookahead key s sees words s+1 to t, and word s itself through its gate."
        : "With a window of " + W + ", lookahead key s sees words s+1 to s+" + W + " and then stands still.";
}

function drawKeys() {
    const rows = count(0, state.t + 1), t = state.t;
    draw("keys-kc", panel => grid(panel, "<b class='ink kc'>K<sup>C</sup></b>, causal keys", "the same at every step",
        components(), rows, (s, k) => cell("KC", s, k), { now: t }));
    draw("keys-u", panel => grid(panel, "<b class='ink u'>U<sup>" + (t + 1) + "</sup></b>, lookahead keys",
        "bold rows moved in this step", components(), rows, (s, k) => cell("U", s, k, t, "sum"),
        { now: t, mark: c => allowed(c.i, t) ? ["moved"] : [] }));
}

/* Ordinary attention is W = 0; of an edited sentence it is not on the page. */
function drawLooks() {
    const plain = state.edit ? null : state.head.settings.find(s => s.window === 0 && s.variant === "castle");
    const list = element("dl", { class: "bars" });
    const bar = (whole, thin) =>
        element("span", { class: "bar" + (thin ? " thin" : ""), style: "width:" + Math.max(0, whole) / 100 + "%" });
    for (const s of count(0, state.t + 1)) {
        const p = lookup.P(state.t, s), old = plain ? plain.p[before(state.t) + s] : null;
        list.append(element("dt", { title: label(s) }, label(s)),
                    element("dd", {}, bar(p), plain ? bar(old, true) : null),
                    element("dd", {}, decimal(p) + (plain ? " (" + decimal(old) + ")" : "")));
    }
    $("looks").replaceChildren(list);
}

/* ---- matrices ------------------------------------------------------------------------------------- */

function drawLegend() {
    $("legend").replaceChildren(...Object.keys(meaning).map(tensor => {
        const item = markup("li", symbol[tensor] + ": " + meaning[tensor]);
        item.prepend(element("span", { class: "swatch " + tensor }));
        return item;
    }));
}
function drawInputs() {
    draw("inputs", panel => ["QU", "KU", "VU", "QC", "KC", "VC"].map(name =>
        grid(panel, "<b>" + symbol[name] + "</b>", meaning[name].replace(/<\/?su[bp]>/g, ""), components(), tokens(),
             (s, k) => cell(name, s, k))));
}

const parallelTables = [
    ["T1", "T1 = scale Q<sup>C</sup> V<sup>U⊤</sup>, j ≤ t", (t, j) => j <= t],
    ["G", "G = sigmoid(scale Q<sup>U</sup> K<sup>U⊤</sup>), s &lt; j", (s, j) => allowed(s, j)],
    ["SC", "sC = scale Q<sup>C</sup> K<sup>C⊤</sup>, s ≤ t", (t, s) => s <= t],
    ["SU", "sU = T1 G<sup>⊤</sup>", (t, s) => s < t],
    ["P", "P = softmax(sC − SiLU(sU))", (t, s) => s <= t],
];
const betweenTables = [
    ["Z", "z = scale Q<sup>U</sup> K<sup>U⊤</sup>, before the sigmoid", (s, j) => s < j],
    ["SILU", "SiLU(sU)", (t, s) => s < t],
    ["S", "scores sC − SiLU(sU)", (t, s) => s <= t],
];
const square = (panel, [tensor, caption, present]) =>
    grid(panel, caption, "", tokenHeads(), tokens(), (i, j) => present(i, j) ? cell(tensor, i, j) : null,
         { now: state.t });
const outputs = (panel, rows) =>
    grid(panel, "O = P V<sup>C</sup>", "and the logarithm of softmax’s sum", [...components(), "lse"], rows,
         (t, k) => k < dim ? cell("O", t, k) : cell("LSE", t, 0), { now: state.t });

function drawRecurrent() {
    const t = state.t, columns = ["SC", "SU", "SILU", "S", "P"];
    draw("recurrent", panel => [
        grid(panel, "U<sup>" + (t + 1) + "</sup>, this step’s lookahead keys", "", components(), count(0, t + 1),
             (s, k) => cell("U", s, k, t, "sum"), { now: t }),
        grid(panel, "Scores and weights of word " + (t + 1) + " for each key", "", ["sC", "sU", "SiLU(sU)", "score", "p"],
             count(0, t + 1), (s, j) => s === t && (j === 1 || j === 2) ? null : cell(columns[j], t, s, undefined, "recurrent"),
             { now: t }),
        outputs(panel, [t]),
    ]);
}
function drawParallel() {
    draw("parallel", panel => [...parallelTables.map(one => square(panel, one)), outputs(panel, tokens())]);
    draw("between", panel => betweenTables.map(one => square(panel, one)));
    $("difference").textContent = "Largest difference between the two outputs, each computed in 53-bit arithmetic, every " +
        "operation rounded once: " + settingAt(L - 1).difference + ". Certified, they are one and the same number.";
}
function moveRow() { /* without drawing large tables anew */
    for (const id of ["parallel", "between"])
        $(id).querySelectorAll("tbody").forEach(body => [...body.rows].forEach((tr, i) =>
            tr.classList.toggle("now", i === state.t)));
}

/* ---- the cache ------------------------------------------------------------------------------------ */

function drawCache() {
    const t = state.t, rows = count(0, t + 1);
    draw("cache", panel => [
        grid(panel, "U after the step", "bold rows took in the new word", components(), rows,
             (s, k) => cell("U", s, k, t, "cache"), { now: t, mark: c => allowed(c.i, t) ? ["moved"] : [] }),
        ...["QU", "KC", "VC"].map(name => grid(panel, symbol[name], "one row more", components(), rows,
                                               (s, k) => cell(name, s, k), { now: t })),
        ...["KU", "VU"].map(name => grid(panel, symbol[name] + " of the new word", "used once, then dropped", components(),
                                         [t], (s, k) => cell(name, s, k), { now: t })),
    ]);
    const moved = rows.filter(s => allowed(s, t)).length;
    $("cache-note").replaceChildren("Step " + (t + 1) + ": " + readWord(t) + " comes in. ",
        ...(t === 0 ? ["There are no earlier keys to update."]
            : [moved + (moved === 1 ? " row of U takes" : " rows of U take") + " in gate × ", markup("span", symbol.VU),
               " of the new word; a row of zeros is added."]),
        " The cache holds 4 × " + (t + 1) + " × " + dim + " numbers.");
}

/* ---- changes -------------------------------------------------------------------------------------- */

function sceneText() {
    const W = windowNow();
    if (state.edit)
        return "Word " + (state.edit.at + 1) + " is now “" + state.edit.word + "”. " + (state.edit.at
            ? "Rows 1 to " + state.edit.at + " of every table were computed anew and are the same to the last bit."
            : "Every row may move: no row stands before it.");
    if (state.mutant)
        return "";
    return (variantNow() === "without-silu" ? "SiLU off: the score is sC − sU, and lookahead can raise it without limit. "
        : variantNow() === "without-causal-keys" ? "Causal keys off: the score is −SiLU(sU) alone. " : "") +
        (W >= L ? "" : W === 0 ? "W = 0: no word looks ahead; this is ordinary causal attention. "
            : "W = " + W + ": a key sees the next " + W + " word" + (W > 1 ? "s" : "") + " only. ");
}

const plainCell = (text, names) => element("td", { class: "n " + names }, text);
/* Rows of numbers side by side, where they differ: before and after an edit, or wrong and right. */
function comparison(caption, rows, columns, left, right, tensor, name) {
    const body = element("tbody", {});
    for (const t of rows) {
        const tr = element("tr", { class: t === state.t ? "now" : null }, element("th", { scope: "row" }, (name || label)(t)));
        for (const k of columns) {
            const a = left(t, k), b = right(t, k);
            tr.append(a === undefined ? element("td", { class: "absent" })
                : plainCell(decimal(a), tensor + (a !== b ? " differs" : "")));
        }
        body.append(tr);
    }
    const head = element("tr", {}, element("td", { class: "absent" }),
                         ...columns.map(k => element("th", { scope: "col" }, String(k + 1))));
    return scrolled(caption, "", element("table", { "aria-label": caption }, element("thead", {}, head), body));
}

function drawCompare() {
    const to = [], components_ = count(0, dim), m = state.mutant;
    if (state.edit) {
        const old = (t, k) => state.head.settings[0].o[t * dim + k];
        to.push(element("p", { class: "note" }, "Outlined outputs moved."),
                element("div", { class: "pair" },
                        comparison("Output O of the sentence as given", tokens(), components_, old, old, "O",
                                   t => (t + 1) + " " + data.words[t]),
                        comparison("Output O with the word exchanged", tokens(), components_, lookup.O, old, "O")));
    } else if (m) {
        const right = state.setting;
        const verdicts = m.verdicts.map(v => v.tensor + " " + v.verdict + (v.verdict === "right" ? "" : ", " + v.z + " sigma"));
        const noticed = m.verdicts.some(v => v.verdict !== "right");
        to.push(element("p", {}, element("b", {}, m.id + " " + m.name), ": " + m.what + "."),
                element("p", {}, noticed ? "castle check, taking it for a float32 kernel, notices on this very sentence: "
                    : "This sentence cannot tell: ", verdicts.join("; ") + "."),
                element("p", {}, "Golden case after this bug: ", element("code", {}, m.bug.case), ". " + m.bug.purpose),
                element("p", { class: "note" }, "Outlined numbers are not the certified ones. The wrong kernel’s own are "
                    + "computed in binary64." + (m.window === null ? "" : " Here W = " + m.window + ".")),
                element("div", { class: "pair" },
                    comparison("Wrong weights P", tokens(), tokens(), (t, s) => s <= t ? m.p[before(t) + s] : undefined,
                               (t, s) => right.p[before(t) + s], "P"),
                    comparison("Wrong output O", tokens(), components_, (t, k) => m.o[t * dim + k],
                               (t, k) => right.o[t * dim + k], "O"),
                    comparison("Wrong lookahead keys after the last word", tokens(), components_, (s, k) => m.u[s * dim + k],
                               (s, k) => lookup.U(s, k, L - 1), "U"),
                    m.su ? comparison("Wrong lookahead scores sU", tokens(), tokens(),
                               (t, s) => s < t ? m.su[strictBefore(t) + s] : undefined,
                               (t, s) => right.su[strictBefore(t) + s], "SU") : null));
    }
    $("scene").textContent = sceneText();
    $("compare").replaceChildren(...to);
}
