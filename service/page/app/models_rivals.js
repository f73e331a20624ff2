/** The champion beside its rivals: versions of the registry, and the plain baselines measured on the same held-out data. */

import { get } from "./api.js";
import { field, h, show, table } from "./dom.js";
import { number, percent } from "./format.js";
import { problemBox } from "./parts.js";

const MEASURES = ["median_error", "within_10pct", "spearman"];
const MOST = 60;

export async function drawRivals(place, model) {
  show(place, h("h2", {}, "Champion and rivals"), h("p", { class: "hint" }, "Asking the registry for other versions."));
  let versions = [], problem = null;
  try {
    ({ versions } = await get(`v1/models/${model.name}/versions`));
  } catch (error) {
    problem = problemBox(error);
  }
  const rivals = contenders(model, versions);
  show(place, h("h2", {}, "Champion and rivals"), problem,
    versions.length ? versionsTable(versions) : problem === null && h("p", { class: "hint" }, "The registry holds no version of this model; the packaged one answers. Each run of ", h("code", {}, `costmodel train --kind ${model.kind}`), " adds one here."),
    rivals.length > 1 ? comparison(rivals) : h("p", {}, "This model's card holds no rows of accuracy to compare."));
}

function versionsTable(versions) {
  const run = (row) => (row.run_url ? h("a", { href: row.run_url, rel: "noreferrer" }, row.run_id.slice(0, 12)) : h("code", { title: row.run_id }, row.run_id.slice(0, 12)));
  return [table("Versions in the registry, newest first", [["Version", (row) => (row.champion ? `${row.version}, champion` : row.version)], ["Made", (row) => row.created.slice(0, 16).replace("T", " ")], ["Learner", (row) => row.learner],
    ["Held-out median error", (row) => percent(row.held_out_median_error), true], ["MLflow run", run], ["Commit", (row) => h("code", {}, row.git_commit.slice(0, 10))], ["Data", (row) => h("code", {}, row.data_checksum.slice(0, 10))]], versions),
    versions.some((row) => !row.run_url) && h("p", { class: "hint" }, "Runs have no address here, since MLflow's store is no server: ", h("code", {}, "mlflow ui --backend-store-uri sqlite:///mlruns/mlflow.db"), " shows them by these ids.")];
}

const keyOf = (row) => `${row.device} ${row.target} ${row.split}`;

/** Everything that can be compared: [{name, rows}], rows by device, target and split. */
function contenders(model, versions) {
  const own = model.card.accuracy || [];
  const baselines = [...new Set(own.flatMap((row) => Object.keys(row)).filter((key) => key.endsWith("_median_error")).map((key) => key.replace(/_median_error$/, "")))];
  const ofBaseline = (name) => own.map((row) => ({ device: row.device, target: row.target, split: row.split, n: row.n, ...Object.fromEntries(MEASURES.map((measure) => [measure, row[`${name}_${measure}`]])) }));
  return [{ name: `${model.version}, answers now`, rows: own }, ...versions.map((version) => ({ name: `version ${version.version}, ${version.learner}`, rows: version.accuracy })),
    ...baselines.map((name) => ({ name: `baseline ${name}`, rows: ofBaseline(name) }))].filter((one) => one.rows.length);
}

function comparison(rivals) {
  const options = (chosen) => rivals.map((rival, index) => h("option", { value: index, selected: index === chosen }, rival.name));
  const first = h("select", { name: "first" }, options(0)), second = h("select", { name: "second" }, options(1)), result = h("div");
  const draw = () => compare(result, rivals[Number(first.value)], rivals[Number(second.value)]);
  for (const choice of [first, second]) choice.addEventListener("change", draw);
  draw();
  return [h("div", { class: "pair" }, field("Compare", first), field("with", second)), result];
}

function compare(place, one, other) {
  const others = new Map(other.rows.map((row) => [keyOf(row), row]));
  const both = one.rows.filter((row) => others.has(keyOf(row))).map((row) => ({ row, other: others.get(keyOf(row)) }));
  if (!both.length) { show(place, h("p", {}, `${one.name} and ${other.name} were not measured on the same device, target and split.`)); return; }
  const wins = both.filter(({ row, other: rival }) => row.median_error < rival.median_error).length;
  const cells = (measure, words, better) => [one, other].map((side, index) => [`${measure.title}, ${index ? "second" : "first"}`, ({ row, other: rival }) => {
    const [mine, its] = index ? [rival[measure.key], row[measure.key]] : [row[measure.key], rival[measure.key]];
    return better(mine, its) ? h("strong", { class: "good" }, words(mine)) : words(mine);
  }, true]);
  const less = (a, b) => a < b, more = (a, b) => a > b;
  show(place, h("p", {}, h("strong", {}, `${one.name} has the lower median error in ${wins} of ${both.length}`), ` places where both were measured (${other.name} is the second).`),
    table(`${one.name} (first) beside ${other.name} (second)${both.length > MOST ? `, ${MOST} of ${both.length} lines` : ""}`, [["Device", ({ row }) => row.device], ["Target", ({ row }) => row.target], ["Split", ({ row }) => row.split.replace("test_", "")], ["n", ({ row }) => number(row.n), true],
      ...cells({ key: "median_error", title: "Median error" }, percent, less), ...cells({ key: "within_10pct", title: "Within 10%" }, percent, more), ...cells({ key: "spearman", title: "Spearman" }, number, more)], both.slice(0, MOST)));
}
