// One bundle's answer as bars: probability on a scale of odds, with the threshold as a tick. An output that is not
// calibrated is no probability: its bar is hatched, its number has no percent sign, and it says so.

const LOW = 0.001;
const AXIS = [0.001, 0.01, 0.1, 0.5, 0.9, 0.999];

const odds = (p) => Math.log(p / (1 - p));
const place = (p) => (odds(Math.min(1 - LOW, Math.max(LOW, p))) - odds(LOW)) / (-2 * odds(LOW));

export function written(p, isCalibrated) {
  const [times, unit] = isCalibrated ? [100, " %"] : [1, ""];
  if (p < 0.001) return `<${0.001 * times}${unit}`;
  if (p > 0.999) return `>${0.999 * times}${unit}`;
  const digits = p < 0.1 || p > 0.9 ? 3 : 2;
  return `${(times * p).toFixed(isCalibrated ? digits - 2 : digits)}${unit}`;
}

// Percentage points of a probability; of an output that is none, as it is.
export function moved(change, isCalibrated) {
  const size = Math.abs(change);
  const text = isCalibrated ? (100 * size).toFixed(1) : size.toFixed(3);
  return size < 0.0005 ? text : `${change > 0 ? "+" : "−"}${text}`;
}

export function element(name, properties = {}, ...children) {
  const { style, data, ...rest } = properties;
  const made = Object.assign(document.createElement(name), rest);
  Object.assign(made.style, style);
  Object.assign(made.dataset, data);
  made.append(...children.filter((child) => child != null));
  return made;
}

// Present ones first, then probabilities before what is none, then the likelier first; what says that there is nothing
// stands last.
export function ordered(findings) {
  const rank = (one) => (one.means_none ? 4 : (one.decision === "present" ? 0 : 2) + !one.is_calibrated);
  return [...findings].sort((a, b) => rank(a) - rank(b) || b.probability - a.probability).map((one) => one.finding);
}

export function column({ answer, first, order, chosen, head, choose }) {
  const now = new Map(answer.findings.map((one) => [one.finding, one]));
  const before = new Map(first.findings.map((one) => [one.finding, one]));
  const list = element("ul", { className: "findings" });
  for (const name of order.filter((one) => now.has(one))) {
    const button = bar(now.get(name), before.get(name), name === chosen);
    button.addEventListener("click", () => choose(name));
    list.append(element("li", {}, button));
  }
  const axis = element("div", { className: "axis", ariaHidden: "true" });
  const isProbability = answer.findings.some((one) => one.is_calibrated);
  for (const p of AXIS) axis.append(element("span", { textContent: isProbability ? `${100 * p} %` : p, style: { left: `${100 * place(p)}%` } }));
  return element("section", { className: "column", ariaLabel: `Findings of ${answer.bundle.name}` },
    head, axis, list, ...legends(answer.findings), unanswered(answer.bundle.not_answered));
}

// Findings that the bundle gives no number for, each with the reason; nothing where it answers all.
function unanswered(reasons) {
  const names = Object.keys(reasons);
  if (!names.length) return null;
  const items = names.map((name) => element("li", { textContent: `${shown(name)}: ${reasons[name]}` }));
  return element("details", { className: "unanswered" },
    element("summary", { textContent: `Not answered: ${names.map(shown).join(", ")}` }), element("ul", {}, ...items));
}

function legends(findings) {
  const made = [element("p", { className: "legend" }, element("i"), "threshold, ▲ reached; P percentile among the validation films; the scale is one of odds")];
  if (findings.every((one) => one.is_calibrated)) return made;
  return [...made, element("p", { className: "legend" }, element("i", { className: "hatched" }),
    "not calibrated: the network’s own output, no probability")];
}

function bar(one, before, isChosen) {
  const [now, then] = [one, before].map((own) => written(own.probability, one.is_calibrated));
  const hasMoved = now !== then;
  const track = element("span", { className: "track", ariaHidden: "true" });
  track.append(element("span", { className: "bar", style: { width: `${100 * place(one.probability)}%` } }));
  if (hasMoved) track.append(element("span", { className: "ghost", style: { width: `${100 * place(before.probability)}%` } }));
  if (one.threshold != null) track.append(element("span", { className: "tick", style: { left: `${100 * place(one.threshold)}%` } }));
  const name = element("span", { className: "name" }, shown(one.finding));
  if (!one.is_calibrated) name.append(" ", element("small", { className: "tag", textContent: "not calibrated" }));
  if (hasMoved) name.append(" ", element("small", { className: "moved", textContent: `was ${then}` }));
  const button = element("button", { type: "button", className: `finding ${one.decision ?? "open"}`, data: { finding: one.finding } },
    name,
    element("span", { className: "place", textContent: `P${Math.round(one.percentile)}` }),
    element("span", { className: "number", textContent: `${one.decision === "present" ? "▲ " : ""}${now}` }),
    track);
  button.classList.toggle("raw", !one.is_calibrated);
  button.setAttribute("aria-pressed", String(isChosen));
  button.setAttribute("aria-label", `${shown(one.finding)}: ${one.is_calibrated ? "" : "not calibrated, output "}${now}${hasMoved ? `, was ${then}` : ""}, ${standing(one)}. Show heat map`);
  return button;
}

export function shown(finding) {
  return finding.replaceAll("_", " ");
}

function standing(one) {
  const side = { present: "above its threshold", absent: "below its threshold" }[one.decision] ?? "no threshold";
  return `${side}; percentile ${Math.round(one.percentile)} of the validation films`;
}
