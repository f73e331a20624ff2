/** NAS-Bench-201 cells: latency on one device against FLOPs or another device; a rectangle chooses cells to keep. */

import { once, predictMany } from "./api.js";
import { scatter } from "./charts.js";
import { field, h, saveButtons, say, show, table } from "./dom.js";
import { number, silicon } from "./format.js";
import { empty, filePlace, problemBox, working } from "./parts.js";

const OPERATIONS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"];
const SOURCES = [[0], [0, 1], [0, 1, 2]];
const STAGES = [[16, 32], [32, 16], [64, 8]];
const CELLS_A_STAGE = 5;
const CELLS_IN_SPACE = 15625;

/** Cell number `index` of the space, as NAS-Bench-201 writes it. */
function cellOf(index) {
  let rest = index;
  const text = SOURCES.map((sources) => `|${sources.map((source) => {
    const operation = OPERATIONS[rest % 5];
    rest = Math.floor(rest / 5);
    return `${operation}~${source}`;
  }).join("|")}|`);
  return text.join("+");
}

/** FLOPs of the cells' convolutions in the whole network at 32x32 pixels: 2 k k C C H H for each, in each of 15 cells. */
function flopsOf(cell) {
  const kernels = [...cell.matchAll(/nor_conv_(\d)x/g)].map((match) => Number(match[1]) ** 2);
  const perKernel = STAGES.reduce((sum, [channels, size]) => sum + 2 * channels * channels * size * size * CELLS_A_STAGE, 0);
  return kernels.reduce((sum, kernel) => sum + kernel * perKernel, 0) / 1e6;
}

/** Parameters of the cells' convolutions, thousand: k k C C for each (its normalisation's few are left out). */
function parametersOf(cell) {
  const kernels = [...cell.matchAll(/nor_conv_(\d)x/g)].map((match) => Number(match[1]) ** 2);
  const perKernel = STAGES.reduce((sum, [channels]) => sum + channels * channels * CELLS_A_STAGE, 0);
  return kernels.reduce((sum, kernel) => sum + kernel * perKernel, 0) / 1e3;
}

/** What can stand across beside a device: its title, and its value for a cell. */
const PROXIES = {
  FLOPs: ["FLOPs of the cells' convolutions, million", flopsOf],
  parameters: ["parameters of the cells' convolutions, thousand (an accuracy proxy)", parametersOf],
};

/** Lines of ``cell,value`` as a Map; a line without a number is a header or wrong, and left out. */
function ownValues(text) {
  const lines = text.split("\n").map((line) => line.trim().match(/^"?(\|.*\|)"?\s*[,;\t]\s*"?([0-9.eE+-]+)"?$/)).filter(Boolean);
  return new Map(lines.map(([, cell, value]) => [cell, Number(value)]));
}

/** `count` different cells, spread over the space, always the same ones. */
function sample(count) {
  const step = 6367; // has no factor in common with 15625, so that it walks through the whole space
  return Array.from({ length: count }, (_, place) => cellOf((place * step) % CELLS_IN_SPACE));
}

export async function cells() {
  const known = (await once("v1/devices?kind=network")).devices.filter((device) => device.targets.some((target) => target.name === "latency_ms"));
  const devices = silicon(known).map((device) => device.name);
  const options = (extra) => [...extra, ...devices].map((name) => h("option", { value: name }, name));
  const across = h("select", { name: "across" }, options(Object.keys(PROXIES))), up = h("select", { name: "up" }, options([])), count = h("input", { name: "count", type: "number", min: "50", max: "15625", value: "400" });
  const progress = h("div"), picture = h("div", {}, empty("Nothing drawn yet", "Choose the two axes and press Draw.")), kept = h("div");
  const most = h("input", { name: "most", type: "number", min: "0", step: "any" });
  const proxies = { ...PROXIES };
  const own = filePlace("Your accuracies or proxies", ".csv,.txt", async (file) => {
    const values = ownValues(await file.text());
    if (!values.size) { show(progress, problemBox(new Error(`${file.name} holds no line of the form cell,value.`))); return; }
    if (!proxies[file.name]) across.prepend(h("option", { value: file.name }, file.name));
    proxies[file.name] = [file.name, (cell) => values.get(cell) ?? null, values];
    across.value = file.name;
  });
  const draw = h("form", { on: { submit: (event) => { event.preventDefault(); drawCells(proxies, across.value, up.value, Number(count.value), Number(most.value) || Infinity, progress, picture, kept); } } },
    field("Across", across), field("Up", up), field("Cells", count, "of the 15,625 of the space"), field("At most, ms", most, "Chooses cells below this latency; a rectangle drawn on the picture does too."), own, h("p", { class: "hint" }, "A CSV file of cell,value becomes an axis."), h("button", { class: "main" }, "Draw"));
  return h("div", { class: "columns" }, draw, h("section", { "aria-label": "Cells" }, progress, picture, kept));
}

async function drawCells(proxies, across, up, count, most, progress, picture, kept) {
  const proxy = proxies[across];
  const found = proxy && proxy[2] ? [...proxy[2].keys()].slice(0, count) : sample(Math.min(Math.max(count, 1), CELLS_IN_SPACE));
  const inputs = found.map((cell) => ({ nasbench201: cell }));
  const asked = [...new Set([up, across])].filter((name) => !proxies[name]);
  const columns = await working(progress, `Predicting ${found.length} cells`, async (signal, step) => {
    const answers = {};
    for (const [turn, device] of asked.entries()) {
      const results = await predictMany("network", device, ["latency_ms"], inputs, { signal, step: (done) => step(turn * inputs.length + done, asked.length * inputs.length) });
      answers[device] = results.map((result) => (result.predictions ? result.predictions[0].value : null));
    }
    return answers;
  });
  if (columns === null) return;
  const rows = found.map((cell, index) => ({ cell, x: proxy ? proxy[1](cell) : columns[across][index], y: columns[up][index] })).filter((row) => row.x !== null && row.y !== null);
  const xTitle = proxy ? proxy[0] : `latency on ${across}, ms`, yTitle = `latency on ${up}, ms`;
  if (!rows.length) { show(picture, empty("No cell was answered", "None of these cells is one of the space.")); show(kept); return; }
  show(picture, h("h2", { class: "first" }, `${rows.length} cells`), scatter(rows.map((row) => ({ ...row, about: row.cell })), { label: `${yTitle} against ${xTitle} of ${rows.length} cells`, xTitle, yTitle, level: most === Infinity ? null : most,
    brushed: (indices) => showKept(kept, indices.length ? indices.map((index) => rows[index]) : rows, xTitle, yTitle) }));
  showKept(kept, rows.filter((row) => row.y <= most), xTitle, yTitle);
}

function showKept(place, rows, xTitle, yTitle) {
  const sorted = [...rows].sort((a, b) => a.y - b.y);
  say(`${rows.length} cells are chosen.`);
  show(place, h("p", { class: "hint" }, "Draw a rectangle on the picture to choose cells."),
    saveButtons("cells", ["cell", xTitle, yTitle], () => sorted.map((row) => [row.cell, row.x, row.y])),
    table(`${rows.length} cells, the fastest ${Math.min(20, rows.length)} shown`, [[yTitle, (row) => number(row.y), true], [xTitle, (row) => number(row.x), true], ["Cell", (row) => row.cell]], sorted.slice(0, 20)));
}
