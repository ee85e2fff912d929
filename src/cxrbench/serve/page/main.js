// What the page does: a film is dropped, the server asked, its answer drawn.

import * as api from "./api.js";
import { column, element, moved, ordered, shown, written } from "./findings.js";
import { Viewer } from "./viewer.js";

const at = (id) => document.getElementById(id);
const viewer = new Viewer(at("film"));
const FACTS = ["age", "sex", "view"];
const CONTROLS = ["window", "level", "in", "out", "invert", "reset"];
const SOURCES = { header: "from the file", given: "as entered", unknown: "unknown" };
const UNKNOWN = "unknown"; // as the server takes it
const NO_EVIDENCE = "Nothing in the film speaks for it, so there is no heat map.";
const WAIT_MS = 300;

const state = {
  served: [], // bundles of the server
  limitMb: Infinity,
  shown: [], // names of the bundles side by side
  isEntering: false, // while the server is asked for them
  waiting: null, // a film that came before the bundles were known
  file: null,
  first: new Map(), // bundle -> its first answer about this film
  answers: new Map(), // bundle -> its latest answer
  order: [],
  chosen: null, // { bundle, finding }
  underway: {}, // film, answer, heat -> AbortController of the last request; what was overtaken is not drawn
};

listen();
enter();

// Another request of a kind overtakes the one before, which is drawn no more even if its answer is here already.
function overtake(kind) {
  stop(kind);
  state.underway[kind] = new AbortController();
  return state.underway[kind].signal;
}

function stop(...kinds) {
  for (const kind of kinds) state.underway[kind]?.abort();
}

async function enter() {
  if (state.isEntering) return;
  state.isEntering = true;
  try {
    const { bundles, max_upload_mb: limit } = await api.bundles();
    Object.assign(state, { served: bundles, limitMb: limit, shown: bundles.slice(0, 2).map((one) => one.name) });
    document.querySelector("main").classList.toggle("wide", state.shown.length > 1);
    drawNotices();
    if (state.waiting) open(state.waiting);
  } catch (error) {
    complain(error);
  } finally {
    state.isEntering = false;
  }
}

function askForToken() {
  if (at("door").open) return; // several requests may be refused together
  state.waiting ??= state.file;
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
    forgetFacts();
    ask();
  });
}

function open(file) {
  complain(null);
  empty();
  if (!state.served.length) {
    state.waiting = file;
    enter();
  } else if (file.size > state.limitMb * 2 ** 20) {
    complain({ what: `The file is larger than ${state.limitMb} MB`, remedy: "choose one film" });
  } else {
    Object.assign(state, { file, waiting: null });
    say("Reading the film");
    draw();
    ask();
  }
}

// Nothing of the film before may stand beside the next one.
function empty() {
  stop("film", "answer", "heat");
  Object.assign(state, { file: null, first: new Map(), answers: new Map(), order: [], chosen: null });
  viewer.clear();
  drawHeat();
  at("file").value = "";
  at("size").hidden = at("shades").hidden = true;
  at("drop").hidden = at("empty").hidden = false;
  at("columns").replaceChildren();
  at("columns").removeAttribute("aria-busy");
  at("warnings").hidden = at("stale").hidden = true;
  forgetFacts();
  for (const id of CONTROLS) at(id).disabled = true;
}

async function draw() {
  const signal = overtake("film");
  try {
    const { picture, size } = await api.film(state.file, signal);
    if (signal.aborted) return;
    viewer.show(picture);
    at("drop").hidden = true;
    at("size").hidden = at("shades").hidden = false;
    at("size").textContent = `${size.replace("x", "×")} px`;
    at("film").setAttribute("aria-label", `Chest film, ${size} pixels`);
    for (const id of CONTROLS) at(id).disabled = false;
  } catch (error) {
    if (!signal.aborted) complain(error);
  }
}

let timer = 0;
function askLater({ target }) {
  target.dataset.given = "yes";
  at("restore").disabled = !state.file;
  stop("answer", "heat"); // what comes now would be of other values
  clearTimeout(timer);
  if (hasWrongFact()) {
    refuseFacts();
    return;
  }
  at("columns").setAttribute("aria-busy", "true");
  timer = setTimeout(ask, WAIT_MS);
}

// What was entered counts, and a field that was emptied counts as unknown; the others are left to the file's header.
const given = () => Object.fromEntries(FACTS.filter((name) => at(name).dataset.given).map((name) => [name, at(name).value || UNKNOWN]));

// Whether a field has what cannot be asked about; marks it.
function hasWrongFact() {
  for (const name of FACTS) {
    if (at(name).validity.valid) at(name).removeAttribute("aria-invalid");
    else at(name).setAttribute("aria-invalid", "true");
  }
  return !at("facts").checkValidity();
}

function refuseFacts() {
  const field = FACTS.map(at).find((one) => !one.validity.valid);
  at(`${field.id}-source`).textContent = "not asked about";
  const title = field.labels[0].firstChild.textContent.trim();
  const remedy = state.answers.size ? "the findings below are not of this value; correct it" : "correct it";
  complain({ what: `${title}: ${field.validationMessage}`, remedy });
  disown();
}

// The answers that are shown are not of what was entered.
function disown() {
  at("columns").removeAttribute("aria-busy");
  at("stale").hidden = !state.answers.size;
}

async function ask() {
  clearTimeout(timer);
  if (!state.file || hasWrongFact()) return;
  complain(null);
  const signal = overtake("answer");
  at("columns").setAttribute("aria-busy", "true");
  try {
    const { file, shown: bundles } = state;
    const answers = await Promise.all(bundles.map((bundle) => api.predict(file, { ...given(), bundle }, signal)));
    if (signal.aborted) return;
    at("stale").hidden = true;
    answers.forEach((answer, i) => take(bundles[i], answer));
    drawAnswers();
    at("columns").removeAttribute("aria-busy");
  } catch (error) {
    if (signal.aborted) return;
    complain(error);
    disown();
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
  const refocus = focused();
  at("empty").hidden = true;
  at("columns").replaceChildren(...names.map((name, i) => drawColumn(name, i)));
  refocus();
  drawFacts(state.answers.get(names[0]).facts);
  drawWarnings(names);
  drawNotices();
  drawHeat();
  say(`Answer: ${names.map((name) => `${names.length > 1 ? `${name}: ` : ""}${inShort(state.answers.get(name))}`).join(". ")}.`);
}

function inShort({ findings }) {
  const present = findings.filter((one) => one.decision === "present");
  if (!present.length) return "nothing above its threshold";
  return `above threshold ${present.map((one) => `${shown(one.finding)}${one.is_calibrated ? "" : " (not calibrated)"}`).join(", ")}`;
}

// What had the focus in a column gets it back when the columns are drawn anew.
function focused() {
  const { activeElement } = document;
  const index = [...at("columns").children].indexOf(activeElement?.closest(".column"));
  if (index < 0) return () => {};
  const { finding } = activeElement.dataset;
  const selector = finding ? `.finding[data-finding="${CSS.escape(finding)}"]` : activeElement.tagName;
  return () => at("columns").children[index]?.querySelector(selector)?.focus();
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
    try {
      const page = URL.createObjectURL(new Blob([await api.card(name)], { type: "text/plain;charset=utf-8" }));
      window.open(page, "_blank", "noopener");
    } catch (error) {
      complain(error);
    }
  });
  if (state.served.length < 3) return element("header", {}, element("h2", { textContent: name }), link);
  const select = element("select", { ariaLabel: index ? "Compared with" : "Bundle" });
  for (const one of state.served) select.append(new Option(one.name, one.name, false, one.name === name));
  select.addEventListener("change", () => {
    // Never the same bundle twice: the other one takes this one's place.
    state.shown = state.shown.map((one, i) => (i === index ? select.value : one === select.value ? name : one));
    if (!state.shown.includes(state.chosen?.bundle)) state.chosen = null;
    ask();
  });
  return element("header", {}, select, link);
}

function findButton(bundle, finding) {
  return [...document.querySelectorAll(".finding")].find(
    (one) => one.dataset.finding === finding && one.closest(".column").dataset.bundle === bundle);
}

// Nothing counts as entered any more.
function forgetFacts() {
  for (const name of FACTS) delete at(name).dataset.given;
  drawFacts();
}

// Age, sex and view as they were used, or for none: nothing is known yet. What is being entered stays.
function drawFacts(facts = {}) {
  for (const name of FACTS) {
    const { value = null, source = "" } = facts[name] ?? {};
    const field = at(name);
    field.removeAttribute("aria-invalid");
    if (name === "view" && value && ![...field.options].some((one) => one.value === value)) field.append(new Option(value, value));
    if (document.activeElement !== field || !field.dataset.given) field.value = value == null ? "" : name === "age" ? Math.round(10 * value) / 10 : value;
    at(`${name}-source`).textContent = source === "given" && value == null ? "as entered: unknown" : SOURCES[source] ?? "";
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
  drawHeat();
}

// What the chosen number means, under its bar.
function drawDetail(note = "") {
  const one = state.chosen && state.answers.get(state.chosen.bundle)?.findings.find((own) => own.finding === state.chosen.finding);
  document.querySelector(".detail")?.remove();
  if (!one) return;
  const changes = Object.entries(one.moved_by).map(([feature, change]) => `${feature} ${moved(change, one.is_calibrated)}`);
  const lines = [element("p", { textContent: one.meaning })];
  if (one.threshold != null) lines.push(element("p", { className: "faint", textContent: `Counts as present from ${written(one.threshold, one.is_calibrated)} on.` }));
  const unit = one.is_calibrated ? "in points" : "in units of the output";
  if (changes.length) lines.push(element("p", { className: "faint", textContent: `Moved against the training population, ${unit}: ${changes.join(", ")}.` }));
  if (note) lines.push(element("p", { className: "faint", textContent: note }));
  findButton(state.chosen.bundle, state.chosen.finding).after(element("div", { className: "detail" }, ...lines));
}

// The chosen finding's heat map; the one before is taken away at once, as it would be taken for this one.
async function drawHeat() {
  const signal = overtake("heat");
  viewer.showHeat(null);
  drawDetail();
  for (const id of ["opacity", "method"]) at(id).disabled = !state.chosen;
  const { file, chosen } = state;
  const missing = chosen && offerMethods(chosen.bundle);
  at("map").textContent = chosen && !missing ? `Drawing the heat map of ${shown(chosen.finding)} …` : "";
  if (missing) drawDetail(`No heat map: ${missing}.`);
  if (!chosen || missing) return;
  try {
    const { map, hasEvidence, method } = await api.heat(file, { ...given(), ...chosen, method: at("method").value }, signal);
    if (signal.aborted) return;
    const edge = hasEvidence ? edgeOf(state.answers.get(chosen.bundle)) : null;
    viewer.showHeat(hasEvidence ? map : null, edge);
    at("map").textContent = caption(chosen, method, hasEvidence, edge);
    drawDetail(hasEvidence ? "The map’s hottest place is always opaque: the number says how much there is to explain." : NO_EVIDENCE);
  } catch (error) {
    if (signal.aborted) return;
    at("map").textContent = "";
    complain(error);
  }
}

// Not every network has class activation maps: what this bundle has no maps of cannot be chosen. Returns why a bundle
// has none at all; a server without its code has the answers alone.
function offerMethods(bundle) {
  const { methods, no_heat_maps: missing } = state.served.find((one) => one.name === bundle);
  const select = at("method");
  if (missing) {
    for (const id of ["opacity", "method"]) at(id).disabled = true;
    return missing;
  }
  for (const option of select.options) option.disabled = !methods.includes(option.value);
  if (select.selectedOptions[0].disabled) select.value = [...select.options].find((one) => !one.disabled).value;
  return null;
}

// Whose map it is, and why it ends where it does.
function caption({ bundle, finding }, method, hasEvidence, edge) {
  const asked = at("method").selectedOptions[0];
  const made = method && method !== asked.value ? `${method}, as ${asked.textContent} is refused on this film` : asked.textContent;
  const lines = [`Heat map of ${shown(finding)} by ${bundle}, ${made}.`];
  if (!hasEvidence) lines.push(NO_EVIDENCE);
  else if (edge) lines.push("Dashed: edge of what the network saw.");
  return lines.join("\n");
}

// Of what the network saw, in shares of the film: left, top, width, height; null where it saw all of it.
function edgeOf({ seen, width, height }) {
  const edge = [seen.x / width, seen.y / height, seen.width / width, seen.height / height];
  return edge[2] * edge[3] > 0.999 ? null : edge;
}

function showView() {
  const { window: width, level, zoom, isInverted } = viewer.view;
  at("window").value = width;
  at("level").value = level;
  at("invert").setAttribute("aria-pressed", String(isInverted));
  at("map").classList.toggle("off", !viewer.isHeatShown);
  at("shades").textContent = `W ${Math.round(width)}  L ${Math.round(level)}  ${Math.round(100 * zoom)} %`;
}

function complain(error) {
  const box = at("error");
  box.hidden = !error || error.status === 401;
  if (error?.status === 401) askForToken();
  if (box.hidden) return;
  box.replaceChildren(element("strong", { textContent: error.what ?? String(error) }), element("span", { textContent: error.remedy ?? "" }));
}

function say(text) {
  at("said").textContent = text;
}
