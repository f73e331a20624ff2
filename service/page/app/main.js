/** The frame of the page: which view is shown, light or dark, and whether the service can answer. */

import { get } from "./api.js";
import { say, show } from "./dom.js";
import { problemBox } from "./parts.js";

const VIEWS = {
  try: () => import("./try.js"),
  explore: () => import("./explore.js"),
  devices: () => import("./devices.js"),
  models: () => import("./models.js"),
  reference: () => import("./reference.js"),
};
const view = document.getElementById("view");
let first = true, turn = 0;

async function open() {
  const asked = turn += 1;
  const [name, ...rest] = location.hash.replace(/^#\//, "").split("/").map(decodeURIComponent);
  const wanted = VIEWS[name] ? name : "try";
  for (const link of document.querySelectorAll("header nav a")) {
    if (link.getAttribute("href") === `#/${wanted}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  let shown;
  try {
    const module = await VIEWS[wanted]();
    shown = await module.render(rest);
  } catch (error) {
    if (asked === turn) show(view, problemBox(error));
    return;
  }
  if (asked !== turn) return; // the reader has gone on
  show(view, shown);
  document.title = `${shown.dataset.title} - costmodel`;
  if (!first) { view.focus({ preventScroll: true }); window.scrollTo(0, 0); }
  first = false;
  say(`${shown.dataset.title} is shown.`);
}

function wearTheme(theme) {
  document.documentElement.dataset.theme = theme;
  document.getElementById("theme").setAttribute("aria-pressed", String(theme === "dark"));
}

async function tellState() {
  const state = document.getElementById("state");
  try {
    const ready = await get("readyz");
    state.textContent = `The service is ${ready.status}${ready.problem ? `: ${ready.problem}` : ""}. ${Object.values(ready.models || {}).join(" · ")}`;
  } catch (error) {
    state.textContent = `The service is not ready: ${error.message}`;
  }
}

wearTheme(localStorage.getItem("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
document.getElementById("theme").addEventListener("click", () => {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("theme", theme);
  wearTheme(theme);
});
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); view.focus(); });
window.addEventListener("hashchange", open);
open();
tellState();
