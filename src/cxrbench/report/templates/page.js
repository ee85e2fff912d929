"use strict";
// Everything is readable without this script; it adds a choice of finding, tooltips, and approaches to point out.

// One finding at a time, instead of all or of a closed list.
for (const chooser of document.querySelectorAll(".chooser")) {
  const figures = [...chooser.querySelectorAll("figure[data-choice]")];
  if (figures.length < 2) continue;
  const all = chooser.dataset.all;
  const names = figures.map((figure) => figure.dataset.choice);
  const select = document.createElement("select");
  for (const name of all ? [all, ...names] : names) select.add(new Option(name));
  const label = document.createElement("label");
  label.className = "picker";
  label.append(chooser.dataset.label, select);
  const show = () => {
    for (const figure of figures) figure.hidden = select.value !== all && figure.dataset.choice !== select.value;
    chooser.classList.toggle("single", select.value !== all);
  };
  chooser.replaceChildren(label, ...figures);
  select.addEventListener("change", show);
  show();
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
