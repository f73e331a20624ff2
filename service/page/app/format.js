/** Numbers as people read them: three significant digits, a unit always. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** `1234.5` -> `1,235`; `0.01234` -> `0.0123`; null -> an en dash. */
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1000) return whole.format(value);
  if (size === 0) return "0";
  if (size < 1e-4) return value.toExponential(2);
  return String(Number(value.toPrecision(3)));
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/** A number where there is little room, as on an axis: `20000` -> `20K`. */
export const short = (value) => (Math.abs(value) >= 10000 ? compact.format(value) : number(value));

/** A value with its unit; counts and ratios have none. */
export function withUnit(value, unit) {
  return unit && unit !== "1" ? `${number(value)} ${unit}` : number(value);
}

/** A fraction as a percentage. */
export function percent(fraction) {
  return fraction === null || fraction === undefined ? "–" : `${Number((100 * fraction).toPrecision(3))}%`;
}

/** Devices with the simulated ones last. */
export const silicon = (devices) => [...devices].sort((a, b) => Number(a.name.startsWith("sim-")) - Number(b.name.startsWith("sim-")));
