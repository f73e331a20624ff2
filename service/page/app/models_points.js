/** Held-out predictions beside measurements: the scatter, errors by size and family, whether the intervals hold. */

import { get } from "./api.js";
import { HALF, bars, curves, scatter } from "./charts.js";
import { field, h, show, table } from "./dom.js";
import { number, percent } from "./format.js";
import { problemBox } from "./parts.js";

/** Which benchmark measures a kind whose bundle holds no points. */
const BENCHMARK = { cpu: "sparecores", hls4ml: "hls4ml", network: "host-networks", mlir: "mlir" };
/** Levels of a normal distribution's central intervals, and their half width in standard deviations. */
const LEVELS = [[0.1, 0.1257], [0.2, 0.2533], [0.3, 0.3853], [0.4, 0.5244], [0.5, 0.6745], [0.6, 0.8416], [0.7, 1.0364], [0.8, 1.2816], [0.9, 1.6449], [0.95, 1.96], [0.99, 2.5758]];
const PROMISED = 1.6449;

export async function drawPoints(place, model) {
  let answer;
  try {
    answer = await get(`v1/models/${model.name}/points`);
  } catch (error) {
    show(place, problemBox(error));
    return;
  }
  const series = answer.points;
  if (!series.length) {
    const benchmark = BENCHMARK[model.kind];
    show(place, h("h2", {}, "Predicted against measured"), h("p", {}, "There is nothing to draw: this bundle was written without its held-out subjects, so that no prediction can be put beside its measurement here."),
      benchmark && h("p", {}, "How good it is was measured apart from it, on data that do not travel in the bundle: ", h("code", {}, `costmodel benchmark ${benchmark}`), "; the documentation has the table."));
    return;
  }
  const choice = h("select", { name: "series", on: { change: () => drawSeries(picture, series[Number(choice.value)]) } }, series.map((one, index) => h("option", { value: index }, `${one.target} on ${one.device}, ${one.measured.length} held out`)));
  const picture = h("div");
  show(place, h("h2", {}, "Predicted against measured"), field("Target", choice), picture);
  drawSeries(picture, series[0]);
}

function drawSeries(place, series) {
  const rows = series.measured.map((measured, index) => ({ measured, value: series.value[index], low: series.low[index], high: series.high[index], family: series.family[index], seen: series.split[index] !== "test_unseen" }));
  const unit = series.unit === "1" ? "count" : series.unit;
  const positive = rows.every((row) => row.measured > 0 && row.value > 0 && row.low > 0);
  show(place,
    h("div", { class: "pair" },
      h("div", {}, scatter(rows.map((row) => ({ x: row.measured, y: row.value, series: row.seen ? 0 : 1, about: `${row.family}: ${number(row.measured)} measured, ${number(row.value)} predicted` })),
        { label: "Predicted against measured", xTitle: `measured, ${unit}`, yTitle: `predicted, ${unit}`, log: positive, diagonal: true, height: 340, width: HALF }),
      h("p", { class: "hint" }, "Blue: families that the model knows. Orange: families that it never saw. The dashed line is a perfect prediction.")),
      coverage(rows, positive)),
    h("div", { class: "pair" }, groups("Median error by size", bySize(rows)), groups("Median error by family", [...Map.groupBy(rows, (row) => row.family)])));
}

/** How often intervals hold if each is narrowed or widened to another level, beside what that level promises. */
function coverage(rows, positive) {
  const scale = positive ? Math.log : (value) => value;
  const worst = rows.map((row) => {
    const value = scale(row.value), off = scale(row.measured) - value;
    const half = off > 0 ? scale(row.high) - value : value - scale(row.low);
    return { seen: row.seen, needed: off === 0 ? 0 : (Math.abs(off) / Math.max(half, 1e-12)) * PROMISED };
  });
  const held = (own) => LEVELS.map(([level, width]) => [level, own.filter((row) => row.needed <= width).length / own.length]);
  const lines = [[0, worst.filter((row) => row.seen)], [1, worst.filter((row) => !row.seen)]].filter(([, own]) => own.length).map(([series, own]) => ({ series, points: held(own), n: own.length }));
  const name = (series) => (series ? "families it never saw" : "families it knows");
  return h("div", {}, curves(lines, { label: "How often intervals hold, by the level that they promise", xTitle: "promised", yTitle: "held", mark: 0.9 }),
    h("p", { class: "hint" }, "Intervals are given for 90% (the upright line); for other levels they are scaled as a normal distribution's. Above the diagonal they are wider than they need be, below it they promise too much."),
    table("How often the interval of 90% held", [["On", (row) => name(row.series)], ["n", (row) => row.n, true], ["Held", (row) => percent(row.points.find(([level]) => level === 0.9)[1]), true]], lines));
}

/** Rows in five groups of like number, by what was measured. */
function bySize(rows) {
  const sorted = [...rows].sort((a, b) => a.measured - b.measured);
  const parts = Array.from({ length: 5 }, (_, part) => sorted.slice(Math.floor((part * sorted.length) / 5), Math.floor(((part + 1) * sorted.length) / 5)));
  return parts.filter((part) => part.length).map((part) => [`${number(part[0].measured)} to ${number(part.at(-1).measured)}`, part]);
}

function groups(title, pairs) {
  const figures = pairs.map(([name, rows]) => {
    const errors = rows.map((row) => Math.abs(row.value - row.measured) / Math.max(Math.abs(row.measured), 1e-12)).sort((a, b) => a - b);
    return { name, n: rows.length, error: errors[Math.floor(errors.length / 2)], covered: rows.filter((row) => row.low <= row.measured && row.measured <= row.high).length / rows.length };
  });
  if (title.endsWith("family")) figures.sort((a, b) => b.error - a.error);
  return h("div", {}, h("h3", {}, title), bars(figures.slice(0, 15).map((row) => ({ label: `${row.name} (${row.n})`, value: row.error, text: percent(row.error) })), title, { width: HALF }),
    h("details", {}, h("summary", {}, "As a table"), table(`${title}, and how often the interval held`, [["Group", (row) => row.name], ["n", (row) => row.n, true], ["Median error", (row) => percent(row.error), true], ["Intervals cover", (row) => percent(row.covered), true]], figures)));
}
