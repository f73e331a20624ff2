/** hls4ml designs: drag reuse, precision and clock, and see resources and latency move against the part's limits. */

import { once, post } from "./api.js";
import { bars, scatter } from "./charts.js";
import { field, h, say, show, table } from "./dom.js";
import { number, percent, withUnit } from "./format.js";
import { problemBox } from "./parts.js";

const SIZES = "16, 64, 32, 32, 5";
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
  const device = (await once("v1/devices?kind=hls4ml")).devices[0];
  const parts = Object.entries(device.descriptor.parts);
  const sizes = h("input", { value: SIZES });
  const part = h("select", {}, parts.map(([name]) => h("option", { value: name, selected: name === "pynq-z2" }, name)));
  const slider = (min, max, value) => h("input", { type: "range", min, max, value, step: "1" });
  const reuse = slider(0, 12, 2), bits = slider(3, 18, 8), clock = slider(2, 20, 5);
  const told = h("p", { "aria-live": "polite" });
  const now = h("div"), front = h("div");
  const state = () => ({ sizes: sizes.value, reuse: 2 ** Number(reuse.value), bits: Number(bits.value), clock: Number(clock.value), part: part.value });
  const latest = { turn: 0, options: null };
  const update = async (withFront) => {
    const asked = state(), turn = latest.turn += 1;
    told.textContent = `Reuse factor ${asked.reuse}, weights of ${asked.bits} bits, clock of ${asked.clock} ns.`;
    try {
      const answer = await post("v1/predict/hls4ml", { device: device.name, inputs: [design(asked)] });
      if (turn !== latest.turn) return;
      const predictions = new Map(answer.results[0].predictions.map((prediction) => [prediction.target, prediction]));
      if (withFront || !latest.options) {
        latest.options = await post("v1/advise/hls4ml", { input: design(asked) });
        if (turn !== latest.turn) return;
        drawFront(front, latest.options);
      }
      drawNow(now, predictions, latest.options.limits);
    } catch (error) {
      show(now, problemBox(error));
    }
  };
  for (const control of [reuse, bits]) control.addEventListener("input", () => update(false));
  for (const control of [sizes, part, clock]) control.addEventListener("change", () => update(true));
  const form = h("form", { on: { submit: (event) => event.preventDefault() } }, field("Sizes of the dense layers", sizes, "The input first."), field("Part", part),
    field("Reuse factor", reuse, "Powers of two; each layer takes its nearest valid one."), field("Bits of the weights", bits), field("Clock period, ns", clock), told);
  update(true);
  return h("section", { class: "columns" }, form, h("div", {}, now, front));
}

function drawNow(place, predictions, limits) {
  const rows = Object.entries(RESOURCES).map(([target, [name, short]]) => {
    const prediction = predictions.get(target), limit = limits[short];
    return { name, ...prediction, limit, share: prediction.value / limit };
  });
  const latency = predictions.get("latency_ns") || predictions.get("cycles_max");
  const over = rows.filter((row) => row.share > 1).map((row) => row.name);
  show(place, h("h2", {}, `${withUnit(latency.value, latency.unit)} latency`),
    h("p", { class: over.length ? "bad" : "good" }, over.length ? `Does not fit: more ${over.join(", ")} than the part has.` : "Fits the part."),
    bars(rows.map((row) => ({ label: row.name, value: row.share, text: percent(row.share) })), "Share of the part"),
    table("After C-synthesis, against the limits of the part", [["Resource", (row) => row.name], ["Predicted", (row) => number(row.value), true], ["From", (row) => number(row.low), true],
      ["To", (row) => number(row.high), true], ["The part has", (row) => number(row.limit), true], ["Share", (row) => percent(row.share), true]], rows));
  say(`${withUnit(latency.value, latency.unit)}; ${over.length ? `does not fit, ${over.join(", ")}` : "fits"}.`);
}

function drawFront(place, advice) {
  const points = advice.options.map((option) => ({ ...option, x: option.latency_ns, y: option.percent_of_part, about: `reuse ${option.reuse_factor}, ${option.weight_bits} bits` }));
  const sorted = [...points].sort((a, b) => a.x - b.x);
  const line = sorted.filter((point, index) => sorted.slice(0, index).every((faster) => faster.y > point.y));
  show(place, h("h2", {}, "The front over reuse factor and precision"),
    h("p", { class: "hint" }, `${advice.tried} variants were compared; these are beaten by no other in latency, share of the part and bits.`, advice.fits ? null : " None of them is likely to fit."),
    scatter(points, { label: "Latency against the largest share of the part", xTitle: "latency, ns", yTitle: "largest share of the part, %", log: points.every((point) => point.x > 0 && point.y > 0), front: line.length > 1 ? line : null }),
    table("Options on the front, fastest first", [["Reuse", (row) => number(row.reuse_factor), true], ["Bits", (row) => number(row.weight_bits), true], ["Latency, ns", (row) => number(row.latency_ns), true],
      ["Largest share, %", (row) => number(row.percent_of_part), true], ["Fits with probability", (row) => percent(row.p_fits), true]], sorted));
}
