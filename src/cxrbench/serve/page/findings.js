// One bundle's answer as bars: probability on a scale of odds, with the threshold as a tick.

const LOW = 0.001;
const AXIS = [0.001, 0.01, 0.1, 0.5, 0.9, 0.999];
const NO_FINDING = "No Finding";

const odds = (p) => Math.log(p / (1 - p));
const place = (p) => (odds(Math.min(1 - LOW, Math.max(LOW, p))) - odds(LOW)) / (-2 * odds(LOW));

export function percent(p) {
  if (p < 0.001) return "<0.1 %";
  if (p > 0.999) return ">99.9 %";
  return `${(100 * p).toFixed(p < 0.1 || p > 0.9 ? 1 : 0)} %`;
}

export function points(change) {
  const value = 100 * change;
  if (Math.abs(value) < 0.05) return "0.0";
  return `${value > 0 ? "+" : "−"}${Math.abs(value).toFixed(1)}`;
}

export function element(name, properties = {}, ...children) {
  const { style, data, ...rest } = properties;
  const made = Object.assign(document.createElement(name), rest);
  Object.assign(made.style, style);
  Object.assign(made.dataset, data);
  made.append(...children.filter((child) => child != null));
  return made;
}

// Present ones first, then the likelier first; what says that there is nothing stands last.
export function ordered(findings) {
  const rank = (one) => (one.finding === NO_FINDING ? 2 : one.decision === "present" ? 0 : 1);
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
  for (const p of AXIS) axis.append(element("span", { textContent: `${100 * p} %`, style: { left: `${100 * place(p)}%` } }));
  const legend = element("p", { className: "legend" }, element("i"), "threshold, ▲ reached; P percentile among the validation films; the scale is one of odds");
  return element("section", { className: "column", ariaLabel: `Findings of ${answer.bundle.name}` }, head, axis, list, legend);
}

function bar(one, before, isChosen) {
  const change = one.probability - before.probability;
  const hasMoved = Math.abs(change) >= 0.0005;
  const track = element("span", { className: "track", ariaHidden: "true" });
  track.append(element("span", { className: "bar", style: { width: `${100 * place(one.probability)}%` } }));
  if (hasMoved) track.append(element("span", { className: "ghost", style: { width: `${100 * place(before.probability)}%` } }));
  if (one.threshold != null) track.append(element("span", { className: "tick", style: { left: `${100 * place(one.threshold)}%` } }));
  const button = element("button", { type: "button", className: `finding ${one.decision ?? "open"}`, data: { finding: one.finding } },
    element("span", { className: "name", textContent: shown(one.finding) }),
    element("span", { className: "moved", textContent: hasMoved ? `was ${percent(before.probability)}` : "" }),
    element("span", { className: "place", textContent: `P${Math.round(one.percentile)}` }),
    element("span", { className: "number", textContent: `${one.decision === "present" ? "▲ " : ""}${percent(one.probability)}` }),
    track);
  button.setAttribute("aria-pressed", String(isChosen));
  button.setAttribute("aria-label", `${shown(one.finding)}: ${percent(one.probability)}${hasMoved ? `, was ${percent(before.probability)}` : ""}, ${standing(one)}. Show heat map`);
  return button;
}

export function shown(finding) {
  return finding.replaceAll("_", " ");
}

function standing(one) {
  const side = { present: "above its threshold", absent: "below its threshold" }[one.decision] ?? "no threshold";
  return `${side}; percentile ${Math.round(one.percentile)} of the validation films${one.is_calibrated ? "" : "; not calibrated"}`;
}
