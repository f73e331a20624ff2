"""``costmodel benchmark page``: how fast the page paints and answers, in headless Chromium against the packaged models.

Times are the browser's own. first paint: `first-contentful-paint` of a cold load (empty cache). interaction: from
the event (a slider moved, a link followed, a button pressed) to the frame that shows its result; for a prediction that
frame holds the answer, so the service's time is in it. Each is repeated; the median counts, the slowest is told.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from costmodel.benchmarks import machine
from costmodel.benchmarks.servers import our_server
from costmodel.registry import PRETRAINED
from featurizers.errors import InputError

_VIEWS = ("try/network", "explore/designs", "devices", "models/costmodel-network")
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
_SHOWN = "main > [data-title]"

# Resolves to the milliseconds from ACT to the frame after DONE holds; looked at in frames, as the eye does. Both are
# written into it, since the page's policy forbids to make functions of text.
_TIMED = """() => new Promise((resolve, reject) => {
  const acts = () => { ACT; }, holds = () => DONE;
  requestAnimationFrame(() => {
    const start = performance.now();
    acts();
    const look = () => {
      if (holds()) requestAnimationFrame(() => resolve(performance.now() - start));
      else if (performance.now() - start > 30000) reject(new Error("never shown"));
      else requestAnimationFrame(look);
    };
    look();
  });
})"""


def run(data: Path | None, mirror: Path | None, repeats: int = 9) -> dict[str, Any]:
    """Paint and interaction times in ms. Raises InputError without Chromium."""
    del data, mirror
    rows: list[dict[str, Any]] = []
    with _service() as address, _browser() as browser:
        for view in _VIEWS:
            rows.append(_row("first paint", view, [_first_paint(browser, address, view) for _ in range(repeats)]))
        rows += [_row("interaction", name, times) for name, times in _interactions(browser, address, repeats)]
    paints, actions = ([row for row in rows if row["what"] == what] for what in ("first paint", "interaction"))
    summary = {
        "first_paint_ms": max(row["median_ms"] for row in paints),
        "interaction_ms": max(row["median_ms"] for row in actions),
        "first_paint_slowest_ms": max(row["slowest_ms"] for row in paints),
        "interaction_slowest_ms": max(row["slowest_ms"] for row in actions),
    }
    return {"benchmark": "page", "machine": machine(), "rows": rows, "summary": summary}


@contextmanager
def _service() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        settings = {"COSTMODEL_DATABASE_URL": f"sqlite:///{folder}/state.db"}
        with our_server(PRETRAINED, settings) as server:
            yield f"http://127.0.0.1:{server.port}"


@contextmanager
def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise InputError("The benchmark 'page'", "needs Chromium: apt-get install chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        yield browser
        browser.close()


def _row(what: str, name: str, times: list[float]) -> dict[str, Any]:
    median, slowest = round(statistics.median(times), 1), round(max(times), 1)
    return {"what": what, "of": name, "median_ms": median, "slowest_ms": slowest, "n": len(times)}


@contextmanager
def _opened(browser: Any, address: str, view: str) -> Iterator[Any]:
    context = browser.new_context(base_url=address, viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.goto(f"/#/{view}")
    page.wait_for_selector(_SHOWN)
    yield page
    context.close()


def _first_paint(browser: Any, address: str, view: str) -> float:
    with _opened(browser, address, view) as page:
        paint = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
        page.wait_for_function(f"() => ({paint})() !== undefined")
        return float(page.evaluate(paint))


def _interactions(browser: Any, address: str, repeats: int) -> Iterator[tuple[str, list[float]]]:
    with _opened(browser, address, "explore/designs") as page:
        page.wait_for_selector("svg .here")
        yield "reuse slider to new resources", _repeated(page, repeats, _slide)
    with _opened(browser, address, "try/network") as page:
        act = "document.querySelector('main section').replaceChildren(); document.querySelector('button.main').click()"
        yield (
            "Predict to its answer",
            _repeated(page, repeats, lambda _: (act, "document.querySelector('main tbody tr')")),
        )
        yield "from view to view", _repeated(page, repeats, _follow)


def _repeated(page: Any, repeats: int, told: Callable[[int], tuple[str, str]]) -> list[float]:
    """The first turn is not counted: it reads what later ones have at hand."""
    times = []
    for turn in range(repeats + 1):
        act, done = told(turn)
        times.append(float(page.evaluate(_TIMED.replace("ACT", act).replace("DONE", done))))
        page.wait_for_timeout(100)
    return times[1:]


def _slide(turn: int) -> tuple[str, str]:
    act = (
        "window.before = document.querySelector('h2').parentElement.innerText;"
        f"const slider = document.querySelector('input[type=range]'); slider.value = {3 + turn % 2};"
        "slider.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    return act, "document.querySelector('h2')?.parentElement.innerText !== window.before"


def _follow(turn: int) -> tuple[str, str]:
    name = ("devices", "try")[turn % 2]
    return (
        f"location.hash = '#/{name}'",
        f"document.querySelector('main > [data-title]')?.dataset.title.toLowerCase() === '{name}'",
    )
