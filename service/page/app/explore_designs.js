/** hls4ml designs: drag reuse, precision and clock, and see resources and latency move against the part's limits. */

import { once, post } from "./api.js";
import { bars, scatter } from "./charts.js";
import { field, h, say, show, slider, table } from "./dom.js";
import { number, percent, withUnit } from "./format.js";
import { newest, problemBox, working } from "./parts.js";

const SIZES = "16, 64, 32, 32, 5";
const QUIET_MS = 300;
/** A target of the model: its name here, and the name of its limit in an advice. */
const RESOURCES = { lut_csynth: ["LUT", "lut"], ff_csynth: ["FF", "ff"], dsp_csynth: ["DSP", "dsp"], bram_csynth: ["BRAM, 18 Kb", "bram_18k"] };

/** Dense layers of the given sizes: the first is the input. Hidden layers have a relu. */
function design({ sizes, reuse, bits, clock, part }) {
  const [input, ...units] = sizes.split(/[\s,]+/).filter(Boolean).map(Number);
  const layers = units.map((size, index) => ({ class: "Dense", name: `fc${index + 1}`, units: size, reuse_factor: reuse,
    weight: `fixed<${bits},${Math.ceil(bits / 2)}>`, ...(index < units.length - 1 && { activation: "relu" }) }));
  return { input_shape: [input], layers, part, clock_period: clock };
}

export async function designs() {
  const device = (await once("v1/devices?kind=hls4ml")).devices.find((one) => one.descriptor.parts);
  const parts = Object.entries(device.descriptor.parts);
  const sizes = h("input", { name: "sizes", value: SIZES });
  const part = h("select", { name: "part" }, parts.map(([name, full]) => h("option", { value: name, selected: name === "pynq-z2" }, `${name} (${full})`)));
  const reuse = slider("Reuse factor", { min: 0, max: 12, value: 2, words: (power) => `${2 ** power}`, hint: "Each layer takes its nearest valid one." });
  const bits = slider("Weights", { min: 3, max: 18, value: 8, words: (width) => `${width} bits` });
  const clock = slider("Clock period", { min: 2, max: 20, value: 5, words: (ns) => `${ns} ns, ${number(1000 / ns)} MHz` });
  const now = h("div"), advising = h("div"), front = h("div");
  const state = { now: null, advice: null };
  const asked = () => ({ sizes: sizes.value, reuse: 2 ** reuse.value(), bits: bits.value(), clock: clock.value(), part: part.value });
  const failed = (error) => show(now, problemBox(error));
  const draw = () => {
    drawNow(now, state.now, state.advice && state.advice.limits);
    if (state.advice) drawFront(front, state.advice, state.now);
  };
  const predict = newest(async (signal) => {
    const answer = await post("v1/predict/hls4ml", { device: device.name, inputs: [design(asked())] }, signal);
    state.now = new Map(answer.results[0].predictions.map((prediction) => [prediction.target, prediction]));
    draw();
  }, failed);
  const advise = newest(async (signal) => {
    const advice = await working(advising, "Comparing variants for the front", (cancelled, step) =>
      post("v1/advise/hls4ml", { input: design(asked()) }, AbortSignal.any([signal, cancelled])));
    if (advice === null || signal.aborted) return;
    state.advice = advice;
    if (state.now) draw();
  }, failed, QUIET_MS);
  for (const { control } of [reuse, bits]) control.addEventListener("input", () => predict());
  for (const control of [sizes, part, clock.control]) control.addEventListener("input", () => { state.advice = null; predict(); advise(); });
  const form = h("form", { on: { submit: (event) => event.preventDefault() } }, field("Sizes of the dense layers", sizes, "The input first."), field("Part", part), reuse.label, bits.label, clock.label);
  predict();
  advise();
  return h("div", { class: "columns" }, form, h("section", { "aria-label": "The design on its part" }, now, advising, front));
}

function drawNow(place, predictions, limits) {
  const rows = Object.entries(RESOURCES).map(([target, [name, short]]) => {
    const prediction = predictions.get(target), limit = limits ? limits[short] : null;
    return { name, ...prediction, limit, share: limit ? prediction.value / limit : null };
  });
  const latency = predictions.get("latency_ns") || predictions.get("cycles_max");
  const cycles = predictions.get("cycles_max"), interval = predictions.get("interval");
  const over = rows.filter((row) => row.share > 1).map((row) => row.name), near = rows.filter((row) => row.share <= 1 && row.limit && row.high > row.limit).map((row) => row.name);
  const verdict = !limits ? ["", "Looking up the part's limits."] : over.length ? ["bad", `Does not fit: more ${over.join(", ")} than the part has.`]
    : near.length ? ["warn", `Fits, but the interval of ${near.join(", ")} reaches beyond the part.`] : ["good", "Fits the part, with the whole of every interval."];
  show(place, h("h2", { class: "first headline" }, `${withUnit(latency.value, latency.unit)} latency`),
    h("p", { class: "hint" }, `${number(cycles.value)} cycles (${number(cycles.low)} to ${number(cycles.high)}), initiation interval ${number(interval.value)} (${number(interval.low)} to ${number(interval.high)}).`),
    h("p", { class: verdict[0] }, verdict[1]),
    limits && bars(rows.map((row) => ({ label: row.name, value: row.share, text: percent(row.share), over: row.share > 1 })), "Share of the part, with its limit", { limit: 1 }),
    table("After C-synthesis, against the limits of the part", [["Resource", (row) => row.name], ["Predicted", (row) => number(row.value), true], ["From", (row) => number(row.low), true],
      ["To", (row) => number(row.high), true], ["The part has", (row) => number(row.limit), true], ["Share", (row) => percent(row.share), true]], rows));
  say(`${withUnit(latency.value, latency.unit)}; ${verdict[1]}`);
}

function drawFront(place, advice, predictions) {
  const points = advice.options.map((option) => ({ ...option, x: option.latency_ns, y: option.percent_of_part, about: `reuse ${option.reuse_factor}, ${option.weight_bits} bits` }));
  const sorted = [...points].sort((a, b) => a.x - b.x);
  const line = sorted.filter((point, index) => sorted.slice(0, index).every((faster) => faster.y > point.y));
  const share = Math.max(...Object.entries(RESOURCES).map(([target, [, short]]) => (100 * predictions.get(target).value) / advice.limits[short]));
  const here = { x: predictions.get("latency_ns").value, y: share, here: true, series: 2, about: "the design of the sliders" };
  const shown = here.y > 0 ? [...points, here] : points;
  show(place, h("h2", {}, "The front over reuse factor and precision"),
    h("p", { class: "hint" }, `${advice.tried} variants were compared; those drawn are beaten by no other in latency, share of the part and bits. The large dot is the design of the sliders; the dashed line is the whole part.`, advice.fits ? null : " None of the variants is likely to fit."),
    scatter(shown, { label: "Latency against the largest share of the part", xTitle: "latency, ns", yTitle: "largest share of the part, %", log: shown.every((point) => point.x > 0 && point.y > 0), level: 100, front: line.length > 1 ? line : null }),
    table("Options on the front, fastest first", [["Reuse", (row) => number(row.reuse_factor), true], ["Bits", (row) => number(row.weight_bits), true], ["Latency, ns", (row) => number(row.latency_ns), true],
      ["Largest share, %", (row) => number(row.percent_of_part), true], ["Fits with probability", (row) => percent(row.p_fits), true]], sorted));
}
