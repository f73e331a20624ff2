/** Pieces that several views show: problems, work that takes long, files. */

import { h, say, show } from "./dom.js";

/** An error as the API told it, with the names that are known where it lists them. */
export function problemBox(error) {
  const problem = error.problem || { title: "The page failed", detail: error.message };
  say(`Error: ${problem.detail || problem.title}`);
  return h("div", { class: "problem", role: "alert" }, h("strong", {}, problem.title), h("div", {}, problem.detail),
    problem.where && h("div", {}, `At: ${problem.where}`));
}

/** What stands where nothing is yet: what will, and how to get it. */
export const empty = (title, hint) => h("p", { class: "empty" }, h("strong", {}, title), hint);

const SHOWN_AFTER_MS = 150;

/**
 * Run `work(signal, step)` and show its progress in `place` with a button that cancels it; null when it was cancelled or
 * failed, which `place` then says. step(done, total) moves the bar; without it the bar only shows that work goes on.
 * What is done at once shows no bar.
 */
export async function working(place, label, work) {
  const stop = new AbortController();
  const bar = h("progress", { "aria-label": label });
  const cancel = h("button", { type: "button", class: "small", on: { click: () => stop.abort() } }, "Cancel");
  const told = setTimeout(() => show(place, h("div", { class: "working" }, h("p", {}, label), bar, cancel)), SHOWN_AFTER_MS);
  show(place);
  const step = (done, total) => { bar.max = total; bar.value = done; };
  try {
    const result = await work(stop.signal, step);
    clearTimeout(told);
    show(place);
    return result;
  } catch (error) {
    clearTimeout(told);
    if (error.name === "AbortError") { show(place, h("p", { class: "hint" }, "Cancelled.")); say("Cancelled."); } else show(place, problemBox(error));
    return null;
  }
}

/**
 * A function that runs `work(signal, ...given)` for the newest call only: an older one that still runs is aborted, and
 * calls wait until none came for `quietMs`. What `work` throws goes to `failed`, unless it was aborted.
 */
export function newest(work, failed, quietMs = 0) {
  let stop = new AbortController(), timer = 0;
  return (...given) => {
    stop.abort();
    clearTimeout(timer);
    const own = stop = new AbortController();
    const run = () => work(own.signal, ...given).catch((error) => { if (!own.signal.aborted) failed(error); });
    if (quietMs) timer = setTimeout(run, quietMs);
    else run();
  };
}

/** A place for a file: dropped, or chosen by a button. `take(file)` is told of each new one. */
export function filePlace(label, accept, take) {
  const name = h("span", { class: "hint" }, "Drop a file here, or choose one.");
  const took = (file) => { if (file) { name.textContent = `${file.name}, ${Math.ceil(file.size / 1024)} KiB`; take(file); } };
  const input = h("input", { type: "file", accept, on: { change: () => took(input.files[0]) } });
  const place = h("div", { class: "drop", on: {
    dragover: (event) => { event.preventDefault(); place.classList.add("over"); },
    dragleave: () => place.classList.remove("over"),
    drop: (event) => { event.preventDefault(); place.classList.remove("over"); took(event.dataTransfer.files[0]); },
  } }, h("label", { class: "field" }, h("span", {}, label), input), name);
  return place;
}

/** The bytes of a file as base64, which is how files travel in JSON. */
export async function base64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let start = 0; start < bytes.length; start += 0x8000) text += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  return btoa(text);
}
