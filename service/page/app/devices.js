/** Devices: which ten inputs to measure, a device from these measurements, its fit, outliers and drift. */

import { forget, get, once, post, remove } from "./api.js";
import { scatter } from "./charts.js";
import { facts, field, h, say, show, table } from "./dom.js";
import { number, percent, withUnit } from "./format.js";
import { empty, problemBox, working } from "./parts.js";

const SPACES = ["nasbench201", "fbnet", "ofa"];

/** The view. place: [name], from the address: an added device to show. */
export async function render([name]) {
  const { devices } = await once("v1/devices");
  const shown = h("section", { "aria-label": "The device" }, empty("No device chosen", "Add one, or follow the link of one that was added."));
  const view = h("div", { "data-title": "Devices" }, h("h1", {}, "Devices"),
    h("p", { class: "lead" }, "Ten measurements make a device of your own: ask which ten, measure them, paste what you measured."),
    h("div", { class: "columns" }, adding(), shown), h("section", { class: "card", "aria-label": "Known devices" }, known(devices)));
  if (name) await showDevice(shown, name);
  return view;
}

function known(devices) {
  const added = (row) => row.descriptor.added === true;
  return table("Devices that can be asked about", [
    ["Device", (row) => (added(row) ? h("a", { href: `#/devices/${encodeURIComponent(row.name)}` }, row.name) : row.name)], ["Kind", (row) => row.kind],
    ["Targets", (row) => shortened(row.targets.map((target) => (target.unit === "1" ? target.name : `${target.name} (${target.unit})`)))],
    ["Measured under", (row) => Object.entries(row.descriptor).filter(([, value]) => typeof value !== "object").map(([key, value]) => `${key}: ${value}`).join(", ")]], devices);
}

const shortened = (names) => (names.length > 8 ? `${names.slice(0, 8).join(", ")} and ${names.length - 8} more` : names.join(", "));

/** The form: plan which inputs to measure, type the measured values beside them, add the device. */
function adding() {
  const name = h("input", { name: "name", required: true, placeholder: "my-phone" });
  const space = h("select", { name: "space" }, SPACES.map((one) => h("option", { value: one }, one)));
  const count = h("input", { name: "count", type: "number", min: "3", max: "50", value: "10" });
  const measured = h("textarea", { name: "measured", rows: "12", spellcheck: "false", placeholder: "|nor_conv_3x3~0|+...| 12.3" });
  const progress = h("div");
  const plan = async () => {
    const answer = await working(progress, "Choosing what to measure", (signal) => post("v1/devices/plan", { space: space.value, n: Number(count.value) }, signal));
    if (answer === null) return;
    measured.value = answer.inputs.map((input) => `${text(Object.values(input)[0])} `).join("\n");
    say(`${answer.inputs.length} inputs to measure.`);
  };
  const add = async (event) => {
    event.preventDefault();
    const body = read(name.value.trim(), space.value, measured.value);
    if (body instanceof Error) { show(progress, problemBox(body)); return; }
    const added = await working(progress, `Adding ${body.name}`, (signal) => post("v1/devices", body, signal));
    if (added === null) return;
    forget("v1/devices");
    forget("v1/devices?kind=network");
    location.hash = `#/devices/${encodeURIComponent(added.name)}`;
  };
  return h("form", { on: { submit: add } }, h("h2", {}, "Add one from ten measurements"), field("Name", name), field("Search space", space), field("How many to measure", count),
    h("button", { type: "button", on: { click: plan } }, "Which ones?"), field("Measured", measured, "One on a line: the architecture, then its latency in ms."),
    h("button", { class: "main" }, "Add the device"), progress);
}

function medianResidual(residuals) {
  const sizes = residuals.map((row) => Math.abs(row.predicted / row.measured - 1)).sort((a, b) => a - b);
  return sizes.length ? sizes[Math.floor(sizes.length / 2)] : null;
}

const text = (encoding) => (typeof encoding === "string" ? encoding : JSON.stringify(encoding));

/** The request of a form, or the error that says which line is wrong. */
function read(name, space, measured) {
  const measurements = [];
  for (const [index, line] of measured.split("\n").entries()) {
    if (!line.trim()) continue;
    const [, encoding, value] = line.trim().match(/^(.*\S)[\s,;]+([0-9.eE+-]+)$/) || [];
    if (!encoding || Number.isNaN(Number(value))) return new Error(`Line ${index + 1} must end in a latency in ms: ${line}`);
    measurements.push({ input: { [space]: /^[[{]/.test(encoding) ? JSON.parse(encoding) : encoding }, latency_ms: Number(value) });
  }
  return { name, space, measurements };
}

/** More measurements of a device: each is checked against what it answers, and all together make a new version. */
function measuring(place, device) {
  const more = h("textarea", { name: "more", rows: "4", spellcheck: "false" });
  const progress = h("div");
  const add = async (event) => {
    event.preventDefault();
    const body = read(device.name, device.space, more.value);
    if (body instanceof Error) { show(progress, problemBox(body)); return; }
    const path = `v1/devices/${encodeURIComponent(device.id)}/measurements`;
    const added = await working(progress, `Checking ${body.measurements.length} measurements`, (signal) => post(path, { measurements: body.measurements }, signal));
    if (added !== null) { say(`Version ${added.version}.`); await showDevice(place, device.name); }
  };
  return h("form", { on: { submit: add } }, field("More measurements", more, `One on a line: the architecture, then its ${device.target.name} in ${device.target.unit}.`),
    h("button", {}, "Add these"), progress);
}

async function showDevice(place, name) {
  let device;
  try {
    device = await get(`v1/devices/${encodeURIComponent(name)}`);
  } catch (error) {
    show(place, problemBox(error));
    return;
  }
  const { fit, versions, target } = device;
  const unit = target.unit;
  const forgetIt = h("button", { type: "button", on: { click: async () => {
    await remove(`v1/devices/${encodeURIComponent(device.id)}`);
    forget("v1/devices");
    forget("v1/devices?kind=network");
    location.hash = "#/devices";
  } } }, "Remove this device");
  const points = fit.residuals.map((row) => ({ x: row.measured, y: row.predicted, series: row.trust < 0.5 ? 1 : 0, outside: row.trust < 0.5, about: text(Object.values(row.input)[0]) }));
  const last = versions.at(-1) || {};
  show(place, h("h2", {}, device.name),
    h("p", {}, `Version ${device.version}, ${fit.measurements} measurements of ${device.space}, answered by the learner ${fit.learner}.`),
    facts([["Median error, each from the others", fit.median_error === null ? "too few measurements" : percent(fit.median_error)],
      ["Residuals, median", percent(medianResidual(fit.residuals))], ["Outliers", `${(last.outliers || []).length} of ${fit.measurements}`],
      ["Drift", last.drift ? `${number(last.drift)} times what was expected` : "none seen"]]),
    scatter(points, { label: "Measurements beside what the device answers for them", xTitle: `measured, ${unit}`, yTitle: `answered, ${unit}`, log: true, diagonal: true }),
    table("Measurements beside answers; one that the others make implausible is hollow", [["Measured", (row) => withUnit(row.measured, unit), true],
      ["Answered", (row) => withUnit(row.predicted, unit), true], ["From", (row) => number(row.low), true], ["To", (row) => number(row.high), true], ["Residual", (row) => percent(row.predicted / row.measured - 1), true], ["Trust", (row) => percent(row.trust), true], ["Input", (row) => text(Object.values(row.input)[0])]], fit.residuals),
    table("Versions", [["Version", (row) => row.version, true], ["Measurements", (row) => row.measurements, true], ["Learner", (row) => row.learner],
      ["Outliers", (row) => row.outliers.map((one) => `number ${one.index + 1}: ${withUnit(one.measured, unit)} measured, ${withUnit(one.predicted, unit)} expected`).join("; ") || "none"],
      ["Drift", (row) => (row.drift === null ? "none" : `${number(row.drift)} times what was expected`)]], versions),
    measuring(place, device), h("p", {}, h("a", { href: "#/explore/cells" }, "See the space on it")), forgetIt);
}
