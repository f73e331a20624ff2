/** The little that stands in for a framework: elements from calls, and words for those who listen. */

/**
 * An element. Attributes: `class`, `on` ({event: listener}), booleans as present or absent, all else as written.
 * Children: elements, text, arrays of these; null and false are left out.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "value") element.value = value;
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== false && child !== undefined));
  return element;
}

/** Put `children` in place of what `parent` holds. */
export function show(parent, ...children) {
  parent.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== false && child !== undefined));
}

/** Tell a screen reader, without moving the focus. */
export function say(text) {
  document.getElementById("said").textContent = text;
}

/** A labelled field: its name, the control, and a hint that the control is described by. */
let fields = 0;
export function field(name, control, hint = "") {
  fields += 1;
  const id = `hint-${fields}`;
  if (hint) control.setAttribute("aria-describedby", id);
  return h("label", { class: "field" }, h("span", {}, name), control, hint && h("span", { class: "hint", id }, hint));
}

/** A labelled slider that says its value: `words(value)`. */
export function slider(name, { min, max, value, words, hint = "", step = 1 }) {
  const control = h("input", { type: "range", min, max, step, value });
  const told = h("output", {}, words(value));
  const tell = () => { told.textContent = words(Number(control.value)); control.setAttribute("aria-valuetext", told.textContent); };
  control.addEventListener("input", tell);
  tell();
  const label = field(name, control, hint);
  label.firstChild.append(told);
  return { control, label, value: () => Number(control.value) };
}

/** Facts as a definition list: [[name, text or element], ...]. */
export function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== undefined && value !== null && value !== "").map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** Radio buttons or check boxes in a fieldset. `options`: [[value, label], ...]; `onchange` gets no argument. */
export function choices(legend, type, name, options, chosen, onchange) {
  const boxes = options.map(([value, label]) =>
    h("label", {}, h("input", { type, name, value, checked: chosen.includes(value), on: { change: onchange } }), ` ${label}`));
  return h("fieldset", {}, h("legend", {}, legend), h("div", { class: type === "radio" ? "inline" : "choices", tabindex: type === "radio" ? null : "0" }, boxes));
}

/** The chosen values of the boxes called `name` inside `root`. */
export function chosen(root, name) {
  return [...root.querySelectorAll(`input[name="${name}"]:checked`)].map((box) => box.value);
}

/** A table. `columns`: [[header, row => cell, isNumber], ...]. */
export function table(caption, columns, rows) {
  const head = h("tr", {}, columns.map(([name, , number]) => h("th", { scope: "col", class: number ? "number" : null }, name)));
  const body = rows.map((row) => h("tr", {}, columns.map(([, cell, number]) => h("td", { class: number ? "number" : null }, cell(row)))));
  // The words stand outside of what scrolls: on a narrow screen they would be cut.
  return h("div", { class: "captioned" }, h("p", { class: "caption", "aria-hidden": "true" }, caption),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
      h("table", { "aria-label": caption }, h("thead", {}, head), h("tbody", {}, body))));
}

/** A button that hands the text that `content()` makes to the user as a file. */
export function saveButton(name, type, label, content) {
  return h("button", { type: "button", class: "small", on: { click: () => {
    const url = URL.createObjectURL(new Blob([content()], { type }));
    h("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  } } }, label);
}

/** Buttons that hand `rows()` (arrays of cells under `header`) to the user as CSV and as JSON. */
export function saveButtons(name, header, rows) {
  const quote = (cell) => `"${String(cell ?? "").replaceAll('"', '""')}"`;
  return h("div", { class: "inline" },
    saveButton(`${name}.csv`, "text/csv", "Save as CSV", () => [header, ...rows()].map((row) => row.map(quote).join(",")).join("\r\n")),
    saveButton(`${name}.json`, "application/json", "Save as JSON", () => JSON.stringify(rows().map((row) => Object.fromEntries(header.map((key, index) => [key, row[index]]))), null, 1)));
}
