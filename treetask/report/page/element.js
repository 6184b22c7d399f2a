// Elements, made of names and text alone: whatever a run has said is text and never markup.

const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

/** A new element: its properties, its attributes where there is no such property, its children, which may be text. */
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === "class") made.className = value;
    else if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** The sign for a status; what it means is said beside it, or by its label. */
function icon(status, label = words(status)) {
  const sign = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  sign.setAttribute("class", `icon is-${status}`);
  sign.setAttribute("role", "img");
  sign.setAttribute("aria-label", label);
  use.setAttribute("href", `#icon-${status}`);
  sign.append(use);
  return sign;
}

/** A table: the heads of its columns, a leading "#" for figures, and rows of texts or elements. */
function fillTable(table, heads, rows) {
  const isFigure = heads.map((head) => head.startsWith("#"));
  const cells = (tag, row) => row.map((cell, column) => element(tag, { class: isFigure[column] ? "n" : "" }, cell));
  const named = heads.map((head) => head.replace("#", ""));
  table.replaceChildren(
    element("thead", {}, element("tr", {}, ...cells("th", named))),
    element("tbody", {}, ...rows.map((row) => (row instanceof Node ? row : element("tr", {}, ...cells("td", row))))),
  );
}
