/** Pictures as SVG by d3. Each has a table beside it in its view: a picture is never the only way to a number. */

import { number, short } from "./format.js";

const d3 = window.d3;
const WIDEST = 640, NARROWEST = 290;

/** Pictures are drawn as wide as the screen allows, so that their letters keep their size. */
const widthNow = (most = WIDEST) => Math.max(NARROWEST, Math.min(most, document.documentElement.clientWidth - 60));

/** The width of a picture that stands beside another. */
export const HALF = 460;

/** Of a picture with names on its left: how wide these are, and a name cut to fit. */
const namesRoom = (most) => (widthNow(most) < 400 ? 122 : widthNow(most) < 500 ? 160 : 230);
const cut = (text, room) => { const most = Math.floor(room / 6.9); return text.length > most ? `${text.slice(0, most - 1)}…` : text; };

function frame(label, height, margin, most) {
  const width = widthNow(most);
  const svg = d3.create("svg").attr("viewBox", `0 0 ${width} ${height}`).attr("role", "img").attr("aria-label", label);
  return { svg, left: margin.left, right: width - margin.right, top: margin.top, bottom: height - margin.bottom };
}

function scaleOf(values, range, logarithmic) {
  let [low, high] = d3.extent(values);
  if (!(high > low)) { low = low ? low * 0.9 : 0; high = high ? high * 1.1 : 1; }
  if (logarithmic && low > 0) return d3.scaleLog([low / 1.05, high * 1.05], range);
  return d3.scaleLinear([Math.min(low, 0), high * 1.05], range).nice();
}

function ticks(scale, room) {
  const all = scale.ticks(room);
  const spare = all.length <= room + 3 ? all : all.filter((tick) => /^[125]/.test(tick.toExponential()));
  return spare.length <= room + 3 ? spare : spare.filter((tick) => /^1/.test(tick.toExponential()));
}

function axes({ svg, left, right, top, bottom }, x, y, xTitle, yTitle, words = short) {
  const wide = d3.axisBottom(x).tickValues(ticks(x, right - left > 300 ? 6 : 3)).tickFormat(words);
  const tall = d3.axisLeft(y).tickValues(ticks(y, 6)).tickFormat(words);
  svg.append("g").attr("class", "axis").attr("transform", `translate(0,${bottom})`).call(wide);
  svg.append("g").attr("class", "axis").attr("transform", `translate(${left},0)`).call(tall);
  svg.append("text").attr("class", "title").attr("x", (left + right) / 2).attr("y", bottom + 34).attr("text-anchor", "middle").text(xTitle);
  svg.append("text").attr("class", "title").attr("transform", `translate(14,${(top + bottom) / 2}) rotate(-90)`).attr("text-anchor", "middle").text(yTitle);
}

/** One line per prediction: its interval, and a dot at the value. rows: [{label, low, value, high, inDomain}], one unit. */
export function intervals(rows, unit) {
  const left = namesRoom() + 10;
  const { svg, right, bottom } = frame(`Predictions with their intervals, in ${unit}`, 66 + 26 * rows.length, { left, right: 16, top: 6, bottom: 44 });
  const values = rows.flatMap((row) => [row.low, row.high]);
  const x = scaleOf(values, [left, right], Math.max(...values) > 8 * Math.min(...values));
  svg.append("g").attr("class", "axis").attr("transform", `translate(0,${bottom})`).call(d3.axisBottom(x).tickValues(ticks(x, right - left > 300 ? 6 : 3)).tickFormat(short));
  svg.append("text").attr("class", "title").attr("x", (left + right) / 2).attr("y", bottom + 34).attr("text-anchor", "middle").text(unit);
  rows.forEach((row, index) => {
    const y = 16 + 26 * index;
    svg.append("text").attr("x", left - 10).attr("y", y + 4).attr("text-anchor", "end").text(cut(row.label, left - 10)).append("title").text(row.label);
    svg.append("line").attr("class", "range series-0").attr("x1", x(row.low)).attr("x2", x(row.high)).attr("y1", y).attr("y2", y);
    svg.append("circle").attr("class", `series-0 ${row.inDomain ? "" : "dot outside"}`).attr("cx", x(row.value)).attr("cy", y).attr("r", 5);
  });
  return svg.node();
}

const TITLED = 2000;

/**
 * Points on two axes. points: [{x, y, series, outside, here, about}]; options: xTitle, yTitle, log, diagonal, front (points
 * in order), limit and level (an x and a y that must not be passed), brushed(indices) when a rectangle is drawn.
 */
export function scatter(points, { label, xTitle, yTitle, log = false, diagonal = false, front = null, limit = null, level = null, brushed = null, height = 400, width = WIDEST }) {
  const box = frame(label, height, { left: 64, right: 16, top: 10, bottom: 46 }, width);
  const { svg, left, right, top, bottom } = box;
  const both = diagonal ? points.flatMap((point) => [point.x, point.y]) : null;
  const x = scaleOf(both || points.map((point) => point.x).concat(limit ?? []), [left, right], log);
  const y = scaleOf(both || points.map((point) => point.y).concat(level ?? []), [bottom, top], log);
  axes(box, x, y, xTitle, yTitle);
  const line = (from, to, name) => svg.append("line").attr("class", name).attr("x1", from[0]).attr("y1", from[1]).attr("x2", to[0]).attr("y2", to[1]);
  if (diagonal) line([left, bottom], [right, top], "diagonal");
  if (limit !== null) line([x(limit), bottom], [x(limit), top], "limit");
  if (level !== null) line([left, y(level)], [right, y(level)], "limit");
  if (front) svg.append("path").attr("class", "front series-1").attr("d", d3.line((point) => x(point.x), (point) => y(point.y)).curve(d3.curveStepAfter)(front));
  const dots = svg.append("g").selectAll("circle").data(points).join("circle")
    .attr("class", (point) => `dot series-${point.series || 0}${point.outside ? " outside" : ""}${point.here ? " here" : ""}`)
    .attr("cx", (point) => x(point.x)).attr("cy", (point) => y(point.y)).attr("r", (point) => (point.here ? 7 : points.length > 400 ? 2.5 : 4));
  if (points.length <= TITLED) dots.append("title").text((point) => point.about || "");
  if (brushed) {
    const brush = d3.brush().extent([[left, top], [right, bottom]]).on("end", ({ selection }) => {
      const inside = (point) => selection && x(point.x) >= selection[0][0] && x(point.x) <= selection[1][0] && y(point.y) >= selection[0][1] && y(point.y) <= selection[1][1];
      dots.classed("chosen", inside);
      brushed(points.map((point, index) => (inside(point) ? index : -1)).filter((index) => index >= 0));
    });
    svg.append("g").attr("class", "brush").call(brush);
  }
  return svg.node();
}

/** Lines on two axes from 0 to 1: [{series, points: [[x, y], ...]}], with the diagonal and a mark at x = `mark`. */
export function curves(lines, { label, xTitle, yTitle, mark }) {
  const box = frame(label, 300, { left: 58, right: 22, top: 10, bottom: 46 }, HALF);
  const { svg, left, right, top, bottom } = box;
  const x = d3.scaleLinear([0, 1], [left, right]), y = d3.scaleLinear([0, 1], [bottom, top]);
  const share = (value) => `${Math.round(100 * value)}%`;
  axes(box, x, y, xTitle, yTitle, share);
  const line = (x1, y1, x2, y2) => svg.append("line").attr("class", "diagonal").attr("x1", x1).attr("y1", y1).attr("x2", x2).attr("y2", y2);
  line(left, bottom, right, top);
  line(x(mark), bottom, x(mark), top);
  for (const { series, points } of lines) {
    svg.append("path").attr("class", `front series-${series}`).attr("d", d3.line(([one]) => x(one), ([, two]) => y(two))(points));
    svg.append("g").selectAll("circle").data(points).join("circle").attr("class", `series-${series}`).attr("cx", ([one]) => x(one)).attr("cy", ([, two]) => y(two)).attr("r", 3);
  }
  return svg.node();
}

/** Horizontal bars, in the order given. rows: [{label, value, text, over}]; limit: a value that must not be passed. */
export function bars(rows, label, { limit = null, width = WIDEST } = {}) {
  const left = namesRoom(width) + 10;
  const { svg, right, bottom } = frame(label, 12 + 24 * rows.length, { left, right: 64, top: 4, bottom: 4 }, width);
  const x = d3.scaleLinear([0, Math.max(...rows.map((row) => row.value), limit ?? 0, 1e-300)], [left, right]);
  rows.forEach((row, index) => {
    const y = 6 + 24 * index;
    svg.append("text").attr("x", left - 10).attr("y", y + 13).attr("text-anchor", "end").text(cut(row.label, left - 10)).append("title").text(row.label);
    svg.append("rect").attr("class", row.over ? "over" : "series-0").attr("rx", 2).attr("x", left).attr("y", y + 2).attr("height", 14).attr("width", Math.max(x(row.value) - left, 0.5));
    svg.append("text").attr("x", x(row.value) + 6).attr("y", y + 13).text(row.text);
  });
  if (limit !== null) svg.append("line").attr("class", "limit").attr("x1", x(limit)).attr("x2", x(limit)).attr("y1", 2).attr("y2", bottom);
  return svg.node();
}
