// What the page does: a film is dropped, the server asked, its answer drawn.

import * as api from "./api.js";
import { column, element, ordered, percent, points, shown } from "./findings.js";
import { Viewer } from "./viewer.js";

const at = (id) => document.getElementById(id);
const viewer = new Viewer(at("film"));
const FACTS = ["age", "sex", "view"];
const CONTROLS = ["window", "level", "in", "out", "invert", "reset"];
const SOURCES = { header: "from the file", given: "as entered", unknown: "unknown" };
const WAIT_MS = 300;

const state = {
  served: [], // bundles of the server
  limitMb: Infinity,
  shown: [], // names of the bundles side by side
  waiting: null, // a film that came before the bundles were known
  file: null,
  first: new Map(), // bundle -> its first answer about this film
  answers: new Map(), // bundle -> its latest answer
  order: [],
  chosen: null, // { bundle, finding }
  turn: 0, // of asking; an answer that was overtaken is not drawn
  pending: new AbortController(),
  heating: new AbortController(),
};

start();

async function start() {
  listen();
  await enter();
}

async function enter() {
  try {
    const { bundles, max_upload_mb: limit } = await api.bundles();
    Object.assign(state, { served: bundles, limitMb: limit, shown: bundles.slice(0, 2).map((one) => one.name) });
    document.querySelector("main").classList.toggle("wide", state.shown.length > 1);
    drawNotices();
    if (state.waiting) open(state.waiting);
  } catch (error) {
    if (error.status === 401) askForToken();
    else complain(error);
  }
}

function askForToken() {
  at("door").showModal();
  at("door").addEventListener("close", async () => {
    api.useToken(at("token").value);
    at("token").value = "";
    at("door-error").textContent = "The server does not take this token.";
    await enter();
  }, { once: true });
}

function listen() {
  const stage = at("stage");
  at("file").addEventListener("change", () => at("file").files[0] && open(at("file").files[0]));
  for (const target of [stage, document.body]) target.addEventListener("dragover", (event) => event.preventDefault());
  document.body.addEventListener("drop", (event) => event.preventDefault());
  stage.addEventListener("dragenter", () => stage.classList.add("over"));
  stage.addEventListener("dragleave", (event) => !stage.contains(event.relatedTarget) && stage.classList.remove("over"));
  stage.addEventListener("drop", (event) => {
    stage.classList.remove("over");
    if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
  });
  at("window").addEventListener("input", () => viewer.change({ window: at("window").valueAsNumber }));
  at("level").addEventListener("input", () => viewer.change({ level: at("level").valueAsNumber }));
  at("in").addEventListener("click", () => viewer.zoomAt(1.25));
  at("out").addEventListener("click", () => viewer.zoomAt(0.8));
  at("invert").addEventListener("click", () => viewer.change({ isInverted: !viewer.view.isInverted }));
  at("reset").addEventListener("click", () => viewer.reset());
  at("opacity").addEventListener("input", () => {
    Object.assign(viewer, { opacity: at("opacity").valueAsNumber / 100, isHeatShown: true });
    viewer.draw();
  });
  at("method").addEventListener("change", () => state.chosen && drawHeat());
  viewer.addEventListener("change", showView);
  at("facts").addEventListener("input", askLater);
  at("facts").addEventListener("submit", (event) => event.preventDefault());
  at("facts").addEventListener("reset", (event) => {
    event.preventDefault();
    for (const name of FACTS) delete at(name).dataset.given;
    ask();
  });
}

async function open(file) {
  complain(null);
  if (!state.served.length) {
    state.waiting = file;
    return;
  }
  if (file.size > state.limitMb * 2 ** 20) {
    complain({ what: `The file is larger than ${state.limitMb} MB`, remedy: "choose one film" });
    return;
  }
  Object.assign(state, { file, first: new Map(), answers: new Map(), order: [], chosen: null });
  for (const name of FACTS) delete at(name).dataset.given;
  at("file").value = "";
  empty();
  restart();
  say("Reading the film");
  await Promise.all([draw(file), ask()]);
}

// Nothing of the film before may stand beside the next one.
function empty() {
  viewer.clear();
  at("size").hidden = at("shades").hidden = true;
  at("drop").hidden = at("empty").hidden = false;
  at("columns").replaceChildren();
  at("warnings").hidden = true;
  for (const name of FACTS) at(name).value = at(`${name}-source`).textContent = "";
  for (const id of [...CONTROLS, "opacity", "method", "restore"]) at(id).disabled = true;
}

function restart() {
  state.pending.abort();
  state.heating.abort();
  state.pending = new AbortController();
}

async function draw(file) {
  try {
    const { picture, size } = await api.film(file, state.pending.signal);
    if (file !== state.file) return;
    viewer.show(picture);
    at("drop").hidden = true;
    at("size").hidden = at("shades").hidden = false;
    at("size").textContent = `${size.replace("x", "×")} px`;
    at("film").setAttribute("aria-label", `Chest film, ${size} pixels`);
    for (const id of CONTROLS) at(id).disabled = false;
  } catch (error) {
    complain(error);
  }
}

let timer = 0;
function askLater(event) {
  event.target.dataset.given = "yes";
  clearTimeout(timer);
  timer = setTimeout(ask, WAIT_MS);
}

// What was entered counts; what was not is left to the file's header.
const given = () => Object.fromEntries(FACTS.filter((name) => at(name).dataset.given).map((name) => [name, at(name).value]));

async function ask() {
  if (!state.file || !at("facts").checkValidity()) return;
  if (state.answers.size) complain(null);
  const { file, pending } = state;
  const turn = (state.turn += 1);
  at("columns").setAttribute("aria-busy", "true");
  try {
    const answers = await Promise.all(state.shown.map((bundle) => api.predict(file, { ...given(), bundle }, pending.signal)));
    if (file !== state.file || turn !== state.turn) return;
    answers.forEach((answer, i) => take(state.shown[i], answer));
    drawAnswers();
    if (state.chosen) drawHeat();
  } catch (error) {
    complain(error);
  } finally {
    if (turn === state.turn) at("columns").removeAttribute("aria-busy");
  }
}

function take(bundle, answer) {
  if (!state.first.has(bundle)) state.first.set(bundle, answer);
  state.answers.set(bundle, answer);
  if (!state.order.length) state.order = ordered(answer.findings);
  state.order.push(...answer.findings.map((one) => one.finding).filter((name) => !state.order.includes(name)));
}

function drawAnswers() {
  const names = state.shown.filter((name) => state.answers.has(name));
  const focused = document.activeElement?.closest?.(".finding");
  const place = focused && [focused.closest(".column").dataset.bundle, focused.dataset.finding];
  at("empty").hidden = true;
  at("columns").replaceChildren(...names.map((name, i) => drawColumn(name, i)));
  if (place) findButton(...place)?.focus();
  const [first] = names.map((name) => state.answers.get(name));
  drawFacts(first.facts);
  drawWarnings(names);
  drawNotices();
  drawDetail();
  const present = first.findings.filter((one) => one.decision === "present").map((one) => one.finding);
  say(`Answer: ${present.length ? `above threshold ${present.join(", ")}` : "nothing above its threshold"}`);
}

function drawColumn(name, index) {
  const made = column({
    answer: state.answers.get(name),
    first: state.first.get(name),
    order: state.order,
    chosen: state.chosen?.bundle === name ? state.chosen.finding : null,
    head: drawHead(name, index),
    choose: (finding) => choose(name, finding),
  });
  made.dataset.bundle = name;
  return made;
}

function drawHead(name, index) {
  const link = element("a", { href: "#", textContent: "Model card", ariaLabel: `Model card of ${name}` });
  link.addEventListener("click", async (event) => {
    event.preventDefault();
    const page = URL.createObjectURL(new Blob([await api.card(name)], { type: "text/plain;charset=utf-8" }));
    window.open(page, "_blank", "noopener");
  });
  if (state.served.length < 3) return element("header", {}, element("h2", { textContent: name }), link);
  const select = element("select", { ariaLabel: index ? "Compared with" : "Bundle" });
  for (const one of state.served) select.append(new Option(one.name, one.name, false, one.name === name));
  select.addEventListener("change", () => {
    state.shown[index] = select.value;
    ask();
  });
  return element("header", {}, select, link);
}

function findButton(bundle, finding) {
  return [...document.querySelectorAll(".finding")].find(
    (one) => one.dataset.finding === finding && one.closest(".column").dataset.bundle === bundle);
}

function drawFacts(facts) {
  for (const name of FACTS) {
    const { value, source } = facts[name];
    const field = at(name);
    if (name === "view" && value && ![...field.options].some((one) => one.value === value)) field.append(new Option(value, value));
    if (document.activeElement !== field) field.value = value == null ? "" : name === "age" ? Math.round(value) : value;
    at(`${name}-source`).textContent = SOURCES[source];
    at(`${name}-source`).className = source;
  }
  at("restore").disabled = !FACTS.some((name) => at(name).dataset.given);
}

function drawWarnings(bundles) {
  const said = new Map(); // warning -> bundles
  for (const name of bundles) for (const warning of state.answers.get(name).warnings) said.set(warning, [...(said.get(warning) ?? []), name]);
  const items = [...said].map(([warning, names]) =>
    element("li", { textContent: names.length < bundles.length ? `${names.join(", ")}: ${warning}` : warning }));
  at("warnings").querySelector("ul").replaceChildren(...items);
  at("warnings").hidden = !items.length;
}

function drawNotices() {
  const served = state.served.filter((one) => state.shown.includes(one.name));
  const notices = new Set(served.flatMap((one) => one.notices));
  at("notices").replaceChildren(...[...notices].map((text) => element("li", { textContent: text })));
}

function choose(bundle, finding) {
  const isSame = state.chosen?.bundle === bundle && state.chosen.finding === finding;
  state.chosen = isSame ? null : { bundle, finding };
  for (const one of document.querySelectorAll(".finding")) one.setAttribute("aria-pressed", "false");
  if (!isSame) findButton(bundle, finding).setAttribute("aria-pressed", "true");
  drawDetail();
  drawHeat();
}

// What the chosen number means, under its bar.
function drawDetail(note = "") {
  const one = state.chosen && state.answers.get(state.chosen.bundle)?.findings.find((own) => own.finding === state.chosen.finding);
  document.querySelector(".detail")?.remove();
  if (!one) return;
  const moved = Object.entries(one.moved_by).map(([feature, change]) => `${feature} ${points(change)}`);
  const lines = [element("p", { textContent: one.meaning })];
  if (one.threshold != null) lines.push(element("p", { className: "faint", textContent: `Counts as present from ${percent(one.threshold)} on.` }));
  if (moved.length) lines.push(element("p", { className: "faint", textContent: `Moved against the training population, in points: ${moved.join(", ")}.` }));
  if (note) lines.push(element("p", { className: "faint", textContent: note }));
  findButton(state.chosen.bundle, state.chosen.finding).after(element("div", { className: "detail" }, ...lines));
}

async function drawHeat() {
  state.heating.abort();
  for (const id of ["opacity", "method"]) at(id).disabled = !state.chosen;
  if (!state.chosen) {
    viewer.showHeat(null);
    return;
  }
  state.heating = new AbortController();
  const { file, chosen, heating } = state;
  try {
    const fields = { ...given(), ...chosen, method: at("method").value };
    const { map, hasEvidence } = await api.heat(file, fields, heating.signal);
    if (heating !== state.heating) return;
    viewer.showHeat(map);
    const note = hasEvidence ? "The map's hottest place is always opaque: the probability says how much there is to explain."
      : "Nothing in the film speaks for it, so there is no heat map.";
    drawDetail(note);
    say(`Heat map of ${shown(chosen.finding)}. ${note}`);
  } catch (error) {
    complain(error);
  }
}

function showView() {
  const { window: width, level, zoom, isInverted } = viewer.view;
  at("window").value = width;
  at("level").value = level;
  at("invert").setAttribute("aria-pressed", String(isInverted));
  at("shades").textContent = `W ${Math.round(width)}  L ${Math.round(level)}  ${Math.round(100 * zoom)} %`;
}

function complain(error) {
  if (error?.name === "AbortError") return;
  const box = at("error");
  box.hidden = !error;
  if (!error) return;
  if (error.status === 401) askForToken();
  box.replaceChildren(element("strong", { textContent: error.what ?? String(error) }), element("span", { textContent: error.remedy ?? "" }));
}

function say(text) {
  at("said").textContent = text;
}
