/** Try: one input, some devices, answers as they come, and what the total is made of. */

import { once, post } from "./api.js";
import { bars, intervals } from "./charts.js";
import { choices, chosen, field, h, say, show, table } from "./dom.js";
import { number, percent, silicon, withUnit } from "./format.js";
import { formOf } from "./kinds.js";
import { empty, problemBox, working } from "./parts.js";
import { samples } from "./samples.js";

const MOST_PARTS = 25;
const TITLES = { network: "a network", mlir: "an MLIR program", hls4ml: "an hls4ml design", cpu: "a server" };

/** The view. place: [kind], from the address. */
export async function render([kind]) {
  const { models } = await once("v1/models");
  const { devices } = await once("v1/devices");
  const kinds = models.map((model) => model.kind);
  const shown = kinds.includes(kind) ? kind : kinds.includes("network") ? "network" : kinds[0];
  const own = silicon(devices.filter((device) => device.kind === shown));
  const input = formOf(shown);
  const answers = h("section", { "aria-label": "Answers" }, empty("No answer yet", "Give an input, choose where it would run, and press Predict."));
  const form = h("form", { on: { submit: (event) => { event.preventDefault(); predict(form, shown, own, input, answers); } } },
    choices("What do you have?", "radio", "kind", kinds.map((name) => [name, TITLES[name] || name]), [shown], (event) => { location.hash = `#/try/${event.target.value}`; }),
    h("fieldset", {}, h("legend", {}, "Input"), input.form),
    choices("Where would it run?", "checkbox", "device", own.map((device) => [device.name, device.name]), [(own.find((device) => device.name.includes("-ort-fp32-b1")) || own[0]).name]),
    field("What to explain", h("select", { name: "target" }, h("option", { value: "" }, "the device's first quantity"), [...new Set(own.flatMap((device) => device.targets.map((target) => target.name)))].map((name) => h("option", { value: name }, name)))),
    h("div", { class: "inline" }, h("button", { class: "main" }, "Predict"),
      h("button", { type: "button", on: { click: () => explain(form, shown, input, answers) } }, "Explain")));
  return h("div", { "data-title": "Try" }, h("h1", {}, "What will it cost?"),
    h("p", { class: "lead" }, "Every answer is a value, the interval that it lies in nine times out of ten, and whether the model has seen anything like it."), h("div", { class: "columns" }, form, answers));
}

async function read(input, answers) {
  try {
    return await input.raw();
  } catch (error) {
    show(answers, problemBox(new Error(`The input is not valid JSON: ${error.message}`)));
    return null;
  }
}

async function predict(form, kind, devices, input, answers) {
  const names = chosen(form, "device");
  if (!names.length) { show(answers, problemBox(new Error("Choose at least one device."))); return; }
  const raw = await read(input, answers);
  if (raw === null) return;
  const progress = h("div"), results = h("div"), found = [];
  show(answers, progress, results);
  await working(progress, `Asking for ${names.length} device${names.length > 1 ? "s" : ""}`, async (signal, step) => {
    let done = 0;
    await Promise.all(names.map(async (device) => {
      const answer = await post(`v1/predict/${kind}`, { device, inputs: [raw] }, signal);
      found.push(...answer.results[0].predictions);
      step(done += 1, names.length);
      drawAnswers(results, found, devices);
    }));
    say(`${found.length} predictions.`);
  });
  if (found.length) results.append(samples("predict", kind, names, { raw, ...(input.calls && input.calls()) }));
}

/** Predictions of one unit share a picture; all share one table. */
function drawAnswers(place, found, devices) {
  const order = (row) => devices.findIndex((device) => device.name === row.device);
  const rows = [...found].sort((a, b) => order(a) - order(b));
  const units = Map.groupBy(rows, (row) => row.unit);
  const pictures = [...units].slice(0, 6).map(([unit, own]) => intervals(own.slice(0, 30).map((row) => ({
    label: new Set(rows.map((other) => other.target)).size > 1 ? (new Set(rows.map((other) => other.device)).size > 1 ? `${row.device} ${row.target}` : row.target) : row.device,
    low: row.low, value: row.value, high: row.high, inDomain: row.in_domain })), unit === "1" ? "count" : unit));
  show(place, h("h2", { class: "first" }, "Predictions"), h("p", { class: "hint" }, `Lines are ${percent(rows[0].coverage)} intervals; a hollow dot lies outside of what the model has seen.`), pictures,
    table("Every prediction with its interval", [
      ["Device", (row) => row.device], ["Target", (row) => row.target], ["Value", (row) => withUnit(row.value, row.unit), true],
      ["From", (row) => number(row.low), true], ["To", (row) => number(row.high), true],
      ["Known ground?", (row) => (row.in_domain ? h("span", { class: "good" }, "yes") : h("span", { class: "warn" }, `no: ${row.reasons.join("; ")}`))],
    ], rows));
}

async function explain(form, kind, input, answers) {
  const [device] = chosen(form, "device");
  if (!device) { show(answers, problemBox(new Error("Choose a device."))); return; }
  const raw = await read(input, answers);
  if (raw === null) return;
  const progress = h("div"), result = h("div"), target = form.elements.target.value;
  show(answers, progress, result);
  const answer = await working(progress, "Asking what the total is made of", (signal) => post(`v1/explain/${kind}`, { device, inputs: [raw], ...(target && { target }) }, signal));
  if (answer === null) return;
  const { prediction, shares, neighbours } = answer.results[0].explanation;
  const top = [...shares].sort((a, b) => b.value - a.value).slice(0, MOST_PARTS);
  const label = (share) => `${share.op} ${share.names[0] || ""}`;
  show(result, h("h2", { class: "first headline" }, `${withUnit(prediction.value, prediction.unit)} on ${prediction.device}`),
    h("p", { class: "hint" }, `${prediction.target}, ${number(prediction.low)} to ${number(prediction.high)} in nine cases out of ten${prediction.in_domain ? "" : `; out of the model's ground: ${prediction.reasons.join("; ")}`}.`),
    neighbours.length > 0 && nearest(neighbours, prediction), shares.length > 0 && bars(top.map((share) => ({ label: label(share), value: share.value, text: `${percent(share.fraction)}` })), "Share of the total by part"),
    input.source && shadedSource(input.source(), shares),
    shares.length > 0 && table(`The ${top.length} dearest of ${shares.length} parts`, [
      ["Part", (share) => share.op], ["Made of", (share) => share.names.join(", ")],
      [prediction.unit === "1" ? "Count" : `Cost, ${prediction.unit}`, (share) => number(share.value), true], ["Share", (share) => percent(share.fraction), true],
    ], top), samples("explain", kind, [device], { raw, target, ...(input.calls && input.calls()) }));
}

/** For inputs without parts: what was measured on those most alike, and how they differ. */
function nearest(neighbours, prediction) {
  return table(`The ${neighbours.length} nearest that were measured`, [
    ["Name", (row) => row.name], ["For example", (row) => row.example], [`Measured${prediction.unit === "1" ? "" : `, ${prediction.unit}`}`, (row) => number(row.value), true],
    ["Alike", (row) => percent(row.likeness), true], ["Differs in", (row) => row.differences.join("; ") || "nothing that is known"],
  ], neighbours);
}

/** The source with each line's ground the darker, the more of the cost stands there. */
function shadedSource(text, shares) {
  const cost = new Map();
  for (const share of shares) {
    const line = Number((share.names.join(" ").match(/line (\d+)/) || [])[1]);
    if (line) cost.set(line, (cost.get(line) || 0) + share.fraction);
  }
  const heat = (fraction) => (fraction > 0.4 ? 4 : fraction > 0.2 ? 3 : fraction > 0.08 ? 2 : fraction > 0.01 ? 1 : 0);
  const lines = text.split("\n").map((line, index) => {
    const fraction = cost.get(index + 1) || 0;
    return h("span", { "data-line": index + 1, class: heat(fraction) ? `heat-${heat(fraction)}` : null, title: fraction ? percent(fraction) : null }, line || " ");
  });
  return h("pre", { class: "source", tabindex: "0", "aria-label": "Source, shaded by predicted cost" }, lines);
}
