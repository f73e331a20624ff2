/** The API as the service itself describes it, readable without any network but its own. */

import { once } from "./api.js";
import { h, table } from "./dom.js";

/** The view. */
export async function render() {
  const document = await once("openapi.json");
  const routes = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })));
  const groups = Map.groupBy(routes, ({ operation }) => operation.tags?.[0] || "answers");
  return h("div", { "data-title": "API" }, h("h1", {}, "API"),
    h("p", { class: "lead" }, "What this page shows comes from these routes. ", h("a", { href: "openapi.json" }, "openapi.json"), " holds every body and field."),
    [...groups].map(([name, own]) => h("section", { class: "card" }, h("h2", {}, name), own.map(route))));
}

function route({ path, method, operation }) {
  const answers = Object.entries(operation.responses);
  return h("details", {}, h("summary", {}, h("code", {}, `${method.toUpperCase()} ${path}`), ` ${operation.summary || ""}`),
    operation.description && h("p", {}, operation.description),
    operation.parameters?.length ? table(`Parameters of ${method.toUpperCase()} ${path}`, [["Parameter", (row) => row.name], ["In", (row) => row.in], ["What", (row) => row.description || ""]], operation.parameters) : null,
    table(`Answers of ${method.toUpperCase()} ${path}`, [["Status", ([status]) => status, true], ["Answer", ([, answer]) => answer.description]], answers));
}
