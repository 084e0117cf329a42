/* SPDX-License-Identifier: GPL-3.0-or-later */
/* explain_controls.js - the sweep of Algorithm 1, the controls, and the beginning. */
"use strict";

/* ---- the sweep ------------------------------------------------------------------------------------ */

const blocks = Math.ceil(L / block);
const rowsOf = i => count(i * block, Math.min(L, (i + 1) * block));
/* Block diagonals k = 0, 1, ..: query block i = j + k meets key block j. */
const sweep = count(0, blocks).flatMap(k => count(0, blocks - k).map(j => ({ k, j, i: j + k })));

const blockOf = t => Math.floor(t / block);
const turnOf = (t, s) => sweep.findIndex(v => v.i === blockOf(t) && v.j === blockOf(s));
function drawSweepMap() {
    markSquare("sweep-map", "Queries down, keys across; blocks of " + block, (t, s) => {
        const turn = s > t ? Infinity : turnOf(t, s);
        return s > t ? "ahead" : turn < visit.at ? "past" : turn === visit.at ? "current" : "coming";
    });
}

function drawSweep() {
    const { k, i, j } = sweep[visit.at], queries = rowsOf(i), keys = rowsOf(j), start = i * block;
    drawSweepMap();
    draw("sweep-state", panel => [
        k > 0 ? grid(panel, "D of key block " + (j + 1), "what its keys have seen before query block " + (i + 1),
                     components(), keys, (s, c) => cell("D", s, c, start - 1)) : null,
        grid(panel, "sU of this block", "", keys.map(s => "key " + (s + 1)), queries,
             (t, s) => keys[s] < t ? cell("SU", t, keys[s]) : null),
        grid(panel, "m, l and O of query block " + (i + 1), "O is not yet divided by l", ["m", "l", ...components()], queries,
             (t, c) => c > 1 ? cell("PART", t, c - 2, k) : cell(c ? "SUM" : "M", t, 0, k)),
    ].filter(e => e !== null));
    $("sweep").value = visit.at + 1;
    $("sweep").setAttribute("aria-valuetext", "block " + (visit.at + 1) + " of " + sweep.length);
    $("sweep-note").replaceChildren("Visit " + (visit.at + 1) + " of " + sweep.length + ", diagonal k = " + k + ": queries " +
        (queries[0] + 1) + " to " + (queries[queries.length - 1] + 1) + ", keys " + (keys[0] + 1) + " to " +
        (keys[keys.length - 1] + 1) + ". ",
        markup("span", k === 0 ? "On the diagonal D is absent (22)."
            : "D takes in query block " + i + " (23), then sU = scale " + symbol.QC + " D plus this block’s own part (24)."),
        " Then the online softmax (Algorithm 2)" + (j === 0 ? "; these queries are complete: O is divided by l." : "."));
}

/* ---- drawing -------------------------------------------------------------------------------------- */

const drawn = { scene: false }; /* whether the large tables are those of this scene */
const level = () => document.body.dataset.level;

function drawStep() {
    const t = state.t;
    $("step").value = t + 1;
    $("step").setAttribute("aria-valuetext", "step " + (t + 1) + ", " + wordAt(t));
    $("now").textContent = "t = " + (t + 1) + " of " + L + ": " + (wordAt(t).length > 14 ? wordAt(t).slice(0, 13) + "…" : wordAt(t));
    drawStrip();
    drawFields();
    drawKeys();
    drawLooks();
    if (level() !== "story") {
        drawRecurrent();
        drawCache();
        moveRow();
    }
}
function drawScene() {
    drawn.scene = level() !== "story";
    if (drawn.scene) {
        drawInputs();
        drawParallel();
        drawSweep();
    }
    drawCompare();
    drawStep();
}

/* ---- controls ------------------------------------------------------------------------------------- */

const clamped = (x, most) => Math.max(0, Math.min(most, x));
function step(t) {
    state.t = clamped(t, L - 1);
    drawStep();
    if (state.edit || state.mutant)
        drawCompare();
}
function visitBlock(at) {
    visit.at = clamped(at, sweep.length - 1);
    drawSweep();
}

/* One timer per animation; it stops at the end, and when pressed again. */
function player(id, advance) {
    $(id).addEventListener("click", () => {
        if (timers[id]) {
            stop(id);
            return;
        }
        $(id).textContent = "Pause";
        advance(true);
        timers[id] = setInterval(() => advance(false) || stop(id), 1100);
    });
}
function stop(id) {
    clearInterval(timers[id]);
    timers[id] = null;
    $(id).textContent = "Play";
}
const advanceStep = first => {
    step(state.t === L - 1 ? first ? 0 : L - 1 : state.t + 1);
    return state.t < L - 1;
};
const advanceVisit = first => {
    visitBlock(visit.at === sweep.length - 1 ? first ? 0 : visit.at : visit.at + 1);
    return visit.at < sweep.length - 1;
};

const option = (value, text) => element("option", { value }, text);
const windowText = W => W === null ? "none" : String(W);

/* The setting of this window and variant, or as near as the page has it. */
function settingFor(W, variant) {
    const all = state.head.settings;
    return all.find(s => s.window === W && s.variant === variant) || all.find(s => s.variant === variant && s.window === data.window);
}
function fillSelects() {
    const windows = [...new Set(state.head.settings.map(s => s.window))].sort((a, b) => (a === null ? 99 : a) - (b === null ? 99 : b));
    $("window").replaceChildren(...windows.map(W => option(windowText(W), windowText(W))));
    const edits = state.head.edits.map((e, n) => [e, n]).sort((a, b) => a[0].at - b[0].at);
    $("edit").replaceChildren(option("", "as given"), ...edits.map(([e, n]) =>
        option(String(n), (e.at + 1) + " " + data.words[e.at] + " → " + e.word)));
    $("mutant").replaceChildren(option("", "none: the right one"), ...state.head.mutants.map((m, n) =>
        option(String(n), m.name.replace(/-/g, " "))));
    $("edit").disabled = edits.length === 0;
    $("mutant").disabled = state.head.mutants.length === 0;
}
function showSelects() {
    const shown = state.edit ? state.head.settings[0] : state.setting;
    $("window").value = windowText(shown.window);
    $("variant").value = shown.variant;
    $("edit").value = state.edit ? String(state.head.edits.indexOf(state.edit)) : "";
    $("mutant").value = state.mutant ? String(state.head.mutants.indexOf(state.mutant)) : "";
}
/* An edit and a wrong kernel come in the setting that the page was made for, so each puts the others back. */
function scene(change) {
    Object.assign(state, { edit: null, mutant: null }, change);
    showSelects();
    drawScene();
}
const original = () => state.head.settings[0];
const chosenWindow = () => $("window").value === "none" ? null : Number($("window").value);
function chooseMutant(mutant) {
    scene({ mutant, setting: mutant ? settingFor(mutant.window, "castle") : original() });
}

const show = {
    first: () => step(0),
    window: () => {
        const W0 = state.head.settings.find(s => s.window === 0);
        scene({ setting: W0 || original() });
    },
    edit: () => {
        const last = state.head.edits.find(e => e.at === L - 1);
        scene({ edit: last || null, setting: original() });
        step(L - 1);
    },
};
const target = { first: "keys-title", window: "change-title", edit: "change-title" };

function listen() {
    $("step").addEventListener("input", () => step(Number($("step").value) - 1));
    $("previous").addEventListener("click", () => step(state.t - 1));
    $("next").addEventListener("click", () => step(state.t + 1));
    player("play", advanceStep);
    $("sweep").addEventListener("input", () => visitBlock(Number($("sweep").value) - 1));
    $("sweep-previous").addEventListener("click", () => visitBlock(visit.at - 1));
    $("sweep-next").addEventListener("click", () => visitBlock(visit.at + 1));
    player("sweep-play", advanceVisit);
    document.querySelectorAll("input[name=level]").forEach(radio => radio.addEventListener("change", () => {
        document.body.dataset.level = radio.value;
        drawn.scene ? drawStep() : drawScene();
    }));
    $("window").addEventListener("change", () => scene({ setting: settingFor(chosenWindow(), $("variant").value) }));
    $("variant").addEventListener("change", () => scene({ setting: settingFor(chosenWindow(), $("variant").value) }));
    $("edit").addEventListener("change", () => scene({ edit: state.head.edits[$("edit").value] || null, setting: original() }));
    $("mutant").addEventListener("change", () => chooseMutant(state.head.mutants[$("mutant").value] || null));
    $("reset").addEventListener("click", () => scene({ setting: original() }));
    $("head").addEventListener("change", () => {
        state.head = data.heads[$("head").value];
        fillSelects();
        scene({ setting: original() });
    });
    $("tables").addEventListener("click", () => {
        const open = $("static").classList.toggle("open");
        $("tables").setAttribute("aria-expanded", String(open));
        $("tables").textContent = open ? "Hide the tables" : "Show every step as tables";
        if (open)
            $("static").scrollIntoView();
    });
}

function listenToQuestions() {
    document.querySelectorAll(".questions fieldset").forEach(question => {
        const answer = question.querySelector("details"), verdict = element("p", { class: "verdict", role: "status" });
        answer.before(verdict);
        question.addEventListener("change", e => {
            verdict.textContent = e.target.value === question.dataset.right ? "Yes." : "Not quite.";
            answer.open = true;
        });
    });
    document.querySelectorAll("[data-show]").forEach(button => button.addEventListener("click", () => {
        show[button.dataset.show]();
        $(target[button.dataset.show]).scrollIntoView();
    }));
}

function begin() {
    document.body.classList.toggle("long", LONG);
    markedSquare("fields-ordinary", "field", s => "key " + label(s));
    markedSquare("fields-castle", "field", s => "key " + label(s));
    markedSquare("sweep-map", "sweep", t => "query " + (t + 1));
    $("step").max = L;
    $("sweep").max = sweep.length;
    $("head").replaceChildren(...data.heads.map((_, n) => option(String(n), String(n + 1))));
    $("head-label").hidden = data.heads.length === 1;
    drawLegend();
    fillSelects();
    listen();
    listenToQuestions();
    state.t = Math.min(L, 4) - 1;
    scene({});
}
begin();
