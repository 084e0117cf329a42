/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * explain_equations.js - looks numbers up and writes their equations; it computes none.
 *
 * A number is a whole one, its value times 10^4, or null (explain_json.h). Tokens, keys and components count
 * from 0 here and from 1 on the page.
 */
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const L = data.words.length, dim = data.dim, block = data.block;

/* What is looked at. edit and mutant are objects of the data, or null; with either the setting is fixed. */
const state = { t: 0, head: data.heads[0], setting: data.heads[0].settings[0], edit: null, mutant: null };

const wordAt = s => state.edit && state.edit.at === s ? state.edit.word : data.words[s];
const windowNow = () => settingAt(L - 1).window === null ? L : settingAt(L - 1).window;
const variantNow = () => settingAt(L - 1).variant;

/* ---- lookups ------------------------------------------------------------------------------------ */

const edited = t => state.edit !== null && t >= state.edit.at;
const textAt = t => edited(t) ? state.edit.text : state.head.text;
const settingAt = t => edited(t) ? state.edit.setting : state.edit ? state.head.settings[0] : state.setting;
const firstRow = t => edited(t) ? state.edit.at : 0; /* that the lists of row t hold */

const before = t => t * (t + 1) / 2;       /* entries s <= r of the rows r < t */
const strictBefore = t => t * (t - 1) / 2; /* entries s < r */
const visits = t => Math.floor(t / block) + 1;
function visitsBefore(t) {
    let n = 0;
    for (let r = 0; r < t; r++)
        n += visits(r);
    return n;
}

const lower = list => (t, s) => list(t)[before(t) - before(firstRow(t)) + s];
const strict = list => (t, s) => list(t)[strictBefore(t) - strictBefore(firstRow(t)) + s];
const online = (list, each) => (t, v, k) =>
    list(t)[(visitsBefore(t) - visitsBefore(firstRow(t)) + v) * each + (k || 0)];
const input = name => (s, k) => state.edit && state.edit.at === s ? state.edit.vectors[name][k]
                                                                   : state.head.vectors[name][s * dim + k];

/* U^t of a window is U without one at an earlier step: row s stands still after step s + W. */
function lookaheadKey(s, k, t) {
    const last = Math.min(t, s + windowNow());
    return textAt(last).u[(before(last) - before(firstRow(last)) + s) * dim + k];
}

const lookup = {
    QU: input("qu"), KU: input("ku"), VU: input("vu"), QC: input("qc"), KC: input("kc"), VC: input("vc"),
    Z: (s, j) => strict(t => textAt(t).z)(j, s),
    G: (s, j) => strict(t => textAt(t).g)(j, s),
    T1: lower(t => textAt(t).t1),
    SC: (t, s) => variantNow() === "without-causal-keys" ? 0 : lower(r => textAt(r).sc)(t, s),
    SU: strict(t => settingAt(t).su),
    SILU: strict(t => settingAt(t).silu),
    S: lower(t => settingAt(t).s),
    P: lower(t => settingAt(t).p),
    O: (t, k) => settingAt(t).o[(t - firstRow(t)) * dim + k],
    LSE: t => settingAt(t).lse[t - firstRow(t)],
    M: online(t => settingAt(t).m, 1),
    SUM: online(t => settingAt(t).l, 1),
    PART: (t, k, v) => online(r => settingAt(r).part, dim)(t, v, k),
    U: lookaheadKey,
    D: lookaheadKey,
};

/* A cell: a tensor, its two indices, and where it needs one a step or visit `at`. */
const cell = (tensor, i, j, at, form) => ({ tensor, i, j, at, form });
const valueOf = c => c.tensor === "M" || c.tensor === "SUM" ? lookup[c.tensor](c.i, c.at) : lookup[c.tensor](c.i, c.j, c.at);

/* Entries that take part: the masks. */
const allowed = (s, j) => s < j && j <= s + windowNow();

/* ---- numbers as text ---------------------------------------------------------------------------- */

/* 12500 is 1.2500; `short` drops zeros at the end, for inputs, which are exact. */
function decimal(whole, short) {
    if (whole === null || whole === undefined)
        return "not finite";
    const digits = String(Math.abs(whole)).padStart(data.decimals + 1, "0");
    const point = digits.length - data.decimals;
    let fraction = digits.slice(point);
    if (short)
        fraction = fraction.slice(0, 2);
    return (whole < 0 ? "−" : "") + digits.slice(0, point) + "." + fraction;
}

const isInput = tensor => tensor in { QU: 1, KU: 1, VU: 1, QC: 1, KC: 1, VC: 1 };
const textOf = c => decimal(valueOf(c), isInput(c.tensor));
const inBrackets = text => text.startsWith("−") ? "(" + text + ")" : text;
const factor = c => inBrackets(textOf(c));

/* ---- names -------------------------------------------------------------------------------------- */

const symbol = {
    QU: "Q<sup>U</sup>", KU: "K<sup>U</sup>", VU: "V<sup>U</sup>", QC: "Q<sup>C</sup>", KC: "K<sup>C</sup>",
    VC: "V<sup>C</sup>", Z: "z", G: "g", U: "u", D: "D", T1: "T1", SC: "sC", SU: "sU", SILU: "SiLU(sU)",
    S: "score", P: "p", O: "o", LSE: "lse", M: "m", SUM: "l", PART: "O",
};
const meaning = {
    QU: "lookahead queries: open the gate", KU: "lookahead keys of the gate", VU: "what later words write into u",
    QC: "causal queries", KC: "causal keys: stand still", VC: "values: what the output sums", G: "gates",
    U: "lookahead keys: move", T1: "queries against V<sup>U</sup>", SC: "causal scores", SU: "lookahead scores",
    P: "weights", O: "output", Z: "gate logits", SILU: "taken off the causal score", S: "what enters softmax", LSE: "log of softmax’s sum",
};
const byStep = { U: 1, D: 1 };
function nameOf(c) {
    const one = c.tensor === "LSE" || c.tensor === "M" || c.tensor === "SUM";
    const step = c.tensor in byStep ? "<sup>(" + (c.at + 1) + ")</sup>" : "";
    return symbol[c.tensor] + step + "<sub>" + (c.i + 1) + (one ? "" : "," + (c.j + 1)) + "</sub>";
}

/* ---- equations ---------------------------------------------------------------------------------- */

const MOST_TERMS = 8;
function joined(terms, sign) {
    if (terms.length === 0)
        return "0 (an empty sum)";
    if (terms.length <= MOST_TERMS)
        return terms.join(sign);
    return terms.slice(0, MOST_TERMS - 1).join(sign) + sign + "… " + (terms.length - MOST_TERMS + 1) + " more";
}

/* A sum of products of cells, with or without the scale in front. */
function sumOfProducts(pairs, scaled) {
    const names = joined(pairs.map(([a, b]) => nameOf(a) + " " + nameOf(b)), " + ");
    const numbers = joined(pairs.map(([a, b]) => factor(a) + "×" + factor(b)), " + ");
    const front = decimal(data.scale);
    return {
        names: scaled ? "scale × (" + names + ")" : names,
        numbers: scaled ? front + " × (" + numbers + ")" : numbers,
        operands: pairs.flat(),
    };
}
const count = (first, end) => Array.from({ length: Math.max(0, end - first) }, (_, k) => first + k);
const dot = (a, i, b, j, at) =>
    sumOfProducts(count(0, dim).map(k => [cell(a, i, k), cell(b, j, k, at)]), true);

const one = (names, numbers, operands) => ({ names, numbers, operands });

/* U^t_s = U^{t-1}_s + gate VU_t (13). */
function cacheUpdate(c) {
    if (c.i === c.at)
        return one("0, the row of a new token", "0", []);
    const old = cell("U", c.i, c.j, c.at - 1);
    if (!allowed(c.i, c.at))
        return one(nameOf(old) + ", past the window: it stands still", textOf(old), [old]);
    const gate = cell("G", c.i, c.at), value = cell("VU", c.at, c.j);
    return one(nameOf(old) + " + " + nameOf(gate) + " " + nameOf(value),
               textOf(old) + " + " + factor(gate) + "×" + factor(value), [old, gate, value]);
}

/* The keys that row t has met after v + 1 blocks. */
const keysMet = (t, v) => count((Math.floor(t / block) - v) * block, t + 1);

const equations = {
    Z: c => dot("QU", c.i, "KU", c.j),
    SC: c => variantNow() === "without-causal-keys" ? one("0, causal keys are off", "0", []) : dot("QC", c.i, "KC", c.j),
    T1: c => dot("QC", c.i, "VU", c.j),
    G: c => {
        const z = cell("Z", c.i, c.j), q = count(0, dim).flatMap(k => [cell("QU", c.i, k), cell("KU", c.j, k)]);
        return one("sigmoid(" + nameOf(z) + ")", "1 / (1 + exp(−" + factor(z) + "))", [z, ...q]);
    },
    U: c => c.form === "cache" ? cacheUpdate(c)
        : sumOfProducts(count(c.i + 1, c.at + 1).filter(j => allowed(c.i, j))
                            .map(j => [cell("G", c.i, j), cell("VU", j, c.j)])),
    D: c => equations.U(c),
    SU: c => c.form === "recurrent" ? dot("QC", c.i, "U", c.j, c.i)
        : sumOfProducts(count(c.j + 1, c.i + 1).filter(j => allowed(c.j, j))
                            .map(j => [cell("T1", c.i, j), cell("G", c.j, j)])),
    SILU: c => {
        const x = cell("SU", c.i, c.j);
        if (variantNow() === "without-silu")
            return one(nameOf(x) + ", SiLU is off", textOf(x), [x]);
        return one(nameOf(x) + " × sigmoid(" + nameOf(x) + ")", textOf(x) + " / (1 + exp(−" + factor(x) + "))", [x]);
    },
    S: c => {
        const a = cell("SC", c.i, c.j), b = cell("SILU", c.i, c.j);
        if (c.i === c.j)
            return one(nameOf(a) + ": no later word has been read", textOf(a), [a]);
        return one(nameOf(a) + " − " + nameOf(b), textOf(a) + " − " + factor(b), [a, b, cell("SU", c.i, c.j)]);
    },
    P: c => {
        const s = cell("S", c.i, c.j), l = cell("LSE", c.i, 0);
        return one("exp(" + nameOf(s) + " − " + nameOf(l) + ")", "exp(" + textOf(s) + " − " + factor(l) + ")", [s, l]);
    },
    LSE: c => {
        const scores = count(0, c.i + 1).map(s => cell("S", c.i, s));
        return one("log(" + joined(scores.map(s => "exp(" + nameOf(s) + ")"), " + ") + ")",
                   "log(" + joined(scores.map(s => "exp(" + textOf(s) + ")"), " + ") + ")", scores);
    },
    O: c => sumOfProducts(count(0, c.i + 1).map(s => [cell("P", c.i, s), cell("VC", s, c.j)])),
    M: c => {
        const scores = keysMet(c.i, c.at).map(s => cell("S", c.i, s));
        return one("the largest of " + joined(scores.map(nameOf), ", "), joined(scores.map(textOf), ", "), scores);
    },
    SUM: c => {
        const m = cell("M", c.i, 0, c.at), scores = keysMet(c.i, c.at).map(s => cell("S", c.i, s));
        return one(joined(scores.map(s => "exp(" + nameOf(s) + " − " + nameOf(m) + ")"), " + "),
                   joined(scores.map(s => "exp(" + textOf(s) + " − " + factor(m) + ")"), " + "), [m, ...scores]);
    },
    PART: c => {
        const m = cell("M", c.i, 0, c.at), pairs = keysMet(c.i, c.at).map(s => [cell("S", c.i, s), cell("VC", s, c.j)]);
        return one(joined(pairs.map(([s, v]) => "exp(" + nameOf(s) + " − " + nameOf(m) + ") " + nameOf(v)), " + "),
                   joined(pairs.map(([s, v]) => "exp(" + textOf(s) + " − " + factor(m) + ")×" + factor(v)), " + "),
                   [m, ...pairs.flat()]);
    },
};

function equationOf(c) {
    if (isInput(c.tensor))
        return one("drawn for this word from seed " + data.seed, "", []);
    return equations[c.tensor](c);
}
