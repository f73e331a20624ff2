/** Models: what answers, what it learned from, how its predictions compare with measurements and with its rivals. */

import { get, once } from "./api.js";
import { bars } from "./charts.js";
import { facts, field, h, show, table } from "./dom.js";
import { number, percent, silicon } from "./format.js";
import { drawPoints } from "./models_points.js";
import { drawRivals } from "./models_rivals.js";
import { problemBox } from "./parts.js";

const SPLITS = { test_seen: "families it knows", test_unseen: "families it never saw" };

/** The view. place: [name], from the address. */
export async function render([name]) {
  const { models } = await once("v1/models");
  const shown = models.find((model) => model.name === name) || models.find((model) => model.kind === "network") || models[0];
  const links = models.map((model) => h("a", { href: `#/models/${model.name}`, "aria-current": model === shown ? "page" : null }, model.kind));
  const points = h("section", { class: "card", "aria-label": "Predicted against measured" }), groups = h("section", { class: "card", "aria-label": "What it rests on" });
  const rivals = h("section", { class: "card", "aria-label": "Champion and rivals" });
  const view = h("div", { "data-title": "Models" }, h("h1", {}, "Models"), h("p", { class: "lead" }, "What answers now, on which data it learned, and how far to believe it."),
    h("nav", { "aria-label": "Models" }, links), card(shown), points, groups, rivals, accuracyTable(shown));
  drawPoints(points, shown);
  drawGroups(groups, shown);
  drawRivals(rivals, shown);
  return view;
}

const words = (value) => (typeof value === "string" ? value : Array.isArray(value) ? value.map((one) => (one && typeof one === "object" ? Object.values(one).join(", ") : one)).join("; ")
  : value && typeof value === "object" ? Object.entries(value).map(([key, one]) => `${key.replaceAll("_", " ")}: ${words(one)}`).join("; ") : String(value));

/** Of the card, what is prose: its numbers have pictures of their own. */
function card(model) {
  const { data, licence, learner, limits, attribution, notes, data_checksum: checksum, seed } = model.card;
  return h("section", { class: "card" }, h("h2", {}, `${model.name} ${model.version}`), limits && h("p", {}, limits), attribution && h("p", {}, attribution),
    facts([["Loaded from", model.source], ["Learner", learner], ["Data", data && words(data)], ["Licence of the data", licence], ["Data checksum", checksum && h("code", {}, checksum.slice(0, 16))],
      ["Seed", seed === undefined ? null : String(seed)], ["Targets", `${model.targets.length}: ${model.targets.slice(0, 6).map((target) => target.name).join(", ")}${model.targets.length > 6 ? ", …" : ""}`],
      ["Devices", `${model.devices.length}: ${model.devices.slice(0, 6).join(", ")}${model.devices.length > 6 ? ", …" : ""}`], ...Object.entries(notes || {}).map(([key, value]) => [key.replaceAll("_", " "), words(value)])]));
}

function accuracyTable(model) {
  const rows = model.card.accuracy || [];
  if (!rows.length) return null;
  return h("section", { class: "card" }, h("h2", {}, "How good it is"), h("details", {}, h("summary", {}, `Every device and target, ${rows.length} lines`), table("Accuracy on held-out data", [
    ["Device", (row) => row.device], ["Target", (row) => row.target], ["On", (row) => SPLITS[row.split] || row.split], ["n", (row) => number(row.n), true],
    ["Median error", (row) => percent(row.median_error), true], ["90% of errors below", (row) => percent(row.p90_error), true], ["Within 10%", (row) => percent(row.within_10pct), true],
    ["Spearman", (row) => number(row.spearman), true], ["Intervals cover", (row) => percent(row.coverage), true],
  ], rows)));
}

/** Importance by group of columns, of one target on one device at a time. */
async function drawGroups(place, model) {
  const { devices } = await once(`v1/devices?kind=${model.kind}`);
  const offered = silicon(devices).filter((device) => !device.descriptor.added).flatMap((device) => device.targets.map((target) => [device.name, target.name]));
  const choice = h("select", { name: "importance", on: { change: () => draw() } }, offered.map(([device, target], index) => h("option", { value: index }, `${target} on ${device}`)));
  const picture = h("div");
  const draw = async () => {
    const [device, target] = offered[Number(choice.value)];
    let found;
    try {
      found = await get(`v1/models/${model.name}/importance?device=${encodeURIComponent(device)}&target=${encodeURIComponent(target)}`);
    } catch (error) {
      show(picture, problemBox(error));
      return;
    }
    if (!found.groups.length) { show(picture, h("p", {}, "No trees answer this target: a closed form does, and it has no features that were chosen by learning.")); return; }
    show(picture, h("p", { class: "hint" }, `Of ${number(found.trees)} trees: how much their answers move by columns of each group. Closed forms and kernels that stand beside the trees are not in it.`),
      bars(found.groups.slice(0, 12).map((group) => ({ label: group.group, value: group.share, text: percent(group.share) })), "Share of each group of columns"),
      table("Groups of columns, and the weightiest of each", [["Group", (row) => row.group], ["Share", (row) => percent(row.share), true], ["Weightiest columns", (row) => Object.entries(row.columns).map(([column, share]) => `${column} ${percent(share)}`).join(", ")]], found.groups));
  };
  show(place, h("h2", {}, "What it rests on"), field("Target", choice), picture);
  await draw();
}
