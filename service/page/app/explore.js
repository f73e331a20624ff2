/** Explore: pictures of many answers at once. */

import { once } from "./api.js";
import { h } from "./dom.js";
import { cells } from "./explore_cells.js";
import { designs } from "./explore_designs.js";
import { servers } from "./explore_servers.js";

const PICTURES = { cells: ["NAS cells", "network", cells], designs: ["FPGA designs", "hls4ml", designs], servers: ["Servers", "cpu", servers] };

/** The view. place: [picture], from the address. */
export async function render([picture]) {
  const { models } = await once("v1/models");
  const kinds = models.map((model) => model.kind);
  const offered = Object.entries(PICTURES).filter(([, [, kind]]) => kinds.includes(kind));
  if (!offered.length) return h("div", { "data-title": "Explore" }, h("h1", {}, "Explore"), h("p", {}, "No model here has a picture of its own."));
  const shown = offered.some(([name]) => name === picture) ? picture : offered[0][0];
  const links = offered.map(([name, [title]]) => h("a", { href: `#/explore/${name}`, "aria-current": name === shown ? "page" : null }, title));
  return h("div", { "data-title": "Explore" }, h("h1", {}, "Explore"), h("p", { class: "lead" }, "Many answers at once: what the choices cost, before anything is built or bought."), h("nav", { "aria-label": "Pictures" }, links), await PICTURES[shown][2]());
}
