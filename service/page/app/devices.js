/** Devices: what is known, and how each was measured. */

import { once } from "./api.js";
import { h, table } from "./dom.js";

/** The view. */
export async function render() {
  const { devices } = await once("v1/devices");
  return h("div", { "data-title": "Devices" }, h("h1", {}, "Devices"),
    table("Devices that can be asked about", [["Device", (row) => row.name], ["Kind", (row) => row.kind],
      ["Targets", (row) => row.targets.map((target) => `${target.name} (${target.unit})`).join(", ")],
      ["Measured under", (row) => Object.entries(row.descriptor).map(([key, value]) => `${key}: ${value}`).join(", ")]], devices));
}
