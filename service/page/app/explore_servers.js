/** Servers: cloud types ranked for a weighted mix of benchmarks. */

import { once, post } from "./api.js";
import { intervals } from "./charts.js";
import { field, h, saveButtons, show, slider, table } from "./dom.js";
import { number } from "./format.js";
import { empty, problemBox, working } from "./parts.js";

const TYPES = ["aws/m7i.large", "aws/m7a.large", "aws/m7g.large", "aws/c7i.xlarge", "aws/c7g.xlarge", "aws/r7i.large", "azure/Standard_D2as_v5", "azure/Standard_D2s_v6", "gcp/n2-standard-2", "gcp/n2d-standard-2", "gcp/c3-standard-4", "gcp/t2a-standard-2"];
const LIKELY = ["passmark:SUMM_CPU", "passmark:CPU_SINGLETHREAD", "bw_mem:rd:256.00MB", "passmark:ME_LATENCY"];

export async function servers() {
  const device = (await once("v1/devices?kind=cpu")).devices[0];
  const names = device.targets.map((target) => target.name);
  const types = h("textarea", { rows: "10", value: TYPES.join("\n"), spellcheck: "false" });
  const weights = [], sliders = h("div", { class: "choices", tabindex: "0" });
  const add = (name, value) => {
    const each = slider(name, { min: 0, max: 10, value, words: (weight) => (weight ? `${weight}` : "not counted") });
    weights.push([name, each]);
    sliders.append(each.label);
  };
  LIKELY.filter((name) => names.includes(name)).forEach((name, index) => add(name, index < 2 ? 5 : 0));
  const left = names.filter((name) => !LIKELY.includes(name)).sort();
  const more = h("select", { name: "more", on: { change: () => {
    if (!more.value) return;
    add(more.value, 5);
    more.selectedOptions[0].remove();
    more.value = "";
  } } }, h("option", { value: "" }, `one of ${left.length} more`), left.map((name) => h("option", { value: name }, name)));
  const progress = h("div"), result = h("div", {}, empty("Nothing ranked yet", "Say what counts, and press Rank."));
  const draw = (event) => { event.preventDefault(); rank(device, types.value, weights, progress, result); };
  const form = h("form", { on: { submit: draw } }, field("Server types", types, "vendor/type, one on a line"),
    h("fieldset", {}, h("legend", {}, "What counts, and how much"), sliders), field("Count another benchmark", more),
    h("button", { class: "main" }, "Rank"));
  return h("div", { class: "columns" }, form, h("section", { "aria-label": "Ranking" }, progress, result));
}

async function rank(device, text, weights, progress, result) {
  const servers = text.split("\n").map((line) => line.trim()).filter(Boolean);
  const mix = Object.fromEntries(weights.filter(([, each]) => each.value() > 0).map(([name, each]) => [name, each.value()]));
  if (!Object.keys(mix).length) { show(result, problemBox(new Error("Give at least one benchmark a weight."))); return; }
  const answer = await working(progress, `Ranking ${servers.length} server types`, (signal) => post("v1/rank/cpu", { device: device.name, weights: mix, inputs: servers.map((server) => ({ server })) }, signal));
  if (answer === null) return;
  const rows = answer.ranking.map((ranked) => ({ name: servers[ranked.index], ...ranked.prediction, certainty: ranked.p_better_than_next }));
  show(result, h("h2", { class: "first" }, "Best first"), h("p", { class: "hint" }, "1 is the geometric mean of these servers; twice as good in everything is 2."),
    intervals(rows.map((row) => ({ label: row.name, low: row.low, value: row.value, high: row.high, inDomain: row.in_domain })), "relative to their mean"),
    saveButtons("servers", ["server", "mix", "low", "high"], () => rows.map((row) => [row.name, row.value, row.low, row.high])),
    table("Server types, best first", [["Server", (row) => row.name], ["Mix", (row) => number(row.value), true], ["From", (row) => number(row.low), true], ["To", (row) => number(row.high), true],
      ["Better than the next with probability", (row) => number(row.certainty), true], ["Known ground?", (row) => (row.in_domain ? "yes" : `no: ${row.reasons.join("; ")}`)]], rows),
    answer.errors.map((failed) => h("p", { class: "problem" }, h("strong", {}, servers[failed.index]), ` ${failed.error.detail}`)));
}
