/** Models: what answers, what it learned from, and how its predictions compare with measurements. */

import { get, once } from "./api.js";
import { bars, scatter } from "./charts.js";
import { field, h, show, table } from "./dom.js";
import { number, percent } from "./format.js";
import { problemBox } from "./parts.js";

const SPLITS = { test_seen: "families it knows", test_unseen: "families it never saw" };

/** The view. place: [name], from the address. */
export async function render([name]) {
  const { models } = await once("v1/models");
  const shown = models.find((model) => model.name === name) || models[0];
  const links = models.map((model) => h("a", { href: `#/models/${model.name}`, "aria-current": model === shown ? "page" : null }, model.kind));
  const points = h("section", { "aria-label": "Predicted against measured" });
  const view = h("div", { "data-title": "Models" }, h("h1", {}, "Models"), h("nav", { "aria-label": "Models" }, links), card(shown), accuracyTable(shown), points);
  drawPoints(points, shown);
  return view;
}

function card(model) {
  const facts = [["Version", model.version], ["Loaded from", model.source], ["Data", model.card.data], ["Licence of the data", model.card.licence],
    ["Learner", model.card.learner], ["Devices", model.devices.join(", ")], ...Object.entries(model.card.notes || {})];
  return h("section", {}, h("h2", {}, model.name),
    table(`What ${model.name} is`, [["Fact", (row) => row[0]], ["", (row) => row[1]]], facts.filter(([, value]) => value !== undefined && value !== "").map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)])));
}

function accuracyTable(model) {
  const rows = model.card.accuracy || [];
  if (!rows.length) return null;
  const optional = (key) => (rows.some((row) => row[key] !== undefined) ? [[key.replaceAll("_", " "), (row) => percent(row[key]), true]] : []);
  return h("section", {}, h("h2", {}, "How good it is"), table("Accuracy on held-out data, beside plain baselines", [
    ["Device", (row) => row.device], ["Target", (row) => row.target], ["On", (row) => SPLITS[row.split] || row.split], ["n", (row) => number(row.n), true],
    ["Median error", (row) => percent(row.median_error), true], ["90% of errors below", (row) => percent(row.p90_error), true], ["Within 10%", (row) => percent(row.within_10pct), true],
    ...optional("log-linear_within_10pct"), ...optional("roofline_within_10pct"), ["Spearman", (row) => number(row.spearman), true],
    ["Intervals cover", (row) => percent(row.coverage), true],
  ], rows));
}

async function drawPoints(place, model) {
  let answer;
  try {
    answer = await get(`v1/models/${model.name}/points`);
  } catch (error) {
    show(place, problemBox(error));
    return;
  }
  const series = answer.points;
  if (!series.length) { show(place, h("p", { class: "hint" }, "This model holds no single predictions and measurements to show.")); return; }
  const choice = h("select", { on: { change: () => drawSeries(picture, series[Number(choice.value)]) } }, series.map((one, index) => h("option", { value: index }, `${one.target} on ${one.device}`)));
  const picture = h("div");
  show(place, h("h2", {}, "Predicted against measured"), field("Of", choice), picture);
  drawSeries(picture, series[0]);
}

function drawSeries(place, series) {
  const rows = series.measured.map((measured, index) => ({ measured, value: series.value[index], low: series.low[index], high: series.high[index], family: series.family[index], seen: series.split[index] !== "test_unseen" }));
  const unit = series.unit === "1" ? "count" : series.unit;
  const positive = rows.every((row) => row.measured > 0 && row.value > 0);
  show(place, scatter(rows.map((row) => ({ x: row.measured, y: row.value, series: row.seen ? 0 : 1, about: `${row.family}: ${number(row.measured)} measured, ${number(row.value)} predicted` })),
    { label: "Predicted against measured", xTitle: `measured, ${unit}`, yTitle: `predicted, ${unit}`, log: positive, diagonal: true }),
    h("p", { class: "hint" }, "Blue: families that the model knows. Orange: families that it never saw. The dashed line is a perfect prediction."),
    groups("Median error by size", thirds(rows)), groups("Median error by family", [...Map.groupBy(rows, (row) => row.family)]));
}

/** Rows in five groups of like size, by what was measured. */
function thirds(rows) {
  const sorted = [...rows].sort((a, b) => a.measured - b.measured);
  const parts = Array.from({ length: 5 }, (_, part) => sorted.slice(Math.floor((part * sorted.length) / 5), Math.floor(((part + 1) * sorted.length) / 5)));
  return parts.filter((part) => part.length).map((part) => [`${number(part[0].measured)} to ${number(part.at(-1).measured)}`, part]);
}

function groups(title, pairs) {
  const figures = pairs.map(([name, rows]) => {
    const errors = rows.map((row) => Math.abs(row.value - row.measured) / Math.max(Math.abs(row.measured), 1e-12)).sort((a, b) => a - b);
    return { name, n: rows.length, error: errors[Math.floor(errors.length / 2)], covered: rows.filter((row) => row.low <= row.measured && row.measured <= row.high).length / rows.length };
  }).sort((a, b) => b.error - a.error);
  return [h("h3", {}, title), bars(figures.map((row) => ({ label: `${row.name} (${row.n})`, value: row.error, text: percent(row.error) })), title),
    table(`${title}, and how often the interval held`, [["Group", (row) => row.name], ["n", (row) => row.n, true], ["Median error", (row) => percent(row.error), true], ["Intervals cover", (row) => percent(row.covered), true]], figures)];
}
