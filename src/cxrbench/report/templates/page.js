"use strict";
// Everything is readable without this script. It adds a choice of finding, tables to sort and copy, tooltips, and
// approaches to point out.

// One finding at a time; choosing it once chooses it everywhere.
const choosers = [];
for (const chooser of document.querySelectorAll(".chooser")) {
  const figures = [...chooser.querySelectorAll("figure[data-choice]")];
  if (figures.length < 2) continue;
  const select = document.createElement("select");
  for (const figure of figures) select.add(new Option(figure.dataset.choice));
  const label = document.createElement("label");
  label.className = "picker";
  label.append(chooser.dataset.label, select);
  const show = (name) => {
    if (!figures.some((figure) => figure.dataset.choice === name)) return;
    select.value = name;
    for (const figure of figures) figure.hidden = figure.dataset.choice !== name;
  };
  chooser.replaceChildren(label, ...figures);
  choosers.push({ of: chooser.dataset.label, show });
  select.addEventListener("change", () => {
    const top = select.getBoundingClientRect().top;
    for (const other of choosers) if (other.of === chooser.dataset.label) other.show(select.value);
    scrollBy({ top: select.getBoundingClientRect().top - top, behavior: "instant" }); // others may have grown above
  });
  show(select.value);
}

// Tables are sorted by a click on a heading: once, the other way round, and as they were.
const read = (cell) => {
  const text = (cell.firstChild?.textContent ?? "").trim();
  const number = Number.parseFloat(text.replace(/[\u202f\s<>+]/g, "").replace("−", "-"));
  return { text, number };
};
const compare = (a, b) => {
  if (Number.isNaN(a.number) !== Number.isNaN(b.number)) return Number.isNaN(a.number) ? 1 : -1; // no value: last
  return Number.isNaN(a.number) ? a.text.localeCompare(b.text) : a.number - b.number;
};
for (const table of document.querySelectorAll(".printed table")) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const fixed = original.filter((row) => row.classList.contains("summary"));
  const loose = original.filter((row) => !row.classList.contains("summary"));
  const headings = [...table.tHead.rows[0].cells];
  if (loose.length < 2) continue;
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const order = { descending: "ascending", ascending: "" }[heading.getAttribute("aria-sort")] ?? "descending";
      for (const other of headings) other.removeAttribute("aria-sort");
      if (!order) return body.append(...original);
      heading.setAttribute("aria-sort", order);
      const keyed = loose.map((row) => ({ row, key: read(row.cells[column]) }));
      keyed.sort((a, b) => {
        const given = compare(a.key, b.key);
        const lacks = Number.isNaN(a.key.number) !== Number.isNaN(b.key.number);
        return order === "ascending" || lacks ? given : -given;
      });
      body.append(...keyed.map((one) => one.row), ...fixed);
    });
  });
}

// Tables are copied as they are, for a spreadsheet.
const plain = (cell) => {
  const copy = cell.cloneNode(true);
  for (const unseen of copy.querySelectorAll(".unseen")) unseen.remove();
  return copy.textContent.replace(/\s+/g, " ").trim();
};
const toClipboard = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea"); // pages opened from a folder may not use the clipboard directly
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
};
for (const tools of document.querySelectorAll(".tools")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  tools.append(button);
  button.addEventListener("click", async () => {
    const rows = [...tools.closest(".printed").querySelector("table").rows];
    await toClipboard(rows.map((row) => [...row.cells].map(plain).join("\t")).join("\n"));
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
}

// Curves are thin: give each a wide, unseen one to point at. Titles become tooltips that do not wait.
for (const mark of document.querySelectorAll(".mark")) {
  const title = mark.querySelector("title");
  mark.dataset.title = title.textContent;
  title.remove();
  for (const path of mark.querySelectorAll(":scope > path")) {
    const hit = path.cloneNode();
    hit.classList.add("hit");
    mark.append(hit);
  }
}

const tooltip = document.querySelector(".tooltip");
const point = (approach) => {
  for (const mark of document.querySelectorAll(".mark[data-approach]")) {
    mark.classList.toggle("on", mark.dataset.approach === approach);
    mark.closest("svg").classList.toggle("lit", approach !== undefined);
  }
};

document.addEventListener("pointerover", (event) => {
  const mark = event.target.closest(".mark");
  const named = event.target.closest("[data-approach]");
  tooltip.hidden = !mark;
  if (mark) tooltip.textContent = mark.dataset.title;
  point(named?.dataset.approach);
});
document.addEventListener("pointermove", (event) => {
  const right = Math.max(0, innerWidth - tooltip.offsetWidth - 8);
  tooltip.style.left = `${Math.min(event.clientX + 14, right)}px`;
  tooltip.style.top = `${event.clientY + 16}px`;
});

// The legend hides and shows approaches.
for (const key of document.querySelectorAll(".key")) {
  const button = document.createElement("button");
  button.className = "key";
  button.type = "button";
  button.dataset.approach = key.dataset.approach;
  button.setAttribute("aria-pressed", "true");
  button.append(...key.childNodes);
  key.replaceWith(button);
  button.addEventListener("click", () => {
    const isShown = button.getAttribute("aria-pressed") === "false";
    for (const twin of document.querySelectorAll("button.key")) {
      if (twin.dataset.approach === button.dataset.approach) twin.setAttribute("aria-pressed", String(isShown));
    }
    for (const mark of document.querySelectorAll(".chooser .mark")) {
      if (mark.dataset.approach === button.dataset.approach) mark.classList.toggle("off", !isShown);
    }
  });
}

// Paper has no closed lists.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((list) => (list.open = true)));
