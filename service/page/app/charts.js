/** Pictures as SVG by d3. Each has a table beside it in its view: a picture is never the only way to a number. */

import { number } from "./format.js";

const d3 = window.d3;
const WIDTH = 640;

function frame(label, height, margin) {
  const svg = d3.create("svg").attr("viewBox", `0 0 ${WIDTH} ${height}`).attr("role", "img").attr("aria-label", label);
  return { svg, left: margin.left, right: WIDTH - margin.right, top: margin.top, bottom: height - margin.bottom };
}

function scaleOf(values, range, logarithmic) {
  let [low, high] = d3.extent(values);
  if (!(high > low)) { low = low ? low * 0.9 : 0; high = high ? high * 1.1 : 1; }
  if (logarithmic && low > 0) return d3.scaleLog([low / 1.05, high * 1.05], range);
  return d3.scaleLinear([Math.min(low, 0), high * 1.05], range).nice();
}

function ticks(scale, room) {
  const all = scale.ticks(room);
  return all.length <= room + 3 ? all : all.filter((tick) => /^[125]/.test(tick.toExponential()));
}

function axes({ svg, left, right, top, bottom }, x, y, xTitle, yTitle) {
  const wide = d3.axisBottom(x).tickValues(ticks(x, 6)).tickFormat(number);
  const tall = d3.axisLeft(y).tickValues(ticks(y, 6)).tickFormat(number);
  svg.append("g").attr("class", "axis").attr("transform", `translate(0,${bottom})`).call(wide);
  svg.append("g").attr("class", "axis").attr("transform", `translate(${left},0)`).call(tall);
  svg.append("text").attr("class", "title").attr("x", (left + right) / 2).attr("y", bottom + 34).attr("text-anchor", "middle").text(xTitle);
  svg.append("text").attr("class", "title").attr("transform", `translate(14,${(top + bottom) / 2}) rotate(-90)`).attr("text-anchor", "middle").text(yTitle);
}

/** One line per prediction: its interval, and a dot at the value. rows: [{label, low, value, high, inDomain}], one unit. */
export function intervals(rows, unit) {
  const height = 34 + 26 * rows.length;
  const { svg, right, bottom } = frame(`Predictions with their intervals, in ${unit}`, height + 14, { left: 250, right: 16, top: 6, bottom: 44 });
  const values = rows.flatMap((row) => [row.low, row.high]);
  const x = scaleOf(values, [250, right], Math.max(...values) > 8 * Math.min(...values));
  svg.append("g").attr("class", "axis").attr("transform", `translate(0,${bottom})`).call(d3.axisBottom(x).tickValues(ticks(x, 6)).tickFormat(number));
  svg.append("text").attr("class", "title").attr("x", (250 + right) / 2).attr("y", bottom + 34).attr("text-anchor", "middle").text(unit);
  rows.forEach((row, index) => {
    const y = 16 + 26 * index;
    svg.append("text").attr("x", 240).attr("y", y + 4).attr("text-anchor", "end").text(row.label.length > 34 ? `${row.label.slice(0, 33)}…` : row.label);
    svg.append("line").attr("class", "range series-0").attr("x1", x(row.low)).attr("x2", x(row.high)).attr("y1", y).attr("y2", y);
    svg.append("circle").attr("class", `series-0 ${row.inDomain ? "" : "dot outside"}`).attr("cx", x(row.value)).attr("cy", y).attr("r", 5);
  });
  return svg.node();
}

/**
 * Points on two axes. points: [{x, y, series, outside, about}]; options: xTitle, yTitle, log, diagonal, front (points in
 * order), limit (an x that must not be passed), brushed(indices) when a rectangle is drawn.
 */
export function scatter(points, { label, xTitle, yTitle, log = false, diagonal = false, front = null, limit = null, brushed = null }) {
  const box = frame(label, 400, { left: 70, right: 16, top: 10, bottom: 46 });
  const { svg, left, right, top, bottom } = box;
  const both = diagonal ? points.flatMap((point) => [point.x, point.y]) : null;
  const x = scaleOf(both || points.map((point) => point.x).concat(limit ?? []), [left, right], log);
  const y = scaleOf(both || points.map((point) => point.y), [bottom, top], log);
  axes(box, x, y, xTitle, yTitle);
  const line = (from, to, name) => svg.append("line").attr("class", name).attr("x1", from[0]).attr("y1", from[1]).attr("x2", to[0]).attr("y2", to[1]);
  if (diagonal) line([left, bottom], [right, top], "diagonal");
  if (limit !== null) line([x(limit), bottom], [x(limit), top], "limit");
  const dots = svg.append("g").selectAll("circle").data(points).join("circle")
    .attr("class", (point) => `dot series-${point.series || 0} ${point.outside ? "outside" : ""}`)
    .attr("cx", (point) => x(point.x)).attr("cy", (point) => y(point.y)).attr("r", points.length > 400 ? 2.5 : 4);
  dots.append("title").text((point) => point.about || "");
  if (front) svg.append("path").attr("class", "front series-1").attr("d", d3.line((point) => x(point.x), (point) => y(point.y)).curve(d3.curveStepAfter)(front));
  if (brushed) {
    const brush = d3.brush().extent([[left, top], [right, bottom]]).on("end", ({ selection }) => {
      const inside = (point) => selection && x(point.x) >= selection[0][0] && x(point.x) <= selection[1][0] && y(point.y) >= selection[0][1] && y(point.y) <= selection[1][1];
      dots.classed("chosen", inside);
      brushed(points.map((point, index) => (inside(point) ? index : -1)).filter((index) => index >= 0));
    });
    svg.append("g").call(brush);
  }
  return svg.node();
}

/** Horizontal bars, largest first as given. rows: [{label, value, text}]. */
export function bars(rows, label) {
  const { svg, right } = frame(label, 12 + 24 * rows.length, { left: 250, right: 110, top: 4, bottom: 4 });
  const x = d3.scaleLinear([0, Math.max(...rows.map((row) => row.value), 1e-300)], [250, right]);
  rows.forEach((row, index) => {
    const y = 6 + 24 * index;
    svg.append("text").attr("x", 240).attr("y", y + 13).attr("text-anchor", "end").text(row.label.length > 34 ? `${row.label.slice(0, 33)}…` : row.label);
    svg.append("rect").attr("class", "series-0").attr("x", 250).attr("y", y + 2).attr("height", 14).attr("width", Math.max(x(row.value) - 250, 0.5));
    svg.append("text").attr("x", x(row.value) + 6).attr("y", y + 13).text(row.text);
  });
  return svg.node();
}
